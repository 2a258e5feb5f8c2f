//! Temporary files and directories that are told apart from abandoned ones by a lock.
//!
//! Whoever works on something temporary holds a lock on a file; the system lets go of it when the process ends,
//! however it ends. So [leftovers](crate::leftovers) can be removed at any time, by any program that shares the
//! storage, without a guess at their age.

use std::fs::File;
use std::io;
use std::path::PathBuf;

use rand::Rng;

use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::identity::Identity;
use crate::layout;
use crate::lock::{Held, try_lock};

/// What the lock of a [`Scratch`] directory is called, after the directory.
pub(crate) const LOCK_SUFFIX: &str = ".lock";

const ATTEMPTS: usize = 32;

/// A number for a temporary name, of up to nine digits.
pub(crate) fn random_number() -> u32 {
    rand::rng().random_range(0..1_000_000_000)
}

/// Creates a locked file under a name of which there is none yet.
pub(crate) fn create_locked(folder: &Folder, mut name: impl FnMut(u32) -> String) -> Result<(File, String)> {
    for _ in 0..ATTEMPTS {
        let name = name(random_number());
        let file = match folder.create(&name) {
            Ok(file) => file,
            Err(Error::Io { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => continue,
            Err(error) => return Err(error),
        };
        // Someone who removes leftovers may have come between: then the name is gone, or they hold the lock.
        if try_lock(&file) != Held::ByOthers && folder.look(&name)?.is_some() {
            return Ok((file, name));
        }
    }
    Err(Error::io("find a free name in", &folder.shown(""), io::ErrorKind::AlreadyExists.into()))
}

/// A temporary directory, removed with everything in it unless it is moved away.
pub(crate) struct Scratch {
    parent: Folder,
    folder: Folder,
    name: String,
    _lock: File,
}

impl Scratch {
    /// Creates an empty one.
    pub fn create(parent: &Folder) -> Result<Self> {
        let (lock, lock_name) = create_locked(parent, |random| format!("{random:09}{LOCK_SUFFIX}"))?;
        let name = lock_name.trim_end_matches(LOCK_SUFFIX).to_owned();
        let folder = parent.make(&name)?;
        Ok(Self { parent: parent.again()?, folder, name, _lock: lock })
    }

    /// The directory.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Moves the directory to a name that must not exist yet; says whether it was free.
    pub fn move_to(&self, to: &Folder, name: &str) -> Result<bool> {
        self.parent.rename_to_new(&self.name, to, name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let removed = self.parent.remove_tree(&self.name);
        let removed = removed.and_then(|()| self.parent.remove_file(format!("{}{LOCK_SUFFIX}", self.name)));
        if let Err(error) = removed {
            tracing::warn!(%error, "cannot remove a temporary directory; it is removed at the next start");
        }
    }
}

/// A file on its way into the store. Its name is removed when this is dropped, wherever that happens.
pub(crate) struct UploadFile {
    /// Open for writing.
    pub file: File,
    remains: Option<Remains>,
}

/// The name of an upload on disk.
struct Remains {
    root: PathBuf,
    identity: Identity,
    name: String,
}

impl UploadFile {
    /// Creates an empty one.
    pub fn create(root: &Folder, identity: Identity) -> Result<Self> {
        let (first, rest) = layout::shard(identity.checksum);
        let names = [layout::FILE_STORE, layout::UPLOADING, &first, &rest];
        let mut attempts = 0;
        loop {
            attempts += 1;
            let created = root.make_all(names).and_then(|folder| {
                create_locked(&folder, |random| layout::upload_name(identity.size, random))
            });
            match created {
                Ok((file, name)) => {
                    let remains = Remains { root: root.shown(""), identity, name };
                    return Ok(Self { file, remains: Some(remains) });
                }
                // Another upload of this file ended just now and removed the directory with it.
                Err(error) if error.is_not_found() && attempts < ATTEMPTS => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Moves the file to its place in the store, replacing what is there.
    pub fn move_to(&self, to: &Folder, name: &str) -> Result<()> {
        match &self.remains {
            Some(remains) => match remains.folder()? {
                Some(from) => from.rename(&remains.name, to, name),
                None => Err(Error::io("find", &to.shown(name), io::ErrorKind::NotFound.into())),
            },
            None => Ok(()),
        }
    }

    /// Removes the name, if it is still there, before returning.
    pub fn remove(&mut self) {
        self.remains = None;
    }
}

impl Remains {
    fn folder(&self) -> Result<Option<Folder>> {
        let (first, rest) = layout::shard(self.identity.checksum);
        Folder::open_root(&self.root)?.walk([layout::FILE_STORE, layout::UPLOADING, &first, &rest])
    }

    fn remove(&self) -> Result<()> {
        if let Some(folder) = self.folder()? {
            match folder.remove_file(&self.name) {
                Err(error) if !error.is_not_found() => return Err(error),
                _ => {}
            }
        }
        let root = Folder::open_root(&self.root)?;
        if let Some(uploading) = root.walk([layout::FILE_STORE, layout::UPLOADING])? {
            remove_empty_shard(&uploading, self.identity);
        }
        Ok(())
    }
}

impl Drop for Remains {
    fn drop(&mut self) {
        if let Err(error) = self.remove() {
            tracing::warn!(%error, "cannot remove an unfinished upload; it is removed at the next start");
        }
    }
}

impl Drop for UploadFile {
    fn drop(&mut self) {
        let Some(remains) = self.remains.take() else { return };
        // Dropped with the future of a sender that went away: removing a large file takes a while.
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn_blocking(move || drop(remains))),
            Err(_) => drop(remains),
        }
    }
}

/// Removes the two directories of a checksum, as far as they are empty.
pub(crate) fn remove_empty_shard(above: &Folder, identity: Identity) {
    let (first, rest) = layout::shard(identity.checksum);
    if let Ok(Some(folder)) = above.open(&first) {
        folder.remove_if_empty(&rest);
    }
    above.remove_if_empty(&first);
}
