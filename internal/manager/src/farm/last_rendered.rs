//! Pictures of what was rendered last: each job keeps the newest one, in three sizes.
//!
//! A picture is decoded, scaled and on disk before its upload is answered. Few are worked on at a time, since each
//! takes memory; of several that wait for the same job only the newest is, so that one chatty job cannot keep the
//! others from their turn.
//!
//! Each job has one slot. Whoever writes its files holds the slot, and has looked while holding it that nothing newer
//! was written: neither can two pictures mix, nor an older one take the place of a newer one.

use std::collections::HashMap;
use std::io::{BufRead, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use flamenco_domain::ids::JobId;
use flamenco_pictures::over_black;
use flamenco_store::last_rendered;
use image::DynamicImage;
use image::imageops::FilterType;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use uuid::Uuid;

use super::{Farm, logs};
use crate::error::{Error, Result};

/// Largest upload in bytes: 25 MiB.
pub const LARGEST: u64 = 26_214_400;
/// File names and the sizes that the picture is made to fit, in pixels.
pub const SIZES: [(&str, u32, u32); 3] = [
    ("last-rendered.jpg", 1920, 1080),
    ("last-rendered-small.jpg", 600, 338),
    ("last-rendered-tiny.jpg", 200, 112),
];
const QUALITY: u8 = 85;
/// Pictures that are worked on at the same time.
const AT_ONCE: usize = 2;
/// Pictures that may be on their way in or wait to be worked on.
const FRAMES_WAITING: usize = 64;

/// Something of which little is done at a time, and for which few may wait.
///
/// Permits are owned, so that they can stay with work that goes on when its client has left.
pub(super) struct Turns {
    turns: Arc<Semaphore>,
    places: Arc<Semaphore>,
}

impl Turns {
    pub(super) fn new(at_once: usize, places: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(at_once)), places: Arc::new(Semaphore::new(places)) }
    }

    /// A place among those that wait or have their turn.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when there is none.
    pub(super) fn place(&self) -> Result<OwnedSemaphorePermit> {
        let text = "too much of this is asked for; try again in a moment";
        Arc::clone(&self.places).try_acquire_owned().map_err(|_| Error::Overloaded(text.to_owned()))
    }

    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        turn.map_err(|_| Error::Internal("the manager is stopping".to_owned()))
    }
}

/// Who is working on pictures, and who waits.
pub(super) struct Pictures {
    frames: Turns,
    slots: Arc<Mutex<HashMap<JobId, Arc<Slot>>>>,
    tickets: AtomicU64,
}

impl Default for Pictures {
    fn default() -> Self {
        Self {
            frames: Turns::new(AT_ONCE, FRAMES_WAITING),
            slots: Arc::default(),
            tickets: AtomicU64::new(1),
        }
    }
}

/// The pictures of a job that are in the manager's hands.
#[derive(Default)]
struct Slot {
    /// Ticket of the newest.
    newest: AtomicU64,
    /// Ticket of the one whose files are there; held while they are written.
    written: Mutex<u64>,
}

/// A picture of a job that came in. It is taken off the list when this goes, also when its client leaves.
pub(super) struct Place {
    slots: Arc<Mutex<HashMap<JobId, Arc<Slot>>>>,
    slot: Arc<Slot>,
    job: JobId,
    ticket: u64,
}

impl Place {
    /// Whether no newer picture of the same job came in.
    pub(super) fn is_newest(&self) -> bool {
        self.slot.newest.load(Ordering::SeqCst) == self.ticket
    }

    /// Writes what was rendered last, unless a newer picture came in meanwhile. Says whether it did. Blocks while
    /// another one of the same job is written.
    pub(super) fn write(&self, write: impl FnOnce() -> Result<()>) -> Result<bool> {
        let mut written = self.slot.written.lock().unwrap_or_else(PoisonError::into_inner);
        if !self.is_newest() || *written > self.ticket {
            return Ok(false);
        }
        write()?;
        *written = self.ticket;
        Ok(true)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        // One is the list's and one is this. Others come and go only while the list is locked.
        if Arc::strong_count(&self.slot) <= 2 {
            slots.remove(&self.job);
        }
        // Given up under the lock, so that the next one that leaves counts right.
        self.slot = Arc::default();
    }
}

