//! Erasing checkouts. Only what this store has made and recorded is ever erased.

use std::sync::PoisonError;

use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::paths::{CheckoutPath, NameRules, PathFault};
use crate::temporary::Scratch;
use crate::{Inner, Invalid, Store, records};

/// What became of a checkout that was to be erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Erased {
    /// It is gone; the stored files stay until they are collected as garbage.
    Yes,
    /// Nothing was erased, and trying again will not change that: whoever deletes a job can go on.
    Nothing(NothingToErase),
}

/// Why nothing was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NothingToErase {
    /// No checkout can have such an ID.
    Invalid(PathFault),
    /// There is no such directory.
    Absent,
    /// There is such a directory, but it is not a checkout of this store.
    NotACheckout,
}

impl Store {
    /// Erases a checkout with everything in its directory, and the directories above it that are empty then (never
    /// `jobs` itself). Other checkouts and the stored files are not touched.
    ///
    /// Whoever calls this makes sure that no other job uses the checkout.
    ///
    /// # Errors
    /// [`Error::Io`]: try again later.
    pub async fn erase(&self, checkout_id: &str) -> Result<Erased> {
        let path = match CheckoutPath::parse(checkout_id, NameRules::Unix) {
            Ok(path) => path,
            Err(Invalid::CheckoutPath { fault, .. }) => {
                return Ok(Erased::Nothing(NothingToErase::Invalid(fault)));
            }
            Err(other) => return Err(other.into()),
        };
        let erased = self.blocking(move |inner| inner.erase(&path)).await?;
        if let Erased::Nothing(reason) = &erased {
            tracing::warn!(checkout_id, ?reason, "no checkout was erased");
        }
        Ok(erased)
    }
}

impl Inner {
    fn erase(&self, path: &CheckoutPath) -> Result<Erased> {
        let records = self.records()?;
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let jobs = self.jobs()?;
        let found = locate(&jobs, path)?;
        if records::find(&records, path)?.is_none() {
            let reason = if found.is_none() { NothingToErase::Absent } else { NothingToErase::NotACheckout };
            return Ok(Erased::Nothing(reason));
        }
        let Some(Located { parents, name, is_directory }) = found else {
            records::remove(&records, path.as_str())?;
            return Ok(Erased::Nothing(NothingToErase::Absent));
        };
        if !is_directory {
            records::remove(&records, path.as_str())?;
            return Ok(Erased::Nothing(NothingToErase::NotACheckout));
        }
        // Out of sight in one step; what a crash leaves of it is removed at the next start.
        let scratch = Scratch::create(&self.building()?)?;
        let parent = parents.last().map_or(&jobs, |(_, folder)| folder);
        if !parent.rename_to_new(&name, scratch.folder(), "erased")? {
            return Err(Error::Obstructed(scratch.folder().shown("erased").display().to_string()));
        }
        remove_empty(&jobs, &parents);
        if self.settings.flush {
            jobs.sync()?;
        }
        records::remove(&records, path.as_str())?;
        drop(names);
        drop(scratch);
        Ok(Erased::Yes)
    }
}

/// A name below `jobs`.
struct Located {
    /// The directories that lead there, from the top, without `jobs`.
    parents: Vec<(String, Folder)>,
    name: String,
    is_directory: bool,
}

/// Looks for a path below `jobs`. What lies behind a link does not lie below `jobs`.
fn locate(jobs: &Folder, path: &CheckoutPath) -> Result<Option<Located>> {
    let mut parents: Vec<(String, Folder)> = Vec::new();
    let mut names = path.components();
    let name = names.next_back().unwrap_or_default().to_owned();
    for next in names {
        let folder = match parents.last().map_or(jobs, |(_, folder)| folder).open(next) {
            Ok(Some(folder)) => folder,
            Ok(None) | Err(Error::Obstructed(_)) => return Ok(None),
            Err(error) => return Err(error),
        };
        parents.push((next.to_owned(), folder));
    }
    let found = parents.last().map_or(jobs, |(_, folder)| folder).look(&name)?;
    Ok(found.map(|found| Located { parents, name, is_directory: found.is_dir() }))
}

/// Removes directories from the deepest up, as long as they are empty.
fn remove_empty(jobs: &Folder, parents: &[(String, Folder)]) {
    for depth in (0..parents.len()).rev() {
        let above = if depth == 0 { jobs } else { &parents[depth - 1].1 };
        if !above.remove_if_empty(&parents[depth].0) {
            break;
        }
    }
}
