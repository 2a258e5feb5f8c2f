//! Why a task does not start.

use crate::attention::{Hand, StuckReason, why_stuck};
use crate::job::{JobStatus, TaskCounts};
use crate::task::TaskStatus;

/// Why a task does not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// Its job is being deleted.
    JobDeleted,
    /// Its job is paused, or about to be.
    JobPaused,
    /// Its job has ended, or is about to.
    JobOver,
    /// A task that it waits for failed or was canceled.
    DependencyFailed,
    /// Tasks that it waits for are not completed.
    Dependencies,
    /// No worker may be given it.
    Stuck(StuckReason),
    /// Those that may have tried it and failed.
    FailedEverywhere,
    /// It waits for a worker to be free.
    Turn,
}

/// A task, and what it depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The status of the task.
    pub status: TaskStatus,
    /// Its type.
    pub task_type: &'a str,
    /// The status of its job.
    pub job: JobStatus,
    /// Whether its job is being deleted.
    pub job_deleted: bool,
    /// Database key of the job's tag; `None` is any worker.
    pub tag: Option<i64>,
    /// The tasks that it waits for.
    pub waits_for: TaskCounts,
}

impl Situation<'_> {
    /// Whether it is only its workers that matter: those of a job that cannot go on do not.
    #[must_use]
    pub const fn job_goes_on(&self) -> bool {
        self.job.is_schedulable() && !self.job_deleted
    }
}

/// All reasons why a task does not start, the most fundamental first; none when it runs or has ended. `is_blocked` tells
/// which workers are on the job's blocklist for its type, `has_failed` which have failed this very task.
#[must_use]
pub fn why_waiting(
    task: &Situation<'_>,
    hands: &[Hand],
    is_blocked: impl Fn(i64) -> bool,
    has_failed: impl Fn(i64) -> bool,
) -> Vec<WaitReason> {
    let mut reasons = Vec::new();
    if !task.status.is_schedulable() && task.status != TaskStatus::Paused {
        return reasons;
    }
    if task.job_deleted {
        reasons.push(WaitReason::JobDeleted);
    }
    match task.job {
        JobStatus::Paused | JobStatus::PauseRequested => reasons.push(WaitReason::JobPaused),
        // It is in the queue in a moment.
        JobStatus::Queued | JobStatus::Active | JobStatus::Requeueing | JobStatus::UnderConstruction => {}
        JobStatus::Completed | JobStatus::Failed | JobStatus::Canceled | JobStatus::CancelRequested => {
            reasons.push(WaitReason::JobOver);
        }
    }
    if task.waits_for.failed + task.waits_for.canceled > 0 {
        reasons.push(WaitReason::DependencyFailed);
    }
    if task.waits_for.completed < task.waits_for.total() {
        reasons.push(WaitReason::Dependencies);
    }
    if task.job_goes_on() {
        let blocked = why_stuck(hands, task.task_type, task.tag, &is_blocked);
        let left = why_stuck(hands, task.task_type, task.tag, |seq| is_blocked(seq) || has_failed(seq));
        match (blocked, left) {
            (None | Some(StuckReason::Disabled | StuckReason::Away), Some(StuckReason::Blocked)) => {
                reasons.push(WaitReason::FailedEverywhere);
            }
            (_, Some(reason)) => reasons.push(WaitReason::Stuck(reason)),
            (_, None) => {}
        }
    }
    if reasons.is_empty() && task.status.is_schedulable() {
        reasons.push(WaitReason::Turn);
    }
    reasons
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hand(seq: i64, tags: &[i64], present: bool) -> Hand {
        Hand { seq, types: vec!["blender".into()], tags: tags.to_vec(), enabled: true, present }
    }

    const TASK: Situation<'static> = Situation {
        status: TaskStatus::Queued,
        task_type: "blender",
        job: JobStatus::Active,
        job_deleted: false,
        tag: None,
        waits_for: TaskCounts {
            queued: 0,
            soft_failed: 0,
            active: 0,
            completed: 2,
            failed: 0,
            canceled: 0,
            paused: 0,
        },
    };

    #[test]
    fn every_reason_is_told_the_most_fundamental_first() {
        use WaitReason as R;
        let waits = |failed, queued| TaskCounts { failed, queued, ..TASK.waits_for };
        let free = vec![hand(1, &[], true)];
        for (task, hands, want) in [
            (TASK, free.clone(), vec![R::Turn]),
            (Situation { status: TaskStatus::Active, ..TASK }, vec![], vec![]),
            (Situation { status: TaskStatus::Completed, job: JobStatus::Paused, ..TASK }, vec![], vec![]),
            (Situation { job: JobStatus::Paused, ..TASK }, vec![], vec![R::JobPaused]),
            (
                Situation { status: TaskStatus::Paused, job: JobStatus::PauseRequested, ..TASK },
                free.clone(),
                vec![R::JobPaused],
            ),
            (Situation { job: JobStatus::Canceled, ..TASK }, free.clone(), vec![R::JobOver]),
            (Situation { job_deleted: true, ..TASK }, free.clone(), vec![R::JobDeleted]),
            (Situation { waits_for: waits(0, 1), ..TASK }, free.clone(), vec![R::Dependencies]),
            (
                Situation { waits_for: waits(1, 0), job: JobStatus::Paused, ..TASK },
                free.clone(),
                vec![R::JobPaused, R::DependencyFailed, R::Dependencies],
            ),
            (
                Situation { waits_for: waits(0, 1), tag: Some(7), ..TASK },
                free.clone(),
                vec![R::Dependencies, R::Stuck(StuckReason::NoTag)],
            ),
            (TASK, vec![], vec![R::Stuck(StuckReason::NoType)]),
            (TASK, vec![hand(8, &[], true)], vec![R::Stuck(StuckReason::Blocked)]),
            (TASK, vec![hand(9, &[], true)], vec![R::FailedEverywhere]),
            // One has failed it, and the other one is not there.
            (TASK, vec![hand(9, &[], true), hand(1, &[], false)], vec![R::Stuck(StuckReason::Away)]),
            (TASK, vec![hand(9, &[], false)], vec![R::FailedEverywhere]),
            (TASK, vec![hand(9, &[], true), hand(1, &[], true)], vec![R::Turn]),
        ] {
            assert_eq!(
                why_waiting(&task, &hands, |seq| seq == 8, |seq| seq == 9),
                want,
                "{task:?} {hands:?}"
            );
        }
    }
}
