//! Who calls, and whether they may: decided here, for every operation, before a byte of the body is read.
//!
//! The operations for workers need a worker's credentials. Everything else is open to the network, as in the reference,
//! unless the configuration has tokens, each of which gives a role ([`access`]). What a role may do is in [`roles`]; what
//! is no operation (Socket.IO, the files of jobs, profiles) goes by the same rule.

use std::sync::Arc;

use axum::extract::{ConnectInfo, Request};
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use flamenco_api::{Operation, Problem};
use flamenco_domain::ids::WorkerId;
use flamenco_domain::role::Role;
use flamenco_domain::worker::Worker;

use super::access::{self, Shown};
use super::roles::{self, Needs};
use super::{Development, Peer, audit, origin};
use crate::farm::Farm;

/// Who sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Network address, without port.
    pub(crate) address: String,
    /// What it may do.
    pub(crate) role: Role,
    /// Who it says to be; may be empty.
    pub(crate) name: String,
    /// Whether it showed the token of a role, or the cookie of a session.
    pub(crate) token_shown: bool,
    /// Whether a reverse proxy says that it came over HTTPS.
    pub(crate) over_https: bool,
    worker: Option<Arc<Worker>>,
}

impl Caller {
    /// The worker that showed its credentials.
    pub(crate) fn worker(&self) -> Result<&Arc<Worker>, Problem> {
        // Only an operation that the document does not mark as one for workers can get here without one.
        self.worker.as_ref().ok_or_else(|| Problem::new(StatusCode::FORBIDDEN, "only workers may do this"))
    }
}

pub(super) async fn authorize(
    farm: &Farm,
    operation: &'static Operation,
    request: &Parts,
) -> Result<Caller, Problem> {
    let live = farm.live();
    let headers = &request.headers;
    let identity = access::identify(headers, &live.config.settings.access);
    let needs = Needs::of(operation);
    roles::check(&identity, needs)?;
    let worker = if needs == Needs::Worker {
        let (id, secret) = credentials(headers)?;
        Some(farm.authenticate(id, secret).await?)
    } else {
        None
    };
    let over_https = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let caller = Caller {
        address: address(request),
        role: identity.role,
        token_shown: identity.shown == Shown::Token,
        name: identity.name,
        over_https,
        worker,
    };
    audit::begin(farm, operation, request, &caller).await;
    Ok(caller)
}

/// What [`guard`] looks at.
#[derive(Clone)]
pub(super) struct Guarded {
    farm: Farm,
    /// Pages that are welcome besides those of the configuration.
    development_origins: Arc<[String]>,
}

impl Guarded {
    pub(super) fn new(farm: &Farm, development: Development, origins: &[String]) -> Self {
        let origins = if development.allow_web_development { origins } else { &[] };
        Self { farm: farm.clone(), development_origins: origins.into() }
    }
}

/// What is no operation, and the least role that may have it.
const BESIDE_THE_API: [(&str, Role); 3] =
    [("/socket.io", Role::Viewer), ("/job-files", Role::Viewer), ("/debug", Role::Admin)];

/// Lets only those through to what is no operation whose role is enough.
pub(super) async fn guard(guarded: Guarded, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if let Some((_, role)) = BESIDE_THE_API.iter().find(|(prefix, _)| path.starts_with(prefix)) {
        let live = guarded.farm.live();
        let settings = &live.config.settings.access;
        let identity = access::identify(request.headers(), settings);
        let checked = roles::check(&identity, Needs::Role(*role))
            .and_then(|()| origin::check(&request, &settings.allowed_origins, &guarded.development_origins));
        if let Err(problem) = checked {
            return (problem.status, axum::Json(problem.to_error())).into_response();
        }
    }
    next.run(request).await
}

/// The worker's id and secret from `Authorization: Basic`.
fn credentials(headers: &HeaderMap) -> Result<(WorkerId, String), Problem> {
    let forbidden = |why: &str| {
        Problem::new(
            StatusCode::FORBIDDEN,
            format!("{why}; send the worker's id and secret by HTTP Basic authentication"),
        )
    };
    let value = headers.get(header::AUTHORIZATION).ok_or_else(|| forbidden("there are no credentials"))?;
    let text = value.to_str().map_err(|_| forbidden("the Authorization header is not text"))?;
    let (scheme, encoded) =
        text.split_once(' ').ok_or_else(|| forbidden("the Authorization header is incomplete"))?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return Err(forbidden("the Authorization header is of another kind"));
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(encoded.trim());
    let decoded = decoded.ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let decoded = decoded.ok_or_else(|| forbidden("the credentials cannot be decoded"))?;
    let (id, secret) = decoded.split_once(':').ok_or_else(|| forbidden("the credentials have no colon"))?;
    let id = id.parse().map_err(|_| forbidden("the user name is not the id of a worker"))?;
    Ok((id, secret.to_owned()))
}

/// Where the request came from; a reverse proxy may say it on behalf of the client.
fn address(request: &Parts) -> String {
    let from_header = |name: &str| {
        let text = request.headers.get(name)?.to_str().ok()?;
        let first = text.split(',').next()?.trim();
        first.parse::<std::net::IpAddr>().ok().map(|address| address.to_string())
    };
    let peer = || {
        let info = request.extensions.get::<ConnectInfo<Peer>>()?;
        Some(info.0.address.ip().to_canonical().to_string())
    };
    from_header("X-Forwarded-For").or_else(|| from_header("X-Real-IP")).or_else(peer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = http::Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.extensions.insert(ConnectInfo(Peer::at(([10, 0, 0, 7], 1234).into())));
        parts
    }

    #[test]
    fn credentials_are_read_or_refused_with_a_reason() {
        let id = WorkerId::random();
        let basic =
            |text: String| format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
        let good = basic(format!("{id}:se:cret"));
        let headers = parts(&[("authorization", &good)]).headers;
        assert_eq!(credentials(&headers).unwrap(), (id, "se:cret".to_owned()));
        for bad in [
            String::new(),
            "Basic".into(),
            "Bearer x".into(),
            "Basic %%".into(),
            basic("nocolon".into()),
            basic("x:y".into()),
        ] {
            let problem = credentials(&parts(&[("authorization", &bad)]).headers).unwrap_err();
            assert_eq!(problem.status, StatusCode::FORBIDDEN, "{bad}");
        }
        assert_eq!(credentials(&parts(&[]).headers).unwrap_err().status, StatusCode::FORBIDDEN);
    }

    #[test]
    fn the_address_is_the_client_behind_a_proxy() {
        assert_eq!(address(&parts(&[])), "10.0.0.7");
        assert_eq!(address(&parts(&[("X-Forwarded-For", "192.168.1.5, 10.0.0.1")])), "192.168.1.5");
        assert_eq!(address(&parts(&[("X-Real-IP", "192.168.1.6")])), "192.168.1.6");
        assert_eq!(address(&parts(&[("X-Forwarded-For", "<script>")])), "10.0.0.7");
    }
}
