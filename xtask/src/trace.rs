//! From requirement to code to test: reads `docs/requirements/*.toml` and `docs/risk/risk.toml`, finds the comments that name a requirement, and
//! writes `docs/alarm-trace.md`. `tidy` asks the same and fails on what dangles.
//!
//! A tag is the requirement's id in a comment of a Rust file. In a folder `tests`, a file `tests.rs` or below `#[cfg(test)]` it belongs to the next
//! function and counts as a test; anywhere else it counts as code.

use crate::tidy::Report;
use anyhow::Context as _;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

/// What this program writes.
pub(crate) const PAGE: &str = "docs/alarm-trace.md";
const REQUIREMENTS: &str = "docs/requirements/";
const RISKS: &str = "docs/risk/risk.toml";
/// What every id begins with. Built from pieces, so that this file does not look like it names one.
const PREFIX: &str = concat!("REQ", "-ALM-");

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirements {
    requirement: Vec<Requirement>,
}

/// One requirement, in both languages.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Requirement {
    id: String,
    de: String,
    en: String,
    source: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Risks {
    risk: Vec<Risk>,
}

/// One hazard with its estimate before and after control.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Risk {
    id: String,
    hazard: String,
    cause: String,
    severity: u8,
    probability: u8,
    controls: Vec<String>,
    severity_after: u8,
    probability_after: u8,
}

/// Where ids stand.
#[derive(Debug, Default)]
struct Tags {
    code: BTreeMap<String, BTreeSet<String>>,
    tests: BTreeMap<String, BTreeSet<String>>,
}

/// Writes the page.
///
/// # Errors
/// If something cannot be read or written, or does not hold together.
pub(crate) fn write(root: &Path, files: &[String]) -> anyhow::Result<Report> {
    let mut report = Report::default();
    if let Some(page) = page(root, files, &mut report)? {
        std::fs::write(root.join(PAGE), page).with_context(|| format!("cannot write `{PAGE}`"))?;
    }
    Ok(report)
}

/// Whether everything holds together and the page is what it would be.
///
/// # Errors
/// If something cannot be read.
pub(crate) fn check(root: &Path, files: &[String], report: &mut Report) -> anyhow::Result<()> {
    let Some(expected) = page(root, files, report)? else { return Ok(()) };
    if std::fs::read_to_string(root.join(PAGE)).unwrap_or_default() != expected {
        report.broken(format!("{PAGE}: stale; run `cargo xtask trace`"));
    }
    Ok(())
}

/// The page; `None` where there are no requirements.
fn page(root: &Path, files: &[String], report: &mut Report) -> anyhow::Result<Option<String>> {
    let read = |file: &str| std::fs::read_to_string(root.join(file)).with_context(|| format!("cannot read `{file}`"));
    let mut requirements = Vec::new();
    for file in files.iter().filter(|file| file.starts_with(REQUIREMENTS) && file.ends_with(".toml")) {
        let parsed: Requirements = toml::from_str(&read(file)?).with_context(|| format!("`{file}`"))?;
        requirements.extend(parsed.requirement);
    }
    if requirements.is_empty() {
        return Ok(None);
    }
    let risks: Risks = toml::from_str(&read(RISKS)?).with_context(|| format!("`{RISKS}`"))?;
    let mut tags = Tags::default();
    for file in files.iter().filter(|file| file.ends_with(".rs") && !file.starts_with("xtask/")) {
        // A file deleted but not yet removed from the index has no tags.
        if let Ok(text) = std::fs::read_to_string(root.join(file)) {
            tags.find(file, &text);
        }
    }
    judge(&requirements, &risks.risk, &tags, report);
    Ok(Some(render(&requirements, &risks.risk, &tags)))
}

impl Tags {
    fn find(&mut self, file: &str, text: &str) {
        let mut tests = file.contains("/tests/") || file.ends_with("/tests.rs");
        let mut waiting: Vec<String> = Vec::new();
        for line in text.lines() {
            tests |= line.trim_start().starts_with("#[cfg(test)]");
            let comment = line.split_once("//").map_or("", |(_, comment)| comment);
            for id in ids(comment) {
                if tests {
                    waiting.push(id);
                } else {
                    self.code.entry(id).or_default().insert(file.to_owned());
                }
            }
            if let Some(name) = function(line).filter(|_| !waiting.is_empty()) {
                for id in waiting.drain(..) {
                    self.tests.entry(id).or_default().insert(format!("{file}: {name}"));
                }
            }
        }
    }
}

/// Every id in a text.
fn ids(text: &str) -> Vec<String> {
    text.match_indices(PREFIX)
        .map(|(at, _)| {
            let digits = text.get(at + PREFIX.len()..).unwrap_or_default();
            let digits: String = digits.chars().take_while(char::is_ascii_digit).collect();
            format!("{PREFIX}{digits}")
        })
        .collect()
}

/// The name of a function that begins in this line.
fn function(line: &str) -> Option<&str> {
    let code = line.trim_start();
    let code = code.strip_prefix("pub ").or_else(|| code.strip_prefix("pub(crate) ")).unwrap_or(code);
    let name = code.strip_prefix("fn ")?;
    name.split(['(', '<']).next()
}

