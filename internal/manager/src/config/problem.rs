//! What is wrong with a configuration: everything at once, with the place and what to write instead.

use std::fmt;
use std::path::PathBuf;

/// One thing that is wrong, or only looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, with those around it: `shaman.garbageCollect.period`. Empty for the whole file.
    pub key: String,
    /// The line in the file, counted from 1. `None` when the value did not come from a file.
    pub line: Option<usize>,
    /// What is wrong, and what to write instead.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(formatter, "line {line}: ")?;
        }
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        formatter.write_str(&self.message)
    }
}

/// A configuration that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file exists but cannot be read, or cannot be written.
    #[error("cannot {action} {}: {source}", file.display())]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// Which file.
        file: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// The contents are wrong.
    #[error("{} cannot be used:{}{}", file.display(), listed("", problems), listed("warning: ", warnings))]
    Invalid {
        /// The file it came from, or would be written to.
        file: PathBuf,
        /// Everything that is wrong, never empty.
        problems: Vec<Problem>,
        /// What only looks wrong, but may be the cause.
        warnings: Vec<Problem>,
    },
}

fn listed(prefix: &str, problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("\n  {prefix}{problem}")).collect()
}

/// Collects what is found on the way through a configuration.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) problems: Vec<Problem>,
    pub(super) warnings: Vec<Problem>,
}

impl Report {
    pub(super) fn problem(
        &mut self,
        key: impl Into<String>,
        line: Option<usize>,
        message: impl Into<String>,
    ) {
        self.problems.push(Problem { key: key.into(), line, message: message.into() });
    }

    pub(super) fn warning(
        &mut self,
        key: impl Into<String>,
        line: Option<usize>,
        message: impl Into<String>,
    ) {
        self.warnings.push(Problem { key: key.into(), line, message: message.into() });
    }
}
