//! Who may know whom. Dependencies run from programs to shells to cores to the vocabulary, never back; a core knows no runtime, socket,
//! file, clock or database; the device side knows nothing of the server.
//!
//! Edges are read from `cargo tree`, which knows the features in force where `cargo metadata` lists everything that could ever be switched
//! on; only normal dependencies count, for tests may look anywhere.

use super::Report;
use anyhow::Context as _;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// The house: each crate and its floor. An edge goes to a lower floor or stands in [`BESIDE`].
const FLOORS: &[(&str, u8)] = &[
    ("obhut-model", 0),
    ("obhut-charter", 1),
    ("obhut-wire", 1),
    ("obhut-wfdb", 1),
    ("obhut-signal", 1),
    ("obhut-interop", 1),
    ("obhut-vault", 1),
    ("obhut-ledger", 1),
    ("obhut-access", 1),
    ("obhut-register", 1),
    ("obhut-vitals", 1),
    ("obhut-store", 2),
    ("obhut-pki", 2),
    ("obhut-agent", 2),
    ("obhut-scribe", 2),
    ("obhut-verify", 2),
    ("obhut-signin", 2),
    ("obhut-retention", 3),
    ("obhut-backup", 4),
    ("obhut-gateway", 3),
    ("obhut-sim", 3),
    ("obhut-http", 5),
    ("obhut", 6),
];

/// Edges within a floor, each with its reason.
const BESIDE: &[(&str, &str, &str)] = &[
    ("obhut-access", "obhut-charter", "its policies are made from the charter"),
    ("obhut-access", "obhut-ledger", "a permit is made from a decision and its entry"),
    ("obhut-register", "obhut-charter", "it counts days as the charter does"),
    ("obhut-vitals", "obhut-charter", "a ward's alarm profile is declared in the charter"),
];

/// Floors that hold pure cores: no runtime, socket, file, clock or database below them, however far down.
const CORE_FLOORS: std::ops::RangeInclusive<u8> = 0..=1;

/// What a core must not reach.
const NOT_IN_A_CORE: &[&str] = &[
    "tokio",
    "mio",
    "async-std",
    "smol",
    "hyper",
    "axum",
    "rusqlite",
    "rustix",
    "nix",
    "socket2",
    "rustls",
    "jiff",
    "chrono",
    "time",
    "tracing-subscriber",
];

/// What one core may reach all the same, with the reason.
const EXCUSED: &[(&str, &str, &str)] =
    &[("obhut-access", "chrono", "Cedar reads dates in policies with it; it asks no clock")];

/// What the device side must not reach: everything that belongs to the server.
const NOT_ON_A_DEVICE: &[&str] =
    &["obhut-charter", "obhut-store", "obhut-pki", "obhut-gateway", "obhut-http", "rusqlite", "axum"];

/// What nobody ships.
const NOWHERE: &[&str] = &["openssl", "openssl-sys", "native-tls", "ring"];

/// What the rules need to know.
#[derive(Debug, Default)]
pub(crate) struct Graph {
    /// Package name to the names of its normal dependencies, for the features in force on this machine.
    normal: BTreeMap<String, BTreeSet<String>>,
    /// Members and how many integration test binaries each has, by name.
    test_binaries: BTreeMap<String, Vec<String>>,
    /// `(member, dependency)` pairs that switch on a `testing` feature in a normal dependency.
    testing: Vec<(String, String)>,
}

impl Graph {
    /// # Errors
    /// If `cargo` fails or prints something else than it documents.
    pub(crate) fn read(root: &Path) -> anyhow::Result<Self> {
        let metadata = cargo(root, &["metadata", "--format-version=1", "--locked", "--no-deps"])?;
        let mut graph = Self::default();
        graph.read_members(&serde_json::from_str(&metadata).context("`cargo metadata` printed no JSON")?)?;
        graph.read_tree(&cargo(
            root,
            &["tree", "--workspace", "--locked", "--edges=normal", "--prefix=depth", "--format= {p}"],
        )?)?;
        Ok(graph)
    }

