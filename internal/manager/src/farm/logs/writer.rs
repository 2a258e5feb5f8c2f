//! The thread that owns the files of logs: it writes in batches, and makes each batch durable at once.

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::mpsc;
use uuid::Uuid;

use super::archive::Archive;
use super::journal::{Journal, Known, Span};
use super::{Answer, LogId, log_path};

/// Requests taken at once. Together with [`OPEN_FILES`] this bounds the open files.
const BATCH: usize = 256;

/// Files kept open between batches.
const OPEN_FILES: usize = 256;

/// The last line of a log that has reached its limit. The newline in front ends a line that was cut.
const CUT_NOTICE: &str = "\n-- this log has reached its size limit; what followed was not kept --\n";

/// What a writer can be asked to do.
pub(super) enum Request {
    /// Append what is new of a text that ends in a newline, and answer how much of it was there already, in bytes. A
    /// durable one is answered when it is on disk, another one at once.
    Append { log: LogId, text: String, span: Option<Span>, answer: Answer<usize>, durable: bool },
    /// Put a log aside.
    Rotate { log: LogId, answer: Answer<()> },
    /// Close the files of a job, because it is going to be removed.
    Forget { job: Uuid, answer: Answer<()> },
    /// Leave everything in good order. Nothing is served afterwards.
    Close { answer: Answer<()> },
}

/// A file that is kept open, and when it was last written to.
struct OpenLog {
    file: File,
    last_used: u64,
}

pub(super) struct Writer {
    root: PathBuf,
    size_limit: u64,
    archive: Arc<Archive>,
    journal: Journal,
    open: HashMap<LogId, OpenLog>,
    /// Sizes of the logs that this batch wrote to, before it did.
    sizes_before: HashMap<LogId, u64>,
    /// Who waits until this batch is on disk, and what they are told then.
    waiting: Vec<(Answer<usize>, usize)>,
    /// Counts writes, to tell which file was used last.
    ticks: u64,
}

impl Writer {
    pub(super) fn new(root: PathBuf, size_limit: u64, archive: Arc<Archive>) -> io::Result<Self> {
        let journal = Journal::open(&root)?;
        Ok(Self {
            root,
            size_limit,
            archive,
            journal,
            open: HashMap::new(),
            sizes_before: HashMap::new(),
            waiting: Vec::new(),
            ticks: 0,
        })
    }

    /// Serves requests until it is closed, or nobody is left who could send one.
    pub(super) fn run(mut self, mut requests: mpsc::Receiver<Request>) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut closed = None;
        while closed.is_none() && requests.blocking_recv_many(&mut batch, BATCH) > 0 {
            for request in batch.drain(..) {
                match request {
                    Request::Close { answer } => closed = Some(answer),
                    request => self.serve(request),
                }
            }
            self.sync();
            self.journal.roll_when_due();
            self.close_least_used();
        }
        self.journal.finish();
        if let Some(answer) = closed {
            let _ = answer.send(Ok(()));
        }
    }

    fn serve(&mut self, request: Request) {
        // Who asked may have gone away meanwhile, so nobody minds an answer that cannot be delivered.
        match request {
            Request::Append { log, text, span, answer, durable } => match self.write(log, &text, span) {
                Ok(known) if durable => self.waiting.push((answer, known)),
                result => drop(answer.send(result)),
            },
            Request::Rotate { log, answer } => {
                let _ = answer.send(self.rotate(log));
            }
            Request::Forget { job, answer } => {
                self.sync();
                self.open.retain(|log, _| log.job != job);
                self.journal.forget_job(job);
                self.try_to_commit();
                let _ = answer.send(Ok(()));
            }
            Request::Close { answer } => {
                let _ = answer.send(Ok(()));
            }
        }
    }

    fn rotate(&mut self, log: LogId) -> io::Result<()> {
        self.sync();
        self.open.remove(&log);
        if !log_path(&self.root, log).try_exists()? {
            return Ok(());
        }
        self.journal.settle_log(log)?;
        self.journal.forget_log(log);
        self.try_to_commit();
        self.archive.put_aside(log)
    }

    /// When the disk is full, the journal does it with the next text that is taken.
    fn try_to_commit(&mut self) {
        if let Err(error) = self.journal.commit() {
            tracing::warn!(%error, "cannot write the journal of task logs; tried again with the next text");
        }
    }

    /// Writes what is new of a text, whole or not at all; gives how much of it was there already, in bytes.
    fn write(&mut self, log: LogId, text: &str, span: Option<Span>) -> io::Result<usize> {
        let known = match span.map(|span| self.journal.known(span)) {
            Some(Known::All) => return Ok(text.len()),
            Some(Known::Bytes(bytes)) => text.floor_char_boundary(bytes),
            None => 0,
        };
        let path = log_path(&self.root, log);
        let size = self.open(log, &path)?;
        let parts = within_limit(&text[known..], size, self.size_limit);
        // A worker that writes to a full log goes on all the same.
        let Some((kept, notice)) = parts.or(span.map(|_| ("", ""))) else { return Ok(known) };
        let undo = self.journal.text(log, size, &[kept, notice], span)?;
        let Some(open) = self.open.get_mut(&log) else { return Ok(known) };
        let written =
            open.file.write_all(kept.as_bytes()).and_then(|()| open.file.write_all(notice.as_bytes()));
        if let Err(error) = written {
            // The worker is going to send it again: half of it must not stay.
            self.open.remove(&log);
            truncate(&path, size);
            self.journal.take_back(undo);
            return Err(error);
        }
        self.sizes_before.entry(log).or_insert(size);
        Ok(known)
    }

    /// Opens a log, if it is not open; gives its size.
    fn open(&mut self, log: LogId, path: &Path) -> io::Result<u64> {
        self.ticks += 1;
        let mut metadata = self.open.get(&log).map(|open| open.file.metadata()).transpose()?;
        if metadata.take_if(|metadata| was_removed(metadata)).is_some() {
            self.open.remove(&log);
            self.sizes_before.remove(&log);
            self.journal.forget_log(log);
        }
        let last_used = self.ticks;
        let entry = match self.open.entry(log) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert(OpenLog { file: open_or_create(path)?, last_used })
            }
        };
        entry.last_used = last_used;
        match metadata {
            Some(metadata) => Ok(metadata.len()),
            None => Ok(entry.file.metadata()?.len()),
        }
    }

    /// Makes everything of this batch durable, then answers those who wait for it.
    fn sync(&mut self) {
        let result = self.journal.commit();
        for (log, size_before) in self.sizes_before.drain() {
            if result.is_err() {
                self.open.remove(&log);
                truncate(&log_path(&self.root, log), size_before);
            }
        }
        for (answer, known) in self.waiting.drain(..) {
            let copy = match &result {
                Ok(()) => Ok(known),
                Err(error) => Err(io::Error::new(error.kind(), error.to_string())),
            };
            let _ = answer.send(copy);
        }
    }

    fn close_least_used(&mut self) {
        while self.open.len() > OPEN_FILES {
            let oldest = self.open.iter().min_by_key(|(_, open)| open.last_used).map(|(log, _)| *log);
            if let Some(log) = oldest {
                self.open.remove(&log);
            }
        }
    }
}

