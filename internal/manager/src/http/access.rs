//! Tokens: what shows which role somebody has. Decided from the headers alone.
//!
//! The token of a role comes as a bearer token, as the password of Basic credentials (whose user name is then the name of
//! the person), or as the cookie of a session. The cookie holds role and name, and a code that only the manager can make
//! with the token: who reads the cookie off a screen does not know the token, and another token ends its sessions.

use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flamenco_domain::audit::one_line;
use flamenco_domain::role::Role;
use hmac::{Hmac, Mac};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::config::{AccessSettings, Secret};

const COOKIE: &str = "flamenco_session";
/// How long a browser keeps the cookie: 30 days, in seconds.
const LIFETIME: u64 = 30 * 24 * 3600;
/// Keeps the codes of cookies apart from whatever else is made with a token one day.
const PURPOSE: &[u8] = b"flamenco session ";
/// Longest name of a person, in characters.
pub(super) const LONGEST_NAME: usize = 100;

/// What somebody showed, and what it makes of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Identity {
    /// What they may do.
    pub(super) role: Role,
    /// Who they say they are; may be empty.
    pub(super) name: String,
    /// What they showed.
    pub(super) shown: Shown,
    /// Whether they may add a worker to the farm.
    pub(super) may_register: bool,
}

/// What somebody showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    /// Neither token nor credentials; or the cookie of a session that has ended, which a browser sends by itself.
    Nothing,
    /// A token or credentials that this manager does not know.
    Unknown,
    /// The token of a role, or the cookie of a session.
    Token,
}

/// Who signed in, as a cookie has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) role: Role,
    pub(super) name: String,
}

/// Whoever sent these headers.
pub(super) fn identify(headers: &HeaderMap, access: &AccessSettings) -> Identity {
    let credentials = credentials(headers);
    let by_token = credentials.as_ref().map(|shown| Session {
        role: role_of(&shown.token, access),
        name: one_line(&shown.user, LONGEST_NAME),
    });
    let sessions = [by_token, cookie(headers).and_then(|cookie| session_of(cookie, access))];
    let best = sessions.into_iter().flatten().filter(|session| session.role > Role::None);
    let best = best.max_by_key(|session| session.role);
    let shown = match (&best, &credentials) {
        (Some(_), _) => Shown::Token,
        (None, Some(_)) => Shown::Unknown,
        (None, None) => Shown::Nothing,
    };
    // Not for a wrong token: whoever sends one should learn that it is wrong.
    let at_least = if shown == Shown::Unknown { Role::None } else { access.without_token };
    let (role, name) = best.map_or((Role::None, String::new()), |session| (session.role, session.name));
    let role = if is_open(&access.admin_token) { Role::Admin } else { role.max(at_least) };
    let registration = &access.registration_token;
    let may_register = is_open(registration)
        || credentials.is_some_and(|shown| same(&shown.token, registration.expose()))
        // Without an admin token everybody is one, which is no reason to let them register.
        || (role == Role::Admin && !is_open(&access.admin_token));
    Identity { role, name, shown, may_register }
}

/// The role that a token gives; [`Role::None`] when it is not one of the manager's.
pub(super) fn role_of(token: &str, access: &AccessSettings) -> Role {
    // All are compared, so that the time does not tell which one it is.
    let roles = [Role::Viewer, Role::Artist, Role::Admin];
    let given = roles.map(|role| if same(token.trim(), token_of(role, access)) { role } else { Role::None });
    given.into_iter().max().unwrap_or(Role::None)
}

/// What may be done without a token.
pub(super) fn without_token(access: &AccessSettings) -> Role {
    if is_open(&access.admin_token) { Role::Admin } else { access.without_token }
}

fn token_of(role: Role, access: &AccessSettings) -> &str {
    match role {
        Role::None => "",
        Role::Viewer => access.viewer_token.expose(),
        Role::Artist => access.artist_token.expose(),
        Role::Admin => access.admin_token.expose(),
    }
}

/// Whether no token is set.
pub(super) fn is_open(token: &Secret) -> bool {
    token.expose().is_empty()
}

/// The cookie of a new session.
pub(super) fn new_cookie(session: &Session, access: &AccessSettings, over_https: bool) -> String {
    let secure = if over_https { "; Secure" } else { "" };
    let value = value_of(session, access);
    format!("{COOKIE}={value}; Path=/; HttpOnly; SameSite=Strict; Max-Age={LIFETIME}{secure}")
}

/// The cookie that ends a session.
pub(super) fn expired_cookie() -> String {
    format!("{COOKIE}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0")
}

/// The session that a cookie to be set is of.
pub(super) fn session_in(set_cookie: &str, access: &AccessSettings) -> Option<Session> {
    let (name, value) = set_cookie.split(';').next()?.split_once('=')?;
    if name == COOKIE { session_of(value, access) } else { None }
}

