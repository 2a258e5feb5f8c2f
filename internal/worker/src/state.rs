//! The worker's states, and what to do after each answer of the manager. Pure: nothing here waits or calls.
//!
//! ```text
//!                 ┌────────── requested ──────────┐
//!   sign on ──► awake ◄──────────────────────► asleep
//!                 │                               │
//!                 └──────► offline, restart ◄─────┘   (both end the worker: sign off, exit)
//! ```
//!
//! The manager decides; the worker only goes offline by itself when it is told to stop. Any other requested
//! status (`starting`, `error`, `testing`) is none that a worker can be in, and means `asleep`.

use std::time::Duration;

use uuid::Uuid;

use crate::backoff::{Backoff, jittered};
use crate::config::Pace;
use crate::manager_api::{CallError, Fetched, Task, WorkerStatus};

/// A state the worker can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Runs tasks.
    Awake,
    /// Waits to be woken up.
    Asleep,
    /// Stops.
    Offline,
    /// Stops, to be started again by whoever started it.
    Restart,
}

impl State {
    /// The state for a requested status; `None` for one that a worker cannot be in.
    pub fn for_request(requested: WorkerStatus) -> Option<Self> {
        match requested {
            WorkerStatus::Awake => Some(Self::Awake),
            WorkerStatus::Asleep => Some(Self::Asleep),
            WorkerStatus::Offline => Some(Self::Offline),
            WorkerStatus::Restart => Some(Self::Restart),
            WorkerStatus::Starting | WorkerStatus::Error | WorkerStatus::Testing => None,
        }
    }
}

/// How a run of a task ended, as far as the next fetch is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunEnd {
    Completed,
    Failed,
    /// The manager said that it must not go on; perhaps because another state is requested.
    Aborted {
        state_change_requested: bool,
    },
    /// It never began: the manager did not accept that it does.
    NotBegun,
}

/// What to do next while awake.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    Run(Task),
    FetchAgain,
    WaitThenFetch(Duration),
    GoTo(WorkerStatus),
    /// Tell the manager again that this worker is awake, then fetch after the pause.
    AcknowledgeThenFetch(Duration),
    SignOnAgain,
    /// Ask which state is requested, then go on.
    AskState,
}

/// The pauses between fetches, which grow while nothing changes.
#[derive(Debug, Clone)]
pub struct FetchPlan {
    wait: Duration,
    idle: Backoff,
    trouble: Backoff,
    last_run: Option<Uuid>,
}

impl FetchPlan {
    pub fn new(pace: &Pace) -> Self {
        Self {
            wait: pace.task_wait,
            idle: Backoff::new(pace.idle_first, pace.idle_most),
            trouble: Backoff::new(pace.idle_first, pace.idle_most),
            last_run: None,
        }
    }

    /// After asking for a task, which took `took`. `random` is from 0 to 1.
    pub fn after_fetch(&mut self, answer: Result<Fetched, CallError>, took: Duration, random: f64) -> Step {
        let answer = match answer {
            Ok(answer) => answer,
            Err(CallError::Denied(_)) => return Step::SignOnAgain,
            Err(CallError::Conflict(_)) => {
                return Step::AcknowledgeThenFetch(jittered(self.trouble.next_pause(), random));
            }
            Err(_) => return Step::WaitThenFetch(jittered(self.trouble.next_pause(), random)),
        };
        match answer {
            Fetched::Task(task) => {
                self.idle.reset();
                Step::Run(task)
            }
            Fetched::GoTo(requested) => {
                self.trouble.reset();
                self.idle.reset();
                Step::GoTo(requested)
            }
            Fetched::Nothing => {
                self.trouble.reset();
                // A manager that held the request open has done the waiting for us.
                if !self.wait.is_zero() && took >= self.wait / 2 {
                    self.idle.reset();
                    Step::FetchAgain
                } else {
                    Step::WaitThenFetch(jittered(self.idle.next_pause(), random))
                }
            }
        }
    }

    /// After a run of a task.
    pub fn after_run(&mut self, task: Uuid, end: RunEnd, random: f64) -> Step {
        // The same task over and over, as when the manager does not accept its end, must not become a hot loop.
        let is_repeated = self.last_run.replace(task) == Some(task);
        match end {
            RunEnd::Completed if is_repeated => {
                Step::WaitThenFetch(jittered(self.trouble.next_pause(), random))
            }
            RunEnd::Completed => {
                self.trouble.reset();
                Step::FetchAgain
            }
            RunEnd::Aborted { state_change_requested: true } => Step::AskState,
            RunEnd::Failed | RunEnd::NotBegun | RunEnd::Aborted { state_change_requested: false } => {
                Step::WaitThenFetch(jittered(self.trouble.next_pause(), random))
            }
        }
    }
}

/// Notices that the machine was suspended: wall time passed that the steady clock did not see.
#[derive(Debug, Clone, Copy)]
pub struct SuspendDetector {
    wall: Duration,
    steady: Duration,
}

/// A smaller difference is a clock being corrected.
const SUSPENDED_FOR: Duration = Duration::from_secs(30);

impl SuspendDetector {
    /// Both clocks now, each counted from any fixed moment.
    pub fn new(wall: Duration, steady: Duration) -> Self {
        Self { wall, steady }
    }

    /// Whether the machine was suspended since the last look.
    pub fn look(&mut self, wall: Duration, steady: Duration) -> bool {
        let wall_passed = wall.saturating_sub(self.wall);
        let steady_passed = steady.saturating_sub(self.steady);
        *self = Self::new(wall, steady);
        wall_passed.saturating_sub(steady_passed) > SUSPENDED_FOR
    }
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;

