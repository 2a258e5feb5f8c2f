//! Copies files and directories so that a half-done copy is never taken for a finished one.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const PIECE_BYTES: usize = 1024 * 1024;

/// A name beside `path` that nothing else uses.
pub fn temporary_sibling(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}.part", Uuid::new_v4().simple()))
}

/// Copies one file to a new one with the same mode and modification time, and makes sure it is on disk.
///
/// # Errors
/// When reading or writing fails, when `to` exists, or with [`ErrorKind::Interrupted`] when cancelled. `to` may
/// then be half written.
pub fn copy_file(from: &Path, to: &Path, cancel: &CancellationToken) -> io::Result<()> {
    let mut source = File::open(from)?;
    let metadata = source.metadata()?;
    let mut target = File::create_new(to)?;
    let mut piece = vec![0; PIECE_BYTES];
    let mut copied: u64 = 0;
    loop {
        if cancel.is_cancelled() {
            return Err(interrupted());
        }
        let length = match source.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        target.write_all(&piece[..length])?;
        copied += length as u64;
    }
    if copied != metadata.len() {
        return Err(io::Error::other(format!("{} changed while it was copied", from.display())));
    }
    target.set_permissions(metadata.permissions())?;
    if let Ok(modified) = metadata.modified() {
        target.set_modified(modified)?;
    }
    target.sync_all()
}

/// Copies a file, a symbolic link or a whole directory to a new place.
///
/// # Errors
/// As [`copy_file`]; also for anything that is none of the three.
pub fn copy_tree(from: &Path, to: &Path, cancel: &CancellationToken) -> io::Result<()> {
    let metadata = from.symlink_metadata()?;
    if metadata.is_dir() {
        fs::create_dir(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy_tree(&from.join(&name), &to.join(&name), cancel)?;
        }
        // Last, as the source may be a directory without the right to write.
        fs::set_permissions(to, metadata.permissions())
    } else if metadata.is_symlink() {
        std::os::unix::fs::symlink(fs::read_link(from)?, to)
    } else if metadata.is_file() {
        copy_file(from, to, cancel)
    } else {
        Err(io::Error::other(format!("{} is neither file, link nor directory", from.display())))
    }
}

/// Checks that a copy holds the same names with the same kinds, sizes and bytes.
///
/// # Errors
/// When there is a difference, or something cannot be read.
pub fn verify_tree(from: &Path, to: &Path, cancel: &CancellationToken) -> io::Result<()> {
    let different = || io::Error::other(format!("the copy of {} differs from it", from.display()));
    let (source, copy) = (from.symlink_metadata()?, to.symlink_metadata()?);
    if source.file_type() != copy.file_type() {
        return Err(different());
    }
    if source.is_dir() {
        let names = |path: &Path| -> io::Result<Vec<_>> {
            let mut names =
                fs::read_dir(path)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<Vec<_>>>()?;
            names.sort();
            Ok(names)
        };
        let expected = names(from)?;
        if expected != names(to)? {
            return Err(different());
        }
        expected.iter().try_for_each(|name| verify_tree(&from.join(name), &to.join(name), cancel))
    } else if source.is_symlink() {
        if fs::read_link(from)? == fs::read_link(to)? { Ok(()) } else { Err(different()) }
    } else if same_bytes(from, to, cancel)? {
        Ok(())
    } else {
        Err(different())
    }
}

fn same_bytes(from: &Path, to: &Path, cancel: &CancellationToken) -> io::Result<bool> {
    let (mut source, mut copy) = (File::open(from)?, File::open(to)?);
    let (mut left, mut right) = (vec![0; PIECE_BYTES], vec![0; PIECE_BYTES]);
    loop {
        if cancel.is_cancelled() {
            return Err(interrupted());
        }
        let (length, other) = (read_full(&mut source, &mut left)?, read_full(&mut copy, &mut right)?);
        if left[..length] != right[..other] {
            return Ok(false);
        }
        if length < left.len() {
            return Ok(true);
        }
    }
}

fn read_full(file: &mut File, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match file.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(length) => filled += length,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Removes a file or a whole directory.
///
/// # Errors
/// When something cannot be removed.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    if path.symlink_metadata()?.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) }
}

fn interrupted() -> io::Error {
    io::Error::new(ErrorKind::Interrupted, "interrupted")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_is_copied_with_links_and_modes_and_verified() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::create_dir_all(from.join("deep/er")).unwrap();
        fs::write(from.join("deep/er/file"), vec![7; 3 * PIECE_BYTES / 2]).unwrap();
        fs::set_permissions(from.join("deep/er/file"), fs::Permissions::from_mode(0o750)).unwrap();
        std::os::unix::fs::symlink("er/file", from.join("deep/link")).unwrap();
        let cancel = CancellationToken::new();

        copy_tree(&from, &to, &cancel).unwrap();
        verify_tree(&from, &to, &cancel).unwrap();
        assert_eq!(fs::read_link(to.join("deep/link")).unwrap(), Path::new("er/file"));
        assert_eq!(fs::metadata(to.join("deep/er/file")).unwrap().permissions().mode() & 0o777, 0o750);

        let mut changed = vec![7; 3 * PIECE_BYTES / 2];
        changed[PIECE_BYTES + 3] = 8;
        fs::write(to.join("deep/er/file"), changed).unwrap();
        assert!(verify_tree(&from, &to, &cancel).is_err());
        fs::remove_file(to.join("deep/er/file")).unwrap();
        assert!(verify_tree(&from, &to, &cancel).is_err());
    }

    #[test]
    fn cancelling_stops_a_copy() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::write(&from, "x").unwrap();
        let cancel = CancellationToken::new();
        cancel.cancel();
        assert_eq!(copy_file(&from, &to, &cancel).unwrap_err().kind(), ErrorKind::Interrupted);
    }

    #[test]
    fn an_existing_target_is_never_overwritten() {
        let directory = tempfile::tempdir().unwrap();
        let (from, to) = (directory.path().join("from"), directory.path().join("to"));
        fs::write(&from, "new").unwrap();
        fs::write(&to, "old").unwrap();
        assert!(copy_tree(&from, &to, &CancellationToken::new()).is_err());
        assert_eq!(fs::read_to_string(&to).unwrap(), "old");
    }
}
