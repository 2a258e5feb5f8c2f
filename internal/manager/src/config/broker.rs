//! The address of an MQTT broker.

use axum::http::Uri;

/// How to reach a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broker {
    /// What the messages travel over.
    pub transport: BrokerTransport,
    /// Host name or address; an IPv6 address in brackets.
    pub host: String,
    /// Port.
    pub port: u16,
    /// For WebSockets, the path.
    pub path: String,
}

/// What MQTT travels over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BrokerTransport {
    /// `tcp://` or `mqtt://`
    Tcp,
    /// `mqtts://`, `ssl://` or `tls://`
    Tls,
    /// `ws://`
    WebSocket,
    /// `wss://`
    WebSocketTls,
}

impl Broker {
    /// Reads a URL.
    ///
    /// # Errors
    /// What is wrong with it, as a sentence without the password that it may contain.
    pub fn parse(url: &str) -> Result<Self, String> {
        const EXAMPLE: &str = "write for example \"tcp://host:1883\"";
        let url = url.trim();
        if url.is_empty() {
            return Err(format!("there is no address; {EXAMPLE}"));
        }
        let uri: Uri = url.parse().map_err(|error| format!("this is no address ({error}); {EXAMPLE}"))?;
        let (transport, usual_port) = match uri.scheme_str() {
            Some("tcp" | "mqtt") => (BrokerTransport::Tcp, 1883),
            Some("mqtts" | "ssl" | "tls") => (BrokerTransport::Tls, 8883),
            Some("ws") => (BrokerTransport::WebSocket, 80),
            Some("wss") => (BrokerTransport::WebSocketTls, 443),
            Some(other) => {
                return Err(format!("{other}:// is not for MQTT; use tcp, mqtt, mqtts, ws or wss"));
            }
            None => return Err(format!("the scheme is missing; {EXAMPLE}")),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(
                "write the user into mqtt.client.username and .password, not into the address".to_owned()
            );
        }
        let host = uri.host().filter(|host| !host.is_empty());
        let host = host.ok_or_else(|| format!("the host is missing; {EXAMPLE}"))?.to_owned();
        let port = match uri.port() {
            // One that is no number counts as none there.
            None if uri.authority().is_some_and(|authority| authority.as_str() != host) => {
                return Err(format!("the port is impossible; {EXAMPLE}"));
            }
            None => usual_port,
            Some(port) => match port.as_u16() {
                0 => return Err(format!("port 0 is impossible; {EXAMPLE}")),
                port => port,
            },
        };
        let over_web = matches!(transport, BrokerTransport::WebSocket | BrokerTransport::WebSocketTls);
        if !over_web && !matches!(uri.path(), "" | "/") {
            return Err("only ws and wss addresses have a path".to_owned());
        }
        Ok(Self { transport, host, port, path: uri.path().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use BrokerTransport as T;

    #[test]
    fn addresses_that_work() {
        for (url, transport, host, port, path) in [
            ("tcp://broker", T::Tcp, "broker", 1883, "/"),
            (" mqtt://10.0.0.1:1884/ ", T::Tcp, "10.0.0.1", 1884, "/"),
            ("tcp://[::1]:1885", T::Tcp, "[::1]", 1885, "/"),
            ("mqtts://broker", T::Tls, "broker", 8883, "/"),
            ("ssl://broker:1", T::Tls, "broker", 1, "/"),
            ("ws://broker:8083/mqtt", T::WebSocket, "broker", 8083, "/mqtt"),
            ("wss://broker", T::WebSocketTls, "broker", 443, "/"),
        ] {
            let want = Broker { transport, host: host.to_owned(), port, path: path.to_owned() };
            assert_eq!(Broker::parse(url), Ok(want), "{url}");
        }
    }

    #[test]
    fn addresses_that_do_not() {
        for (url, why) in [
            ("", "no address"),
            ("broker", "scheme"),
            ("broker:1883", "scheme"),
            ("http://broker", "http://"),
            ("tcp://", "address"),
            ("tcp://:1883", "host"),
            ("tcp://broker:0", "port"),
            ("tcp://broker:99999", "port"),
            ("tcp://broker:", "port"),
            ("tcp://bro ker", "address"),
            ("tcp://me:s3cret@broker", "mqtt.client.username"),
            ("tcp://broker/topic", "path"),
        ] {
            let message = Broker::parse(url).unwrap_err();
            assert!(message.contains(why) && !message.contains("s3cret"), "{url}: {message}");
        }
    }
}
