//! Which files are there, and which are missing.

use std::collections::HashSet;

use serde::Serialize;

use crate::error::Result;
use crate::identity::Identity;
use crate::{Inner, Store, layout, shelf};

/// What is known about a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FileStatus {
    /// Not stored, and nobody is uploading it.
    Unknown,
    /// Not stored, but being uploaded.
    Uploading,
    /// Stored.
    Stored,
}

/// A file that a client wants to use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSpec {
    /// Which file.
    pub identity: Identity,
    /// What the client calls it. Only repeated to the client, never used as a path.
    pub path: String,
}

/// A file that has to be uploaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequiredFile {
    /// Which file.
    pub identity: Identity,
    /// What the client calls it, byte for byte.
    pub path: String,
    /// [`FileStatus::Unknown`] or [`FileStatus::Uploading`].
    pub status: FileStatus,
}

impl Store {
    /// The files of this list that are not stored, in the order of the list, each content once with its first path.
    ///
    /// Those that are stored are marked as used before this returns, so that they are still there for the checkout.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the storage cannot be read.
    pub async fn requirements(&self, files: Vec<FileSpec>) -> Result<Vec<RequiredFile>> {
        self.blocking(move |inner| inner.requirements(files)).await
    }

    /// What is known about a file. A stored file is marked as used.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the storage cannot be read.
    pub async fn file_status(&self, identity: Identity) -> Result<FileStatus> {
        self.blocking(move |inner| {
            if inner.use_stored(identity)? {
                return Ok(FileStatus::Stored);
            }
            Ok(inner.status_of_missing(identity))
        })
        .await
    }
}

impl Inner {
    fn requirements(&self, files: Vec<FileSpec>) -> Result<Vec<RequiredFile>> {
        let file_store = self.file_store()?;
        let _using = self.in_use.share(&file_store)?;
        let stored = file_store.make(layout::STORED)?;
        let mut seen = HashSet::with_capacity(files.len());
        let mut required = Vec::new();
        for FileSpec { identity, path } in files {
            if !seen.insert(identity) {
                continue;
            }
            match shelf::find(&stored, identity)? {
                Some(blob) => blob.touch(),
                None => {
                    required.push(RequiredFile { identity, path, status: self.status_of_missing(identity) })
                }
            }
        }
        Ok(required)
    }

    /// Is the file stored? Then it is marked as used.
    pub(crate) fn use_stored(&self, identity: Identity) -> Result<bool> {
        let file_store = self.file_store()?;
        let _using = self.in_use.share(&file_store)?;
        let found = shelf::find(&file_store.make(layout::STORED)?, identity)?;
        if let Some(blob) = &found {
            blob.touch();
        }
        Ok(found.is_some())
    }

    fn status_of_missing(&self, identity: Identity) -> FileStatus {
        if self.registry.contains(identity) { FileStatus::Uploading } else { FileStatus::Unknown }
    }
}
