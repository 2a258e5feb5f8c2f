//! How far frames are that are being rendered. It is for those who watch, so it is only kept in memory: the next report
//! brings back what is lost.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use flamenco_domain::frame::FrameProgress;
use flamenco_domain::ids::{JobId, TaskId, WorkerId};
use flamenco_domain::task::{TaskStatus, on_report};
use flamenco_domain::worker::Worker;

use crate::error::{Error, Result};
use crate::farm::Farm;

/// How long a report counts; a worker whose frame goes on sends the next one long before.
const VALID: TimeDelta = TimeDelta::minutes(1);

/// The last report of each worker.
#[derive(Debug, Default)]
pub(crate) struct Progress(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    by_worker: HashMap<WorkerId, Told>,
    /// Workers that reported since those who watch were told last.
    changed: BTreeSet<WorkerId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    job: JobId,
    task: TaskId,
    progress: FrameProgress,
    at: DateTime<Utc>,
}

impl Progress {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, worker: WorkerId, told: Told) {
        let mut inner = self.lock();
        inner.by_worker.insert(worker, told);
        inner.changed.insert(worker);
    }

    /// The percentages of frames of a job, by task and frame.
    pub(super) fn of_job(&self, job: JobId, now: DateTime<Utc>) -> HashMap<(TaskId, i64), i64> {
        let inner = self.lock();
        let valid = inner.by_worker.values().filter(|told| told.job == job && now - told.at <= VALID);
        valid.map(|told| ((told.task, told.progress.frame), told.progress.percent)).collect()
    }

    /// What was reported since the last call, by job. Forgets what is too old to count.
    pub(super) fn take(&self, now: DateTime<Utc>) -> BTreeMap<JobId, Vec<FrameProgress>> {
        let mut inner = self.lock();
        inner.by_worker.retain(|_, told| now - told.at <= VALID);
        let mut by_job: BTreeMap<JobId, Vec<FrameProgress>> = BTreeMap::new();
        for worker in std::mem::take(&mut inner.changed) {
            if let Some(told) = inner.by_worker.get(&worker) {
                by_job.entry(told.job).or_default().push(told.progress);
            }
        }
        by_job
    }
}

impl Farm {
    /// A worker tells how far the frame is that its task renders.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no such task, [`Error::TaskReport`] when it is not this worker's.
    pub async fn report_frame_progress(
        &self,
        worker: &Worker,
        id: TaskId,
        progress: FrameProgress,
    ) -> Result<()> {
        let look = self.store.look_at_task(id).await?;
        let (task, job) = look.ok_or_else(|| Error::not_found("task", id))?;
        on_report(&task, job, worker.id, None)?;
        if task.status == TaskStatus::Active {
            let told = Told { job: task.job_id, task: id, progress, at: self.now() };
            self.frame_progress.note(worker.id, told);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_report_of_a_worker_counts_for_a_minute() {
        let (progress, job, task, worker) =
            (Progress::default(), JobId::random(), TaskId::random(), WorkerId::random());
        let at = |seconds| DateTime::from_timestamp(1000_i64 + seconds, 0).unwrap();
        let told = |frame, percent, at| Told { job, task, progress: FrameProgress { frame, percent }, at };
        progress.note(worker, told(7, 10, at(0)));
        progress.note(worker, told(7, 25, at(3)));
        assert_eq!(progress.of_job(job, at(3)), HashMap::from([((task, 7), 25)]));
        assert_eq!(progress.of_job(JobId::random(), at(3)), HashMap::new());
        assert_eq!(progress.of_job(job, at(64)), HashMap::new(), "nothing was heard since");

        let expected = vec![FrameProgress { frame: 7, percent: 25 }];
        assert_eq!(progress.take(at(4)), BTreeMap::from([(job, expected)]));
        assert_eq!(progress.take(at(4)), BTreeMap::new(), "told already");
        progress.note(worker, told(8, 1, at(5)));
        assert_eq!(progress.take(at(66)), BTreeMap::new(), "too old to be of use");
        assert!(progress.lock().by_worker.is_empty(), "nothing is kept for ever");
    }
}
