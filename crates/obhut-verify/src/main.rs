//! `obhut-verify`: see the library beside it.

use std::process::ExitCode;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    obhut_verify::main(&words)
}