fn value_of(session: &Session, access: &AccessSettings) -> String {
    let content = URL_SAFE_NO_PAD.encode(format!("{} {}", session.role, session.name));
    let code = code(&content, session.role, access);
    let code = code.map(|code| URL_SAFE_NO_PAD.encode(code.finalize().into_bytes())).unwrap_or_default();
    format!("{content}.{code}")
}

/// What the value of a cookie says, if this manager made it with the token that the role has now.
fn session_of(value: &str, access: &AccessSettings) -> Option<Session> {
    let (content, shown) = value.split_once('.')?;
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(content).ok()?).ok()?;
    let (role, name) = text.split_once(' ')?;
    let role = role.parse().ok()?;
    code(content, role, access)?.verify_slice(&URL_SAFE_NO_PAD.decode(shown).ok()?).ok()?;
    Some(Session { role, name: name.to_owned() })
}

/// What shows that a cookie is the manager's. A role without a token has no sessions.
fn code(content: &str, role: Role, access: &AccessSettings) -> Option<Hmac<Sha256>> {
    let token = Some(token_of(role, access)).filter(|token| !token.is_empty())?;
    Some(Hmac::new_from_slice(token.as_bytes()).ok()?.chain_update(PURPOSE).chain_update(content))
}

/// Compares in a time that does not tell how much is right.
fn same(shown: &str, wanted: &str) -> bool {
    // No empty token is ever right.
    if wanted.is_empty() {
        return false;
    }
    // Hashes are of one length.
    let (shown_hash, wanted_hash) = (Sha256::digest(shown), Sha256::digest(wanted));
    bool::from(shown_hash[..].ct_eq(&wanted_hash[..]))
}

/// What an `Authorization` header has.
struct Credentials {
    user: String,
    token: String,
}

