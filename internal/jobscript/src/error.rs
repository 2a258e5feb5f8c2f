//! What can go wrong, in words for the person who submits the job.

use std::time::Duration;

/// Why a job type could not be used, or a job could not be compiled.
///
/// The text of every variant says what is wrong, where, and what to change; it can be shown to an artist as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// No script has this job type name.
    #[error("job type unknown: {name:?}; refresh the job types and choose one of them")]
    Unknown {
        /// The job type that was asked for.
        name: String,
    },
    /// The submission was made for another version of the job type's settings.
    #[error(
        "job type {name:?} has changed: the job was made for version {submitted}, and the manager has {current}; \
         refresh the job types and submit again"
    )]
    EtagMismatch {
        /// Name of the job type.
        name: String,
        /// The etag of the submission.
        submitted: String,
        /// The etag of the script as it is now.
        current: String,
    },
    /// The script cannot be used as a job type: it does not parse, its top-level code fails, or `JOB_TYPE` or
    /// `compileJob` is missing or malformed.
    #[error("{message}{}", position(.file, *.line, *.column))]
    Broken {
        /// File name of the script, or of the module that it loads.
        file: String,
        /// Line where it is wrong; the first line is 1.
        line: Option<u32>,
        /// Column in that line; the first column is 1.
        column: Option<u32>,
        /// What is wrong.
        message: String,
    },
    /// `compileJob` threw.
    #[error("{message}{}", position(.file, *.line, *.column))]
    Script {
        /// File name of the script that threw; relative to the script directory.
        file: String,
        /// Line of the `throw` or of the failing expression; the first line is 1.
        line: Option<u32>,
        /// Column in that line; the first column is 1.
        column: Option<u32>,
        /// The thrown text.
        message: String,
    },
    /// The script did not come to an end in time.
    #[error("the script ran for more than {} s and was stopped; does a loop in it never end? ({file})", .limit.as_secs_f64())]
    TimeLimit {
        /// File name of the job type's script.
        file: String,
        /// The limit.
        limit: Duration,
    },
    /// The script, or the job it made, needs more memory than allowed.
    #[error(
        "the script needs more than {} MiB of memory; make fewer or smaller tasks, for example with a larger chunk \
         size ({file})",
        .limit / (1024 * 1024)
    )]
    MemoryLimit {
        /// File name of the job type's script.
        file: String,
        /// The limit in bytes.
        limit: usize,
    },
    /// The script ran, but what it made is not a job that can be worked on.
    #[error("{message} ({file})")]
    InvalidJob {
        /// File name of the job type's script.
        file: String,
        /// What is wrong with the job.
        message: String,
    },
    /// The script engine itself failed; not the fault of the script or of the submission.
    #[error("the script engine failed: {message} ({file})")]
    Internal {
        /// File name of the job type's script.
        file: String,
        /// What happened.
        message: String,
    },
}

impl Error {
    /// A file that is wrong as a whole.
    pub(crate) fn broken(file: &str, message: String) -> Self {
        Self::Broken { file: file.to_owned(), line: None, column: None, message }
    }

    /// What is wrong, without the place where that is known apart from it.
    pub fn reason(&self) -> String {
        match self {
            Self::Broken { message, .. }
            | Self::Script { message, .. }
            | Self::InvalidJob { message, .. } => message.clone(),
            other => other.to_string(),
        }
    }

    /// File, line and column of what is wrong, as far as they are known. The file is relative to the script directory,
    /// or in angle brackets when it is part of the program.
    pub fn place(&self) -> (Option<&str>, Option<u32>, Option<u32>) {
        match self {
            Self::Broken { file, line, column, .. } | Self::Script { file, line, column, .. } => {
                (Some(file), *line, *column)
            }
            Self::TimeLimit { file, .. }
            | Self::MemoryLimit { file, .. }
            | Self::InvalidJob { file, .. }
            | Self::Internal { file, .. } => (Some(file), None, None),
            Self::Unknown { .. } | Self::EtagMismatch { .. } => (None, None, None),
        }
    }

    /// Turns an error of a script's top-level code into "this job type is broken". Limits stay what they are.
    pub(crate) fn into_broken(self) -> Self {
        match self {
            Self::Script { file, line, column, message } => Self::Broken { file, line, column, message },
            other => other,
        }
    }
}

/// A job type that cannot be offered, for logs and diagnostics.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("job type {name:?} cannot be used: {message}")]
pub struct BrokenJobType {
    /// Name of the job type, from the file name.
    pub name: String,
    /// The file: its path on disk, or its name when it is built in.
    pub file: String,
    /// What is wrong, with file, line and column where they are known.
    pub message: String,
    /// The same without the place.
    pub reason: String,
    /// The file that is wrong, relative to its directory: the script, or one that it loads.
    pub wrong_file: Option<String>,
    /// Line where it is wrong; the first line is 1.
    pub line: Option<u32>,
    /// Column in that line; the first column is 1.
    pub column: Option<u32>,
}

fn position(file: &str, line: Option<u32>, column: Option<u32>) -> String {
    match (line, column) {
        (Some(line), Some(column)) => format!(" ({file}:{line}:{column})"),
        (Some(line), None) => format!(" ({file}:{line})"),
        _ => format!(" ({file})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_come_first_and_say_where() {
        let thrown =
            |line, column| Error::Script { file: "x.js".into(), line, column, message: "no scene".into() };
        for (error, text) in [
            (thrown(Some(3), Some(9)), "no scene (x.js:3:9)"),
            (thrown(Some(3), None), "no scene (x.js:3)"),
            (thrown(None, None), "no scene (x.js)"),
            (thrown(Some(1), Some(2)).into_broken(), "no scene (x.js:1:2)"),
            (
                Error::TimeLimit { file: "x.js".into(), limit: Duration::from_millis(1500) },
                "the script ran for more than 1.5 s and was stopped; does a loop in it never end? (x.js)",
            ),
        ] {
            assert_eq!(error.to_string(), text);
        }
        let error = thrown(Some(3), Some(9));
        assert_eq!((error.reason().as_str(), error.place()), ("no scene", (Some("x.js"), Some(3), Some(9))));
        let memory = Error::MemoryLimit { file: "x.js".into(), limit: 256 << 20 };
        assert!(memory.to_string().contains("256 MiB"));
        assert_eq!(memory.clone().into_broken(), memory);
    }
}
