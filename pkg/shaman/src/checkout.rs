//! Making checkouts: built in a temporary directory, then moved to their name in one step.

use std::collections::HashSet;
use std::sync::PoisonError;
use std::time::SystemTime;

use rand::Rng;

use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::identity::Identity;
use crate::linking::Linked;
use crate::links::{self, LinkMode};
use crate::paths::{CheckoutPath, NameRules};
use crate::plan::{CheckoutFile, plan};
use crate::records::{self, Record, RecordedFile};
use crate::temporary::Scratch;
use crate::{Inner, Store, layout, shelf};

/// Names that are tried for a checkout.
const ATTEMPTS: usize = 10;
/// Above this number of directories, flushing the whole file system is quicker than each of them.
const FLUSH_ONE_BY_ONE: usize = 512;

/// A checkout that is asked for.
#[derive(Clone, Debug)]
pub struct CheckoutRequest {
    /// Its path below `jobs`; it gets a suffix when that is taken.
    pub path: CheckoutPath,
    /// Its files, in any order.
    pub files: Vec<CheckoutFile>,
    /// Which names may stand side by side in it: with [`NameRules::Portable`], two that differ only in case are refused
    /// also where this storage could keep them apart.
    pub names: NameRules,
    /// The current time, for the record.
    pub now: SystemTime,
}

/// A checkout that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// The path that was used: the ID of the checkout.
    pub path: CheckoutPath,
    /// How its files are linked.
    pub links: LinkMode,
    /// Number of its files.
    pub files: usize,
}

impl Store {
    /// Makes a directory with links to stored files. It appears complete, or not at all.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the files do not fit into one tree, [`Error::MissingFiles`] with all that are not
    /// stored, [`Error::NameTaken`], [`Error::LinksUnsupported`], [`Error::NoSpace`], [`Error::Io`]. Nothing has
    /// changed then.
    pub async fn checkout(&self, request: CheckoutRequest) -> Result<Checkout> {
        self.blocking(move |inner| inner.checkout(&request)).await
    }

    /// Is there a checkout with exactly this ID, made by this store?
    ///
    /// # Errors
    /// [`Error::Io`] when the storage cannot be read.
    pub async fn has_checkout(&self, checkout: CheckoutPath) -> Result<bool> {
        self.blocking(move |inner| Ok(records::find(&inner.records()?, &checkout)?.is_some())).await
    }

    /// The checkout that a path below `jobs` lies in, for a client that forgot to say which checkout its job uses.
    ///
    /// # Errors
    /// [`Error::Io`] when the storage cannot be read.
    pub async fn checkout_of(&self, path_below_jobs: &str) -> Result<Option<CheckoutPath>> {
        // The file itself may have a name that no checkout may have; the directories above it decide.
        let Some((directory, _)) = path_below_jobs.rsplit_once('/') else { return Ok(None) };
        let mut candidates = Vec::new();
        let ends = directory.match_indices('/').map(|(at, _)| at).chain([directory.len()]);
        for end in ends {
            match CheckoutPath::parse(&directory[..end], NameRules::Unix) {
                Ok(path) => candidates.push(path),
                Err(_) => break,
            }
        }
        self.blocking(move |inner| {
            let records = inner.records()?;
            for candidate in candidates.into_iter().rev() {
                if records::find(&records, &candidate)?.is_some() {
                    return Ok(Some(candidate));
                }
            }
            Ok(None)
        })
        .await
    }
}

impl Inner {
    pub(crate) fn records(&self) -> Result<Folder> {
        self.file_store()?.make(layout::CHECKOUTS)
    }

    fn checkout(&self, request: &CheckoutRequest) -> Result<Checkout> {
        let capabilities = self.capabilities()?;
        let mode = capabilities.choose(self.settings.link_mode)?;
        let one_case = capabilities.one_case || request.names == NameRules::Portable;
        let files = plan(&request.files, one_case)?;

        let file_store = self.file_store()?;
        let _using = self.in_use.share(&file_store)?;
        let stored = file_store.make(layout::STORED)?;
        let _linked = self.use_blobs(&stored, &files)?;

        let scratch = Scratch::create(&self.building()?)?;
        let depth = request.path.components().count();
        let mut tree = Tree { mode, depth, open: vec![("", scratch.folder().again()?)], directories: 1 };
        for file in &files {
            tree.add(file, &stored)?;
        }
        if self.settings.flush {
            flush(scratch.folder(), tree.directories, mode)?;
        }
        let record = Record {
            checkout: request.path.to_string(),
            created: Record::created_at(request.now),
            links: mode,
            files: files
                .iter()
                .map(|f| RecordedFile { path: f.path.to_string(), identity: f.identity })
                .collect(),
        };
        let path = self.publish(&scratch, &request.path, record)?;
        Ok(Checkout { path, links: mode, files: files.len() })
    }

    /// Finds all files, marks them as used, and only then lets anything be made of them.
    fn use_blobs(&self, stored: &Folder, files: &[&CheckoutFile]) -> Result<Linked> {
        let mut seen: HashSet<Identity> = HashSet::with_capacity(files.len());
        let mut missing = Vec::new();
        for identity in files.iter().map(|file| file.identity) {
            if !seen.insert(identity) {
                continue;
            }
            match shelf::find(stored, identity)? {
                Some(blob) => {
                    blob.touch();
                    blob.protect();
                }
                None => missing.push(identity),
            }
        }
        if !missing.is_empty() {
            return Err(Error::MissingFiles(missing));
        }
        Ok(self.linking.begin(seen))
    }

