//! Makes a complete address of what people type.

/// Why an address cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UrlError {
    /// Nothing between scheme and path or port.
    #[error("the manager address {0:?} must have a host name, as in http://manager:8080/")]
    NoHost(String),
    /// The port is no number from 1 to 65535.
    #[error("the manager address {0:?} has an impossible port; write it like http://manager:8080/")]
    Port(String),
    /// White space inside.
    #[error("the manager address {0:?} contains white space; write it like http://manager:8080/")]
    Space(String),
}

/// Adds the scheme `http` if there is none, and checks that there is a host.
///
/// # Errors
/// When there is no host, or the port is no number.
pub fn normalise(text: &str) -> Result<String, UrlError> {
    let text = text.trim();
    if text.contains(char::is_whitespace) {
        return Err(UrlError::Space(text.to_owned()));
    }
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme), rest),
        None => (None, text.trim_start_matches('/')),
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host_and_port = authority.rsplit('@').next().unwrap_or_default();
    // The colons of an IPv6 address are inside brackets.
    let after_address = host_and_port.rfind(']').map_or(0, |end| end + 1);
    let (host, port) = match host_and_port[after_address..].find(':') {
        Some(colon) => {
            (&host_and_port[..after_address + colon], Some(&host_and_port[after_address + colon + 1..]))
        }
        None => (host_and_port, None),
    };
    if host.is_empty() || scheme == Some("") {
        return Err(UrlError::NoHost(text.to_owned()));
    }
    if port.is_some_and(|port| !matches!(port.parse::<u16>(), Ok(1..))) {
        return Err(UrlError::Port(text.to_owned()));
    }
    Ok(match (scheme, port) {
        (Some(_), _) => text.to_owned(),
        (None, None) if rest == authority => format!("http://{rest}/"),
        (None, _) => format!("http://{rest}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let cases = [
            ("jemoeder:1234", "http://jemoeder:1234"),
            ("jemoeder", "http://jemoeder/"),
            ("opjehoofd://jemoeder:4213/xxx", "opjehoofd://jemoeder:4213/xxx"),
            ("192.168.0.1:8080", "http://192.168.0.1:8080"),
            ("  host  ", "http://host/"),
            ("//host:80/", "http://host:80/"),
            ("host/flamenco", "http://host/flamenco"),
            ("https://host/flamenco/", "https://host/flamenco/"),
            ("[fe80::1]:8080", "http://[fe80::1]:8080"),
            ("http://[fe80::1]/", "http://[fe80::1]/"),
        ];
        for (text, expected) in cases {
            assert_eq!(normalise(text).as_deref(), Ok(expected), "{text}");
        }
    }

    #[test]
    fn nonsense() {
        for text in ["", "  ", ":8080", "http://", "http://:80/", "http:///path", "://host"] {
            assert!(matches!(normalise(text), Err(UrlError::NoHost(_))), "{text}: {:?}", normalise(text));
        }
        for text in ["host:port", "host:0", "host:65536", "http://host:x/"] {
            assert!(matches!(normalise(text), Err(UrlError::Port(_))), "{text}");
        }
        assert!(matches!(normalise("my host"), Err(UrlError::Space(_))));
    }
}
