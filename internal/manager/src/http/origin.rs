//! Keeps web pages of other sites from watching the farm through the browser of somebody who may.

use axum::extract::Request;
use axum::http::{HeaderMap, StatusCode, header};
use flamenco_api::Problem;

/// Where Socket.IO is served.
const SOCKET_IO: &str = "/socket.io";

/// Refuses Socket.IO to pages of other sites. Browsers say where a page is from; other programs need not.
pub(super) fn check(request: &Request, allowed: &[String], development: &[String]) -> Result<(), Problem> {
    let welcome = || is_welcome(request.headers(), allowed) || is_welcome(request.headers(), development);
    if request.uri().path().starts_with(SOCKET_IO) && !welcome() {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "live updates are only for pages of this manager; behind a reverse proxy, pass the Host header on, or \
             name the page's origin in access.allowed_origins",
        ));
    }
    Ok(())
}

/// Whether a request comes from no page, from a page of this host, or from one that is allowed.
fn is_welcome(headers: &HeaderMap, allowed: &[String]) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if headers.get(header::ORIGIN).is_none() {
        return true;
    }
    let Some(origin) = text("origin") else { return false };
    if allowed.iter().any(|allowed| allowed.trim_end_matches('/').eq_ignore_ascii_case(origin)) {
        return true;
    }
    let Some((_, page)) = origin.split_once("://") else { return false };
    // A page cannot set these two, so whoever sends them is its browser or a proxy of ours.
    let hosts = [text("host"), text("x-forwarded-host")];
    hosts.into_iter().flatten().any(|host| host.eq_ignore_ascii_case(page))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn origin_table() {
        let allowed = ["https://farm.example/".to_owned()];
        for (origin, host, forwarded, want) in [
            (None, "manager:8080", None, true),
            (Some("http://manager:8080"), "manager:8080", None, true),
            (Some("http://Manager:8080"), "manager:8080", None, true),
            (Some("http://manager"), "manager:8080", None, false),
            (Some("http://manager:8080.evil.example"), "manager:8080", None, false),
            (Some("http://evil.example"), "manager:8080", None, false),
            (Some("null"), "manager:8080", None, false),
            (Some(""), "manager:8080", None, false),
            (Some("http://outside"), "manager:8080", Some("outside"), true),
            (Some("https://farm.example"), "manager:8080", None, true),
            (Some("https://farm.example:8443"), "manager:8080", None, false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("host", host.parse().unwrap());
            for (name, value) in [("origin", origin), ("x-forwarded-host", forwarded)] {
                if let Some(value) = value {
                    headers.insert(name, value.parse().unwrap());
                }
            }
            assert_eq!(is_welcome(&headers, &allowed), want, "{origin:?} at {host} {forwarded:?}");
        }
    }
}