impl Pictures {
    /// A place for a picture that is to become a thumbnail.
    ///
    /// # Errors
    /// [`Error::Busy`] when there is none.
    pub(super) fn place_for_frame(&self) -> Result<OwnedSemaphorePermit> {
        let busy = |_| Error::Busy("too many pictures wait to be scaled; send this one later".to_owned());
        self.frames.place().map_err(busy)
    }

    pub(super) async fn turn(&self) -> Result<OwnedSemaphorePermit> {
        self.frames.turn().await
    }

    /// Notes that a picture of a job came in, of which only the newest is what was rendered last. There are never more
    /// than places for frames.
    pub(super) fn arrived(&self, job: JobId) -> Place {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        let slot = Arc::clone(slots.entry(job).or_default());
        // Under the lock, so that a later ticket is never noted before an earlier one.
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        slot.newest.store(ticket, Ordering::SeqCst);
        Place { slots: Arc::clone(&self.slots), slot, job, ticket }
    }
}

impl Farm {
    /// Whether a job has pictures. All sizes are there when the smallest is, since it is written last.
    pub async fn has_pictures(&self, job: JobId) -> bool {
        let smallest = self.logs.job_directory(job.0).join(SIZES[SIZES.len() - 1].0);
        tokio::fs::try_exists(smallest).await.unwrap_or(false)
    }

    /// The job that was rendered last, if it has pictures.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn last_rendered_job(&self) -> Result<Option<JobId>> {
        match last_rendered::job(self.store.read()).await? {
            Some(job) if self.has_pictures(job).await => Ok(Some(job)),
            _ => Ok(None),
        }
    }
}

/// Where the pictures of a job are served.
#[must_use]
pub fn url(job: JobId) -> String {
    logs::job_url(job.0)
}

/// Writes a picture in all sizes, each made from the one before.
pub(super) fn save_sizes(picture: DynamicImage, folder: &Path) -> Result<()> {
    let mut picture = over_black(picture);
    for (name, width, height) in SIZES {
        if picture.width() > width || picture.height() > height {
            picture =
                DynamicImage::ImageRgb8(picture).resize(width, height, FilterType::Lanczos3).into_rgb8();
        }
        let mut jpeg = Vec::new();
        let encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, QUALITY);
        picture
            .write_with_encoder(encoder)
            .map_err(|error| Error::Internal(format!("encoding a picture: {error}")))?;
        replace(&folder.join(name), &jpeg)?;
    }
    Ok(())
}

/// Reads a picture as it looks on a screen.
pub(super) fn decode(source: impl BufRead + Seek) -> Result<DynamicImage> {
    flamenco_pictures::read(source)
        .map_err(|error| Error::Invalid(format!("this is no picture that can be read: {error}")))
}

