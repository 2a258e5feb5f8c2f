//! What was written to logs lately, in one file: that is synced for every batch, instead of every log.
//!
//! ```text
//! <local storage>/.task-log-journal/<manager run>/lock     held while that run lives
//!                                                 0, 1, …  segments
//! ```
//!
//! A farm writes to hundreds of logs a second, and each sync of a file costs about as much as one of the journal with
//! all of them in it. So a text is written to the journal and to its log, and only the journal is synced. When a
//! segment is large enough, a thread makes the logs themselves durable and then removes it, while the next segment is
//! being written. After a crash the next run finds the segments of the last one and writes what they hold to the logs,
//! each text at its place, which changes nothing where it is there already.
//!
//! The journal also says how far each worker has come with what it sends (`streams.rs`): with every text, and for all
//! workers at the head of every segment. That is why a text is in the journal before it is in its log: no crash leaves
//! a text in a log that the journal does not know, which would be there twice when the worker sends it again. It is
//! also why the last segment stays when the manager ends, for the next one to go on from.
//!
//! A record that was cut by the crash was acknowledged to nobody, and neither was anything behind it.

use std::collections::{BTreeSet, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use uuid::Uuid;

use super::{LogId, log_path};

mod recovery;
mod streams;

use recovery::Recovered;
pub(super) use streams::{Known, Span};
use streams::{Reached, Streams};

/// Below the local storage.
const FOLDER: &str = ".task-log-journal";
const LOCK: &str = "lock";
/// A segment ends at this size, in bytes, or when it concerns so many logs: a start after a crash reads up to four.
const SEGMENT_BYTES: u64 = 8 << 20;
const SEGMENT_LOGS: usize = 4_096;
/// From this number of logs on, one sync of the whole file system is quicker than one for each.
#[cfg(target_os = "linux")]
const MANY_LOGS: usize = 32;
/// How long a start waits for an earlier run that still lives, because it is about to end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Length and checksum in front of each record, and the fixed part of a record.
const HEAD: usize = 8;
const FIXED: usize = 1 + 16 + 16 + 8;
/// What a numbered record has behind that.
const REACHED: usize = 16 + 16 + 8 + 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A text of a log, and where it begins.
    Text = 0,
    /// Everything about a log so far is of no account.
    ForgetLog = 1,
    /// Everything about the logs of a job so far is of no account.
    ForgetJob = 2,
    /// How far a worker has come, and a text like the first kind, which may be empty.
    Numbered = 3,
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
    /// Bytes of the segment, on disk or not yet.
    written: u64,
    /// Nothing can be added to the segment any more.
    spoiled: bool,
    /// Records of what is to be forgotten that are not on disk, and how much of that is in the segment.
    forgets: Vec<u8>,
    forgets_written: usize,
    /// The record in hand.
    record: Vec<u8>,
    /// Logs with texts in the segment.
    logs: HashSet<LogId>,
    streams: Streams,
    settler: Option<(SyncSender<Segment>, JoinHandle<()>)>,
}

/// A segment that is full.
struct Segment {
    path: PathBuf,
    logs: HashSet<LogId>,
}

/// How to take a text back that did not get into its log.
#[must_use]
pub(super) struct Undo {
    written: u64,
    worker: Option<(Uuid, Option<Reached>)>,
}

