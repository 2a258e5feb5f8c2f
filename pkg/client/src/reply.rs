use flamenco_api::{BodyStream, Operation, types};
use futures_util::StreamExt;
use http::{StatusCode, header};
use reqwest::Response;
use serde::de::DeserializeOwned;

use crate::Error;

/// How much of a body is quoted in an error, in bytes.
const QUOTED: usize = 2000;
/// How much of an error's body is read at all: it may be a proxy's web page, or a file.
const ERROR_LIMIT: usize = 64 * 1024;

/// An answer whose body has not been read yet.
pub(crate) struct Reply {
    operation: &'static Operation,
    response: Response,
}

#[allow(dead_code, reason = "generated code calls what the document needs")]
impl Reply {
    pub(crate) fn new(operation: &'static Operation, response: Response) -> Reply {
        Reply { operation, response }
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.response.status()
    }

    /// The media type without parameters, in lower case.
    pub(crate) fn media_type(&self) -> Option<String> {
        let value = self.response.headers().get(header::CONTENT_TYPE)?.to_str().ok()?;
        Some(value.split(';').next()?.trim().to_ascii_lowercase())
    }

    /// A header, if it is there and has the right form.
    pub(crate) fn header<T: std::str::FromStr>(&self, name: &str) -> Option<T> {
        self.response.headers().get(name)?.to_str().ok()?.trim().parse().ok()
    }

    pub(crate) fn required_header<T: std::str::FromStr>(&self, name: &str) -> Result<T, Error> {
        self.header(name).ok_or_else(|| Error::Decode {
            operation: self.operation.id,
            status: self.status(),
            message: format!("the header {name} is missing or malformed"),
            body: String::new(),
        })
    }

    pub(crate) async fn json<T: DeserializeOwned>(self) -> Result<T, Error> {
        let (operation, status) = (self.operation, self.status());
        let bytes = self.response.bytes().await.map_err(|error| Error::transport(operation, error))?;
        serde_json::from_slice(&bytes).map_err(|error| Error::Decode {
            operation: operation.id,
            status,
            message: error.to_string(),
            body: quote(&bytes),
        })
    }

    pub(crate) async fn text(self) -> Result<String, Error> {
        let operation = self.operation;
        let bytes = self.response.bytes().await.map_err(|error| Error::transport(operation, error))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    pub(crate) fn stream(self) -> BodyStream {
        let length = self.response.content_length();
        let pieces = self.response.bytes_stream().map(|piece| piece.map_err(std::io::Error::other));
        match length {
            Some(length) => BodyStream::with_length(length, pieces),
            None => BodyStream::new(pieces),
        }
    }

    /// The body of an error. A refusal has to look like one of a manager: a proxy in between answers 403 or 404 in its
    /// own name, and that says nothing about what was asked. Of trouble (5xx, 429) also a web page tells enough.
    pub(crate) async fn error<T: ErrorBody>(self) -> Result<T, Error> {
        let (operation, status) = (self.operation.id, self.status());
        let bytes = self.start_of_body().await?;
        let is_refusal = status.is_client_error() && status != StatusCode::TOO_MANY_REQUESTS;
        match spoken(&bytes) {
            None if is_refusal => Err(Error::NotManager { operation, status, body: quote(&bytes) }),
            _ => Ok(T::from_parts(status, message(status, &bytes))),
        }
    }

    /// The error for a status that the operation does not have.
    pub(crate) async fn unexpected(self) -> Error {
        let (operation, status) = (self.operation.id, self.status());
        match self.start_of_body().await {
            Ok(bytes) if status.is_client_error() && spoken(&bytes).is_none() => {
                Error::NotManager { operation, status, body: quote(&bytes) }
            }
            Ok(bytes) => Error::UnexpectedStatus { operation, status, body: quote(&bytes) },
            Err(error) => error,
        }
    }

    async fn start_of_body(mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        while bytes.len() < ERROR_LIMIT {
            match self.response.chunk().await.map_err(|error| Error::transport(self.operation, error))? {
                Some(chunk) => bytes.extend_from_slice(&chunk),
                None => break,
            }
        }
        bytes.truncate(ERROR_LIMIT);
        Ok(bytes)
    }
}

/// The schemas that carry what went wrong.
pub(crate) trait ErrorBody {
    fn from_parts(status: StatusCode, message: String) -> Self;
}

impl ErrorBody for types::Error {
    fn from_parts(status: StatusCode, message: String) -> Self {
        types::Error { code: i64::from(status.as_u16()), message }
    }
}

impl ErrorBody for types::SecurityError {
    fn from_parts(status: StatusCode, message: String) -> Self {
        types::SecurityError { code: Some(i64::from(status.as_u16())), message }
    }
}

/// The `message` of a JSON object; the text itself if it is none; the name of the status if there is no text.
fn message(status: StatusCode, body: &[u8]) -> String {
    match spoken(body) {
        Some(message) => message,
        None if body.iter().all(u8::is_ascii_whitespace) => {
            status.canonical_reason().unwrap_or("no message").to_owned()
        }
        None => quote(body),
    }
}

/// What a manager says in the body of an error: the `message` of a JSON object, or a JSON text.
fn spoken(body: &[u8]) -> Option<String> {
    match serde_json::from_slice(body).ok()? {
        serde_json::Value::String(text) => Some(text),
        other => Some(other.get("message")?.as_str()?.to_owned()),
    }
}

/// The start of a body, as text.
fn quote(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(QUOTED)]);
    let text = text.trim();
    if body.len() > QUOTED { format!("{text}…") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_gives_a_message() {
        for (body, expected) in [
            (r#"{"code": 403, "message": "no worker"}"#, "no worker"),
            (r#"{"message": "no worker"}"#, "no worker"),
            (r#""task does not exist""#, "task does not exist"),
            ("<html>Bad gateway</html>\n", "<html>Bad gateway</html>"),
            (r#"{"detail": 1}"#, r#"{"detail": 1}"#),
            ("", "Forbidden"),
            (" \n", "Forbidden"),
        ] {
            assert_eq!(message(StatusCode::FORBIDDEN, body.as_bytes()), expected);
        }
    }

    #[test]
    fn quotes_are_short_and_never_split_a_character_badly() {
        let long = "ä".repeat(5000);
        assert!(quote(long.as_bytes()).chars().count() <= QUOTED + 1);
    }
}
