//! The addresses of this machine, and the URLs that others can reach it at.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// An address of a network interface that is up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Name of the interface.
    pub name: String,
    /// One of its addresses.
    pub address: IpAddr,
    /// How many bits of the address are those of the network.
    pub prefix: u8,
    /// Whether it only leads to this machine itself.
    pub loopback: bool,
}

impl Interface {
    /// Every address of every interface that is up.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn all() -> io::Result<Vec<Self>> {
        let found = if_addrs::get_if_addrs()?;
        Ok(found.into_iter().filter(if_addrs::Interface::is_oper_up).map(Self::from_found).collect())
    }

    fn from_found(found: if_addrs::Interface) -> Self {
        let loopback = found.is_loopback();
        let (address, prefix) = match &found.addr {
            if_addrs::IfAddr::V4(address) => (IpAddr::V4(address.ip), address.prefixlen),
            if_addrs::IfAddr::V6(address) => (IpAddr::V6(address.ip), address.prefixlen),
        };
        Self { name: found.name, address, prefix, loopback }
    }

    /// Whether `other` is on the network of this address.
    pub(crate) fn is_on_link(&self, other: Ipv4Addr) -> bool {
        let IpAddr::V4(address) = self.address else { return false };
        let mask = u32::MAX.checked_shl(32 - u32::from(self.prefix.min(32))).unwrap_or(0);
        address.to_bits() & mask == other.to_bits() & mask
    }

    #[cfg(test)]
    pub(crate) fn test(address: &str, prefix: u8, loopback: bool) -> Self {
        Self { name: "if0".into(), address: address.parse().unwrap(), prefix, loopback }
    }
}

/// The URLs of a server that listens on `host` (empty: on all addresses) and `port`, best first, each with a slash at
/// its end. Empty when this machine has no address.
#[must_use]
pub fn own_urls(host: &str, port: u16, interfaces: &[Interface]) -> Vec<String> {
    match host.parse::<IpAddr>() {
        _ if host.is_empty() => {}
        Ok(address) if address.is_unspecified() => {}
        Ok(address) => return vec![format!("http://{}/", SocketAddr::new(address, port))],
        Err(_) => return vec![format!("http://{host}:{port}/")],
    }
    let addresses = reachable(interfaces);
    addresses.into_iter().map(|address| format!("http://{}/", SocketAddr::new(address, port))).collect()
}

/// The addresses by which other machines may reach this one; those that only this machine can use when there are no
/// others.
fn reachable(interfaces: &[Interface]) -> Vec<IpAddr> {
    let has_real_v4 = |name: &str| {
        interfaces.iter().any(|interface| match interface.address {
            IpAddr::V4(address) => interface.name == name && !address.is_link_local(),
            IpAddr::V6(_) => false,
        })
    };
    let usable = interfaces.iter().filter(|interface| match interface.address {
        IpAddr::V4(address) if address.is_link_local() => !has_real_v4(&interface.name),
        IpAddr::V4(address) => !address.is_multicast() && !address.is_unspecified(),
        IpAddr::V6(address) => {
            !address.is_unicast_link_local() && !address.is_multicast() && !address.is_unspecified()
        }
    });
    let (loopback, real): (Vec<_>, Vec<_>) =
        usable.partition(|interface| interface.loopback || interface.address.is_loopback());
    let chosen = if real.is_empty() { loopback } else { real };
    let mut addresses: Vec<IpAddr> = chosen.into_iter().map(|interface| interface.address).collect();
    // IPv4 first, then by bytes, which is how the standard library orders them.
    addresses.sort();
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Interfaces and their addresses, and what is expected of them.
    type Case<'a> = (&'a [(&'a str, &'a str)], &'a [&'a str]);

    /// `name address` with `lo` for loopback.
    fn machine(addresses: &[(&str, &str)]) -> Vec<Interface> {
        let interface = |(name, address): &(&str, &str)| Interface {
            name: (*name).to_owned(),
            loopback: *name == "lo",
            ..Interface::test(address, 24, false)
        };
        addresses.iter().map(interface).collect()
    }

    #[test]
    fn a_host_that_is_named_is_the_only_url() {
        let machine = machine(&[("eth0", "10.0.0.1")]);
        for (host, url) in [
            ("192.168.0.1", "http://192.168.0.1:8080/"),
            ("farm.local", "http://farm.local:8080/"),
            ("127.0.0.1", "http://127.0.0.1:8080/"),
            ("::1", "http://[::1]:8080/"),
            ("fe80::1", "http://[fe80::1]:8080/"),
            ("", "http://10.0.0.1:8080/"),
            ("0.0.0.0", "http://10.0.0.1:8080/"),
            ("::", "http://10.0.0.1:8080/"),
        ] {
            assert_eq!(own_urls(host, 8080, &machine), [url], "{host}");
        }
    }

    #[test]
    fn the_addresses_that_others_can_use() {
        let cases: [Case<'_>; 8] = [
            (&[], &[]),
            (&[("lo", "127.0.0.1"), ("lo", "::1")], &["127.0.0.1", "[::1]"]),
            (&[("lo", "127.0.0.1"), ("eth0", "fe80::2")], &["127.0.0.1"]),
            (
                &[("lo", "::1"), ("eth0", "fd00::2"), ("eth0", "10.0.0.2"), ("lo", "127.0.0.1")],
                &["10.0.0.2", "[fd00::2]"],
            ),
            (&[("eth0", "192.168.1.2"), ("eth1", "10.0.0.2")], &["10.0.0.2", "192.168.1.2"]),
            (&[("eth0", "169.254.3.4"), ("eth0", "10.0.0.2")], &["10.0.0.2"]),
            (&[("eth0", "10.0.0.2"), ("eth1", "169.254.3.4")], &["10.0.0.2", "169.254.3.4"]),
            (
                &[("eth0", "224.0.0.1"), ("eth0", "0.0.0.0"), ("eth0", "ff02::1"), ("eth1", "10.0.0.2")],
                &["10.0.0.2"],
            ),
        ];
        for (addresses, expected) in cases {
            let urls: Vec<_> = expected.iter().map(|address| format!("http://{address}:80/")).collect();
            assert_eq!(own_urls("", 80, &machine(addresses)), urls, "{addresses:?}");
        }
    }

    #[test]
    fn networks() {
        for (prefix, other, inside) in [
            (24, "10.0.0.99", true),
            (24, "10.0.1.99", false),
            (8, "10.9.9.9", true),
            (0, "8.8.8.8", true),
            (32, "10.0.0.1", true),
            (32, "10.0.0.2", false),
        ] {
            let interface = Interface::test("10.0.0.1", prefix, false);
            assert_eq!(interface.is_on_link(other.parse().unwrap()), inside, "{prefix} {other}");
        }
    }

    #[test]
    fn this_machine_has_addresses() {
        let all = Interface::all().unwrap();
        assert!(!own_urls("", 80, &all).is_empty(), "{all:?}");
    }
}
