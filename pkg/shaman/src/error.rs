//! What can go wrong. A caller turns each variant into one answer; the texts say what to change.

use std::io;
use std::path::Path;
use std::time::Duration;

use crate::identity::{Checksum, Identity};
use crate::links::LinkMode;
use crate::paths::{CheckoutPath, PathFault};

/// The result of everything that touches the storage.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A request that can be refused without looking at the storage.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Invalid {
    /// Not a SHA-256 sum.
    #[error("checksum {given:?} is not a SHA-256 sum; send its 64 hexadecimal digits")]
    Checksum {
        /// What was sent.
        given: String,
    },
    /// A negative file size.
    #[error("file size {given} is negative; send the size in bytes")]
    Size {
        /// What was sent.
        given: i64,
    },
    /// A path that no checkout may have.
    #[error("checkout path {path:?} {fault}; choose another name")]
    CheckoutPath {
        /// What was sent.
        path: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// A path that no file in a checkout may have.
    #[error("file path {path:?} {fault}; send a path relative to the checkout")]
    FilePath {
        /// What was sent.
        path: String,
        /// What is wrong with it.
        fault: PathFault,
    },
    /// One path is asked to hold two different files.
    #[error("file path {path:?} is listed twice with different contents; list each path once")]
    TwoContents {
        /// The path.
        path: String,
    },
    /// Two paths that are one path where upper and lower case are the same.
    #[error(
        "file paths {one:?} and {other:?} differ only in upper and lower case or in their spelling of accents; \
             the storage or its users cannot keep them apart, rename one"
    )]
    CaseClash {
        /// The path listed first.
        one: String,
        /// The path listed later.
        other: String,
    },
    /// One path is a file and also the directory of another file.
    #[error("file path {path:?} is also the directory of another file; rename one")]
    FileIsDirectory {
        /// The path.
        path: String,
    },
}

/// Why the storage did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request itself is wrong; nothing was looked at.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The uploaded content has another length than announced.
    #[error("uploaded file is {}{received} bytes long, but {declared} bytes were declared",
            if *.cut { "at least " } else { "" })]
    SizeMismatch {
        /// Announced size in bytes.
        declared: u64,
        /// Received, or announced by the transport, in bytes.
        received: u64,
        /// Reading was stopped there, so the content may be longer still.
        cut: bool,
    },
    /// The uploaded content has another checksum than announced.
    #[error("uploaded file has checksum {actual}, but {declared} was declared")]
    ChecksumMismatch {
        /// Announced.
        declared: Checksum,
        /// Of what arrived.
        actual: Checksum,
    },
    /// The sender broke off.
    #[error("upload ended early: {0}")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// The sender did not send a byte for this long.
    #[error("no data arrived for {} seconds; send the file again", .0.as_secs())]
    Idle(Duration),
    /// As many uploads are running as are allowed.
    #[error("{running} uploads are running already; try again later")]
    Busy {
        /// The limit.
        running: usize,
    },
    /// The storage is full, or would be.
    #[error("not enough free space in the storage; free some or enlarge it")]
    NoSpace,
    /// Files of a checkout that are not stored.
    #[error("{} of the files are not stored (the first is {}); upload them and try again", .0.len(),
            .0.first().map(ToString::to_string).unwrap_or_default())]
    MissingFiles(Vec<Identity>),
    /// No free name was found for a checkout.
    #[error("a checkout {0:?} exists already and no free name like it was found; choose another name")]
    NameTaken(CheckoutPath),
    /// Links of the kind the settings ask for cannot be made.
    #[error("the storage cannot make the links that are configured ({0}); set the link type to `auto`")]
    LinksUnsupported(LinkMode),
    /// Something else is where a directory of the storage should be. A symbolic link is never followed.
    #[error("{0} is not a directory (symbolic links inside the storage are not followed)")]
    Obstructed(String),
    /// Garbage collection would have been guesswork, so it deleted nothing.
    #[error("garbage collection stopped before deleting anything: {0}")]
    Unsafe(String),
    /// The caller's cancellation token was cancelled.
    #[error("stopped before it was finished")]
    Cancelled,
    /// The file system refused.
    #[error("{doing}: {source}")]
    Io {
        /// What was attempted, with the path.
        doing: String,
        /// What the system said.
        source: io::Error,
    },
}

impl Error {
    /// The error for `source`, met while doing `verb` to `path`.
    pub(crate) fn io(verb: &str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::NoSpace,
            _ => Self::Io { doing: format!("cannot {verb} {}", path.display()), source },
        }
    }

    /// Is this the file system saying that something does not exist?
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_storage_is_not_just_any_error() {
        let full = Error::io("write", Path::new("/x"), io::Error::from(io::ErrorKind::StorageFull));
        assert!(matches!(full, Error::NoSpace));
        let other = Error::io("write", Path::new("/x"), io::Error::from(io::ErrorKind::PermissionDenied));
        assert!(other.to_string().starts_with("cannot write /x: "), "{other}");
    }

    #[test]
    fn a_size_mismatch_says_both_sizes() {
        let exact = Error::SizeMismatch { declared: 5, received: 4, cut: false };
        assert_eq!(exact.to_string(), "uploaded file is 4 bytes long, but 5 bytes were declared");
        let cut = Error::SizeMismatch { declared: 5, received: 6, cut: true };
        assert_eq!(cut.to_string(), "uploaded file is at least 6 bytes long, but 5 bytes were declared");
    }
}
