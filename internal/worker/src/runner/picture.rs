//! Whether a picture on disk is whole, judged by how its file ends.
//!
//! A Blender that is killed while it writes leaves half a file. The next one would skip that frame, since its file
//! exists, and nobody would see it before the film does.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;
use std::time::SystemTime;

const PNG_START: &[u8] = b"\x89PNG\r\n\x1a\n";
/// The last chunk of every PNG: no content, its name, its checksum (PNG specification, section 11.2.5).
const PNG_END: &[u8] = b"\0\0\0\0IEND\xaeB`\x82";
const JPEG_START: &[u8] = b"\xff\xd8\xff";
const JPEG_END: &[u8] = b"\xff\xd9";

/// Whether a file is the beginning of a PNG or JPEG, and not all of it. Other formats do not show it at their end and
/// count as whole; so does an empty file, by which another Blender may have claimed the frame (its placeholders).
///
/// # Errors
/// When the file cannot be read.
pub fn is_cut_short(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    let mut start = Vec::with_capacity(PNG_START.len());
    (&mut file).take(PNG_START.len() as u64).read_to_end(&mut start)?;
    let end = match () {
        () if start == PNG_START => PNG_END,
        () if start.starts_with(JPEG_START) => JPEG_END,
        () => return Ok(false),
    };
    let from = size.saturating_sub(end.len() as u64);
    file.seek(SeekFrom::Start(from))?;
    let mut found = Vec::with_capacity(end.len());
    file.read_to_end(&mut found)?;
    Ok(found != end)
}

/// By what a file shows that somebody is writing it: its size, and when it was written last.
pub fn trace_of_writing(path: &Path) -> Option<(u64, SystemTime)> {
    let metadata = path.metadata().ok()?;
    Some((metadata.len(), metadata.modified().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_the_file_tells() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("picture");
        let png = [PNG_START, b"content", PNG_END].concat();
        let jpeg = [JPEG_START, b"content", JPEG_END].concat();
        for (content, cut_short) in [
            (&b""[..], false),
            (&png[..], false),
            (&png[..png.len() - 1], true),
            (&png[..12], true),
            (PNG_START, true),
            (&jpeg[..], false),
            (&jpeg[..jpeg.len() - 1], true),
            (&jpeg[..3], true),
            (b"v/1\x01 an OpenEXR file", false),
            (b"\x89PN", false),
        ] {
            std::fs::write(&path, content).unwrap();
            assert_eq!(is_cut_short(&path).unwrap(), cut_short, "{content:?}");
        }
        assert!(is_cut_short(&folder.path().join("missing")).is_err());
    }
}
