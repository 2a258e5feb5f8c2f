//! What the managers of this process log: shown as `RUST_LOG` says, and warnings are kept for tests that look for one.

use std::io;
use std::sync::{Mutex, PoisonError};

use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// Warnings of all tests of this process; they share one log, as they share its threads.
static WARNINGS: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// Bytes that are kept.
const LIMIT: usize = 4 * 1024 * 1024;

struct Keep;

impl io::Write for Keep {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut warnings = WARNINGS.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.len() < LIMIT {
            warnings.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Starts logging, once for a process.
pub(crate) fn start() {
    let shown = fmt::layer().with_test_writer().with_filter(EnvFilter::from_default_env());
    let kept = fmt::layer().with_ansi(false).with_writer(|| Keep).with_filter(LevelFilter::WARN);
    // Does nothing from the second test of a process on, which is as it should be.
    let _ = tracing_subscriber::registry().with(shown).with(kept).try_init();
}

/// The warnings and errors so far, of all tests of this process.
#[must_use]
pub fn warnings() -> String {
    String::from_utf8_lossy(&WARNINGS.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}
