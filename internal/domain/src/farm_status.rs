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

/// Decides the state of the farm from the number of workers and jobs by status.
#[must_use]
pub fn farm_status(workers: &[(WorkerStatus, i64)], jobs: &[(JobStatus, i64)]) -> FarmStatus {
    let worker = |status| workers.iter().any(|(s, n)| *s == status && *n > 0);
    let job = |status| jobs.iter().any(|(s, n)| *s == status && *n > 0);
    let reachable =
        workers.iter().any(|(s, n)| *n > 0 && !matches!(s, WorkerStatus::Offline | WorkerStatus::Error));
    if !reachable {
        FarmStatus::Inoperative
    } else if job(JobStatus::Active) && worker(WorkerStatus::Awake) {
        FarmStatus::Active
    } else if job(JobStatus::Active) || job(JobStatus::Queued) {
        FarmStatus::Waiting
    } else if !worker(WorkerStatus::Awake) && worker(WorkerStatus::Asleep) {
        FarmStatus::Asleep
    } else {
        FarmStatus::Idle
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FarmStatus as F;
    use JobStatus as J;
    use WorkerStatus as W;

    #[test]
    fn first_rule_that_fits_wins() {
        type Case<'a> = (&'a [(W, i64)], &'a [(J, i64)], F);
        let cases: &[Case<'_>] = &[
            (&[], &[(J::Active, 1)], F::Inoperative),
            (&[(W::Offline, 3)], &[], F::Inoperative),
            (&[(W::Offline, 2), (W::Error, 1)], &[], F::Inoperative),
            (&[(W::Awake, 1)], &[(J::Active, 1)], F::Active),
            (&[(W::Asleep, 3)], &[(J::Active, 1)], F::Waiting),
            (&[(W::Awake, 1)], &[(J::Queued, 1)], F::Waiting),
            (&[(W::Asleep, 1), (W::Offline, 1)], &[(J::Completed, 9)], F::Asleep),
            (&[(W::Awake, 1), (W::Asleep, 1)], &[(J::CancelRequested, 1)], F::Idle),
            (&[(W::Starting, 1)], &[], F::Idle),
            (&[(W::Awake, 1)], &[(J::PauseRequested, 1)], F::Idle),
        ];
        for (workers, jobs, want) in cases {
            assert_eq!(farm_status(workers, jobs), *want, "{workers:?} {jobs:?}");
        }
    }
}
