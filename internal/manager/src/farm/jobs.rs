//! Jobs: looking at them, and what people ask for.

use flamenco_domain::event::Event;
use flamenco_domain::frame_range::FrameRange;
use flamenco_domain::ids::{JobId, TaskId, WorkerId};
use flamenco_domain::job::{Job, JobState, JobStatus, enter, on_request};
use flamenco_domain::limits;
use flamenco_domain::task::{Task, TaskStatus, TaskSummary, TaskWorker};
use flamenco_store::blocklist::{self, Block};
use flamenco_store::{Tx, frames, jobs, tasks};

use super::changes::{announce_job, announce_task, apply_steps, change_task};
use super::{Farm, logs};
use crate::error::{Error, Result};

/// Bytes of a log's end that are shown at once.
const LOG_TAIL: u64 = 2048;

pub(super) async fn lock(tx: &Tx, id: JobId) -> Result<flamenco_domain::job::JobSummary> {
    jobs::lock(tx, id).await?.ok_or_else(|| Error::not_found("job", id))
}

impl Farm {
    /// All jobs, the newest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn jobs(&self) -> Result<Vec<Job>> {
        Ok(jobs::all(self.store.read()).await?)
    }

    /// A job.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn job(&self, id: JobId) -> Result<Job> {
        jobs::find(self.store.read(), id).await?.ok_or_else(|| Error::not_found("job", id))
    }

    /// The tasks of a job in order; none for a job that does not exist, as the protocol has it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn tasks(&self, job: JobId) -> Result<Vec<TaskSummary>> {
        Ok(tasks::of_job(self.store.read(), job).await?)
    }

    /// A task, and the workers that failed it.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn task(&self, id: TaskId) -> Result<(Task, Vec<TaskWorker>)> {
        let task = tasks::find(self.store.read(), id).await?.ok_or_else(|| Error::not_found("task", id))?;
        let failed_by = blocklist::failed_by(self.store.read(), task.summary.seq).await?;
        Ok((task, failed_by))
    }

    /// A job's blocklist; empty for a job that does not exist.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn blocklist(&self, id: JobId) -> Result<Vec<Block>> {
        match jobs::find(self.store.read(), id).await? {
            None => Ok(Vec::new()),
            Some(job) => Ok(blocklist::of_job(self.store.read(), job.summary.seq).await?),
        }
    }

    /// The end of a task's log; `None` when it has none.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when the file cannot be read.
    pub async fn log_tail(&self, id: TaskId) -> Result<Option<String>> {
        let (task, _) = self.task(id).await?;
        let tail = self.logs.tail(task.summary.job_id.0, id.0, LOG_TAIL).await;
        tail.map_err(Error::io(format!("cannot read the log of task {id}")))
    }

    /// Where a task's log is and how large; `None` when it has none.
    ///
    /// # Errors
    /// [`Error::NotFound`], or when the file cannot be looked at.
    pub async fn log_info(&self, id: TaskId) -> Result<Option<(JobId, logs::LogInfo)>> {
        let (task, _) = self.task(id).await?;
        let job = task.summary.job_id;
        let info = self
            .logs
            .info(job.0, id.0)
            .await
            .map_err(Error::io(format!("cannot look at the log of task {id}")))?;
        Ok(info.map(|info| (job, info)))
    }

    /// A person asks for a job status.
    ///
    /// # Errors
    /// [`Error::Job`] when that is not possible from its current status.
    pub async fn set_job_status(&self, id: JobId, wanted: JobStatus, reason: String) -> Result<()> {
        let (now, reason) = (self.now(), limits::shortened(&reason, limits::ACTIVITY));
        self.store
            .write(move |tx| {
                let reason = reason.clone();
                Box::pin(async move {
                    let mut job = lock(tx, id).await?;
                    let steps = on_request(JobState::from(&job), wanted)?;
                    if steps.is_empty() {
                        return Ok(());
                    }
                    if wanted == JobStatus::Requeueing {
                        blocklist::forget_job(tx, job.seq).await?;
                    }
                    apply_steps(tx, &mut job, &steps, &reason, now).await
                })
            })
            .await
    }

    /// Sets a job's priority, 0 to 100.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn set_job_priority(&self, id: JobId, priority: i64) -> Result<()> {
        let now = self.now();
        self.store
            .write(move |tx| {
                Box::pin(async move {
                    let mut job = lock(tx, id).await?;
                    job.priority = priority;
                    job.updated = jobs::later(&job, now);
                    jobs::save(tx, &job, true).await?;
                    announce_job(tx, &job, None, false);
                    Ok(())
                })
            })
            .await
    }

    /// A person asks for a task status.
    ///
    /// # Errors
    /// [`Error::TaskRequest`] when that is not possible.
    pub async fn set_task_status(&self, id: TaskId, wanted: TaskStatus, reason: String) -> Result<()> {
        let (now, reason) = (self.now(), limits::shortened(&reason, limits::ACTIVITY));
        let lines = self
            .store
            .write(move |tx| {
                let reason = reason.clone();
                Box::pin(async move {
                    let mut task = tasks::lock(tx, id).await?.ok_or_else(|| Error::not_found("task", id))?;
                    let mut job = lock(tx, task.job_id).await?;
                    if job.delete_requested.is_some() && wanted == TaskStatus::Queued {
                        return Err(flamenco_domain::task::RequestDenied::JobDeleted.into());
                    }
                    let decided = flamenco_domain::task::on_request(
                        task.status,
                        task.unmet_dependencies,
                        job.status,
                        wanted,
                    )?;
                    let Some(to) = decided else {
                        task.activity = reason;
                        tasks::save(tx, &task).await?;
                        announce_task(tx, &task, None);
                        return Ok(Vec::new());
                    };
                    if to == TaskStatus::Queued {
                        blocklist::forget_task(tx, task.seq).await?;
                        task.last_touched = None;
                        if task.status == TaskStatus::Completed {
                            // All of it is to be done again.
                            frames::set_only(tx, task.seq, &FrameRange::default()).await?;
                        }
                    }
                    task.activity = reason.clone();
                    change_task(tx, &mut job, &mut task, to, &reason, now).await
                })
            })
            .await?;
        self.write_lines(lines).await;
        Ok(())
    }

    /// Takes workers off a job's blocklist. Entries that do not exist are fine.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the list is empty, [`Error::NotFound`].
    pub async fn unblock(&self, id: JobId, entries: Vec<(WorkerId, String)>) -> Result<()> {
        if entries.is_empty() {
            return Err(Error::Invalid("the list is empty; name the entries to remove".to_owned()));
        }
        self.store
            .write(move |tx| {
                let entries = entries.clone();
                Box::pin(async move {
                    let job = lock(tx, id).await?;
                    for (worker, task_type) in entries {
                        blocklist::unblock(tx, job.seq, worker, &task_type).await?;
                    }
                    announce_job(tx, &job, None, false);
                    tx.announce(Event::WorkAvailable);
                    Ok(())
                })
            })
            .await
    }

    /// Brings to an end what a crash left half done: jobs that were being stored are removed, transient statuses are
    /// entered again.
    pub(super) async fn repair(&self) -> Result<()> {
        for id in jobs::ids_in_status(self.store.read(), JobStatus::UnderConstruction).await? {
            // One that was being erased may still have files; they are no reason not to start.
            if let Err(error) = self.logs.remove_job(id.0).await {
                tracing::error!(job.id = %id, %error, "cannot remove the files of a job that was being erased");
            }
        }
        let removed: u64 = self
            .store
            .write::<_, _, Error>(|tx| Box::pin(async move { Ok(jobs::remove_unfinished(tx).await?) }))
            .await?;
        if removed > 0 {
            tracing::warn!(jobs = removed, "removed what was left of jobs that were being stored or erased");
        }
        for status in [JobStatus::CancelRequested, JobStatus::Requeueing, JobStatus::PauseRequested] {
            for id in jobs::ids_in_status(self.store.read(), status).await? {
                let now = self.now();
                let repaired = self
                    .store
                    .write(move |tx| {
                        Box::pin(async move {
                            let mut job = lock(tx, id).await?;
                            let steps = enter(JobState::from(&job), status);
                            apply_steps(tx, &mut job, &steps, "continued after a restart of the manager", now)
                                .await
                        })
                    })
                    .await;
                match repaired {
                    Ok(()) => tracing::info!(job.id = %id, %status, "continued what was half done"),
                    Err(error) => {
                        tracing::error!(job.id = %id, %status, %error, "cannot continue what was half done")
                    }
                }
            }
        }
        Ok(())
    }
}
