//! What went wrong with a call, sorted by what can be done about it.

use flamenco_api::Problem;
use flamenco_client::Error as ClientError;
use http::StatusCode;

use crate::outbox::Answer;

/// Why a call did not get the answer it was meant for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No connection, no answer in time, or an answer that makes no sense.
    #[error("{0}")]
    Unreachable(String),
    /// The manager does not know this worker, or not with this secret (401, 403).
    #[error("access denied: {0}")]
    Denied(String),
    /// What the worker wants does not fit what the manager knows (409).
    #[error("conflict: {0}")]
    Conflict(String),
    /// The manager answered with another error.
    #[error("the manager answered {status}: {message}")]
    Problem { status: StatusCode, message: String },
}

impl CallError {
    pub(super) fn of_status(status: StatusCode, message: String) -> Self {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Self::Denied(message),
            StatusCode::CONFLICT => Self::Conflict(message),
            status => Self::Problem { status, message },
        }
    }

    /// From an answer that is not the one hoped for.
    pub(super) fn of_answer(problem: Option<Problem>) -> Self {
        match problem {
            Some(problem) => Self::of_status(problem.status, problem.message),
            None => Self::Unreachable("an answer that does not belong to the question".to_owned()),
        }
    }

    /// Whether asking the same again can never help.
    pub fn is_permanent(&self) -> bool {
        match self {
            Self::Unreachable(_) | Self::Denied(_) | Self::Conflict(_) => false,
            Self::Problem { status, .. } => {
                status.is_client_error()
                    && !matches!(
                        *status,
                        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
                    )
            }
        }
    }

    /// Whether the manager is there but cannot cope (5xx). Those statuses are left out that say it is busy or away.
    pub(super) fn is_trouble(&self) -> bool {
        let away = [StatusCode::BAD_GATEWAY, StatusCode::SERVICE_UNAVAILABLE, StatusCode::GATEWAY_TIMEOUT];
        matches!(self, Self::Problem { status, .. } if status.is_server_error() && !away.contains(status))
    }
}

impl From<ClientError> for CallError {
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::UnexpectedStatus { status, body, .. } => Self::of_status(status, body),
            // Whoever is in between judges nothing but the size of what it is to pass on: that stays as it is.
            ClientError::NotManager { status: status @ StatusCode::PAYLOAD_TOO_LARGE, body, .. } => {
                Self::of_status(status, body)
            }
            other => Self::Unreachable(other.to_string()),
        }
    }
}

/// What becomes of an update that was answered so.
pub(super) fn answer_for(error: CallError) -> Answer {
    match error {
        CallError::Conflict(_) => Answer::NotOurs,
        error if error.is_permanent() => Answer::Refused(error.to_string()),
        error => Answer::TryLater { reason: error.to_string(), after: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_by_status() {
        let answer = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            answer_for(CallError::of_status(status, "text".to_owned()))
        };
        for status in [400, 404, 411, 413, 415, 422] {
            assert!(matches!(answer(status), Answer::Refused(_)), "{status}");
        }
        for status in [301, 401, 403, 408, 425, 429, 500, 502, 503, 504] {
            assert!(matches!(answer(status), Answer::TryLater { .. }), "{status}");
        }
        assert_eq!(answer(409), Answer::NotOurs);
        let gone = CallError::Unreachable("gone".to_owned());
        assert!(matches!(answer_for(gone), Answer::TryLater { .. }));
        // What a proxy says is not the manager's word.
        let foreign = |status: u16| {
            let (status, body) = (StatusCode::from_u16(status).unwrap(), "<html>".to_owned());
            answer_for(ClientError::NotManager { operation: "taskUpdate", status, body }.into())
        };
        for status in [400, 401, 403, 404, 405, 407, 409, 410, 421] {
            assert!(matches!(foreign(status), Answer::TryLater { .. }), "{status}");
        }
        assert!(matches!(foreign(413), Answer::Refused(_)));
    }
}
