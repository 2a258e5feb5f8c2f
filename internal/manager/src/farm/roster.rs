//! What is remembered of workers between two of their requests.
//!
//! A worker calls many times a second, and each call needs its row and a check of its secret. Both are kept for a
//! moment: until a commit changes the row (its event comes before whoever asked for the change is answered), and no
//! longer than [`SHELF_LIFE`], since another manager on the same database may change it too. Everything here can be
//! thrown away at any time, and no decision rests on it alone: what is stored is decided on the row in the
//! transaction.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use flamenco_domain::ids::WorkerId;
use flamenco_domain::worker::Worker;

/// How long a row may be used without looking at the database.
const SHELF_LIFE: Duration = Duration::from_secs(1);

/// A secret that was found to match a slow hash.
#[derive(Clone, PartialEq, Eq)]
struct Verified {
    slow_hash: String,
    quick_hash: [u8; 32],
}

struct Entry {
    worker: Arc<Worker>,
    read: Instant,
}

#[derive(Default)]
struct Inner {
    /// Counts changes, so that a row that was read before one is not kept after it.
    changes: u64,
    entries: HashMap<WorkerId, Entry>,
    verified: HashMap<WorkerId, Verified>,
    /// Workers whose last look for work found some.
    busy: HashSet<WorkerId>,
}

/// The rows of workers that called lately. Clones share them.
#[derive(Clone, Default)]
pub(super) struct Roster(Arc<Mutex<Inner>>);

impl Roster {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The row of a worker, if it is fresh.
    pub(super) fn get(&self, id: WorkerId) -> Option<Arc<Worker>> {
        let inner = self.inner();
        let entry = inner.entries.get(&id)?;
        (entry.read.elapsed() < SHELF_LIFE).then(|| Arc::clone(&entry.worker))
    }

    /// To be asked for before a row is read, and given to [`Self::keep`].
    pub(super) fn changes(&self) -> u64 {
        self.inner().changes
    }

    /// Keeps a row that was read after [`Self::changes`] was asked for, unless something changed in between.
    pub(super) fn keep(&self, worker: &Arc<Worker>, changes: u64) {
        let mut inner = self.inner();
        if inner.changes == changes {
            inner.entries.insert(worker.id, Entry { worker: Arc::clone(worker), read: Instant::now() });
        }
    }

    /// A worker was changed by a commit.
    pub(super) fn changed(&self, id: WorkerId, is_gone: bool) {
        let mut inner = self.inner();
        inner.changes += 1;
        inner.entries.remove(&id);
        if is_gone {
            inner.verified.remove(&id);
            inner.busy.remove(&id);
        }
    }

    /// A worker was heard of, and that is stored.
    pub(super) fn seen(&self, id: WorkerId, at: DateTime<Utc>) {
        let mut inner = self.inner();
        if let Some(entry) = inner.entries.get_mut(&id)
            && entry.worker.last_seen.is_none_or(|seen| seen < at)
        {
            Arc::make_mut(&mut entry.worker).last_seen = Some(at);
        }
    }

    /// Whether a secret with this quick hash is known to match the slow one.
    pub(super) fn is_verified(&self, id: WorkerId, slow_hash: &str, quick_hash: [u8; 32]) -> bool {
        let inner = self.inner();
        inner
            .verified
            .get(&id)
            .is_some_and(|known| known.slow_hash == slow_hash && known.quick_hash == quick_hash)
    }

    /// Remembers that a secret matches.
    pub(super) fn verified(&self, id: WorkerId, slow_hash: String, quick_hash: [u8; 32]) {
        self.inner().verified.insert(id, Verified { slow_hash, quick_hash });
    }

    /// Whether the worker found work when it looked last.
    pub(super) fn is_busy(&self, id: WorkerId) -> bool {
        self.inner().busy.contains(&id)
    }

    /// Notes whether the worker found work.
    pub(super) fn set_busy(&self, id: WorkerId, busy: bool) {
        let mut inner = self.inner();
        if busy {
            inner.busy.insert(id);
        } else {
            inner.busy.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use flamenco_domain::worker::WorkerStatus;

    fn worker() -> Arc<Worker> {
        let now = DateTime::from_timestamp(1_700_000_000, 0).unwrap();
        Arc::new(Worker {
            seq: 1,
            id: WorkerId::random(),
            secret_hash: "slow".into(),
            name: "node".into(),
            address: String::new(),
            platform: "linux".into(),
            software: String::new(),
            status: WorkerStatus::Awake,
            requested: None,
            disabled: None,
            task_types: vec!["blender".into()],
            can_restart: false,
            last_seen: None,
            created: now,
            updated: now,
            deleted: None,
        })
    }

    #[test]
    fn a_row_is_kept_until_it_changes() {
        let (roster, worker) = (Roster::default(), worker());
        assert!(roster.get(worker.id).is_none());
        roster.keep(&worker, roster.changes());
        assert!(roster.get(worker.id).is_some());
        roster.changed(worker.id, false);
        assert!(roster.get(worker.id).is_none());
    }

    #[test]
    fn a_row_that_was_read_before_a_change_is_not_kept_after_it() {
        let (roster, worker) = (Roster::default(), worker());
        let before = roster.changes();
        roster.changed(worker.id, false);
        roster.keep(&worker, before);
        assert!(roster.get(worker.id).is_none());
    }

    #[test]
    fn when_it_was_seen_only_grows() {
        let (roster, worker) = (Roster::default(), worker());
        roster.keep(&worker, roster.changes());
        let later = worker.updated + TimeDelta::seconds(5);
        roster.seen(worker.id, later);
        roster.seen(worker.id, worker.updated);
        assert_eq!(roster.get(worker.id).unwrap().last_seen, Some(later));
    }

    #[test]
    fn a_verified_secret_holds_for_its_hash_only() {
        let (roster, id) = (Roster::default(), WorkerId::random());
        roster.verified(id, "slow".into(), [1; 32]);
        assert!(roster.is_verified(id, "slow", [1; 32]));
        assert!(!roster.is_verified(id, "slow", [2; 32]));
        assert!(!roster.is_verified(id, "other", [1; 32]));
        roster.changed(id, true);
        assert!(!roster.is_verified(id, "slow", [1; 32]));
    }
}
