//! Deleting stored files that nobody uses.
//!
//! The collector looks, decides, and looks again before each deletion. Whatever it cannot make sense of ends the run
//! before anything is deleted: a share that is not mounted must not look like one where nothing is used.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use tokio_util::sync::CancellationToken;

use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::identity::Identity;
use crate::linking::Collecting;
use crate::paths::{BUILDING, CheckoutPath, NameRules};
use crate::records::{self, Record};
use crate::{Inner, Store, layout, shelf, temporary};

/// Whatever was used this recently stays, since clocks of machines differ.
const SAFETY_MARGIN: Duration = Duration::from_secs(3600);
/// Files deleted without letting others use the store.
const BATCH: usize = 256;
/// How often the collector asks for the store to itself, and for how long in all.
const PATIENCE: (Duration, u32) = (Duration::from_millis(20), 1500);

/// What to collect.
#[derive(Clone, Debug)]
pub struct GarbageRequest {
    /// Only report what would be deleted.
    pub dry_run: bool,
    /// The current time.
    pub now: SystemTime,
    /// Which checkouts are in use.
    pub references: References,
    /// Cancelled, nothing more is deleted.
    pub cancel: CancellationToken,
}

/// Which checkouts the jobs of the farm use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum References {
    /// Not known; all records of checkouts count.
    Unknown,
    /// Exactly these checkout IDs.
    Known(HashSet<String>),
}

/// A stored file that no checkout uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct UnusedFile {
    /// Which file.
    #[serde(flatten)]
    pub identity: Identity,
    /// When it was last used.
    pub last_used: SystemTime,
}

/// What a collection found and did.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct GarbageReport {
    /// Nothing was deleted because that was asked for.
    pub dry_run: bool,
    /// All stored files.
    pub stored_files: u64,
    /// Their size in bytes.
    pub stored_bytes: u64,
    /// Stored files not used for longer than the maximum age.
    pub old_files: u64,
    /// Of the old ones, how many a checkout uses.
    pub still_used: u64,
    /// Of the old ones, those that no checkout uses.
    pub unused: Vec<UnusedFile>,
    /// Size of the unused files in bytes.
    pub unused_bytes: u64,
    /// Symbolic links that were looked at.
    pub links_checked: u64,
    /// Files deleted.
    pub deleted_files: u64,
    /// Their size in bytes.
    pub deleted_bytes: u64,
    /// Unused files that were kept after all, because they were used meanwhile or could not be deleted.
    pub kept_files: u64,
    /// Checkouts that no job refers to. They are never deleted here; their files count as used.
    pub orphans: Vec<String>,
    /// Checkouts with a record but without a directory. Their files count as used.
    pub lost: Vec<String>,
    /// Records without directory and job that were forgotten (or, in a dry run, would be).
    pub forgotten: Vec<String>,
}

impl Store {
    /// Deletes the stored files that no checkout uses and that were not used for
    /// [`Settings::max_age`](crate::Settings::max_age).
    ///
    /// # Errors
    /// [`Error::Unsafe`] when the checkouts cannot be seen, [`Error::Cancelled`], [`Error::Io`]. Up to the first
    /// deletion every error means that nothing was deleted; a single file that cannot be deleted is only counted.
    pub async fn collect_garbage(&self, request: GarbageRequest) -> Result<GarbageReport> {
        self.blocking(move |inner| inner.collect_garbage(&request)).await
    }
}

/// Files not used lately, with the time of their last use.
type Old = HashMap<Identity, SystemTime>;

/// The records of the checkouts, as the collector found them.
struct Considered {
    /// The names of all.
    records: HashSet<String>,
    /// The checkouts of those that mean nothing any more.
    stale: Vec<String>,
}

/// What uses stored files since the collector looked at the checkouts.
struct Uses {
    /// Checkouts that this program makes.
    collecting: Collecting,
    /// Names of the records that were looked at.
    records: HashSet<String>,
    /// Files of the records that came after: other programs make checkouts too.
    files: HashSet<Identity>,
}

impl Uses {
    /// Looks for records that were written meanwhile. Called while nobody makes a checkout: each has its record then.
    fn update(&mut self, records: &Folder) -> Result<()> {
        for name in records::list(records)? {
            if self.records.contains(&name) {
                continue;
            }
            match records::read(records, &name) {
                Ok(record) => self.files.extend(record.files.iter().map(|file| file.identity)),
                // Erased meanwhile.
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(Error::Unsafe(error.to_string())),
            }
            self.records.insert(name);
        }
        Ok(())
    }

    fn contain(&self, identity: Identity) -> bool {
        self.files.contains(&identity) || self.collecting.uses(identity)
    }
}

