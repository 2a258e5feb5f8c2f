//! A small process that outlives the worker when that is killed, and then ends what it left running.
//!
//! The system tells a direct child when its parent dies, but not the children of that child. So the worker starts
//! this guard, and tells it over a pipe which process groups run. The system closes the pipe however the worker ends;
//! the guard then kills those groups, and every process that carries the worker's mark.
//!
//! ```text
//!  worker ──"mark abc", "+123", "-123"──► guard ──(end of the pipe)──► SIGKILL to 123, and to whatever has the mark
//! ```

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::sys::signal::{SigSet, Signal, killpg};
use nix::unistd::Pid;

use super::mark;

/// The argument with which the worker's program becomes the guard.
pub const GUARD_ARGUMENT: &str = "--guard-processes";

/// The worker's end. Clones share it.
#[derive(Debug, Clone)]
pub struct Guard(Arc<Mutex<Link>>);

#[derive(Debug)]
struct Link {
    program: PathBuf,
    mark: String,
    groups: BTreeSet<i32>,
    child: Option<Child>,
}

impl Guard {
    /// Starts the guard: `program` with [`GUARD_ARGUMENT`]. Without one the worker works all the same, so a failure is
    /// only told.
    pub fn start(program: PathBuf, mark: String) -> Self {
        let mut link = Link { program, mark, groups: BTreeSet::new(), child: None };
        link.restart();
        Self(Arc::new(Mutex::new(link)))
    }

    /// This process group runs now.
    pub fn add(&self, group: i32) {
        let mut link = self.lock();
        link.groups.insert(group);
        link.tell(&format!("+{group}\n"));
    }

    /// It has ended; its number may be given to others.
    pub fn remove(&self, group: i32) {
        let mut link = self.lock();
        link.groups.remove(&group);
        link.tell(&format!("-{group}\n"));
    }

    fn lock(&self) -> MutexGuard<'_, Link> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Link {
    fn tell(&mut self, line: &str) {
        if self.write(line).is_err() {
            tracing::warn!("the guard of this worker's processes has ended; starting another");
            self.restart();
        }
    }

    fn write(&mut self, text: &str) -> std::io::Result<()> {
        match self.child.as_mut().and_then(|child| child.stdin.as_mut()) {
            Some(pipe) => pipe.write_all(text.as_bytes()),
            None => Ok(()),
        }
    }

    fn restart(&mut self) {
        if let Some(mut old) = self.child.take() {
            // It has ended, or cannot be of use; either way nothing may be left of it.
            let _ = old.kill();
            let _ = old.wait();
        }
        let mut command = Command::new(&self.program);
        command.arg(GUARD_ARGUMENT).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        // A group of its own, so that Ctrl+C in the terminal does not reach it; and no directory kept in use.
        command.process_group(0).current_dir("/");
        match command.spawn() {
            Ok(child) => self.child = Some(child),
            Err(error) => {
                tracing::warn!(%error, "cannot start the guard; if this worker is killed, programs may stay behind");
                return;
            }
        }
        let groups: String = self.groups.iter().map(|group| format!("+{group}\n")).collect();
        if let Err(error) = self.write(&format!("mark {}\n{groups}", self.mark)) {
            tracing::warn!(%error, "cannot talk to the guard of this worker's processes");
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // The end of the pipe is what makes it end.
            drop(child.stdin.take());
            let _ = child.wait();
        }
    }
}

/// What the guard does: reads until the worker is gone, then kills what it left.
pub fn guard_processes() {
    // Service managers send SIGTERM to all processes of a service at once; this one must stay until the worker ended.
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        signals.add(signal);
    }
    // Without it the guard may end early, and is then started again.
    let _ = signals.thread_block();
    let left = follow(BufReader::new(std::io::stdin()));
    for group in left.groups {
        // It may be gone already.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    if let Some(mark) = left.mark {
        mark::kill_marked(&mark);
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Left {
    mark: Option<String>,
    groups: BTreeSet<i32>,
}

fn follow(input: impl BufRead) -> Left {
    let mut left = Left::default();
    for line in input.lines().map_while(Result::ok) {
        // Group 0 and 1 would be the guard's own, and everybody.
        let group = |text: &str| text.parse::<i32>().ok().filter(|group| *group > 1);
        if let Some(mark) = line.strip_prefix("mark ").filter(|mark| !mark.is_empty()) {
            left.mark = Some(mark.to_owned());
        } else if let Some(group) = line.strip_prefix('+').and_then(group) {
            left.groups.insert(group);
        } else if let Some(group) = line.strip_prefix('-').and_then(group) {
            left.groups.remove(&group);
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_at_the_end_of_the_pipe() {
        let text = "mark abc\n+12\n+13\n-12\n+1\n+0\n+-5\n+x\n\n-99\n+14";
        let left = follow(text.as_bytes());
        assert_eq!(left, Left { mark: Some("abc".to_owned()), groups: [13, 14].into() });
        assert_eq!(follow("mark \n".as_bytes()), Left::default());
    }

    #[test]
    fn a_guard_that_cannot_start_or_ends_is_no_obstacle() {
        for program in ["/no/such/program", "/bin/false"] {
            let guard = Guard::start(program.into(), "m".to_owned());
            for group in 2..50 {
                guard.add(group);
                std::thread::sleep(std::time::Duration::from_millis(1));
            }
            guard.remove(2);
        }
    }
}