fn credentials(headers: &HeaderMap) -> Option<Credentials> {
    let (scheme, value) = headers.get(header::AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(Credentials { user: String::new(), token: value.trim().to_owned() });
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = STANDARD.decode(value.trim()).ok()?;
    let (user, password) = std::str::from_utf8(&decoded).ok()?.split_once(':')?;
    Some(Credentials { user: user.to_owned(), token: password.to_owned() })
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Shown::{Nothing, Token, Unknown};

    const ADMIN: &str = "the-admin-token-0001";
    const ARTIST: &str = "the-artist-token-001";
    const VIEWER: &str = "the-viewer-token-001";
    const NEW: &str = "registration-token-02";

    fn access(admin: &str, registration: &str, without_token: Role) -> AccessSettings {
        let of_role = |token: &str| Secret::new(if admin.is_empty() { "" } else { token });
        AccessSettings {
            admin_token: Secret::new(admin),
            artist_token: of_role(ARTIST),
            viewer_token: of_role(VIEWER),
            without_token,
            registration_token: Secret::new(registration),
            allowed_origins: Vec::new(),
        }
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in all {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    fn basic(user: &str, password: &str) -> String {
        format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
    }

    fn session(role: Role, name: &str) -> Session {
        Session { role, name: name.to_owned() }
    }

    fn cookie_of(role: Role, name: &str, access: &AccessSettings) -> String {
        format!("a=b; {COOKIE}={}; c=d", value_of(&session(role, name), access))
    }

    #[test]
    fn who_somebody_is() {
        let settings = access(ADMIN, NEW, Role::None);
        let cookie = |role, name| cookie_of(role, name, &settings);
        let old = cookie_of(Role::Admin, "Old", &access("another-token-00001", "", Role::None));
        for (shown, role, name, what) in [
            (vec![], Role::None, "", Nothing),
            (vec![("authorization", format!("Bearer {ADMIN}"))], Role::Admin, "", Token),
            (vec![("authorization", format!("bearer  {ARTIST} "))], Role::Artist, "", Token),
            (vec![("authorization", format!("Bearer {VIEWER}"))], Role::Viewer, "", Token),
            (vec![("authorization", basic("Lighting 1.", ARTIST))], Role::Artist, "Lighting 1.", Token),
            (vec![("authorization", basic(" a\nb\0 ", VIEWER))], Role::Viewer, "a b", Token),
            (vec![("authorization", basic("", ADMIN))], Role::Admin, "", Token),
            (vec![("authorization", basic("worker", NEW))], Role::None, "", Unknown),
            (vec![("authorization", "Bearer ".into())], Role::None, "", Unknown),
            (vec![("authorization", "Bearer  x".into())], Role::None, "", Unknown),
            (vec![("authorization", ADMIN.into())], Role::None, "", Nothing),
            (vec![("authorization", format!("Bearer {ADMIN}x"))], Role::None, "", Unknown),
            (vec![("authorization", format!("Digest {ADMIN}"))], Role::None, "", Nothing),
            (vec![("cookie", cookie(Role::Admin, "Wrangler"))], Role::Admin, "Wrangler", Token),
            (vec![("cookie", cookie(Role::Viewer, "影 = ; x"))], Role::Viewer, "影 = ; x", Token),
            (vec![("cookie", cookie(Role::None, "Nobody"))], Role::None, "", Nothing),
            (vec![("cookie", old.clone())], Role::None, "", Nothing),
            (vec![("cookie", "flamenco_session=".into())], Role::None, "", Nothing),
            (vec![("cookie", "flamenco_session=x.y".into())], Role::None, "", Nothing),
            // A proxy may have credentials of its own in the header.
            (
                vec![("authorization", basic("proxy", "x")), ("cookie", cookie(Role::Artist, "Lighting"))],
                Role::Artist,
                "Lighting",
                Token,
            ),
            (
                vec![
                    ("authorization", basic("Layout", VIEWER)),
                    ("cookie", cookie(Role::Artist, "Lighting")),
                ],
                Role::Artist,
                "Lighting",
                Token,
            ),
        ] {
            let shown: Vec<_> = shown.iter().map(|(name, value)| (*name, value.as_str())).collect();
            let found = identify(&headers(&shown), &settings);
            assert_eq!((found.role, found.name.as_str(), found.shown), (role, name, what), "{shown:?}");
            let open = identify(&headers(&shown), &access("", NEW, Role::None));
            assert_eq!(open.role, Role::Admin, "without an admin token everybody is one: {shown:?}");
        }
        for without in [Role::Viewer, Role::Artist] {
            let settings = access(ADMIN, "", without);
            let viewer = format!("Bearer {VIEWER}");
            for (shown, role) in [
                (vec![], without),
                (vec![("cookie", old.as_str())], without),
                (vec![("authorization", viewer.as_str())], without),
                (vec![("authorization", "Bearer wrong")], Role::None),
            ] {
                assert_eq!(identify(&headers(&shown), &settings).role, role, "{shown:?} {without}");
            }
            assert_eq!(without_token(&settings), without);
        }
    }

    #[test]
    fn who_may_register() {
        let [bearer_admin, bearer_artist] = [ADMIN, ARTIST].map(|token| format!("Bearer {token}"));
        let (new, wrong) = (basic("worker", NEW), basic("worker", "guess"));
        // With neither token, both, the admin's only, the other's only.
        for (shown, expected) in [
            (vec![], [true, false, true, false]),
            (vec![("authorization", bearer_admin.as_str())], [true, true, true, false]),
            (vec![("authorization", bearer_artist.as_str())], [true, false, true, false]),
            (vec![("authorization", new.as_str())], [true, true, true, true]),
            (vec![("authorization", wrong.as_str())], [true, false, true, false]),
        ] {
            let tokens = [("", ""), (ADMIN, NEW), (ADMIN, ""), ("", NEW)];
            let may = tokens.map(|(admin, new)| {
                identify(&headers(&shown), &access(admin, new, Role::Artist)).may_register
            });
            assert_eq!(may, expected, "{shown:?}");
        }
    }

    #[test]
    fn a_cookie_cannot_be_made_or_changed_without_the_token() {
        let settings = access(ADMIN, "", Role::None);
        let cookie = new_cookie(&session(Role::Viewer, "Lighting"), &settings, true);
        assert!(!cookie.contains(VIEWER) && cookie.ends_with("; Secure"), "{cookie}");
        assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Strict"), "{cookie}");
        assert_eq!(session_in(&cookie, &settings), Some(session(Role::Viewer, "Lighting")));
        assert_eq!(session_in(&expired_cookie(), &settings), None);

        let value = value_of(&session(Role::Viewer, "Lighting"), &settings);
        let (content, code) = value.split_once('.').unwrap();
        let promoted = URL_SAFE_NO_PAD.encode("admin Lighting");
        let renamed = URL_SAFE_NO_PAD.encode("viewer Layout");
        for forged in [
            format!("{promoted}.{code}"),
            format!("{renamed}.{code}"),
            format!("{content}."),
            format!("{content}.{}", &code[1..]),
            content.to_owned(),
            format!("{value}A"),
        ] {
            assert_eq!(session_of(&forged, &settings), None, "{forged}");
        }
        // Another token of one role ends the sessions of that role only.
        let changed = AccessSettings { viewer_token: Secret::new("another-token-00001"), ..settings.clone() };
        assert_eq!(session_of(&value, &changed), None);
        let artist = value_of(&session(Role::Artist, "Layout"), &settings);
        assert_eq!(session_of(&artist, &changed), Some(session(Role::Artist, "Layout")));
        // And a role without a token has none, whoever made the cookie.
        let none = AccessSettings { viewer_token: Secret::default(), ..settings };
        assert_eq!(session_of(&value_of(&session(Role::Viewer, "Lighting"), &none), &none), None);
    }
}
