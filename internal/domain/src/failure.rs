//! What becomes of a task that failed on a worker: another try, a failure for good, or the end of the job.

use crate::job::JobStatus;
use crate::task::TaskStatus;

/// How many failures are borne.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailurePolicy {
    /// A worker that fails this many tasks of one type in a job gets no more of them; 0 never blocks.
    pub blocklist_threshold: i64,
    /// A task that this many workers failed has failed for good; 0 counts as 1.
    pub fail_after: i64,
}

/// What is known when a task fails; every number includes this failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureFacts {
    /// How many workers failed this task.
    pub workers_failed: i64,
    /// How many tasks of this type in this job this worker failed.
    pub failures_of_worker: i64,
    /// Other workers that exist, support the task's type, have the job's tag, are not on its blocklist, and have not
    /// failed this task. Sleeping and absent ones count: they may come back.
    pub others_left: i64,
    /// Status of the job.
    pub job: JobStatus,
}

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureOutcome {
    /// Put the worker on the job's blocklist for this task type.
    pub block: bool,
    /// Queue the tasks of that type again that this worker failed for good in this job: others may do better.
    pub retry_failed: bool,
    /// New status of the task.
    pub task: TaskStatus,
    /// The whole job fails, because nobody is left to run its tasks of this type.
    pub fail_job: bool,
}

/// Decides what becomes of a failed task.
#[must_use]
pub fn on_failure(facts: FailureFacts, policy: FailurePolicy) -> FailureOutcome {
    let block = policy.blocklist_threshold > 0 && facts.failures_of_worker >= policy.blocklist_threshold;
    let for_good = facts.workers_failed >= policy.fail_after.max(1);
    // A task that everybody has failed often enough is at fault itself, and the others of its job go on. Only where its
    // last worker is blocked just now, or it would wait for another that does not exist, nobody is left for the rest.
    if facts.others_left <= 0 && (block || !for_good) {
        return FailureOutcome { block, retry_failed: false, task: TaskStatus::Failed, fail_job: true };
    }
    let task = if for_good {
        TaskStatus::Failed
    } else if facts.job == JobStatus::PauseRequested {
        TaskStatus::Paused
    } else {
        TaskStatus::SoftFailed
    };
    FailureOutcome { block, retry_failed: block, task, fail_job: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use TaskStatus as T;

    const POLICY: FailurePolicy = FailurePolicy { blocklist_threshold: 3, fail_after: 3 };

    #[test]
    fn every_case_of_the_algorithm() {
        // workers failed, failures of this worker, others left, job; block, retry, task, job fails
        for (facts, want) in [
            ((1, 1, 2, JobStatus::Active), (false, false, T::SoftFailed, false)),
            ((1, 1, 1, JobStatus::Active), (false, false, T::SoftFailed, false)),
            ((1, 1, 0, JobStatus::Active), (false, false, T::Failed, true)),
            ((3, 1, 2, JobStatus::Active), (false, false, T::Failed, false)),
            ((3, 1, 0, JobStatus::Active), (false, false, T::Failed, false)),
            ((3, 3, 2, JobStatus::Active), (true, true, T::Failed, false)),
            ((1, 2, 2, JobStatus::Active), (false, false, T::SoftFailed, false)),
            ((1, 3, 2, JobStatus::Active), (true, true, T::SoftFailed, false)),
            ((1, 4, 2, JobStatus::Active), (true, true, T::SoftFailed, false)),
            ((3, 3, 0, JobStatus::Active), (true, false, T::Failed, true)),
            ((1, 1, 2, JobStatus::PauseRequested), (false, false, T::Paused, false)),
        ] {
            let (workers_failed, failures_of_worker, others_left, job) = facts;
            let got =
                on_failure(FailureFacts { workers_failed, failures_of_worker, others_left, job }, POLICY);
            let (block, retry_failed, task, fail_job) = want;
            assert_eq!(got, FailureOutcome { block, retry_failed, task, fail_job }, "{facts:?}");
        }
    }

    #[test]
    fn zero_never_blocks_and_fails_at_once() {
        let policy = FailurePolicy { blocklist_threshold: 0, fail_after: 0 };
        let facts = FailureFacts {
            workers_failed: 1,
            failures_of_worker: 99,
            others_left: 5,
            job: JobStatus::Active,
        };
        let got = on_failure(facts, policy);
        assert_eq!((got.block, got.task, got.fail_job), (false, T::Failed, false));
        let alone = on_failure(FailureFacts { others_left: 0, ..facts }, policy);
        assert_eq!((alone.task, alone.fail_job), (T::Failed, false), "the other tasks go on");
    }
}
