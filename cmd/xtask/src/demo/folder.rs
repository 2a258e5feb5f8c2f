//! The one folder that everything of the demo is in.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Only a folder with this file in it is ever emptied.
const MARK: &str = ".flamenco-demo";

/// Makes the folder with what the programs expect in it, and gives its absolute path. What a run before left there is
/// removed unless it should be kept.
///
/// # Errors
/// When there are files in it that no demo has made.
pub fn prepare(folder: &Path, keep: bool) -> Result<PathBuf> {
    let shown = folder.display();
    fs::create_dir_all(folder).with_context(|| format!("cannot make {shown}"))?;
    let folder = folder.canonicalize().with_context(|| format!("cannot find {shown}"))?;
    let is_ours = folder.join(MARK).exists();
    let is_empty = fs::read_dir(&folder).with_context(|| format!("cannot read {shown}"))?.next().is_none();
    ensure!(
        is_ours || is_empty,
        "{shown} has files in it that the demo did not make; give --folder a new or an empty directory"
    );
    if is_ours && !keep {
        empty(&folder).with_context(|| format!("cannot empty {shown}"))?;
    }
    fs::write(
        folder.join(MARK),
        "Made by `cargo xtask demo`, which empties this directory when it runs again.\n",
    )?;
    for name in ["manager", "worker", "scene", "renders"] {
        fs::create_dir_all(folder.join(name)).with_context(|| format!("cannot make {name} in {shown}"))?;
    }
    Ok(folder)
}

/// Removes everything but the mark, which goes last: an interrupted removal can be taken up again.
fn empty(folder: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name() == MARK {
            continue;
        }
        let path = entry.path();
        let removed =
            if entry.file_type()?.is_dir() { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_a_demo_made_is_removed() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("new/demo");
        let prepared = prepare(&folder, false).unwrap();
        assert!(prepared.is_absolute() && prepared.join("manager").is_dir());

        let old = folder.join("renders/1.png");
        fs::write(&old, "old").unwrap();
        prepare(&folder, true).unwrap();
        assert!(old.exists(), "kept");
        prepare(&folder, false).unwrap();
        assert!(!old.exists() && folder.join("renders").is_dir(), "emptied");
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let temporary = tempfile::tempdir().unwrap();
        let precious = temporary.path().join("precious.txt");
        fs::write(&precious, "mine").unwrap();
        for keep in [false, true] {
            let error = prepare(temporary.path(), keep).unwrap_err().to_string();
            assert!(error.contains("that the demo did not make"), "{error}");
        }
        assert_eq!(fs::read_to_string(precious).unwrap(), "mine");
        assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
    }
}
