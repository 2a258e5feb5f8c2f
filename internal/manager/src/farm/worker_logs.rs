//! The end of what each worker logs about itself: for whoever looks at a worker that does not do what it should.
//!
//! Kept in memory only, and little of it: a manager that starts again has none until the workers send theirs.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use flamenco_domain::event::Event;
use flamenco_domain::ids::WorkerId;
use flamenco_domain::limits::shortened;
use flamenco_domain::worker::Worker;
use flamenco_store::workers;

use super::Farm;
use crate::error::{Error, Result};

/// Most lines of a worker.
const MOST_LINES: usize = 200;
/// Most bytes of these lines; with two thousand workers that is 64 MB.
const MOST_BYTES: usize = 32 * 1024;
/// Longest line, in characters.
const LONGEST: usize = 1000;

/// The end of a worker's log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkerLog {
    /// When the last lines came.
    pub received: Option<DateTime<Utc>>,
    /// The lines, oldest first.
    pub lines: Vec<String>,
    /// How many there have been.
    pub total: u64,
}

/// What is kept of all workers.
#[derive(Debug, Default)]
pub(super) struct WorkerLogs(Mutex<HashMap<WorkerId, Tail>>);

#[derive(Debug, Default)]
struct Tail {
    received: Option<DateTime<Utc>>,
    lines: VecDeque<String>,
    bytes: usize,
    total: u64,
}

impl Tail {
    fn clear(&mut self) {
        self.lines.clear();
        self.bytes = 0;
    }

    fn push(&mut self, line: String) {
        self.bytes += line.len();
        self.lines.push_back(line);
        self.total += 1;
        while self.lines.len() > MOST_LINES || self.bytes > MOST_BYTES {
            let Some(oldest) = self.lines.pop_front() else { break };
            self.bytes -= oldest.len();
        }
    }
}

impl WorkerLogs {
    fn lock(&self) -> MutexGuard<'_, HashMap<WorkerId, Tail>> {
        // A panic in between leaves at worst a line out.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget(&self, worker: WorkerId) {
        self.lock().remove(&worker);
    }
}

/// A line as it is shown: without anything that would move a cursor, and not without end.
fn readable(line: &str) -> String {
    let plain: String = line
        .trim_end()
        .chars()
        .map(|letter| match letter {
            '\t' => ' ',
            letter if letter.is_control() => '\u{fffd}',
            letter => letter,
        })
        .collect();
    shortened(&plain, LONGEST)
}

impl Farm {
    /// A worker tells what it has logged about itself; `anew` when that is all that it has.
    pub fn report_worker_log(&self, worker: &Worker, lines: &[String], anew: bool) {
        let lines: Vec<String> = lines.iter().map(|line| readable(line)).collect();
        let total = {
            let mut logs = self.worker_logs.lock();
            let tail = logs.entry(worker.id).or_default();
            if anew {
                tail.clear();
            }
            tail.received = Some(self.now());
            lines.iter().cloned().for_each(|line| tail.push(line));
            tail.total
        };
        self.announce(Event::WorkerLog { worker: worker.id, lines, anew, total });
    }

    /// The end of what a worker logged about itself; empty when it sends nothing.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn worker_log(&self, id: WorkerId) -> Result<WorkerLog> {
        if workers::find(self.store.read(), id).await?.is_none() {
            return Err(Error::not_found("worker", id));
        }
        let logs = self.worker_logs.lock();
        Ok(logs.get(&id).map_or_else(WorkerLog::default, |tail| WorkerLog {
            received: tail.received,
            lines: tail.lines.iter().cloned().collect(),
            total: tail.total,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_plain_and_the_oldest_give_way() {
        assert_eq!(readable("\u{1b}[31mred\tand\r\n"), "\u{fffd}[31mred and");
        assert_eq!(readable(&"é".repeat(2000)).chars().count(), LONGEST);
        let mut tail = Tail::default();
        for number in 0..300 {
            tail.push(number.to_string());
        }
        assert_eq!((tail.lines.len(), tail.lines[0].as_str(), tail.total), (MOST_LINES, "100", 300));
        for _ in 0..100 {
            tail.push("x".repeat(LONGEST));
        }
        assert_eq!((tail.lines.len(), tail.bytes), (MOST_BYTES / LONGEST, MOST_BYTES / LONGEST * LONGEST));
        tail.clear();
        assert_eq!((tail.lines.len(), tail.bytes, tail.total), (0, 0, 400));
    }
}
