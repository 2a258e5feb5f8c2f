//! The stored files: finding them, and marking them as used.

use std::time::{Duration, Instant};

use cap_std::fs::Metadata;

use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::identity::Identity;
use crate::layout;

/// A stored file.
pub(crate) struct Blob {
    /// The directory it lies in.
    pub folder: Folder,
    /// Its name in there.
    pub name: String,
    /// What the file system says about it.
    pub found: Metadata,
}

/// Looks for a stored file in the directory `stored`.
///
/// What has the right name but another length, or is not a plain file, counts as missing: it is replaced by the next
/// upload, and no client is told that its file is safe.
pub(crate) fn find(stored: &Folder, identity: Identity) -> Result<Option<Blob>> {
    let (first, rest) = layout::shard(identity.checksum);
    let folder = match stored.walk([first.as_str(), &rest]) {
        Ok(Some(folder)) => folder,
        Ok(None) => return Ok(None),
        Err(Error::Obstructed(path)) => {
            tracing::warn!(path, "not a directory of the file store; its files count as missing");
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let name = layout::blob_name(identity.size);
    match folder.look(&name)? {
        Some(found) if found.is_file() && found.len() == identity.size => {
            Ok(Some(Blob { folder, name, found }))
        }
        Some(_) => {
            tracing::warn!(%identity, "the stored file is damaged and counts as missing");
            Ok(None)
        }
        None => Ok(None),
    }
}

impl Blob {
    /// Marks the file as used now, which keeps it from garbage collection. Failure is logged: a file that cannot be
    /// touched can still be used.
    pub fn touch(&self) {
        let start = Instant::now();
        if let Err(error) = self.folder.touch(&self.name) {
            tracing::warn!(%error, "cannot mark a stored file as used");
        }
        let took = start.elapsed();
        if took > Duration::from_secs(1) {
            tracing::warn!(file = %self.folder.shown(&self.name).display(), ?took, "slow storage");
        }
    }

    /// Makes a file read-only that another program stored writable.
    pub fn protect(&self) {
        if let Err(error) = self.folder.protect(&self.name, &self.found) {
            tracing::warn!(%error, "cannot make a stored file read-only");
        }
    }
}

/// Does the file have another name somewhere, as a hard link in a checkout?
#[cfg(unix)]
pub(crate) fn has_second_name(found: &Metadata) -> bool {
    cap_std::fs::MetadataExt::nlink(found) > 1
}

/// Windows tells only for open files; there the records of the checkouts decide.
#[cfg(not(unix))]
pub(crate) fn has_second_name(_found: &Metadata) -> bool {
    false
}
