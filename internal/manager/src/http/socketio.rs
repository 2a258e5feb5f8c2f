//! Socket.IO: the only place that knows rooms. One socket speaks protocol 2 (stock web app) or 4 (ours).
//!
//! Every client is in the rooms `/lifecycle` and `/status`; for everything else it sends `/subscription`. One task
//! takes the events from the bus and emits them one after another, so each client gets them in order. When that task
//! falls too far behind, or a client does, the connection is closed: the client connects again and reads again.

use std::convert::Infallible;

use axum::Router;
use flamenco_api::types::{
    EventLastRenderedUpdate, EventLifeCycle, EventTaskLogUpdate, EventWorkerTagUpdate, LifeCycleEventType,
    SocketIoSubscription, SocketIoSubscriptionOperation, SocketIoSubscriptionType,
};
use flamenco_domain::event::Event;
use flamenco_domain::ids::parse_uuid;
use serde::Serialize;
use socketioxide::SocketIo;
use socketioxide::extract::{AckSender, Data, SocketRef};
use socketioxide::handler::ConnectHandler;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{convert, machines};
use crate::events::{Next, Subscription};
use crate::farm::Farm;

const SUBSCRIPTION: &str = "/subscription";
/// Rooms that every client is in.
const FOR_ALL: [&str; 2] = ["/lifecycle", "/status"];
/// Messages that may wait for a client before it is cut off.
const BUFFER: usize = 4_096;

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
        Kind::Tasklog => vec![format!("/tasklog/{}", needed()?)],
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
            Some(Next::Event(event)) => emit(&io, &event).await,
            Some(Next::Lost(lost)) => {
                tracing::warn!(lost, "clients are cut off, so that they read again what they missed");
                if let Err(error) = io.disconnect().await {
                    tracing::debug!(%error, "closing Socket.IO connections");
                }
            }
            None => break,
        }
    }
    io.close().await;
}

async fn emit(io: &SocketIo, event: &Event) {
    match event {
        Event::ManagerStarted => lifecycle(io, LifeCycleEventType::ManagerStartup).await,
        Event::ManagerStopping => lifecycle(io, LifeCycleEventType::ManagerShutdown).await,
        Event::FarmStatus(status) => to(io, "/status", "/status", &convert::farm_status(*status)).await,
        Event::Job(change) => to(io, "/jobs", "/jobs", &convert::job_event(change)).await,
        Event::Task(change) => {
            to(io, format!("/jobs/{}", change.task.job_id), "/task", &convert::task_event(change)).await;
        }
        Event::TaskLog { task, text, .. } => {
            let update = EventTaskLogUpdate { task_id: task.0, log: text.clone() };
            to(io, format!("/tasklog/{task}"), "/tasklog", &update).await;
        }
        Event::LastRendered { job } => {
            let update = EventLastRenderedUpdate { job_id: job.0, thumbnail: convert::pictures(*job) };
            to(io, format!("/jobs/{job}/last-rendered"), "/last-rendered", &update).await;
            to(io, "/last-rendered", "/last-rendered", &update).await;
        }
        Event::Worker(change) => to(io, "/workers", "/workers", &convert::worker_event(change)).await,
        Event::Tag { tag, deleted } => {
            let update =
                EventWorkerTagUpdate { tag: convert::tag(tag.clone()), was_deleted: deleted.then_some(true) };
            to(io, "/workertags", "/workertags", &update).await;
        }
        Event::Machines(reports) => {
            to(io, "/workers/stats", "/workerstats", &machines::machines(reports.clone())).await;
        }
        Event::WorkAvailable => {}
    }
}

async fn lifecycle(io: &SocketIo, type_: LifeCycleEventType) {
    to(io, "/lifecycle", "/lifecycle", &EventLifeCycle { type_ }).await;
}

async fn to<T: Serialize>(io: &SocketIo, room: impl Into<String>, event: &str, payload: &T) {
    if let Err(error) = io.to(room.into()).emit(event, payload).await {
        tracing::debug!(event, %error, "a client could not be told");
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
            (Kind::Tasklog, Some(id), vec![format!("/tasklog/{id}")]),
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
