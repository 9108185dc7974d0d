//! What must not stand in a tracked file: tests that are skipped, work left for later, clocks and files in a core, paths of the machine it
//! was written on, private keys. Long files are reported, not refused.

use super::Report;
use std::path::Path;

/// Above this a reader may ask where their room is.
const LINES_MAX: usize = 600;

/// Largest file that is read as text.
const BYTES_MAX: u64 = 4 << 20;

/// Folders of the pure cores, see `FLOORS` in the graph rules.
const CORES: &[&str] = &[
    "crates/obhut-model/",
    "crates/obhut-charter/",
    "crates/obhut-wire/",
    "crates/obhut-wfdb/",
    "crates/obhut-signal/",
    "crates/obhut-interop/",
    "crates/obhut-vault/",
    "crates/obhut-ledger/",
    "crates/obhut-access/",
    "crates/obhut-register/",
    "crates/obhut-vitals/",
];

/// What a core never touches, and why.
const NOT_IN_A_CORE: &[(&str, &str)] = &[
    ("std::fs", "files belong to the shells"),
    ("std::net", "sockets belong to the shells"),
    ("std::env", "the environment belongs to the programs"),
    ("std::process", "processes belong to the programs"),
    ("std::thread", "threads belong to the shells"),
    ("SystemTime", "a core is told the time"),
    ("Instant::now", "a core is told the time"),
];

/// A test may be left out of the ordinary run if another one runs it in a process of its own, or if it only measures.
const IGNORED_FOR: &[&str] = &["= \"run by ", "= \"a measurement"];

/// What no Rust file holds. Built from pieces, so that this file does not hold it either.
fn not_in_rust() -> [(String, &'static str); 4] {
    [
        (format!("#[{}", "ignore"), "a test that never runs proves nothing; make it run or remove it"),
        (format!("{}!(", "todo"), "unfinished"),
        (format!("{}!(", "unimplemented"), "unfinished"),
        (format!("{}!(", "dbg"), "left over from debugging"),
    ]
}

/// Checks every tracked text file.
pub(crate) fn check(root: &Path, files: &[String], report: &mut Report) {
    let places = places_of_this_machine(root);
    for file in files {
        let path = root.join(file);
        let small = path.metadata().is_ok_and(|m| m.is_file() && m.len() <= BYTES_MAX);
        // Binary files and files deleted but not yet removed from the index are not text.
        if let (true, Ok(text)) = (small, std::fs::read_to_string(&path)) {
            check_text(file, &text, &places, report);
        }
    }
}

/// Where this clone lies and whose home it is: neither may be written into the project. Common system folders say nothing about a machine.
fn places_of_this_machine(root: &Path) -> Vec<String> {
    const COMMON: &[&str] =
        &["/", "/tmp", "/home", "/opt", "/srv", "/usr/src", "/var/tmp", "/builds", "/build", "/src"];
    let home = std::env::var("HOME").unwrap_or_default();
    [
        root.to_string_lossy().into_owned(),
        root.parent().map(|p| p.to_string_lossy().into_owned()).unwrap_or_default(),
        home,
    ]
    .into_iter()
    .filter(|place| place.starts_with('/') && !COMMON.contains(&place.as_str()))
    .map(|place| format!("{place}/"))
    .collect()
}

fn check_text(file: &str, text: &str, places: &[String], report: &mut Report) {
    let is_code = [".rs", ".ts", ".svelte"].iter().any(|ext| file.ends_with(ext));
    let lines = text.lines().count();
    if is_code && lines > LINES_MAX {
        report.noted(format!("{file}: {lines} lines"));
    }
    if file.ends_with(".rs") {
        check_rust(file, text, report);
    }
    let secret = format!("-----BEGIN {}", "PRIVATE KEY-----");
    let secret_ec = format!("-----BEGIN EC {}", "PRIVATE KEY-----");
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(place) = places.iter().find(|place| names_place(line, place)) {
            report.broken(format!("{file}:{number}: names `{place}`, a folder of this machine"));
        }
        if (line.starts_with(&secret) || line.starts_with(&secret_ec)) && !file.contains("testdata/") {
            report.broken(format!("{file}:{number}: a private key"));
        }
    }
}

/// Whether `line` names `place` as a path from the root, and not as a part of a longer one.
fn names_place(line: &str, place: &str) -> bool {
    line.match_indices(place).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '}' | ')'))
    })
}

fn check_rust(file: &str, text: &str, report: &mut Report) {
    let forbidden = not_in_rust();
    let core = CORES
        .iter()
        .any(|core| file.strip_prefix(core).is_some_and(|rest| rest.starts_with("src/") && !rest.contains("tests")));
    let mut in_tests = false;
    for (number, line) in (1..).zip(text.lines()) {
        let code = line.split("//").next().unwrap_or_default();
        in_tests |= code.trim_start().starts_with("#[cfg(test)]");
        for (pattern, why) in &forbidden {
            if code.contains(pattern.as_str()) && !IGNORED_FOR.iter().any(|reason| code.contains(reason)) {
                report.broken(format!("{file}:{number}: `{pattern}`: {why}"));
            }
        }
        for (pattern, why) in NOT_IN_A_CORE.iter().filter(|_| core && !in_tests) {
            if code.contains(pattern) {
                report.broken(format!("{file}:{number}: `{pattern}` in a core: {why}"));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(file: &str, text: &str) -> Vec<String> {
        let mut report = Report::default();
        check_text(file, text, &["/somewhere/else/".to_owned()], &mut report);
        report.broken
    }

    #[test]
    fn skipped_tests_and_unfinished_work_are_named() {
        let text = format!("#[test]\n#[{}]\nfn a() {{ {}!() }}\n", "ignore", "todo");
        assert_eq!(broken("crates/obhut/src/main.rs", &text).len(), 2);
        assert!(broken("crates/obhut/src/main.rs", &format!("// a {}!() in a comment\n", "todo")).is_empty());
        assert!(
            broken("crates/obhut/src/main.rs", &format!("#[{} = \"run by `b` in a process of its own\"]\n", "ignore"))
                .is_empty()
        );
        assert_eq!(broken("crates/obhut/src/main.rs", &format!("#[{} = \"slow\"]\n", "ignore")).len(), 1);
    }

    #[test]
    fn a_core_touches_no_file_but_its_tests_may() {
        let text = "use std::fs;\n#[cfg(test)]\nmod tests { use std::fs; }\n";
        assert_eq!(
            broken("crates/obhut-wire/src/lib.rs", text),
            ["crates/obhut-wire/src/lib.rs:1: `std::fs` in a core: files belong to the shells"]
        );
        assert!(broken("crates/obhut-store/src/lib.rs", text).is_empty());
    }

    #[test]
    fn places_of_this_machine_are_named_and_longer_paths_are_not() {
        assert_eq!(broken("README.md", "see /somewhere/else/x\n").len(), 1);
        assert!(broken("README.md", "see docs/somewhere/else/x and $(pwd)/somewhere/else/y\n").is_empty());
    }

    #[test]
    fn private_keys_are_named() {
        let text = format!("-----BEGIN {}\n", "PRIVATE KEY-----");
        assert_eq!(broken("deploy/key.pem", &text).len(), 1);
        assert!(broken("crates/obhut-pki/testdata/key.pem", &text).is_empty());
    }
}
