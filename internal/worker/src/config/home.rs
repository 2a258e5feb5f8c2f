//! The directory where a worker keeps its credentials and its queue, and the lock that keeps a second worker out.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

const LOCK_FILE: &str = "flamenco-worker.lock";
/// Set by packagers when compiling.
const COMPILED_IN_HOME: Option<&str> = option_env!("FLAMENCO_DEFAULT_HOME");

/// Why the home directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum HomeError {
    /// No variable says where it is.
    #[error("cannot tell where to keep the worker's data: set FLAMENCO_HOME to a directory")]
    Unknown,
    /// It does not exist, and cannot be made.
    #[error("cannot create the worker's home directory {path}: {source}; set FLAMENCO_HOME to one that can be written",
        path = .path.display())]
    Create {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The lock file cannot be opened or locked.
    #[error("cannot lock {path}: {source}", path = .path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another worker uses it.
    #[error(
        "another worker{owner} already uses {path}; to run several on one machine, give each its own FLAMENCO_HOME \
         and FLAMENCO_WORKER_NAME",
        path = .path.display()
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// ` (process 123)`, or nothing if unknown.
        owner: String,
    },
}

/// Finds the home directory, and creates it.
pub fn find(environment: &dyn Fn(&str) -> Option<OsString>) -> Result<PathBuf, HomeError> {
    let set = environment("FLAMENCO_HOME");
    let chosen = match set {
        Some(home) if !home.is_empty() => Some(PathBuf::from(home)),
        // Set to nothing means: as if there were no special home.
        Some(_) => None,
        None => COMPILED_IN_HOME.filter(|home| !home.is_empty()).map(PathBuf::from),
    };
    let (path, mode) = match chosen {
        Some(path) => (path, 0o777),
        None => (default_home(environment, std::env::consts::OS).ok_or(HomeError::Unknown)?, 0o700),
    };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(&path)
        .and_then(|()| std::path::absolute(&path))
        .map_err(|source| HomeError::Create { path, source })
}

fn default_home(environment: &dyn Fn(&str) -> Option<OsString>, os: &str) -> Option<PathBuf> {
    let directory = |name: &str| environment(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let name = if os == "macos" { "Flamenco" } else { "flamenco" };
    let data = directory("XDG_DATA_HOME").or_else(|| {
        let home = directory("HOME")?;
        Some(home.join(if os == "macos" { "Library/Application Support" } else { ".local/share" }))
    })?;
    Some(data.join(name))
}

/// Holds the home directory for this process. The system releases it however the process ends.
#[derive(Debug)]
pub struct HomeLock {
    _file: File,
}

impl HomeLock {
    /// Takes the lock.
    ///
    /// # Errors
    /// [`HomeError::InUse`] when another worker has it.
    pub fn take(home: &Path) -> Result<Self, HomeError> {
        let path = home.join(LOCK_FILE);
        let lock_error = |source| HomeError::Lock { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(&path)
            .map_err(lock_error)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                // Only to make the message more helpful.
                let _ = file.read_to_string(&mut owner);
                let owner = match owner.trim() {
                    "" => String::new(),
                    pid => format!(" (process {pid})"),
                };
                return Err(HomeError::InUse { path: home.to_owned(), owner });
            }
            Err(TryLockError::Error(source)) => return Err(lock_error(source)),
        }
        file.set_len(0).map_err(lock_error)?;
        writeln!(file, "{}", std::process::id()).map_err(lock_error)?;
        Ok(Self { _file: file })
    }
}

/// Writes a file that only its owner may read, so that it is either the old or the new one, never half of it.
pub fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let mut temporary = path.as_os_str().to_owned();
    temporary.push("~");
    let temporary = PathBuf::from(temporary);
    // A left-over from a crash may have other permissions.
    match fs::remove_file(&temporary) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&temporary)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&temporary, path)?;
    // The rename itself is on disk only after this.
    path.parent().map_or(Ok(()), |directory| File::open(directory)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home_of(variables: &[(&str, &str)], os: &str) -> Option<PathBuf> {
        let lookup = |name: &str| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value))
        };
        default_home(&lookup, os)
    }

    #[test]
    fn default_places() {
        let home = ("HOME", "/home/u");
        let cases = [
            (home_of(&[home], "linux"), Some("/home/u/.local/share/flamenco")),
            (home_of(&[home, ("XDG_DATA_HOME", "/data")], "linux"), Some("/data/flamenco")),
            (home_of(&[home, ("XDG_DATA_HOME", "rel")], "linux"), Some("/home/u/.local/share/flamenco")),
            (home_of(&[home], "macos"), Some("/home/u/Library/Application Support/Flamenco")),
            (home_of(&[], "linux"), None),
        ];
        for (found, expected) in cases {
            assert_eq!(found.as_deref(), expected.map(Path::new));
        }
    }

    #[test]
    fn flamenco_home_is_created() {
        let directory = tempfile::tempdir().unwrap();
        let wanted = directory.path().join("a/b");
        let found = find(&|name| (name == "FLAMENCO_HOME").then(|| wanted.clone().into_os_string())).unwrap();
        assert_eq!(found, wanted);
        assert!(wanted.is_dir());
        let data = directory.path().to_owned();
        let empty = find(&|name| match name {
            "FLAMENCO_HOME" => Some(OsString::new()),
            "XDG_DATA_HOME" => Some(data.clone().into_os_string()),
            _ => None,
        });
        assert_eq!(empty.unwrap(), data.join("flamenco"));
    }

    #[test]
    fn a_second_worker_is_refused_until_the_first_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = HomeLock::take(directory.path()).unwrap();
        let message = HomeLock::take(directory.path()).unwrap_err().to_string();
        assert!(message.contains(&format!("(process {})", std::process::id())), "{message}");
        assert!(message.contains("FLAMENCO_HOME"), "{message}");
        drop(first);
        assert!(HomeLock::take(directory.path()).is_ok());
    }

    #[test]
    fn private_files_are_private_and_replaced() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("secret");
        fs::write(directory.path().join("secret~"), "left over").unwrap();
        for text in ["one", "two"] {
            write_private(&path, text).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), text);
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }
}
