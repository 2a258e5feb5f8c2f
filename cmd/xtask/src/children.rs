//! Programs that are started here and never outlive this one.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than a worker needs to kill what it runs, deliver its last reports and sign off.
const GRACE: Duration = Duration::from_secs(20);
/// How much of the end of a log is of interest.
const TAIL_LINES: usize = 40;
const TAIL_BYTES: u64 = 64 * 1024;

/// A running program. Dropping it asks the program to end, and kills it if it does not.
pub struct Child {
    name: &'static str,
    log: PathBuf,
    process: std::process::Child,
}

impl Child {
    /// Starts a program with both outputs in a log file and no input.
    pub fn start(name: &'static str, mut command: Command, log: &Path) -> Result<Self> {
        let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        // Ctrl-C is for this program, which then stops the others in the right order.
        command.process_group(0);
        let process = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Self { name, log: log.to_owned(), process })
    }

    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// How it ended, if it did.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().ok().flatten()
    }

    /// Memory that it occupies now, in bytes. Not known when it has ended.
    pub fn memory(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    }

    /// Processor time that it has used since it started, in user and kernel. Not known when it has ended.
    pub fn processor_time(&self) -> Option<Duration> {
        let text = std::fs::read_to_string(format!("/proc/{}/stat", self.process.id())).ok()?;
        // The name in parentheses may contain anything; after it come the fields from the third (proc(5)).
        let mut fields = text.rsplit_once(')')?.1.split_whitespace().skip(11);
        let user: u64 = fields.next()?.parse().ok()?;
        let kernel: u64 = fields.next()?.parse().ok()?;
        let ticks = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK).ok()??;
        Some(Duration::from_micros((user + kernel) * 1_000_000 / u64::try_from(ticks).ok()?))
    }

    /// Prints the last lines of the log.
    pub fn print_log(&self) {
        eprintln!("\n--- the end of {} ---", self.log.display());
        match tail(&self.log) {
            Ok(text) => eprintln!("{text}"),
            Err(error) => eprintln!("cannot be read: {error}"),
        }
    }

    fn signal(&self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.process.id()) {
            // It may have ended just now, which is what is wanted.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended().is_some() {
            return;
        }
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + GRACE;
        while Instant::now() < deadline {
            if self.ended().is_some() {
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        eprintln!("{} did not stop within {} s and is killed", self.name, GRACE.as_secs());
        self.signal(Signal::SIGKILL);
        let _ = self.process.wait();
    }
}

fn tail(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let length = file.metadata()?.len();
    file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dropping_a_child_ends_it() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut shell = Command::new("sh");
        shell.args(["-c", "trap 'echo asked; exit 0' TERM; echo ready; while :; do sleep 0.05; done"]);
        let child = Child::start("shell", shell, &log).unwrap();
        let id = child.process.id();
        assert!(child.memory().unwrap() > 0);
        while !tail(&log).unwrap().contains("ready") {
            std::thread::sleep(Duration::from_millis(10));
        }
        drop(child);
        assert_eq!(tail(&log).unwrap(), "ready\nasked");
        assert!(!Path::new(&format!("/proc/{id}")).exists());
    }

    #[test]
    fn a_tail_is_the_last_lines() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let text: Vec<_> = (1..=50_000).map(|number| format!("line {number}")).collect();
        std::fs::write(&log, text.join("\n")).unwrap();
        assert_eq!(tail(&log).unwrap(), text[text.len() - TAIL_LINES..].join("\n"));
    }
}
