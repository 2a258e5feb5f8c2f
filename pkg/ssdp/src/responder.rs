//! Announces and answers.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use chrono::Utc;
use rand::Rng;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::answers::{Answers, is_near};
use crate::message::{self, MAX_AGE, MAX_DATAGRAM};
use crate::socket::{networks, open, send_to_all};
use crate::{Interface, Service};

/// When the first announcements are sent; a single one may get lost.
const FIRST_ANNOUNCEMENTS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(3)];
/// Later ones come before the former have lost their validity.
const ANNOUNCEMENT_PERIOD: Duration = Duration::from_secs(MAX_AGE.as_secs() / 2);
/// How often to look whether this machine has got other addresses.
const LOOK_PERIOD: Duration = Duration::from_secs(30);
/// After a socket error, which may well come again at once.
const PAUSE: Duration = Duration::from_millis(200);
/// Announced URLs. Each search is answered with a datagram for each of them.
const MAX_LOCATIONS: usize = 8;

/// The URLs of the descriptions, given the addresses of this machine.
pub type Locations = Box<dyn Fn(&[Interface]) -> Vec<String> + Send + Sync>;

/// What is said about the service.
pub struct Announcement {
    /// Asked again when the addresses change.
    pub locations: Locations,
    /// Which program this is, as in `Linux/6 UPnP/1.1 Program/1.0`.
    pub server: String,
}

impl fmt::Debug for Announcement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Announcement").field("server", &self.server).finish_non_exhaustive()
    }
}

/// A socket that hears searches.
#[derive(Debug)]
pub struct Responder {
    socket: UdpSocket,
    service: Service,
    group: SocketAddrV4,
}

/// What the responder knows about this machine at the moment.
struct Machine {
    interfaces: Vec<Interface>,
    networks: Vec<Ipv4Addr>,
    locations: Vec<String>,
}

impl Responder {
    /// Starts to listen; `group` is [`crate::GROUP`] outside tests. Needs a tokio runtime.
    ///
    /// # Errors
    /// What the operating system says, mostly that another program has the port for itself.
    pub fn bind(service: Service, group: SocketAddrV4) -> io::Result<Self> {
        Ok(Self { socket: open(group.port())?, service, group })
    }

    /// Announces and answers until `cancel`; then says goodbye.
    pub async fn run(self, announcement: Announcement, cancel: CancellationToken) {
        let start = Instant::now();
        let mut machine = Machine { interfaces: Vec::new(), networks: Vec::new(), locations: Vec::new() };
        self.look_around(&mut machine, &announcement);
        let mut announcements: Vec<Instant> =
            FIRST_ANNOUNCEMENTS.iter().rev().map(|after| start + *after).collect();
        let mut next_look = start + LOOK_PERIOD;
        let mut answers = Answers::default();
        let mut buffer = [0; MAX_DATAGRAM];
        loop {
            let now = Instant::now();
            for (sender, target) in answers.due(now) {
                self.answer(sender, &target, &machine, &announcement).await;
            }
            if announcements.last().is_some_and(|at| *at <= now) {
                announcements.pop();
                self.announce(&machine, &announcement);
            }
            if announcements.is_empty() {
                announcements.push(now + ANNOUNCEMENT_PERIOD);
            }
            if next_look <= now {
                next_look = now + LOOK_PERIOD;
                if self.look_around(&mut machine, &announcement) {
                    announcements.push(now + FIRST_ANNOUNCEMENTS[0]);
                }
            }
            let wake = announcements.iter().copied().chain([next_look]).chain(answers.next()).min();
            let wake = wake.unwrap_or(next_look);
            tokio::select! {
                () = cancel.cancelled() => break,
                () = tokio::time::sleep_until(wake.into()) => {}
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((length, sender)) => self.hear(&buffer[..length], sender, &machine, &mut answers),
                    Err(error) => {
                        tracing::debug!(%error, "cannot receive searches");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
            }
        }
        send_to_all(&self.socket, &machine.networks, self.group, &message::byebye(&self.service, self.group));
    }

    /// Reads the addresses of this machine, and joins the group on new networks. Whether anything is new.
    fn look_around(&self, machine: &mut Machine, announcement: &Announcement) -> bool {
        let interfaces = match Interface::all() {
            Ok(interfaces) => interfaces,
            Err(error) => {
                tracing::warn!(%error, "cannot tell the addresses of this machine");
                return false;
            }
        };
        if interfaces == machine.interfaces {
            return false;
        }
        let found = networks(&interfaces);
        for network in found.iter().filter(|network| !machine.networks.contains(network)) {
            // Fails on a network without multicast, and for an address that went away and came back.
            if let Err(error) = self.socket.join_multicast_v4(*self.group.ip(), *network) {
                tracing::debug!(%network, %error, "does not listen for searches on this network");
            }
        }
        machine.locations = (announcement.locations)(&interfaces);
        machine.locations.truncate(MAX_LOCATIONS);
        machine.networks = found;
        machine.interfaces = interfaces;
        tracing::debug!(locations = ?machine.locations, networks = ?machine.networks, "announcing");
        true
    }

    fn hear(&self, datagram: &[u8], sender: SocketAddr, machine: &Machine, answers: &mut Answers) {
        let SocketAddr::V4(sender) = sender else { return };
        if sender.port() == 0 || !is_near(*sender.ip(), &machine.interfaces) {
            return;
        }
        let Some(wanted) = message::read_search(datagram, &self.service) else { return };
        // All answers have to arrive in that time.
        let share = u32::try_from(machine.locations.len()).unwrap_or(1).max(1);
        let delay = rand::rng().random_range(Duration::ZERO..=wanted.spread / share);
        let admitted = answers.admit(sender, wanted.target, Instant::now() + delay);
        tracing::trace!(%sender, admitted, ?delay, "somebody searches");
    }

    async fn answer(
        &self,
        sender: SocketAddrV4,
        target: &str,
        machine: &Machine,
        announcement: &Announcement,
    ) {
        let is_own = machine.networks.contains(sender.ip());
        for location in machine.locations.iter().filter(|location| is_own || !is_only_local(location)) {
            let text = message::answer(&self.service, target, location, &announcement.server, Utc::now());
            if let Err(error) = self.socket.send_to(text.as_bytes(), sender).await {
                tracing::debug!(%sender, %error, "cannot answer a search");
            }
        }
    }

    fn announce(&self, machine: &Machine, announcement: &Announcement) {
        let local: Vec<Ipv4Addr> =
            machine.networks.iter().copied().filter(|network| network.is_loopback()).collect();
        for location in &machine.locations {
            let text = message::alive(&self.service, self.group, location, &announcement.server);
            let networks = if is_only_local(location) { &local } else { &machine.networks };
            send_to_all(&self.socket, networks, self.group, &text);
        }
    }
}

/// Whether a URL leads every machine to itself.
fn is_only_local(location: &str) -> bool {
    let host = location.split_once("://").map_or(location, |(_, rest)| rest);
    ["127.", "localhost", "[::1]"].iter().any(|local| host.starts_with(local))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_that_others_should_not_be_told() {
        for (location, local) in [
            ("http://127.0.0.1:8080/x", true),
            ("http://127.0.1.1/", true),
            ("http://localhost:8080/x", true),
            ("http://[::1]:8080/x", true),
            ("http://12.7.0.1/", false),
            ("http://farm/127.0.0.1", false),
            ("http://[fd00::1]/", false),
        ] {
            assert_eq!(is_only_local(location), local, "{location}");
        }
    }
}
