//! From the TOML tree to the schema. Finds everything wrong with the form at once: a broken entry is left out and remembered by name, so that
//! what refers to it is not called dangling as well.
//!
//! Works on the parser's own tree instead of derived code, because derived code stops at the first mistake (decision 0010).

mod alarms;
mod convert;
mod fields;
mod people;
mod sections;

use crate::At;
use crate::limits::{ENTRIES_MAX, FILE_BYTES_MAX};
use crate::problem::{Problem, ProblemCode, shown};
use crate::schema::{Access, Alarms, Controller, Entries, Ward};
use fields::Fields;
pub(crate) use fields::nearest;
use std::collections::HashSet;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// What could be read. `controller`, `ward`, `access` and `name` are absent only together with an error.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    pub(crate) name: Option<At<String>>,
    pub(crate) controller: Option<Controller>,
    pub(crate) ward: Option<Ward>,
    pub(crate) access: Option<Access>,
    pub(crate) alarms: Option<At<Alarms>>,
    pub(crate) entries: Entries,
    /// Whether the text was TOML at all.
    pub(crate) readable: bool,
    /// Section and name of entries that were left out.
    pub(crate) broken: HashSet<(&'static str, String)>,
}

/// The version of the schema this program reads.
const SCHEMA: i64 = 1;

/// Reads `text`; whatever is wrong with its form goes to `problems`.
pub(crate) fn decode(text: &str, problems: &mut Vec<Problem>) -> Draft {
    let mut draft = Draft::default();
    if text.len() > FILE_BYTES_MAX {
        let message = format!("the file has {} bytes, more than the {FILE_BYTES_MAX} allowed", text.len());
        problems.push(
            Problem::new(ProblemCode::TooLarge, 0..0, message)
                .hint("a charter is one ward's declaration; split it by ward"),
        );
        return draft;
    }
    let (root, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        problems.extend(errors.iter().map(syntax));
        return draft;
    }
    draft.readable = true;
    let mut root = Fields::new(root.get_ref(), root.span(), "the charter".to_owned(), problems);
    schema_version(&mut root);
    draft.name = root.required("name", convert::line);
    draft.controller = root.table("controller", sections::controller);
    draft.ward = root.table("ward", sections::ward);
    draft.access = root.table("access", people::access);
    // One that cannot be read has said so; the charter is refused then.
    draft.alarms = root.optional_table("alarms", alarms::alarms).flatten();
    let entries = &mut draft.entries;
    let broken = &mut draft.broken;
    entries.purposes = section(&mut root, "purpose", broken, sections::purpose);
    entries.data = section(&mut root, "data", broken, sections::data);
    entries.models = section(&mut root, "device_model", broken, sections::device_model);
    entries.zones = section(&mut root, "zone", broken, sections::zone);
    entries.flows = section(&mut root, "flow", broken, sections::flow);
    entries.roles = section(&mut root, "role", broken, sections::role);
    entries.retention = section(&mut root, "retention", broken, sections::retention);
    entries.recipients = section(&mut root, "recipient", broken, sections::recipient);
    entries.interfaces = section(&mut root, "interface", broken, sections::interface);
    entries.alarms = section(&mut root, "alarm", broken, alarms::alarm);
    entries.gates = section(&mut root, "gate", broken, sections::gate);
    entries.kpis = section(&mut root, "kpi", broken, sections::kpi);
    entries.consent_forms = section(&mut root, "consent_form", broken, people::consent_form);
    entries.projects = section(&mut root, "project", broken, people::project);
    entries.notices = section(&mut root, "notice", broken, people::notice);
    root.finish();
    draft
}

fn syntax(error: &toml::de::Error) -> Problem {
    let span = error.span().unwrap_or(0..0);
    Problem::new(ProblemCode::Syntax, span, shown(error.message())).hint("the file must be TOML 1.1 (https://toml.io)")
}

fn schema_version(root: &mut Fields<'_, '_>) {
    let Some(version) = root.required("schema", convert::integer(0..=i64::MAX)) else { return };
    if *version != SCHEMA {
        let message = format!("schema {} is not known to this program", *version);
        let hint = format!("write `schema = {SCHEMA}`, or use the program version that made this charter");
        root.push(Problem::new(ProblemCode::UnknownSchema, version.span(), message).hint(hint));
    }
}

/// All `[[name]]` entries; broken ones are left out and their names kept.
fn section<T>(
    root: &mut Fields<'_, '_>,
    name: &'static str,
    broken: &mut HashSet<(&'static str, String)>,
    decode: fn(&mut Fields<'_, '_>) -> Option<T>,
) -> Vec<T> {
    let Some(list) = root.take(name) else { return Vec::new() };
    let DeValue::Array(list) = list.get_ref() else {
        let message = format!("`{name}` must be a list of tables");
        root.push(
            Problem::new(ProblemCode::WrongType, list.span(), message)
                .hint(format!("write `[[{name}]]` with two brackets")),
        );
        return Vec::new();
    };
    let mut out = Vec::new();
    for (at, entry) in list.iter().enumerate() {
        if at == ENTRIES_MAX {
            let message = format!("more than {ENTRIES_MAX} entries of `[[{name}]]`");
            root.push(
                Problem::new(ProblemCode::TooMany, entry.span(), message)
                    .hint("declare fewer, or split the charter by ward"),
            );
            break;
        }
        match entry_of(root, name, entry, decode) {
            Ok(entry) => out.push(entry),
            Err(id) => drop(id.map(|id| broken.insert((name, id)))),
        }
    }
    out
}

fn entry_of<T>(
    root: &mut Fields<'_, '_>,
    section: &'static str,
    entry: &Spanned<DeValue<'_>>,
    decode: fn(&mut Fields<'_, '_>) -> Option<T>,
) -> Result<T, Option<String>> {
    let DeValue::Table(table) = entry.get_ref() else {
        let message = format!("an entry of `{section}` must be a table");
        root.push(
            Problem::new(ProblemCode::WrongType, entry.span(), message)
                .hint(format!("write `[[{section}]]` and its keys below")),
        );
        return Err(None);
    };
    let id = table.get("id").and_then(|id| id.get_ref().as_str()).map(str::to_owned);
    let what = match &id {
        Some(id) => format!("{} `{}`", section.replace('_', " "), shown(id)),
        None => format!("this {}", section.replace('_', " ")),
    };
    let span: Range<usize> = entry.span();
    let mut fields = Fields::new(table, span, what, root.problems());
    let decoded = decode(&mut fields);
    fields.finish();
    decoded.ok_or(id)
}
