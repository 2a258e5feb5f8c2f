//! How much room the shared storage has.
//!
//! It may be on a file server that does not answer, and then the question hangs for as long as it likes. So there is
//! never more than one on its way, and nobody waits for it longer than [`PATIENCE`].

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

/// For how long an answer is good enough.
const FRESH: TimeDelta = TimeDelta::seconds(15);
/// For how long somebody waits for an answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// The room of a file system, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Room {
    /// What can still be written.
    pub free: u64,
    /// All of it.
    pub total: u64,
}

/// Looks at a file system, and remembers what it saw. Clones share that.
#[derive(Debug, Clone, Default)]
pub(super) struct Gauge(Arc<Mutex<Seen>>);

#[derive(Debug, Default)]
struct Seen {
    path: PathBuf,
    room: Option<Room>,
    at: Option<DateTime<Utc>>,
    /// A question is on its way.
    asking: bool,
}

impl Gauge {
    /// The room where `path` is; `None` when that cannot be found out, or not soon.
    pub(super) async fn of(&self, path: PathBuf, now: DateTime<Utc>) -> Option<Room> {
        {
            let mut seen = self.lock();
            let is_same = seen.path == path;
            let is_fresh = seen.at.is_some_and(|at| now.signed_duration_since(at).abs() < FRESH);
            if seen.asking || (is_same && is_fresh) {
                return seen.room.filter(|_| is_same);
            }
            *seen = Seen { room: seen.room.filter(|_| is_same), path: path.clone(), at: None, asking: true };
        }
        let gauge = self.clone();
        let asked = tokio::task::spawn_blocking(move || {
            let room = fs4::statvfs(&path)
                .map(|stats| Room { free: stats.available_space(), total: stats.total_space() });
            if let Err(error) = &room {
                tracing::debug!(path = %path.display(), %error, "cannot find out how much room there is");
            }
            let mut seen = gauge.lock();
            (seen.room, seen.at, seen.asking) = (room.ok(), Some(now), false);
            seen.room
        });
        match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(room)) => room,
            Ok(Err(_)) | Err(_) => None,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_that_is_there_has_room_and_the_answer_is_remembered_for_a_while() {
        let folder = tempfile::tempdir().unwrap();
        let (gauge, now) = (Gauge::default(), DateTime::<Utc>::UNIX_EPOCH);
        let path = folder.path().to_owned();
        let room = gauge.of(path.clone(), now).await.unwrap();
        assert!(0 < room.free && room.free <= room.total, "{room:?}");

        let gone = folder.path().to_owned();
        drop(folder);
        assert_eq!(gauge.of(gone.clone(), now + TimeDelta::seconds(14)).await, Some(room));
        assert_eq!(gauge.of(gone, now + TimeDelta::seconds(15)).await, None);
        // Of another place nothing was known yet.
        assert!(gauge.of(std::env::temp_dir(), now + TimeDelta::seconds(16)).await.is_some());
    }

    #[tokio::test]
    async fn who_asks_while_a_question_hangs_gets_the_last_answer() {
        let (gauge, now) = (Gauge::default(), DateTime::<Utc>::UNIX_EPOCH);
        let (path, room) = (std::env::temp_dir(), Room { free: 1, total: 2 });
        *gauge.lock() = Seen { path: path.clone(), room: Some(room), at: None, asking: true };
        assert_eq!(gauge.of(path, now).await, Some(room));
        assert_eq!(gauge.of(PathBuf::from("/other"), now).await, None);
    }
}