impl Inner {
    fn collect_garbage(&self, request: &GarbageRequest) -> Result<GarbageReport> {
        let collecting = self.linking.collect();
        let mut report = GarbageReport { dry_run: request.dry_run, ..GarbageReport::default() };
        let file_store = self.file_store()?;
        let stored = file_store.make(layout::STORED)?;
        let threshold = self.threshold(&file_store, request.now)?;
        let mut old = find_old(&stored, threshold, request, &mut report)?;
        report.old_files = old.len() as u64;

        let root = self.root()?;
        let jobs = root.open(layout::JOBS)?;
        let Considered { records, stale } =
            self.consider_records(jobs.as_ref(), request, &mut old, &mut report)?;
        if let Some(jobs) = jobs.filter(|_| !old.is_empty()) {
            remove_linked(&jobs, request, &mut old, &mut report)?;
        }
        report.still_used = report.old_files - old.len() as u64;
        report.unused =
            old.iter().map(|(&identity, &last_used)| UnusedFile { identity, last_used }).collect();
        report.unused.sort_by_key(|file| (file.last_used, file.identity));
        report.unused_bytes = report.unused.iter().map(|file| file.identity.size).sum();
        report.forgotten = stale;
        if !request.dry_run {
            self.forget(&file_store, &report.forgotten)?;
            let unused = std::mem::take(&mut report.unused);
            let mut uses = Uses { collecting, records, files: HashSet::new() };
            let deleted = self.delete(&file_store, &stored, &unused, &mut uses, request, &mut report);
            report.unused = unused;
            deleted?;
        }
        Ok(report)
    }

