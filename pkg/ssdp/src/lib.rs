//! Finding a service on the local network, by SSDP over IPv4 multicast.
//!
//! ```text
//!   searcher                               responder
//!      │  M-SEARCH to 239.255.255.250:1900     │
//!      ├──────────────────────────────────────►│  waits a random time, then one answer for each URL
//!      │◄──────────────────────────────────────┤
//!      │                                       │  NOTIFY alive now and then, NOTIFY byebye at the end
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`Service`] | what is announced and searched for; [`MANAGER`] is the manager of a render farm |
//! | [`Responder`] | announces URLs and answers searches |
//! | [`Search`] | asks, and gives the places that answer |
//! | [`Interface`], [`own_urls`] | the addresses of this machine, and the URLs others can reach it at |
//! | [`Description`] | the XML document that an announcement points to |
//!
//! Whatever comes from the network is a stranger's: what does not fit is dropped without an answer, and what fits is
//! answered at a bounded rate, so that nobody can be flooded by way of this machine.

mod answers;
mod description;
mod interfaces;
mod message;
mod responder;
mod search;
mod socket;

use std::net::{Ipv4Addr, SocketAddrV4};

pub use description::Description;
pub use interfaces::{Interface, own_urls};
pub use responder::{Announcement, Locations, Responder};
pub use search::Search;

/// Where searches and announcements are sent to, on every network.
pub const GROUP: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 255, 255, 250), 1900);

/// What is announced and searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Service {
    /// Its type, as in `urn:domain:type:version`.
    pub service_type: &'static str,
    /// The UUID of the device, without `uuid:`.
    pub device: &'static str,
}

/// The manager of a render farm. All managers have the same UUID.
pub const MANAGER: Service =
    Service { service_type: "urn:flamenco:manager:0", device: "aa80bc5f-d0af-46b8-8630-23bd7e80ec4d" };

impl Service {
    /// The unique name in messages.
    fn usn(&self) -> String {
        format!("uuid:{}::{}", self.device, self.service_type)
    }
}
