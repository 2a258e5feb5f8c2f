//! Deleting jobs: first they are marked, which is what the caller waits for, then a loop erases them.
//!
//! A marked job gets no more workers, and a running one is canceled. Erasing goes from the outside in, files before
//! rows, so that a job whose files could not be removed is still there to be tried again.

use std::sync::Arc;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use flamenco_domain::ids::JobId;
use flamenco_domain::job::{JobState, JobStatus, on_request};
use flamenco_store::mass_deletion::{self, Preview, Selection};
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

    /// What deleting all jobs of a selection would do, and the first ones of them.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn mass_deletion_preview(&self, selection: &Selection, limit: i64) -> Result<Preview> {
        let mut preview = mass_deletion::preview(self.store.read(), selection, limit).await?;
        if !self.has_file_store() {
            (preview.checkouts, preview.shared_checkouts) = (0, 0);
        }
        Ok(preview)
    }

    /// Marks all jobs of a selection, and gives back how many. With a number that is expected, nothing is marked when
    /// there are more or fewer.
    ///
    /// # Errors
    /// [`Error::OtherJobs`].
    pub async fn delete_jobs(&self, selection: Selection, expected: Option<i64>) -> Result<usize> {
        let now = self.now();
        if let Some(expected) = expected {
            let found = mass_deletion::count(self.store.read(), &selection).await?;
            if found != expected {
                return Err(Error::OtherJobs { found, expected });
            }
        }
        let selection = Arc::new(selection);
        let mut marked = 0;
        let mut last = None;
        loop {
            let selection = Arc::clone(&selection);
            let slice = self
                .store
                .write_low::<_, _, Error>(move |tx| {
                    let selection = Arc::clone(&selection);
                    Box::pin(async move {
                        let slice = mass_deletion::selected(tx, &selection, last, SLICE).await?;
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

/// A moment rounded up to a whole second, as the protocol has it.
pub(crate) fn whole_second(moment: DateTime<Utc>) -> DateTime<Utc> {
    let whole = moment.trunc_subsecs(0);
    if whole == moment {
        return whole;
    }
    // The last second that there is has none after it.
    whole.checked_add_signed(TimeDelta::seconds(1)).unwrap_or(moment)
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
