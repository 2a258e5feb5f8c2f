//! Running JavaScript without trusting it.
//!
//! Every run has a thread, a JavaScript runtime and a set of globals of its own, and leaves nothing behind. Three
//! limits guard it: processor time (the engine asks an interrupt handler every few thousand steps), memory (counted
//! by the engine's allocator) and stack (the thread's stack is larger than what the engine may use, so that it
//! notices before the operating system does).

use crate::error::Error;
use crate::json::Budget;
use crate::text::Text;
use rquickjs::{Context, Ctx, Object, Runtime, Value};
use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

/// Name of the prelude in stack traces; positions in it mean nothing to a script's author.
pub(crate) const PRELUDE_FILE: &str = "<flamenco>";

/// Stack of the thread beyond what scripts may use: for functions of the manager that a script calls.
const STACK_RESERVE: usize = 4 * 1024 * 1024;

/// Memory that is added when a script has failed, so that its error can still be read.
const MEMORY_RESERVE: usize = 16 * 1024 * 1024;

/// Below this not even an empty realm works.
const MIN_MEMORY: usize = 4 * 1024 * 1024;

/// Ends the run of a script before its time. Cheap to clone; all clones are the same.
#[derive(Debug, Clone, Default)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Ends the run, which then fails as if its time were over. A run that has ended is not affected.
    pub fn interrupt(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Limits for one run of a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Processor time that a script may use. Where the operating system does not count it per thread, elapsed time.
    pub cpu: Duration,
    /// Memory in bytes: once for the script's own values, and once more for the job that it makes.
    pub memory: usize,
    /// Stack in bytes that nested calls of a script may use.
    pub stack: usize,
    /// The largest number of frames in one range.
    pub max_frames: u64,
}

impl Default for Limits {
    /// 5 s, 256 MiB, 2 MiB, one million frames.
    fn default() -> Self {
        Self { cpu: Duration::from_secs(5), memory: 256 << 20, stack: 2 << 20, max_frames: 1_000_000 }
    }
}

/// Why the host stopped working for a script. Becomes an [`Error`] by [`Engine::execute`].
#[derive(Debug)]
pub(crate) enum Stop {
    /// A JavaScript exception is pending, or the engine failed.
    Js(rquickjs::Error),
    /// A JavaScript exception is pending, thrown by the top-level code of the script.
    TopLevel,
    /// Something is wrong with a value; the text names it.
    Problem(String),
    /// The [`Budget`] is used up.
    OverBudget,
    /// A finished answer.
    Error(Error),
}

impl From<rquickjs::Error> for Stop {
    fn from(error: rquickjs::Error) -> Self {
        Self::Js(error)
    }
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A place in a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) file: String,
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// One JavaScript realm with its limits. Lives on the thread that made it.
pub(crate) struct Engine {
    runtime: Runtime,
    context: Context,
    limits: Limits,
    file: String,
    expired: Rc<Cell<bool>>,
    budget: Budget,
    thrown_at: Rc<RefCell<Option<Position>>>,
}

/// What comes from the thread of a script.
enum Report<P, T> {
    Part(P),
    Done(Result<T, Error>),
}

/// A script that runs on a thread of its own, and gives parts of its result before it is done.
pub(crate) struct Running<P, T> {
    reports: mpsc::Receiver<Report<P, T>>,
    deadline: Instant,
    limit: Duration,
    file: String,
}

/// The next part, or the end.
pub(crate) enum Progress<P, T> {
    Part(P),
    Done(T),
}

/// Runs `work` with a new engine on a thread of its own. `file` is named in errors.
pub(crate) fn start<P: Send + 'static, T: Send + 'static>(
    limits: &Limits,
    file: &str,
    interrupt: &Interrupt,
    work: impl FnOnce(&Engine, &dyn Fn(P)) -> Result<T, Error> + Send + 'static,
) -> Result<Running<P, T>, Error> {
    // Without a bound: a script that waits until somebody takes what it has made would run out of time.
    let (sender, reports) = mpsc::channel();
    let (thread_limits, thread_file, interrupt) = (limits.clone(), file.to_owned(), interrupt.clone());
    std::thread::Builder::new()
        .name("job-script".to_owned())
        .stack_size(limits.stack + STACK_RESERVE)
        .spawn(move || {
            // Nobody listens any more when the run took too long; that has been reported then.
            let hand_over = |part| drop(sender.send(Report::Part(part)));
            let engine = Engine::new(thread_limits, thread_file, interrupt);
            let result = engine.as_ref().map_err(Clone::clone).and_then(|engine| work(engine, &hand_over));
            // Before the engine gives back its memory, for which nobody needs to wait.
            drop(sender.send(Report::Done(result)));
        })
        .map_err(|error| internal(file, format!("cannot start a thread: {error}")))?;
    // A few built-in functions of the engine do not ask the interrupt handler while they loop. Then the submitter
    // gets an answer from here, and the thread ends when the function does.
    let deadline = Instant::now() + limits.cpu * 4 + Duration::from_secs(1);
    Ok(Running { reports, deadline, limit: limits.cpu, file: file.to_owned() })
}

