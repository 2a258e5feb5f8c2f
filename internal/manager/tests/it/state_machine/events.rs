//! What can happen.

use flamenco_domain::job::JobStatus;
use flamenco_domain::task::TaskStatus;
use flamenco_domain::worker::WorkerStatus;
use proptest::prelude::*;
use proptest::sample::{Index, select};

/// Which task a worker talks about.
#[derive(Debug, Clone)]
pub enum Which {
    /// The one that it has.
    Own,
    /// Any of any job.
    Any(Index),
}

/// Jobs, tasks and workers are chosen among those that there are at the time.
#[derive(Debug, Clone)]
pub enum Event {
    Submit { shape: Index, priority: i64, tag: usize, paused: bool },
    Register { types: usize },
    Ask(Index),
    Report { worker: Index, which: Which, status: Option<TaskStatus>, steps: Option<i64>, log: bool },
    MayRun { worker: Index, which: Which },
    RequestJob(Index, JobStatus),
    RequestTask(Index, TaskStatus),
    Priority(Index, i64),
    JobTag(Index, usize),
    DeleteJob(Index),
    Erase,
    Unblock(Index),
    SignOn { worker: Index, types: usize },
    SignOff(Index),
    State(Index, WorkerStatus),
    RequestWorker(Index, WorkerStatus, bool),
    WorkerTags(Index, usize),
    Sleep(Index, bool),
    Enable(Index),
    Disable { worker: Index, now: bool },
    DeleteWorker(Index),
    Jump(i64),
    Rounds,
    Reopen,
    HalfDone(Index, JobStatus),
}

fn which() -> impl Strategy<Value = Which> {
    prop_oneof![4 => Just(Which::Own), 1 => any::<Index>().prop_map(Which::Any)]
}

fn report() -> impl Strategy<Value = Event> {
    use TaskStatus as T;
    let status = prop_oneof![
        4 => Just(Some(T::Completed)),
        4 => Just(Some(T::Failed)),
        1 => Just(None),
        2 => select(T::ALL.to_vec()).prop_map(Some),
    ];
    let steps = prop::option::weighted(0.3, -1i64..5);
    (any::<Index>(), which(), status, steps, prop::bool::weighted(0.2))
        .prop_map(|(worker, which, status, steps, log)| Event::Report { worker, which, status, steps, log })
}

fn of_jobs() -> impl Strategy<Value = Event> {
    use JobStatus as J;
    let submit = (any::<Index>(), 49i64..52, 0usize..4, prop::bool::weighted(0.1))
        .prop_map(|(shape, priority, tag, paused)| Event::Submit { shape, priority, tag, paused });
    let requested = prop_oneof![
        9 => select(vec![J::CancelRequested, J::PauseRequested, J::Requeueing]),
        1 => select(J::ALL.to_vec()),
    ];
    let of_task = prop_oneof![
        9 => select(vec![TaskStatus::Canceled, TaskStatus::Queued]),
        1 => select(TaskStatus::ALL.to_vec()),
    ];
    let job = any::<Index>;
    prop_oneof![
        5 => submit,
        5 => (job(), requested).prop_map(|(job, status)| Event::RequestJob(job, status)),
        4 => (job(), of_task).prop_map(|(task, status)| Event::RequestTask(task, status)),
        1 => (job(), 0i64..101).prop_map(|(job, priority)| Event::Priority(job, priority)),
        1 => (job(), 0usize..3).prop_map(|(job, tag)| Event::JobTag(job, tag)),
        1 => job().prop_map(Event::DeleteJob),
        1 => Just(Event::Erase),
        1 => job().prop_map(Event::Unblock),
    ]
}

fn of_workers() -> impl Strategy<Value = Event> {
    let worker = any::<Index>;
    let status = || select(WorkerStatus::ALL.to_vec());
    prop_oneof![
        3 => (1usize..8).prop_map(|types| Event::Register { types }),
        2 => (worker(), 1usize..8).prop_map(|(worker, types)| Event::SignOn { worker, types }),
        1 => worker().prop_map(Event::SignOff),
        3 => (worker(), prop_oneof![3 => Just(WorkerStatus::Awake), 2 => status()])
            .prop_map(|(worker, status)| Event::State(worker, status)),
        2 => (worker(), status(), any::<bool>())
            .prop_map(|(worker, status, lazy)| Event::RequestWorker(worker, status, lazy)),
        2 => (worker(), 0usize..4).prop_map(|(worker, tags)| Event::WorkerTags(worker, tags)),
        1 => (worker(), any::<bool>()).prop_map(|(worker, active)| Event::Sleep(worker, active)),
        1 => worker().prop_map(Event::Enable),
        2 => (worker(), any::<bool>()).prop_map(|(worker, now)| Event::Disable { worker, now }),
        1 => worker().prop_map(Event::DeleteWorker),
    ]
}

fn of_the_manager() -> impl Strategy<Value = Event> {
    let jump = prop_oneof![-7_200i64..7_200, 1i64..90];
    let transient = select(vec![
        JobStatus::CancelRequested,
        JobStatus::PauseRequested,
        JobStatus::Requeueing,
        JobStatus::UnderConstruction,
    ]);
    prop_oneof![
        4 => jump.prop_map(Event::Jump),
        4 => Just(Event::Rounds),
        1 => Just(Event::Reopen),
        1 => (any::<Index>(), transient).prop_map(|(job, status)| Event::HalfDone(job, status)),
    ]
}

pub fn event() -> impl Strategy<Value = Event> {
    let worker = any::<Index>;
    prop_oneof![
        10 => worker().prop_map(Event::Ask),
        10 => report(),
        2 => (worker(), which()).prop_map(|(worker, which)| Event::MayRun { worker, which }),
        8 => of_jobs(),
        5 => of_workers(),
        2 => of_the_manager(),
    ]
}
