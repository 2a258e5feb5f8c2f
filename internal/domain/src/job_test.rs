use super::*;
use JobStatus as J;
use TaskStatus as T;

/// Counters from pairs of status and number.
fn counts(pairs: &[(T, i64)]) -> TaskCounts {
    let mut counts = TaskCounts::default();
    for (status, number) in pairs {
        *counts.of_mut(*status) = *number;
    }
    counts
}

fn job(status: J, pairs: &[(T, i64)]) -> JobState {
    let counts = counts(pairs);
    JobState { status, counts, runnable: counts.queued + counts.soft_failed, deleting: false }
}

fn statuses(steps: &[Step]) -> Vec<J> {
    steps.iter().map(|step| step.status).collect()
}

#[test]
fn requests_follow_the_table_for_every_pair() {
    let table: &[(J, &[J])] = &[
        (J::CancelRequested, &[J::Active, J::Failed, J::Paused, J::PauseRequested, J::Queued]),
        (J::PauseRequested, &[J::Active, J::Canceled, J::Queued]),
        (J::Requeueing, &[J::Active, J::Canceled, J::Completed, J::Failed, J::Paused, J::PauseRequested]),
    ];
    for from in J::ALL {
        for wanted in J::ALL {
            let got = on_request(job(*from, &[(T::Queued, 1)]), *wanted);
            match table.iter().find(|(to, _)| to == wanted) {
                None => assert_eq!(got, Err(JobDenied::NotRequestable(*wanted))),
                Some((_, allowed)) if allowed.contains(from) => {
                    assert!(!got.unwrap().is_empty(), "{from} -> {wanted}")
                }
                Some(_) => match got {
                    Ok(steps) => assert!(steps.is_empty(), "{from} -> {wanted} is so already"),
                    Err(denied) => assert!(matches!(denied, JobDenied::NotFrom { .. })),
                },
            }
        }
    }
}

#[test]
fn asking_for_what_is_so_already_changes_nothing() {
    for (status, wanted) in [
        (J::Canceled, J::CancelRequested),
        (J::Paused, J::PauseRequested),
        (J::PauseRequested, J::PauseRequested),
        (J::Queued, J::Requeueing),
    ] {
        assert_eq!(on_request(job(status, &[(T::Queued, 1)]), wanted), Ok(vec![]), "{status} -> {wanted}");
    }
}

#[test]
fn a_job_marked_for_deletion_can_only_be_canceled() {
    let deleting = JobState { deleting: true, ..job(J::Failed, &[(T::Failed, 1)]) };
    assert_eq!(on_request(deleting, J::Requeueing), Err(JobDenied::Deleting));
    assert!(on_request(deleting, J::CancelRequested).is_ok());
}

#[test]
fn canceling_cancels_everything_unfinished_at_once() {
    let before =
        job(J::Active, &[(T::Active, 1), (T::Queued, 2), (T::Paused, 1), (T::Completed, 3), (T::Failed, 1)]);
    let steps = on_request(before, J::CancelRequested).unwrap();
    assert_eq!(statuses(&steps), [J::CancelRequested, J::Canceled]);
    assert!(steps[0].refresh_tasks() && !steps[1].refresh_tasks());
    let after = before.counts.after(steps[0].tasks.unwrap());
    assert_eq!(after, counts(&[(T::Canceled, 4), (T::Completed, 3), (T::Failed, 1)]));
}

#[test]
fn pausing_waits_for_active_tasks() {
    let idle = on_request(job(J::Queued, &[(T::Queued, 3)]), J::PauseRequested).unwrap();
    assert_eq!(statuses(&idle), [J::PauseRequested, J::Paused]);
    let busy = job(J::Active, &[(T::Active, 1), (T::Queued, 1), (T::Completed, 1)]);
    let steps = on_request(busy, J::PauseRequested).unwrap();
    assert_eq!(statuses(&steps), [J::PauseRequested]);
    assert_eq!(
        busy.counts.after(steps[0].tasks.unwrap()),
        counts(&[(T::Active, 1), (T::Paused, 1), (T::Completed, 1)])
    );
}