/// The part of a text that still fits, and the notice if that is not all of it. `None` when the log is full.
fn within_limit(text: &str, size: u64, limit: u64) -> Option<(&str, &'static str)> {
    let room = limit.checked_sub(size).filter(|room| *room > 0)?;
    if text.len() as u64 <= room {
        return Some((text, ""));
    }
    // Fills the log up to its limit, but for a character that does not fit: so the notice is written only once.
    let kept = &text[..text.floor_char_boundary(usize::try_from(room).unwrap_or(text.len()))];
    let notice = if kept.ends_with('\n') { CUT_NOTICE.trim_start() } else { CUT_NOTICE };
    Some((kept, notice))
}

fn open_or_create(path: &Path) -> io::Result<File> {
    match OpenOptions::new().append(true).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        file => return file,
    }
    if let Some(directory) = path.parent() {
        create_directory(directory)?;
    }
    let mut options = OpenOptions::new();
    options.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o644);
    options.open(path)
}

pub(super) fn create_directory(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o755);
    builder.create(path)
}

/// Whether somebody removed the file while it was open. What is written to it then would be lost.
#[cfg(unix)]
fn was_removed(metadata: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::nlink(metadata) == 0
}

/// Open files cannot be removed here.
#[cfg(not(unix))]
fn was_removed(_: &Metadata) -> bool {
    false
}

/// Cuts a log back to what it was before a write that failed. There is nothing left to try when this fails too.
fn truncate(path: &Path, size: u64) {
    let _ = OpenOptions::new().write(true).open(path).and_then(|file| file.set_len(size));
}

#[cfg(unix)]
pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Directories cannot be synced here, and need not be.
#[cfg(not(unix))]
pub(super) fn sync_directory(_: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limit_table() {
        for (text, size, limit, expected) in [
            ("abc\n", 0, 100, Some(("abc\n", ""))),
            ("abc\n", 96, 100, Some(("abc\n", ""))),
            ("abc\n", 97, 100, Some(("abc", CUT_NOTICE))),
            ("a\nb\nc\n", 96, 100, Some(("a\nb\n", &CUT_NOTICE[1..]))),
            ("ääää\n", 95, 100, Some(("ää", CUT_NOTICE))),
            ("ä\n", 99, 100, Some(("", CUT_NOTICE))),
            ("abc\n", 100, 100, None),
            ("abc\n", 200, 100, None),
        ] {
            assert_eq!(within_limit(text, size, limit), expected, "{text:?} at {size} of {limit}");
        }
    }
}