    /// Gives a finished checkout its name.
    fn publish(&self, scratch: &Scratch, wanted: &CheckoutPath, mut record: Record) -> Result<CheckoutPath> {
        let (jobs, records) = (self.jobs()?, self.records()?);
        let _names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let mut candidate = wanted.clone();
        for _ in 0..ATTEMPTS {
            let last = candidate.components().count() - 1;
            let mut taken = collision(&jobs, &records, &candidate)?;
            if taken.is_none() {
                record.checkout = candidate.to_string();
                // The record first: what has one is protected, and a crash between the two loses nothing.
                if records::write_new(&records, &record, self.settings.flush)? {
                    match self.move_to_name(scratch, &jobs, &candidate) {
                        Ok(true) => return Ok(candidate),
                        ended => {
                            records::remove(&records, candidate.as_str())?;
                            ended?;
                        }
                    }
                }
                taken = Some(last);
            }
            candidate = wanted.with_suffix(taken.unwrap_or(last), &random_suffix());
        }
        Err(Error::NameTaken(wanted.clone()))
    }

    fn move_to_name(&self, scratch: &Scratch, jobs: &Folder, path: &CheckoutPath) -> Result<bool> {
        let mut above = vec![jobs.again()?];
        let mut names = path.components();
        let last = names.next_back().unwrap_or_default();
        for name in names {
            let next = above[above.len() - 1].make(name)?;
            above.push(next);
        }
        let moved = scratch.move_to(&above[above.len() - 1], last)?;
        if moved && self.settings.flush {
            above.iter().rev().try_for_each(Folder::sync)?;
        }
        Ok(moved)
    }
}

/// The first component of a path that cannot be used: because it leads into another checkout, is no directory, or
/// (the last one) exists.
fn collision(jobs: &Folder, records: &Folder, path: &CheckoutPath) -> Result<Option<usize>> {
    let mut above = path.ancestors().collect::<Vec<_>>();
    above.reverse();
    let mut at = Some(jobs.again()?);
    let last = above.len() - 1;
    for (index, (prefix, name)) in above.iter().zip(path.components()).enumerate() {
        if records::exists(records, prefix)? {
            return Ok(Some(index));
        }
        let Some(folder) = at else { continue };
        at = match folder.open(name) {
            Ok(Some(_)) | Err(Error::Obstructed(_)) if index == last => return Ok(Some(index)),
            Err(Error::Obstructed(_)) => return Ok(Some(index)),
            opened => opened?,
        };
    }
    Ok(None)
}

fn random_suffix() -> String {
    const CHARACTERS: &[u8; 36] = b"abcdefghijklmnopqrstuvwxyz0123456789";
    let mut random = rand::rng();
    (0..4).map(|_| char::from(CHARACTERS[random.random_range(0..CHARACTERS.len())])).collect()
}

/// The tree of a checkout while it is made. Expects files sorted by component.
struct Tree<'a> {
    mode: LinkMode,
    /// Directories between `jobs` and the top of the checkout, in its final place.
    depth: usize,
    /// The directories that lead to the last file, from the top; the top has no name.
    open: Vec<(&'a str, Folder)>,
    directories: usize,
}

impl<'a> Tree<'a> {
    fn add(&mut self, file: &'a CheckoutFile, stored: &Folder) -> Result<()> {
        let mut names = file.path.components();
        let name = names.next_back().unwrap_or_default();
        let names = names.collect::<Vec<_>>();
        let common =
            self.open.iter().skip(1).zip(&names).take_while(|((open, _), name)| open == *name).count();
        self.open.truncate(common + 1);
        for next in &names[common..] {
            let folder = self.open[self.open.len() - 1].1.make(next)?;
            self.open.push((next, folder));
            self.directories += 1;
        }
        let folder = &self.open[names.len()].1;
        if self.mode == LinkMode::Symlink {
            return folder.symlink(&layout::link_text(file.identity, self.depth + names.len()), name);
        }
        match shelf::find(stored, file.identity)? {
            Some(blob) => links::place(self.mode, &blob, folder, name),
            None => Err(Error::MissingFiles(vec![file.identity])),
        }
    }
}

/// Waits until a new tree is on disk.
fn flush(top: &Folder, directories: usize, mode: LinkMode) -> Result<()> {
    let many = directories > FLUSH_ONE_BY_ONE || !matches!(mode, LinkMode::Symlink | LinkMode::Hardlink);
    if many && top.sync_file_system()? {
        return Ok(());
    }
    flush_each(top)
}

fn flush_each(folder: &Folder) -> Result<()> {
    for entry in folder.list()? {
        if entry.kind.is_dir() {
            if let Some(below) = folder.open(&entry.name)? {
                flush_each(&below)?;
            }
        } else if entry.kind.is_file() {
            let file = folder.open_file(&entry.name, false)?;
            file.sync_all().map_err(|e| Error::io("flush", &folder.shown(&entry.name), e))?;
        }
    }
    folder.sync()
}
