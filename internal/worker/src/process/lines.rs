//! Cuts the byte stream of a subprocess into lines of text.
//!
//! A line ends at LF, at CR LF, or at a CR alone. A CR alone is how programs draw a progress line over the
//! previous one, so of a burst of such updates only the last is kept. Bytes that are no UTF-8 become U+FFFD;
//! nothing is ever carried from one line into the next.

/// A line longer than this is cut, in bytes.
pub const MAX_LINE_BYTES: usize = 40 * 1024;

/// Splits output that arrives in arbitrary pieces.
#[derive(Debug, Default)]
pub struct LineSplitter {
    current: Vec<u8>,
    /// The last line that was ended by a CR alone, and not yet given out.
    progress: Option<Vec<u8>>,
    /// The previous byte was a CR; whether `current` is a line or a progress update depends on the next byte.
    after_cr: bool,
    /// The line before this LF was already given out as progress.
    skip_line_feed: bool,
}

impl LineSplitter {
    /// Adds output, and appends to `lines` every line that it completes.
    pub fn feed(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        let mut rest = bytes;
        while let Some(&first) = rest.first() {
            if self.after_cr {
                self.after_cr = false;
                if first != b'\n' {
                    self.keep_progress();
                }
            }
            match first {
                b'\n' => {
                    self.end_line(lines);
                    rest = &rest[1..];
                }
                b'\r' => {
                    self.after_cr = true;
                    self.skip_line_feed = false;
                    rest = &rest[1..];
                }
                _ => {
                    let end = rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len());
                    self.skip_line_feed = false;
                    self.extend_current(&rest[..end], lines);
                    rest = &rest[end..];
                }
            }
        }
    }

    /// The latest progress update, if there is one that was not given out yet.
    pub fn take_progress(&mut self) -> Option<String> {
        if self.after_cr {
            self.after_cr = false;
            self.skip_line_feed = true;
            self.keep_progress();
        }
        self.progress.take().map(|bytes| decode(&bytes))
    }

    /// What is left when the output has ended.
    pub fn finish(&mut self, lines: &mut Vec<String>) {
        let unfinished = std::mem::take(&mut self.current);
        self.after_cr = false;
        if unfinished.is_empty() {
            lines.extend(self.progress.take().map(|bytes| decode(&bytes)));
        } else {
            self.progress = None;
            lines.push(decode(&unfinished));
        }
    }

    fn keep_progress(&mut self) {
        let update = std::mem::take(&mut self.current);
        if !update.is_empty() {
            self.progress = Some(update);
        }
    }

    fn end_line(&mut self, lines: &mut Vec<String>) {
        let line = std::mem::take(&mut self.current);
        let progress = self.progress.take();
        if std::mem::take(&mut self.skip_line_feed) && line.is_empty() {
            return;
        }
        // An empty line after progress updates only moves the cursor: the update is what stays visible.
        let visible = if line.is_empty() { progress.unwrap_or(line) } else { line };
        lines.push(decode(&visible));
    }

    fn extend_current(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        self.current.extend_from_slice(bytes);
        while self.current.len() > MAX_LINE_BYTES {
            let cut = MAX_LINE_BYTES - incomplete_tail(&self.current[..MAX_LINE_BYTES]);
            let rest = self.current.split_off(cut);
            let piece = std::mem::replace(&mut self.current, rest);
            tracing::warn!(start = %preview(&piece), "a line of output is too long, splitting it");
            lines.push(decode(&piece));
        }
    }
}

fn decode(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn preview(bytes: &[u8]) -> String {
    decode(bytes).chars().take(256).collect()
}

/// How many bytes at the end of `bytes` begin a UTF-8 character that is not complete (0 to 3).
fn incomplete_tail(bytes: &[u8]) -> usize {
    for back in 1..=bytes.len().min(3) {
        let byte = bytes[bytes.len() - back];
        let length = match byte {
            0xC0..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF7 => 4,
            0x80..=0xBF => continue,
            _ => return 0,
        };
        return if length > back { back } else { 0 };
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(pieces: &[&[u8]]) -> Vec<String> {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        for piece in pieces {
            splitter.feed(piece, &mut lines);
        }
        splitter.finish(&mut lines);
        lines
    }

    #[test]
    fn lines_end_at_lf_crlf_and_cr() {
        let cases: &[(&[&[u8]], &[&str])] = &[
            (&[], &[]),
            (&[b"abc"], &["abc"]),
            (&[b"abc\n"], &["abc"]),
            (&[b"a\nb\n"], &["a", "b"]),
            (&[b"a\r\nb\r\n"], &["a", "b"]),
            (&[b"a\r", b"\nb"], &["a", "b"]),
            (&[b"\n\n"], &["", ""]),
            (&[b"1%\r2%\r3%\ndone\n"], &["3%", "done"]),
            (&[b"1%\r2%\r\ndone"], &["2%", "done"]),
            (&[b"1%\r2%\r"], &["2%"]),
            (&[b"1%\r", b"2%\r", b"\r\n", b"end"], &["2%", "end"]),
            (&[b"St\xC3", b"\xBCvel\n"], &["Stüvel"]),
            (&[b"bad \xFF byte\nnext\n"], &["bad \u{FFFD} byte", "next"]),
            (&[b"cut \xE2\x82\nnext\n"], &["cut \u{FFFD}", "next"]),
            (&[b"cut \xE2\x82"], &["cut \u{FFFD}"]),
        ];
        for (pieces, expected) in cases {
            assert_eq!(split(pieces), *expected, "{pieces:?}");
        }
    }

    #[test]
    fn progress_is_given_out_on_demand_and_not_twice() {
        let mut splitter = LineSplitter::default();
        let mut lines = Vec::new();
        splitter.feed(b"10%\r20%\r", &mut lines);
        assert_eq!(splitter.take_progress().as_deref(), Some("20%"));
        assert_eq!(splitter.take_progress(), None);
        splitter.feed(b"\n", &mut lines);
        assert!(lines.is_empty(), "the LF belongs to the line already given out: {lines:?}");
        splitter.feed(b"30%\rend\n", &mut lines);
        assert_eq!(lines, ["end"]);
    }

    #[test]
    fn a_line_without_end_is_cut_at_a_character() {
        let cat = "😺";
        let text = cat.repeat(MAX_LINE_BYTES / 4 + 2);
        let mut shifted = b"x".to_vec();
        shifted.extend_from_slice(text.as_bytes());
        let lines = split(&[&shifted]);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].len() <= MAX_LINE_BYTES);
        assert_eq!(lines.concat(), format!("x{text}"), "no character may be damaged");
    }

    #[test]
    fn incomplete_tail_keeps_whole_characters() {
        let cat = "😺".as_bytes();
        let cats = |n: usize, extra: usize| [cat.repeat(n), cat[..extra].to_vec()].concat();
        let cases: &[(Vec<u8>, usize)] = &[
            (b"".to_vec(), 0),
            (b"abc".to_vec(), 0),
            ("Stüvel".as_bytes().to_vec(), 0),
            (cats(3, 0), 0),
            (cats(2, 3), 3),
            (cats(2, 2), 2),
            (cats(2, 1), 1),
            (b"\xFF\xFF".to_vec(), 0),
            (b"\x80\x80\x80\x80".to_vec(), 0),
        ];
        for (bytes, expected) in cases {
            assert_eq!(incomplete_tail(bytes), *expected, "{bytes:x?}");
        }
    }
}
