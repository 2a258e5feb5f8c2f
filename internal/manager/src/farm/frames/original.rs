//! The file of a frame itself, for a browser that can show it.
//!
//! What a worker says it rendered is a path that anybody on the network may have made up. So a file is only handed out
//! when it really lies on the shared storage, whatever links its path goes through, and begins as a picture does.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flamenco_crosspath::Platform;
use flamenco_domain::frame::{Frame, FrameState};
use flamenco_domain::ids::JobId;
use flamenco_store::frames;

use super::video::fingerprint;
use crate::error::{Error, Result};
use crate::farm::{Farm, logs};

/// What the name of a file begins with, below the address of its job's files.
pub(crate) const PREFIX: &str = "original-";
/// The first bytes of a file tell what it is.
const START: usize = 32;

/// A file of a frame that browsers can show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Original {
    /// Where the manager finds it, without links.
    pub(crate) path: PathBuf,
    /// Its name for browsers. Another content has another name.
    pub(crate) name: String,
    /// What it is.
    pub(crate) media_type: &'static str,
}

impl Farm {
    /// Where browsers find the files themselves, by the keys of frames; those that nobody may be shown are left out.
    ///
    /// # Errors
    /// When the files cannot be looked at.
    pub(super) async fn original_urls(&self, job: JobId, files: &[Frame]) -> Result<HashMap<i64, String>> {
        let found = self.originals(files).await?;
        let base = logs::job_url(job.0);
        Ok(found.into_iter().map(|(key, original)| (key, format!("{base}/{}", original.name))).collect())
    }

    /// The file of a frame of a job that has this name.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(crate) async fn original(&self, job: JobId, name: &str) -> Result<Option<Original>> {
        let Some(key) = key_in(name) else { return Ok(None) };
        let frames = frames::by_keys(self.store.read(), job, &[key]).await?;
        let found = self.originals(&frames).await?;
        Ok(found.into_iter().map(|(_, original)| original).find(|original| original.name == name))
    }

    /// Looks whether files that came out are still there, and those that were missing are back. True when that has
    /// changed what is stored.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub(super) async fn note_lost_files(&self, job: JobId, files: &[Frame]) -> Result<bool> {
        let looked_at = files.iter().filter(|file| {
            matches!(file.report.state, FrameState::Ok | FrameState::Black | FrameState::Missing)
        });
        let known: Vec<(i64, PathBuf, bool)> = looked_at
            .filter_map(|file| {
                Some((file.seq, self.path_of(file)?, file.report.state != FrameState::Missing))
            })
            .collect();
        if known.is_empty() {
            return Ok(false);
        }
        let look = tokio::task::spawn_blocking(move || {
            let changed = known.into_iter().filter_map(|(key, path, was_there)| {
                is_there(&path).filter(|is_there| *is_there != was_there).map(|is_there| (key, is_there))
            });
            changed.collect::<Vec<_>>()
        });
        let changed = look
            .await
            .map_err(|error| Error::Internal(format!("looking for the file of a frame: {error}")))?;
        let now = self.now();
        for (key, is_there) in &changed {
            let (key, is_there) = (*key, *is_there);
            self.store
                .write::<_, _, Error>(move |tx| {
                    Box::pin(async move { Ok(frames::set_present(tx, key, is_there, now).await?) })
                })
                .await?;
            self.frame_changes.note(job, [key]);
        }
        Ok(!changed.is_empty())
    }

    fn path_of(&self, file: &Frame) -> Option<PathBuf> {
        let platform =
            if file.platform.is_empty() { Platform::current() } else { Platform::new(&file.platform) };
        self.readable(&file.report.path, &platform)
    }

    async fn originals(&self, files: &[Frame]) -> Result<Vec<(i64, Original)>> {
        let paths: Vec<(i64, PathBuf)> =
            files.iter().filter_map(|file| Some((file.seq, self.path_of(file)?))).collect();
        if paths.is_empty() {
            return Ok(Vec::new());
        }
        let roots = self.storage_roots();
        let found = tokio::task::spawn_blocking(move || {
            let paths = paths.into_iter();
            paths.filter_map(|(key, path)| Some((key, look(key, &within(&path, &roots)?)?))).collect()
        });
        found.await.map_err(|error| Error::Internal(format!("looking at the file of a frame: {error}")))
    }

    /// The folders that the manager may hand out files of.
    pub(super) fn storage_roots(&self) -> Vec<PathBuf> {
        let live = self.live();
        let mut roots: Vec<PathBuf> =
            live.variables.twoway_values(&Platform::current()).into_iter().map(PathBuf::from).collect();
        roots.push(live.config.shared_storage.clone());
        roots
    }
}

