//! Addresses for programs that a test starts.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};

use uuid::Uuid;

/// Ports that no system gives to outgoing connections: one of those would have the port of a program that is between
/// two runs.
const PORTS: std::ops::Range<u16> = 20_000..32_768;

/// An address of this machine that nobody listens at.
#[must_use]
pub fn free_address() -> SocketAddr {
    let random = || PORTS.start + (Uuid::new_v4().as_u128() % PORTS.len() as u128) as u16;
    let bound =
        |()| TcpListener::bind((Ipv4Addr::LOCALHOST, random())).and_then(|bound| bound.local_addr()).ok();
    std::iter::repeat(()).find_map(bound).expect("a free port") // only for tests
}
