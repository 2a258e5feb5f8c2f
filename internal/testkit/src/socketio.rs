//! A Socket.IO client over WebSocket, for both protocols that the manager speaks.

use std::collections::VecDeque;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use crate::TestManager;

/// How long an event may take to arrive.
const PATIENCE: Duration = Duration::from_secs(10);

/// Bytes that the kernel keeps for this client.
const RECEIVE_BUFFER: u32 = 16 * 1024;

/// Which version to speak.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// Engine.IO 3, as the stock web app does: the server opens the namespace, the client sends pings.
    Three,
    /// Engine.IO 4: the client opens the namespace, the server sends pings.
    Four,
}

/// A connection that receives the events of the farm.
pub struct LiveUpdates {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    /// Events that arrived while something else was waited for.
    waiting: VecDeque<(String, Value)>,
    next_ack: u32,
}

/// A message of the server.
enum Incoming {
    Event(String, Value),
    Ack(u32, Value),
    Pong,
    Closed,
}

impl Incoming {
    fn read(text: &str) -> Self {
        if text == "3" {
            return Self::Pong;
        }
        if text == "1" || text == "41" {
            return Self::Closed;
        }
        if let Some(rest) = text.strip_prefix("42") {
            let list: Vec<Value> = serde_json::from_str(rest).expect("an event is a JSON list");
            let name = list[0].as_str().expect("an event has a name").to_owned();
            return Self::Event(name, list.get(1).cloned().unwrap_or_default());
        }
        let rest = text.strip_prefix("43").unwrap_or_else(|| panic!("a packet that nobody expects: {text}"));
        let digits = rest.find('[').expect("an acknowledgement is a list");
        let list: Vec<Value> = serde_json::from_str(&rest[digits..]).expect("JSON");
        Self::Ack(rest[..digits].parse().expect("a number"), list[0].clone())
    }
}

impl LiveUpdates {
    /// Connects.
    pub async fn connect(manager: &TestManager, protocol: Protocol) -> Self {
        Self::connect_with(manager, protocol, &[]).await.expect("a WebSocket")
    }

