//! The preview video that a job has made on the farm, as a file that the manager can hand out.

use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use flamenco_crosspath::Platform;
use flamenco_domain::ids::JobId;
use flamenco_store::frames;
use sha2::{Digest, Sha256};

use super::original::within;
use crate::error::{Error, Result};
use crate::farm::{Farm, logs};

/// What the name of a video begins with, below the address of its job's files.
pub(crate) const PREFIX: &str = "video-";
/// Files that are videos; no other is handed out.
const EXTENSIONS: [&str; 5] = ["mp4", "mkv", "mov", "webm", "avi"];
/// A job makes its video from its frames, so the task for it is one of the last.
const LAST_TASKS: i64 = 32;

/// A finished video.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Video {
    /// Where the manager finds it.
    pub(crate) path: PathBuf,
    /// Its name for browsers. Another content has another name.
    pub(crate) name: String,
}

impl Video {
    /// The path of its URL on this manager.
    pub(super) fn url(&self, job: JobId) -> String {
        format!("{}/{}", logs::job_url(job.0), self.name)
    }
}

impl Farm {
    /// The video that the newest completed `frames-to-video` command of a job has made, if the manager can read it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn preview_video(&self, job: JobId) -> Result<Option<Video>> {
        let made = frames::made_videos(self.store.read(), job, LAST_TASKS).await?;
        let paths: Vec<PathBuf> =
            made.iter().filter_map(|path| self.readable(path, &Platform::current())).collect();
        let roots = self.storage_roots();
        let found = tokio::task::spawn_blocking(move || {
            paths.into_iter().find_map(|path| look(&path).filter(|_| within(&path, &roots).is_some()))
        });
        found.await.map_err(|error| Error::Internal(format!("looking at a video: {error}")))
    }
}

/// A file that is a video and no link to something else.
fn look(path: &Path) -> Option<Video> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if !EXTENSIONS.contains(&extension.as_str()) {
        return None;
    }
    let metadata = path.symlink_metadata().ok()?;
    (metadata.is_file() && metadata.len() > 0).then(|| Video {
        path: path.to_owned(),
        name: format!("{PREFIX}{}.{extension}", fingerprint(path, &metadata)),
    })
}

/// Tells a file from others, and from itself once it was changed.
pub(super) fn fingerprint(path: &Path, metadata: &Metadata) -> String {
    let changed = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    let mut hash = Sha256::new();
    hash.update(path.as_os_str().as_encoded_bytes());
    hash.update(metadata.len().to_le_bytes());
    hash.update(changed.unwrap_or_default().as_nanos().to_le_bytes());
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_videos_are_handed_out_and_another_content_has_another_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("shot.MP4");
        assert_eq!(look(&path), None);
        std::fs::write(&path, "").unwrap();
        assert_eq!(look(&path), None, "still empty");
        std::fs::write(&path, "one").unwrap();
        let first = look(&path).unwrap();
        assert!(first.name.starts_with(PREFIX) && first.name.ends_with(".mp4"), "{first:?}");
        assert_eq!(look(&path), Some(first.clone()));
        std::fs::write(&path, "other").unwrap();
        assert_ne!(look(&path).unwrap().name, first.name);

        let secret = folder.path().join("secret.txt");
        std::fs::write(&secret, "secret").unwrap();
        assert_eq!(look(&secret), None);
        assert_eq!(look(folder.path()), None);
        #[cfg(unix)]
        {
            let link = folder.path().join("link.mp4");
            std::os::unix::fs::symlink(&secret, &link).unwrap();
            assert_eq!(look(&link), None);
        }
    }
}
