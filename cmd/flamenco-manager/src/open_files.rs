//! How many files and connections may be open.

/// Raises the limit to what the system allows. The usual 1024 is less than a large farm has connections, and a manager
/// that cannot open files cannot write its logs.
#[cfg(unix)]
pub(crate) fn raise_limit() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limits = getrlimit(Resource::Nofile);
    if limits.current == limits.maximum {
        return;
    }
    match setrlimit(Resource::Nofile, Rlimit { current: limits.maximum, ..limits }) {
        Ok(()) => {
            tracing::debug!(from = limits.current, to = limits.maximum, "raised the limit of open files")
        }
        Err(error) => tracing::warn!(%error, "cannot raise the limit of open files"),
    }
}

/// Other systems have no such limit.
#[cfg(not(unix))]
pub(crate) fn raise_limit() {}
