//! A process group: start, wait, ask to end, kill. Unix.

use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use super::mark;
use super::supervision::Watch;
use super::{Launch, Supervision};

/// How often a group that was asked to end is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(25);
/// Small enough that a flood leaves time for everything else between two reads.
const READ_BYTES: usize = 16 * 1024;

/// A program and everything it started that stayed in its process group. Dropping it kills the group.
#[derive(Debug)]
pub struct Group {
    child: Child,
    id: Pid,
    /// The group is known to be gone, or was given up: nothing to kill any more.
    over: bool,
    /// What its processes carry in their environment.
    mark: String,
    _watch: Watch,
}

impl Group {
    /// Starts a program as the leader of a new group, with no input and with both outputs in one pipe.
    pub fn start(launch: &Launch, supervision: &Supervision) -> std::io::Result<(Self, Output)> {
        let mark = supervision.new_mark();
        let (reader, writer) = std::io::pipe()?;
        let mut command = std::process::Command::new(&launch.exe);
        command
            .args(&launch.args)
            .env(mark::VARIABLE, &mark)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .process_group(0);
        die_with_parent(&mut command);
        let mut command = Command::from(command);
        let child = command.kill_on_drop(true).spawn()?;
        // The command holds the writing ends; only the program may keep the pipe open.
        drop(command);
        let pid = child.id().ok_or_else(|| std::io::Error::other("the new process has no id"))?;
        let id = Pid::from_raw(i32::try_from(pid).map_err(std::io::Error::other)?);
        let watch = supervision.watch(id.as_raw());
        let group = Self { child, id, over: false, mark, _watch: watch };
        if let Some(score) = launch.oom_score_adjust {
            set_oom_score(pid, score);
        }
        let pipe = pipe::Receiver::from_owned_fd(OwnedFd::from(reader))?;
        Ok((group, Output { pipe: Some(pipe), buffer: vec![0; READ_BYTES] }))
    }

    /// The leader's process id, which is also the id of the group.
    pub fn pid(&self) -> u32 {
        self.id.as_raw().unsigned_abs()
    }

    /// Waits for the leader to end.
    pub async fn wait(&mut self) -> std::io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks the whole group to end, and kills what is left after `grace`. Tells whether killing was needed.
    pub async fn terminate(&mut self, grace: Duration) -> bool {
        self.signal(Signal::SIGTERM);
        let deadline = Instant::now() + grace;
        while Instant::now() < deadline {
            // Reaping the leader is what makes the group disappear.
            let leader_gone = matches!(self.child.try_wait(), Ok(Some(_)) | Err(_));
            if leader_gone && !self.is_alive() {
                return false;
            }
            sleep(LOOK_AGAIN).await;
        }
        self.signal(Signal::SIGKILL);
        if let Err(error) = self.child.wait().await {
            tracing::warn!(pid = self.pid(), %error, "cannot wait for the killed program");
        }
        true
    }

    /// Kills what the program started and what has left its group, and says how many there were.
    pub async fn sweep(&self) -> usize {
        let mark = self.mark.clone();
        // The task only ends early when the worker does.
        tokio::task::spawn_blocking(move || mark::kill_marked(&mark)).await.unwrap_or_default()
    }

    /// To be called when the run is over. What is left of the group is killed.
    pub fn finished(&mut self) {
        if !std::mem::replace(&mut self.over, true) && self.is_alive() {
            self.signal(Signal::SIGKILL);
        }
    }

    fn signal(&self, signal: Signal) {
        match killpg(self.id, signal) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(error) => {
                tracing::warn!(pid = self.pid(), %signal, %error, "cannot signal the process group")
            }
        }
    }

    fn is_alive(&self) -> bool {
        killpg(self.id, None).is_ok() && !only_zombies(self.id)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.over {
            self.signal(Signal::SIGKILL);
        }
    }
}

/// Whether every member of the group has ended, and only waits for a parent that may never collect it.
#[cfg(target_os = "linux")]
fn only_zombies(group: Pid) -> bool {
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let mut members = processes.flatten().filter_map(|entry| {
        entry.file_name().to_str()?.parse::<u32>().ok()?;
        let stat = std::fs::read_to_string(entry.path().join("stat")).ok()?;
        // The name in parentheses may itself hold spaces and parentheses.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?.to_owned();
        let in_group = fields.nth(1)?.parse::<i32>().ok()? == group.as_raw();
        in_group.then_some(state)
    });
    members.all(|state| state == "Z" || state == "X")
}

#[cfg(not(target_os = "linux"))]
fn only_zombies(_group: Pid) -> bool {
    false
}

/// The program's output. Reading is cancel-safe.
#[derive(Debug)]
pub struct Output {
    pipe: Option<pipe::Receiver>,
    buffer: Vec<u8>,
}

impl Output {
    pub fn is_open(&self) -> bool {
        self.pipe.is_some()
    }

    /// The next piece. Empty when the output has ended.
    pub async fn read(&mut self) -> &[u8] {
        let Some(pipe) = &mut self.pipe else { return &[] };
        let length = match pipe.read(&mut self.buffer).await {
            Ok(length) => length,
            Err(error) if error.kind() == ErrorKind::Interrupted => return &[],
            Err(error) => {
                tracing::warn!(%error, "cannot read the program's output");
                0
            }
        };
        if length == 0 {
            self.pipe = None;
        }
        &self.buffer[..length]
    }
}

/// The signal that ended a program.
pub fn signal_of(status: ExitStatus) -> Option<i32> {
    status.signal()
}

/// What a signal probably means.
pub fn signal_hint(signal: i32) -> &'static str {
    match Signal::try_from(signal) {
        Ok(Signal::SIGKILL) if cfg!(target_os = "linux") => {
            " (SIGKILL; often this is Linux ending the program because memory ran out)"
        }
        Ok(Signal::SIGKILL) => " (SIGKILL)",
        Ok(Signal::SIGSEGV) => " (SIGSEGV: it crashed)",
        Ok(Signal::SIGABRT) => " (SIGABRT: it gave up)",
        Ok(Signal::SIGTERM) => " (SIGTERM: someone asked it to end)",
        _ => "",
    }
}

#[cfg(target_os = "linux")]
pub(super) fn die_with_parent(command: &mut std::process::Command) {
    let parent = nix::unistd::getpid();
    let in_child = move || {
        nix::sys::prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The worker may have died before the line above took effect.
        if nix::unistd::getppid() != parent {
            return Err(std::io::Error::from(Errno::ESRCH));
        }
        Ok(())
    };
    #[allow(unsafe_code)] // No safe way exists; the closure makes two system calls and allocates nothing.
    unsafe {
        command.pre_exec(in_child);
    }
}

#[cfg(not(target_os = "linux"))]
pub(super) fn die_with_parent(_command: &mut std::process::Command) {}

/// Written from outside, right after the start: the worker's own score never changes.
fn set_oom_score(pid: u32, score: i32) {
    if let Err(error) = std::fs::write(format!("/proc/{pid}/oom_score_adj"), score.to_string()) {
        tracing::error!(pid, score, %error, "cannot set the out-of-memory score of the program");
    }
}
