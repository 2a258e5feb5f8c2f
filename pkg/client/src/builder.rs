use std::net::IpAddr;
use std::time::Duration;

use reqwest::Url;

use crate::{Client, Credentials, Error, tls};

/// Describes a [`Client`].
#[derive(Debug, Clone)]
pub struct Builder {
    base_url: String,
    credentials: Option<Credentials>,
    transport: Transport,
    request_timeout: Duration,
    upload_timeout: Duration,
}

impl Builder {
    pub(crate) fn new(base_url: String) -> Builder {
        Builder {
            base_url,
            credentials: None,
            transport: Transport {
                user_agent: concat!("flamenco-client/", env!("CARGO_PKG_VERSION")).to_owned(),
                connect_timeout: Duration::from_secs(10),
            },
            request_timeout: Duration::from_secs(60),
            upload_timeout: Duration::from_secs(3600),
        }
    }

    /// HTTP Basic credentials, sent with every request. Without this, those in the address are, if there are any.
    pub fn credentials(mut self, user: impl Into<String>, password: impl Into<String>) -> Builder {
        self.credentials = Some(Credentials { user: user.into(), password: password.into() });
        self
    }

    /// How the program introduces itself.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Builder {
        self.transport.user_agent = user_agent.into();
        self
    }

    /// How long it may take to connect; 10 s if not set.
    pub fn connect_timeout(mut self, timeout: Duration) -> Builder {
        self.transport.connect_timeout = timeout;
        self
    }

    /// How long a request may take from its start to the end of the answer; 60 s if not set.
    pub fn request_timeout(mut self, timeout: Duration) -> Builder {
        self.request_timeout = timeout;
        self
    }

    /// The same for a request that uploads a file; 1 hour if not set.
    pub fn upload_timeout(mut self, timeout: Duration) -> Builder {
        self.upload_timeout = timeout;
        self
    }

    /// Makes the client. No connection is made yet.
    ///
    /// # Errors
    /// [`Error::Setup`] if the address is not an `http://` or `https://` one, or the user agent cannot be sent.
    pub fn build(self) -> Result<Client, Error> {
        let mut base = base_url(&self.base_url)?;
        // Left in the address, they would be sent beside those that the client gets later.
        let in_address = take_credentials(&mut base);
        let http = self.transport.connect(&base)?;
        Ok(Client {
            http,
            transport: self.transport,
            base,
            credentials: self.credentials.or(in_address),
            request_timeout: self.request_timeout,
            upload_timeout: self.upload_timeout,
        })
    }
}

/// How connections are made.
#[derive(Debug, Clone)]
pub(crate) struct Transport {
    user_agent: String,
    connect_timeout: Duration,
}

impl Transport {
    /// For requests to this address. The variables `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` are obeyed.
    ///
    /// # Errors
    /// [`Error::Setup`] if the user agent cannot be sent, or TLS cannot be used.
    pub(crate) fn connect(&self, base: &Url) -> Result<reqwest::Client, Error> {
        let mut http = reqwest::Client::builder()
            .user_agent(&self.user_agent)
            .connect_timeout(self.connect_timeout)
            .tls_backend_preconfigured(tls::config()?)
            // Finds out that the other side is gone, also while a long upload or a held request is quiet.
            .tcp_keepalive(Duration::from_secs(30))
            // A redirected POST would arrive as a GET without its body. The caller had better know the new address.
            .redirect(reqwest::redirect::Policy::none());
        if is_this_machine(base) {
            // For a proxy, this machine would be itself.
            http = http.no_proxy();
        }
        http.build().map_err(|error| Error::Setup(crate::error::chain(&error)))
    }
}

/// Whether an address leads to the machine itself, by its looks.
fn is_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    match host.parse::<IpAddr>() {
        Ok(address) => address.to_canonical().is_loopback(),
        Err(_) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// Takes user and password out of an address.
fn take_credentials(url: &mut Url) -> Option<Credentials> {
    let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let (user, password) = (decode(url.username()), url.password().map(decode));
    if user.is_empty() && password.is_none() {
        return None;
    }
    // Cannot fail for an address with a host.
    let _ = url.set_username("").and_then(|()| url.set_password(None));
    Some(Credentials { user, password: password.unwrap_or_default() })
}

/// The address, with a slash at its end and without query and fragment.
pub(crate) fn base_url(text: &str) -> Result<Url, Error> {
    let wrong = |why: &dyn std::fmt::Display| {
        Error::Setup(format!(
            "{text:?} is not the address of a manager, such as http://manager:8080/ ({why})"
        ))
    };
    let mut url = Url::parse(text).map_err(|error| wrong(&error))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong(&"it has to start with http://"));
    }
    url.set_query(None);
    url.set_fragment(None);
    if !url.path().ends_with('/') {
        let path = format!("{}/", url.path());
        url.set_path(&path);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_completed() {
        for (given, used) in [
            ("http://manager:8080", "http://manager:8080/"),
            ("http://manager:8080/", "http://manager:8080/"),
            ("http://host/flamenco", "http://host/flamenco/"),
            ("http://host/flamenco/?a=b#c", "http://host/flamenco/"),
        ] {
            assert_eq!(base_url(given).unwrap().as_str(), used);
        }
    }

    #[test]
    fn credentials_may_stand_in_the_address() {
        for (given, want) in [
            ("http://manager:8080/", None),
            ("http://worker:t%40ken@manager:8080/", Some(("worker", "t@ken"))),
            ("http://worker@manager:8080/", Some(("worker", ""))),
            ("http://:token@manager:8080/", Some(("", "token"))),
        ] {
            let client = Builder::new(given.to_owned()).build().unwrap();
            assert_eq!(client.base_url(), "http://manager:8080/");
            let found =
                client.credentials.as_ref().map(|found| (found.user.as_str(), found.password.as_str()));
            assert_eq!(found, want, "{given}");
        }
        let explicit = Builder::new("http://a:b@manager".to_owned()).credentials("worker", "secret").build();
        assert_eq!(explicit.unwrap().credentials.unwrap().user, "worker");
    }

    #[test]
    fn this_machine_is_known_by_its_names() {
        for (address, expected) in [
            ("http://localhost:8080/", true),
            ("http://farm.localhost/", true),
            ("http://127.0.0.1:8080/", true),
            ("http://127.1.2.3/", true),
            ("http://[::1]:8080/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://manager:8080/", false),
            ("http://localhost.example.com/", false),
            ("http://10.0.0.1/", false),
            ("http://[fd00::1]/", false),
        ] {
            assert_eq!(is_this_machine(&base_url(address).unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_an_example() {
        for given in ["", "manager", "manager:8080", "ftp://manager/", "file:///etc"] {
            let message = base_url(given).unwrap_err().to_string();
            assert!(message.contains("http://manager:8080/"), "{message}");
        }
    }
}
