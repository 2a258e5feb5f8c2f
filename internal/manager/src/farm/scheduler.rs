//! Giving a worker its next task.

use std::time::Duration;

use flamenco_domain::ids::WorkerId;
use flamenco_domain::task::{Task, TaskStatus, TaskWorker};
use flamenco_domain::worker::{Worker, WorkerStatus};
use flamenco_store::{Tx, claim, tasks, workers};
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
    pub async fn schedule(&self, id: WorkerId, wait: Duration, cancel: &CancellationToken) -> Result<Answer> {
        let deadline = Instant::now() + wait;
        loop {
            // Registered before looking, so that work which appears in between is not missed.
            let woken = self.work.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();

            let worker = workers::find(self.store.read(), id).await?;
            let worker = worker.ok_or_else(|| Error::not_found("worker", id))?;
            self.mark_seen(&worker).await?;
            if let Some(request) = worker.requested {
                return Ok(Answer::ChangeStatus(request.status));
            }
            if worker.status != WorkerStatus::Awake {
                return Err(Error::NotAwake { is: worker.status });
            }
            if self.has_work(&worker).await?
                && let Some(assigned) = self.assign(id).await?
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
        }
    }

    /// How often a worker that waits counts as seen.
    fn sign_of_life(&self) -> Duration {
        self.live().options.worker_timeout.map_or(Duration::from_secs(20), |timeout| timeout / 4)
    }

    /// Looks without the writer, so that waiting workers cost it nothing.
    async fn has_work(&self, worker: &Worker) -> Result<bool> {
        let db = self.store.read();
        if claim::unfinished(db, worker.seq).await?.is_some() {
            return Ok(true);
        }
        let tags = claim::tag_keys(db, worker.seq).await?;
        Ok(claim::next(db, worker, &tags).await?.is_some())
    }

    async fn assign(&self, id: WorkerId) -> Result<Option<Assigned>> {
        let now = self.now();
        let assigned = self
            .store
            .write::<_, _, Error>(move |tx| {
                Box::pin(async move {
                    let Some(worker) = workers::lock(tx, id).await? else { return Ok(None) };
                    if worker.requested.is_some() || worker.status != WorkerStatus::Awake {
                        return Ok(None);
                    }
                    assign_in(tx, &worker, now).await
                })
            })
            .await?;
        let Some((assigned, lines)) = assigned else { return Ok(None) };
        self.write_lines(lines).await;
        Ok(Some(assigned))
    }
}

async fn assign_in(
    tx: &Tx,
    worker: &Worker,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Option<(Assigned, Vec<LogLine>)>> {
    if let Some(mut task) = claim::unfinished(tx, worker.seq).await? {
        let job = super::jobs::lock(tx, task.summary.job_id).await?;
        task.summary.last_touched = Some(now);
        tasks::touch(tx, task.summary.seq, now).await?;
        let text = format!("task handed out again to worker {} ({})", worker.name, worker.id);
        let line = LogLine { job: job.id, task: task.summary.id, text };
        return Ok(Some((Assigned { task, job_priority: job.priority, job_type: job.job_type }, vec![line])));
    }
    let tags = claim::tag_keys(tx, worker.seq).await?;
    let Some(mut task) = claim::next(tx, worker, &tags).await? else { return Ok(None) };
    let mut job = super::jobs::lock(tx, task.summary.job_id).await?;
    let summary = &mut task.summary;
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
    Ok(Some((Assigned { task, job_priority: job.priority, job_type: job.job_type }, lines)))
}
