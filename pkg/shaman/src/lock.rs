//! Locks that hold between threads, and between programs that share one storage.

use std::fs::{File, TryLockError};
use std::io;
use std::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError as InProcess};

use crate::error::Result;
use crate::folder::Folder;

const LOCK_FILE: &str = ".lock";

/// Keeps garbage collection from deleting what someone is about to link: users share it, the collector has it alone.
///
/// Between processes the lock is one on a file. Storage that cannot lock files leaves the lock between threads, and
/// the hour that the collector keeps away from anything touched.
#[derive(Default)]
pub(crate) struct UseLock(RwLock<()>);

/// Holding it, stored files stay.
pub(crate) struct Using<'a> {
    _threads: RwLockReadGuard<'a, ()>,
    _processes: Option<File>,
}

/// Holding it, nobody starts to use a stored file.
pub(crate) struct Alone<'a> {
    _threads: RwLockWriteGuard<'a, ()>,
    _processes: Option<File>,
}

impl UseLock {
    /// Waits for the collector, which holds the lock for milliseconds at a time.
    pub fn share(&self, file_store: &Folder) -> Result<Using<'_>> {
        let guard = self.0.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        let file = file_store.open_or_create(LOCK_FILE)?;
        let locked = file.lock_shared().is_ok();
        Ok(Using { _threads: guard, _processes: locked.then_some(file) })
    }

    /// `None` while anyone is using stored files. Never waits, so that nobody queues up behind a long checkout.
    pub fn try_alone(&self, file_store: &Folder) -> Result<Option<Alone<'_>>> {
        let guard = match self.0.try_write() {
            Ok(guard) => guard,
            Err(InProcess::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(InProcess::WouldBlock) => return Ok(None),
        };
        let file = file_store.open_or_create(LOCK_FILE)?;
        Ok(match try_lock(&file) {
            Held::ByUs => Some(Alone { _threads: guard, _processes: Some(file) }),
            Held::ByOthers => None,
            Held::Unknown => Some(Alone { _threads: guard, _processes: None }),
        })
    }
}

/// Who has a file locked.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Held {
    /// Nobody had it; now we have.
    ByUs,
    /// Someone alive.
    ByOthers,
    /// The storage cannot say.
    Unknown,
}

/// Tries to lock a file. The system releases the lock when the file is closed, also when its process is killed.
pub(crate) fn try_lock(file: &File) -> Held {
    match file.try_lock() {
        Ok(()) => Held::ByUs,
        Err(TryLockError::WouldBlock) => Held::ByOthers,
        Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::WouldBlock => Held::ByOthers,
        Err(TryLockError::Error(_)) => Held::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_collector_is_alone_or_not_at_all() {
        let place = tempfile::tempdir().expect("temporary directory");
        let folder = Folder::open_root(place.path()).expect("opened");
        // Two locks stand for two processes.
        let (ours, theirs) = (UseLock::default(), UseLock::default());
        let using = ours.share(&folder).expect("asked");
        let also = theirs.share(&folder).expect("asked");
        assert!(ours.try_alone(&folder).expect("asked").is_none());
        drop(using);
        assert!(ours.try_alone(&folder).expect("asked").is_none(), "the other process still uses files");
        drop(also);
        assert!(ours.try_alone(&folder).expect("asked").is_some());
    }
}
