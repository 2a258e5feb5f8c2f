//! Giving a worker its next task.

use std::sync::Arc;
use std::time::Duration;

use flamenco_domain::frame_command::limited;
use flamenco_domain::task::{Task, TaskStatus, TaskWorker};
use flamenco_domain::worker::{Worker, WorkerStatus};
use flamenco_store::claim::{self, Claim};
use flamenco_store::{Tx, tasks, workers};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::changes::change_task;
use super::{Farm, LogLine};
use crate::error::{Error, Result};

/// What a worker that asks for work is told.
#[derive(Debug, Clone)]
pub enum Answer {
    /// Do this; with the task come its job's priority and type.
    Task(Box<Assigned>),
    /// Change your status first.
    ChangeStatus(WorkerStatus),
    /// There is nothing to do.
    Nothing,
}

/// A task that was given to a worker.
#[derive(Debug, Clone)]
pub struct Assigned {
    /// The task.
    pub task: Task,
    /// Priority of its job.
    pub job_priority: i64,
    /// Type of its job.
    pub job_type: String,
}

impl Farm {
    /// The next task for a worker. When there is none, waits for one as long as `wait`, or until `cancel`.
    ///
    /// # Errors
    /// [`Error::NotAwake`], or when the database cannot be used.
    pub async fn schedule(
        &self,
        worker: &Arc<Worker>,
        wait: Duration,
        cancel: &CancellationToken,
    ) -> Result<Answer> {
        let id = worker.id;
        let mut worker = Arc::clone(worker);
        let deadline = Instant::now() + wait;
        loop {
            // Registered before looking, so that work which appears in between is not missed.
            let woken = self.work.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();

            self.mark_seen(&worker).await?;
            if let Some(request) = worker.requested {
                return Ok(Answer::ChangeStatus(request.status));
            }
            if worker.status != WorkerStatus::Awake {
                return Err(Error::NotAwake { is: worker.status });
            }
            if self.has_work(&worker).await?
                && self.has_room_or_task(&worker).await?
                && let Some(assigned) = self.assign(&worker).await?
            {
                return Ok(Answer::Task(Box::new(assigned)));
            }
            let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
            else {
                return Ok(Answer::Nothing);
            };
            tokio::select! {
                () = cancel.cancelled() => return Ok(Answer::Nothing),
                () = &mut woken => {}
                () = tokio::time::sleep(left.min(self.sign_of_life())) => {}
            }
            worker = self.current_worker(id).await?.ok_or_else(|| Error::not_found("worker", id))?;
        }
    }

    /// How often a worker that waits counts as seen.
    fn sign_of_life(&self) -> Duration {
        self.live().options.worker_timeout.map_or(Duration::from_secs(20), |timeout| timeout / 4)
    }

    /// Looks without the writer, so that waiting workers cost it nothing. One that found work the last time most
    /// likely finds some again, and goes to the writer at once.
    async fn has_work(&self, worker: &Worker) -> Result<bool> {
        Ok(self.roster.is_busy(worker.id) || claim::peek(self.store.read(), worker).await?.is_some())
    }

    /// A worker whose disk is too full gets only the task back that it has already.
    async fn has_room_or_task(&self, worker: &Worker) -> Result<bool> {
        if !self.has_no_room(worker.id) {
            return Ok(true);
        }
        let found = claim::peek(self.store.read(), worker).await?;
        Ok(found.is_some_and(|found| found.task.summary.status == TaskStatus::Active))
    }

    /// Gives a worker a task. Once the task is its own, the task's log begins anew and says so, even when the worker has
    /// hung up: it comes back and goes on with the task.
    async fn assign(&self, worker: &Arc<Worker>) -> Result<Option<Assigned>> {
        let (farm, worker) = (self.clone(), Arc::clone(worker));
        self.left_behind.carry(async move { farm.assign_now(&worker).await }).await
    }

    async fn assign_now(&self, worker: &Arc<Worker>) -> Result<Option<Assigned>> {
        let (now, id, asking) = (self.now(), worker.id, Arc::clone(worker));
        let assigned = self
            .store
            .write_hot::<_, _, Error>(move |tx| {
                let asking = Arc::clone(&asking);
                Box::pin(async move { assign_in(tx, &asking, now).await })
            })
            .await?;
        self.roster.set_busy(id, assigned.is_some());
        let Some(New { assigned, lines, runs_again }) = assigned else { return Ok(None) };
        let task = &assigned.task.summary;
        if runs_again && let Err(error) = self.logs.rotate(task.job_id.0, task.id.0).await {
            tracing::error!(task.id = %task.id, %error, "cannot put the task's earlier log aside; it goes on");
        }
        self.write_lines(lines).await;
        Ok(Some(assigned))
    }
}

/// An assignment, and what is to be done when it is committed.
struct New {
    assigned: Assigned,
    lines: Vec<LogLine>,
    /// Somebody queued the task again since its last run, so it begins a new log.
    runs_again: bool,
}

async fn assign_in(tx: &Tx, asking: &Arc<Worker>, now: chrono::DateTime<chrono::Utc>) -> Result<Option<New>> {
    let Some(Claim { mut task, only_frames, worker_updated }) = claim::next(tx, asking).await? else {
        return Ok(None);
    };
    if !only_frames.is_empty() {
        task.commands = limited(task.commands, &only_frames);
    }
    let mut job = super::jobs::lock(tx, task.summary.job_id).await?;
    if task.summary.status == TaskStatus::Active {
        task.summary.last_touched = Some(now);
        tasks::touch(tx, task.summary.seq, now).await?;
        let text = format!("task handed out again to worker {} ({})", asking.name, asking.id);
        let line = LogLine { job: job.id, task: task.summary.id, text };
        let assigned = Assigned { task, job_priority: job.priority, job_type: job.job_type };
        return Ok(Some(New { assigned, lines: vec![line], runs_again: false }));
    }
    // An operation before this one in the same batch may have changed its row.
    let changed = if worker_updated == asking.updated {
        None
    } else {
        Some(super::workers::lock(tx, asking.id).await?)
    };
    let worker = changed.as_ref().unwrap_or(asking);
    let summary = &mut task.summary;
    let runs_again = summary.worker.is_some() && summary.last_touched.is_none();
    summary.worker = Some(TaskWorker {
        seq: worker.seq,
        id: worker.id,
        name: worker.name.clone(),
        address: worker.address.clone(),
    });
    summary.last_touched = Some(now);
    summary.activity = format!("Assigned to worker {}", worker.name);
    let text = format!("task assigned to worker {} ({})", worker.name, worker.id);
    let mut lines = vec![LogLine { job: summary.job_id, task: summary.id, text }];
    lines.extend(change_task(tx, &mut job, summary, TaskStatus::Active, "", now).await?);
    workers::set_last_task(tx, worker.seq, summary.seq).await?;
    super::workers::announce(tx, worker, None);
    let assigned = Assigned { task, job_priority: job.priority, job_type: job.job_type };
    Ok(Some(New { assigned, lines, runs_again }))
}
