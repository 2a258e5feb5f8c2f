//! Telling those who watch that frames changed: collected, and announced at most twice a second for a job.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use flamenco_domain::event::Event;
use flamenco_domain::ids::JobId;
use flamenco_store::frames;

use crate::error::Result;
use crate::farm::Farm;

/// Frames of a job in one event; when there are more, those who watch are told to read again.
const MOST: usize = 200;

/// The frames that changed since they were announced last, by their keys.
#[derive(Debug, Default)]
pub(crate) struct Changes(Mutex<BTreeMap<JobId, BTreeSet<i64>>>);

impl Changes {
    /// Notes frames of a job.
    pub(crate) fn note(&self, job: JobId, keys: impl IntoIterator<Item = i64>) {
        let mut changes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut keys = keys.into_iter().peekable();
        if keys.peek().is_some() {
            let of_job = changes.entry(job).or_default();
            // One more than fits tells that there are too many.
            of_job.extend(keys.take((MOST + 1).saturating_sub(of_job.len())));
        }
    }

    fn take(&self) -> BTreeMap<JobId, BTreeSet<i64>> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Farm {
    /// Announces the frames that changed since the last call, as they are stored now.
    ///
    /// # Errors
    /// When the database cannot be read; what was to be announced is lost then.
    pub(crate) async fn announce_frames(&self) -> Result<()> {
        let mut progress = self.frame_progress.take(self.now());
        for (job, keys) in self.frame_changes.take() {
            let is_cut = keys.len() > MOST;
            let keys: Vec<i64> = keys.into_iter().take(MOST).collect();
            let frames = frames::by_keys(self.store.read(), job, &keys).await?;
            let progress = progress.remove(&job).unwrap_or_default();
            self.announce(Event::Frames { job, frames, refresh: is_cut, progress });
        }
        for (job, progress) in progress {
            self.announce(Event::Frames { job, frames: Vec::new(), refresh: false, progress });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_collected_and_bounded() {
        let (changes, one, other) = (Changes::default(), JobId::random(), JobId::random());
        changes.note(one, [1, 2]);
        changes.note(one, [2, 3]);
        changes.note(other, []);
        let taken = changes.take();
        assert_eq!(taken, BTreeMap::from([(one, BTreeSet::from([1, 2, 3]))]));
        assert_eq!(changes.take(), BTreeMap::new());
        changes.note(one, 0..10_000);
        changes.note(one, 10_000..10_010);
        assert_eq!(changes.take()[&one].len(), MOST + 1);
    }
}
