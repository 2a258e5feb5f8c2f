//! Pictures of what was rendered last: each job keeps the newest one, in three sizes.
//!
//! A picture is decoded, scaled and on disk before its upload is answered. Few are worked on at a time, since each
//! takes memory; of several that wait for the same job only the newest is, so that one chatty job cannot keep the
//! others from their turn.

use std::collections::HashMap;
use std::io::{BufRead, Seek, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use flamenco_domain::ids::JobId;
use flamenco_pictures::over_black;
use flamenco_store::last_rendered;
use image::DynamicImage;
use image::imageops::FilterType;
use tokio::sync::{Semaphore, SemaphorePermit};

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
/// Pictures that are worked on at the same time, and those that may wait.
const AT_ONCE: usize = 2;
const WAITING: usize = 16;
/// Pictures that may wait to become thumbnails.
const FRAMES_WAITING: usize = 64;

/// Something of which little is done at a time, and for which few may wait.
pub(super) struct Turns {
    turns: Semaphore,
    places: Semaphore,
}

impl Turns {
    pub(super) const fn new(at_once: usize, places: usize) -> Self {
        Self { turns: Semaphore::const_new(at_once), places: Semaphore::const_new(places) }
    }

    /// A place among those that wait or have their turn.
    ///
    /// # Errors
    /// [`Error::Overloaded`] when there is none.
    pub(super) fn place(&self) -> Result<SemaphorePermit<'_>> {
        let text = "too much of this is asked for; try again in a moment";
        self.places.try_acquire().map_err(|_| Error::Overloaded(text.to_owned()))
    }

    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        self.turns.acquire().await.map_err(|_| Error::Internal("the manager is stopping".to_owned()))
    }
}

/// Who is working on pictures, and who waits.
pub(super) struct Pictures {
    frames: Turns,
    /// The newest upload that waits, by job.
    newest: Mutex<HashMap<JobId, u64>>,
    tickets: AtomicU64,
}

impl Default for Pictures {
    fn default() -> Self {
        Self {
            frames: Turns::new(AT_ONCE, FRAMES_WAITING),
            newest: Mutex::default(),
            tickets: AtomicU64::new(0),
        }
    }
}

/// Takes an upload off the list of those that wait, also when its client leaves.
pub(super) struct Place<'a> {
    pictures: &'a Pictures,
    job: JobId,
    ticket: u64,
}

impl Place<'_> {
    /// Whether no newer picture of the same job waits.
    pub(super) fn is_newest(&self) -> bool {
        let newest = self.pictures.newest.lock().unwrap_or_else(PoisonError::into_inner);
        newest.get(&self.job) == Some(&self.ticket)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if self.is_newest() {
            self.pictures.newest.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.job);
        }
    }
}

impl Pictures {
    /// A place for a picture that is to become a thumbnail.
    ///
    /// # Errors
    /// [`Error::Busy`] when there is none.
    pub(super) fn place_for_frame(&self) -> Result<SemaphorePermit<'_>> {
        let busy = |_| Error::Busy("too many pictures wait to be scaled; send this one later".to_owned());
        self.frames.place().map_err(busy)
    }

    pub(super) async fn turn(&self) -> Result<SemaphorePermit<'_>> {
        self.frames.turn().await
    }

    /// Notes that a picture of a job waits, of which only the newest is what was rendered last.
    ///
    /// # Errors
    /// [`Error::Busy`] when pictures of too many jobs wait.
    pub(super) fn wait(&self, job: JobId) -> Result<Place<'_>> {
        let ticket = self.tickets.fetch_add(1, Ordering::Relaxed);
        let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
        if newest.len() >= WAITING && !newest.contains_key(&job) {
            return Err(Error::Busy("too many pictures wait to be scaled; send a later one".to_owned()));
        }
        newest.insert(job, ticket);
        Ok(Place { pictures: self, job, ticket })
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
    let temporary = path.with_extension("jpg~");
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
    fn only_the_newest_of_a_job_keeps_its_place_and_others_are_not_crowded_out() {
        let pictures = Pictures::default();
        let (chatty, other) = (JobId::random(), JobId::random());
        let first = pictures.wait(chatty).unwrap();
        let second = pictures.wait(chatty).unwrap();
        assert!(!first.is_newest() && second.is_newest());
        drop(first);
        assert!(second.is_newest(), "an older one that leaves takes nothing along");
        let rest: Vec<_> = (0..WAITING - 2).map(|_| pictures.wait(JobId::random()).unwrap()).collect();
        let third = pictures.wait(other).unwrap();
        assert!(matches!(pictures.wait(JobId::random()), Err(Error::Busy(_))));
        assert!(pictures.wait(other).is_ok(), "a newer one of a job that waits already takes no more room");
        drop((second, rest, third));
        assert!(pictures.wait(JobId::random()).is_ok());
    }
}