#[test]
fn requeueing_keeps_completed_tasks_unless_the_job_was_completed() {
    for (status, pairs, want, end) in [
        (J::Completed, &[(T::Completed, 4)][..], &[(T::Queued, 4)][..], &[J::Requeueing, J::Queued][..]),
        (
            J::Failed,
            &[(T::Failed, 1), (T::Canceled, 2), (T::Completed, 4)],
            &[(T::Queued, 3), (T::Completed, 4)],
            &[J::Requeueing, J::Queued],
        ),
        (J::Paused, &[(T::Paused, 2), (T::SoftFailed, 1)], &[(T::Queued, 3)], &[J::Requeueing, J::Queued]),
        (
            J::Active,
            &[(T::Failed, 1), (T::Active, 1), (T::Completed, 9)],
            &[(T::Queued, 1), (T::Active, 1), (T::Completed, 9)],
            &[J::Requeueing, J::Queued, J::Active],
        ),
        (
            J::PauseRequested,
            &[(T::Active, 1), (T::Paused, 2), (T::Completed, 3)],
            &[(T::Active, 1), (T::Queued, 2), (T::Completed, 3)],
            &[J::Requeueing, J::Queued, J::Active],
        ),
        (J::Canceled, &[(T::Completed, 2)], &[(T::Completed, 2)], &[J::Requeueing, J::Queued, J::Completed]),
    ] {
        let before = job(status, pairs);
        let steps = on_request(before, J::Requeueing).unwrap();
        assert_eq!(statuses(&steps), end, "{status}");
        assert_eq!(before.counts.after(steps[0].tasks.unwrap()), counts(want), "{status}");
    }
}

/// Job status, the task's new status, counters after it, statuses the job goes through.
type Case<'a> = (J, T, &'a [(T, i64)], &'a [J]);

#[test]
fn a_task_change_moves_its_job() {
    let cases: &[Case<'_>] = &[
        (J::Queued, T::Active, &[(T::Active, 1), (T::Queued, 2)], &[J::Active]),
        (J::Active, T::Active, &[(T::Active, 2)], &[]),
        (J::Queued, T::SoftFailed, &[(T::SoftFailed, 1)], &[J::Active]),
        (J::Active, T::SoftFailed, &[(T::SoftFailed, 1)], &[]),
        (J::Active, T::Completed, &[(T::Completed, 1), (T::Active, 2)], &[]),
        (J::Active, T::Completed, &[(T::Completed, 3)], &[J::Completed]),
        (J::Queued, T::Completed, &[(T::Completed, 1), (T::Queued, 2)], &[J::Active]),
        (J::PauseRequested, T::Completed, &[(T::Completed, 1), (T::Paused, 2)], &[J::Paused]),
        (J::PauseRequested, T::Completed, &[(T::Completed, 1), (T::Active, 1), (T::Paused, 1)], &[]),
        (J::PauseRequested, T::Completed, &[(T::Completed, 3)], &[J::Completed]),
        (J::PauseRequested, T::Paused, &[(T::Paused, 2)], &[J::Paused]),
        (J::PauseRequested, T::Failed, &[(T::Failed, 1), (T::Paused, 9)], &[J::Failed]),
        (J::PauseRequested, T::Failed, &[(T::Failed, 1), (T::Paused, 99)], &[J::Paused]),
        // one failed task of 10 fails the job, one of 11 does not, ten of 100 do
        (J::Active, T::Failed, &[(T::Failed, 1), (T::Queued, 9)], &[J::Failed]),
        (J::Active, T::Failed, &[(T::Failed, 1), (T::Queued, 10)], &[]),
        (J::Active, T::Failed, &[(T::Failed, 10), (T::Queued, 90)], &[J::Failed]),
        (J::Queued, T::Failed, &[(T::Failed, 1), (T::Queued, 99)], &[J::Active]),
        (J::Active, T::Canceled, &[(T::Canceled, 1), (T::Queued, 1)], &[]),
        (J::Active, T::Canceled, &[(T::Canceled, 1), (T::Completed, 5)], &[J::Canceled]),
        (J::Active, T::Canceled, &[(T::Canceled, 1), (T::Completed, 18), (T::Failed, 1)], &[J::Failed]),
        (J::Queued, T::Canceled, &[(T::Canceled, 1), (T::Queued, 1)], &[]),
        // what is left has failed or was canceled: the job ends all the same
        (J::Active, T::Completed, &[(T::Completed, 19), (T::Failed, 1)], &[J::Failed]),
        (J::Active, T::Completed, &[(T::Completed, 19), (T::Canceled, 1)], &[J::Canceled]),
        // finished jobs are revived by nothing but a person
        (J::Canceled, T::Completed, &[(T::Completed, 1), (T::Canceled, 1)], &[]),
        (J::Failed, T::Active, &[(T::Active, 1)], &[]),
        (J::Completed, T::Queued, &[(T::Queued, 1), (T::Completed, 4)], &[J::Queued]),
        (J::Failed, T::Queued, &[(T::Queued, 1), (T::Failed, 4)], &[J::Queued]),
        (J::Active, T::Queued, &[(T::Queued, 1)], &[]),
    ];
    for (status, task, pairs, want) in cases {
        let steps = on_task_change(job(*status, pairs), *task);
        assert_eq!(statuses(&steps), *want, "job {status}, task {task}, {pairs:?}");
    }
}

