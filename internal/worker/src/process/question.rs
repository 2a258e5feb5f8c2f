//! A program that is asked something and should answer at once, such as its version.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::group::die_with_parent;

/// No answer is longer, in bytes. A program that says more finds that nobody reads it.
const LONGEST: u64 = 256 * 1024;

/// What a program answered.
#[derive(Debug)]
pub struct Reply {
    pub status: ExitStatus,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Runs a program with no input, and gives what it printed; `None` when it has not ended, or its output has not, within
/// `limit`. Whatever it started is killed in the end, with its whole group.
///
/// # Errors
/// When it cannot be started, or its output cannot be read.
pub async fn ask(mut command: std::process::Command, limit: Duration) -> io::Result<Option<Reply>> {
    use std::os::unix::process::CommandExt;
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    die_with_parent(&mut command);
    let mut child = Command::from(command).kill_on_drop(true).spawn()?;
    let id = child.id().and_then(|id| i32::try_from(id).ok());
    let _group = id.map(|id| KilledAtTheEnd(Pid::from_raw(id)));
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let answer = async {
        let (stdout, stderr) = tokio::try_join!(read(stdout), read(stderr))?;
        Ok(Reply { status: child.wait().await?, stdout, stderr })
    };
    timeout(limit, answer).await.ok().transpose()
}

async fn read(pipe: Option<impl AsyncRead + Unpin>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe {
        pipe.take(LONGEST).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// A process group.
struct KilledAtTheEnd(Pid);

impl Drop for KilledAtTheEnd {
    fn drop(&mut self) {
        // Mostly it is gone already.
        let _ = killpg(self.0, Signal::SIGKILL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> std::process::Command {
        let mut command = std::process::Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[tokio::test]
    async fn an_answer_is_read_whole() {
        let reply = ask(shell("echo one; echo two >&2; cat; exit 3"), Duration::from_secs(20)).await;
        let Reply { status, stdout, stderr } = reply.unwrap().unwrap();
        assert_eq!((status.code(), &stdout[..], &stderr[..]), (Some(3), &b"one\n"[..], &b"two\n"[..]));
        let missing = ask(std::process::Command::new("/no/such/program"), Duration::from_secs(20)).await;
        assert_eq!(missing.unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[tokio::test]
    async fn a_wrapper_that_hangs_leaves_nothing_behind() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // What hangs is a child of the wrapper; once with the wrapper, and once without it.
        for wrapper in ["wait", "exit"] {
            let script = format!("sleep 1000 & echo $! > {}; {wrapper}", file.path().display());
            assert!(ask(shell(&script), Duration::from_secs(1)).await.unwrap().is_none());
            let pid = std::fs::read_to_string(file.path()).unwrap();
            let stat = format!("/proc/{}/stat", pid.trim());
            let started = std::time::Instant::now();
            while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
                assert!(started.elapsed() < Duration::from_secs(2), "process {pid} is still running");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }

    #[tokio::test]
    async fn an_answer_without_end_is_cut() {
        let reply = ask(shell("yes"), Duration::from_secs(20)).await.unwrap().unwrap();
        assert_eq!(reply.stdout.len() as u64, LONGEST);
    }
}