    const MIDDLE: f64 = 0.5;

    fn plan() -> FetchPlan {
        FetchPlan::new(&Pace::default())
    }

    fn task() -> Task {
        Task { id: Uuid::nil(), job: Uuid::nil(), name: "t".to_owned(), commands: Vec::new() }
    }

    fn seconds(step: Step) -> u64 {
        match step {
            Step::WaitThenFetch(pause) | Step::AcknowledgeThenFetch(pause) => pause.as_secs(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn requested_states() {
        let cases = [
            (WorkerStatus::Awake, Some(State::Awake)),
            (WorkerStatus::Asleep, Some(State::Asleep)),
            (WorkerStatus::Offline, Some(State::Offline)),
            (WorkerStatus::Restart, Some(State::Restart)),
            (WorkerStatus::Starting, None),
            (WorkerStatus::Error, None),
            (WorkerStatus::Testing, None),
        ];
        for (requested, expected) in cases {
            assert_eq!(State::for_request(requested), expected);
        }
    }

    #[test]
    fn a_manager_that_holds_the_request_is_asked_again_at_once() {
        let mut plan = plan();
        for took in [10, 15, 20, 25] {
            let step = plan.after_fetch(Ok(Fetched::Nothing), Duration::from_secs(took), MIDDLE);
            assert_eq!(step, Step::FetchAgain, "{took}");
        }
    }

    #[test]
    fn a_stock_manager_is_asked_less_and_less_often() {
        let mut plan = plan();
        let ask = |plan: &mut FetchPlan| {
            seconds(plan.after_fetch(Ok(Fetched::Nothing), Duration::from_millis(9_999), MIDDLE))
        };
        assert_eq!([0; 7].map(|_| ask(&mut plan)), [1, 2, 4, 8, 16, 20, 20]);
        assert_eq!(plan.after_fetch(Ok(Fetched::Task(task())), Duration::ZERO, MIDDLE), Step::Run(task()));
        assert_eq!(plan.after_run(Uuid::nil(), RunEnd::Completed, MIDDLE), Step::FetchAgain);
        assert_eq!(ask(&mut plan), 1, "after a task it starts over");
    }

    #[test]
    fn failures_never_pause_long_enough_to_be_forgotten() {
        let errors = [
            CallError::Unreachable(String::new()),
            CallError::Problem { status: StatusCode::INTERNAL_SERVER_ERROR, message: String::new() },
            CallError::Problem { status: StatusCode::NOT_FOUND, message: String::new() },
            CallError::Conflict(String::new()),
        ];
        for error in errors {
            let mut plan = plan();
            let pauses = [0; 7].map(|_| seconds(plan.after_fetch(Err(error.clone()), Duration::ZERO, 1.0)));
            assert!(pauses.iter().all(|pause| *pause < 30), "{error}: {pauses:?}");
            assert!(pauses[0] < pauses[6], "{error}: {pauses:?}");
        }
    }

    #[test]
    fn what_each_answer_leads_to() {
        let mut plan = plan();
        let mut step = |answer| plan.after_fetch(answer, Duration::ZERO, MIDDLE);
        assert_eq!(step(Ok(Fetched::GoTo(WorkerStatus::Asleep))), Step::GoTo(WorkerStatus::Asleep));
        assert_eq!(step(Err(CallError::Denied(String::new()))), Step::SignOnAgain);
        assert!(matches!(step(Err(CallError::Conflict(String::new()))), Step::AcknowledgeThenFetch(_)));
    }

    #[test]
    fn what_each_run_leads_to() {
        let mut plan = plan();
        let mut number = 0;
        let mut after = |end| {
            number += 1;
            plan.after_run(Uuid::from_u128(number), end, MIDDLE)
        };
        assert_eq!(after(RunEnd::Aborted { state_change_requested: true }), Step::AskState);
        let pauses = [RunEnd::Failed, RunEnd::NotBegun, RunEnd::Aborted { state_change_requested: false }]
            .map(|end| seconds(after(end)));
        assert_eq!(pauses, [1, 2, 4], "one failure after the other slows down");
        assert_eq!(after(RunEnd::Completed), Step::FetchAgain);
        assert_eq!(seconds(after(RunEnd::Failed)), 1);
    }

    #[test]
    fn the_same_task_over_and_over_slows_down() {
        let mut plan = plan();
        let (one, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        assert_eq!(plan.after_run(one, RunEnd::Completed, MIDDLE), Step::FetchAgain);
        let pauses = [0; 3].map(|_| seconds(plan.after_run(one, RunEnd::Completed, MIDDLE)));
        assert_eq!(pauses, [1, 2, 4]);
        assert_eq!(plan.after_run(other, RunEnd::Completed, MIDDLE), Step::FetchAgain);
    }

    #[test]
    fn suspends_are_noticed_and_clock_corrections_are_not() {
        let at = Duration::from_secs;
        let cases = [
            // (wall passed, steady passed, suspended)
            (3, 3, false),
            (20, 3, false),
            (3600, 3, true),
            (3600, 3600, false),
            (0, 100, false),
        ];
        for (wall, steady, expected) in cases {
            let mut detector = SuspendDetector::new(at(1_000_000), at(10));
            assert_eq!(detector.look(at(1_000_000 + wall), at(10 + steady)), expected, "{wall} {steady}");
        }
        let mut detector = SuspendDetector::new(at(1000), at(0));
        assert!(!detector.look(at(500), at(3)), "a clock set back is no suspend");
        assert!(!detector.look(at(503), at(6)), "and each look starts over");
    }
}