#[test]
fn a_job_whose_tasks_wait_for_a_failed_one_ends() {
    let stuck =
        JobState { runnable: 0, ..job(J::Active, &[(T::Completed, 98), (T::Failed, 1), (T::Queued, 1)]) };
    let steps = on_task_change(stuck, T::Failed);
    assert_eq!(statuses(&steps), [J::Failed]);
    assert_eq!(
        stuck.counts.after(steps[0].tasks.unwrap()),
        counts(&[(T::Completed, 98), (T::Failed, 1), (T::Canceled, 1)])
    );

    let canceled = JobState { runnable: 0, ..job(J::Active, &[(T::Canceled, 1), (T::Queued, 1)]) };
    let steps = on_task_change(canceled, T::Canceled);
    assert_eq!(
        steps,
        [Step {
            status: J::Canceled,
            tasks: Some(MassChange { from: &[T::Queued, T::SoftFailed], to: T::Canceled })
        }]
    );
}

#[test]
fn a_finished_job_has_nothing_runnable_left() {
    for status in J::ALL {
        for task in T::ALL {
            for (active, queued, failed, paused) in
                [(0, 0, 0, 0), (1, 2, 0, 0), (0, 2, 1, 0), (0, 0, 3, 1), (0, 5, 0, 2)]
            {
                let mut pairs = vec![
                    (T::Active, active),
                    (T::Queued, queued),
                    (T::Failed, failed),
                    (T::Paused, paused),
                    (T::Completed, 2),
                ];
                if let Some(pair) = pairs.iter_mut().find(|(s, _)| s == task) {
                    pair.1 += 1;
                } else {
                    pairs.push((*task, 1));
                }
                let before = job(*status, &pairs);
                let mut counts = before.counts;
                let steps = on_task_change(before, *task);
                for step in &steps {
                    counts = step.tasks.map_or(counts, |change| counts.after(change));
                }
                if steps.last().is_some_and(|step| step.status.is_finished()) {
                    assert_eq!(
                        counts.queued + counts.soft_failed + counts.active,
                        0,
                        "{status} {task} {pairs:?}"
                    );
                }
            }
        }
    }
}

