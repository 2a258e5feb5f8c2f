//! One connection to the broker, from greeting to goodbye.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flamenco_api::types::LifeCycleEventType;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnectReturnCode, LastWill, Packet, PubAckReason};
use rumqttc::v5::{AsyncClient, ConnectionError, Event, EventLoop, MqttOptions, StateError};
use rumqttc::{Outgoing as Sent, TlsConfiguration, TlsError, Transport};
use rustls::ClientConfig;
use rustls::crypto::ring;

use super::outbox::{Outbox, Outgoing, Step, WINDOW};
use super::outgoing;
use crate::config::{Broker, BrokerTransport, MqttSettings};
use crate::live::Message;

const KEEP_ALIVE: Duration = Duration::from_secs(30);
/// How long connecting may take, in seconds.
const CONNECT_TIMEOUT: u64 = 10;
/// The client id of a manager that was given none.
const USUAL_CLIENT_ID: &str = "flamenco";

/// The broker, and how to log in there.
#[derive(Clone)]
pub(super) struct Target {
    broker: Broker,
    settings: MqttSettings,
}

impl Target {
    /// `None` when MQTT is off, or what is set cannot work; the configuration has warned of that.
    pub(super) fn of(settings: &MqttSettings) -> Option<Self> {
        if !settings.enabled || settings.topic_prefix.contains(['+', '#', '\0']) {
            return None;
        }
        let broker = Broker::parse(&settings.broker).ok()?;
        Some(Self { broker, settings: settings.clone() })
    }

    async fn options(&self) -> Result<MqttOptions, String> {
        let Broker { transport, host, port, path } = &self.broker;
        let address = match transport {
            BrokerTransport::Tcp | BrokerTransport::Tls => host.clone(),
            BrokerTransport::WebSocket => format!("ws://{host}:{port}{path}"),
            BrokerTransport::WebSocketTls => format!("wss://{host}:{port}{path}"),
        };
        let id = Some(self.settings.client_id.trim()).filter(|id| !id.is_empty()).unwrap_or(USUAL_CLIENT_ID);
        let mut options = MqttOptions::new(id, address, *port);
        options.set_keep_alive(KEEP_ALIVE).set_connection_timeout(CONNECT_TIMEOUT);
        options.set_transport(match transport {
            BrokerTransport::Tcp => Transport::Tcp,
            BrokerTransport::Tls => Transport::tls_with_config(tls().await?),
            BrokerTransport::WebSocket => Transport::Ws,
            BrokerTransport::WebSocketTls => Transport::Wss(tls().await?),
        });
        if !self.settings.username.is_empty() {
            options.set_credentials(&self.settings.username, self.settings.password.expose());
        }
        let gone = Message::lifecycle(LifeCycleEventType::ManagerShutdown);
        if let Some(gone) = outgoing(&gone, &self.settings.topic_prefix) {
            options.set_last_will(LastWill::new(
                gone.topic,
                gone.payload,
                QoS::AtLeastOnce,
                gone.retain,
                None,
            ));
        }
        Ok(options)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}", self.broker.host, self.broker.port)
    }
}

/// Trusts whom the operating system trusts.
async fn tls() -> Result<TlsConfiguration, String> {
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let found = found.map_err(|error| format!("reading the certificates of this machine: {error}"))?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(found.certs);
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| format!("TLS cannot be used: {error}"))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(TlsConfiguration::Rustls(Arc::new(config)))
}

/// A connection that ended, or never began.
pub(super) struct Lost {
    pub(super) was_connected: bool,
    /// Why, in words for whoever runs the farm.
    pub(super) why: String,
}

