//! What can be set.

use std::time::Duration;

use crate::links::LinkMode;

/// How a [`Store`](crate::Store) behaves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// How files appear in a checkout.
    pub link_mode: LinkMode,
    /// Wait for the disk before saying that a file or a checkout is there. Slow on some network shares; without it
    /// a power cut can lose what was reported as stored.
    pub flush: bool,
    /// Answer [`TryLater`](crate::UploadOutcome::TryLater) to an upload whose sender offers to wait, while someone
    /// else uploads the same file. Off, because known clients mishandle that answer and send the body anyway.
    pub defer_uploads: bool,
    /// An upload that sends nothing for this long is given up.
    pub idle_timeout: Duration,
    /// This many uploads run at a time; more wait for [`idle_timeout`](Self::idle_timeout). Each holds three open files.
    pub upload_limit: usize,
    /// Uploads that would leave less free space than this, in bytes, are refused (where the system tells).
    pub free_space: u64,
    /// Stored files that no checkout uses are deleted when they were last used this long ago. Never under an hour,
    /// whatever is set.
    pub max_age: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            link_mode: LinkMode::Auto,
            flush: true,
            defer_uploads: false,
            idle_timeout: Duration::from_secs(60),
            upload_limit: 128,
            free_space: 0,
            max_age: Duration::from_secs(31 * 24 * 3600),
        }
    }
}
