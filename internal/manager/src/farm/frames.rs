//! Frames that workers report.

use flamenco_domain::frame::{Frame, FrameFilter, FrameReport};
use flamenco_domain::ids::{JobId, TaskId};
use flamenco_domain::worker::Worker;
use flamenco_store::{frames, tasks};

use super::Farm;
use crate::error::{Error, Result};

impl Farm {
    /// A worker reports frames of a task, which may have ended or be somebody else's by now: what was rendered was
    /// rendered. The same report may come again.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such task.
    pub async fn report_frames(&self, worker: &Worker, id: TaskId, reports: Vec<FrameReport>) -> Result<()> {
        let (now, worker) = (self.now(), worker.seq);
        self.store
            .write(move |tx| {
                let reports = reports.clone();
                Box::pin(async move {
                    let task = tasks::lock(tx, id).await?.ok_or_else(|| Error::not_found("task", id))?;
                    Ok(frames::store(tx, &task, worker, &reports, now).await?)
                })
            })
            .await
    }

    /// Frames of a job, by number, and where the next page begins if there is one. An unknown job has none.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn frames(&self, job: JobId, filter: FrameFilter) -> Result<(Vec<Frame>, Option<(i64, i64)>)> {
        let Some(limit) = filter.limit else {
            return Ok((frames::of_job(self.store.read(), job, &filter).await?, None));
        };
        // One more than wanted tells whether there is another page.
        let one_more = FrameFilter { limit: Some(limit + 1), ..filter };
        let mut found = frames::of_job(self.store.read(), job, &one_more).await?;
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = found.len() > wanted;
        found.truncate(wanted);
        let next = found.last().filter(|_| more).map(|frame| (frame.report.frame, frame.seq));
        Ok((found, next))
    }
}
