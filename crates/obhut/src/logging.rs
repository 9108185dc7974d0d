//! Structured logs without personal data: what happened, to which device or bed, never to whom.

use tracing::Level;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::{FilterExt as _, filter_fn};
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

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
    // Libraries write what passes through them when they are asked for every detail; here that would be people's values.
    let ours = filter_fn(|meta| *meta.level() <= Level::INFO || meta.target().starts_with("obhut"));
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let registry = tracing_subscriber::registry();
    let _ = if json {
        registry.with(lines.json().with_filter(filter.and(ours))).try_init()
    } else {
        registry
            .with(lines.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())).with_filter(filter.and(ours)))
            .try_init()
    };
}
