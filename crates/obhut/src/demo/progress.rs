//! Progress a person can follow: a line for each step, with a spinner on a terminal.

use crate::cli::Language;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Steps, one after the other.
pub struct Progress {
    lang: Language,
    spin: bool,
    current: Mutex<Option<Step>>,
}

struct Step {
    text: String,
    began: Instant,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(headless: bool, lang: Language) -> Self {
        Self { lang, spin: !headless && std::io::stderr().is_terminal(), current: Mutex::new(None) }
    }

    /// Begins a step.
    pub fn begin(&self, english: &str, german: &str) {
        let text = match self.lang {
            Language::De => german.to_owned(),
            Language::En => english.to_owned(),
        };
        let bar = self.spin.then(|| {
            let bar = ProgressBar::new_spinner().with_message(text.clone());
            bar.set_style(ProgressStyle::default_spinner());
            bar.enable_steady_tick(Duration::from_millis(120));
            bar
        });
        if let Ok(mut current) = self.current.lock() {
            *current = Some(Step { text, began: Instant::now(), bar });
        }
    }

    /// Says how far the step is.
    pub fn at(&self, done: usize, of: usize) {
        if let Ok(current) = self.current.lock()
            && let Some(step) = &*current
            && let Some(bar) = &step.bar
        {
            bar.set_message(format!("{} ({done}/{of})", step.text));
        }
    }

    /// Ends the step, with what came of it.
    pub fn done(&self, result: &str) {
        let Some(step) = self.current.lock().ok().and_then(|mut current| current.take()) else { return };
        if let Some(bar) = step.bar {
            bar.finish_and_clear();
        }
        eprintln!("  ✓ {}: {result} ({:.1} s)", step.text, step.began.elapsed().as_secs_f64());
    }
}
