//! Raw HTTP. Every answer is compared with the API document before the test sees it.

use bytes::Bytes;
use http::{HeaderMap, Method};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{FakeWorker, TestManager, contract};

/// A request that is being described.
pub struct Request {
    what: String,
    method: Method,
    path: String,
    builder: reqwest::RequestBuilder,
}

impl Request {
    /// A JSON body.
    #[must_use]
    pub fn json(mut self, body: &Value) -> Self {
        self.builder = self.builder.json(body);
        self
    }

    /// Any body.
    #[must_use]
    pub fn body(mut self, content_type: &str, body: impl Into<reqwest::Body>) -> Self {
        self.builder = self.builder.header("content-type", content_type).body(body);
        self
    }

    /// A header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.builder = self.builder.header(name, value);
        self
    }

    /// As this worker.
    #[must_use]
    pub fn as_worker(self, worker: &FakeWorker) -> Self {
        self.basic(&worker.id.to_string(), &worker.secret)
    }

    /// With these credentials.
    #[must_use]
    pub fn basic(mut self, user: &str, password: &str) -> Self {
        self.builder = self.builder.basic_auth(user, Some(password));
        self
    }

    /// Sends it, and fails when the answer is not as the API document says.
    pub async fn send(self) -> Reply {
        let Self { what, method, path, builder } = self;
        let answer = builder.send().await.unwrap_or_else(|error| panic!("{what}: {error:?}"));
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        let body = answer.bytes().await.unwrap_or_else(|error| panic!("{what}: reading the body: {error:?}"));
        let content_type =
            headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        if let Err(problem) = contract::check(&method, &path, status, content_type, &body) {
            panic!("{what} is answered with {status}, which is not as openapi.yaml has it: {problem}");
        }
        Reply { what, status, headers, body }
    }
}

/// An answer that is as the API document says.
#[derive(Debug, Clone)]
pub struct Reply {
    what: String,
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// Fails unless the status is this.
    #[track_caller]
    #[must_use]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}: {}", self.what, String::from_utf8_lossy(&self.body));
        self
    }

    /// Fails unless the status is 204.
    #[track_caller]
    pub fn no_content(self) {
        let _ = self.expect(204);
    }

    /// The body as JSON.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        let parsed = serde_json::from_slice(&self.body);
        parsed.unwrap_or_else(|error| panic!("{}: {error} in {}", self.what, self.text()))
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header; empty when it is not there.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// Fails unless it is an error with this status, as JSON `{code, message}`, and gives the message.
    #[track_caller]
    #[must_use]
    pub fn problem(self, status: u16) -> String {
        let reply = self.expect(status);
        let error = reply.json();
        assert_eq!(error["code"], status, "{}: {error}", reply.what);
        let message = error["message"].as_str().unwrap_or_default();
        assert!(message.len() > 8, "{}: a message that helps nobody: {error}", reply.what);
        message.to_owned()
    }
}

impl TestManager {
    /// Describes a request.
    #[must_use]
    pub fn request(&self, method: Method, path: &str) -> Request {
        let builder = self.http.request(method.clone(), format!("{}{path}", self.url()));
        Request {
            what: format!("{} {method} {path}", self.backend()),
            method,
            path: path.to_owned(),
            builder,
        }
    }

    /// GET.
    pub async fn get(&self, path: &str) -> Reply {
        self.request(Method::GET, path).send().await
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.request(Method::POST, path).json(body).send().await
    }

    /// PUT of JSON.
    pub async fn put(&self, path: &str, body: &Value) -> Reply {
        self.request(Method::PUT, path).json(body).send().await
    }

    /// DELETE without a body.
    pub async fn delete(&self, path: &str) -> Reply {
        self.request(Method::DELETE, path).send().await
    }

    /// A GET whose path is sent as it is, which no polite client does: status and body.
    pub async fn get_verbatim(&self, path: &str) -> (u16, String) {
        self.verbatim(&format!("GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n")).await
    }

    /// Sends exactly this text and reads until the manager hangs up: status and body.
    pub async fn verbatim(&self, request: &str) -> (u16, String) {
        let mut connection = TcpStream::connect(self.address()).await.expect("the manager listens");
        connection.write_all(request.as_bytes()).await.expect("sending");
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await.expect("receiving");
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let status = answer.split(' ').nth(1).and_then(|status| status.parse().ok());
        let body = answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        (status.expect("a status line"), body.unwrap_or_default())
    }
}
