//! Removing what is stored locally for a job, and nothing else.

use std::io;
use std::path::Path;

use flamenco_crosspath::is_root;
use uuid::Uuid;

/// How often to start again when something writes into the directory while it is being removed.
const ATTEMPTS: usize = 3;

/// Removes the directory of a job, and its parent when nothing else is in it. Never removes `root` itself.
pub(super) fn remove_job_directory(root: &Path, job: Uuid) -> io::Result<()> {
    let directory = super::job_directory(root, job);
    let home = std::env::home_dir();
    if let Some(reason) = refusal(root, &directory, home.as_deref()) {
        let message = format!("refusing to remove {}: {reason}", directory.display());
        return Err(io::Error::new(io::ErrorKind::InvalidInput, message));
    }
    remove_tree(&directory)?;
    let Some(parent) = directory.parent() else { return Ok(()) };
    // Fails as long as other jobs are in there, which is as it should be.
    match std::fs::remove_dir(parent) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
        result => result,
    }
}

fn remove_tree(directory: &Path) -> io::Result<()> {
    let mut result = Ok(());
    for _ in 0..ATTEMPTS {
        result = match std::fs::remove_dir_all(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => {
                result = Err(error);
                continue;
            }
            result => return result,
        };
        break;
    }
    result
}

/// Why a directory must not be removed, if so.
fn refusal(root: &Path, directory: &Path, home: Option<&Path>) -> Option<&'static str> {
    if root.as_os_str().is_empty() || directory.as_os_str().is_empty() {
        return Some("the path is empty");
    }
    if directory.to_str().is_some_and(is_root) || directory.parent().is_none() {
        return Some("it is the root of a file system");
    }
    let same = |other: &Path| {
        directory == other
            || directory.canonicalize().is_ok_and(|path| other.canonicalize().is_ok_and(|o| o == path))
    };
    if same(root) {
        return Some("it is the storage directory itself");
    }
    if home.is_some_and(same) {
        return Some("it is a home directory");
    }
    // A link would make the contents of any directory disappear.
    if directory.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_symlink()) {
        return Some("it is a symbolic link");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusal_table() {
        for (root, directory, refused) in [
            ("/store", "/store/job-1234/id", false),
            ("store", "store/job-1234/id", false),
            ("", "job-1234/id", true),
            ("/store", "", true),
            ("/store", "/", true),
            ("/store", "C:", true),
            ("/store", r"C:\", true),
            ("/store", "C:/", true),
            ("/store", "/store", true),
            ("/store", "/home/artist", true),
            ("/store", "/home/artist/x", false),
        ] {
            let found = refusal(Path::new(root), Path::new(directory), Some(Path::new("/home/artist")));
            assert_eq!(found.is_some(), refused, "{directory:?} in {root:?}: {found:?}");
        }
    }

    #[test]
    fn removes_the_job_and_the_empty_parent_only() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("store");
        let first: Uuid = "12340000-0000-4000-8000-000000000001".parse().unwrap();
        let second: Uuid = "12340000-0000-4000-8000-000000000002".parse().unwrap();
        for job in [first, second] {
            std::fs::create_dir_all(super::super::job_directory(&root, job).join("deeper")).unwrap();
        }
        remove_job_directory(&root, first).unwrap();
        assert!(!super::super::job_directory(&root, first).exists());
        assert!(super::super::job_directory(&root, second).exists());
        remove_job_directory(&root, second).unwrap();
        assert!(!root.join("job-1234").exists());
        assert!(root.exists());
        remove_job_directory(&root, second).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn a_link_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let precious = dir.path().join("precious");
        std::fs::create_dir_all(precious.join("work")).unwrap();
        let root = dir.path().join("store");
        let job = Uuid::nil();
        std::fs::create_dir_all(root.join("job-0000")).unwrap();
        std::os::unix::fs::symlink(&precious, super::super::job_directory(&root, job)).unwrap();
        let error = remove_job_directory(&root, job).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
        assert!(error.to_string().contains("symbolic link"), "{error}");
        assert!(precious.join("work").exists());
    }
}
