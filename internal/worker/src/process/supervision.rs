//! What all programs of a worker share: their guard, their mark, their limits, and what is known about the one that runs.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::guard::Guard;

/// After which time a program is stopped. Nothing is limited unless it is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeLimits {
    /// Since it was started.
    pub total: Option<Duration>,
    /// Since it last wrote something.
    pub silence: Option<Duration>,
}

/// Shared by everything that runs programs. Clones share it.
#[derive(Debug, Clone)]
pub struct Supervision {
    guard: Option<Guard>,
    mark: Arc<str>,
    runs: Arc<AtomicU64>,
    pub limits: TimeLimits,
    pub watched: Watched,
}

/// What the machine statistics want to know about the task. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Watched(Arc<WatchedInner>);

#[derive(Debug, Default)]
struct WatchedInner {
    /// Process id of the program that runs; 0 when none does.
    program: AtomicU32,
    output: Mutex<Option<PathBuf>>,
}

impl Watched {
    /// The program that runs.
    pub fn program(&self) -> Option<u32> {
        Some(self.0.program.load(Ordering::Relaxed)).filter(|pid| *pid != 0)
    }

    /// The directory of the last picture that was saved.
    pub fn output(&self) -> Option<PathBuf> {
        self.0.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub fn set_output(&self, directory: PathBuf) {
        *self.0.output.lock().unwrap_or_else(PoisonError::into_inner) = Some(directory);
    }
}

impl Supervision {
    /// `guard` is the program that becomes the guard, if there is to be one.
    pub fn new(guard: Option<PathBuf>, limits: TimeLimits) -> Self {
        let mark = uuid::Uuid::new_v4().simple().to_string();
        Self {
            guard: guard.map(|program| Guard::start(program, mark.clone())),
            mark: mark.into(),
            runs: Arc::default(),
            limits,
            watched: Watched::default(),
        }
    }

    /// A mark for the processes of one program.
    pub(super) fn new_mark(&self) -> String {
        format!("{}:{}", self.mark, self.runs.fetch_add(1, Ordering::Relaxed))
    }

    /// Takes note of a program until what is returned is dropped.
    pub(super) fn watch(&self, group: i32) -> Watch {
        if let Some(guard) = &self.guard {
            guard.add(group);
        }
        self.watched.0.program.store(group.unsigned_abs(), Ordering::Relaxed);
        Watch { guard: self.guard.clone(), watched: self.watched.clone(), group }
    }
}

/// A program that is watched.
#[derive(Debug)]
pub(super) struct Watch {
    guard: Option<Guard>,
    watched: Watched,
    group: i32,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if let Some(guard) = &self.guard {
            guard.remove(self.group);
        }
        self.watched.0.program.store(0, Ordering::Relaxed);
    }
}