impl Journal {
    /// Brings the logs up to date with what earlier runs left behind, and begins a journal.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        Self::open_patiently(root, PATIENCE)
    }

    fn open_patiently(root: &Path, patience: Duration) -> io::Result<Self> {
        let all = root.join(FOLDER);
        super::writer::create_directory(root)?;
        create_private(&all)?;
        let recovered = Recovered::read(root, &all, patience)?;
        let folder = all.join(Uuid::new_v4().to_string());
        create_private(&folder)?;
        let lock = File::create(folder.join(LOCK))?;
        lock.try_lock()?;
        let (segment, size) = new_segment(&folder, 0, &recovered.streams)?;
        super::writer::sync_directory(&all)?;
        super::writer::sync_directory(root)?;
        let streams = recovered.remove()?;
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
            size,
            written: size,
            spoiled: false,
            forgets: Vec::new(),
            forgets_written: 0,
            record: Vec::new(),
            logs: HashSet::new(),
            streams,
            settler: Some((sender, thread)),
        })
    }

    /// What is there already of a text.
    pub(super) fn known(&self, span: Span) -> Known {
        self.streams.known(span)
    }

    /// Remembers a text that is going to be written to a log at a place, and how far its worker has come with it. When
    /// this fails, nothing is remembered.
    pub(super) fn text(
        &mut self,
        log: LogId,
        place: u64,
        text: &[&str],
        span: Option<Span>,
    ) -> io::Result<Undo> {
        self.make_ready()?;
        self.write_forgets()?;
        let written = self.written;
        let reached = span.map(|span| self.streams.after(span));
        self.record.clear();
        let kind = if reached.is_some() { Kind::Numbered } else { Kind::Text };
        write_record(&mut self.record, kind, log, place, reached, text);
        add(&mut self.segment, &mut self.written, &mut self.spoiled, &self.record)?;
        self.logs.insert(log);
        let worker = reached.map(|reached| (reached.worker, self.streams.advance(reached)));
        Ok(Undo { written, worker })
    }

    /// Takes the last text back.
    pub(super) fn take_back(&mut self, undo: Undo) {
        self.cut_back(undo.written);
        if let Some((worker, before)) = undo.worker {
            self.streams.restore(worker, before);
        }
    }

    /// What was remembered of a log is of no account: it begins anew. How far workers have come still is.
    pub(super) fn forget_log(&mut self, log: LogId) {
        self.logs.remove(&log);
        write_record(&mut self.forgets, Kind::ForgetLog, log, 0, None, &[]);
    }

    /// What was remembered of a job's logs is of no account: they are going to be removed.
    pub(super) fn forget_job(&mut self, job: Uuid) {
        self.logs.retain(|log| log.job != job);
        let every_log = LogId { job, task: Uuid::nil() };
        write_record(&mut self.forgets, Kind::ForgetJob, every_log, 0, None, &[]);
    }

    /// Makes everything that was remembered durable. When this fails, no text is remembered; what is to be forgotten
    /// still is, with the next commit. When the disk is full, erasing jobs makes room, and must not need any.
    pub(super) fn commit(&mut self) -> io::Result<()> {
        let written = self.write_all_and_sync();
        if written.is_ok() {
            self.size = self.written;
            self.forgets.clear();
            self.streams.settle();
        } else {
            // After a failed sync nobody knows what is on disk. What was there before is, so the logs that it is about
            // are made durable themselves, and a new segment begins.
            self.spoiled = true;
            self.cut_back(self.size);
            self.streams.roll_back();
        }
        self.forgets_written = 0;
        written
    }

    fn write_all_and_sync(&mut self) -> io::Result<()> {
        if !self.forgets.is_empty() {
            self.make_ready()?;
            self.write_forgets()?;
        }
        if self.written == self.size {
            return Ok(());
        }
        self.is_whole()?;
        self.segment.sync_data()
    }

    fn write_forgets(&mut self) -> io::Result<()> {
        let new = &self.forgets[self.forgets_written..];
        add(&mut self.segment, &mut self.written, &mut self.spoiled, new)?;
        self.forgets_written = self.forgets.len();
        Ok(())
    }

    /// Sees to it that there is a segment that can be added to.
    fn make_ready(&mut self) -> io::Result<()> {
        if !self.spoiled {
            return Ok(());
        }
        // What is not on disk cannot get there any more; the commit is going to say so.
        if self.written > self.size { self.is_whole() } else { self.roll() }
    }

    fn is_whole(&self) -> io::Result<()> {
        if self.spoiled {
            return Err(io::Error::other("the journal of task logs cannot be written"));
        }
        Ok(())
    }

    fn cut_back(&mut self, to: u64) {
        self.spoiled |= self.written > to && self.segment.set_len(to).is_err();
        self.written = to;
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

    /// Begins another segment, when everything is on disk.
    fn roll(&mut self) -> io::Result<()> {
        let (next, size) = new_segment(&self.folder, self.number + 1, &self.streams)?;
        let full =
            Segment { path: self.folder.join(self.number.to_string()), logs: std::mem::take(&mut self.logs) };
        self.segment = next;
        self.number += 1;
        self.size = size;
        self.written = size;
        self.spoiled = false;
        let settler = self.settler.as_ref().map(|(sender, _)| sender.send(full));
        settler.transpose().map(drop).map_err(|_| io::Error::other("the thread that syncs logs has ended"))
    }

    /// Makes all logs durable, and leaves nothing but how far workers have come.
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
        if left.is_ok_and(|left| left == 2) && self.streams.is_empty() {
            drop(std::fs::remove_dir_all(&self.folder));
        }
    }
}

/// Adds records to a segment, all of them or none.
fn add(segment: &mut File, written: &mut u64, spoiled: &mut bool, records: &[u8]) -> io::Result<()> {
    let added = segment.write_all(records);
    if added.is_ok() {
        *written += records.len() as u64;
    } else {
        *spoiled |= segment.set_len(*written).is_err();
    }
    added
}

fn write_record(
    records: &mut Vec<u8>,
    kind: Kind,
    log: LogId,
    place: u64,
    reached: Option<Reached>,
    text: &[&str],
) {
    let start = records.len();
    records.extend([0; HEAD]);
    records.push(kind as u8);
    records.extend(log.job.as_bytes());
    records.extend(log.task.as_bytes());
    records.extend(place.to_le_bytes());
    if let Some(Reached { worker, stream, end, turn }) = reached {
        records.extend(worker.as_bytes());
        records.extend(stream.as_bytes());
        records.extend(end.to_le_bytes());
        records.extend(turn.to_le_bytes());
    }
    for part in text {
        records.extend(part.as_bytes());
    }
    let record = &records[start + HEAD..];
    let (length, sum) = (record.len() as u32, checksum(record));
    records[start..start + 4].copy_from_slice(&length.to_le_bytes());
    records[start + 4..start + HEAD].copy_from_slice(&sum.to_le_bytes());
}

fn checksum(bytes: &[u8]) -> u32 {
    let mut sum = flate2::Crc::new();
    sum.update(bytes);
    sum.sum()
}

/// Begins a segment with how far workers have come; gives its size, all of which is on disk.
fn new_segment(folder: &Path, number: u64, streams: &Streams) -> io::Result<(File, u64)> {
    let mut head = Vec::new();
    for reached in streams.iter() {
        let no_log = LogId { job: Uuid::nil(), task: Uuid::nil() };
        write_record(&mut head, Kind::Numbered, no_log, 0, Some(reached), &[]);
    }
    let mut segment = OpenOptions::new().append(true).create(true).open(folder.join(number.to_string()))?;
    // An attempt that failed may have left something.
    segment.set_len(0)?;
    segment.write_all(&head)?;
    segment.sync_all()?;
    super::writer::sync_directory(folder)?;
    Ok((segment, head.len() as u64))
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

#[cfg(test)]
mod tests;
