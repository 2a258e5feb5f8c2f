//! What the program says about itself.

use std::io::IsTerminal;

use flamenco_manager_core::LogTail;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

use crate::arguments::{Arguments, LogFormat};

/// Lines that admins can look at.
const LINES: usize = 1000;

/// Starts logging, and gives the end of the log, which the manager shows to admins.
pub(crate) fn start(arguments: &Arguments) -> LogTail {
    // Other people's crates stay a level quieter, or the database drowns everything.
    let levels = match arguments {
        Arguments { trace: true, .. } => "debug,flamenco=trace",
        Arguments { debug: true, .. } => "info,flamenco=debug",
        Arguments { quiet: true, .. } => "warn",
        _ => "info",
    };
    let shown = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let shown = match arguments.log_format {
        LogFormat::Text => shown.boxed(),
        LogFormat::Json => shown.json().boxed(),
    };
    let tail = LogTail::keeping(LINES);
    let written = tail.clone();
    let kept = fmt::layer().with_ansi(false).with_writer(move || written.writer());
    tracing_subscriber::registry().with(EnvFilter::new(levels)).with(shown).with(kept).init();
    tail
}
