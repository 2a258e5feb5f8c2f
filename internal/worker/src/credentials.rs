//! The worker's identity: the file `flamenco-worker-credentials.yaml` in its home directory.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Local};
use rand::TryRngCore;
use rand::rngs::OsRng;
use serde::Deserialize;

use crate::config::write_private;

const FILE: &str = "flamenco-worker-credentials.yaml";

/// User name and password for the manager.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Credentials {
    pub worker_id: String,
    pub worker_secret: String,
}

impl std::fmt::Debug for Credentials {
    /// Leaves out the secret, so that it never gets into a log.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Credentials").field("worker_id", &self.worker_id).finish_non_exhaustive()
    }
}

/// Why the credentials cannot be stored.
#[derive(Debug, thiserror::Error)]
#[error("cannot write the worker's credentials to {path}: {source}", path = .path.display())]
pub struct SaveError {
    path: PathBuf,
    source: std::io::Error,
}

/// A new random secret: 64 hexadecimal digits.
pub fn new_secret() -> std::io::Result<String> {
    let mut bytes = [0_u8; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(std::io::Error::other)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// Reads the stored credentials. When they cannot be used, says why and returns nothing.
pub fn load(home: &Path) -> Option<Credentials> {
    let path = home.join(FILE);
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return None,
        Err(error) => {
            tracing::error!(file = %path.display(), %error, "cannot read the credentials; registering as a new worker");
            return None;
        }
    };
    match serde_yaml_ng::from_str::<Credentials>(&text) {
        Ok(credentials) if !credentials.worker_id.is_empty() && !credentials.worker_secret.is_empty() => {
            Some(credentials)
        }
        Ok(_) => {
            tracing::error!(file = %path.display(), "the credentials are empty; registering as a new worker");
            None
        }
        Err(error) => {
            tracing::error!(file = %path.display(), %error, "the credentials are damaged; registering as a new worker");
            None
        }
    }
}

/// Stores credentials. Those that were there are kept beside them.
///
/// # Errors
/// When the file cannot be written.
pub fn save(home: &Path, credentials: &Credentials, now: DateTime<Local>) -> Result<(), SaveError> {
    let path = home.join(FILE);
    let failed = |source| SaveError { path: path.clone(), source };
    match std::fs::read_to_string(&path) {
        Ok(old) => write_private(&path.with_extension("yaml.old"), &old).map_err(failed)?,
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(file = %path.display(), %error, "cannot keep the old credentials"),
    }
    let text = format!(
        "# Identity of this Flamenco worker: the name and password it uses with the manager.\n\
         # Delete this file to make the worker register as a new one. It may be overwritten at any time.\n\
         # Written {time}.\n\
         worker_id: {id}\nworker_secret: {secret}\n",
        time = now.format("%Y-%m-%d %H:%M:%S %:z"),
        id = credentials.worker_id,
        secret = credentials.worker_secret,
    );
    write_private(&path, &text).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_64_hex_digits_and_differ() {
        let secret = new_secret().unwrap();
        assert_eq!(secret.len(), 64);
        assert!(secret.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)));
        assert_ne!(secret, new_secret().unwrap());
    }

    #[test]
    fn what_is_saved_is_loaded_and_the_old_one_is_kept() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(load(home.path()), None);
        let credentials =
            |id: &str| Credentials { worker_id: id.to_owned(), worker_secret: new_secret().unwrap() };
        let (first, second) = (credentials("first"), credentials("second"));
        save(home.path(), &first, Local::now()).unwrap();
        assert_eq!(load(home.path()), Some(first.clone()));
        save(home.path(), &second, Local::now()).unwrap();
        assert_eq!(load(home.path()), Some(second));
        let old = std::fs::read_to_string(home.path().join("flamenco-worker-credentials.yaml.old")).unwrap();
        assert!(old.contains(&first.worker_secret));
    }

    #[test]
    fn damaged_credentials_are_like_none() {
        let home = tempfile::tempdir().unwrap();
        for text in ["", "no yaml: [", "worker_id: x", "worker_id: ''\nworker_secret: ''"] {
            std::fs::write(home.path().join(FILE), text).unwrap();
            assert_eq!(load(home.path()), None, "{text:?}");
        }
    }

    #[test]
    fn the_secret_is_not_printed() {
        let credentials = Credentials { worker_id: "id".to_owned(), worker_secret: "hush".to_owned() };
        assert!(!format!("{credentials:?}").contains("hush"));
    }
}
