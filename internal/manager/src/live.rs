//! What watchers are told: each event as the wire has it, with its topic. Socket.IO has a room for each topic, MQTT
//! publishes to it.

use flamenco_api::types::{
    EventFrameUpdate, EventJobUpdate, EventLastRenderedUpdate, EventLifeCycle, EventTaskLogUpdate,
    EventTaskUpdate, EventWorkerLog, EventWorkerTagUpdate, EventWorkerUpdate, FarmStatusReport,
    LifeCycleEventType, WorkerMachines,
};
use flamenco_domain::event::Event;
use flamenco_domain::farm_status::FarmState;
use serde::Serialize;

use crate::http::{convert, frames, machines};

/// The topic of the manager's start and end.
pub(crate) const LIFECYCLE: &str = "/lifecycle";
/// The topic of the farm's status.
pub(crate) const STATUS: &str = "/status";

/// One message.
#[derive(Debug, Clone)]
pub(crate) struct Message {
    /// Where it goes, beginning with a slash.
    pub(crate) topic: String,
    /// What Socket.IO calls it; follows from the payload, not from the topic.
    pub(crate) name: &'static str,
    /// What it says.
    pub(crate) payload: Payload,
}

/// What a message says, as JSON objects of the API document.
#[derive(Debug, Clone, Serialize)]
#[serde(untagged)]
pub(crate) enum Payload {
    LifeCycle(EventLifeCycle),
    FarmStatus(FarmStatusReport),
    Job(EventJobUpdate),
    Task(EventTaskUpdate),
    TaskLog(EventTaskLogUpdate),
    LastRendered(EventLastRenderedUpdate),
    Worker(EventWorkerUpdate),
    Tag(EventWorkerTagUpdate),
    Machines(WorkerMachines),
    Frames(EventFrameUpdate),
    WorkerLog(EventWorkerLog),
}

impl Message {
    fn new(topic: impl Into<String>, name: &'static str, payload: Payload) -> Self {
        Self { topic: topic.into(), name, payload }
    }

    /// The manager starts or ends.
    pub(crate) fn lifecycle(type_: LifeCycleEventType) -> Self {
        Self::new(LIFECYCLE, LIFECYCLE, Payload::LifeCycle(EventLifeCycle { type_ }))
    }

    /// The farm is in this state.
    pub(crate) fn farm_status(status: FarmState) -> Self {
        Self::new(STATUS, STATUS, Payload::FarmStatus(convert::farm_status(status)))
    }

    /// The messages of an event, in order. Some events are not for watchers.
    pub(crate) fn of(event: &Event) -> Vec<Self> {
        vec![match event {
            Event::ManagerStarted => Self::lifecycle(LifeCycleEventType::ManagerStartup),
            Event::ManagerStopping => Self::lifecycle(LifeCycleEventType::ManagerShutdown),
            Event::FarmStatus(status) => Self::farm_status(*status),
            Event::Job(change) => Self::new("/jobs", "/jobs", Payload::Job(convert::job_event(change))),
            Event::Task(change) => {
                let topic = format!("/jobs/{}", change.task.job_id);
                Self::new(topic, "/task", Payload::Task(convert::task_event(change)))
            }
            Event::TaskLog { task, text, .. } => {
                let update = EventTaskLogUpdate { task_id: task.0, log: text.clone() };
                Self::new(format!("/tasklog/{task}"), "/tasklog", Payload::TaskLog(update))
            }
            Event::LastRendered { job } => {
                let update = EventLastRenderedUpdate { job_id: job.0, thumbnail: convert::pictures(*job) };
                let message =
                    |topic| Self::new(topic, "/last-rendered", Payload::LastRendered(update.clone()));
                let of_job = message(format!("/jobs/{job}/last-rendered"));
                return vec![of_job, message("/last-rendered".to_owned())];
            }
            Event::Worker(change) => {
                Self::new("/workers", "/workers", Payload::Worker(convert::worker_event(change)))
            }
            Event::Tag { tag, deleted } => {
                let tag = convert::tag(tag.clone());
                let update = EventWorkerTagUpdate { tag, was_deleted: deleted.then_some(true) };
                Self::new("/workertags", "/workertags", Payload::Tag(update))
            }
            Event::Machines(reports) => {
                let payload = Payload::Machines(machines::machines(reports.clone()));
                Self::new("/workers/stats", "/workerstats", payload)
            }
            Event::WorkerLog { worker, lines, anew, total } => {
                let update = EventWorkerLog {
                    worker: worker.0,
                    lines: lines.clone(),
                    anew: *anew,
                    total: i64::try_from(*total).unwrap_or(i64::MAX),
                };
                Self::new(format!("/workers/{worker}/log"), "/workerlog", Payload::WorkerLog(update))
            }
            Event::Frames { job, frames, refresh, progress } => {
                let update = EventFrameUpdate {
                    job: job.0,
                    frames: frames.iter().cloned().map(|frame| frames::frame(frame, None)).collect(),
                    refresh: *refresh,
                    progress: (!progress.is_empty()).then(|| progress.iter().map(frames::progress).collect()),
                };
                let message = |topic| Self::new(topic, "/frames", Payload::Frames(update.clone()));
                let of_job = message(format!("/jobs/{job}/frames"));
                // Whoever looks at all jobs waits for what came out.
                let is_rendered = *refresh || !frames.is_empty();
                let of_all = is_rendered.then(|| message("/frames".to_owned()));
                return std::iter::once(of_job).chain(of_all).collect();
            }
            Event::WorkAvailable => return Vec::new(),
        }]
    }
}