    /// Files last used before this are old. The clock of the storage counts too, since it wrote those times.
    fn threshold(&self, file_store: &Folder, now: SystemTime) -> Result<SystemTime> {
        let probe = temporary::Scratch::create(&file_store.make(layout::UPLOADING)?)?;
        let there = probe.folder().create("clock")?.metadata().and_then(|found| found.modified());
        let there = there.map_err(|e| Error::io("read the clock of", &file_store.shown(""), e))?;
        let age = self.settings.max_age.max(SAFETY_MARGIN);
        let threshold = now.min(there).checked_sub(age).unwrap_or(SystemTime::UNIX_EPOCH);
        let whole = threshold.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(whole))
    }

    /// Takes the files of all recorded checkouts out of `old`.
    fn consider_records(
        &self,
        jobs: Option<&Folder>,
        request: &GarbageRequest,
        old: &mut Old,
        report: &mut GarbageReport,
    ) -> Result<Considered> {
        let records = self.records()?;
        let names = records::list(&records)?;
        let referenced = match &request.references {
            References::Known(ids) => !ids.is_empty(),
            References::Unknown => false,
        };
        let visible = match jobs {
            Some(jobs) => jobs.list()?.iter().any(|entry| entry.name != BUILDING),
            None => false,
        };
        if !visible && (referenced || !names.is_empty()) {
            return Err(Error::Unsafe(format!(
                "{} is empty or missing, but there are checkouts; is it mounted? If its contents were deleted on \
                 purpose, delete those of {} too",
                self.root.join(layout::JOBS).display(),
                records.shown("").display(),
            )));
        }
        let mut stale = Vec::new();
        for name in &names {
            stop_if_cancelled(request)?;
            let record = match records::read(&records, name) {
                Ok(record) => record,
                // Erased meanwhile.
                Err(error) if error.is_not_found() => continue,
                Err(error) => return Err(Error::Unsafe(error.to_string())),
            };
            if !has_directory(jobs, &record)? {
                if matches!(&request.references, References::Known(ids) if !ids.contains(&record.checkout)) {
                    stale.push(record.checkout);
                    continue;
                }
                report.lost.push(record.checkout.clone());
            } else if matches!(&request.references, References::Known(ids) if !ids.contains(&record.checkout))
            {
                report.orphans.push(record.checkout.clone());
            }
            if record.links.needs_stored_file() {
                for file in &record.files {
                    old.remove(&file.identity);
                }
            }
        }
        Ok(Considered { records: names.into_iter().collect(), stale })
    }

    /// Removes records that no directory and no job belongs to.
    fn forget(&self, file_store: &Folder, stale: &[String]) -> Result<()> {
        if stale.is_empty() {
            return Ok(());
        }
        // Alone, since a checkout writes its record just before it appears.
        let Some(_alone) = self.in_use.try_alone(file_store)? else { return Ok(()) };
        let (jobs, records) = (self.jobs()?, self.records()?);
        for checkout in stale {
            let Ok(path) = CheckoutPath::parse(checkout, NameRules::Unix) else { continue };
            if let Some(record) = records::find(&records, &path)?
                && !has_directory(Some(&jobs), &record)?
            {
                records::remove(&records, checkout)?;
            }
        }
        Ok(())
    }

    fn delete(
        &self,
        file_store: &Folder,
        stored: &Folder,
        unused: &[UnusedFile],
        uses: &mut Uses,
        request: &GarbageRequest,
        report: &mut GarbageReport,
    ) -> Result<()> {
        for batch in unused.chunks(BATCH) {
            let alone = loop_until(PATIENCE, || {
                stop_if_cancelled(request)?;
                self.in_use.try_alone(file_store)
            })?;
            let Some(_alone) = alone else {
                tracing::warn!(
                    "the store is in constant use; the rest of the garbage stays until the next time"
                );
                report.kept_files = unused.len() as u64 - report.deleted_files;
                return Ok(());
            };
            uses.update(&self.records()?)?;
            for file in batch {
                stop_if_cancelled(request)?;
                match delete_if_still_unused(stored, file, uses) {
                    Ok(true) => {
                        report.deleted_files += 1;
                        report.deleted_bytes += file.identity.size;
                    }
                    Ok(false) => report.kept_files += 1,
                    Err(error) => {
                        tracing::warn!(%error, "cannot delete an unused file");
                        report.kept_files += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

fn stop_if_cancelled(request: &GarbageRequest) -> Result<()> {
    if request.cancel.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
}

/// Asks again and again, with a pause, until there is something or patience ends.
fn loop_until<T>(
    (pause, times): (Duration, u32),
    mut ask: impl FnMut() -> Result<Option<T>>,
) -> Result<Option<T>> {
    for _ in 0..times {
        if let Some(answer) = ask()? {
            return Ok(Some(answer));
        }
        std::thread::sleep(pause);
    }
    Ok(None)
}

/// All stored files last used before the threshold.
fn find_old(
    stored: &Folder,
    threshold: SystemTime,
    request: &GarbageRequest,
    report: &mut GarbageReport,
) -> Result<Old> {
    let mut old = Old::new();
    for first in stored.list()?.into_iter().filter(|entry| entry.kind.is_dir()) {
        stop_if_cancelled(request)?;
        let Some(above) = stored.open(&first.name)? else { continue };
        for rest in above.list()?.into_iter().filter(|entry| entry.kind.is_dir()) {
            let Some(folder) = above.open(&rest.name)? else { continue };
            for entry in folder.list()?.into_iter().filter(|entry| entry.kind.is_file()) {
                let names = (first.name.to_str(), rest.name.to_str(), entry.name.to_str());
                let (Some(first), Some(rest), Some(name)) = names else { continue };
                let Some(identity) = layout::identity_of_blob(first, rest, name) else { continue };
                let Some(found) = folder.look(name)? else { continue };
                report.stored_files += 1;
                report.stored_bytes += found.len();
                let used = last_used(&folder, name, &found)?;
                if used < threshold {
                    old.insert(identity, used);
                }
            }
        }
    }
    Ok(old)
}

fn last_used(folder: &Folder, name: &str, found: &cap_std::fs::Metadata) -> Result<SystemTime> {
    let time = found.modified().map_err(|e| Error::io("read the time of", &folder.shown(name), e))?;
    Ok(time.into_std())
}

/// Takes every file that a link below `jobs` names out of `old`. Links are read, never followed.
fn remove_linked(
    jobs: &Folder,
    request: &GarbageRequest,
    old: &mut Old,
    report: &mut GarbageReport,
) -> Result<()> {
    let mut levels = vec![jobs.again()?];
    let mut waiting = vec![jobs.list()?];
    while let (Some(level), Some(entries)) = (levels.last(), waiting.last_mut()) {
        stop_if_cancelled(request)?;
        let Some(entry) = entries.pop() else {
            levels.pop();
            waiting.pop();
            continue;
        };
        if entry.kind.is_dir() {
            // Erased meanwhile: then its links are gone too.
            if let Some(below) = level.open(&entry.name)? {
                waiting.push(below.list()?);
                levels.push(below);
            }
        } else if entry.kind.is_symlink() {
            match level.read_link(&entry.name) {
                Ok(text) => {
                    report.links_checked += 1;
                    if let Some(identity) = layout::identity_of_link(&text.to_string_lossy()) {
                        old.remove(&identity);
                    }
                }
                Err(error) if error.is_not_found() => {}
                Err(error) => return Err(Error::Unsafe(error.to_string())),
            }
        }
    }
    Ok(())
}

fn has_directory(jobs: Option<&Folder>, record: &Record) -> Result<bool> {
    let Some(jobs) = jobs else { return Ok(false) };
    let Ok(path) = CheckoutPath::parse(&record.checkout, NameRules::Unix) else { return Ok(false) };
    match jobs.walk(path.components()) {
        Ok(found) => Ok(found.is_some()),
        Err(Error::Obstructed(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Deletes a stored file unless someone used it since it was looked at.
fn delete_if_still_unused(stored: &Folder, file: &UnusedFile, uses: &Uses) -> Result<bool> {
    let (first, rest) = layout::shard(file.identity.checksum);
    let Some(folder) = stored.walk([first.as_str(), &rest])? else { return Ok(false) };
    let name = layout::blob_name(file.identity.size);
    let Some(found) = folder.look(&name)?.filter(|found| found.is_file()) else { return Ok(false) };
    let touched = last_used(&folder, &name, &found)? != file.last_used;
    if touched || uses.contain(file.identity) || shelf::has_second_name(&found) {
        return Ok(false);
    }
    folder.remove_file(&name)?;
    temporary::remove_empty_shard(stored, file.identity);
    Ok(true)
}