/// As [`start`], without parts, and waits for the result.
pub(crate) fn run<T: Send + 'static>(
    limits: &Limits,
    file: &str,
    work: impl FnOnce(&Engine) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let running = start(limits, file, &Interrupt::default(), move |engine, _: &dyn Fn(())| work(engine))?;
    loop {
        if let Progress::Done(result) = running.next()? {
            return Ok(result);
        }
    }
}

fn internal(file: &str, message: String) -> Error {
    Error::Internal { file: file.to_owned(), message }
}

impl<P, T> Running<P, T> {
    /// Waits for the next part, or the end.
    pub(crate) fn next(&self) -> Result<Progress<P, T>, Error> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        match self.reports.recv_timeout(left) {
            Ok(Report::Part(part)) => Ok(Progress::Part(part)),
            Ok(Report::Done(result)) => result.map(Progress::Done),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                tracing::error!(
                    script = self.file,
                    "job type script cannot be interrupted; its thread goes on for a while"
                );
                Err(Error::TimeLimit { file: self.file.clone(), limit: self.limit })
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => {
                Err(internal(&self.file, "its thread panicked".to_owned()))
            }
        }
    }
}

impl Engine {
    fn new(limits: Limits, file: String, interrupt: Interrupt) -> Result<Self, Error> {
        let failed =
            |error: rquickjs::Error| Error::Internal { file: file.clone(), message: error.to_string() };
        let runtime = Runtime::new().map_err(failed)?;
        runtime.set_max_stack_size(limits.stack);
        let expired = Rc::new(Cell::new(false));
        let budget = Budget::new(limits.memory);
        let handler = interrupt_handler(limits.cpu, interrupt, expired.clone(), budget.clone());
        runtime.set_interrupt_handler(Some(handler));
        let context = Context::full(&runtime).map_err(failed)?;
        let memory = limits.memory.max(MIN_MEMORY);
        runtime.set_memory_limit(memory);
        // Only circular garbage waits for the collector, which looks at everything there is. Most scripts end before that
        // is worth it.
        runtime.set_gc_threshold(memory / 2);
        Ok(Self { runtime, context, limits, file, expired, budget, thrown_at: Rc::default() })
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn file(&self) -> &str {
        &self.file
    }

    pub(crate) fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Where the prelude notes the place of a thrown value that is not an `Error`.
    pub(crate) fn thrown_at(&self) -> &Rc<RefCell<Option<Position>>> {
        &self.thrown_at
    }

    /// Whether the script has used up its time or its budget.
    pub(crate) fn must_stop(&self) -> bool {
        self.expired.get() || self.budget.is_exhausted()
    }

    /// Calls `work` in the realm, and explains what went wrong if it fails.
    pub(crate) fn execute<T>(&self, work: impl FnOnce(Ctx<'_>) -> Result<T, Stop>) -> Result<T, Error> {
        let stop = match self.context.with(work) {
            // A script that catches everything must not get away with it.
            Ok(_) if self.expired.get() => return Err(self.time_limit()),
            Ok(value) => return Ok(value),
            Err(stop) => stop,
        };
        if self.expired.get() {
            return Err(self.time_limit());
        }
        if self.budget.is_exhausted() {
            return Err(self.memory_limit());
        }
        Err(match stop {
            Stop::Error(error) => error,
            Stop::OverBudget | Stop::Js(rquickjs::Error::Allocation) => self.memory_limit(),
            Stop::Problem(message) => Error::InvalidJob { file: self.file.clone(), message },
            Stop::Js(rquickjs::Error::Exception) => self.explain_exception(),
            Stop::TopLevel => self.explain_exception().into_broken(),
            Stop::Js(error) => Error::Internal { file: self.file.clone(), message: error.to_string() },
        })
    }

    fn explain_exception(&self) -> Error {
        // Reading the error needs memory too, and there may be none left.
        self.runtime.set_memory_limit(self.limits.memory.max(MIN_MEMORY) + MEMORY_RESERVE);
        let error = self.context.with(|ctx| {
            let thrown = ctx.catch();
            if is_out_of_memory(&thrown) {
                return self.memory_limit();
            }
            let message = message_of(&thrown);
            let position = position_of(&thrown).or_else(|| self.thrown_at.borrow_mut().take());
            let (file, line, column) = match position {
                Some(position) => (position.file, Some(position.line), Some(position.column)),
                None => (self.file.clone(), None, None),
            };
            Error::Script { file, line, column, message }
        });
        // The error's own getters may have run for too long.
        if self.expired.get() { self.time_limit() } else { error }
    }

    fn time_limit(&self) -> Error {
        Error::TimeLimit { file: self.file.clone(), limit: self.limits.cpu }
    }

    fn memory_limit(&self) -> Error {
        Error::MemoryLimit { file: self.file.clone(), limit: self.limits.memory }
    }
}

/// Says "stop" once the time is over, and from then on always: a script cannot catch its way around it.
fn interrupt_handler(
    limit: Duration,
    interrupt: Interrupt,
    expired: Rc<Cell<bool>>,
    budget: Budget,
) -> Box<dyn FnMut() -> bool> {
    let start = thread_time();
    let wall = Instant::now();
    Box::new(move || {
        let used = match (start, thread_time()) {
            (Some(start), Some(now)) => now.saturating_sub(start),
            _ => wall.elapsed(),
        };
        if used >= limit || interrupt.is_set() {
            expired.set(true);
        }
        expired.get() || budget.is_exhausted()
    })
}

/// Processor time used by this thread.
#[cfg(unix)]
fn thread_time() -> Option<Duration> {
    nix::time::clock_gettime(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID).ok().map(Duration::from)
}

/// Processor time used by this thread: not counted here.
#[cfg(not(unix))]
fn thread_time() -> Option<Duration> {
    None
}

fn is_out_of_memory(thrown: &Value<'_>) -> bool {
    let Some(object) = thrown.as_object() else {
        // Without memory for an `Error` the engine throws null, or nothing at all. No script means to throw null.
        return matches!(thrown.type_of(), rquickjs::Type::Uninitialized | rquickjs::Type::Null);
    };
    let internal = thrown.is_error() && own_text(object, "name").as_deref() == Some("InternalError");
    // Without the message when there was no memory for that.
    internal && matches!(own_text(object, "message").as_deref(), Some("out of memory" | "") | None)
}

/// The thrown text. The class of an error is only told when it says more than "Error".
fn message_of(thrown: &Value<'_>) -> String {
    let message = match thrown.as_object().filter(|_| thrown.is_error()) {
        None => thrown.get::<Text>().map(|text| text.0).ok(),
        Some(error) => {
            let name = own_text(error, "name").unwrap_or_default();
            let message = own_text(error, "message").unwrap_or_default();
            Some(match (name.as_str(), message.is_empty()) {
                ("Error" | "", false) => message,
                (_, false) => format!("{name}: {message}"),
                ("", true) => "Error".to_owned(),
                (_, true) => name,
            })
        }
    };
    if message.is_none() {
        // Converting the value threw in turn; nobody asks for that exception.
        thrown.ctx().catch();
    }
    message.unwrap_or_else(|| "the script threw a value that cannot be shown as text".to_owned())
}

/// A property as text; `None` also when reading it throws.
fn own_text(object: &Object<'_>, key: &str) -> Option<String> {
    let text = object.get::<_, Text>(key);
    if text.is_err() {
        object.ctx().catch();
    }
    text.ok().map(|text| text.0)
}

/// The innermost place in a script that the stack of an `Error` names.
fn position_of(thrown: &Value<'_>) -> Option<Position> {
    let error = thrown.as_object().filter(|_| thrown.is_error())?;
    own_text(error, "stack")?.lines().find_map(parse_frame)
}

/// Reads `    at name (file:line:column)`, or the same without name and parentheses.
fn parse_frame(line: &str) -> Option<Position> {
    let frame = line.trim().strip_prefix("at ")?;
    let place = match frame.split_once(" (") {
        Some((_, place)) => place.strip_suffix(')')?,
        None => frame,
    };
    let (rest, column) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    let known = file != PRELUDE_FILE;
    known.then_some(Position {
        file: file.to_owned(),
        line: line.parse().ok()?,
        column: column.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_stack() {
        let at = |file: &str, line, column| Some(Position { file: file.into(), line, column });
        for (frame, expected) in [
            ("    at compileJob (my_job.js:12:9)", at("my_job.js", 12, 9)),
            ("    at <anonymous> (lib/a b.js:1:2)", at("lib/a b.js", 1, 2)),
            ("    at my_job.js:3:4", at("my_job.js", 3, 4)),
            ("    at Task (<flamenco>:12:9)", None),
            ("    at push (native)", None),
            ("    at x (missing)", None),
            ("", None),
        ] {
            assert_eq!(parse_frame(frame), expected, "{frame:?}");
        }
    }

    #[test]
    fn a_panic_is_an_internal_error() {
        let result = run::<()>(&Limits::default(), "x.js", |_| panic!("on purpose"));
        assert!(matches!(result, Err(Error::Internal { .. })), "{result:?}");
    }
}
