//! Processes that a command left behind, found by a mark in the environment that they inherited.
//!
//! A process can leave its group (`setsid`), and then a signal to the group does not reach it. What it cannot easily
//! leave behind is the environment it was started with. Linux only; elsewhere nothing is found.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The variable that holds the mark.
pub const VARIABLE: &str = "FLAMENCO_WORKER_RUN";
/// How often it is looked for processes again: one that is killed may just have started another.
const ROUNDS: usize = 10;

/// Kills every process whose mark is `mark`, or begins with it and a colon. Says how many there were. Reads `/proc`,
/// so not to be called where nothing may block.
pub fn kill_marked(mark: &str) -> usize {
    let mut killed = 0;
    for round in 0..ROUNDS {
        let found = marked(mark);
        if found.is_empty() {
            break;
        }
        if round > 0 {
            std::thread::sleep(std::time::Duration::from_millis(10));
        } else {
            killed = found.len();
        }
        for pid in found {
            // It may have ended meanwhile.
            let _ = kill(pid, Signal::SIGKILL);
        }
    }
    killed
}

fn marked(mark: &str) -> Vec<Pid> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    let own = std::process::id();
    let ids = processes.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.filter(|pid| *pid != own && has_mark(Path::new("/proc"), *pid, mark))
        .filter_map(|pid| i32::try_from(pid).ok().map(Pid::from_raw))
        .collect()
}

/// A process that has ended and was not collected yet has no environment any more.
fn has_mark(proc: &Path, pid: u32, mark: &str) -> bool {
    let Ok(environment) = std::fs::read(proc.join(pid.to_string()).join("environ")) else { return false };
    environment.split(|byte| *byte == 0).any(|entry| {
        let value = entry.strip_prefix(VARIABLE.as_bytes()).and_then(|rest| rest.strip_prefix(b"="));
        let rest = value.and_then(|value| value.strip_prefix(mark.as_bytes()));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(b":"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mark_is_compared_whole() {
        let proc = tempfile::tempdir().unwrap();
        let write = |pid: u32, environment: &str| {
            let folder = proc.path().join(pid.to_string());
            std::fs::create_dir(&folder).unwrap();
            std::fs::write(folder.join("environ"), environment.replace(' ', "\0")).unwrap();
        };
        write(1, "PATH=/bin FLAMENCO_WORKER_RUN=abc:1 X=y ");
        write(2, "FLAMENCO_WORKER_RUN=abc:12 ");
        write(3, "XFLAMENCO_WORKER_RUN=abc:1 Y=FLAMENCO_WORKER_RUN=abc:1 ");
        write(4, "");
        let found = |mark| [1, 2, 3, 4, 5].map(|pid| has_mark(proc.path(), pid, mark));
        assert_eq!(found("abc:1"), [true, false, false, false, false]);
        assert_eq!(found("abc"), [true, true, false, false, false]);
        assert_eq!(found("ab"), [false; 5]);
    }
}
