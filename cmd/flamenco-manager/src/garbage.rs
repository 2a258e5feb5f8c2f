//! `-shaman-gc-show` and `-shaman-gc-delete`: one garbage collection of the file store, without a farm.

use std::fmt::Write;

use anyhow::Context;
use chrono::{DateTime, SecondsFormat, Utc};
use flamenco_manager_core::config::Config;
use flamenco_manager_core::farm::file_store::{Report, collect_garbage_of};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

/// Collects, or looks what there would be to collect, and prints what came of it.
pub(crate) fn run(config: &Config, dry_run: bool, as_json: bool) -> anyhow::Result<()> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().context("cannot start threads")?;
    let found = runtime.block_on(collect_garbage_of(config, dry_run, CancellationToken::new()))?;
    let is_off = found.is_none();
    let report = found.unwrap_or(Report { dry_run, ..Report::default() });
    if as_json {
        println!("{:#}", to_json(&report)?);
        return Ok(());
    }
    if is_off {
        println!("There is no file store: shaman.enabled is false, or shared_storage_path is empty.");
    }
    print!("{}", to_text(&report));
    Ok(())
}

fn time(moment: std::time::SystemTime) -> String {
    DateTime::<Utc>::from(moment).to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// The report, with times as other programs write them.
fn to_json(report: &Report) -> anyhow::Result<Value> {
    let mut value = serde_json::to_value(report)?;
    value["unused"] = report
        .unused
        .iter()
        .map(|file| {
            let (sha, size) = (file.identity.checksum.to_string(), file.identity.size);
            json!({ "sha": sha, "size": size, "last_used": time(file.last_used) })
        })
        .collect();
    Ok(value)
}

fn to_text(report: &Report) -> String {
    let mut text = String::new();
    let mut line = |what: &str, files: u64, bytes: Option<u64>| {
        let size = bytes.map(|bytes| format!(", {}", readable(bytes))).unwrap_or_default();
        // Writing to a text cannot fail.
        let _ = writeln!(text, "{what:<26}{files:>9} files{size}");
    };
    line("stored", report.stored_files, Some(report.stored_bytes));
    line("not used for long", report.old_files, None);
    line("of these, in a checkout", report.still_used, None);
    line("of these, unused", report.unused.len() as u64, Some(report.unused_bytes));
    if !report.dry_run {
        line("deleted", report.deleted_files, Some(report.deleted_bytes));
        line("kept after all", report.kept_files, None);
    }
    for (what, checkouts) in [("no job uses it", &report.orphans), ("its directory is gone", &report.lost)] {
        for checkout in checkouts {
            let _ = writeln!(text, "checkout {checkout:?}: {what}");
        }
    }
    if report.dry_run {
        for file in &report.unused {
            let (sum, size) = (file.identity.checksum, file.identity.size);
            let _ = writeln!(text, "{sum} {size:>14} bytes, last used {}", time(file.last_used));
        }
        let (count, size) = (report.unused.len(), readable(report.unused_bytes));
        let _ = writeln!(text, "-shaman-gc-delete would delete {count} files and free {size}.");
    }
    text
}

/// A size in bytes for people.
fn readable(bytes: u64) -> String {
    let mut value = bytes as f64;
    let mut unit = "bytes";
    for next in ["kB", "MB", "GB", "TB"] {
        if value < 1000.0 {
            break;
        }
        value /= 1000.0;
        unit = next;
    }
    if unit == "bytes" { format!("{bytes} bytes") } else { format!("{value:.1} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_readable() {
        for (bytes, text) in [
            (0, "0 bytes"),
            (999, "999 bytes"),
            (1000, "1.0 kB"),
            (1_234_567, "1.2 MB"),
            (5_400_000_000_000_000, "5400.0 TB"),
        ] {
            assert_eq!(readable(bytes), text);
        }
    }
}
