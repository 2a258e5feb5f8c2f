//! Socket.IO: a room for each topic of [`live`](crate::live). One socket speaks protocol 2 (stock web app) or 4 (ours).
//!
//! Every client is in the rooms `/lifecycle` and `/status`; for everything else it sends `/subscription`. One task
//! takes the events from the bus and emits them one after another, so each client gets them in order. When that task
//! falls too far behind, or a client does, the manager hangs up on whoever lost something: a client that loses its
//! connection connects again by itself, and reads again. No client misses an event without knowing.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Router;
use axum::extract::ConnectInfo;
use flamenco_api::types::{SocketIoSubscription, SocketIoSubscriptionOperation, SocketIoSubscriptionType};
use flamenco_domain::ids::parse_uuid;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::handler::ConnectHandler;
use socketioxide::{SendError, SocketError, SocketIo};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Peer;
use crate::events::{Next, Subscription};
use crate::farm::{Farm, Live};
use crate::live::{LIFECYCLE, Message, STATUS};

const SUBSCRIPTION: &str = "/subscription";
/// Rooms that every client is in.
const FOR_ALL: [&str; 2] = [LIFECYCLE, STATUS];
/// Messages that may wait for a client before it is cut off.
const BUFFER: usize = 1_024;

/// Adds Socket.IO to the routes and starts the task that feeds it.
pub(super) fn attach(
    routes: Router,
    farm: Farm,
    tracker: &TaskTracker,
    cancel: &CancellationToken,
) -> Router {
    let (layer, io) = SocketIo::builder().max_buffer_size(BUFFER).build_layer();
    io.ns("/", (async || ()).with(listen));
    let subscription = farm.subscribe();
    tracker.spawn(cut_off_old_sessions(io.clone(), farm.changes(), cancel.clone()));
    tracker.spawn(feed(io, subscription, cancel.clone()));
    routes.layer(layer)
}

/// Runs before the client is told that it is connected: what it sends right afterwards must find somebody listening,
/// and what happens from then on must reach it.
async fn listen(socket: SocketRef) -> Result<(), Infallible> {
    socket.join(FOR_ALL);
    socket.on(
        SUBSCRIPTION,
        |socket: SocketRef, Data(wanted): Data<serde_json::Value>, ack: AckSender| async move {
            let answer = subscription(&socket, wanted).err().unwrap_or_else(|| "ok".to_owned());
            if let Err(error) = ack.send(&answer) {
                tracing::debug!(%error, "a client left before its subscription was acknowledged");
            }
        },
    );
    Ok(())
}

fn subscription(socket: &SocketRef, wanted: serde_json::Value) -> Result<(), String> {
    let wanted: SocketIoSubscription =
        serde_json::from_value(wanted).map_err(|error| format!("not a subscription: {error}"))?;
    let rooms = rooms(wanted.type_, wanted.uuid.as_deref())?;
    for room in rooms {
        match wanted.op {
            SocketIoSubscriptionOperation::Subscribe => socket.join(room),
            SocketIoSubscriptionOperation::Unsubscribe => socket.leave(room),
        }
    }
    Ok(())
}

/// The rooms that a subscription is about.
fn rooms(kind: SocketIoSubscriptionType, uuid: Option<&str>) -> Result<Vec<String>, String> {
    use SocketIoSubscriptionType as Kind;
    let uuid = uuid.filter(|text| !text.is_empty());
    let id = uuid.map(|text| parse_uuid(text).map_err(|error| error.to_string())).transpose()?;
    let needed = || id.ok_or_else(|| "this subscription needs a uuid".to_owned());
    Ok(match kind {
        Kind::AllJobs => vec!["/jobs".to_owned()],
        Kind::AllWorkers => vec!["/workers".to_owned()],
        Kind::AllLastRendered => vec!["/last-rendered".to_owned()],
        Kind::AllWorkerTags => vec!["/workertags".to_owned()],
        Kind::AllWorkerStats => vec!["/workers/stats".to_owned()],
        Kind::Job => {
            let id = needed()?;
            vec![format!("/jobs/{id}"), format!("/jobs/{id}/last-rendered")]
        }
        Kind::JobFrames => vec![format!("/jobs/{}/frames", needed()?)],
        Kind::AllFrames => vec!["/frames".to_owned()],
        Kind::Tasklog => vec![format!("/tasklog/{}", needed()?)],
        Kind::WorkerLog => vec![format!("/workers/{}/log", needed()?)],
    })
}

