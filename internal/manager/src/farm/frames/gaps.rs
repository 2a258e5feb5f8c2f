//! What nobody has told about a file, the manager sees itself, where it can read the storage that workers write to.
//!
//! Only files below the shared storage, or below the value of a two-way variable on the manager's platform, are looked
//! at: what a worker says it rendered is no reason to open any other.

use std::fs::File;
use std::io::BufReader;
use std::path::{Component, Path, PathBuf};

use chrono::TimeDelta;
use flamenco_crosspath::Platform;
use flamenco_domain::frame::FrameState;
use flamenco_domain::variables::Audience;
use flamenco_store::frames::{self, LargeThumbnail, PictureOf, SeenFile, SetThumbnail, Unchecked};
use flamenco_store::tasks;
use tokio_util::sync::CancellationToken;

use super::pictures::save_thumbnails;
use super::thumbnail::file_names;
use crate::error::{Error, Result};
use crate::farm::Farm;
use crate::farm::last_rendered::decode;

/// Workers are given this long to tell about a file and send its picture.
const PATIENCE: TimeDelta = TimeDelta::seconds(60);
/// Files that are looked at in one go.
const AT_ONCE: i64 = 50;
/// Larger files are not read, in bytes.
const LARGEST_FILE: u64 = 512 * 1024 * 1024;
/// In bytes.
const MEGABYTE: i64 = 1_000_000;

/// What a look at a file gave.
struct Look {
    seen: SeenFile,
    thumbnails: Option<SetThumbnail>,
}

impl Farm {
    /// Looks at some files of frames that have no thumbnail, and gives back how many.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn fill_frame_gaps(&self, cancel: &CancellationToken) -> Result<usize> {
        let before = self.now() - PATIENCE;
        let unchecked = frames::unchecked(self.store.read(), before, AT_ONCE).await?;
        let mut looked_at = 0;
        for file in unchecked {
            if cancel.is_cancelled() {
                break;
            }
            self.look_at(file).await?;
            looked_at += 1;
        }
        Ok(looked_at)
    }

    async fn look_at(&self, file: Unchecked) -> Result<()> {
        let platform =
            if file.platform.is_empty() { Platform::current() } else { Platform::new(&file.platform) };
        let look = match self.readable(&file.path, &platform) {
            None => Look { seen: SeenFile::default(), thumbnails: None },
            Some(path) => {
                let _turn = self.pictures.turn().await?;
                let (folder, of) = (self.logs.job_directory(file.job.0), file.clone());
                let look = tokio::task::spawn_blocking(move || look(&path, &of, &folder));
                look.await.map_err(|error| Error::Internal(format!("looking at a frame: {error}")))?
            }
        };
        if let Some(made) = &look.thumbnails {
            let task = tasks::look(self.store.read(), file.task).await?;
            let worker = task.and_then(|(task, _)| task.worker).map_or(0, |worker| worker.seq);
            let of = PictureOf { frame: file.frame, path: file.path.clone(), rendered: Some(file.rendered) };
            match self.set_thumbnail(file.task, worker, of, made).await {
                // Its job is gone.
                Err(Error::NotFound { .. }) => return Ok(()),
                other => other?,
            }
        }
        let (now, key) = (self.now(), file.key);
        self.store
            .write::<_, _, Error>(move |tx| {
                let seen = look.seen;
                Box::pin(async move { Ok(frames::see(tx, key, seen, now).await?) })
            })
            .await?;
        self.frame_changes.note(file.job, [file.key]);
        Ok(())
    }

    /// Where the manager finds a file, given by its path on a platform, if that is where it may look.
    pub(super) fn readable(&self, path: &str, platform: &Platform) -> Option<PathBuf> {
        let live = self.live();
        let here = Platform::current();
        let stored = live.variables.to_variables(path, platform);
        let path = PathBuf::from(live.variables.expand(&stored, Audience::Workers, &here));
        if path.components().any(|part| part == Component::ParentDir) || !path.is_absolute() {
            return None;
        }
        let text = path.to_str()?;
        let is_known = live.variables.to_variables(text, &here) != text;
        (is_known || path.starts_with(&live.config.shared_storage)).then_some(path)
    }

    /// Removes the oldest large thumbnails until all thumbnails together take no more room than they may.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn make_room_for_thumbnails(&self, cancel: &CancellationToken) -> Result<u64> {
        let most = i64::from(self.live().config.settings.thumbnail_storage_mb) * MEGABYTE;
        if most == 0 {
            return Ok(0);
        }
        let mut removed = 0;
        let mut bytes = frames::thumbnail_bytes(self.store.read()).await?;
        while bytes > most && !cancel.is_cancelled() {
            let oldest = frames::large_thumbnails(self.store.read(), AT_ONCE).await?;
            if oldest.is_empty() {
                break;
            }
            for large in oldest {
                if bytes <= most {
                    break;
                }
                bytes -= self.remove_large(large).await?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// Removes the file of a large thumbnail, and gives back how many bytes that makes.
    async fn remove_large(&self, thumbnail: LargeThumbnail) -> Result<i64> {
        let LargeThumbnail { key, job, thumbnail } = thumbnail;
        let folder = self.logs.job_directory(job.0);
        let [large, small] = file_names(&thumbnail).map(|name| folder.join(name));
        let size = |length: u64| i64::try_from(length).unwrap_or(i64::MAX);
        let left = tokio::fs::metadata(&small).await.map_or(0, |file| size(file.len()));
        let freed = tokio::fs::metadata(&large).await.map_or(0, |file| size(file.len()));
        // The row first: what it speaks of must be there.
        self.store
            .write::<_, _, Error>(move |tx| {
                Box::pin(async move { Ok(frames::forget_large(tx, key, left).await?) })
            })
            .await?;
        match tokio::fs::remove_file(&large).await {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(path = %large.display(), %error, "cannot remove a large thumbnail");
            }
            _ => {}
        }
        Ok(freed)
    }
}

