//! What was written to logs lately, in one file: that is synced for every batch, instead of every log.
//!
//! ```text
//! <local storage>/.task-log-journal/<manager run>/lock     held while that run lives
//!                                                 0, 1, …  segments
//! ```
//!
//! A farm writes to hundreds of logs a second, and each sync of a file costs about as much as one of the journal with
//! all of them in it. So a text is written to its log, and again to the journal, and only the journal is synced. When
//! a segment is large enough, a thread makes the logs themselves durable and then removes it, while the next segment
//! is being written. After a crash the next run finds the segments of the last one and writes what they hold to the
//! logs, each text at its place, which changes nothing where it is there already.
//!
//! A record that was cut by the crash was acknowledged to nobody, and neither was anything behind it.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use uuid::Uuid;

use super::{LogId, log_path};

/// Below the local storage.
const FOLDER: &str = ".task-log-journal";
const LOCK: &str = "lock";
/// A segment ends at this size, in bytes, or when it concerns so many logs: a start after a crash reads up to four.
const SEGMENT_BYTES: u64 = 8 << 20;
const SEGMENT_LOGS: usize = 4_096;
/// From this number of logs on, one sync of the whole file system is quicker than one for each.
#[cfg(target_os = "linux")]
const MANY_LOGS: usize = 32;

/// Length and checksum in front of each record, and the fixed part of a record.
const HEAD: usize = 8;
const FIXED: usize = 1 + 16 + 16 + 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A text of a log, and where it begins.
    Text = 0,
    /// Everything about a log so far is of no account.
    ForgetLog = 1,
    /// Everything about the logs of a job so far is of no account.
    ForgetJob = 2,
}

/// The journal of one run. Only its thread has it.
pub(super) struct Journal {
    root: PathBuf,
    /// The folder of this run.
    folder: PathBuf,
    /// Says that this run lives, until it is closed.
    _lock: File,
    segment: File,
    number: u64,
    /// Bytes of the segment that are on disk.
    size: u64,
    /// Nothing can be added to the segment any more.
    spoiled: bool,
    /// What the next commit writes.
    buffer: Vec<u8>,
    /// Logs with texts in the segment.
    logs: HashSet<LogId>,
    settler: Option<(SyncSender<Segment>, JoinHandle<()>)>,
}

/// A segment that is full.
struct Segment {
    path: PathBuf,
    logs: HashSet<LogId>,
}