    /// Reads lines of `DEPTH NAME vVERSION …`, each below the nearest one above it that is one less deep.
    fn read_tree(&mut self, tree: &str) -> anyhow::Result<()> {
        let mut way: Vec<&str> = Vec::new();
        for line in tree.lines().filter(|line| !line.is_empty()) {
            let mut words = line.split_whitespace();
            let depth: usize = words
                .next()
                .unwrap_or_default()
                .parse()
                .with_context(|| format!("`cargo tree`: no depth in `{line}`"))?;
            let name = words.next().with_context(|| format!("`cargo tree`: no name in `{line}`"))?;
            way.truncate(depth);
            if let Some(above) = way.last() {
                self.normal.entry((*above).to_owned()).or_default().insert(name.to_owned());
            }
            way.push(name);
        }
        Ok(())
    }

    fn read_members(&mut self, metadata: &Value) -> anyhow::Result<()> {
        list(metadata, "packages").iter().try_for_each(|package| self.read_member(text(package, "name")?, package))
    }

    fn read_member(&mut self, name: &str, package: &Value) -> anyhow::Result<()> {
        let binaries = self.test_binaries.entry(name.to_owned()).or_default();
        for target in list(package, "targets") {
            if list(target, "kind").iter().any(|kind| kind == "test") {
                binaries.push(text(target, "name")?.to_owned());
            }
        }
        for dep in list(package, "dependencies") {
            let normal = dep.get("kind").is_none_or(Value::is_null);
            if normal && list(dep, "features").iter().any(|feature| feature == "testing") {
                self.testing.push((name.to_owned(), text(dep, "name")?.to_owned()));
            }
        }
        Ok(())
    }

    /// The shortest way from `from` to `to` by normal dependencies, both ends included.
    fn way(&self, from: &str, to: &str) -> Option<Vec<String>> {
        let mut seen = BTreeSet::from([from.to_owned()]);
        let mut rows = vec![vec![from.to_owned()]];
        while !rows.is_empty() {
            let mut next = Vec::new();
            for way in rows {
                let here = way.last()?;
                if here == to {
                    return Some(way);
                }
                for below in self.normal.get(here).into_iter().flatten() {
                    if seen.insert(below.clone()) {
                        let mut longer = way.clone();
                        longer.push(below.clone());
                        next.push(longer);
                    }
                }
            }
            rows = next;
        }
        None
    }
}

/// Checks every rule about the graph.
pub(crate) fn check(graph: &Graph, report: &mut Report) {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    for member in graph.test_binaries.keys().filter(|name| name.as_str() != "xtask") {
        let Some(floor) = floors.get(member.as_str()) else {
            report.broken(format!(
                "`{member}` has no floor; add it to `FLOORS` in xtask/src/tidy/graph.rs and to ARCHITECTURE.md"
            ));
            continue;
        };
        for below in graph.normal.get(member).into_iter().flatten() {
            let Some(other) = floors.get(below.as_str()) else { continue };
            let reasoned = BESIDE.iter().any(|(from, to, _)| from == member && to == below);
            if other >= floor && !reasoned {
                report.broken(format!(
                    "`{member}` (floor {floor}) depends on `{below}` (floor {other}); dependencies run downwards"
                ));
            }
        }
        if CORE_FLOORS.contains(floor) {
            let excused = |name: &&str| EXCUSED.iter().any(|(core, what, _)| core == member && what == name);
            let forbidden: Vec<&str> = NOT_IN_A_CORE.iter().copied().filter(|name| !excused(name)).collect();
            forbid(graph, member, &forbidden, "a core knows no runtime, socket, file, clock or database", report);
        }
    }
    forbid(graph, "obhut-agent", NOT_ON_A_DEVICE, "the device side carries nothing of the server", report);
    for program in ["obhut", "obhut-agent"] {
        forbid(graph, program, NOWHERE, "one TLS and crypto library is enough (see deny.toml)", report);
    }
    for (member, binaries) in &graph.test_binaries {
        if binaries.len() > 1 {
            report.broken(format!(
                "`{member}` has {} integration test binaries ({}); one links faster: tests/it/main.rs",
                binaries.len(),
                binaries.join(", ")
            ));
        }
    }
    for (member, dependency) in &graph.testing {
        report.broken(format!("`{member}` switches on the `testing` feature of `{dependency}` outside its tests; it would reach release builds"));
    }
}

