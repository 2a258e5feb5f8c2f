//! Why a worker ends in trouble.

use crate::config::{ConfigError, HomeError};
use crate::credentials::SaveError;
use crate::manager_api::CallError;
use crate::outbox::StorageError;

/// Why the worker could not start, or had to stop.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The configuration makes no sense.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The home directory cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The manager's address cannot be used.
    #[error(transparent)]
    Client(flamenco_client::Error),
    /// The queue of task updates cannot be opened.
    #[error(transparent)]
    Outbox(OutboxError),
    /// New credentials cannot be stored.
    #[error(transparent)]
    Credentials(CredentialsError),
    /// The system gives no random numbers.
    #[error("cannot make a secret for this worker: {0}")]
    Secret(std::io::Error),
    /// The manager refuses this worker, and trying again would not help.
    #[error("the manager does not let this worker {what}: {reason}")]
    Refused {
        /// What the worker wanted.
        what: &'static str,
        /// What the manager said.
        reason: RefusalError,
    },
    /// A flush was asked for, and did not succeed.
    #[error("{left} task updates could not be delivered to the manager; they are kept")]
    NotFlushed {
        /// How many.
        left: usize,
    },
}

/// Wraps an error type of a private module, so that its details are no promise.
macro_rules! opaque {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Debug, thiserror::Error)]
        #[error(transparent)]
        pub struct $name(#[from] $inner);
    };
}

opaque!(
    /// Why the queue of task updates cannot be opened.
    OutboxError(StorageError)
);
opaque!(
    /// Why credentials cannot be stored.
    CredentialsError(SaveError)
);
opaque!(
    /// What the manager answered.
    RefusalError(CallError)
);

impl From<StorageError> for Error {
    fn from(error: StorageError) -> Self {
        Self::Outbox(error.into())
    }
}

impl From<SaveError> for Error {
    fn from(error: SaveError) -> Self {
        Self::Credentials(error.into())
    }
}
