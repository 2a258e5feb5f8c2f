//! Runs a program: its own process group, its output line by line, and a sure end.
//!
//! ```text
//!  start ──► running ──► exited ──► output ended ──► done
//!               │           └─ output held open by leftovers: a short grace, then the group is killed
//!               └─ cancelled: SIGTERM to the group, up to 5 s, SIGKILL to the group
//! ```
//!
//! The output may end long before the program does, and may stay open after it: neither is taken as a sign of
//! the other.

mod group;
mod guard;
mod lines;
mod mark;
mod memory;
mod question;
mod supervision;

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use crate::reporter::Reporter;
use crate::runner::shell_words;
use group::{Group, Output};
pub use guard::{GUARD_ARGUMENT, guard_processes};
use lines::LineSplitter;
use memory::PeakMemory;
pub use question::ask;
pub use supervision::{Supervision, TimeLimits, Watched};

/// How long a program has between SIGTERM and SIGKILL.
const TERMINATE_GRACE: Duration = Duration::from_secs(5);
/// How long the output may stay open after the program itself has ended.
const OUTPUT_GRACE: Duration = Duration::from_secs(3);
/// How long the output is still read after the group was stopped.
const LAST_WORDS_GRACE: Duration = Duration::from_millis(500);
/// How often the latest of a stream of progress updates goes to the log.
const PROGRESS_PERIOD: Duration = Duration::from_secs(5);

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    pub exe: PathBuf,
    pub args: Vec<String>,
    /// Linux: how readily the system kills this program when memory runs out, -1000 to 1000.
    pub oom_score_adjust: Option<i32>,
}

/// Why a program did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    #[error("cannot start {exe}: {source}", exe = .exe.display())]
    Start { exe: PathBuf, source: std::io::Error },
    #[error("{exe} exited abnormally with code {code}", exe = .exe.display())]
    ExitCode { exe: PathBuf, code: i32 },
    #[error("{exe} exited abnormally with code -1: killed by signal {signal}{hint}", exe = .exe.display())]
    Signal { exe: PathBuf, signal: i32, hint: &'static str },
    #[error("cannot follow {exe}: {source}", exe = .exe.display())]
    Wait { exe: PathBuf, source: std::io::Error },
    #[error("{exe} was stopped: {reason}", exe = .exe.display())]
    TimeLimit { exe: PathBuf, reason: String },
    #[error("{exe} was stopped", exe = .exe.display())]
    Cancelled { exe: PathBuf },
}

/// Runs a program to its end. Every line of its output goes to the task's log and to `on_line`, which must not
/// block. Dropping the returned future kills the whole process group.
///
/// Must be polled on a thread that lives as long as the program may run (a runtime's main or worker thread, not a
/// blocking one): on Linux the program is told to die with the thread that started it.
///
/// # Errors
/// When the program cannot be started, fails, runs into a time limit, or was cancelled.
pub async fn run(
    launch: &Launch,
    supervision: &Supervision,
    reporter: &Reporter,
    cancel: &CancellationToken,
    mut on_line: impl FnMut(&str),
) -> Result<(), ProcessError> {
    announce(launch, reporter);
    if cancel.is_cancelled() {
        return Err(ProcessError::Cancelled { exe: launch.exe.clone() });
    }
    let (mut group, mut output) = Group::start(launch, supervision)
        .map_err(|source| ProcessError::Start { exe: launch.exe.clone(), source })?;
    let heard = Heard::now();
    let limit = time_limit(supervision.limits, &heard);
    let mut log = OutputLog { pid: group.pid(), reporter, splitter: LineSplitter::default(), heard: &heard };
    let memory = PeakMemory::of_group(group.pid());

    let follow = async {
        let status = follow_until_exit(&mut group, &mut output, &mut log, &mut on_line).await;
        (status, drain(&mut output, &mut log, &mut on_line).await)
    };
    let exe = launch.exe.clone();
    let outcome = tokio::select! {
        outcome = follow => Ok(outcome),
        () = cancel.cancelled() => Err(ProcessError::Cancelled { exe }),
        reason = limit => Err(ProcessError::TimeLimit { exe, reason }),
        never = memory.watch() => match never {},
    };
    let used = Used { time: heard.start.elapsed(), memory: memory.bytes() };
    let (status, output_ended) = match outcome {
        Ok(outcome) => outcome,
        Err(stopped) => {
            if let ProcessError::TimeLimit { reason, .. } = &stopped {
                reporter.log(&format!("stopping the program: {reason}"));
            }
            stop(&mut group, &mut output, &mut log, &mut on_line, &used).await;
            return Err(stopped);
        }
    };
    if !output_ended {
        reporter.log("the program has ended, but processes it started hold its output; stopping them");
        group.terminate(TERMINATE_GRACE).await;
    }
    group.finished();
    let strays = group.sweep().await;
    if strays > 0 {
        reporter.log(&format!("killed {strays} process(es) that the program had left running"));
    }
    log.finish(&mut on_line);
    let status = status.map_err(|source| ProcessError::Wait { exe: launch.exe.clone(), source })?;
    reporter.log(&format!("pid={} ended {used}: {}", log.pid, describe(status)));
    judge(&launch.exe, status, reporter)
}

