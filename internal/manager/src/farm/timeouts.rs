//! Workers that vanished, and tasks that nobody hears of.
//!
//! A worker that was not seen for the worker timeout is in error; its tasks go back to the queue, and when it is seen
//! again it is asked to become what it was. A task whose worker
//! is alive but that was not heard of for the task timeout counts as failed by that worker, so that another one may
//! try.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use flamenco_domain::ids::{TaskId, WorkerId};
use flamenco_domain::task::TaskStatus;
use flamenco_domain::worker::{WorkerStatus, on_timeout};
use flamenco_store::{tasks, workers};

use super::tasks::{fail_task, give_back};
use super::{Farm, LogLine, changes};
use crate::error::{Error, Result};

/// What one round found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimedOut {
    /// Workers that are in error now.
    pub workers: usize,
    /// Tasks that were taken from their worker.
    pub tasks: usize,
}

fn before(now: DateTime<Utc>, timeout: Duration) -> Option<DateTime<Utc>> {
    now.checked_sub_signed(TimeDelta::from_std(timeout).ok()?)
}

impl Farm {
    /// One round: tasks, then workers. One that fails is reported and does not keep the others from their turn.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn time_out(&self) -> Result<TimedOut> {
        let mut found = TimedOut::default();
        let now = self.now();
        if let Some(limit) = self.live().options.task_timeout.and_then(|timeout| before(now, timeout)) {
            for task in tasks::untouched_since(self.store.read(), limit).await? {
                match self.time_out_task(task.id, limit).await {
                    Ok(done) => found.tasks += usize::from(done),
                    Err(error) => tracing::error!(task.id = %task.id, %error, "cannot time out the task"),
                }
            }
        }
        if let Some(limit) = self.live().options.worker_timeout.and_then(|timeout| before(now, timeout)) {
            for id in workers::unseen_since(self.store.read(), limit).await? {
                match self.time_out_worker(id, limit).await {
                    Ok(done) => found.workers += usize::from(done),
                    Err(error) => tracing::error!(worker.id = %id, %error, "cannot time out the worker"),
                }
            }
        }
        Ok(found)
    }

    async fn time_out_task(&self, id: TaskId, limit: DateTime<Utc>) -> Result<bool> {
        let (now, policy) = (self.now(), self.live().options.failures);
        let lines = self
            .store
            .write::<_, _, Error>(move |tx| {
                Box::pin(async move {
                    let Some(mut task) = tasks::lock(tx, id).await? else { return Ok(None) };
                    // It may have been heard of since it was listed.
                    let quiet = task.last_touched.is_some_and(|touched| touched <= limit);
                    if task.status != TaskStatus::Active || !quiet {
                        return Ok(None);
                    }
                    let mut job = super::jobs::lock(tx, task.job_id).await?;
                    let (name, seq) =
                        task.worker.as_ref().map_or(("nobody", None), |w| (w.name.as_str(), Some(w.seq)));
                    let touched = task.last_touched.map_or_else(String::new, |at| at.to_rfc3339());
                    let text = format!("timed out on worker {name}; last heard of it at {touched}");
                    let mut lines = vec![LogLine { job: task.job_id, task: task.id, text: text.clone() }];
                    task.activity = format!("Timed out on worker {name}");
                    lines.extend(match seq {
                        Some(seq) => fail_task(tx, &mut job, &mut task, seq, policy, now).await?,
                        None => {
                            changes::change_task(tx, &mut job, &mut task, TaskStatus::Queued, &text, now)
                                .await?
                        }
                    });
                    Ok(Some(lines))
                })
            })
            .await?;
        let done = lines.is_some();
        self.write_lines(lines.unwrap_or_default()).await;
        Ok(done)
    }

    async fn time_out_worker(&self, id: WorkerId, limit: DateTime<Utc>) -> Result<bool> {
        let now = self.now();
        let lines = self
            .store
            .write::<_, _, Error>(move |tx| {
                Box::pin(async move {
                    let Some(mut worker) = workers::lock(tx, id).await? else { return Ok(None) };
                    let unseen = worker.last_seen.is_some_and(|seen| seen <= limit);
                    if !unseen || matches!(worker.status, WorkerStatus::Offline | WorkerStatus::Error) {
                        return Ok(None);
                    }
                    let previous = worker.status;
                    let reported = on_timeout(worker.status, worker.requested);
                    worker.status = reported.status;
                    worker.requested = reported.requested;
                    worker.updated = now;
                    workers::save_status(tx, &worker).await?;
                    let lines = give_back(tx, worker.seq, "the worker timed out", now).await?;
                    super::workers::announce(tx, &worker, Some(previous));
                    tracing::warn!(worker.id = %id, worker.name = worker.name, "the worker timed out");
                    Ok(Some(lines))
                })
            })
            .await?;
        let done = lines.is_some();
        self.write_lines(lines.unwrap_or_default()).await;
        Ok(done)
    }
}
