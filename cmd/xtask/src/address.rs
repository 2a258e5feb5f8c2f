//! Addresses for the managers that are started here.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use anyhow::{Result, bail};

/// Ports that no system gives to outgoing connections. Thousands of these are made here: one of them would have the
/// port of a manager that is between two runs.
const PORTS: std::ops::Range<u16> = 20_000..32_768;
const TRIES: usize = 100;

/// An address of this machine that nothing listens on.
pub fn free_address() -> Result<String> {
    for _ in 0..TRIES {
        let random = RandomState::new().build_hasher().finish() % u64::from(PORTS.end - PORTS.start);
        let port = PORTS.start + u16::try_from(random)?;
        if let Ok(listener) = TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            return Ok(listener.local_addr()?.to_string());
        }
    }
    bail!("cannot find a free port from {} to {}", PORTS.start, PORTS.end - 1)
}
