//! Earlier runs of a log: numbered, the newest first, compressed by a thread of its own, and only so many.
//!
//! A log may be large, and whoever writes to other logs must not wait until it is compressed. So a rotation only
//! renames, and the packing thread does the rest. It has one log in hand at a time; only a rotation of that very log
//! waits for it. What it did not come to, because the manager ended or too much was waiting, it does after the next
//! rotation of that log.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use flate2::Compression;
use flate2::write::GzEncoder;

use super::writer::sync_directory;
use super::{LogId, log_path};

/// How many earlier runs of a log are kept.
pub const KEPT_RUNS: u32 = 10;

/// Logs that may wait to be compressed.
const WAITING: usize = 1024;

/// The earlier runs of all logs.
#[derive(Debug)]
pub(super) struct Archive {
    root: PathBuf,
    to_pack: SyncSender<LogId>,
    packing: Arc<InHand>,
}

/// The log that is being compressed.
#[derive(Debug, Default)]
struct InHand {
    log: Mutex<Option<LogId>>,
    done: Condvar,
}

impl Archive {
    /// Starts the packing thread, which ends when the archive is dropped.
    pub(super) fn start(root: &Path) -> io::Result<Arc<Self>> {
        let (to_pack, receiver) = sync_channel(WAITING);
        let packing = Arc::<InHand>::default();
        let (root, in_hand, folder) = (root.to_owned(), Arc::clone(&packing), root.to_owned());
        std::thread::Builder::new()
            .name("task-log-pack".to_owned())
            .spawn(move || pack_all(&folder, &receiver, &in_hand))?;
        Ok(Arc::new(Self { root, to_pack, packing }))
    }

    /// Gives a log its first number, and those in the way the next one. Only the log's own writer may call this.
    pub(super) fn put_aside(&self, log: LogId) -> io::Result<()> {
        let path = log_path(&self.root, log);
        if !path.try_exists()? {
            return Ok(());
        }
        // Held while renaming, so that the packing thread does not begin with this log meanwhile.
        let mut in_hand = self.packing.log.lock().unwrap_or_else(PoisonError::into_inner);
        while *in_hand == Some(log) {
            in_hand = self.packing.done.wait(in_hand).unwrap_or_else(PoisonError::into_inner);
        }
        shift(&path)?;
        std::fs::rename(&path, plain(&path, 1))?;
        drop(in_hand);
        // A full queue is no harm: the next rotation of this log asks again.
        let _ = self.to_pack.try_send(log);
        path.parent().map_or(Ok(()), sync_directory)
    }
}

/// Moves each numbered run up by one; the last one that is kept is removed when all numbers are taken.
fn shift(path: &Path) -> io::Result<()> {
    // Probing for the names is quick; listing a directory with the logs of 100,000 tasks is not.
    let mut free = 1;
    while free <= KEPT_RUNS && existing(path, free)?.is_some() {
        free += 1;
    }
    if free > KEPT_RUNS {
        free = KEPT_RUNS;
        if let Some(oldest) = existing(path, free)? {
            std::fs::remove_file(oldest)?;
        }
    }
    for number in (1..free).rev() {
        if let Some(run) = existing(path, number)? {
            let compressed = run.extension().is_some_and(|extension| extension == "gz");
            let next = if compressed { packed(path, number + 1) } else { plain(path, number + 1) };
            std::fs::rename(run, next)?;
        }
    }
    Ok(())
}

/// The file of an earlier run, compressed or not yet.
fn existing(path: &Path, number: u32) -> io::Result<Option<PathBuf>> {
    for candidate in [plain(path, number), packed(path, number)] {
        if candidate.try_exists()? {
            return Ok(Some(candidate));
        }
    }
    Ok(None)
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

fn plain(path: &Path, number: u32) -> PathBuf {
    with_ending(path, &format!(".{number}"))
}

fn packed(path: &Path, number: u32) -> PathBuf {
    with_ending(path, &format!(".{number}.gz"))
}

fn pack_all(root: &Path, receiver: &Receiver<LogId>, in_hand: &InHand) {
    while let Ok(log) = receiver.recv() {
        *in_hand.log.lock().unwrap_or_else(PoisonError::into_inner) = Some(log);
        let path = log_path(root, log);
        for number in 1..=KEPT_RUNS {
            if let Err(error) = pack(&path, number) {
                // It stays as it is, which is only larger.
                tracing::warn!(task.id = %log.task, %error, "cannot compress an earlier log of the task");
            }
        }
        *in_hand.log.lock().unwrap_or_else(PoisonError::into_inner) = None;
        in_hand.done.notify_all();
    }
}

/// Compresses one run if it is not yet. A crash leaves either the plain file or a complete compressed one.
fn pack(path: &Path, number: u32) -> io::Result<()> {
    let from = plain(path, number);
    let mut source = match File::open(&from) {
        // Its job may be gone by now, too.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        file => file?,
    };
    let unfinished = with_ending(&from, ".part");
    let written = compress(&mut source, &unfinished).and_then(|()| {
        std::fs::rename(&unfinished, packed(path, number))?;
        std::fs::remove_file(&from)
    });
    if written.is_err() {
        drop(std::fs::remove_file(&unfinished));
    }
    written
}

fn compress(source: &mut File, to: &Path) -> io::Result<()> {
    // Text shrinks to a tenth at the quickest level already.
    let mut encoder = GzEncoder::new(io::BufWriter::new(File::create(to)?), Compression::fast());
    io::copy(source, &mut encoder)?;
    let mut buffer = encoder.finish()?;
    buffer.flush()?;
    buffer.get_ref().sync_all()
}
