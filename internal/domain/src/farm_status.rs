//! The state of the farm in one word.

use crate::job::JobStatus;
use crate::status::status_enum;
use crate::worker::WorkerStatus;

status_enum! {
    /// The state of the farm.
    FarmStatus, "farm" {
        /// Not looked at yet.
        Starting = "starting",
        /// A job is running.
        Active = "active",
        /// Workers are ready; there is no work.
        Idle = "idle",
        /// There is work that nobody does.
        Waiting = "waiting",
        /// All workers sleep; there is no work.
        Asleep = "asleep",
        /// No workers, or none that can be reached.
        Inoperative = "inoperative",
        /// None of the above.
        Unknown = "unknown",
    }
}

/// The state of the farm, and why nothing can be done when that is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FarmState {
    /// In one word.
    pub status: FarmStatus,
    /// Why it is [`FarmStatus::Inoperative`].
    pub reason: Option<Unavailable>,
}

impl From<FarmStatus> for FarmState {
    fn from(status: FarmStatus) -> Self {
        Self { status, reason: None }
    }
}

/// Why no worker is available.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unavailable {
    /// How many are disabled, whatever else they are.
    pub disabled: i64,
    /// How many of the others are offline or in error.
    pub unreachable: i64,
}

impl std::fmt::Display for Unavailable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.disabled, self.unreachable) {
            (0, 0) => f.write_str("there are no workers"),
            (_, 0) => f.write_str("all workers are disabled"),
            (0, _) => f.write_str("all workers are offline or in error"),
            (disabled, unreachable) => {
                write!(f, "no worker is available: {disabled} disabled, {unreachable} offline or in error")
            }
        }
    }
}

/// How many workers are in a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerCount {
    /// The status.
    pub status: WorkerStatus,
    /// How many are in it.
    pub workers: i64,
    /// How many of these are disabled.
    pub disabled: i64,
}

/// Decides the state of the farm from the number of workers and jobs by status. A disabled worker is not available.
#[must_use]
pub fn farm_state(workers: &[WorkerCount], jobs: &[(JobStatus, i64)]) -> FarmState {
    let enabled = |count: &WorkerCount| count.workers - count.disabled;
    let worker = |status| workers.iter().any(|count| count.status == status && enabled(count) > 0);
    let job = |status| jobs.iter().any(|(s, n)| *s == status && *n > 0);
    let is_lost = |status| matches!(status, WorkerStatus::Offline | WorkerStatus::Error);
    if !workers.iter().any(|count| enabled(count) > 0 && !is_lost(count.status)) {
        let reason = Unavailable {
            disabled: workers.iter().map(|count| count.disabled).sum(),
            unreachable: workers.iter().map(enabled).sum(),
        };
        return FarmState { status: FarmStatus::Inoperative, reason: Some(reason) };
    }
    let status = if job(JobStatus::Active) && worker(WorkerStatus::Awake) {
        FarmStatus::Active
    } else if job(JobStatus::Active) || job(JobStatus::Queued) {
        FarmStatus::Waiting
    } else if !worker(WorkerStatus::Awake) && worker(WorkerStatus::Asleep) {
        FarmStatus::Asleep
    } else {
        FarmStatus::Idle
    };
    status.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use FarmStatus as F;
    use JobStatus as J;
    use WorkerStatus as W;

    #[test]
    fn first_rule_that_fits_wins() {
        // Status of workers, how many, how many of them are disabled.
        type Case<'a> = (&'a [(W, i64, i64)], &'a [(J, i64)], F);
        let cases: &[Case<'_>] = &[
            (&[], &[(J::Active, 1)], F::Inoperative),
            (&[(W::Offline, 3, 0)], &[], F::Inoperative),
            (&[(W::Offline, 2, 0), (W::Error, 1, 0)], &[], F::Inoperative),
            (&[(W::Awake, 1, 0)], &[(J::Active, 1)], F::Active),
            (&[(W::Asleep, 3, 0)], &[(J::Active, 1)], F::Waiting),
            (&[(W::Awake, 1, 0)], &[(J::Queued, 1)], F::Waiting),
            (&[(W::Asleep, 1, 0), (W::Offline, 1, 0)], &[(J::Completed, 9)], F::Asleep),
            (&[(W::Awake, 1, 0), (W::Asleep, 1, 0)], &[(J::CancelRequested, 1)], F::Idle),
            (&[(W::Starting, 1, 0)], &[], F::Idle),
            (&[(W::Awake, 1, 0)], &[(J::PauseRequested, 1)], F::Idle),
            (&[(W::Awake, 2, 2)], &[(J::Active, 1)], F::Inoperative),
            (&[(W::Awake, 2, 2), (W::Error, 1, 0)], &[], F::Inoperative),
            (&[(W::Awake, 2, 1)], &[(J::Active, 1)], F::Active),
            (&[(W::Awake, 2, 2), (W::Asleep, 1, 0)], &[(J::Active, 1)], F::Waiting),
            (&[(W::Awake, 2, 2), (W::Asleep, 1, 0)], &[], F::Asleep),
        ];
        for (workers, jobs, want) in cases {
            let got = farm_state(&counts(workers), jobs);
            assert_eq!(got.status, *want, "{workers:?} {jobs:?}");
            assert_eq!(got.reason.is_some(), *want == F::Inoperative, "{workers:?} {jobs:?}");
        }
    }

    fn counts(workers: &[(W, i64, i64)]) -> Vec<WorkerCount> {
        let count = |(status, workers, disabled): &(W, i64, i64)| WorkerCount {
            status: *status,
            workers: *workers,
            disabled: *disabled,
        };
        workers.iter().map(count).collect()
    }

    #[test]
    fn why_nothing_can_be_done() {
        type Case<'a> = (&'a [(W, i64, i64)], &'a str);
        let cases: &[Case<'_>] = &[
            (&[], "there are no workers"),
            (&[(W::Awake, 2, 2), (W::Offline, 1, 1)], "all workers are disabled"),
            (&[(W::Offline, 1, 0), (W::Error, 1, 0)], "all workers are offline or in error"),
            (
                &[(W::Awake, 2, 2), (W::Error, 3, 1)],
                "no worker is available: 3 disabled, 2 offline or in error",
            ),
        ];
        for (workers, want) in cases {
            let state = farm_state(&counts(workers), &[(J::Active, 1)]);
            assert_eq!(state.status, F::Inoperative);
            assert_eq!(state.reason.unwrap().to_string(), *want, "{workers:?}");
        }
    }
}