/// Follows the output until the program itself ends. Its output may end earlier.
async fn follow_until_exit(
    group: &mut Group,
    output: &mut Output,
    log: &mut OutputLog<'_>,
    on_line: &mut impl FnMut(&str),
) -> std::io::Result<ExitStatus> {
    let mut progress = interval(PROGRESS_PERIOD);
    progress.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            // A program that floods its output must not hide that it has ended, hence no `biased`.
            status = group.wait() => return status,
            bytes = output.read(), if output.is_open() => log.take(bytes, on_line),
            _ = progress.tick() => log.progress(on_line),
        }
    }
}

/// Reads what is left; tells whether the output ended within the grace period.
async fn drain(output: &mut Output, log: &mut OutputLog<'_>, on_line: &mut impl FnMut(&str)) -> bool {
    let rest = async {
        while output.is_open() {
            let bytes = output.read().await;
            log.take(bytes, on_line);
        }
    };
    timeout(OUTPUT_GRACE, rest).await.is_ok()
}

/// Ends the group while still reading, so that a program which reports its own end is heard and never blocks on a
/// full pipe.
async fn stop(
    group: &mut Group,
    output: &mut Output,
    log: &mut OutputLog<'_>,
    on_line: &mut impl FnMut(&str),
    used: &Used,
) {
    let forced = {
        let reading = async {
            while output.is_open() {
                let bytes = output.read().await;
                log.take(bytes, on_line);
            }
            std::future::pending::<()>().await;
        };
        tokio::select! {
            forced = group.terminate(TERMINATE_GRACE) => forced,
            () = reading => false,
        }
    };
    group.sweep().await;
    // What the dying program wrote last is still in the pipe.
    let rest = async {
        while output.is_open() {
            let bytes = output.read().await;
            log.take(bytes, on_line);
        }
    };
    if timeout(LAST_WORDS_GRACE, rest).await.is_err() {
        tracing::warn!(pid = log.pid, "a process that cannot be found still holds the program's output");
    }
    log.finish(on_line);
    let how = if forced { "it did not end when asked to, and was killed" } else { "it ended when asked to" };
    log.reporter.log(&format!("pid={} stopped {used}: {how}", log.pid));
    tracing::info!(pid = log.pid, "stopped the program: {how}");
    group.finished();
}

/// When a program was started, and when it last wrote something.
struct Heard {
    start: Instant,
    /// Milliseconds after the start.
    last: AtomicU64,
}

impl Heard {
    fn now() -> Self {
        Self { start: Instant::now(), last: AtomicU64::new(0) }
    }

    fn note(&self) {
        let millis = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last.store(millis, Ordering::Relaxed);
    }

