//! The real program: its file store, killed at random moments and collected from the command line, and a broker that
//! is to be trusted or not.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![cfg(unix)]

mod collect;
mod crash;
mod mqtt_tls;
mod program;