fn judge(requirements: &[Requirement], risks: &[Risk], tags: &Tags, report: &mut Report) {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    let controlled: BTreeSet<&str> = risks.iter().flat_map(|risk| &risk.controls).map(String::as_str).collect();
    for requirement in requirements {
        let id = requirement.id.as_str();
        if !known.insert(id) {
            report.broken(format!("{REQUIREMENTS}: {id} stands twice"));
        }
        if [&requirement.de, &requirement.en, &requirement.source].iter().any(|text| text.trim().is_empty()) {
            report.broken(format!("{REQUIREMENTS}: {id} has no German or English text, or no source"));
        }
        if !tags.code.contains_key(id) && !id_is_of_tests_alone(id) {
            report.broken(format!("{REQUIREMENTS}: no code names {id}"));
        }
        if !tags.tests.contains_key(id) {
            report.broken(format!("{REQUIREMENTS}: no test names {id}"));
        }
        if !controlled.contains(id) {
            report.broken(format!("{RISKS}: {id} controls no risk"));
        }
    }
    for (id, places) in tags.code.iter().chain(&tags.tests) {
        if !known.contains(id.as_str()) {
            for place in places {
                report.broken(format!("{place}: {id} is no requirement"));
            }
        }
    }
    let mut seen = BTreeSet::new();
    for risk in risks {
        if !seen.insert(&risk.id) {
            report.broken(format!("{RISKS}: {} stands twice", risk.id));
        }
        for id in risk.controls.iter().filter(|id| !known.contains(id.as_str())) {
            report.broken(format!("{RISKS}: {} is controlled by {id}, which is no requirement", risk.id));
        }
        let scale = [risk.severity, risk.probability, risk.severity_after, risk.probability_after];
        let lower = risk.severity_after <= risk.severity && risk.probability_after <= risk.probability;
        if risk.controls.is_empty() || scale.iter().any(|n| !(1..=5).contains(n)) || !lower {
            report.broken(format!("{RISKS}: {} has no control, or an estimate outside 1 to 5 or rising", risk.id));
        }
    }
}

/// A requirement on the proof itself is met by tests alone.
fn id_is_of_tests_alone(id: &str) -> bool {
    id == format!("{PREFIX}036")
}

fn render(requirements: &[Requirement], risks: &[Risk], tags: &Tags) -> String {
    let mut out = format!(
        "# Alarm requirements: where they are met and shown\n\n\
         Written by `cargo xtask trace` from `{REQUIREMENTS}`, `{RISKS}` and the comments that name a requirement. Do not edit.\n\
         Obhut is a distributed information system, not to be relied on as primary alarm, until certified.\n\n\
         ## Requirement → code → test\n"
    );
    for requirement in requirements {
        let id = &requirement.id;
        let _ = write!(
            out,
            "\n### {id}\n\n{}\n\n*{}*\n\nSource: {}\n\n",
            requirement.en, requirement.de, requirement.source
        );
        for (what, places) in [("Code", tags.code.get(id)), ("Tests", tags.tests.get(id))] {
            for place in places.into_iter().flatten() {
                let _ = writeln!(out, "- {what}: `{place}`");
            }
        }
    }
    out.push_str("\n## Risk → requirement\n\nSeverity × probability, before → after control (each 1 to 5).\n\n");
    out.push_str("| Risk | Hazard | Cause | S × P | Controlled by |\n|---|---|---|---|---|\n");
    for risk in risks {
        let estimate =
            format!("{} × {} → {} × {}", risk.severity, risk.probability, risk.severity_after, risk.probability_after);
        let controls = risk.controls.join(", ");
        let _ = writeln!(out, "| {} | {} | {} | {estimate} | {controls} |", risk.id, risk.hazard, risk.cause);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requirement(n: &str) -> Requirement {
        let text = || "text".to_owned();
        Requirement { id: format!("{PREFIX}{n}"), de: text(), en: text(), source: text() }
    }

    fn risk(controls: &[&str]) -> Risk {
        Risk {
            id: "RISK-1".to_owned(),
            hazard: String::new(),
            cause: String::new(),
            severity: 5,
            probability: 3,
            controls: controls.iter().map(|n| format!("{PREFIX}{n}")).collect(),
            severity_after: 5,
            probability_after: 1,
        }
    }

    fn tagged() -> Tags {
        let mut tags = Tags::default();
        tags.find("crates/a/src/a.rs", &format!("/// Does it. `// {PREFIX}001`\nfn a() {{}}\n"));
        tags.find("crates/a/tests/it/a.rs", &format!("// {PREFIX}001\n#[test]\nfn it_does() {{}}\n"));
        tags
    }

    #[test]
    fn code_and_tests_are_told_apart() {
        let tags = tagged();
        let id = format!("{PREFIX}001");
        assert_eq!(tags.code[&id], BTreeSet::from(["crates/a/src/a.rs".to_owned()]));
        assert_eq!(tags.tests[&id], BTreeSet::from(["crates/a/tests/it/a.rs: it_does".to_owned()]));
        let page = render(&[requirement("001")], &[risk(&["001"])], &tags);
        assert!(page.contains("- Tests: `crates/a/tests/it/a.rs: it_does`") && page.contains("5 × 3 → 5 × 1"));
    }

    #[test]
    fn what_dangles_is_named() {
        let broken = |requirements: &[Requirement], risks: &[Risk], tags: &Tags| {
            let mut report = Report::default();
            judge(requirements, risks, tags, &mut report);
            report.count()
        };
        let tags = tagged();
        assert_eq!(broken(&[requirement("001")], &[risk(&["001"])], &tags), 0);
        // No code, no test, controls nothing.
        assert_eq!(broken(&[requirement("001"), requirement("002")], &[risk(&["001"])], &tags), 3);
        // A risk and two comments that name what is no requirement; the risk controls nothing else.
        assert_eq!(broken(&[], &[risk(&["001"])], &tags), 3);
        assert_eq!(broken(&[requirement("001")], &[risk(&[])], &tags), 2);
        assert_eq!(broken(&[requirement("001"), requirement("001")], &[risk(&["001"])], &tags), 1);
    }
}
