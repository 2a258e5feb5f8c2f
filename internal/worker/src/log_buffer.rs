//! Collects the lines of a task's log into chunks, and keeps a flood within bounds.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// When a chunk is sent, and how much of a flood is kept.
#[derive(Debug, Clone, Copy)]
pub struct LogLimits {
    /// A chunk is due when it holds more than this, in bytes.
    pub chunk_bytes: usize,
    /// A chunk is due when its first line has waited longer than this.
    pub max_age: Duration,
    /// Of what arrives between two chunks, this much of the start and this much of the end is kept, in bytes.
    pub flood_bytes: usize,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { chunk_bytes: 10_240, max_age: Duration::from_secs(1), flood_bytes: 128 * 1024 }
    }
}

/// Lines that were not sent yet.
#[derive(Debug)]
pub struct LogBuffer {
    limits: LogLimits,
    head: String,
    tail: VecDeque<String>,
    tail_bytes: usize,
    dropped_lines: usize,
    dropped_bytes: usize,
    first_unsent: Option<Instant>,
}

impl LogBuffer {
    pub fn new(limits: LogLimits) -> Self {
        Self {
            limits,
            head: String::new(),
            tail: VecDeque::new(),
            tail_bytes: 0,
            dropped_lines: 0,
            dropped_bytes: 0,
            first_unsent: None,
        }
    }

    /// Adds one line, without its line end.
    pub fn append(&mut self, line: &str, now: Instant) {
        self.first_unsent.get_or_insert(now);
        let bytes = line.len() + 1;
        if self.tail.is_empty() && self.head.len() + bytes <= self.limits.flood_bytes {
            self.head.push_str(line);
            self.head.push('\n');
            return;
        }
        self.tail.push_back(format!("{line}\n"));
        self.tail_bytes += bytes;
        while self.tail_bytes > self.limits.flood_bytes && self.tail.len() > 1 {
            if let Some(oldest) = self.tail.pop_front() {
                self.tail_bytes -= oldest.len();
                self.dropped_bytes += oldest.len();
                self.dropped_lines += 1;
            }
        }
    }

    /// Whether what is collected should be sent now.
    pub fn is_due(&self, now: Instant) -> bool {
        let bytes = self.head.len() + self.tail_bytes;
        let too_old = self.first_unsent.is_some_and(|first| now.duration_since(first) > self.limits.max_age);
        bytes > self.limits.chunk_bytes || too_old
    }

    /// When the chunk becomes due by its age.
    pub fn due_at(&self) -> Option<Instant> {
        self.first_unsent.map(|first| first + self.limits.max_age + Duration::from_millis(1))
    }

    /// Everything collected, in one piece. `None` when there is nothing.
    pub fn take(&mut self) -> Option<String> {
        self.first_unsent.take()?;
        let mut text = std::mem::take(&mut self.head);
        if self.dropped_lines > 0 {
            let (lines, bytes) = (self.dropped_lines, self.dropped_bytes);
            tracing::warn!(
                lines,
                bytes,
                "the command writes faster than its log can be sent; dropping lines"
            );
            text.push_str(&format!(
                "[... {lines} lines ({bytes} bytes) left out: too much output at once ...]\n"
            ));
        }
        text.extend(self.tail.drain(..));
        (self.tail_bytes, self.dropped_lines, self.dropped_bytes) = (0, 0, 0);
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(chunk_bytes: usize, max_age: Duration) -> LogLimits {
        LogLimits { chunk_bytes, max_age, flood_bytes: 1000 }
    }

    #[test]
    fn an_empty_buffer_sends_nothing() {
        let mut buffer = LogBuffer::new(LogLimits::default());
        assert!(!buffer.is_due(Instant::now()));
        assert_eq!(buffer.take(), None);
    }

    #[test]
    fn a_single_line_gets_one_line_end() {
        let mut buffer = LogBuffer::new(LogLimits::default());
        buffer.append("just one line", Instant::now());
        assert_eq!(buffer.take().as_deref(), Some("just one line\n"));
        assert_eq!(buffer.take(), None);
    }

    #[test]
    fn the_size_limit_counts_bytes_and_is_exclusive() {
        let now = Instant::now();
        let mut buffer = LogBuffer::new(limits(11, Duration::from_secs(30)));
        buffer.append("één rege", now);
        assert!(!buffer.is_due(now), "exactly 11 bytes");
        buffer.append("second line", now);
        assert!(buffer.is_due(now));
        assert_eq!(buffer.take().as_deref(), Some("één rege\nsecond line\n"));
    }

    #[test]
    fn the_age_limit_is_exclusive_and_starts_at_the_first_line() {
        let start = Instant::now();
        let mut buffer = LogBuffer::new(limits(1024, Duration::from_secs(2)));
        buffer.append("one", start);
        buffer.append("two", start + Duration::from_millis(2000));
        assert!(!buffer.is_due(start + Duration::from_millis(2000)));
        buffer.append("three", start + Duration::from_millis(2001));
        assert!(buffer.is_due(start + Duration::from_millis(2001)));
        assert_eq!(buffer.due_at(), Some(start + Duration::from_millis(2001)));
        assert_eq!(buffer.take().as_deref(), Some("one\ntwo\nthree\n"));
        assert_eq!(buffer.due_at(), None);
    }

    #[test]
    fn a_flood_loses_its_middle_and_says_how_much() {
        let now = Instant::now();
        let mut buffer =
            LogBuffer::new(LogLimits { chunk_bytes: 10, max_age: Duration::from_secs(1), flood_bytes: 20 });
        for number in 0..10 {
            buffer.append(&format!("line {number}..."), now);
        }
        let text = buffer.take().unwrap();
        assert_eq!(
            text,
            "line 0...\nline 1...\n[... 6 lines (60 bytes) left out: too much output at once ...]\nline 8...\nline 9...\n"
        );
        buffer.append("calm", now);
        assert_eq!(buffer.take().as_deref(), Some("calm\n"), "the note is not repeated");
    }
}
