//! A typed client of the manager's API.
//!
//! [`Client`] has one method per operation, named like the handlers of `flamenco_api::server` and with the same
//! answers, so that an answer that is no failure (204 "nothing to do", 409 "not yours any more", 423 "change your
//! state") is a variant to match on and not an error. [`Error`] is for what is no answer of the API.
//!
//! ```no_run
//! # async fn example() -> Result<(), flamenco_client::Error> {
//! let client = flamenco_client::Client::builder("http://manager:8080/").build()?;
//! let version = client.get_version().await?;
//! # Ok(()) }
//! ```
//!
//! Nothing is retried here: only the caller knows whether a request may be repeated. [`Error::may_have_arrived`]
//! helps to decide.

mod builder;
mod call;
mod error;
#[allow(missing_docs, clippy::all, reason = "generated; documented in openapi.yaml")]
#[rustfmt::skip]
mod generated;
mod reply;
mod tls;

use std::time::Duration;

pub use builder::Builder;
pub use call::Upload;
pub use error::Error;
pub use flamenco_api as api;

use builder::Transport;
use call::Call;
use reply::Reply;

/// A connection to one manager. Cheap to clone; clones share their connections.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    transport: Transport,
    base: reqwest::Url,
    credentials: Option<Credentials>,
    request_timeout: Duration,
    upload_timeout: Duration,
}

/// What a worker got when it registered.
#[derive(Clone)]
struct Credentials {
    user: String,
    password: String,
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("user", &self.user).finish_non_exhaustive()
    }
}

impl Client {
    /// Starts to describe a client. The address may have a path, for a manager behind a proxy:
    /// with `http://host/flamenco/`, requests go to `http://host/flamenco/api/v3/…`.
    pub fn builder(base_url: impl Into<String>) -> Builder {
        Builder::new(base_url.into())
    }

    /// The same client with other credentials; it shares the connections.
    pub fn with_credentials(&self, user: impl Into<String>, password: impl Into<String>) -> Client {
        let credentials = Credentials { user: user.into(), password: password.into() };
        Client { credentials: Some(credentials), ..self.clone() }
    }

    /// The same client for the manager at another address.
    ///
    /// # Errors
    /// [`Error::Setup`] if the address is not an `http://` or `https://` one.
    pub fn with_base_url(&self, base_url: &str) -> Result<Client, Error> {
        let base = builder::base_url(base_url)?;
        // Whether there is a proxy in between depends on the address.
        Ok(Client { http: self.transport.connect(&base)?, base, ..self.clone() })
    }

    /// The address that all paths are appended to; it ends with a slash.
    pub fn base_url(&self) -> &str {
        self.base.as_str()
    }

    async fn send(&self, call: Call) -> Result<Reply, Error> {
        let operation = call.operation();
        let timeout = if call.is_upload() { self.upload_timeout } else { self.request_timeout };
        let mut request = call.into_request(&self.http, &self.base)?.timeout(timeout);
        if let Some(Credentials { user, password }) = &self.credentials {
            request = request.basic_auth(user, Some(password));
        }
        match request.send().await {
            Ok(response) => Ok(Reply::new(operation, response)),
            Err(error) => Err(Error::transport(operation, error)),
        }
    }
}