    fn last(&self) -> Instant {
        self.start + Duration::from_millis(self.last.load(Ordering::Relaxed))
    }
}

/// Returns when a limit is exceeded, and says which. `heard` is when the program last wrote something.
async fn time_limit(limits: TimeLimits, heard: &Heard) -> String {
    loop {
        let total = limits.total.map(|limit| heard.start + limit);
        let silence = limits.silence.map(|limit| heard.last() + limit);
        let Some(next) = total.into_iter().chain(silence).min() else { std::future::pending().await };
        sleep_until(next).await;
        let now = Instant::now();
        if let Some(limit) = limits.total.filter(|limit| now >= heard.start + *limit) {
            return format!("it ran for longer than the command_time_limit of this worker, {limit:?}");
        }
        if let Some(limit) = limits.silence.filter(|limit| now >= heard.last() + *limit) {
            return format!("it wrote nothing for longer than the silence_limit of this worker, {limit:?}");
        }
    }
}

fn announce(launch: &Launch, reporter: &Reporter) {
    let exe = launch.exe.to_string_lossy();
    let line =
        shell_words::quote(std::iter::once(exe.as_ref()).chain(launch.args.iter().map(String::as_str)));
    tracing::info!(command = %line, "going to run");
    for text in ["going to run:", "", &format!("    {line}"), ""] {
        reporter.log(text);
    }
}

/// What a program took.
struct Used {
    time: Duration,
    /// The most memory of one of its processes, in bytes, where the system tells.
    memory: Option<u64>,
}

impl fmt::Display for Used {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "after {:.1} s", self.time.as_secs_f64())?;
        match self.memory {
            Some(bytes) => {
                write!(formatter, ", with {} MiB of memory at its peak", bytes.div_ceil(1024 * 1024))
            }
            None => Ok(()),
        }
    }
}

fn describe(status: ExitStatus) -> String {
    match (status.code(), group::signal_of(status)) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}{}", group::signal_hint(signal)),
        (None, None) => status.to_string(),
    }
}

fn judge(exe: &Path, status: ExitStatus, reporter: &Reporter) -> Result<(), ProcessError> {
    tracing::info!(exe = %exe.display(), %status, "the program has ended");
    if status.success() {
        return Ok(());
    }
    let error = match (status.code(), group::signal_of(status)) {
        (Some(code), _) => ProcessError::ExitCode { exe: exe.to_owned(), code },
        (None, Some(signal)) => {
            ProcessError::Signal { exe: exe.to_owned(), signal, hint: group::signal_hint(signal) }
        }
        (None, None) => ProcessError::ExitCode { exe: exe.to_owned(), code: -1 },
    };
    reporter.log(&error.to_string());
    Err(error)
}

/// Where the output goes, line by line.
struct OutputLog<'a> {
    pid: u32,
    reporter: &'a Reporter,
    splitter: LineSplitter,
    heard: &'a Heard,
}

impl OutputLog<'_> {
    fn take(&mut self, bytes: &[u8], on_line: &mut impl FnMut(&str)) {
        self.heard.note();
        let mut lines = Vec::new();
        self.splitter.feed(bytes, &mut lines);
        self.emit(&lines, on_line);
    }

    fn progress(&mut self, on_line: &mut impl FnMut(&str)) {
        let line = self.splitter.take_progress();
        self.emit(line.as_slice(), on_line);
    }

    fn finish(&mut self, on_line: &mut impl FnMut(&str)) {
        let mut lines = Vec::new();
        self.splitter.finish(&mut lines);
        self.emit(&lines, on_line);
    }

    fn emit(&self, lines: &[String], on_line: &mut impl FnMut(&str)) {
        for line in lines {
            tracing::debug!(pid = self.pid, "{line}");
            self.reporter.log(&format!("pid={} > {line}", self.pid));
            on_line(line);
        }
    }
}

#[cfg(test)]
mod tests;
