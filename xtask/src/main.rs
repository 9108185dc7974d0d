//! Helpers for developers; see `cargo xtask --help`.
fn main() {}
