//! Frames: what workers report, what their logs and pictures tell, and what all of it says about a job.

pub(crate) mod changes;
pub(super) mod estimates;
mod gaps;
pub(super) mod log;
pub(crate) mod original;
pub mod pictures;
pub mod preview;
pub(super) mod progress;
mod requeue;
pub mod spool;
pub mod statistics;
pub mod thumbnail;
pub(crate) mod video;

use std::collections::HashMap;

use flamenco_crosspath::Platform;
use flamenco_domain::frame::{
    Frame, FrameAttempt, FrameCounts, FrameFilter, FrameReport, FrameSource, JobFrameState, Thumbnail,
};
use flamenco_domain::frame_statistics::{Place, places};
use flamenco_domain::ids::{JobId, TaskId, WorkerId};
use flamenco_domain::variables::Audience;
use flamenco_domain::worker::Worker;
use flamenco_store::{frames, tasks};

use super::{Farm, logs};
use crate::error::{Error, Result};

pub use requeue::{LeftAlone, Requeued};

/// A frame of a job, rendered or not.
#[derive(Debug, Clone)]
pub struct FramePlace {
    /// The number.
    pub frame: i64,
    /// How it is.
    pub state: JobFrameState,
    /// How many files it has.
    pub files: i64,
    /// The newest file.
    pub newest: Option<Frame>,
    /// The task that renders it.
    pub task: Option<TaskId>,
    /// The worker that rendered it, or is rendering it.
    pub worker: Option<WorkerId>,
    /// How much of it is done, 0 to 100, while it is being rendered and its worker tells.
    pub percent: Option<i64>,
}

impl From<Place<'_>> for FramePlace {
    fn from(place: Place<'_>) -> Self {
        let Place { frame, state, files, newest, task, worker } = place;
        Self { frame, state, files, newest: newest.cloned(), task, worker, percent: None }
    }
}

/// A frame with how it was rendered before.
#[derive(Debug, Clone)]
pub struct FrameDetails {
    /// The frame.
    pub place: FramePlace,
    /// Its files, the newest first.
    pub files: Vec<Frame>,
    /// How they were rendered, the newest first.
    pub attempts: Vec<FrameAttempt>,
    /// Where browsers find those that they can show, by their keys.
    pub originals: HashMap<i64, String>,
}

impl Farm {
    /// A worker reports frames of a task, which may have ended or be somebody else's by now: what was rendered was
    /// rendered. The same report may come again.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such task.
    pub async fn report_frames(&self, worker: &Worker, id: TaskId, reports: Vec<FrameReport>) -> Result<()> {
        self.frame_logs.reports_frames(worker.id);
        self.store_frames(worker.seq, id, FrameSource::Report, reports).await
    }

    async fn store_frames(
        &self,
        worker: i64,
        id: TaskId,
        source: FrameSource,
        reports: Vec<FrameReport>,
    ) -> Result<()> {
        let now = self.now();
        let (job, keys) = self
            .store
            .write::<_, _, Error>(move |tx| {
                let reports = reports.clone();
                Box::pin(async move {
                    let task = tasks::lock(tx, id).await?.ok_or_else(|| Error::not_found("task", id))?;
                    let keys = frames::store(tx, &task, worker, source, &reports, now).await?;
                    Ok((task.job_id, keys))
                })
            })
            .await?;
        self.frame_changes.note(job, keys);
        Ok(())
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

    /// A place for each frame of a job, rendered or not, and the number where the next page begins if there is one.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn frame_places(
        &self,
        job: JobId,
        window: (i64, i64),
        states: &[JobFrameState],
        limit: usize,
    ) -> Result<(Vec<FramePlace>, Option<i64>)> {
        let all = frames::tasks_of_job(self.store.read(), job).await?;
        let filter = FrameFilter { from: window.0, to: window.1, ..FrameFilter::default() };
        let files = frames::of_job(self.store.read(), job, &filter).await?;
        let (found, next) = places(&all, &files, window, states, limit);
        let progress = self.frame_progress.of_job(job, self.now());
        let found = found.into_iter().map(|place| {
            let place = FramePlace::from(place);
            let percent = place.task.and_then(|task| progress.get(&(task, place.frame)).copied());
            FramePlace { percent: percent.filter(|_| place.state == JobFrameState::Rendering), ..place }
        });
        Ok((found.collect(), next))
    }

    /// One frame of a job.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the job neither has such a frame nor is going to.
    pub async fn frame_details(&self, job: JobId, number: i64) -> Result<FrameDetails> {
        let filter = FrameFilter { from: number, to: number, ..FrameFilter::default() };
        let mut files = frames::of_job(self.store.read(), job, &filter).await?;
        if self.note_lost_files(job, &files).await? {
            files = frames::of_job(self.store.read(), job, &filter).await?;
        }
        let (mut places, _) = self.frame_places(job, (number, number), &[], 1).await?;
        let place =
            places.pop().ok_or_else(|| Error::not_found("frame", format!("{number} in job {job}")))?;
        files.sort_by_key(|file| std::cmp::Reverse((file.report.rendered, file.seq)));
        let current = files.iter().map(|file| FrameAttempt {
            frame: file.seq,
            attempt: file.attempt,
            worker: file.worker.clone(),
            state: file.state,
            rendered: file.report.rendered,
            facts: file.report.facts.clone(),
        });
        let mut attempts: Vec<FrameAttempt> = current.collect();
        attempts.extend(frames::attempts(self.store.read(), job, number).await?);
        attempts.sort_by_key(|attempt| std::cmp::Reverse((attempt.rendered, attempt.attempt)));
        let originals = self.original_urls(job, &files).await?;
        Ok(FrameDetails { place, files, attempts, originals })
    }

    /// The frames that were rendered last over all jobs, each with the name of its job and how many frames that has.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn latest_frames(
        &self,
        limit: i64,
        thumbnails_only: bool,
    ) -> Result<Vec<(Frame, String, Option<i64>)>> {
        Ok(frames::latest(self.store.read(), limit, thumbnails_only).await?)
    }

    /// How far the frames of some jobs are.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn frame_counts(&self, jobs: &[JobId]) -> Result<HashMap<JobId, FrameCounts>> {
        Ok(frames::of_jobs(self.store.read(), jobs).await?)
    }

    /// The file of a frame as the users of a platform see it, as far as two-way variables cover it.
    #[must_use]
    pub fn frame_path(&self, frame: &Frame, platform: &str) -> Option<String> {
        let path = frame.report.path.as_str();
        if path.is_empty() || frame.platform.is_empty() {
            return None;
        }
        if frame.platform == platform {
            return Some(path.to_owned());
        }
        let live = self.live();
        let stored = live.variables.to_variables(path, &Platform::new(&frame.platform));
        if stored == path {
            return None;
        }
        let expanded = live.variables.expand(&stored, Audience::Users, &Platform::new(platform));
        (!expanded.starts_with('{')).then_some(expanded)
    }
}

/// Where the files of a thumbnail are served: the small one, and the large one while it is there.
#[must_use]
pub fn thumbnail_urls(job: JobId, thumbnail: &Thumbnail) -> (String, Option<String>) {
    let base = logs::job_url(job.0);
    let [large, small] = thumbnail::file_names(thumbnail);
    (format!("{base}/{small}"), thumbnail.has_large.then(|| format!("{base}/{large}")))
}
