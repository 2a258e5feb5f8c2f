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
//! to be broken or black corrects what was reported about its frame. What still waits is noted in the home directory
//! every few seconds and at the end, so that the next start goes on with it.

mod kept;
pub mod preview;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flamenco_pictures::PictureError;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::backoff::Backoff;
use crate::manager_api::{Feature, Manager, PictureAnswer};
use crate::notice::Notice;
use crate::outbox::{FrameReport, FrameState, Outbox, TaskReport};
use preview::{Encoded, PreviewError, Scaled};

/// Pictures that may wait; the oldest are left out when there are more.
const WAITING: usize = 10_000;
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How often what waits is noted, if it changed: that much may be lost when the worker is killed.
const NOTE_PERIOD: Duration = Duration::from_secs(5);

/// How often the manager may trip over a picture before that is given up.
const MOST_TRIES: u32 = 8;

/// A picture that was rendered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
    pictures: VecDeque<Place>,
    /// The one that is being sent: it waits until the manager has answered.
    in_hand: Option<Place>,
    next: u64,
    left_out: u64,
    /// Something changed since it was noted.
    changed: bool,
}

/// A picture that waits.
#[derive(Debug, Clone)]
struct Place {
    number: u64,
    /// How often the manager has tripped over it.
    tries: u32,
    picture: Picture,
}

impl Waiting {
    fn push(&mut self, picture: Picture, most: usize) {
        self.pictures.push_back(Place { number: self.next, tries: 0, picture });
        self.next += 1;
        self.changed = true;
        while self.pictures.len() > most {
            self.pictures.pop_front();
            self.left_out += 1;
        }
    }

    /// Of those that the manager has tripped over least.
    fn take_newest(&mut self) -> Option<Picture> {
        let least = self.pictures.iter().map(|place| place.tries).min()?;
        let newest = self.pictures.iter().rposition(|place| place.tries == least)?;
        self.in_hand = self.pictures.remove(newest);
        self.in_hand.as_ref().map(|place| place.picture.clone())
    }

    /// The manager has answered for good about the one in hand, or it cannot be sent.
    fn done(&mut self) {
        self.in_hand = None;
        self.changed = true;
    }

    /// Puts the one in hand back behind those that came after it.
    fn put_back(&mut self) {
        if let Some(place) = self.in_hand.take() {
            let at = self.pictures.partition_point(|other| other.number < place.number);
            self.pictures.insert(at, place);
        }
    }

    /// Puts the one in hand back behind all that the manager has tripped over less often. Returns false when that was
    /// once too often, and it is gone.
    fn put_behind(&mut self) -> bool {
        let tries = self.in_hand.as_mut().map_or(0, |place| {
            place.tries += 1;
            place.tries
        });
        if tries < MOST_TRIES {
            self.put_back();
            return true;
        }
        self.done();
        false
    }

