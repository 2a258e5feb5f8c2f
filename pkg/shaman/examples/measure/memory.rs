//! How much memory a process uses, in MB.

use std::fs;

use crate::{Anything, MEGABYTE};

/// Forgets the peak so far, and gives what is used now. `process` is a number, or `self`.
pub fn reset_peak(process: &str) -> Result<f64, Anything> {
    fs::write(format!("/proc/{process}/clear_refs"), "5")?;
    peak(process)
}

/// The most memory used at a time.
pub fn peak(process: &str) -> Result<f64, Anything> {
    let status = fs::read_to_string(format!("/proc/{process}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<f64>()? * 1024.0 / MEGABYTE as f64)
}