    /// Connects with these HTTP headers; the status of the answer when the manager does not want that.
    ///
    /// # Errors
    /// With the HTTP status of a refusal.
    pub async fn connect_with(
        manager: &TestManager,
        protocol: Protocol,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, u16> {
        let version = if protocol == Protocol::Three { 3 } else { 4 };
        let url = format!("ws://{}/socket.io/?EIO={version}&transport=websocket", manager.address());
        let mut request = url.into_client_request().expect("a request");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("a header"));
        }
        let tcp = TcpSocket::new_v4().expect("a socket");
        // So that a client that does not read is soon noticed by the manager.
        tcp.set_recv_buffer_size(RECEIVE_BUFFER).expect("a small buffer");
        let tcp = tcp.connect(manager.address()).await.expect("the manager listens");
        let socket = match tokio_tungstenite::client_async(request, MaybeTlsStream::Plain(tcp)).await {
            Ok((socket, _)) => socket,
            Err(tungstenite::Error::Http(refusal)) => return Err(refusal.status().as_u16()),
            Err(error) => panic!("no WebSocket: {error}"),
        };
        let mut live = Self { socket, waiting: VecDeque::new(), next_ack: 1 };
        let open = live.text().await.expect("the server opens the session");
        let session: Value =
            serde_json::from_str(open.strip_prefix('0').expect("an open packet")).expect("JSON");
        assert!(session["sid"].is_string() && session["pingInterval"].is_number(), "{session}");
        if protocol == Protocol::Four {
            live.send("40").await;
        }
        // What happens meanwhile may come first; clients of both protocols keep it until they are connected.
        loop {
            let text = live.text().await.expect("the server opens the namespace");
            if text.starts_with("40") {
                return Ok(live);
            }
            match Incoming::read(&text) {
                Incoming::Event(name, payload) => live.waiting.push_back((name, payload)),
                _ => panic!("neither a connection nor an event: {text}"),
            }
        }
    }

    async fn send(&mut self, text: &str) {
        self.socket.send(Message::text(text.to_owned())).await.expect("sending");
    }

    /// The next text that is no ping, which may come at any moment; `None` when the connection is closed.
    async fn text(&mut self) -> Option<String> {
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) if text == "2" => {
                    // The server may be gone by now, which the next read tells.
                    drop(self.socket.send(Message::text("3")).await);
                }
                Some(Ok(Message::Text(text))) => return Some(text.to_string()),
                Some(Ok(Message::Close(_)) | Err(_)) | None => return None,
                Some(Ok(_)) => {}
            }
        }
    }

    async fn receive(&mut self) -> Incoming {
        match self.text().await {
            Some(text) => Incoming::read(&text),
            None => Incoming::Closed,
        }
    }

    /// Sends a ping, as clients of the old protocol do, and waits for the answer.
    pub async fn ping(&mut self) {
        self.send("2").await;
        let answered = async {
            loop {
                match self.receive().await {
                    Incoming::Pong => return,
                    Incoming::Event(name, payload) => self.waiting.push_back((name, payload)),
                    Incoming::Ack(..) | Incoming::Closed => panic!("not a pong"),
                }
            }
        };
        tokio::time::timeout(PATIENCE, answered).await.expect("a pong in time");
    }

    /// Sends a subscription as it is, and gives the text of its acknowledgement.
    pub async fn subscription(&mut self, wanted: Value) -> String {
        let id = self.next_ack;
        self.next_ack += 1;
        self.send(&format!("42{id}{}", json!(["/subscription", wanted]))).await;
        let answered = async {
            loop {
                match self.receive().await {
                    Incoming::Ack(number, text) if number == id => return text,
                    Incoming::Event(name, payload) => self.waiting.push_back((name, payload)),
                    Incoming::Pong => {}
                    Incoming::Ack(..) | Incoming::Closed => panic!("not the acknowledgement of {wanted}"),
                }
            }
        };
        let text = tokio::time::timeout(PATIENCE, answered).await.expect("an acknowledgement in time");
        text.as_str().expect("an acknowledgement is a text").to_owned()
    }

    /// Subscribes; `uuid` says to which job or task.
    pub async fn subscribe(&mut self, kind: &str, uuid: Option<&str>) {
        let mut wanted = json!({ "op": "subscribe", "type": kind });
        if let Some(uuid) = uuid {
            wanted["uuid"] = uuid.into();
        }
        assert_eq!(self.subscription(wanted).await, "ok", "{kind}");
    }

    /// The next event, whatever it is: its name and payload. `None` when the connection is closed.
    pub async fn next(&mut self) -> Option<(String, Value)> {
        if let Some(event) = self.waiting.pop_front() {
            return Some(event);
        }
        let arrived = async {
            loop {
                match self.receive().await {
                    Incoming::Event(name, payload) => return Some((name, payload)),
                    Incoming::Closed => return None,
                    Incoming::Ack(..) | Incoming::Pong => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, arrived).await.expect("an event in time")
    }

    /// The payload of the next event of this name that satisfies `wanted`; all before it are skipped.
    pub async fn until(&mut self, name: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.next().await {
                Some((is, payload)) if is == name && wanted(&payload) => return payload,
                Some(_) => {}
                None => panic!("the connection was closed before {name} came"),
            }
        }
    }

    /// Everything that arrives until `pause` passes without an event.
    pub async fn drain(&mut self, pause: Duration) -> Vec<(String, Value)> {
        let mut all: Vec<_> = self.waiting.drain(..).collect();
        while let Ok(incoming) = tokio::time::timeout(pause, self.receive()).await {
            match incoming {
                Incoming::Event(name, payload) => all.push((name, payload)),
                Incoming::Closed => break,
                Incoming::Ack(..) | Incoming::Pong => {}
            }
        }
        all
    }
}
