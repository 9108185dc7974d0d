//! What is done to text before it leaves: names come from people and forms, and may hold anything.
//!
//! - **CSV** ([`cell`]): nothing is lost. A text a spreadsheet would take for a formula gets an apostrophe in front; control and direction
//!   characters, which could hide or reorder what is shown, are written as `\u{1b}`; a backslash is doubled. [`uncell`] undoes all of it.
//! - **FHIR** ([`fhir`]): a string holds no control characters but tab and line ends (FHIR R4, *string*); they become U+FFFD.
//! - **PDF** ([`shown`]): control characters become U+FFFD, direction characters vanish (each run is set in its own direction), and what the font
//!   does not have is named by its number, `[U+4E2D]`, rather than printed as an empty box.

/// Characters that change the direction of what follows, or are invisible: what is shown would not be what is there. The joiners U+200C and
/// U+200D belong to the spelling of names and are left alone where nothing is drawn.
const fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{61c}'
        | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// Characters a font draws nothing for (Unicode, *Default_Ignorable_Code_Point*), besides the hidden ones.
const fn is_undrawn(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200c}' | '\u{200d}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
}

/// Characters without an agreed meaning; an archive cannot keep them.
const fn is_private(c: char) -> bool {
    matches!(c, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}

/// Whether a spreadsheet may take a cell that begins so for a formula (OWASP, *CSV injection*), full-width forms included. The apostrophe is
/// among them so that the one put in front can be told from one that was there.
const fn begins_formula(c: char) -> bool {
    matches!(c, '=' | '+' | '-' | '@' | '|' | '%' | '\'' | '＝' | '＋' | '－' | '＠')
}

/// A text as one CSV field, quoted (RFC 4180), lossless, and never a formula.
#[must_use]
pub fn cell(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    // Spreadsheets skip blanks before they look for a formula.
    if text.trim_start().starts_with(begins_formula) || text.starts_with(begins_formula) {
        out.push('\'');
    }
    for c in text.chars() {
        match c {
            '"' => out.push_str("\"\""),
            '\\' => out.push_str("\\\\"),
            c if c.is_control() || is_hidden(c) => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// The text a field of [`cell`] holds; `None` if it is none.
#[must_use]
pub fn uncell(field: &str) -> Option<String> {
    let inner = field.strip_prefix('"')?.strip_suffix('"')?.replace("\"\"", "\"");
    let inner = inner.strip_prefix('\'').unwrap_or(&inner);
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some((before, after)) = rest.split_once('\\') {
        out.push_str(before);
        if let Some(after) = after.strip_prefix('\\') {
            out.push('\\');
            rest = after;
        } else {
            let (digits, after) = after.strip_prefix("u{")?.split_once('}')?;
            out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
            rest = after;
        }
    }
    out.push_str(rest);
    Some(out)
}

/// A text as FHIR allows a string; `None` if nothing is left of it.
#[must_use]
pub fn fhir(text: &str) -> Option<String> {
    let clean: String = text
        .chars()
        .map(|c| if c.is_control() && !matches!(c, '\t' | '\n' | '\r') { char::REPLACEMENT_CHARACTER } else { c })
        .collect();
    let clean = clean.trim();
    (!clean.is_empty()).then(|| clean.to_owned())
}

/// A text as it is printed: see the module. `has` says what the font has.
#[must_use]
pub fn shown(text: &str, max: usize, has: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.chars().enumerate() {
        if at >= max {
            out.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c if is_hidden(c) || is_undrawn(c) => {}
            c if has(c) && !is_private(c) => out.push(c),
            c => out.push_str(&format!("[U+{:04X}]", u32::from(c))),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_text_is_lost_in_a_cell(text in any::<String>()) {
            prop_assert_eq!(uncell(&cell(&text)), Some(text));
        }

        #[test]
        fn no_cell_is_a_formula_or_holds_a_control_character(text in "[ \\t\u{a0}]{0,3}[=+@|%'\"\\-－＝a-z\u{1b}\u{202e}]{0,8}") {
            let cell = cell(&text);
            let first = cell.strip_prefix('"').unwrap_or("").trim_start().chars().next().unwrap_or('x');
            prop_assert!(!begins_formula(first) || first == '\'', "{}", cell);
            prop_assert!(!cell.chars().any(|c| c.is_control() || is_hidden(c)));
        }

        #[test]
        fn what_fhir_gets_is_a_fhir_string(text in any::<String>()) {
            if let Some(text) = fhir(&text) {
                prop_assert!(!text.trim().is_empty());
                prop_assert!(text.chars().all(|c| !c.is_control() || matches!(c, '\t' | '\n' | '\r')));
            }
        }

        #[test]
        fn what_is_printed_has_a_glyph(text in any::<String>()) {
            let has = |c: char| c.is_ascii_graphic() || c == ' ' || c == '…' || c == char::REPLACEMENT_CHARACTER;
            prop_assert!(shown(&text, 100, has).chars().all(has));
        }
    }

    #[test]
    fn formulas_are_text() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", " =cmd|' /C calc'!A0", "\t=1", "＝1", "|x", "%x"] {
            let cell = cell(formula);
            assert!(cell.starts_with("\"'"), "{cell}");
        }
        assert_eq!(cell("Ærøskøbing Ωμέγα Щука"), "\"Ærøskøbing Ωμέγα Щука\"");
        assert_eq!(cell("a\"b\\c\u{202e}d"), "\"a\"\"b\\\\c\\u{202e}d\"");
    }
}
