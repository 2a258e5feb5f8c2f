//! How much memory a program needed at its peak. Linux only; elsewhere nothing is known.

use std::convert::Infallible;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::sleep;

/// The system keeps the peak of a process, but forgets it when that ends: so much may be missed of its last moments.
const LOOK_PERIOD: Duration = Duration::from_secs(1);
/// The first look, for programs that end soon.
const FIRST_LOOK: Duration = Duration::from_millis(100);

/// The most memory that one process of a group had so far.
#[derive(Debug)]
pub struct PeakMemory {
    group: u32,
    /// 0 when nothing is known.
    bytes: AtomicU64,
}

impl PeakMemory {
    pub fn of_group(group: u32) -> Self {
        Self { group, bytes: AtomicU64::new(0) }
    }

    /// Looks until dropped.
    pub async fn watch(&self) -> Infallible {
        sleep(FIRST_LOOK).await;
        loop {
            let group = self.group;
            // The task only ends early when the worker does.
            let found = tokio::task::spawn_blocking(move || peak_of_group(Path::new("/proc"), group));
            self.bytes.fetch_max(found.await.unwrap_or_default(), Ordering::Relaxed);
            sleep(LOOK_PERIOD).await;
        }
    }

    /// In bytes, if it is known.
    pub fn bytes(&self) -> Option<u64> {
        Some(self.bytes.load(Ordering::Relaxed)).filter(|bytes| *bytes > 0)
    }
}

fn peak_of_group(proc: &Path, group: u32) -> u64 {
    let Ok(processes) = std::fs::read_dir(proc) else { return 0 };
    let members = processes.flatten().filter(|entry| {
        entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok())
            && group_of(&entry.path()) == Some(group)
    });
    members.filter_map(|entry| peak_of(&entry.path())).max().unwrap_or_default()
}

fn group_of(process: &Path) -> Option<u32> {
    let stat = std::fs::read_to_string(process.join("stat")).ok()?;
    // After the name in parentheses, which may itself hold spaces and parentheses: state, parent, group.
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

fn peak_of(process: &Path) -> Option<u64> {
    let status = std::fs::read_to_string(process.join("status")).ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = peak.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_of_the_group_counts() {
        let proc = tempfile::tempdir().unwrap();
        let write = |pid: &str, stat: &str, status: &str| {
            let folder = proc.path().join(pid);
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("stat"), stat).unwrap();
            std::fs::write(folder.join("status"), status).unwrap();
        };
        write("7", "7 (sh) S 1 7 7 0", "Name:\tsh\nVmHWM:\t     900 kB\nVmRSS:\t 100 kB\n");
        write("8", "8 (a (b) c) R 7 7 7 0", "VmPeak:\t 99999 kB\nVmHWM:\t    2000 kB\n");
        write("9", "9 (other) R 1 9 9 0", "VmHWM:\t    5000 kB\n");
        write("10", "10 (ended) Z 7 7 7 0", "Name:\tended\n");
        write("self", "8 (a) R 7 7 7 0", "VmHWM:\t    9000 kB\n");
        assert_eq!(peak_of_group(proc.path(), 7), 2000 * 1024);
        assert_eq!(peak_of_group(proc.path(), 11), 0);
    }
}
