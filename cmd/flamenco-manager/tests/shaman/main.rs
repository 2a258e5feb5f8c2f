//! The file store of the real program: killed at random moments, and collected from the command line.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(unix)]

mod collect;
mod crash;
mod program;
