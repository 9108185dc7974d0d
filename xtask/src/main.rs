//! Helpers for developers. `cargo xtask tidy` checks the rules of the house that no compiler knows: which crate may know which, what must
//! not stand in a source file, that the lock file holds one of each. `cargo xtask trace` writes which requirement is met and shown where. `make check` runs both checks.
//!
//! Not for users: nothing here is shipped.

mod tidy;
mod trace;

use std::process::ExitCode;

const HELP: &str = "\
Check the rules of the house.

Usage: cargo xtask tidy
       cargo xtask trace [--check]

Reads the dependency graph, the lock files, the decision records and every tracked file, and prints one line for each broken
rule. Long files are only reported. `trace` writes docs/alarm-trace.md (requirement, code, test, risk) anew, or with `--check`
only says whether it is stale or something dangles; `tidy` asks that too. Run `make check` for this together with formatting, lints and documentation.
";

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["tidy"] => tidy::run(),
        ["trace"] => tidy::trace(false),
        ["trace", "--check"] => tidy::trace(true),
        [] | ["help" | "-h" | "--help"] | ["tidy", "-h" | "--help"] => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => {
            eprintln!("`{}` is not a task\n\n{HELP}", other.join(" "));
            Ok(ExitCode::from(2))
        }
    }
}