/// Looks at a file, and makes its thumbnails. Blocks.
fn look(path: &Path, file: &Unchecked, folder: &Path) -> Look {
    let nothing = |seen| Look { seen, thumbnails: None };
    let length = match path.metadata() {
        Ok(metadata) if metadata.is_file() => metadata.len(),
        Ok(_) => return nothing(SeenFile::default()),
        // Only where its folder is there: a storage that is away has lost nothing.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let state = path.parent().filter(|parent| parent.is_dir()).map(|_| FrameState::Missing);
            return nothing(SeenFile { state, ..SeenFile::default() });
        }
        Err(error) => {
            tracing::debug!(path = %path.display(), %error, "cannot look at a frame");
            return nothing(SeenFile::default());
        }
    };
    let size = i64::try_from(length).ok();
    let seen = SeenFile { size, ..SeenFile::default() };
    if length == 0 {
        return nothing(SeenFile { state: Some(FrameState::Empty), ..seen });
    }
    if length > LARGEST_FILE {
        return nothing(seen);
    }
    let Ok(picture) =
        File::open(path).map_err(Error::io("reading a frame")).and_then(|file| decode(BufReader::new(file)))
    else {
        // A format that this manager does not read, as likely as a damaged file.
        return nothing(seen);
    };
    let pixels = Some((i64::from(picture.width()), i64::from(picture.height())));
    let small = picture.thumbnail(200, 112).into_rgba8();
    let is_black = small.pixels().all(|pixel| pixel.0[3] == 0 || pixel.0[..3] == [0; 3]);
    let seen = SeenFile { state: is_black.then_some(FrameState::Black), pixels, ..seen };
    let identity = format!("{}/{}/{}", file.task, file.frame, file.path);
    let made = std::fs::create_dir_all(folder)
        .map_err(Error::io("making a folder"))
        .and_then(|()| save_thumbnails(&picture, &identity, folder));
    match made {
        Ok(made) => Look { seen, thumbnails: Some(made) },
        Err(error) => {
            tracing::warn!(path = %path.display(), %error, "cannot make a thumbnail");
            nothing(seen)
        }
    }
}
