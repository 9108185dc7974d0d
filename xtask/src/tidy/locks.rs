//! The lock files: one of each library that must not be there twice, nothing from anywhere but the public registries.

use super::Report;
use anyhow::Context as _;
use std::collections::BTreeMap;
use std::path::Path;

/// Two of these in one program are two states, two sets of keys or two copies of a C library.
const ONCE: &[&str] = &[
    "libsqlite3-sys",
    "rusqlite",
    "rustls",
    "aws-lc-rs",
    "aws-lc-sys",
    "rustls-webpki",
    "tokio",
    "mqtt-protocol-core",
    "pco",
];

const CRATES: &str = "registry+https://github.com/rust-lang/crates.io-index";
const NPM: &str = "https://registry.npmjs.org/";

/// # Errors
/// If a lock file cannot be read.
pub(crate) fn check(root: &Path, files: &[String], report: &mut Report) -> anyhow::Result<()> {
    for file in files {
        let read = || std::fs::read_to_string(root.join(file)).with_context(|| format!("cannot read `{file}`"));
        match file.rsplit('/').next() {
            Some("Cargo.lock") => check_cargo(file, &read()?, report),
            Some("package-lock.json") => check_npm(file, &read()?, report),
            _ => {}
        }
    }
    Ok(())
}

fn check_cargo(file: &str, text: &str, report: &mut Report) {
    let mut versions: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let mut name = "";
    for line in text.lines() {
        let value = |key: &str| {
            line.strip_prefix(key).and_then(|rest| rest.strip_prefix(" = \"")).and_then(|rest| rest.strip_suffix('"'))
        };
        if let Some(value) = value("name") {
            name = value;
        } else if let Some(version) = value("version") {
            versions.entry(name).or_default().push(version);
        } else if let Some(source) = value("source")
            && source != CRATES
        {
            report.broken(format!("{file}: `{name}` does not come from crates.io"));
        }
    }
    for once in ONCE {
        if let Some(found) = versions.get(once).filter(|found| found.len() > 1) {
            report.broken(format!("{file}: `{once}` is there {} times ({})", found.len(), found.join(", ")));
        }
    }
}

fn check_npm(file: &str, text: &str, report: &mut Report) {
    for line in text.lines().map(str::trim).filter(|line| line.starts_with("\"resolved\"")) {
        if !line.contains(NPM) {
            report.broken(format!("{file}: a package does not come from the npm registry: {line}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(check: impl FnOnce(&mut Report)) -> Vec<String> {
        let mut report = Report::default();
        check(&mut report);
        report.broken
    }

    #[test]
    fn two_of_a_kind_and_foreign_sources_are_named() {
        let lock = format!(
            "[[package]]\nname = \"rustls\"\nversion = \"0.23.1\"\nsource = \"{CRATES}\"\n\n[[package]]\nname = \"rustls\"\nversion = \"0.22.0\"\nsource = \"git+https://example.org/x\"\n"
        );
        let lines = broken(|report| check_cargo("Cargo.lock", &lock, report));
        assert_eq!(
            lines,
            [
                "Cargo.lock: `rustls` does not come from crates.io",
                "Cargo.lock: `rustls` is there 2 times (0.23.1, 0.22.0)"
            ]
        );
    }

    #[test]
    fn npm_packages_come_from_the_npm_registry() {
        let lock = "\"resolved\": \"https://registry.npmjs.org/vite/-/vite-8.0.0.tgz\",\n\"resolved\": \"http://mirror.example/x.tgz\",\n";
        assert_eq!(broken(|report| check_npm("package-lock.json", lock, report)).len(), 1);
    }
}
