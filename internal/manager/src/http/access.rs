//! Tokens: what shows that a caller may do what people do. Decided from the headers alone.
//!
//! The admin token comes as a bearer token, as the password of Basic credentials (for programs that only know those),
//! or as the cookie of a session. The cookie holds a hash: who reads it off a screen does not know the token, and
//! another token ends every session.

use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use flamenco_api::{Operation, Problem};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::{AccessSettings, Secret};

const COOKIE: &str = "flamenco_session";
/// How long a browser keeps the cookie: 30 days, in seconds.
const LIFETIME: u64 = 30 * 24 * 3600;

/// What an operation wants its caller to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: it says which manager this is, or is how to sign in.
    Nothing,
    /// A worker's own credentials.
    Worker,
    /// The registration token, or the admin token.
    Registration,
    /// The admin token.
    Admin,
}

impl Needs {
    pub(super) fn of(operation: &Operation) -> Self {
        match operation.id {
            "getVersion" | "getSession" | "createSession" | "deleteSession" => Self::Nothing,
            "registerWorker" => Self::Registration,
            _ if operation.worker_auth => Self::Worker,
            // Also what is added one day: nobody has to remember it.
            _ => Self::Admin,
        }
    }
}

/// Whether whoever sent these headers may do everything.
pub(super) fn is_admin(headers: &HeaderMap, access: &AccessSettings) -> bool {
    let token = &access.admin_token;
    is_open(token)
        || shown(headers).is_some_and(|shown| same(&shown, token.expose()))
        || cookie(headers).is_some_and(|cookie| same(cookie, &session(token)))
}

/// Refuses a caller that has not shown what is needed. Workers are checked elsewhere.
pub(super) fn check(headers: &HeaderMap, access: &AccessSettings, needs: Needs) -> Result<(), Problem> {
    let registration = &access.registration_token;
    let may_register = || {
        is_open(registration)
            || shown(headers).is_some_and(|shown| same(&shown, registration.expose()))
            // Without an admin token everybody is one, which is no reason to let them register.
            || (!is_open(&access.admin_token) && is_admin(headers, access))
    };
    let refused = |message: &str| Err(Problem::new(StatusCode::UNAUTHORIZED, message));
    match needs {
        Needs::Registration if !may_register() => refused(
            "this manager only accepts new workers that send its registration token; write it into the worker's \
             manager_url: http://worker:TOKEN@host:port",
        ),
        Needs::Admin if !is_admin(headers, access) => refused(
            "this manager wants its admin token; sign in on its web page, or send the token as Authorization: Bearer",
        ),
        _ => Ok(()),
    }
}

/// Whether this is the admin token.
pub(super) fn is_admin_token(token: &str, access: &AccessSettings) -> bool {
    same(token.trim(), access.admin_token.expose())
}

/// Whether no token is set.
pub(super) fn is_open(token: &Secret) -> bool {
    token.expose().is_empty()
}

/// The cookie of a new session.
pub(super) fn new_cookie(access: &AccessSettings, over_https: bool) -> String {
    let secure = if over_https { "; Secure" } else { "" };
    let session = session(&access.admin_token);
    format!("{COOKIE}={session}; Path=/; HttpOnly; SameSite=Strict; Max-Age={LIFETIME}{secure}")
}

/// The cookie that ends a session.
pub(super) fn expired_cookie() -> String {
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

fn session(token: &Secret) -> String {
    let hash = Sha256::new().chain_update("session of the admin token ").chain_update(token.expose());
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(hash.finalize())
}

/// Compares in a time that does not tell how much is right.
fn same(shown: &str, wanted: &str) -> bool {
    // Hashes are of one length, and no empty token is ever right.
    let (shown_hash, wanted_hash) = (Sha256::digest(shown), Sha256::digest(wanted));
    !wanted.is_empty() && bool::from(shown_hash[..].ct_eq(&wanted_hash[..]))
}

/// The token in an `Authorization` header.
fn shown(headers: &HeaderMap) -> Option<String> {
    let (scheme, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(value.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = base64::engine::general_purpose::STANDARD.decode(value.trim()).ok()?;
    let (_, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(password.to_owned())
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: &str = "the-admin-token-0001";
    const NEW: &str = "registration-token-02";

    fn access(admin: &str, registration: &str) -> AccessSettings {
        AccessSettings {
            admin_token: Secret::new(admin),
            registration_token: Secret::new(registration),
            allowed_origins: Vec::new(),
        }
    }

    fn basic(password: &str) -> String {
        format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(format!("worker:{password}")))
    }

    #[test]
    fn who_may_do_what() {
        let good = new_cookie(&access(ADMIN, ""), false);
        let old = new_cookie(&access("another-token-00001", ""), false);
        let [good, old] = [&good, &old].map(|cookie| format!("a=b; {}", cookie.split(';').next().unwrap()));
        let none = ("x-nothing", String::new());
        let (admin, new) = (("authorization", format!("Bearer {ADMIN}")), ("authorization", basic(NEW)));
        // Header; may administrate, may register: with neither token, both, the admin's only, the other's only.
        for (header, expected) in [
            (none.clone(), [(true, true), (false, false), (false, true), (true, false)]),
            (admin.clone(), [(true, true), (true, true), (true, true), (true, false)]),
            (("authorization", basic(ADMIN)), [(true, true), (true, true), (true, true), (true, false)]),
            (new.clone(), [(true, true), (false, true), (false, true), (true, true)]),
            (
                ("authorization", format!("bearer  {NEW} ")),
                [(true, true), (false, true), (false, true), (true, true)],
            ),
            (("cookie", good), [(true, true), (true, true), (true, true), (true, false)]),
            (("cookie", old), [(true, true), (false, false), (false, true), (true, false)]),
            (
                ("cookie", "flamenco_session=".into()),
                [(true, true), (false, false), (false, true), (true, false)],
            ),
            (
                ("authorization", "Bearer ".into()),
                [(true, true), (false, false), (false, true), (true, false)],
            ),
            (("authorization", ADMIN.into()), [(true, true), (false, false), (false, true), (true, false)]),
            (
                ("authorization", format!("Bearer {ADMIN}x")),
                [(true, true), (false, false), (false, true), (true, false)],
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header.0, header.1.parse().unwrap());
            let settings = [access("", ""), access(ADMIN, NEW), access(ADMIN, ""), access("", NEW)];
            for (number, (settings, want)) in settings.iter().zip(expected).enumerate() {
                let may = |needs| check(&headers, settings, needs).is_ok();
                assert_eq!((may(Needs::Admin), may(Needs::Registration)), want, "{header:?} at {number}");
                assert!(may(Needs::Nothing) && may(Needs::Worker));
            }
        }
    }

    #[test]
    fn every_operation_needs_the_token_but_for_these() {
        let open: Vec<_> = flamenco_api::operations::OPERATIONS
            .iter()
            .filter(|operation| Needs::of(operation) != Needs::Admin && !operation.worker_auth)
            .map(|operation| operation.id)
            .collect();
        assert_eq!(open, ["getVersion", "getSession", "createSession", "deleteSession", "registerWorker"]);
    }

    #[test]
    fn a_cookie_does_not_tell_the_token() {
        let cookie = new_cookie(&access(ADMIN, ""), true);
        assert!(!cookie.contains(ADMIN) && cookie.ends_with("; Secure"), "{cookie}");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
    }
}
