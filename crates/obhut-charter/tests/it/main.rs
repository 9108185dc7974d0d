//! The charter from outside: shipped charters, golden problems, hostile mutations.

mod shipped;

use obhut_charter::{Charter, Checked, Date, Problems};

fn today() -> Date {
    Date::new(2026, 11, 23).unwrap()
}

fn parse(name: &str, text: &str) -> Result<Checked, Problems> {
    Charter::parse(name, text, today())
}

fn shipped(name: &str) -> String {
    std::fs::read_to_string(format!("{}/../../charters/{name}.toml", env!("CARGO_MANIFEST_DIR"))).unwrap()
}
