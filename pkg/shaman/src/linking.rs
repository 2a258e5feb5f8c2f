//! Which stored files checkouts are being made of.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::identity::Identity;

/// The files of all checkouts that are being made, and of those that ended while garbage is collected.
///
/// A checkout that is being made has no record yet, and the collector may look where a link is not yet. So it asks
/// here before it deletes, also about checkouts that began before it.
#[derive(Clone, Default)]
pub(crate) struct Linking(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: u64,
    checkouts: Vec<(u64, HashSet<Identity>)>,
    /// Number of collections that run.
    collections: usize,
    /// Checkouts that have ended while one ran.
    ended: HashSet<u64>,
}

/// A checkout that is being made.
#[must_use]
pub(crate) struct Linked {
    all: Linking,
    number: u64,
}

/// A running collection.
#[must_use]
pub(crate) struct Collecting(Linking);

impl Linking {
    /// To be called before the first link is made.
    pub fn begin(&self, files: HashSet<Identity>) -> Linked {
        let mut state = self.state();
        let number = state.next;
        state.next += 1;
        state.checkouts.push((number, files));
        Linked { all: self.clone(), number }
    }

    /// From now on the files of checkouts that end are remembered as well.
    pub fn collect(&self) -> Collecting {
        self.state().collections += 1;
        Collecting(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets what has ended, unless a collection still has to know.
    fn forget(&mut self) {
        if self.collections == 0 {
            let ended = std::mem::take(&mut self.ended);
            self.checkouts.retain(|(number, _)| !ended.contains(number));
        }
    }
}

impl Collecting {
    /// Is this a file of a checkout that was being made at any time since the collection began?
    pub fn uses(&self, identity: Identity) -> bool {
        self.0.state().checkouts.iter().any(|(_, files)| files.contains(&identity))
    }
}

impl Drop for Linked {
    fn drop(&mut self) {
        let state = &mut *self.all.state();
        state.ended.insert(self.number);
        state.forget();
    }
}

impl Drop for Collecting {
    fn drop(&mut self) {
        let state = &mut *self.0.state();
        state.collections -= 1;
        state.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(content: u8) -> Identity {
        Identity { checksum: crate::Checksum::from_bytes([content; 32]), size: 1 }
    }

    #[test]
    fn files_are_remembered_from_before_the_collection_to_its_end_and_no_longer() {
        let linking = Linking::default();
        drop(linking.begin(HashSet::from([file(1)])));
        let before = linking.begin(HashSet::from([file(2)]));
        let still_running = linking.begin(HashSet::from([file(4)]));
        let collecting = linking.collect();
        drop(linking.collect());
        drop(before);
        drop(linking.begin(HashSet::from([file(3)])));
        let used = [1, 2, 3, 4, 5].map(|content| collecting.uses(file(content)));
        assert_eq!(used, [false, true, true, true, false]);
        drop(collecting);
        assert_eq!(linking.state().checkouts.len(), 1);
        drop(still_running);
        assert!(linking.state().checkouts.is_empty());
    }
}