/// Connects and delivers until the outbox is closed and empty, then says goodbye. The outbox must not be in use by
/// another connection. Connecting ends as well when the outbox is closed.
pub(super) async fn connect_and_deliver(
    target: &Target,
    outbox: &Outbox,
    greeting: impl FnOnce() -> Vec<Outgoing>,
) -> Result<(), Lost> {
    let never = |why: String| Lost { was_connected: false, why };
    let (client, mut events) = AsyncClient::new(target.options().await.map_err(never)?, WINDOW);
    tokio::select! {
        connected = connect(&mut events) => connected.map_err(|error| never(explain(&error)))?,
        () = outbox.closed() => return Ok(()),
    }
    outbox.greet(greeting());
    let (waiting, dropped) = (outbox.waiting(), outbox.take_dropped());
    if dropped > 0 {
        tracing::warn!(dropped, "MQTT messages were dropped while there was no connection");
    }
    tracing::info!(broker = %target, waiting, "connected to the MQTT broker");
    tokio::select! {
        finished = pump(&mut events, outbox) => {
            finished.map_err(|error| Lost { was_connected: true, why: explain(&error) })
        }
        // Ends only when the event loop is gone, which is held here.
        () = feed(&client, outbox) => Ok(()),
    }
}

async fn connect(events: &mut EventLoop) -> Result<(), ConnectionError> {
    while !matches!(events.poll().await?, Event::Incoming(Packet::ConnAck(_))) {}
    Ok(())
}

/// Hands over what is in the outbox, and the goodbye when nothing more comes.
async fn feed(client: &AsyncClient, outbox: &Outbox) {
    loop {
        let handed_over = match outbox.next().await {
            Step::Send(Outgoing { topic, payload, retain }) => {
                client.publish(topic, QoS::AtLeastOnce, retain, payload).await
            }
            Step::Finish => {
                drop(client.disconnect().await);
                return std::future::pending().await;
            }
        };
        if handed_over.is_err() {
            return;
        }
    }
}

/// Keeps the connection going and takes the acknowledgements, which come in the order of the messages.
async fn pump(events: &mut EventLoop, outbox: &Outbox) -> Result<(), ConnectionError> {
    let mut unacknowledged: usize = 0;
    loop {
        match events.poll().await {
            Ok(Event::Outgoing(Sent::Publish(_))) => unacknowledged += 1,
            Ok(Event::Outgoing(Sent::Disconnect)) => return Ok(()),
            Ok(Event::Incoming(Packet::PubAck(answer))) => {
                if !matches!(answer.reason, PubAckReason::Success | PubAckReason::NoMatchingSubscribers) {
                    tracing::warn!(reason = ?answer.reason, "the MQTT broker did not take a message");
                }
                unacknowledged = unacknowledged.saturating_sub(1);
                outbox.acknowledged();
            }
            Ok(_) => {}
            Err(error) => {
                if let ConnectionError::MqttState(StateError::OutgoingPacketTooLarge { .. }) = &error {
                    // It would end every connection that it is sent on.
                    outbox.give_up(unacknowledged);
                }
                return Err(error);
            }
        }
    }
}

/// Whether TLS failed because of the broker's certificate, and not of the network.
fn is_about_trust(error: &TlsError) -> bool {
    let cause = match error {
        TlsError::TLS(error) => Some(error),
        TlsError::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref()),
        _ => None,
    };
    matches!(cause, Some(rustls::Error::InvalidCertificate(_)))
}

fn explain(error: &ConnectionError) -> String {
    match error {
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::BadUserNamePassword | ConnectReturnCode::NotAuthorized,
        ) => "the broker refuses the user name or the password; check mqtt.client.username and mqtt.client.password"
            .to_owned(),
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::ClientIdentifierNotValid | ConnectReturnCode::BadClientId,
        ) => "the broker refuses mqtt.client.clientID; choose another one".to_owned(),
        ConnectionError::ConnectionRefused(
            ConnectReturnCode::UnsupportedProtocolVersion | ConnectReturnCode::RefusedProtocolVersion,
        ) => "the broker does not speak MQTT 5; use a newer one".to_owned(),
        ConnectionError::ConnectionRefused(code) => format!("the broker refuses the connection: {code:?}"),
        ConnectionError::Tls(error) if is_about_trust(error) => format!(
            "this machine does not trust the certificate of the broker ({error}); add the authority that signed it to the \
             system's certificates, or name its file in the environment variable SSL_CERT_FILE"
        ),
        ConnectionError::Timeout(_) => "the broker does not answer in time".to_owned(),
        other => other.to_string(),
    }
}
