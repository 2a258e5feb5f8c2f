//! Replaces a file so that nobody ever sees half of it.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Writes a new file beside the old one, then renames it. The new one is readable only by its owner.
pub(super) fn replace(file: &Path, text: &str) -> io::Result<()> {
    // Follows a link, as made by those who keep their configurations in one place; renaming would replace it.
    let file = file.canonicalize().unwrap_or_else(|_| file.to_owned());
    let temporary = temporary_name(&file);
    let result = write_new(&temporary, text).and_then(|()| std::fs::rename(&temporary, &file));
    if result.is_err() {
        // The first error is the one to tell.
        let _ = std::fs::remove_file(&temporary);
        return result;
    }
    sync_directory_of(&file)
}

fn temporary_name(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    // Two programs that write at once must not write to the same file.
    name.push(format!(".{}.tmp", std::process::id()));
    PathBuf::from(name)
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    // May be left from a process of the same number that was killed, and with other permissions.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

#[cfg(unix)]
fn sync_directory_of(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(directory) => std::fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// Directories cannot be synced here.
#[cfg(not(unix))]
fn sync_directory_of(_: &Path) -> io::Result<()> {
    Ok(())
}