impl Journal {
    /// Brings the logs up to date with what earlier runs left behind, and begins a journal.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        let all = root.join(FOLDER);
        super::writer::create_directory(root)?;
        create_private(&all)?;
        recover(root, &all)?;
        let folder = all.join(Uuid::new_v4().to_string());
        create_private(&folder)?;
        let lock = File::create(folder.join(LOCK))?;
        lock.try_lock()?;
        let segment = new_segment(&folder, 0)?;
        super::writer::sync_directory(&all)?;
        super::writer::sync_directory(root)?;
        // One segment may wait while another is in hand; then the writer waits, so what a crash leaves is bounded.
        let (sender, receiver) = sync_channel(1);
        let settled_root = root.to_owned();
        let thread = std::thread::Builder::new()
            .name("task-log-sync".to_owned())
            .spawn(move || settle_all(&settled_root, &receiver))?;
        Ok(Self {
            root: root.to_owned(),
            folder,
            _lock: lock,
            segment,
            number: 0,
            size: 0,
            spoiled: false,
            buffer: Vec::new(),
            logs: HashSet::new(),
            settler: Some((sender, thread)),
        })
    }

    /// Remembers a text that was written to a log at a place.
    pub(super) fn text(&mut self, log: LogId, place: u64, text: &[&str]) {
        self.logs.insert(log);
        self.record(Kind::Text, log, place, text);
    }

    /// What was remembered of a log is of no account: it begins anew.
    pub(super) fn forget_log(&mut self, log: LogId) {
        self.logs.remove(&log);
        self.record(Kind::ForgetLog, log, 0, &[]);
    }

    /// What was remembered of a job's logs is of no account: they are going to be removed.
    pub(super) fn forget_job(&mut self, job: Uuid) {
        self.logs.retain(|log| log.job != job);
        self.record(Kind::ForgetJob, LogId { job, task: Uuid::nil() }, 0, &[]);
    }

    fn record(&mut self, kind: Kind, log: LogId, place: u64, text: &[&str]) {
        let start = self.buffer.len();
        self.buffer.extend([0; HEAD]);
        self.buffer.push(kind as u8);
        self.buffer.extend(log.job.as_bytes());
        self.buffer.extend(log.task.as_bytes());
        self.buffer.extend(place.to_le_bytes());
        for part in text {
            self.buffer.extend(part.as_bytes());
        }
        let record = &self.buffer[start + HEAD..];
        let (length, sum) = (record.len() as u32, checksum(record));
        self.buffer[start..start + 4].copy_from_slice(&length.to_le_bytes());
        self.buffer[start + 4..start + HEAD].copy_from_slice(&sum.to_le_bytes());
    }

    /// Makes everything that was remembered durable. When this fails, none of it is.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        if self.buffer.is_empty() {
            return Ok(());
        }
        if self.spoiled {
            self.roll()?;
        }
        let written = self.segment.write_all(&self.buffer).and_then(|()| self.segment.sync_data());
        if written.is_ok() {
            self.size += self.buffer.len() as u64;
        } else {
            // After a failed sync nobody knows what is on disk. What was there before is, so the logs that it is about
            // are made durable themselves, and a new segment begins.
            self.spoiled = true;
            drop(self.segment.set_len(self.size));
        }
        self.buffer.clear();
        written
    }

    /// Ends the segment when it is large enough.
    pub(super) fn roll_when_due(&mut self) {
        if self.size < SEGMENT_BYTES && self.logs.len() < SEGMENT_LOGS {
            return;
        }
        if let Err(error) = self.roll() {
            // It only grows until this works.
            tracing::warn!(%error, "cannot begin a new segment of the journal of task logs");
        }
    }

    /// Makes one log durable, which is about to be put aside under another name.
    pub(super) fn settle_log(&self, log: LogId) -> io::Result<()> {
        sync_log(&self.root, log, &mut BTreeSet::new())
    }

    fn roll(&mut self) -> io::Result<()> {
        let next = new_segment(&self.folder, self.number + 1)?;
        let full =
            Segment { path: self.folder.join(self.number.to_string()), logs: std::mem::take(&mut self.logs) };
        self.segment = next;
        self.number += 1;
        self.size = 0;
        self.spoiled = false;
        let settler = self.settler.as_ref().map(|(sender, _)| sender.send(full));
        settler.transpose().map(drop).map_err(|_| io::Error::other("the thread that syncs logs has ended"))
    }

    /// Makes all logs durable, and leaves no journal.
    pub(super) fn finish(mut self) {
        if let Err(error) = self.commit().and_then(|()| self.roll()) {
            return tracing::warn!(%error, "the journal of task logs is left for the next start");
        }
        if let Some((sender, thread)) = self.settler.take() {
            drop(sender);
            drop(thread.join());
        }
        // Only what could not be settled is still there, for the next start.
        let left = std::fs::read_dir(&self.folder).map(|entries| entries.count());
        if left.is_ok_and(|left| left == 2) {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

fn new_segment(folder: &Path, number: u64) -> io::Result<File> {
    let segment = OpenOptions::new().append(true).create_new(true).open(folder.join(number.to_string()))?;
    super::writer::sync_directory(folder)?;
    Ok(segment)
}

/// Texts of logs are in there: only the manager reads them.
fn create_private(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn settle_all(root: &Path, segments: &Receiver<Segment>) {
    while let Ok(segment) = segments.recv() {
        let settled = settle(root, &segment.logs).and_then(|()| std::fs::remove_file(&segment.path));
        if let Err(error) = settled {
            tracing::warn!(%error, journal = %segment.path.display(), "cannot sync task logs; the next start does it");
        }
    }
}

/// Makes logs durable.
fn settle(root: &Path, logs: &HashSet<LogId>) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    if logs.len() > MANY_LOGS {
        return Ok(rustix::fs::syncfs(File::open(root)?)?);
    }
    let mut folders = BTreeSet::new();
    for log in logs {
        sync_log(root, *log, &mut folders)?;
    }
    Ok(())
}

/// Makes a log durable, and the names of the folders that lead to it, but for those that are known to be.
fn sync_log(root: &Path, log: LogId, known: &mut BTreeSet<PathBuf>) -> io::Result<()> {
    let path = log_path(root, log);
    let missing = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match File::open(&path).and_then(|file| file.sync_all()) {
        // Its job was erased.
        Err(error) if missing(&error) => return Ok(()),
        synced => synced?,
    }
    for folder in path.ancestors().skip(1).take_while(|folder| folder.starts_with(root)) {
        if known.insert(folder.to_owned()) {
            super::writer::sync_directory(folder)
                .or_else(|error| if missing(&error) { Ok(()) } else { Err(error) })?;
        }
    }
    Ok(())
}

/// Writes what runs that ended in a crash have left to the logs, and removes it.
fn recover(root: &Path, all: &Path) -> io::Result<()> {
    for run in std::fs::read_dir(all)? {
        let run = run?.path();
        if !run.is_dir() {
            continue;
        }
        let lock = OpenOptions::new().create(true).append(true).open(run.join(LOCK))?;
        // A run that lives looks after its own: a manager that is about to end, or another one.
        if lock.try_lock().is_err() {
            continue;
        }
        let mut logs = HashSet::new();
        for segment in segments(&run)? {
            let texts = read_segment(&segment)?;
            logs.extend(texts.keys().copied());
            for (log, texts) in texts {
                restore(root, log, &texts)?;
            }
        }
        settle(root, &logs)?;
        if !logs.is_empty() {
            tracing::info!(logs = logs.len(), "task logs are up to date with the journal of the last run");
        }
        std::fs::remove_dir_all(&run)?;
    }
    Ok(())
}

/// The segments of a run, the oldest first.
fn segments(run: &Path) -> io::Result<Vec<PathBuf>> {
    let mut numbers: Vec<u64> = Vec::new();
    for entry in std::fs::read_dir(run)? {
        numbers.extend(entry?.file_name().to_str().and_then(|name| name.parse::<u64>().ok()));
    }
    numbers.sort_unstable();
    Ok(numbers.into_iter().map(|number| run.join(number.to_string())).collect())
}

/// Texts of a log, by their places.
type Texts = Vec<(u64, Vec<u8>)>;

fn read_segment(path: &Path) -> io::Result<BTreeMap<LogId, Texts>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    let mut logs = BTreeMap::<LogId, Texts>::new();
    let mut rest = bytes.as_slice();
    while let Some((record, after)) = next_record(rest) {
        rest = after;
        let log = LogId { job: id(&record[1..17]), task: id(&record[17..33]) };
        match record[0] {
            kind if kind == Kind::Text as u8 => {
                let mut place = [0; 8];
                place.copy_from_slice(&record[33..FIXED]);
                let text = record[FIXED..].to_vec();
                logs.entry(log).or_default().push((u64::from_le_bytes(place), text));
            }
            kind if kind == Kind::ForgetLog as u8 => drop(logs.remove(&log)),
            _ => logs.retain(|other, _| other.job != log.job),
        }
    }
    Ok(logs)
}

/// The first record, and what follows it. `None` at the end, and where a crash has cut.
fn next_record(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (head, rest) = bytes.split_at_checked(HEAD)?;
    let number = |range: std::ops::Range<usize>| {
        let mut number = [0; 4];
        number.copy_from_slice(&head[range]);
        u32::from_le_bytes(number)
    };
    let (record, after) = rest.split_at_checked(number(0..4) as usize)?;
    (record.len() >= FIXED && checksum(record) == number(4..8)).then_some((record, after))
}

fn id(bytes: &[u8]) -> Uuid {
    Uuid::from_slice(bytes).unwrap_or_default()
}

/// Writes texts to a log at their places.
fn restore(root: &Path, log: LogId, texts: &Texts) -> io::Result<()> {
    let path = log_path(root, log);
    if let Some(folder) = path.parent() {
        super::writer::create_directory(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create(true).truncate(false).open(&path)?;
    let mut size = file.metadata()?.len();
    for (place, text) in texts {
        // Never beyond the end: what was there has been taken away by somebody, and a hole would be no better.
        let place = (*place).min(size);
        file.seek(SeekFrom::Start(place))?;
        file.write_all(text)?;
        size = size.max(place + text.len() as u64);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