fn forbid(graph: &Graph, from: &str, forbidden: &[&str], why: &str, report: &mut Report) {
    for name in forbidden {
        if let Some(way) = graph.way(from, name) {
            report.broken(format!("{}: {why}", way.join(" -> ")));
        }
    }
}

/// Every dependency of the workspace table is used by a member, and every dependency of a member is named in its sources.
///
/// # Errors
/// If a manifest cannot be read.
pub(crate) fn check_workspace_table(root: &Path, report: &mut Report) -> anyhow::Result<()> {
    let read = |path: &Path| std::fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()));
    let declared = keys(&read(&root.join("Cargo.toml"))?, |section| section == "workspace.dependencies");
    let mut used = BTreeSet::new();
    let mut members: Vec<_> =
        std::fs::read_dir(root.join("crates"))?.filter_map(Result::ok).map(|entry| entry.path()).collect();
    members.push(root.join("xtask"));
    members.sort();
    for member in members.iter().filter(|path| path.join("Cargo.toml").exists()) {
        let own = keys(&read(&member.join("Cargo.toml"))?, |section| section.ends_with("dependencies"));
        let mut sources = String::new();
        gather(member, &mut sources);
        let idle: Vec<&str> =
            own.iter().filter(|name| !sources.contains(&crate_name(name))).map(String::as_str).collect();
        if !idle.is_empty() {
            let member = member.file_name().unwrap_or_default().to_string_lossy();
            report.broken(format!("`{member}` depends on what it never names; remove: {}", idle.join(", ")));
        }
        used.extend(own);
    }
    for name in declared.difference(&used) {
        // A crate of ours may stand in the table before the first that needs it.
        if !name.starts_with("obhut-") {
            report
                .broken(format!("`{name}` stands in [workspace.dependencies] and no member uses it; remove the line"));
        }
    }
    Ok(())
}

/// What a package is called in the sources.
fn crate_name(package: &str) -> String {
    match package {
        "rustls-webpki" => "webpki".to_owned(),
        other => other.replace('-', "_"),
    }
}

/// The keys of the sections of a manifest that `wanted` picks. Manifests here are written one dependency a line, so this needs no parser.
fn keys(manifest: &str, wanted: impl Fn(&str) -> bool) -> BTreeSet<String> {
    let mut inside = false;
    let mut found = BTreeSet::new();
    for line in manifest.lines().map(str::trim) {
        if let Some(section) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            inside = wanted(section);
        } else if let (true, false, Some((key, _))) = (inside, line.starts_with('#'), line.split_once('=')) {
            found.insert(key.trim().split('.').next().unwrap_or_default().to_owned());
        }
    }
    found
}