async fn feed(io: SocketIo, mut subscription: Subscription, cancel: CancellationToken) {
    loop {
        let next = tokio::select! {
            // After the cancellation the last events are still delivered, the goodbye among them.
            biased;
            next = subscription.next() => next,
            () = cancel.cancelled() => break,
        };
        match next {
            Some(Next::Event(event)) => Message::of(&event).iter().for_each(|message| emit(&io, message)),
            Some(Next::Lost(lost)) => {
                tracing::warn!(
                    lost,
                    "all live updates are cut off, so that clients read again what they missed"
                );
                io.sockets().iter().for_each(cut_off);
            }
            None => break,
        }
    }
    io.close().await;
}

fn emit(io: &SocketIo, message: &Message) {
    for socket in io.to(message.topic.clone()).sockets() {
        match socket.emit(message.name, &message.payload) {
            Err(SendError::Socket(SocketError::InternalChannelFull)) => {
                tracing::warn!(client = %socket.id, "a client is too slow for the live updates and is cut off");
                cut_off(&socket);
            }
            Err(error) => tracing::debug!(event = message.name, %error, "a client could not be told"),
            Ok(()) => {}
        }
    }
}

/// Hangs up on everybody when the tokens change: whoever may have live updates still, connects again.
async fn cut_off_old_sessions(
    io: SocketIo,
    mut changes: watch::Receiver<Arc<Live>>,
    cancel: CancellationToken,
) {
    let mut access = changes.borrow_and_update().config.settings.access.clone();
    while let Some(Ok(())) = cancel.run_until_cancelled(changes.changed()).await {
        let now = changes.borrow_and_update().config.settings.access.clone();
        if now != access {
            io.sockets().iter().for_each(cut_off);
            access = now;
        }
    }
}

/// Ends the connection of a client that has missed something, or that may not have more.
fn cut_off(socket: &SocketRef) {
    // It takes a moment until the connection is gone; nothing is sent after what was missed.
    socket.leave_all();
    match socket.req_parts().extensions.get::<ConnectInfo<Peer>>() {
        Some(info) => info.0.hang_up(),
        None => tracing::error!(client = %socket.id, "the connection of a client is not known"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use SocketIoSubscriptionType as Kind;

    #[test]
    fn each_subscription_has_its_rooms() {
        let id = "6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11";
        for (kind, uuid, want) in [
            (Kind::AllJobs, None, vec!["/jobs".to_owned()]),
            (Kind::AllWorkers, Some(""), vec!["/workers".to_owned()]),
            (Kind::AllLastRendered, None, vec!["/last-rendered".to_owned()]),
            (Kind::AllWorkerTags, Some(id), vec!["/workertags".to_owned()]),
            (Kind::AllWorkerStats, None, vec!["/workers/stats".to_owned()]),
            (Kind::Job, Some(id), vec![format!("/jobs/{id}"), format!("/jobs/{id}/last-rendered")]),
            (Kind::JobFrames, Some(id), vec![format!("/jobs/{id}/frames")]),
            (Kind::AllFrames, None, vec!["/frames".to_owned()]),
            (Kind::Tasklog, Some(id), vec![format!("/tasklog/{id}")]),
            (Kind::WorkerLog, Some(id), vec![format!("/workers/{id}/log")]),
        ] {
            assert_eq!(rooms(kind, uuid), Ok(want), "{kind:?}");
        }
        assert!(rooms(Kind::Job, None).unwrap_err().contains("needs a uuid"));
        assert!(
            rooms(Kind::AllJobs, Some("nonsense")).unwrap_err().contains("UUID"),
            "checked whenever it is there"
        );
    }
}
