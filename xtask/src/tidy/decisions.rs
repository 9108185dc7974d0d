//! Decision records: `docs/decisions/NNNN-title.md`, each number once, each with a heading and its consequences.

use super::Report;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::Path;

/// One page.
const LINES_MAX: usize = 80;

/// # Errors
/// If a record cannot be read.
pub(crate) fn check(root: &Path, files: &[String], report: &mut Report) -> anyhow::Result<()> {
    let mut numbers: BTreeMap<&str, &str> = BTreeMap::new();
    for file in files {
        let Some(name) = file.strip_prefix("docs/decisions/") else { continue };
        let Some(number) = number(name) else {
            report.broken(format!("{file}: a decision is named `NNNN-title.md`, lower case, words joined by `-`"));
            continue;
        };
        if let Some(other) = numbers.insert(number, name) {
            report.broken(format!("{file}: number {number} is taken by `{other}`"));
        }
        let text = std::fs::read_to_string(root.join(file)).with_context(|| format!("cannot read `{file}`"))?;
        check_text(file, &text, report);
    }
    Ok(())
}

fn number(name: &str) -> Option<&str> {
    let (number, title) = name.strip_suffix(".md")?.split_once('-')?;
    let good = number.len() == 4
        && number.bytes().all(|b| b.is_ascii_digit())
        && !title.is_empty()
        && title.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    good.then_some(number)
}

fn check_text(file: &str, text: &str, report: &mut Report) {
    if !text.starts_with("# ") {
        report.broken(format!("{file}: begins with its heading, `# …`"));
    }
    if !text.to_lowercase().contains("consequence") {
        report.noted(format!("{file}: says nothing about consequences"));
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        report.noted(format!("{file}: {lines} lines; a decision fits one page ({LINES_MAX})"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_a_number_and_a_title() {
        assert_eq!(number("0017-group-commit.md"), Some("0017"));
        for bad in ["17-x.md", "0017.md", "0017-Title.md", "0017-x.txt", "README.md"] {
            assert_eq!(number(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_record_has_a_heading_and_consequences() {
        let mut report = Report::default();
        check_text("a", "# Title\n\n## Consequences\nNone.\n", &mut report);
        assert!(report.broken.is_empty() && report.noted.is_empty());
        check_text("b", "Title\n", &mut report);
        assert_eq!((report.broken.len(), report.noted.len()), (1, 1));
    }
}
