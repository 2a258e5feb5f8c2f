//! The programs as a farm has them: the real manager and the real worker on loopback, with a real Blender and FFmpeg.
//!
//! `cargo test` builds the worker but not the manager: run `cargo build --workspace --bins` before (`make test` does).
//! Tests that render take turns, as rendering in parallel is only slower.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

mod chaos;
mod command_line;
mod crash;
mod damage;
mod discovery;
mod disk_full;
mod farm;
mod first_start;
mod network;
mod processes;
mod render;
mod scene;
mod stop;
