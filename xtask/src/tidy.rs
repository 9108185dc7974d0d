//! The rules, one module for each thing they are read from. A rule that is broken becomes one [`Report::broken`] line that says where and why.

mod decisions;
mod graph;
mod hashes;
mod locks;
mod sources;

use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

/// What was found.
#[derive(Debug, Default)]
pub(crate) struct Report {
    broken: Vec<String>,
    noted: Vec<String>,
}

impl Report {
    /// A rule is broken: the check fails.
    pub(crate) fn broken(&mut self, line: impl Into<String>) {
        self.broken.push(line.into());
    }

    /// How many rules are broken.
    #[cfg(test)]
    pub(crate) fn count(&self) -> usize {
        self.broken.len()
    }

    /// Prints what was found.
    fn print(&self) -> ExitCode {
        for line in &self.noted {
            println!("    note: {line}");
        }
        for line in &self.broken {
            println!("    {line}");
        }
        if self.broken.is_empty() {
            return ExitCode::SUCCESS;
        }
        println!("    {} rule(s) broken", self.broken.len());
        ExitCode::FAILURE
    }

    /// Worth a look, but not wrong in itself.
    pub(crate) fn noted(&mut self, line: impl Into<String>) {
        self.noted.push(line.into());
    }
}

/// Runs every rule over the workspace this program was built from.
///
/// # Errors
/// If the workspace cannot be read at all.
pub(crate) fn run() -> anyhow::Result<ExitCode> {
    let root = root()?;
    let mut report = Report::default();
    let files = tracked(&root)?;

    graph::check(&graph::Graph::read(&root)?, &mut report);
    graph::check_workspace_table(&root, &mut report)?;
    locks::check(&root, &files, &mut report)?;
    decisions::check(&root, &files, &mut report)?;
    sources::check(&root, &files, &mut report);
    hashes::check(&root, &files, &mut report);
    crate::trace::check(&root, &files, &mut report)?;
    Ok(report.print())
}

/// Writes the trace of the alarm requirements, or only checks it.
///
/// # Errors
/// If something cannot be read or written.
pub(crate) fn trace(only_check: bool) -> anyhow::Result<ExitCode> {
    let root = root()?;
    let files = tracked(&root)?;
    let report = if only_check {
        let mut report = Report::default();
        crate::trace::check(&root, &files, &mut report)?;
        report
    } else {
        crate::trace::write(&root, &files)?
    };
    Ok(report.print())
}

/// The directory of the root manifest.
fn root() -> anyhow::Result<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(Path::to_path_buf).context("`xtask` lies directly below the workspace root")
}

/// What git tracks, and what it would track if it were added; paths relative to the root.
fn tracked(root: &Path) -> anyhow::Result<Vec<String>> {
    let out = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root)
        .output()
        .context("cannot run `git ls-files`")?;
    anyhow::ensure!(out.status.success(), "`git ls-files` failed: {}", String::from_utf8_lossy(&out.stderr).trim());
    let mut files: Vec<String> = out
        .stdout
        .split(|b| *b == 0)
        .filter(|p| !p.is_empty())
        .map(|p| String::from_utf8_lossy(p).into_owned())
        .collect();
    files.sort();
    files.dedup();
    Ok(files)
}