/// All Rust text below `dir`.
fn gather(dir: &Path, into: &mut String) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_dir() {
            gather(&path, into);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            into.push_str(&std::fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

fn cargo(root: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let what = arguments.first().copied().unwrap_or_default();
    let out = Command::new(cargo)
        .args(arguments)
        .current_dir(root)
        .output()
        .with_context(|| format!("cannot run `cargo {what}`"))?;
    anyhow::ensure!(out.status.success(), "`cargo {what}` failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> anyhow::Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("`cargo metadata`: no text under `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &str)]) -> Graph {
        let mut graph = Graph::default();
        for (from, to) in edges {
            graph.normal.entry((*from).to_owned()).or_default().insert((*to).to_owned());
            if FLOORS.iter().any(|(name, _)| name == from) {
                graph.test_binaries.entry((*from).to_owned()).or_default();
            }
        }
        graph
    }

    fn broken(graph: &Graph) -> Vec<String> {
        let mut report = Report::default();
        check(graph, &mut report);
        report.broken
    }

    #[test]
    fn downward_edges_are_fine() {
        let fine = graph(&[
            ("obhut-wire", "obhut-model"),
            ("obhut-gateway", "obhut-wire"),
            ("obhut-gateway", "tokio"),
            ("obhut", "obhut-gateway"),
        ]);
        assert_eq!(broken(&fine), Vec::<String>::new());
    }

    #[test]
    fn an_upward_edge_is_named() {
        let lines = broken(&graph(&[("obhut-vault", "obhut-store")]));
        assert!(lines[0].contains("`obhut-vault` (floor 1) depends on `obhut-store` (floor 2)"), "{lines:?}");
    }

    #[test]
    fn a_core_reaches_no_runtime_however_far_down() {
        let lines = broken(&graph(&[("obhut-wire", "handy"), ("handy", "deeper"), ("deeper", "tokio")]));
        assert!(lines[0].starts_with("obhut-wire -> handy -> deeper -> tokio"), "{lines:?}");
    }

    #[test]
    fn the_device_side_carries_nothing_of_the_server() {
        let lines = broken(&graph(&[("obhut-agent", "obhut-wire"), ("obhut-agent", "rusqlite")]));
        assert!(lines[0].starts_with("obhut-agent -> rusqlite"), "{lines:?}");
    }

    #[test]
    fn an_unknown_member_needs_a_floor() {
        let mut graph = graph(&[]);
        graph.test_binaries.insert("obhut-new".to_owned(), Vec::new());
        assert!(broken(&graph)[0].contains("`obhut-new` has no floor"));
    }

    #[test]
    fn a_second_test_binary_and_a_testing_feature_are_named() {
        let mut graph = graph(&[("obhut", "obhut-model")]);
        graph.test_binaries.insert("obhut".to_owned(), vec!["it".to_owned(), "more".to_owned()]);
        graph.testing.push(("obhut".to_owned(), "obhut-store".to_owned()));
        assert_eq!(broken(&graph).len(), 2);
    }

    #[test]
    fn a_tree_is_read_as_cargo_writes_it() {
        let mut graph = Graph::default();
        graph.read_tree("0 obhut v0.1.0 (/x)\n1 clap v4.6.9\n2 strsim v0.11.1\n1 tokio v1.48.0\n\n0 obhut-wire v0.1.0 (/y)\n1 clap v4.6.9 (*)\n").unwrap();
        assert_eq!(graph.normal["obhut"], BTreeSet::from(["clap".to_owned(), "tokio".to_owned()]));
        assert_eq!(graph.normal["clap"], BTreeSet::from(["strsim".to_owned()]));
        assert_eq!(graph.way("obhut-wire", "strsim").unwrap(), ["obhut-wire", "clap", "strsim"]);
        assert!(graph.read_tree("no depth here").is_err());
    }

    #[test]
    fn members_are_read_as_cargo_writes_them() {
        let metadata = serde_json::json!({"packages": [{
            "name": "obhut-wire",
            "targets": [{"kind": ["lib"], "name": "obhut_wire"}, {"kind": ["test"], "name": "it"}],
            "dependencies": [{"name": "serde", "kind": null, "features": []}, {"name": "obhut-model", "kind": "dev", "features": ["testing"]}]
        }]});
        let mut graph = Graph::default();
        graph.read_members(&metadata).unwrap();
        assert_eq!(graph.test_binaries["obhut-wire"], ["it"]);
        assert!(graph.testing.is_empty());
    }

    #[test]
    fn manifest_keys_are_found() {
        let manifest = "[package]\nname = \"x\"\n[dependencies]\nserde.workspace = true\n# old = 1\ntoml = \"1\"\n[dev-dependencies]\ntempfile.workspace = true\n";
        let found = keys(manifest, |section| section.ends_with("dependencies"));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["serde", "tempfile", "toml"]);
    }
}
