//! Which task a worker may get: the rule that the store's claim query implements, spelled once more as a predicate.
//!
//! A property test of the store compares the two on random farms.

use crate::ids::TagId;
use crate::job::JobStatus;
use crate::task::TaskStatus;

/// What the rule looks at on the side of the task and its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Status of the job.
    pub job_status: JobStatus,
    /// Whether the job's deletion was asked for.
    pub job_deleting: bool,
    /// The job's tag.
    pub job_tag: Option<TagId>,
    /// The job's priority.
    pub job_priority: i64,
    /// Place of the job in order of creation.
    pub job_seq: i64,
    /// Status of the task.
    pub status: TaskStatus,
    /// Its type.
    pub task_type: &'a str,
    /// Its priority.
    pub priority: i64,
    /// Its place in the job.
    pub index_in_job: i64,
    /// How many of its dependencies are not completed.
    pub unmet_dependencies: i64,
    /// Whether the asking worker failed it before.
    pub failed_by_worker: bool,
    /// Whether the asking worker is on the job's blocklist for this type.
    pub blocked: bool,
}

/// What the rule looks at on the side of the worker, which is awake and was asked for nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asking<'a> {
    /// Task types it runs.
    pub types: &'a [String],
    /// Its tags.
    pub tags: &'a [TagId],
    /// Whether it may get tasks at all.
    pub enabled: bool,
}

/// Whether the worker may get the task. (One that it has already it keeps, also when it is disabled meanwhile.)
#[must_use]
pub fn is_eligible(candidate: &Candidate<'_>, asking: Asking<'_>) -> bool {
    asking.enabled
        && candidate.job_status.is_schedulable()
        && !candidate.job_deleting
        && candidate.status.is_schedulable()
        && candidate.unmet_dependencies == 0
        && !candidate.failed_by_worker
        && !candidate.blocked
        && asking.types.iter().any(|name| name == candidate.task_type)
        && candidate.job_tag.is_none_or(|tag| asking.tags.contains(&tag))
}

/// Sort key: the task with the smallest key goes first. Job priority, task priority, age of the job, place in it.
#[must_use]
pub fn order(candidate: &Candidate<'_>) -> impl Ord + Copy + std::fmt::Debug + use<> {
    use std::cmp::Reverse;
    (Reverse(candidate.job_priority), Reverse(candidate.priority), candidate.job_seq, candidate.index_in_job)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate() -> Candidate<'static> {
        Candidate {
            job_status: JobStatus::Queued,
            job_deleting: false,
            job_tag: None,
            job_priority: 50,
            job_seq: 1,
            status: TaskStatus::Queued,
            task_type: "blender",
            priority: 50,
            index_in_job: 1,
            unmet_dependencies: 0,
            failed_by_worker: false,
            blocked: false,
        }
    }

    #[test]
    fn each_rule_alone_excludes() {
        let types = ["blender".to_owned(), "ffmpeg".to_owned()];
        let (mine, other) = (TagId::random(), TagId::random());
        let is_eligible = |candidate: &Candidate<'_>, types: &[String], tags: &[TagId]| {
            is_eligible(candidate, Asking { types, tags, enabled: true })
        };
        assert!(is_eligible(&candidate(), &types, &[]));
        assert!(is_eligible(&candidate(), &types, &[mine]), "a tagged worker takes tagless jobs too");
        assert!(is_eligible(&Candidate { job_tag: Some(mine), ..candidate() }, &types, &[other, mine]));
        assert!(is_eligible(&Candidate { status: TaskStatus::SoftFailed, ..candidate() }, &types, &[]));
        for excluded in [
            Candidate { job_status: JobStatus::Paused, ..candidate() },
            Candidate { job_deleting: true, ..candidate() },
            Candidate { status: TaskStatus::Active, ..candidate() },
            Candidate { unmet_dependencies: 1, ..candidate() },
            Candidate { failed_by_worker: true, ..candidate() },
            Candidate { blocked: true, ..candidate() },
            Candidate { task_type: "Blender", ..candidate() },
            Candidate { job_tag: Some(mine), ..candidate() },
        ] {
            assert!(!is_eligible(&excluded, &types, &[other]), "{excluded:?}");
        }
        assert!(!is_eligible(&candidate(), &[], &[]), "no types, no tasks");
        let disabled = Asking { types: &types, tags: &[], enabled: false };
        assert!(!super::is_eligible(&candidate(), disabled), "a disabled worker gets nothing");
    }

    #[test]
    fn order_is_job_priority_task_priority_age_place() {
        let base = candidate();
        for later in [
            Candidate { job_priority: 49, priority: 99, job_seq: 0, index_in_job: 0, ..base },
            Candidate { priority: 49, job_seq: 0, index_in_job: 0, ..base },
            Candidate { job_seq: 2, index_in_job: 0, ..base },
            Candidate { index_in_job: 2, ..base },
        ] {
            assert!(order(&base) < order(&later), "{later:?}");
        }
    }
}
