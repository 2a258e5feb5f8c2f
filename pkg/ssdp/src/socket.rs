//! UDP sockets for multicast.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddrV4};

use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;

use crate::Interface;

/// Hops that a message survives, as the protocol advises.
const TTL: u32 = 2;
/// Networks that are served; a machine with more has them for its containers.
const MAX_NETWORKS: usize = 32;

/// A socket on that port of every address. A port other than 0 is shared with whoever else listens to the same group.
pub(crate) fn open(port: u16) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    if port != 0 {
        socket.set_reuse_address(true)?;
        // Elsewhere the former alone does not allow it.
        #[cfg(all(unix, not(target_os = "linux")))]
        socket.set_reuse_port(true)?;
    }
    socket.set_multicast_ttl_v4(TTL)?;
    // For those on this machine.
    socket.set_multicast_loop_v4(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port).into())?;
    UdpSocket::from_std(socket.into())
}

/// One IPv4 address for each network.
pub(crate) fn networks(interfaces: &[Interface]) -> Vec<Ipv4Addr> {
    let mut networks: Vec<Ipv4Addr> = interfaces
        .iter()
        .filter_map(|interface| match interface.address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        })
        .collect();
    networks.sort();
    networks.dedup();
    networks.truncate(MAX_NETWORKS);
    networks
}

/// Sends a message to the group on every network. What cannot be sent is not: the next message may come through.
pub(crate) fn send_to_all(socket: &UdpSocket, networks: &[Ipv4Addr], group: SocketAddrV4, text: &str) {
    let socket = SockRef::from(socket);
    for network in networks {
        let sent =
            socket.set_multicast_if_v4(network).and_then(|()| socket.send_to(text.as_bytes(), &group.into()));
        if let Err(error) = sent {
            tracing::debug!(%network, %error, "cannot send to this network");
        }
    }
}