    /// All that was not sent yet, the oldest first.
    fn unsent(&self) -> Vec<Picture> {
        let mut unsent: Vec<_> = self.pictures.iter().chain(&self.in_hand).collect();
        unsent.sort_by_key(|place| place.number);
        unsent.into_iter().map(|place| place.picture.clone()).collect()
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

    async fn newest(&self) -> Picture {
        loop {
            if let Some(newest) = self.lock().take_newest() {
                return newest;
            }
            self.0.offered.notified().await;
        }
    }

    /// Goes on with what an earlier run noted in the home directory.
    pub async fn resume(&self, home: &Path) {
        let pictures = kept::load(home).await;
        if !pictures.is_empty() {
            tracing::info!(pictures = pictures.len(), "going on to send the pictures of an earlier run");
        }
        let mut waiting = self.lock();
        for picture in pictures {
            waiting.push(picture, WAITING);
        }
        waiting.changed = false;
        drop(waiting);
        self.0.offered.notify_one();
    }

    /// Sends pictures until cancelled; then notes those that are left in the home directory.
    pub async fn send_all(
        &self,
        manager: &Manager,
        outbox: &Outbox,
        home: &Path,
        cancel: &CancellationToken,
    ) {
        let work = async { tokio::join!(self.send_each(manager, outbox), self.note_regularly(home)) };
        if cancel.run_until_cancelled(work).await.is_none() {
            self.note(home).await;
            let left = self.lock().unsent().len();
            if left > 0 {
                tracing::info!(left, "pictures that were not sent yet are kept for the next start");
            }
        }
    }

    async fn note_regularly(&self, home: &Path) {
        loop {
            sleep(NOTE_PERIOD).await;
            self.note(home).await;
        }
    }

    /// Notes what waits, if that changed.
    async fn note(&self, home: &Path) {
        let unsent = {
            let mut waiting = self.lock();
            if !std::mem::take(&mut waiting.changed) {
                return;
            }
            waiting.unsent()
        };
        if let Err(error) = kept::save(home, unsent).await {
            self.lock().changed = true;
            tracing::warn!(%error, "cannot note which pictures wait; they are lost if the worker stops now");
        }
    }

    async fn send_each(&self, manager: &Manager, outbox: &Outbox) {
        let mut backoff = Backoff::new(FIRST_PAUSE, LONGEST_PAUSE);
        let mut notice = Notice::default();
        loop {
            let picture = self.newest().await;
            let left_out = std::mem::take(&mut self.lock().left_out);
            if left_out > 0 {
                tracing::warn!(left_out, "too many pictures wait for the manager; the oldest are left out");
            }
            let Some(encoded) = self.prepare(&picture, manager, outbox).await else {
                self.lock().done();
                continue;
            };
            let bytes = encoded.bytes.len();
            match manager.output_produced(picture.task, encoded, picture.report.as_ref()).await {
                PictureAnswer::Accepted => {
                    tracing::debug!(path = %picture.path.display(), bytes, "sent a picture");
                    if notice.clear() {
                        tracing::info!("pictures can be sent again");
                    }
                    backoff.reset();
                    self.lock().done();
                }
                PictureAnswer::Refused(reason) => {
                    tracing::warn!(path = %picture.path.display(), reason, "the manager refused a picture");
                    self.lock().done();
                }
                PictureAnswer::Tripped(reason) => {
                    let path = picture.path.display();
                    if self.lock().put_behind() {
                        tracing::debug!(%path, reason, "the manager trips over a picture; others go first");
                    } else {
                        tracing::warn!(%path, reason, tries = MOST_TRIES, "giving up a picture that the manager trips over");
                    }
                    sleep(backoff.next_jittered()).await;
                }
                PictureAnswer::TryLater { reason, after } => {
                    if notice.is_new(&reason) {
                        tracing::warn!(reason, "cannot send a picture now; trying until it works");
                    }
                    self.lock().put_back();
                    sleep(after.unwrap_or_default().min(LONGEST_PAUSE).max(backoff.next_jittered())).await;
                }
            }
        }
    }

    /// Reads and scales a picture. When that shows more about its frame than was reported, reports it again.
    async fn prepare(&self, picture: &Picture, manager: &Manager, outbox: &Outbox) -> Option<Encoded> {
        let path = picture.path.clone();
        let keep_transparency = manager.offers(Feature::Thumbnails);
        let result = at_low_priority(move || preview::scaled(&path, keep_transparency)).await;
        let (encoded, state) = match result {
            Ok(Scaled { encoded, is_black }) => {
                (Some(encoded), if is_black { FrameState::Black } else { FrameState::Ok })
            }
            Err(error) => {
                let path = picture.path.display();
                match &error {
                    PreviewError::Picture(PictureError::Unsupported(_)) => {
                        tracing::info!(%path, %error, "no preview of this picture")
                    }
                    _ => tracing::warn!(%path, %error, "cannot read a picture that was saved"),
                }
                (
                    None,
                    if matches!(&error, PreviewError::Picture(error) if error.is_damage()) {
                        FrameState::Broken
                    } else {
                        FrameState::Ok
                    },
                )
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
        encoded
    }
}

/// Runs something long on a thread of its own, which gives way to everything else.
async fn at_low_priority<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PreviewError> + Send + 'static,
) -> Result<T, PreviewError> {
    let (done, result) = oneshot::channel();
    let started = std::thread::Builder::new().name("picture".to_owned()).spawn(move || {
        // On Linux this is about the calling thread alone. A picture at normal priority is better than none.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::setpriority_process(None, 15);
        drop(done.send(work()));
    });
    match started {
        // Without an answer the thread has panicked: the picture is one that its reader cannot cope with.
        Ok(_) => result.await.unwrap_or(Err(PreviewError::Panicked)),
        Err(error) => Err(PictureError::Read(error).into()),
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
        assert_eq!(pictures.newest().await, picture("3"));
        pictures.offer(picture("4"));
        assert_eq!(pictures.lock().unsent().len(), 4, "the one in hand is not sent yet");
        pictures.lock().put_back();
        let mut order = Vec::new();
        for _ in 0..4 {
            order.push(pictures.newest().await.path.display().to_string());
        }
        assert_eq!(order, ["4", "3", "2", "1"]);
        pictures.lock().done();
        assert!(pictures.lock().unsent().is_empty());
    }

    #[test]
    fn one_that_the_manager_trips_over_lets_the_others_pass_and_is_given_up() {
        let mut waiting = Waiting::default();
        for name in ["1", "2", "3"] {
            waiting.push(picture(name), 10);
        }
        let mut order = Vec::new();
        while let Some(newest) = waiting.take_newest() {
            let name = newest.path.display().to_string();
            let stays = name != "3" || waiting.put_behind();
            if name != "3" {
                waiting.done();
            }
            order.push((name, stays));
        }
        let tries = usize::try_from(MOST_TRIES).unwrap();
        assert_eq!(order[..3].iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["3", "2", "1"]);
        assert_eq!(order.len(), 2 + tries, "{order:?}");
        assert!(order[3..].iter().all(|(name, _)| name == "3"));
        assert_eq!(order.iter().position(|(_, stays)| !stays), Some(1 + tries), "only at last: {order:?}");
        assert!(waiting.unsent().is_empty() && waiting.changed);
    }

    #[test]
    fn the_oldest_are_left_out() {
        let mut waiting = Waiting::default();
        for name in ["1", "2", "3", "4"] {
            waiting.push(picture(name), 2);
        }
        let left: Vec<_> =
            waiting.pictures.iter().map(|place| place.picture.path.display().to_string()).collect();
        assert_eq!((left, waiting.left_out), (vec!["3".to_owned(), "4".to_owned()], 2));
    }

    #[tokio::test]
    async fn an_offer_wakes_the_one_who_waits() {
        let pictures = Pictures::default();
        let (newest, ()) = tokio::join!(pictures.newest(), async {
            sleep(Duration::from_millis(20)).await;
            pictures.offer(picture("1"));
        });
        assert_eq!(newest, picture("1"));
    }

    #[tokio::test]
    async fn what_waits_is_noted_when_it_changes() {
        let home = tempfile::tempdir().unwrap();
        let pictures = Pictures::default();
        for name in ["1", "2"] {
            pictures.offer(picture(name));
        }
        let newest = pictures.newest().await;
        pictures.note(home.path()).await;
        let noted = async || {
            let next = Pictures::default();
            next.resume(home.path()).await;
            next.lock().unsent()
        };
        assert_eq!(noted().await, [picture("1"), newest.clone()], "also the one in hand");
        let file = home.path().join(kept::FILE);
        std::fs::remove_file(&file).unwrap();
        pictures.note(home.path()).await;
        assert!(!file.exists(), "nothing has changed");
        pictures.lock().done();
        pictures.note(home.path()).await;
        assert_eq!(noted().await, [picture("1")]);
    }

    #[tokio::test]
    async fn a_reader_that_panics_is_an_error() {
        let result = at_low_priority::<()>(|| panic!("as the test wants")).await;
        assert!(matches!(result, Err(PreviewError::Panicked)));
    }
}
