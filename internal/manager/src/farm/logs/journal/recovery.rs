//! What runs that have ended left in their journals.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use uuid::Uuid;

use super::streams::{Reached, Streams};
use super::{FIXED, HEAD, Kind, LOCK, REACHED, checksum, settle};
use crate::farm::logs::{LogId, log_path};

/// Pause between two looks at a run that has not ended.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Runs that have ended. The logs have what was in their journals; how far workers have come is to be kept.
pub(super) struct Recovered {
    pub streams: Streams,
    /// Each with its lock.
    runs: Vec<(PathBuf, File)>,
}

impl Recovered {
    /// Writes what runs that have ended left behind to the logs. One that is about to end gets some time for it.
    pub(super) fn read(root: &Path, all: &Path, patience: Duration) -> io::Result<Self> {
        let mut recovered = Self { streams: Streams::default(), runs: Vec::new() };
        let mut logs = HashSet::new();
        let deadline = Instant::now() + patience;
        for run in std::fs::read_dir(all)? {
            let run = run?.path();
            if !run.is_dir() {
                continue;
            }
            let Some(lock) = lock(&run, deadline)? else { continue };
            let left = Left::read(&run)?;
            recovered.streams.merge(left.reached.into_values());
            for (log, texts) in left.logs {
                restore(root, log, &texts)?;
                logs.insert(log);
            }
            recovered.runs.push((run, lock));
        }
        settle(root, &logs)?;
        if !logs.is_empty() {
            tracing::info!(logs = logs.len(), "task logs are up to date with the journal of the last run");
        }
        Ok(recovered)
    }

    /// Forgets those runs, as everything that they left is in another place now.
    pub(super) fn remove(self) -> io::Result<Streams> {
        for (run, _lock) in self.runs {
            std::fs::remove_dir_all(run)?;
        }
        Ok(self.streams)
    }
}

/// The lock of a run that has ended; `None` when it lives, and looks after its own. A run may have removed its folder
/// while this waited.
fn lock(run: &Path, deadline: Instant) -> io::Result<Option<File>> {
    loop {
        let lock = match OpenOptions::new().create(true).append(true).open(run.join(LOCK)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            lock => lock?,
        };
        if lock.try_lock().is_ok() {
            return Ok(Some(lock));
        }
        if Instant::now() >= deadline {
            tracing::warn!(
                journal = %run.display(),
                "another manager seems to write task logs below the same folder; each needs a folder of its own"
            );
            return Ok(None);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

/// Texts of a log, by their places.
type Texts = Vec<(u64, Vec<u8>)>;

/// What a run left behind.
#[derive(Default)]
struct Left {
    logs: BTreeMap<LogId, Texts>,
    reached: HashMap<Uuid, Reached>,
}

impl Left {
    fn read(run: &Path) -> io::Result<Self> {
        let mut left = Self::default();
        for segment in segments(run)? {
            // Segments are small, and there are a few at most.
            let mut bytes = Vec::new();
            match File::open(&segment).and_then(|mut file| file.read_to_end(&mut bytes)) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                read => drop(read?),
            }
            let mut rest = bytes.as_slice();
            while let Some((record, after)) = next_record(rest) {
                rest = after;
                left.apply(record);
            }
        }
        Ok(left)
    }

    fn apply(&mut self, record: &[u8]) {
        let log = LogId { job: id(record, 1), task: id(record, 17) };
        match record[0] {
            kind if kind == Kind::Text as u8 => self.text(log, record, FIXED),
            kind if kind == Kind::Numbered as u8 => {
                let reached = Reached {
                    worker: id(record, FIXED),
                    stream: id(record, FIXED + 16),
                    end: number(record, FIXED + 32),
                    turn: number(record, FIXED + 40),
                };
                self.reached.insert(reached.worker, reached);
                self.text(log, record, FIXED + REACHED);
            }
            kind if kind == Kind::ForgetLog as u8 => drop(self.logs.remove(&log)),
            _ => self.logs.retain(|other, _| other.job != log.job),
        }
    }

    fn text(&mut self, log: LogId, record: &[u8], start: usize) {
        if let Some(text) = record.get(start..).filter(|text| !text.is_empty()) {
            self.logs.entry(log).or_default().push((number(record, 33), text.to_vec()));
        }
    }
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

fn id(record: &[u8], start: usize) -> Uuid {
    record.get(start..start + 16).and_then(|bytes| Uuid::from_slice(bytes).ok()).unwrap_or_default()
}

fn number(record: &[u8], start: usize) -> u64 {
    let bytes = record.get(start..start + 8).and_then(|bytes| bytes.try_into().ok());
    u64::from_le_bytes(bytes.unwrap_or_default())
}

/// Writes texts to a log at their places.
fn restore(root: &Path, log: LogId, texts: &Texts) -> io::Result<()> {
    let path = log_path(root, log);
    if let Some(folder) = path.parent() {
        crate::farm::logs::writer::create_directory(folder)?;
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
