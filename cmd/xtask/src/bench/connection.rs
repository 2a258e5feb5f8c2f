//! One HTTP/1.1 connection to the manager, as lean as possible: the load generator shares its cores with what it
//! measures.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// How long an answer may take before the run counts as failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection that is kept open.
pub struct Connection {
    host: String,
    sender: Option<SendRequest<Full<Bytes>>>,
    authorization: Option<String>,
}

/// An answer, and how long it took.
pub struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
    pub took: Duration,
}

impl Connection {
    /// A connection to `host:port`, made when it is needed.
    pub fn new(host: &str) -> Self {
        Self { host: host.to_owned(), sender: None, authorization: None }
    }

    /// Shows these credentials from now on.
    pub fn authorize(&mut self, id: &str, secret: &str) {
        use base64::Engine;
        let text = base64::engine::general_purpose::STANDARD.encode(format!("{id}:{secret}"));
        self.authorization = Some(format!("Basic {text}"));
    }

    async fn connect(&mut self) -> Result<SendRequest<Full<Bytes>>> {
        if let Some(sender) = self.sender.take()
            && !sender.is_closed()
        {
            return Ok(sender);
        }
        let stream = TcpStream::connect(&self.host).await;
        let stream = stream.with_context(|| format!("cannot connect to {}", self.host))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        // Ends with the connection.
        tokio::spawn(connection);
        Ok(sender)
    }

    /// Sends a request and reads the whole answer.
    pub async fn send(&mut self, method: Method, path: &str, json: Option<String>) -> Result<Answer> {
        let mut sender = self.connect().await?;
        let mut request = Request::builder().method(method).uri(path).header(header::HOST, &self.host);
        if let Some(authorization) = &self.authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        if json.is_some() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        let request = request.body(Full::new(Bytes::from(json.unwrap_or_default())))?;
        let start = Instant::now();
        let answer = tokio::time::timeout(PATIENCE, async {
            sender.ready().await?;
            let answer = sender.send_request(request).await?;
            let status = answer.status();
            let body = answer.into_body().collect().await?.to_bytes();
            Ok::<_, hyper::Error>(Answer { status, body, took: start.elapsed() })
        })
        .await
        .with_context(|| format!("{path} was not answered within {} s", PATIENCE.as_secs()))?
        .with_context(|| format!("sending {path}"))?;
        self.sender = Some(sender);
        Ok(answer)
    }

    /// As [`Self::send`]; any answer but a 2xx is an error.
    pub async fn succeed(&mut self, method: Method, path: &str, json: Option<String>) -> Result<Answer> {
        let answer = self.send(method, path, json).await?;
        let text = || String::from_utf8_lossy(&answer.body).into_owned();
        ensure!(answer.status.is_success(), "{path} was answered with {}: {}", answer.status, text());
        Ok(answer)
    }
}