/// Writes a file so that it is either the old one or the new one, whatever happens.
pub(super) fn replace(path: &PathBuf, content: &[u8]) -> Result<()> {
    // Nobody else writes to a file of this name.
    let temporary = path.with_extension(format!("{}.jpg~", Uuid::new_v4().simple()));
    let write = || {
        let mut file = std::fs::File::create(&temporary)?;
        file.write_all(content)?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    };
    write().map_err(|error| {
        // It takes room that is missing, or will never be renamed.
        let _ = std::fs::remove_file(&temporary);
        Error::io(format!("cannot write {}", path.display()))(error)
    })
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::Rgba;

    use super::*;

    fn png(width: u32, height: u32, alpha: u8) -> Vec<u8> {
        let picture = image::RgbaImage::from_pixel(width, height, Rgba([200, 100, 50, alpha]));
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    fn size_of(folder: &Path, name: &str) -> (u32, u32) {
        image::image_dimensions(folder.join(name)).unwrap()
    }

    #[test]
    fn every_size_fits_keeps_the_shape_and_never_grows() {
        for (from, want) in [
            ((3840, 2160), [(1920, 1080), (600, 338), (200, 112)]),
            ((1000, 3000), [(360, 1080), (113, 338), (37, 112)]),
            ((300, 100), [(300, 100), (300, 100), (200, 67)]),
            ((20, 10), [(20, 10), (20, 10), (20, 10)]),
        ] {
            let folder = tempfile::tempdir().unwrap();
            save_sizes(decode(Cursor::new(png(from.0, from.1, 255))).unwrap(), folder.path()).unwrap();
            for ((name, ..), want) in SIZES.iter().zip(want) {
                let (width, height) = size_of(folder.path(), name);
                let near = |a: u32, b: u32| a.abs_diff(b) <= 1;
                assert!(near(width, want.0) && near(height, want.1), "{from:?} {name}: {width}x{height}");
            }
            assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3, "no temporary file is left");
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let cut = &png(400, 400, 255)[..200];
        for bad in [&b""[..], b"GIF89a nonsense", b"<svg/>", cut] {
            assert!(matches!(decode(Cursor::new(bad)), Err(Error::Invalid(_))));
        }
    }

    #[test]
    fn only_the_newest_of_a_job_is_written_and_never_an_older_one_after_it() {
        let pictures = Pictures::default();
        let job = JobId::random();
        let written = Mutex::new(Vec::new());
        let write = |place: &Place, name| {
            place.write(|| {
                written.lock().unwrap().push(name);
                Ok(())
            })
        };
        let [first, second] = [pictures.arrived(job), pictures.arrived(job)];
        let other = pictures.arrived(JobId::random());
        assert!(!write(&first, "first").unwrap(), "a newer one waits");
        assert!(write(&second, "second").unwrap() && write(&other, "other").unwrap());
        drop(second);
        assert!(!write(&first, "first").unwrap(), "a newer one was written");
        let third = pictures.arrived(job);
        assert!(third.write(|| Err(Error::Invalid("no room".to_owned()))).is_err());
        assert!(write(&third, "third").unwrap(), "what failed can be tried again");
        drop((first, third));
        assert_eq!(*written.lock().unwrap(), ["second", "other", "third"]);
        assert_eq!(
            pictures.slots.lock().unwrap().len(),
            1,
            "of a job without pictures on the way nothing is kept"
        );
        drop(other);
        assert!(pictures.slots.lock().unwrap().is_empty());
    }

    #[test]
    fn while_one_is_written_others_of_the_job_wait_and_look_again() {
        let pictures = Arc::new(Pictures::default());
        let job = JobId::random();
        let first = pictures.arrived(job);
        let (is_writing, went_on) = (std::sync::Barrier::new(2), Mutex::new(Vec::new()));
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let wrote = first.write(|| {
                    is_writing.wait();
                    // Long enough for the other one to come in between, if that were possible.
                    std::thread::sleep(std::time::Duration::from_millis(100));
                    went_on.lock().unwrap().push("first");
                    Ok(())
                });
                assert!(wrote.unwrap());
            });
            is_writing.wait();
            let second = pictures.arrived(job);
            let wrote = second.write(|| {
                went_on.lock().unwrap().push("second");
                Ok(())
            });
            assert!(wrote.unwrap());
        });
        assert_eq!(*went_on.lock().unwrap(), ["first", "second"]);
    }

    #[test]
    fn a_file_that_is_written_twice_at_once_is_one_of_both() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("last-rendered.jpg");
        let contents = [vec![1_u8; 300_000], vec![2; 200_000]];
        for _ in 0..50 {
            std::thread::scope(|scope| {
                for content in &contents {
                    scope.spawn(|| replace(&path, content).unwrap());
                }
            });
            assert!(contents.contains(&std::fs::read(&path).unwrap()), "they were mixed");
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "no temporary file is left");
    }
}