#[test]
fn repair_ends_every_transient_status() {
    for (status, want) in
        [(J::CancelRequested, J::Canceled), (J::Requeueing, J::Queued), (J::PauseRequested, J::Paused)]
    {
        let steps = enter(job(status, &[(T::Queued, 2), (T::Completed, 1)]), status);
        assert_eq!(steps.last().map(|step| step.status), Some(want));
    }
}

#[test]
fn the_percentage_is_truncated_and_safe_without_tasks() {
    assert_eq!(fail_percentage(TaskCounts::default()), 0);
    assert_eq!(fail_percentage(counts(&[(T::Failed, 1), (T::Queued, 10)])), 9);
    assert_eq!(fail_percentage(counts(&[(T::Failed, 1), (T::Queued, 9)])), 10);
}

/// A job and the changes of single tasks that it goes through, with the status of the job after each.
struct Sequence<'a> {
    start: J,
    tasks: &'a [(T, i64)],
    changes: &'a [(T, T, J)],
}

#[test]
fn sequences_end_where_they_should() {
    for Sequence { start, tasks, changes } in [
        Sequence {
            start: J::Queued,
            tasks: &[(T::Queued, 2)],
            changes: &[(T::Queued, T::Active, J::Active)],
        },
        Sequence {
            start: J::Active,
            tasks: &[(T::Active, 3)],
            changes: &[
                (T::Active, T::Completed, J::Active),
                (T::Active, T::SoftFailed, J::Active),
                (T::SoftFailed, T::Active, J::Active),
                (T::Active, T::Completed, J::Active),
                (T::Active, T::Completed, J::Completed),
            ],
        },
        // The worker of the only active task signs off.
        Sequence {
            start: J::PauseRequested,
            tasks: &[(T::Active, 1), (T::Paused, 1)],
            changes: &[(T::Active, T::Paused, J::Paused)],
        },
        // A soft failure does not bring a job back that is being paused; the task is paused with it.
        Sequence {
            start: J::PauseRequested,
            tasks: &[(T::Active, 2), (T::Paused, 20)],
            changes: &[(T::Active, T::Paused, J::PauseRequested), (T::Active, T::Completed, J::Paused)],
        },
        // What is canceled before the pause is complete counts for the pause.
        Sequence {
            start: J::PauseRequested,
            tasks: &[(T::Active, 1), (T::Paused, 3)],
            changes: &[(T::Active, T::Canceled, J::Paused)],
        },
        // One task of a completed job alone, and the job is completed again.
        Sequence {
            start: J::Completed,
            tasks: &[(T::Completed, 4)],
            changes: &[
                (T::Completed, T::Queued, J::Queued),
                (T::Queued, T::Active, J::Active),
                (T::Active, T::Completed, J::Completed),
            ],
        },
        // Given back, and taken up by another worker.
        Sequence {
            start: J::Active,
            tasks: &[(T::Active, 1)],
            changes: &[
                (T::Active, T::Queued, J::Active),
                (T::Queued, T::Active, J::Active),
                (T::Active, T::Completed, J::Completed),
            ],
        },
        // Fewer than a tenth fail, the rest is done: the job does not stay open.
        Sequence {
            start: J::Active,
            tasks: &[(T::Active, 2), (T::Completed, 19)],
            changes: &[(T::Active, T::Failed, J::Active), (T::Active, T::Completed, J::Failed)],
        },
    ] {
        let mut now = job(start, tasks);
        for (from, to, want) in changes {
            now.counts = now.counts.moved(*from, *to);
            now.runnable = now.counts.queued + now.counts.soft_failed;
            for step in on_task_change(now, *to) {
                now.status = step.status;
                now.counts = step.tasks.map_or(now.counts, |change| now.counts.after(change));
            }
            assert_eq!(now.status, *want, "{start} with {tasks:?}, after {from} -> {to}");
        }
    }
}
