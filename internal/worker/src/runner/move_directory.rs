//! `move-directory`: what was at the destination is kept under a time-stamped name.

use std::ffi::OsString;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Local};
use tokio_util::sync::CancellationToken;

use super::copy_file::exists;
use super::params::Params;
use super::quoted::quoted;
use super::{CommandError, Context, tree_copy};

pub async fn move_directory(params: &Params<'_>, context: &Context<'_>) -> Result<(), CommandError> {
    let say = async |text: &str| context.reporter.message(&format!("move-directory: {text}")).await;
    let failed = |text: &str| CommandError::Failed(format!("move-directory: {text}"));
    let src = PathBuf::from(params.required_string("src")?);
    let dest = PathBuf::from(params.required_string("dest")?);
    if !exists(&src) {
        say(&format!("source path {} does not exist, not moving anything", show(&src))).await;
        return Err(params.invalid("src", "path does not exist"));
    }
    if is_same_or_inside(&src, &dest) {
        let text =
            format!("cannot move {} to {}: that is the same place or inside it", show(&src), show(&dest));
        say(&text).await;
        return Err(failed(&text));
    }
    let backup = match exists(&dest) {
        false => None,
        true => Some(keep_aside(&dest, context).await?),
    };
    say(&format!("moving {} to {}", show(&src), show(&dest))).await;
    let error = match move_path(&src, &dest, context.cancel).await {
        Ok(None) => return Ok(()),
        Ok(Some(Leftover { path, error })) => {
            let path = show(&path);
            say(&format!(
                "all is moved, but what is left of the source in {path} cannot be deleted: {error}"
            ))
            .await;
            return Ok(());
        }
        Err(error) => error,
    };
    if let Some(backup) = backup {
        put_back(&backup, &dest, context).await;
    }
    if context.cancel.is_cancelled() {
        return Err(CommandError::Cancelled);
    }
    let text = format!("cannot move {} to {}: {error}", show(&src), show(&dest));
    say(&text).await;
    Err(failed(&text))
}

fn show(path: &Path) -> String {
    quoted(&path.to_string_lossy())
}

/// Moves what is at the destination to a backup name; returns that name.
async fn keep_aside(dest: &Path, context: &Context<'_>) -> Result<PathBuf, CommandError> {
    let moved = match backup_path(dest) {
        Ok(backup) => {
            let text = format!("move-directory: moving {} to {}", show(dest), show(&backup));
            context.reporter.message(&text).await;
            tokio::fs::rename(dest, &backup).await.map(|()| backup)
        }
        Err(error) => Err(error),
    };
    match moved {
        Ok(backup) => Ok(backup),
        Err(error) => {
            let text = format!("move-directory: cannot move {} aside: {error}", show(dest));
            context.reporter.message(&text).await;
            Err(CommandError::Failed(text))
        }
    }
}

async fn put_back(backup: &Path, dest: &Path, context: &Context<'_>) {
    let text = match tokio::fs::rename(backup, dest).await {
        Ok(()) => format!("move-directory: moved {} back to {}", show(backup), show(dest)),
        Err(error) => {
            format!("move-directory: cannot move {} back to {}: {error}", show(backup), show(dest))
        }
    };
    context.reporter.message(&text).await;
}

/// Whether the destination is the source itself, by whatever way it is spelled, or lies inside it.
fn is_same_or_inside(src: &Path, dest: &Path) -> bool {
    let Ok(source) = src.canonicalize() else { return false };
    match dest.canonicalize() {
        Ok(target) => target.starts_with(source),
        // Not there yet: where it will be is decided by its parent.
        Err(_) => std::path::absolute(dest)
            .ok()
            .and_then(|dest| dest.parent()?.canonicalize().ok())
            .is_some_and(|parent| parent.starts_with(source)),
    }
}

/// What is left of a source that was moved by copying it.
#[derive(Debug)]
struct Leftover {
    path: PathBuf,
    /// Why it was not deleted.
    error: io::Error,
}

async fn move_path(src: &Path, dest: &Path, cancel: &CancellationToken) -> io::Result<Option<Leftover>> {
    let (src, dest, cancel) = (src.to_owned(), dest.to_owned(), cancel.clone());
    let moving = tokio::task::spawn_blocking(move || match std::fs::rename(&src, &dest) {
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            tracing::info!(src = %src.display(), dest = %dest.display(), "moving to another file system by copying");
            move_by_copy(&src, &dest, &cancel, tree_copy::remove_tree)
        }
        result => result.map(|()| None),
    });
    moving.await.unwrap_or_else(|error| Err(io::Error::other(error)))
}

/// Copies, verifies, makes the copy appear at once, makes the source disappear at once, and only then deletes it: a
/// source that is half deleted must never be taken for one that is still to be moved.
fn move_by_copy(
    src: &Path,
    dest: &Path,
    cancel: &CancellationToken,
    remove: impl Fn(&Path) -> io::Result<()>,
) -> io::Result<Option<Leftover>> {
    let (part, gone) = (tree_copy::temporary_sibling(dest), tree_copy::temporary_sibling(src));
    let copied = tree_copy::copy_tree(src, &part, cancel)
        .and_then(|()| tree_copy::verify_tree(src, &part, cancel))
        .and_then(|()| std::fs::rename(&part, dest))
        .and_then(|()| {
            std::fs::rename(src, &gone).inspect_err(|_| {
                if let Err(error) = std::fs::rename(dest, &part) {
                    tracing::warn!(path = %dest.display(), %error, "cannot take back the copy");
                }
            })
        });
    if let Err(error) = copied {
        if exists(&part)
            && let Err(error) = remove(&part)
        {
            tracing::warn!(path = %part.display(), %error, "cannot remove the incomplete copy");
        }
        return Err(error);
    }
    Ok(remove(&gone).err().map(|error| Leftover { path: gone, error }))
}

