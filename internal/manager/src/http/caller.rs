//! Who calls, and whether they may: decided here, for every operation, before a byte of the body is read.
//!
//! Today the operations for workers need a worker's credentials, and everything else is open to the network, as in the
//! reference. Users, roles and tokens will be decided here too.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, StatusCode, header, request::Parts};
use base64::Engine;
use flamenco_api::{Operation, Problem};
use flamenco_domain::ids::WorkerId;
use flamenco_domain::worker::Worker;

use crate::farm::Farm;

/// Who sent a request.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Network address, without port.
    pub(crate) address: String,
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
    let address = address(request);
    let worker = if operation.worker_auth {
        let (id, secret) = credentials(&request.headers)?;
        Some(farm.authenticate(id, secret).await?)
    } else {
        None
    };
    Ok(Caller { address, worker })
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
        let info = request.extensions.get::<ConnectInfo<SocketAddr>>()?;
        Some(info.0.ip().to_canonical().to_string())
    };
    from_header("X-Forwarded-For").or_else(|| from_header("X-Real-IP")).or_else(peer).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::Request;

    fn parts(headers: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder();
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut parts = request.body(()).unwrap().into_parts().0;
        parts.extensions.insert(ConnectInfo(SocketAddr::from(([10, 0, 0, 7], 1234))));
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
