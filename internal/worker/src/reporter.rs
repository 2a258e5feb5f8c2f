//! What a run tells the manager: log lines, steps, activity and status, in order and without ever making the
//! command wait for the network.
//!
//! Lines, steps and activity are collected in memory (bounded: [`crate::log_buffer`]) and handed to the outbox
//! together when a chunk is due. A status is sent after everything that came before it.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::time::{Instant, sleep, sleep_until};
use uuid::Uuid;

use crate::log_buffer::{LogBuffer, LogLimits};
use crate::outbox::{FrameReport, Outbox, ReportedStatus, TaskReport};

/// At least this long between two chunks, so that a flood stays within a rate the manager can take.
const MIN_CHUNK_PAUSE: Duration = Duration::from_millis(100);

/// The reports of one run of a task.
#[derive(Debug)]
pub struct Reporter {
    task: Uuid,
    outbox: Outbox,
    pending: Mutex<Pending>,
    /// Held while a chunk goes from `pending` to the outbox, so that chunks cannot overtake each other.
    handover: AsyncMutex<()>,
    changed: Notify,
}

#[derive(Debug)]
struct Pending {
    log: LogBuffer,
    steps: Option<i64>,
    activity: Option<String>,
    /// When steps or activity changed first.
    changed_at: Option<Instant>,
    max_age: Duration,
}

impl Pending {
    fn note_change(&mut self) {
        self.changed_at.get_or_insert_with(Instant::now);
    }

    fn due_at(&self) -> Option<Instant> {
        let by_change = self.changed_at.map(|at| at + self.max_age);
        match (self.log.due_at(), by_change) {
            (Some(log), Some(change)) => Some(log.min(change)),
            (log, change) => log.or(change),
        }
    }

    fn take(&mut self) -> Option<TaskReport> {
        self.changed_at = None;
        let report = TaskReport {
            log: self.log.take(),
            log_position: None,
            activity: self.activity.take(),
            steps_completed: self.steps.take(),
            task_status: None,
            frames: None,
        };
        (report != TaskReport::default()).then_some(report)
    }
}

impl Reporter {
    pub fn new(task: Uuid, outbox: Outbox, limits: LogLimits) -> Self {
        let pending = Pending {
            log: LogBuffer::new(limits),
            steps: None,
            activity: None,
            changed_at: None,
            max_age: limits.max_age,
        };
        Self {
            task,
            outbox,
            pending: Mutex::new(pending),
            handover: AsyncMutex::new(()),
            changed: Notify::new(),
        }
    }

    /// Adds a line to the task's log.
    pub fn log(&self, line: &str) {
        self.lock().log.append(line, Instant::now());
        self.changed.notify_one();
    }

    /// Sets the number of steps this run has completed. The caller never lets it shrink.
    pub fn set_steps(&self, steps: i64) {
        let mut pending = self.lock();
        pending.steps = Some(steps);
        pending.note_change();
        drop(pending);
        self.changed.notify_one();
    }

    /// Sets the one line that tells what is going on.
    pub fn set_activity(&self, activity: String) {
        let mut pending = self.lock();
        pending.activity = Some(activity);
        pending.note_change();
        drop(pending);
        self.changed.notify_one();
    }

    /// Sends one log message on its own, after everything before it.
    pub async fn message(&self, text: &str) {
        self.send(TaskReport { log: Some(text.to_owned()), ..TaskReport::default() }).await;
    }

    /// Sends a change of status, after everything before it.
    pub async fn status(&self, status: ReportedStatus, activity: &str, log: Option<&str>) {
        self.send(TaskReport {
            task_status: Some(status),
            activity: Some(activity.to_owned()),
            log: log.map(str::to_owned),
            ..TaskReport::default()
        })
        .await;
    }

    /// The task whose reports these are.
    pub fn task(&self) -> Uuid {
        self.task
    }

    /// Sends frames. They have no order with the rest.
    pub async fn frames(&self, frames: Vec<FrameReport>) {
        self.outbox.push(self.task, &TaskReport { frames: Some(frames), ..TaskReport::default() }).await;
    }

    /// Hands everything that is collected to the outbox.
    pub async fn flush(&self) {
        let _handover = self.handover.lock().await;
        let report = self.lock().take();
        if let Some(report) = report {
            self.outbox.push(self.task, &report).await;
        }
    }

    /// After a run was cut off: only the log may still be sent, with a last line that says why it ends.
    pub async fn flush_log_only(&self, closing_line: &str) {
        self.log(closing_line);
        let _handover = self.handover.lock().await;
        let log = self.lock().log.take();
        self.outbox.push(self.task, &TaskReport { log, ..TaskReport::default() }).await;
    }

    /// Sends chunks as they become due. Never returns; to be run beside the task's commands.
    pub async fn pump(&self) {
        loop {
            let due = self.lock().due_at();
            tokio::select! {
                () = sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {}
                () = self.changed.notified() => {
                    if !self.lock().log.is_due(Instant::now()) {
                        continue;
                    }
                }
            }
            self.flush().await;
            sleep(MIN_CHUNK_PAUSE).await;
        }
    }

    async fn send(&self, report: TaskReport) {
        self.flush().await;
        let _handover = self.handover.lock().await;
        self.outbox.push(self.task, &report).await;
    }

    fn lock(&self) -> MutexGuard<'_, Pending> {
        // Nothing panics while holding the lock; if it did, the collected text would still be good.
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
