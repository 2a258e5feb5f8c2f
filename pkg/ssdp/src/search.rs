//! Asks who offers a service.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::Instant;

use crate::message::{self, MAX_DATAGRAM};
use crate::socket::{networks, open, send_to_all};
use crate::{Interface, Service};

/// Between two questions.
const PERIOD: Duration = Duration::from_secs(1);
/// How many seconds those who answer may take.
const SPREAD: u8 = 3;
/// After a socket error, which may well come again at once.
const PAUSE: Duration = Duration::from_millis(200);

/// A search that goes on for as long as somebody waits for its [next](Self::next) result.
#[derive(Debug)]
pub struct Search {
    socket: UdpSocket,
    service: Service,
    group: SocketAddrV4,
    next_question: Instant,
}

impl Search {
    /// Prepares a search; `group` is [`crate::GROUP`] outside tests. Needs a tokio runtime.
    ///
    /// # Errors
    /// What the operating system says.
    pub fn new(service: Service, group: SocketAddrV4) -> io::Result<Self> {
        Ok(Self { socket: open(0)?, service, group, next_question: Instant::now() })
    }

    /// Where the questions go.
    pub fn group(&self) -> SocketAddrV4 {
        self.group
    }

    /// Asks every second, on every network of this machine, until somebody answers; then gives the URL from the
    /// answer. The same URL comes again and again.
    pub async fn next(&mut self) -> String {
        let mut buffer = [0; MAX_DATAGRAM];
        loop {
            tokio::select! {
                // Answers to the last question first.
                biased;
                received = self.socket.recv_from(&mut buffer) => match received {
                    Ok((length, _)) => {
                        if let Some(location) = message::read_answer(&buffer[..length], &self.service) {
                            return location;
                        }
                    }
                    Err(error) => {
                        tracing::debug!(%error, "cannot receive answers");
                        tokio::time::sleep(PAUSE).await;
                    }
                },
                () = tokio::time::sleep_until(self.next_question) => {
                    self.ask();
                    self.next_question = Instant::now() + PERIOD;
                }
            }
        }
    }

    fn ask(&self) {
        // Anew each time: the network may come up while a machine starts.
        let mut networks = Interface::all().map(|interfaces| networks(&interfaces)).unwrap_or_default();
        if networks.is_empty() {
            // Leaves the choice to the operating system.
            networks.push(Ipv4Addr::UNSPECIFIED);
        }
        let text = message::search(&self.service, self.group, SPREAD);
        send_to_all(&self.socket, &networks, self.group, &text);
    }
}
