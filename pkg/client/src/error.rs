use flamenco_api::Operation;
use http::StatusCode;

use crate::tls;

/// Why there is no answer of the API. Answers, also unwelcome ones, are variants of the response types.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The client was described in a way that cannot work.
    #[error("{0}")]
    Setup(String),
    /// The request could not be written: a header with a line break, for example.
    #[error("{operation}: {message}")]
    Request {
        /// The `operationId`.
        operation: &'static str,
        /// What is wrong with it.
        message: String,
    },
    /// No connection, or one that broke off.
    #[error("{operation}: no connection: {message}")]
    Connection {
        /// The `operationId`.
        operation: &'static str,
        /// What the network says.
        message: String,
        /// The connection was never made, so the request cannot have arrived.
        never_connected: bool,
    },
    /// It took too long.
    #[error("{operation}: no answer in time")]
    Timeout {
        /// The `operationId`.
        operation: &'static str,
        /// The connection was never made, so the request cannot have arrived.
        never_connected: bool,
    },
    /// An answer with a status that the document does not have for this operation.
    #[error("{operation}: unexpected answer {status}: {body}")]
    UnexpectedStatus {
        /// The `operationId`.
        operation: &'static str,
        /// The status of the answer.
        status: StatusCode,
        /// The start of its body, as text.
        body: String,
    },
    /// A refusal (4xx) without the JSON that a manager gives its reason in. Something between here and the manager has
    /// answered, such as a proxy.
    #[error("{operation}: {status} does not come from a manager, but perhaps from a proxy: {body}")]
    NotManager {
        /// The `operationId`.
        operation: &'static str,
        /// The status of the answer.
        status: StatusCode,
        /// The start of its body, as text.
        body: String,
    },
    /// An answer whose body is not what the document says.
    #[error("{operation}: cannot understand the answer {status}: {message}; it starts with: {body}")]
    Decode {
        /// The `operationId`.
        operation: &'static str,
        /// The status of the answer.
        status: StatusCode,
        /// What is wrong with the body.
        message: String,
        /// The start of the body, as text.
        body: String,
    },
}

impl Error {
    pub(crate) fn transport(operation: &'static Operation, error: reqwest::Error) -> Error {
        let (operation, never_connected) = (operation.id, error.is_connect());
        if error.is_timeout() {
            Error::Timeout { operation, never_connected }
        } else if error.is_builder() {
            Error::Request { operation, message: chain(&error) }
        } else {
            let message = tls::distrust(&error).unwrap_or_else(|| chain(&error));
            Error::Connection { operation, message, never_connected }
        }
    }

    /// False if it is certain that the manager has not worked off the request.
    pub fn may_have_arrived(&self) -> bool {
        match self {
            Error::Setup(_) | Error::Request { .. } => false,
            Error::Connection { never_connected, .. } | Error::Timeout { never_connected, .. } => {
                !never_connected
            }
            Error::UnexpectedStatus { .. } | Error::NotManager { .. } | Error::Decode { .. } => true,
        }
    }
}

/// An error with all its causes, since the outermost one alone says little ("error sending request").
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
