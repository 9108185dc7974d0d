//! Structured logs without personal data: what happened, to which device or bed, never to whom.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// How much is said when `OBHUT_LOG` does not say.
#[derive(Debug, Clone, Copy)]
pub enum Quiet {
    /// A server: what an operator wants to see.
    No,
    /// A tool, or a demonstration on a terminal: only what is wrong.
    Warnings,
}

/// Starts logging to standard error. A second call changes nothing.
pub fn start(json: bool, quiet: Quiet) {
    let default = match quiet {
        Quiet::No => "info",
        Quiet::Warnings => "warn",
    };
    let filter = EnvFilter::try_from_env("OBHUT_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_span_events(FmtSpan::NONE).with_writer(std::io::stderr);
    let _ = if json {
        builder.json().try_init()
    } else {
        builder.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).try_init()
    };
}
