//! Removing what was cut short: uploads, checkouts and records whose maker is gone.

use std::ffi::OsString;
use std::time::Duration;

use crate::error::Result;
use crate::folder::Folder;
use crate::lock::{Held, try_lock};
use crate::temporary::LOCK_SUFFIX;
use crate::{Inner, Store, layout, paths, records};

/// Where files cannot be locked, what is this old is taken for abandoned.
const ABANDONED_AFTER: Duration = Duration::from_secs(24 * 3600);

/// How much was removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Leftovers {
    /// Uploads that never ended.
    pub uploads: usize,
    /// Checkouts that were being made or erased.
    pub checkouts: usize,
    /// Records that were being written.
    pub records: usize,
}

impl Store {
    /// Removes what a crash has left, of this program or another. Running work is not disturbed. Happens in
    /// [`Store::open`]; worth doing once an hour where several programs share a storage.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the storage cannot be read or written.
    pub async fn remove_leftovers(&self) -> Result<Leftovers> {
        self.blocking(Inner::remove_leftovers).await
    }
}

impl Inner {
    pub(crate) fn remove_leftovers(&self) -> Result<Leftovers> {
        let file_store = self.file_store()?;
        let uploading = file_store.make(layout::UPLOADING)?;
        let mut removed = Leftovers { checkouts: remove_scratch(&uploading)?, ..Leftovers::default() };
        removed.checkouts += remove_scratch(&self.building()?)?;
        removed.records = remove_files(&file_store.make(layout::CHECKOUTS)?, records::UNFINISHED)?;
        // The directories of checksums have two letters; the others are temporary, and may be in use.
        for first in directories(&uploading)?.into_iter().filter(|name| name.len() == 2) {
            let Some(above) = uploading.open(&first)? else { continue };
            for rest in directories(&above)? {
                let Some(folder) = above.open(&rest)? else { continue };
                removed.uploads += remove_files(&folder, ".tmp")?;
                above.remove_if_empty(&rest);
            }
            uploading.remove_if_empty(&first);
        }
        tracing::debug!(?removed, building = paths::BUILDING, "looked for leftovers");
        Ok(removed)
    }
}

fn directories(folder: &Folder) -> Result<Vec<OsString>> {
    Ok(folder.list()?.into_iter().filter(|entry| entry.kind.is_dir()).map(|entry| entry.name).collect())
}

/// Removes the abandoned files with this ending.
fn remove_files(folder: &Folder, ending: &str) -> Result<usize> {
    let mut removed = 0;
    for entry in folder.list()? {
        let Some(name) = entry.name.to_str().filter(|name| name.ends_with(ending) && entry.kind.is_file())
        else {
            continue;
        };
        if is_abandoned(folder, name)? {
            gone(folder.remove_file(name))?;
            removed += 1;
        }
    }
    Ok(removed)
}

/// Removes the abandoned temporary directories, with all they contain.
fn remove_scratch(folder: &Folder) -> Result<usize> {
    let entries = folder.list()?;
    let mut removed = 0;
    for entry in &entries {
        let Some(lock) = entry.name.to_str().filter(|name| name.ends_with(LOCK_SUFFIX)) else { continue };
        if entry.kind.is_file() && is_abandoned(folder, lock)? {
            folder.remove_tree(lock.trim_end_matches(LOCK_SUFFIX))?;
            gone(folder.remove_file(lock))?;
            removed += 1;
        }
    }
    // The lock is made before its directory and removed after it, so a directory without one has no owner.
    for entry in entries.iter().filter(|entry| entry.kind.is_dir()) {
        let Some(name) = entry.name.to_str().filter(|name| is_scratch_name(name)) else { continue };
        if folder.look(format!("{name}{LOCK_SUFFIX}"))?.is_none() && folder.look(name)?.is_some() {
            folder.remove_tree(name)?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_scratch_name(name: &str) -> bool {
    name.len() == 9 && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Is nobody alive working on this file?
fn is_abandoned(folder: &Folder, name: &str) -> Result<bool> {
    let file = match folder.open_file(name, true) {
        Ok(file) => file,
        Err(error) if error.is_not_found() => return Ok(false),
        // Complete and read-only, but not moved to its place.
        Err(_) => folder.open_file(name, false)?,
    };
    Ok(match try_lock(&file) {
        Held::ByUs => true,
        Held::ByOthers => false,
        Held::Unknown => {
            let age =
                file.metadata().and_then(|found| found.modified()).ok().and_then(|time| time.elapsed().ok());
            age.is_some_and(|age| age > ABANDONED_AFTER)
        }
    })
}

/// Removed by someone else is removed as well.
fn gone(removed: Result<()>) -> Result<()> {
    match removed {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}
