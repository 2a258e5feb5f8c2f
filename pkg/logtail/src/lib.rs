//! The end of a program's own log, as far as it may be shown to people: the last lines, without secrets.
//!
//! The program writes its log to a [`LogWriter`] too; [`LogTail`] keeps the end of it until somebody wants it.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use regex::Regex;

/// Most lines that are kept, unless another number is asked for.
const MOST: usize = 200;
/// Longest line, in characters.
const LONGEST: usize = 1000;
/// What stands for a secret.
const HIDDEN: &str = "***";

/// User name and password in an address.
static CREDENTIALS: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"://[^/\s@]*@").ok());
/// What makes a terminal write in colour.
static COLOUR: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"\x1b\[[0-9;]*m").ok());

/// The last lines of the log. Clones share them.
#[derive(Debug, Clone)]
pub struct LogTail(Arc<Mutex<Ring>>);

impl Default for LogTail {
    fn default() -> Self {
        Self::keeping(MOST)
    }
}

#[derive(Debug)]
struct Ring {
    most: usize,
    lines: VecDeque<String>,
    /// How many lines there have been.
    total: u64,
    /// How many of them were sent.
    sent: u64,
    secrets: Vec<String>,
}

/// Some lines, the newest among them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The lines, oldest first.
    pub lines: Vec<String>,
    /// How many lines there have been with these: what to tell [`LogTail::sent`] when they have arrived.
    pub upto: u64,
}

impl LogTail {
    /// Keeps so many lines.
    #[must_use]
    pub fn keeping(most: usize) -> Self {
        let ring = Ring { most, lines: VecDeque::new(), total: 0, sent: 0, secrets: Vec::new() };
        Self(Arc::new(Mutex::new(ring)))
    }

    /// Where the log is to be written, one event with each write.
    #[must_use]
    pub fn writer(&self) -> LogWriter {
        LogWriter(self.clone())
    }

    /// From now on this text is not shown, wherever it appears.
    pub fn hide(&self, secret: &str) {
        let mut ring = self.lock();
        if !secret.is_empty() && !ring.secrets.iter().any(|known| known == secret) {
            ring.secrets.push(secret.to_owned());
        }
    }

    /// The lines that came after the first `seen` of all there have been, as far as they are kept.
    #[must_use]
    pub fn since(&self, seen: u64) -> Piece {
        self.lock().since(seen)
    }

    /// The lines that were not sent yet, or all that are kept. None when there are none.
    #[must_use]
    pub fn pending(&self, all: bool) -> Option<Piece> {
        let ring = self.lock();
        let piece = ring.since(if all { 0 } else { ring.sent });
        (!piece.lines.is_empty()).then_some(piece)
    }

    /// These lines have arrived where they are sent to.
    pub fn sent(&self, upto: u64) {
        let mut ring = self.lock();
        ring.sent = ring.sent.max(upto);
    }

    fn write(&self, text: &str) {
        let mut ring = self.lock();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let line = shown(line, &ring.secrets);
            ring.lines.push_back(line);
            ring.total += 1;
            if ring.lines.len() > ring.most {
                ring.lines.pop_front();
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        // A panic in between leaves at worst a line out.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn since(&self, seen: u64) -> Piece {
        let first = self.total - self.lines.len() as u64;
        let skipped = usize::try_from(seen.saturating_sub(first)).unwrap_or(usize::MAX);
        Piece { lines: self.lines.iter().skip(skipped).cloned().collect(), upto: self.total }
    }
}

/// A line without secrets and colours, and not without end. Secrets go before it is cut: half of one is a secret too.
fn shown(line: &str, secrets: &[String]) -> String {
    let mut line = line.to_owned();
    if line.contains('\x1b')
        && let Some(colour) = COLOUR.as_ref()
    {
        line = colour.replace_all(&line, "").into_owned();
    }
    for secret in secrets {
        if line.contains(secret.as_str()) {
            line = line.replace(secret.as_str(), HIDDEN);
        }
    }
    if line.contains("://")
        && let Some(credentials) = CREDENTIALS.as_ref()
    {
        line = credentials.replace_all(&line, format!("://{HIDDEN}@")).into_owned();
    }
    match line.char_indices().nth(LONGEST) {
        None => line,
        Some((end, _)) => {
            line.truncate(end);
            line
        }
    }
}

/// Writes to a [`LogTail`].
#[derive(Debug)]
pub struct LogWriter(LogTail);

impl io::Write for LogWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn what_is_sent_is_not_sent_again_unless_all_is_wanted() {
        let log = LogTail::default();
        assert_eq!(log.pending(true), None);
        writeln!(log.writer(), "one\n\n two").unwrap();
        let piece = log.pending(false).unwrap();
        assert_eq!(
            (piece.lines.as_slice(), piece.upto),
            (["one".to_owned(), " two".to_owned()].as_slice(), 2)
        );
        // A line that comes while they are on their way is not taken for sent.
        writeln!(log.writer(), "three").unwrap();
        log.sent(piece.upto);
        assert_eq!(log.pending(false).unwrap().lines, ["three"]);
        log.sent(3);
        assert_eq!(log.pending(false), None);
        assert_eq!(log.pending(true).unwrap().lines, ["one", " two", "three"]);
    }

    #[test]
    fn whoever_has_seen_some_lines_gets_those_that_came_after() {
        let log = LogTail::keeping(3);
        assert_eq!(log.since(0), Piece { lines: Vec::new(), upto: 0 });
        writeln!(log.writer(), "1\n2\n3\n\u{1b}[2m4\u{1b}[0m").unwrap();
        for (seen, lines) in
            [(0, &["2", "3", "4"][..]), (1, &["2", "3", "4"]), (3, &["4"]), (4, &[]), (99, &[])]
        {
            let lines = lines.iter().map(|&line| line.to_owned()).collect();
            assert_eq!(log.since(seen), Piece { lines, upto: 4 }, "{seen}");
        }
    }

    #[test]
    fn the_oldest_lines_give_way() {
        let log = LogTail::default();
        for number in 0..1000 {
            writeln!(log.writer(), "{number}").unwrap();
        }
        let piece = log.pending(false).unwrap();
        assert_eq!((piece.lines.len(), piece.lines[0].as_str(), piece.upto), (MOST, "800", 1000));
    }

    #[test]
    fn no_secret_is_shown() {
        let log = LogTail::default();
        log.hide("s3cret-of-worker");
        log.hide("");
        let end = "x".repeat(LONGEST - 10);
        for line in [
            "worker starts manager=http://worker:TOKEN@host:8080/ name=a",
            "https://token@h and ftp://u:p@q/x, mail a@b",
            "secret s3cret-of-worker here",
            &format!("{end}s3cret-of-worker"),
        ] {
            write!(log.writer(), "{line}").unwrap();
        }
        let lines = log.pending(true).unwrap().lines;
        assert_eq!(
            lines[..3],
            [
                "worker starts manager=http://***@host:8080/ name=a",
                "https://***@h and ftp://***@q/x, mail a@b",
                "secret *** here",
            ]
        );
        assert_eq!(lines[3], format!("{end}***"));
        write!(log.writer(), "{}", "é".repeat(3000)).unwrap();
        assert_eq!(log.pending(true).unwrap().lines[4].chars().count(), LONGEST);
    }
}
