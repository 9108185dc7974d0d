//! The charter from outside: shipped charters, golden problems, hostile mutations, explanation and comparison.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests, where a panic is the report; the lint's own exception covers only functions marked as tests"
)]

mod golden;
mod hostile;
mod shipped;
mod words;

use obhut_charter::{Charter, Checked, Date, Problems};

fn today() -> Date {
    Date::new(2026, 11, 23).unwrap()
}

fn parse(name: &str, text: &str) -> Result<Checked, Problems> {
    Charter::parse(name, text, today())
}

fn good(name: &str, text: &str) -> Checked {
    parse(name, text).unwrap_or_else(|problems| panic!("{}", problems.render(false)))
}

fn shipped(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../../charters/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// Compares with a file of `testdata`; with `UPDATE_GOLDEN=1` in the environment writes it instead.
fn golden(name: &str, got: &str) {
    let path = format!("{}/testdata/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, got).unwrap();
        return;
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        got == expected,
        "{name} differs; look at it, then run with UPDATE_GOLDEN=1\n── expected ──\n{expected}\n── got ──\n{got}"
    );
}
