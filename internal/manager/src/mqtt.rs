//! Tells an MQTT broker what happens on the farm: one more subscriber of the event bus.
//!
//! ```text
//!  event bus ──► collect ──► Outbox (bounded, the oldest give way) ──► deliver ──► broker
//!                                    ▲                                    │
//!                                    └──────── acknowledged ◄─────────────┘
//! ```
//!
//! A message leaves the outbox when the broker has acknowledged it, so what was on its way when a connection broke is
//! sent again, in order. Lifecycle and farm status are retained, and a last will says that the manager is gone when its
//! connection just ends. Logs and statistics of machines are not sent: they are too much for brokers, and would
//! push out what matters while there is no connection.

mod connection;
mod outbox;

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::config::MqttSettings;
use crate::events::{Next, Subscription};
use crate::farm::Farm;
use crate::live::{LIFECYCLE, Message, Payload, STATUS};
use connection::{Lost, Target, connect_and_deliver};
use outbox::{Outbox, Outgoing};

/// How long the broker may take to acknowledge the last messages when the manager stops.
const FAREWELL: Duration = Duration::from_secs(3);
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause between two attempts to connect.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);

/// Runs until `cancel`, and until what was announced before has been told. Follows changes of the settings.
pub(crate) async fn run(farm: Farm, mut subscription: Subscription, cancel: CancellationToken) {
    let mut changes = farm.changes();
    loop {
        let settings = changes.borrow_and_update().config.settings.mqtt.clone();
        let changed = async {
            // An error would mean that the farm is gone, and it is held here.
            while changes.changed().await.is_ok() {
                if changes.borrow().config.settings.mqtt != settings {
                    return;
                }
            }
        };
        let ended = match Target::of(&settings) {
            Some(target) => {
                tokio::select! {
                    () = changed => false,
                    () = session(&farm, target, &settings, &mut subscription, &cancel) => true,
                }
            }
            None => {
                tokio::select! {
                    () = changed => false,
                    () = cancel.cancelled() => true,
                    () = discard(&mut subscription) => true,
                }
            }
        };
        if ended {
            return;
        }
        tracing::info!("the MQTT settings changed");
    }
}

/// Keeps up with the bus while there is nobody to tell.
async fn discard(subscription: &mut Subscription) {
    while subscription.next().await.is_some() {}
}

async fn session(
    farm: &Farm,
    target: Target,
    settings: &MqttSettings,
    subscription: &mut Subscription,
    cancel: &CancellationToken,
) {
    let outbox = Outbox::default();
    let collecting = collect(subscription, &outbox, &settings.topic_prefix, cancel);
    let delivering = deliver(farm, &target, &outbox, &settings.topic_prefix);
    let too_late = async {
        outbox.closed().await;
        tokio::time::sleep(FAREWELL).await;
    };
    tokio::select! {
        ((), ()) = async { tokio::join!(collecting, delivering) } => {}
        () = too_late => {}
    }
    let (untold, dropped) = (outbox.waiting(), outbox.take_dropped());
    if untold > 0 || dropped > 0 {
        tracing::warn!(untold, dropped, "the MQTT broker was not told everything");
    }
}

/// Fills the outbox; after the cancellation with what was announced before it, the goodbye among it.
async fn collect(subscription: &mut Subscription, outbox: &Outbox, prefix: &str, cancel: &CancellationToken) {
    loop {
        let next = tokio::select! {
            biased;
            next = subscription.next() => next,
            () = cancel.cancelled() => break,
        };
        match next {
            Some(Next::Event(event)) => {
                let messages = Message::of(&event);
                messages
                    .iter()
                    .filter_map(|message| outgoing(message, prefix))
                    .for_each(|new| outbox.push(new));
            }
            Some(Next::Lost(lost)) => outbox.note_lost(lost),
            None => break,
        }
    }
    outbox.close();
}

/// The message for a broker; what comes in masses is not for it.
fn outgoing(message: &Message, prefix: &str) -> Option<Outgoing> {
    if matches!(message.payload, Payload::TaskLog(_) | Payload::Machines(_) | Payload::WorkerLog(_)) {
        return None;
    }
    let payload = serde_json::to_vec(&message.payload)
        .inspect_err(|error| tracing::error!(topic = message.topic, %error, "a message cannot be written"))
        .ok()?;
    let retain = [LIFECYCLE, STATUS].contains(&message.topic.as_str());
    Some(Outgoing { topic: format!("{prefix}{}", message.topic), payload: payload.into(), retain })
}

/// The one connection loop: connects, delivers, and connects again, until the outbox is closed.
async fn deliver(farm: &Farm, target: &Target, outbox: &Outbox, prefix: &str) {
    let mut pause = FIRST_PAUSE;
    let mut reported = String::new();
    loop {
        outbox.restart();
        let greeting = || {
            let started = Message::lifecycle(flamenco_api::types::LifeCycleEventType::ManagerStartup);
            let messages = [started, Message::farm_status(farm.status())];
            messages.iter().filter_map(|message| outgoing(message, prefix)).collect()
        };
        let lost = match connect_and_deliver(target, outbox, greeting).await {
            Ok(()) => return,
            Err(lost) => lost,
        };
        let Lost { was_connected, why } = lost;
        if was_connected {
            pause = FIRST_PAUSE;
            reported.clear();
        }
        if why == reported {
            tracing::debug!(broker = %target, why, "still no MQTT connection");
        } else {
            tracing::warn!(broker = %target, "no MQTT connection: {why}; trying again and again");
            reported = why;
        }
        // A share at random, so that managers that lost the same broker do not come in step.
        let share = f64::from(uuid::Uuid::new_v4().as_bytes()[0]) / 255.0;
        tokio::select! {
            () = tokio::time::sleep(pause.mul_f64(0.5 + share / 2.0)) => {}
            () = outbox.closed() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
