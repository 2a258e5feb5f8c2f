use std::fmt;
use std::time::Duration;

use http::StatusCode;

use crate::{Operation, types};

/// Why a request is not fulfilled: what a handler returns as its error.
///
/// It leaves as an `Error` JSON object `{code, message}`. The message is for the person who sent the request, and
/// should say what to change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The status of the answer; 400 or above.
    pub status: StatusCode,
    /// What is wrong and what to do about it.
    pub message: String,
    /// When to try again, sent as `Retry-After` in whole seconds, rounded up.
    pub retry_after: Option<Duration>,
}

impl Problem {
    /// A problem with any status.
    pub fn new(status: StatusCode, message: impl Into<String>) -> Problem {
        Problem { status, message: message.into(), retry_after: None }
    }

    /// 400: the request itself is wrong.
    pub fn bad_request(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, message)
    }

    /// 404: what the request names does not exist.
    pub fn not_found(message: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, message)
    }

    /// 501: this program does not have the operation.
    pub fn not_implemented(operation: &Operation) -> Problem {
        let Operation { id, method, path, .. } = operation;
        Problem::new(
            StatusCode::NOT_IMPLEMENTED,
            format!("this manager does not have the operation {id} ({method} {path})"),
        )
    }

    /// A problem that a server answered with, for generated code. `wait` is in seconds.
    pub(crate) fn received(status: StatusCode, message: Option<&String>, wait: Option<i64>) -> Problem {
        let message = message.cloned().or_else(|| status.canonical_reason().map(str::to_owned));
        let retry_after = wait.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        Problem { status, message: message.unwrap_or_default(), retry_after }
    }

    /// The same problem, with a hint when to try again.
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    /// The JSON object that is sent.
    pub fn to_error(&self) -> types::Error {
        types::Error { code: i64::from(self.status.as_u16()), message: self.message.clone() }
    }

    /// The value of `Retry-After`, in seconds.
    pub fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after.map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.status, self.message)
    }
}

impl std::error::Error for Problem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds() {
        for (wait, seconds) in [(0, 0), (1, 1), (999, 1), (1000, 1), (1001, 2), (60_000, 60)] {
            let problem = Problem::bad_request("x").retry_after(Duration::from_millis(wait));
            assert_eq!(problem.retry_after_seconds(), Some(seconds), "{wait} ms");
        }
        assert_eq!(Problem::bad_request("x").retry_after_seconds(), None);
    }

    #[test]
    fn the_error_repeats_the_status() {
        let error = Problem::not_found("job gone").to_error();
        assert_eq!((error.code, error.message.as_str()), (404, "job gone"));
    }
}
