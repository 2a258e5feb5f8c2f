//! Which searches are answered, and when. Bounded in every direction: whoever sends a datagram can write any sender
//! into it, and what is sent back would hit that sender.
//!
//! - Only senders near by are answered: on a network of this machine, or with an address that no router of the
//!   internet passes on.
//! - A sender that waits for an answer is not queued again, and after the answer has to wait a second for the next.
//! - Each address has few sockets that are answered at once, and all together are limited, too.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use crate::Interface;

/// A socket gets one round of answers in this time.
const REST: Duration = Duration::from_secs(1);
/// Sockets of one address that are answered at once. A machine may run several workers.
const SOCKETS_PER_ADDRESS: usize = 16;
/// Sockets that are answered at once: a large farm that starts all at the same time.
const SOCKETS: usize = 4096;

/// Searches that were accepted and wait for their answer.
#[derive(Debug, Default)]
pub(crate) struct Answers {
    /// By sender: what it searched for, and when it is due; after the answer, when it may ask again.
    waiting: HashMap<SocketAddrV4, Waiting>,
    per_address: HashMap<Ipv4Addr, usize>,
}

#[derive(Debug)]
struct Waiting {
    target: Option<String>,
    at: Instant,
}

impl Answers {
    /// Whether the search is going to be answered, at `at`.
    pub fn admit(&mut self, sender: SocketAddrV4, target: String, at: Instant) -> bool {
        let from_address = self.per_address.get(sender.ip()).copied().unwrap_or_default();
        if self.waiting.contains_key(&sender)
            || self.waiting.len() >= SOCKETS
            || from_address >= SOCKETS_PER_ADDRESS
        {
            return false;
        }
        self.waiting.insert(sender, Waiting { target: Some(target), at });
        self.per_address.insert(*sender.ip(), from_address + 1);
        true
    }

    /// The searches to answer now, with their senders.
    pub fn due(&mut self, now: Instant) -> Vec<(SocketAddrV4, String)> {
        let mut due = Vec::new();
        let per_address = &mut self.per_address;
        self.waiting.retain(|sender, waiting| {
            if waiting.at > now {
                return true;
            }
            if let Some(target) = waiting.target.take() {
                due.push((*sender, target));
                waiting.at = now + REST;
                return true;
            }
            if let Some(count) = per_address.get_mut(sender.ip()) {
                *count -= 1;
                if *count == 0 {
                    per_address.remove(sender.ip());
                }
            }
            false
        });
        due
    }

    /// When there is something to do again.
    pub fn next(&self) -> Option<Instant> {
        self.waiting.values().map(|waiting| waiting.at).min()
    }
}

/// Whether an address can be that of somebody on the networks of this machine.
pub(crate) fn is_near(sender: Ipv4Addr, interfaces: &[Interface]) -> bool {
    let local = sender.is_loopback() || sender.is_private() || sender.is_link_local();
    let usable = !sender.is_broadcast() && !sender.is_multicast() && !sender.is_unspecified();
    usable && (local || interfaces.iter().any(|interface| interface.is_on_link(sender)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sender(address: u8, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, address), port)
    }

    #[test]
    fn who_waits_is_answered_once_and_then_rests() {
        let mut answers = Answers::default();
        let start = Instant::now();
        let later = |milliseconds| start + Duration::from_millis(milliseconds);
        assert!(answers.admit(sender(1, 5000), "a".into(), later(500)));
        assert!(!answers.admit(sender(1, 5000), "b".into(), later(600)), "it waits already");
        assert_eq!(answers.next(), Some(later(500)));
        assert_eq!(answers.due(later(499)), []);
        assert_eq!(answers.due(later(500)), [(sender(1, 5000), "a".to_owned())]);
        assert_eq!(answers.due(later(501)), []);
        assert!(!answers.admit(sender(1, 5000), "c".into(), later(700)), "it has to rest");
        assert_eq!(answers.due(later(1500)), []);
        assert_eq!(answers.next(), None, "nothing is kept of those who are served");
        assert!(answers.admit(sender(1, 5000), "d".into(), later(1600)));
    }

    #[test]
    fn a_flood_is_cut_off() {
        let mut answers = Answers::default();
        let start = Instant::now();
        let admitted = (0..1000).filter(|port| answers.admit(sender(1, *port), "x".into(), start)).count();
        assert_eq!(admitted, SOCKETS_PER_ADDRESS);
        assert!(answers.admit(sender(2, 1), "x".into(), start), "others are served all the same");
        for number in 0..20_000_u32 {
            let sender = SocketAddrV4::new(Ipv4Addr::from_bits(0x0a01_0000 + number), 1);
            answers.admit(sender, "x".into(), start);
        }
        assert_eq!(answers.due(start).len(), SOCKETS);
        assert!(answers.due(start + REST).is_empty());
        assert!(answers.waiting.is_empty() && answers.per_address.is_empty(), "and then all is free again");
    }

    #[test]
    fn strangers_are_not_answered() {
        let interfaces = [Interface::test("203.0.113.5", 24, false)];
        for (address, near) in [
            ("127.0.0.1", true),
            ("10.1.2.3", true),
            ("172.16.0.1", true),
            ("192.168.1.9", true),
            ("169.254.1.1", true),
            ("203.0.113.99", true),
            ("203.0.114.99", false),
            ("8.8.8.8", false),
            ("255.255.255.255", false),
            ("224.0.0.1", false),
            ("0.0.0.0", false),
        ] {
            assert_eq!(is_near(address.parse().unwrap(), &interfaces), near, "{address}");
        }
    }
}
