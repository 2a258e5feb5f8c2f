//! What is remembered about each checkout, outside of it: a small JSON file per checkout.
//!
//! A record makes a directory below `jobs` a checkout. Only checkouts with a record are ever erased, no checkout is
//! made inside another, and the files that a record lists stay even if their links cannot be seen.

use std::io::{BufReader, BufWriter, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::identity::Identity;
use crate::links::LinkMode;
use crate::paths::{CheckoutPath, fold};
use crate::temporary::create_locked;

/// Name of a record that is being written.
pub(crate) const UNFINISHED: &str = ".tmp";

/// What is remembered about a checkout.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    /// The checkout path.
    pub checkout: String,
    /// When it was made, in seconds since 1970 UTC.
    pub created: u64,
    /// How its files are linked.
    pub links: LinkMode,
    /// Its files.
    pub files: Vec<RecordedFile>,
}

/// A file of a checkout.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RecordedFile {
    /// Below the checkout.
    pub path: String,
    /// What it links to.
    #[serde(flatten)]
    pub identity: Identity,
}

impl Record {
    /// When the checkout was made.
    pub fn created_at(now: SystemTime) -> u64 {
        now.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}

/// The name of a record. Paths that some storage takes for the same share one, so two such checkouts cannot exist.
fn file_name(checkout: &str) -> String {
    let sum = Sha256::digest(fold(checkout));
    sum.iter().take(20).map(|byte| format!("{byte:02x}")).collect::<String>() + ".json"
}

/// Is there a record of a checkout with this path, or one that some storage takes for the same?
pub(crate) fn exists(records: &Folder, checkout: &CheckoutPath) -> Result<bool> {
    Ok(records.look(file_name(checkout.as_str()))?.is_some())
}

/// The record of a checkout with exactly this path.
pub(crate) fn find(records: &Folder, checkout: &CheckoutPath) -> Result<Option<Record>> {
    if !exists(records, checkout)? {
        return Ok(None);
    }
    match read(records, &file_name(checkout.as_str())) {
        Ok(record) => Ok((record.checkout == checkout.as_str()).then_some(record)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Reads the record in this file.
pub(crate) fn read(records: &Folder, name: &str) -> Result<Record> {
    let file = BufReader::new(records.open_file(name, false)?);
    serde_json::from_reader(file).map_err(|e| Error::io("read the record", &records.shown(name), e.into()))
}

/// The names of all records.
pub(crate) fn list(records: &Folder) -> Result<Vec<String>> {
    let names = records.list()?.into_iter().filter_map(|entry| entry.name.into_string().ok());
    Ok(names.filter(|name| name.ends_with(".json")).collect())
}

/// Writes a record unless there is one already; says whether it was written.
pub(crate) fn write_new(records: &Folder, record: &Record, flush: bool) -> Result<bool> {
    let (file, name) = create_locked(records, |random| format!("{random:09}{UNFINISHED}"))?;
    let written = write_and_name(records, record, &file, &name, flush);
    if !matches!(written, Ok(true)) {
        records.remove_file(&name)?;
    }
    written
}

fn write_and_name(
    records: &Folder,
    record: &Record,
    file: &std::fs::File,
    name: &str,
    flush: bool,
) -> Result<bool> {
    let failed = |e: std::io::Error| Error::io("write", &records.shown(name), e);
    let mut writer = BufWriter::new(file);
    serde_json::to_writer(&mut writer, record).map_err(|e| failed(e.into()))?;
    writer.flush().map_err(failed)?;
    if flush {
        file.sync_all().map_err(failed)?;
    }
    let is_new = records.rename_to_new(name, records, &file_name(&record.checkout))?;
    if is_new && flush {
        records.sync()?;
    }
    Ok(is_new)
}

/// Removes the record of a checkout, if there is one.
pub(crate) fn remove(records: &Folder, checkout: &str) -> Result<()> {
    match records.remove_file(file_name(checkout)) {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths::NameRules;

    fn path(text: &str) -> CheckoutPath {
        CheckoutPath::parse(text, NameRules::Unix).expect("valid")
    }

    fn record(checkout: &str) -> Record {
        let identity = Identity { checksum: crate::Checksum::from_bytes([7; 32]), size: 3 };
        let files = vec![RecordedFile { path: "a/b".into(), identity }];
        Record { checkout: checkout.into(), created: 5, links: LinkMode::Symlink, files }
    }

    #[test]
    fn a_record_is_written_once_and_found_by_its_exact_path() {
        let place = tempfile::tempdir().expect("temporary directory");
        let folder = Folder::open_root(place.path()).expect("opened");
        assert!(write_new(&folder, &record("Shot/1"), true).expect("written"));
        assert!(!write_new(&folder, &record("Shot/1"), true).expect("refused"));
        assert!(!write_new(&folder, &record("shot/1"), false).expect("refused"), "the same on some storage");
        assert_eq!(find(&folder, &path("Shot/1")).expect("read"), Some(record("Shot/1")));
        assert_eq!(find(&folder, &path("shot/1")).expect("read"), None);
        assert!(exists(&folder, &path("shot/1")).expect("looked"));
        assert_eq!(folder.list().expect("listed").len(), 1, "nothing unfinished is left");
        remove(&folder, "Shot/1").expect("removed");
        remove(&folder, "Shot/1").expect("gone is fine");
        assert!(!exists(&folder, &path("Shot/1")).expect("looked"));
    }
}
