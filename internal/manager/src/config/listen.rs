//! The address to listen on, as in `:8080`, `farm.local:80` or `[::1]:8080`.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::net::TcpListener;

/// Host and port to listen on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenAddress {
    /// Name or address, without brackets; empty for all network interfaces.
    pub host: String,
    /// 0 lets the operating system choose.
    pub port: u16,
}

impl ListenAddress {
    /// Reads `host:port`, where the host may be missing.
    ///
    /// # Errors
    /// A sentence that says what to write instead.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let advice = "write for example \":8080\" for all network interfaces, or \"192.168.1.5:8080\"";
        if !text.is_empty() && text.chars().all(|c| c.is_ascii_digit()) {
            return Err(format!("{text:?} has no colon; write \":{text}\""));
        }
        let Some((host, port)) = text.rsplit_once(':') else {
            return Err(format!("{text:?} has no port; {advice}"));
        };
        let port = port.parse().map_err(|_| format!("{port:?} is not a port from 0 to 65535; {advice}"))?;
        let host = match host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
            Some(address) if address.parse::<Ipv6Addr>().is_ok() => address,
            Some(address) => return Err(format!("{address:?} is not an IPv6 address; {advice}")),
            None if host.contains(['/', ' ']) => {
                return Err(format!("{host:?} is not a host name; {advice}"));
            }
            None if host.contains(':') => {
                return Err(format!("IPv6 addresses need brackets: \"[{host}]:{port}\""));
            }
            None => host,
        };
        Ok(Self { host: host.to_owned(), port })
    }

    /// Starts to listen.
    ///
    /// # Errors
    /// What the operating system says, with the address in the message.
    pub async fn bind(&self) -> io::Result<TcpListener> {
        let bound = if self.host.is_empty() {
            // One socket for IPv6 and IPv4, where there is IPv6 and the system shares sockets between the two.
            match TcpListener::bind((Ipv6Addr::UNSPECIFIED, self.port)).await {
                Ok(listener) if cfg!(not(windows)) => Ok(listener),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(error),
                _ => TcpListener::bind((Ipv4Addr::UNSPECIFIED, self.port)).await,
            }
        } else {
            TcpListener::bind((self.host.as_str(), self.port)).await
        };
        bound.map_err(|error| io::Error::new(error.kind(), format!("cannot listen on {self}: {error}")))
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(formatter, "[{}]:{}", self.host, self.port),
            false => write!(formatter, "{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_table() {
        for (text, host, port) in [
            (":8080", "", 8080),
            (" :0 ", "", 0),
            ("localhost:80", "localhost", 80),
            ("0.0.0.0:8080", "0.0.0.0", 8080),
            ("[::1]:8080", "::1", 8080),
            ("[::]:8080", "::", 8080),
        ] {
            let address = ListenAddress::parse(text).unwrap();
            assert_eq!((address.host.as_str(), address.port), (host, port), "{text:?}");
            assert_eq!(address.to_string(), text.trim());
        }
    }

    #[test]
    fn refused_table() {
        for (text, advice) in [
            ("8080", "write \":8080\""),
            ("", "has no port"),
            ("localhost", "has no port"),
            (":http", "not a port"),
            (":65536", "not a port"),
            ("::1:8080", "\"[::1]:8080\""),
            ("[farm]:8080", "not an IPv6 address"),
            ("http://farm:8080", "not a host name"),
            ("//farm:8080", "not a host name"),
        ] {
            let message = ListenAddress::parse(text).unwrap_err();
            assert!(message.contains(advice), "{text:?}: {message}");
        }
    }

    #[tokio::test]
    async fn listens_on_both_protocols() {
        let listener = ListenAddress::parse(":0").unwrap().bind().await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::net::TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let error = ListenAddress { host: String::new(), port }.bind().await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
        assert!(error.to_string().contains(&format!(":{port}")), "{error}");
    }
}