/// Whether there is a file; unknown when the storage is away, which has lost nothing. Blocks.
fn is_there(path: &Path) -> Option<bool> {
    match path.metadata() {
        // One without content is something else than one that is gone.
        Ok(metadata) if metadata.len() == 0 => None,
        Ok(metadata) => Some(metadata.is_file()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            path.parent().filter(|parent| parent.is_dir()).map(|_| false)
        }
        Err(_) => None,
    }
}

/// The path without links, if that is below one of these folders, whose own links count as well. Blocks.
pub(super) fn within(path: &Path, roots: &[PathBuf]) -> Option<PathBuf> {
    let real = path.canonicalize().ok()?;
    let is_below = |root: &PathBuf| root.canonicalize().is_ok_and(|root| real.starts_with(root));
    roots.iter().any(is_below).then_some(real)
}

fn key_in(name: &str) -> Option<i64> {
    name.strip_prefix(PREFIX)?.split_once('-')?.0.parse().ok()
}

/// A file that browsers can show. Blocks.
fn look(key: i64, path: &Path) -> Option<Original> {
    let metadata = path.symlink_metadata().ok()?;
    if !metadata.is_file() {
        return None;
    }
    let mut start = Vec::new();
    File::open(path).ok()?.take(START as u64).read_to_end(&mut start).ok()?;
    let (media_type, extension) = kind(&start)?;
    let name = format!("{PREFIX}{key}-{}.{extension}", fingerprint(path, &metadata));
    Some(Original { path: path.to_owned(), name, media_type })
}

/// What a file is that begins like this, whatever its name says: its media type and the usual extension.
fn kind(start: &[u8]) -> Option<(&'static str, &'static str)> {
    match start {
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(("image/png", "png")),
        [0xff, 0xd8, 0xff, ..] => Some(("image/jpeg", "jpg")),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(("image/gif", "gif")),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(("image/webp", "webp")),
        [_, _, _, _, b'f', b't', b'y', b'p', b'a', b'v', b'i', b'f' | b's', ..] => {
            Some(("image/avif", "avif"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_is_does_not_depend_on_its_name() {
        for (start, want) in [
            (&b"\x89PNG\r\n\x1a\n\0\0"[..], Some("image/png")),
            (b"\xff\xd8\xff\xe0\0\x10JFIF", Some("image/jpeg")),
            (b"GIF89a\x01\0", Some("image/gif")),
            (b"GIF87a\x01\0", Some("image/gif")),
            (b"RIFF\x24\0\0\0WEBPVP8 ", Some("image/webp")),
            (b"\0\0\0\x1cftypavif\0\0\0\0", Some("image/avif")),
            (b"\0\0\0\x1cftypavis\0\0\0\0", Some("image/avif")),
            (b"\0\0\0\x1cftypisom\0\0\0\0", None),
            (b"RIFF\x24\0\0\0WAVEfmt ", None),
            (b"<svg xmlns='http://www.w3.org/2000/svg'>", None),
            (b"<!doctype html>", None),
            (b"v/1\x01\x02\0\0\0", None),
            (b"\x89PNG", None),
            (b"", None),
        ] {
            assert_eq!(kind(start).map(|(media_type, _)| media_type), want, "{start:?}");
        }
    }

    #[test]
    fn names_tell_the_key() {
        for (name, want) in [
            ("original-47-00ff.png", Some(47)),
            ("original--47-00ff.png", None),
            ("original-x-00ff.png", None),
            ("original-47", None),
            ("frame-47-00ff.png", None),
        ] {
            assert_eq!(key_in(name), want, "{name}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_lead_nowhere_else() {
        use std::os::unix::fs::symlink;
        let (storage, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let picture = elsewhere.path().join("private.png");
        std::fs::write(&picture, "x").unwrap();
        std::fs::create_dir(storage.path().join("v1")).unwrap();
        let inside = storage.path().join("v1/0001.png");
        std::fs::write(&inside, "x").unwrap();
        symlink(elsewhere.path(), storage.path().join("out")).unwrap();
        symlink(&picture, storage.path().join("0001.png")).unwrap();
        symlink(storage.path().join("v1"), storage.path().join("latest")).unwrap();
        let also = elsewhere.path().join("same-storage");
        symlink(storage.path(), &also).unwrap();

        let real = inside.canonicalize().unwrap();
        let of = |path: &str, root: &Path| within(&storage.path().join(path), &[root.to_owned()]);
        assert_eq!(of("v1/0001.png", storage.path()), Some(real.clone()));
        assert_eq!(of("latest/0001.png", storage.path()), Some(real.clone()), "a link within it");
        assert_eq!(of("v1/0001.png", &also), Some(real), "the storage itself is a link");
        assert_eq!(of("out/private.png", storage.path()), None, "a folder that leads out");
        assert_eq!(of("0001.png", storage.path()), None, "a file that leads out");
        assert_eq!(of("v1/../out/private.png", storage.path()), None);
        assert_eq!(of("v1/0002.png", storage.path()), None, "not there");
        assert_eq!(within(&inside, &[]), None);
    }
}
