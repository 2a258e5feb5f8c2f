//! Job type scripts, run for real.
#![cfg(test)]

mod blender;
mod builtin;
mod builtin_extra;
mod errors;
mod globals;
mod job_types;
mod limits;
mod manual;
mod old_style;
mod oom;
mod performance;
mod require;
mod support;
mod tasks;
mod third_party;
