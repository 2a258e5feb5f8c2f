//! `copy-file`: one file to a place where nothing is yet.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use tokio_util::sync::CancellationToken;

use super::params::Params;
use super::quoted::quoted;
use super::{CommandError, Context, tree_copy};

pub async fn copy_file(params: &Params<'_>, context: &Context<'_>) -> Result<(), CommandError> {
    let say = async |text: String| context.reporter.message(&format!("copy-file: {text}")).await;
    let (src, dest) = match check(params) {
        Ok(paths) => paths,
        Err(Refusal { text, error }) => {
            say(text).await;
            return Err(error);
        }
    };
    let (from, to) = (quoted(&src.to_string_lossy()), quoted(&dest.to_string_lossy()));
    say(format!("copying {from} to {to}")).await;
    if !src.is_file() {
        let text = format!("invalid source file {from}: stat {}: not a regular file", src.display());
        say(text.clone()).await;
        return Err(CommandError::Failed(format!("copy-file: {text}")));
    }
    let cancel = context.cancel.clone();
    let done = tokio::task::spawn_blocking(move || copy(&src, &dest, &cancel)).await;
    match done.unwrap_or_else(|error| Err(io::Error::other(error))) {
        Ok(()) => {
            say(format!("copied {from} to {to}")).await;
            Ok(())
        }
        Err(_) if context.cancel.is_cancelled() => Err(CommandError::Cancelled),
        Err(error) => {
            let text = format!("cannot copy {from} to {to}: {error}");
            say(text.clone()).await;
            Err(CommandError::Failed(format!("copy-file: {text}")))
        }
    }
}

/// A parameter that cannot be used, and what the task's log says about it.
struct Refusal {
    text: String,
    error: CommandError,
}

impl From<CommandError> for Refusal {
    fn from(error: CommandError) -> Self {
        Self { text: error.to_string(), error }
    }
}

fn check(params: &Params<'_>) -> Result<(PathBuf, PathBuf), Refusal> {
    let src = absolute(params, "src")?;
    if !exists(&src) {
        return Err(params.invalid("src", "path does not exist").into());
    }
    let dest = absolute(params, "dest")?;
    if exists(&dest) {
        let path = quoted(&dest.to_string_lossy());
        return Err(Refusal {
            text: format!("destination path {path} already exists, not copying anything"),
            error: params.invalid("dest", "path already exists"),
        });
    }
    Ok((src, dest))
}

fn absolute(params: &Params<'_>, parameter: &str) -> Result<PathBuf, CommandError> {
    let path = PathBuf::from(params.required_string(parameter)?);
    if path.is_absolute() { Ok(path) } else { Err(params.invalid(parameter, "path is not absolute")) }
}

/// Whether something is there. What cannot be looked at counts as there.
pub fn exists(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == ErrorKind::NotFound)
}

fn copy(src: &Path, dest: &Path, cancel: &CancellationToken) -> io::Result<()> {
    if let Some(parent) = dest.parent() {
        std::fs::create_dir_all(parent)?;
    }
    // Under another name until it is complete: a copy that was cut off must not make every retry fail.
    let part = tree_copy::temporary_sibling(dest);
    let done = tree_copy::copy_file(src, &part, cancel).and_then(|()| {
        if exists(dest) {
            return Err(io::Error::new(ErrorKind::AlreadyExists, "the destination appeared meanwhile"));
        }
        std::fs::rename(&part, dest)
    });
    if done.is_err()
        && let Err(error) = std::fs::remove_file(&part)
        && error.kind() != ErrorKind::NotFound
    {
        tracing::warn!(file = %part.display(), %error, "cannot remove the incomplete copy");
    }
    done
}
