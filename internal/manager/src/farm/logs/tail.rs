//! Reading the end of a log.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

/// The last `max_bytes` of a file, as [`cut`] leaves them. `None` when it does not exist or is empty.
pub(super) fn read(path: &Path, max_bytes: u64) -> io::Result<Option<String>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    let size = file.metadata()?.len();
    let start = size.saturating_sub(max_bytes);
    file.seek(SeekFrom::Start(start))?;
    let mut bytes = Vec::new();
    // The file may grow while it is read; `take` keeps to what was there.
    file.take(max_bytes).read_to_end(&mut bytes)?;
    let bytes = if start > 0 { cut(&bytes) } else { &bytes };
    // What a program prints need not be UTF-8.
    let text = String::from_utf8_lossy(bytes).into_owned();
    Ok(Some(text).filter(|text| !text.is_empty()))
}

/// Drops the incomplete line at the start; where there is only one line, the incomplete character.
fn cut(bytes: &[u8]) -> &[u8] {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(newline) if newline + 1 < bytes.len() => &bytes[newline + 1..],
        _ => {
            let is_continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
            &bytes[bytes.iter().take(3).take_while(is_continuation).count()..]
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_table() {
        for (bytes, expected) in [
            ("rest of a line\nwhole\n", "whole\n"),
            ("\nwhole\n", "whole\n"),
            ("a\nb\nc", "b\nc"),
            ("one giant line\n", "one giant line\n"),
            ("one giant line", "one giant line"),
            ("", ""),
        ] {
            assert_eq!(cut(bytes.as_bytes()), expected.as_bytes(), "{bytes:?}");
        }
        let text = "äβ😀x".as_bytes();
        for (start, expected) in [(0, "äβ😀x"), (1, "β😀x"), (3, "😀x"), (5, "x"), (6, "x"), (7, "x")]
        {
            assert_eq!(cut(&text[start..]), expected.as_bytes(), "from byte {start}");
        }
    }

    #[test]
    fn tail_of_files() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log.txt");
        assert_eq!(read(&path, 10).unwrap(), None);
        std::fs::write(&path, "").unwrap();
        assert_eq!(read(&path, 10).unwrap(), None);
        std::fs::write(&path, "0123\n56789").unwrap();
        assert_eq!(read(&path, 10).unwrap().unwrap(), "0123\n56789");
        assert_eq!(read(&path, 9).unwrap().unwrap(), "56789");
        assert_eq!(read(&path, 4).unwrap().unwrap(), "6789");
        assert_eq!(read(&path, 0).unwrap(), None);
        std::fs::write(&path, b"a\xff\xfeb\n").unwrap();
        assert_eq!(read(&path, 100).unwrap().unwrap(), "a\u{fffd}\u{fffd}b\n");
    }
}
