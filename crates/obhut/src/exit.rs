//! How the program ends, and how it says why.

use std::fmt;
use std::process::ExitCode;

/// Exit codes, stable for scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Something failed on this machine.
    Failed = 1,
    /// The server refused, or the named thing is not there.
    Refused = 3,
    /// No server runs and the data directory cannot be opened.
    NoServer = 4,
    /// The charter has errors.
    Charter = 5,
}

/// A failure whose exit code is not the general one.
#[derive(Debug)]
pub struct Failure {
    pub exit: Exit,
    pub message: String,
    pub hint: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\n  help: {hint}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Failure {}

/// Prints the failure, as JSON if asked, and gives its code.
pub fn report(error: &anyhow::Error, json: bool) -> ExitCode {
    let failure = error.downcast_ref::<Failure>();
    if json {
        let message = failure.map_or_else(|| format!("{error:#}"), |f| f.message.clone());
        let object = serde_json::json!({"error": message, "hint": failure.and_then(|f| f.hint.as_deref())});
        eprintln!("{object}");
    } else {
        eprintln!("obhut: {error:#}");
    }
    ExitCode::from(failure.map_or(Exit::Failed, |f| f.exit) as u8)
}

/// Ends without a word if whoever read the output has read enough (`obhut … | head`). For commands that answer and end, not for servers.
pub fn when_nobody_reads_on() {
    /// As a shell says of a program that SIGPIPE ended.
    const UNREAD: i32 = 128 + 13;
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str().is_some_and(|said| said.starts_with("failed printing to stdout")) {
            std::process::exit(UNREAD);
        }
        usual(panic);
    }));
}
