//! Pictures of what was rendered, on their way to the manager: the newest first, one at a time, beside the tasks and
//! never in their way.
//!
//! ```text
//!  task ──offer──► queue of paths (bounded) ──newest──► thread of low priority: read, scale ──► upload
//!                        ▲                                                                  │
//!                        └───────────────── not now: a newer one goes first ◄──────────────┘
//! ```
//!
//! Only paths wait, so that a backlog costs no memory; the file is read when it is its turn. A picture that turns out
//! to be broken or black corrects what was reported about its frame.

pub mod decode;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::manager_api::{Feature, Manager, PictureAnswer};
use crate::notice::Notice;
use crate::outbox::{FrameReport, FrameState, Outbox, TaskReport};
use decode::{PictureError, Scaled};

/// Pictures that may wait; the oldest are left out when there are more.
const WAITING: usize = 10_000;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// A picture that was rendered.
#[derive(Debug, Clone)]
pub struct Picture {
    pub task: Uuid,
    pub path: PathBuf,
    /// What was reported about its frame.
    pub report: Option<FrameReport>,
}

/// The queue. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Pictures(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    waiting: Mutex<Waiting>,
    offered: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    /// By number, the oldest first.
    pictures: VecDeque<(u64, Picture)>,
    next: u64,
    left_out: u64,
}

impl Waiting {
    fn push(&mut self, picture: Picture, most: usize) {
        self.pictures.push_back((self.next, picture));
        self.next += 1;
        while self.pictures.len() > most {
            self.pictures.pop_front();
            self.left_out += 1;
        }
    }

    /// Puts one back behind those that came after it.
    fn put_back(&mut self, number: u64, picture: Picture) {
        let place = self.pictures.partition_point(|(other, _)| *other < number);
        self.pictures.insert(place, (number, picture));
    }
}

impl Pictures {
    /// Adds a picture; it is sent when it is its turn.
    pub fn offer(&self, picture: Picture) {
        self.lock().push(picture, WAITING);
        self.0.offered.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn newest(&self) -> (u64, Picture) {
        loop {
            if let Some(newest) = self.lock().pictures.pop_back() {
                return newest;
            }
            self.0.offered.notified().await;
        }
    }

    /// Sends pictures until cancelled.
    pub async fn send_all(&self, manager: &Manager, outbox: &Outbox, cancel: &CancellationToken) {
        if cancel.run_until_cancelled(self.send_each(manager, outbox)).await.is_none() {
            let left = self.lock().pictures.len();
            if left > 0 {
                tracing::info!(left, "pictures that were not sent yet are left out");
            }
        }
    }

    async fn send_each(&self, manager: &Manager, outbox: &Outbox) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut notice = Notice::default();
        loop {
            let (number, picture) = self.newest().await;
            let left_out = std::mem::take(&mut self.lock().left_out);
            if left_out > 0 {
                tracing::warn!(left_out, "too many pictures wait for the manager; the oldest are left out");
            }
            let Some(jpeg) = self.prepare(&picture, manager, outbox).await else { continue };
            let bytes = jpeg.len();
            match manager.output_produced(picture.task, jpeg).await {
                PictureAnswer::Accepted => {
                    tracing::debug!(path = %picture.path.display(), bytes, "sent a picture");
                    if notice.clear() {
                        tracing::info!("pictures can be sent again");
                    }
                    backoff.reset();
                }
                PictureAnswer::Refused(reason) => {
                    tracing::warn!(path = %picture.path.display(), reason, "the manager refused a picture");
                }
                PictureAnswer::TryLater { reason, after } => {
                    if notice.is_new(&reason) {
                        tracing::warn!(reason, "cannot send a picture now; trying until it works");
                    }
                    self.lock().put_back(number, picture);
                    sleep(after.unwrap_or_default().min(LONGEST_PAUSE).max(backoff.next_jittered())).await;
                }
            }
        }
    }

    /// Reads and scales a picture. When that shows more about its frame than was reported, reports it again.
    async fn prepare(&self, picture: &Picture, manager: &Manager, outbox: &Outbox) -> Option<Vec<u8>> {
        let path = picture.path.clone();
        let result = at_low_priority(move || decode::scaled_jpeg(&path)).await;
        let (jpeg, state) = match result {
            Ok(Scaled { jpeg, is_black }) => {
                (Some(jpeg), if is_black { FrameState::Black } else { FrameState::Ok })
            }
            Err(error) => {
                let path = picture.path.display();
                match &error {
                    PictureError::Unsupported(_) => {
                        tracing::info!(%path, %error, "no preview of this picture")
                    }
                    _ => tracing::warn!(%path, %error, "cannot read a picture that was saved"),
                }
                (None, if error.is_damage() { FrameState::Broken } else { FrameState::Ok })
            }
        };
        let shows_more = state != FrameState::Ok;
        if let Some(report) =
            picture.report.as_ref().filter(|report| shows_more && report.state == FrameState::Ok)
            && manager.offers(Feature::Frames)
        {
            let frames = Some(vec![FrameReport { state, ..report.clone() }]);
            outbox.push(picture.task, &TaskReport { frames, ..TaskReport::default() }).await;
        }
        jpeg
    }
}

/// Runs something long on a thread of its own, which gives way to everything else.
async fn at_low_priority<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PictureError> + Send + 'static,
) -> Result<T, PictureError> {
    let (done, result) = oneshot::channel();
    let started = std::thread::Builder::new().name("picture".to_owned()).spawn(move || {
        // On Linux this is about the calling thread alone. A picture at normal priority is better than none.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, 15);
        drop(done.send(work()));
    });
    match started {
        // Without an answer the thread has panicked: the picture is one that its reader cannot cope with.
        Ok(_) => result.await.unwrap_or(Err(PictureError::Panicked)),
        Err(error) => Err(PictureError::Read(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(name: &str) -> Picture {
        Picture { task: Uuid::nil(), path: PathBuf::from(name), report: None }
    }

    #[tokio::test]
    async fn the_newest_goes_first_and_one_put_back_waits_for_newer_ones() {
        let pictures = Pictures::default();
        for name in ["1", "2", "3"] {
            pictures.offer(picture(name));
        }
        let (number, third) = pictures.newest().await;
        assert_eq!(third.path.to_str(), Some("3"));
        pictures.offer(picture("4"));
        pictures.lock().put_back(number, third);
        let mut order = Vec::new();
        for _ in 0..4 {
            order.push(pictures.newest().await.1.path.display().to_string());
        }
        assert_eq!(order, ["4", "3", "2", "1"]);
    }

    #[test]
    fn the_oldest_are_left_out() {
        let mut waiting = Waiting::default();
        for name in ["1", "2", "3", "4"] {
            waiting.push(picture(name), 2);
        }
        let left: Vec<_> =
            waiting.pictures.iter().map(|(_, picture)| picture.path.display().to_string()).collect();
        assert_eq!((left, waiting.left_out), (vec!["3".to_owned(), "4".to_owned()], 2));
    }

    #[tokio::test]
    async fn an_offer_wakes_the_one_who_waits() {
        let pictures = Pictures::default();
        let (newest, ()) = tokio::join!(pictures.newest(), async {
            sleep(Duration::from_millis(20)).await;
            pictures.offer(picture("1"));
        });
        assert_eq!(newest.0, 0);
    }

    #[tokio::test]
    async fn a_reader_that_panics_is_an_error() {
        let result = at_low_priority::<()>(|| panic!("as the test wants")).await;
        assert!(matches!(result, Err(PictureError::Panicked)));
    }
}
