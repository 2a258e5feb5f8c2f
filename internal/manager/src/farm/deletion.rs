//! Deleting jobs: first they are marked, which is what the caller waits for, then a loop erases them.
//!
//! A marked job gets no more workers, and a running one is canceled. Erasing goes from the outside in, files before
//! rows, so that a job whose files could not be removed is still there to be tried again.

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use flamenco_domain::ids::JobId;
use flamenco_domain::job::{JobState, JobStatus, on_request};
use flamenco_store::{Tx, deletion, jobs};

use super::Farm;
use super::changes::{announce_job, apply_steps};
use crate::error::{Error, Result};

/// Jobs that are marked in one go, with others' work before and after.
const SLICE: i64 = 50;

impl Farm {
    /// Marks a job for deletion; a job that has not ended is canceled first.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn delete_job(&self, id: JobId) -> Result<()> {
        let now = self.now();
        self.store.write(move |tx| Box::pin(async move { mark(tx, id, now).await })).await?;
        self.deletions.notify_one();
        Ok(())
    }

    /// Marks every job that was not changed after a moment, which is rounded up to a whole second, as the protocol has
    /// it. Gives back how many.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn delete_jobs_unchanged_since(&self, moment: DateTime<Utc>) -> Result<usize> {
        let now = self.now();
        let whole = moment.trunc_subsecs(0);
        // The last second that there is has none after it.
        let moment = if whole == moment {
            whole
        } else {
            whole.checked_add_signed(TimeDelta::seconds(1)).unwrap_or(moment)
        };
        let mut marked = 0;
        let mut last = None;
        loop {
            let slice = self
                .store
                .write_low::<_, _, Error>(move |tx| {
                    Box::pin(async move {
                        let slice = deletion::unchanged_since(tx, moment, last, SLICE).await?;
                        for (_, id) in &slice {
                            mark(tx, *id, now).await?;
                        }
                        Ok(slice)
                    })
                })
                .await?;
            let Some((seq, _)) = slice.last() else { break };
            last = Some(*seq);
            marked += slice.len();
            self.deletions.notify_one();
        }
        Ok(marked)
    }

    /// Erases the jobs that are marked, oldest request first, and gives back how many. One that cannot be erased stays
    /// marked and is tried again later.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn erase_marked_jobs(&self) -> Result<usize> {
        let mut erased = 0;
        let mut last = None;
        loop {
            // Those that cannot be erased are not in the way of the others.
            let marked = deletion::marked(self.store.read(), last).await?;
            let Some(end) = marked.last() else { return Ok(erased) };
            last = Some((end.requested, end.seq));
            for id in marked.iter().map(|marked| marked.id) {
                match self.erase_job(id).await {
                    Ok(()) => erased += 1,
                    Err(error) => {
                        tracing::error!(job.id = %id, %error, "cannot erase the job; trying again later")
                    }
                }
            }
        }
    }

    async fn erase_job(&self, id: JobId) -> Result<()> {
        self.erase_checkout_of(id).await?;
        let removed = self.logs.remove_job(id.0).await;
        removed.map_err(Error::io(format!("cannot remove the files of job {id}")))?;
        let erased = deletion::erase(&self.store, id).await?;
        // A worker may have written to a log until the job could no longer be found; one that is still at it sees that
        // the number has changed.
        self.erasures.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if let Err(error) = self.logs.remove_job(id.0).await {
            // Nothing tells later that there was such a job.
            tracing::error!(job.id = %id, %error, "cannot remove what was written while the job was erased; remove its folder");
        }
        if erased {
            tracing::info!(job.id = %id, "job erased");
        }
        Ok(())
    }

    /// Waits until jobs were marked since the last call.
    pub async fn jobs_were_marked(&self) {
        self.deletions.notified().await;
    }
}

async fn mark(tx: &Tx, id: JobId, now: DateTime<Utc>) -> Result<()> {
    let mut job = super::jobs::lock(tx, id).await?;
    if !job.status.is_finished() {
        let steps = on_request(JobState::from(&job), JobStatus::CancelRequested).unwrap_or_default();
        apply_steps(tx, &mut job, &steps, "the job is being deleted", now).await?;
    }
    job.delete_requested = Some(now);
    job.updated = jobs::later(&job, now);
    jobs::save(tx, &job, true).await?;
    announce_job(tx, &job, None, false);
    Ok(())
}