/// Where to keep what is at `dest`: its name with its modification time, and a number if that is taken.
fn backup_path(dest: &Path) -> io::Result<PathBuf> {
    let backup = time_stamped(dest, dest.metadata()?.modified()?);
    if exists(&backup) { unique_path(&backup) } else { Ok(backup) }
}

fn time_stamped(path: &Path, modified: SystemTime) -> PathBuf {
    let rounded = DateTime::<Local>::from(modified + Duration::from_millis(500));
    let mut name = path.as_os_str().to_owned();
    name.push(rounded.format("-%Y-%m-%d_%H%M%S").to_string());
    PathBuf::from(name)
}

/// `path` with a number one higher than any that is in use.
fn unique_path(path: &Path) -> io::Result<PathBuf> {
    let absolute = std::path::absolute(path)?;
    let directory = absolute.parent().unwrap_or(Path::new("/"));
    let prefix = format!("{}-", absolute.file_name().unwrap_or_default().to_string_lossy());
    let mut highest = 0_u64;
    for entry in std::fs::read_dir(directory)? {
        let name: OsString = entry?.file_name();
        if let Some(rest) = name.to_string_lossy().strip_prefix(&prefix)
            && let Some(number) = rest.rsplit('-').next().and_then(|suffix| suffix.parse().ok())
        {
            highest = highest.max(number);
        }
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!("-{:03}", highest.saturating_add(1)));
    Ok(PathBuf::from(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_names_carry_the_rounded_modification_time() {
        let local = |text: &str| DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Local);
        let time = local("2024-05-06T07:08:09.499Z");
        let expected = format!("/x/dest-{}", time.format("%Y-%m-%d_%H%M%S"));
        assert_eq!(time_stamped(Path::new("/x/dest"), time.into()), Path::new(&expected));
        let up = time_stamped(Path::new("/x/file.txt"), local("2024-05-06T07:08:09.5Z").into());
        let next = local("2024-05-06T07:08:10Z").format("%Y-%m-%d_%H%M%S");
        assert_eq!(up, Path::new(&format!("/x/file.txt-{next}")));
    }

    #[test]
    fn unique_suffixes() {
        let cases: &[(&[&str], &str)] = &[
            (&[], "b-001"),
            (&["b-046"], "b-047"),
            (&["b-1", "b-003", "b-46"], "b-047"),
            (&["b-1", "b-003", "b-46", "b-10327"], "b-10328"),
            (&["b-x", "b-7x", "c-99", "b-3-12"], "b-013"),
        ];
        for (existing, expected) in cases {
            let directory = tempfile::tempdir().unwrap();
            for name in *existing {
                std::fs::write(directory.path().join(name), "").unwrap();
            }
            let found = unique_path(&directory.path().join("b")).unwrap();
            assert_eq!(found.file_name().unwrap().to_str(), Some(*expected), "{existing:?}");
        }
    }

    #[test]
    fn moving_by_copy_leaves_only_the_destination() {
        let directory = tempfile::tempdir().unwrap();
        let (src, dest) = (directory.path().join("src"), directory.path().join("dest"));
        std::fs::create_dir(&src).unwrap();
        std::fs::write(src.join("file"), "content").unwrap();
        let left = move_by_copy(&src, &dest, &CancellationToken::new(), tree_copy::remove_tree).unwrap();
        assert!(left.is_none() && !src.exists());
        assert_eq!(std::fs::read_to_string(dest.join("file")).unwrap(), "content");
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1, "nothing else is left");
    }

    #[test]
    fn a_source_that_cannot_be_deleted_is_moved_all_the_same() {
        let directory = tempfile::tempdir().unwrap();
        let (src, dest) = (directory.path().join("src"), directory.path().join("dest"));
        std::fs::create_dir(&src).unwrap();
        for name in ["a", "b"] {
            std::fs::write(src.join(name), name).unwrap();
        }
        // As on a network drive where somebody has the other file open.
        let remove_half = |path: &Path| {
            std::fs::remove_file(path.join("a"))?;
            Err(io::Error::from(ErrorKind::ResourceBusy))
        };
        let left = move_by_copy(&src, &dest, &CancellationToken::new(), remove_half).unwrap().unwrap();
        assert!(!src.exists(), "nobody moves the rest again");
        assert_eq!(std::fs::read_dir(&dest).unwrap().count(), 2, "the copy is whole");
        assert!(left.path.join("b").exists() && left.error.kind() == ErrorKind::ResourceBusy, "{left:?}");
    }

    #[test]
    fn the_same_place_is_recognised_however_it_is_spelled() {
        let directory = tempfile::tempdir().unwrap();
        let src = directory.path().join("src");
        std::fs::create_dir(&src).unwrap();
        std::os::unix::fs::symlink(&src, directory.path().join("link")).unwrap();
        for same in ["src", "link", "./src/.", "src/../src", "src/inside", "src/in/../inside"] {
            std::fs::create_dir_all(src.join("in")).unwrap();
            assert!(is_same_or_inside(&src, &directory.path().join(same)), "{same}");
        }
        for other in ["other", "src2", "no/such/parent"] {
            assert!(!is_same_or_inside(&src, &directory.path().join(other)), "{other}");
        }
    }
}
