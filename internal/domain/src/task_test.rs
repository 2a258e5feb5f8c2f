use super::*;
use JobStatus as J;
use TaskStatus as T;

fn task(status: T, worker: Option<WorkerId>) -> TaskSummary {
    let now = DateTime::from_timestamp_micros(0).unwrap();
    TaskSummary {
        seq: 1,
        id: TaskId::random(),
        job_seq: 1,
        job_id: JobId::random(),
        index_in_job: 1,
        name: "render-1-3".into(),
        task_type: "blender".into(),
        priority: 50,
        status,
        activity: String::new(),
        worker: worker.map(|id| TaskWorker { seq: 1, id, name: "node".into(), address: String::new() }),
        steps_completed: 0,
        steps_total: 1,
        unmet_dependencies: 0,
        created: now,
        updated: now,
        last_touched: None,
        started: None,
        ended: None,
    }
}

#[test]
fn a_report_of_a_stranger_is_refused_whatever_it_says() {
    let me = WorkerId::random();
    for owner in [None, Some(WorkerId::random())] {
        for status in T::ALL {
            for wanted in [None, Some(T::Completed), Some(T::SoftFailed)] {
                assert_eq!(
                    on_report(&task(*status, owner), J::Active, me, wanted),
                    Err(ReportDenied::NotYours)
                );
            }
        }
    }
}

#[test]
fn every_pair_of_statuses_is_decided() {
    let me = WorkerId::random();
    for from in T::ALL {
        for to in T::ALL {
            let got = on_report(&task(*from, Some(me)), J::Active, me, Some(*to));
            let want = if *to == T::SoftFailed {
                Err(ReportDenied::SoftFailed)
            } else if from == to || (matches!(from, T::SoftFailed | T::Paused) && *to == T::Failed) {
                Ok(None)
            } else if *from == T::Active {
                Ok(Some(if *to == T::Paused { T::Queued } else { *to }))
            } else {
                Err(ReportDenied::NotRunning { task: *from, job: J::Active, wanted: *to })
            };
            assert_eq!(got, want, "{from} -> {to}");
        }
    }
}

#[test]
fn a_worker_that_will_not_go_on_gives_its_task_back() {
    let me = WorkerId::random();
    for (job, want) in [(J::Active, T::Queued), (J::Queued, T::Queued), (J::PauseRequested, T::Paused)] {
        for wanted in [T::Queued, T::Paused] {
            let got = on_report(&task(T::Active, Some(me)), job, me, Some(wanted));
            assert_eq!(got, Ok(Some(want)), "{wanted} while the job is {job}");
        }
    }
}

#[test]
fn a_late_report_does_not_revive_a_finished_job() {
    let me = WorkerId::random();
    for job in J::ALL {
        let got = on_report(&task(T::Active, Some(me)), *job, me, Some(T::Failed));
        let runs = matches!(job, J::Active | J::Queued | J::PauseRequested);
        assert_eq!(got.is_ok(), runs, "{job}");
    }
}

#[test]
fn a_report_without_status_is_always_taken_from_the_owner() {
    let me = WorkerId::random();
    for status in T::ALL {
        assert_eq!(on_report(&task(*status, Some(me)), J::Canceled, me, None), Ok(None));
    }
}

#[test]
fn requests_follow_the_table() {
    for from in T::ALL {
        for (to, allowed) in [
            (T::Canceled, &[T::Active, T::Queued, T::SoftFailed, T::Paused][..]),
            (T::Queued, &[T::Canceled, T::Completed, T::Failed, T::SoftFailed][..]),
        ] {
            let got = on_request(*from, 0, J::Active, to);
            if *from == to {
                assert_eq!(got, Ok(None));
            } else if allowed.contains(from) {
                assert_eq!(got, Ok(Some(to)), "{from} -> {to}");
            } else {
                assert!(matches!(got, Err(RequestDenied::NotFrom { .. })), "{from} -> {to}: {got:?}");
            }
        }
        for to in [T::Active, T::Completed, T::Failed, T::SoftFailed, T::Paused] {
            assert_eq!(on_request(*from, 0, J::Active, to), Err(RequestDenied::NotRequestable(to)));
        }
    }
    for job in [J::Paused, J::PauseRequested] {
        assert_eq!(on_request(T::Failed, 0, job, T::Queued), Err(RequestDenied::JobPaused(job)));
    }
    assert_eq!(
        on_request(T::Active, 0, J::PauseRequested, T::Canceled),
        Err(RequestDenied::JobPaused(J::PauseRequested))
    );
    assert_eq!(on_request(T::Paused, 0, J::Paused, T::Canceled), Ok(Some(T::Canceled)));
}

#[test]
fn a_task_that_cannot_run_does_not_bring_its_job_back() {
    for job in J::ALL {
        let got = on_request(T::Canceled, 2, *job, T::Queued);
        match job {
            J::Completed | J::Failed | J::Canceled => assert_eq!(got, Err(RequestDenied::Waits(2)), "{job}"),
            J::Paused | J::PauseRequested => assert_eq!(got, Err(RequestDenied::JobPaused(*job))),
            _ => assert_eq!(got, Ok(Some(T::Queued)), "{job}: something else of it can run"),
        }
    }
    assert_eq!(on_request(T::Canceled, 0, J::Canceled, T::Queued), Ok(Some(T::Queued)));
}

#[test]
fn a_task_given_back_waits_as_its_job_does() {
    for (job, want) in [
        (J::Active, T::Queued),
        (J::Queued, T::Queued),
        (J::PauseRequested, T::Paused),
        (J::Paused, T::Paused),
        (J::Canceled, T::Canceled),
        (J::Failed, T::Canceled),
    ] {
        assert_eq!(on_give_back(job), want, "{job}");
    }
}

#[test]
fn may_run_gives_the_first_reason_that_applies() {
    let me = WorkerId::random();
    let says = |task: &TaskSummary, urgent| match may_run(task, me, urgent) {
        MayRun::Yes => (true, false),
        MayRun::No { reason, status_change } => {
            assert!(!reason.is_empty());
            (false, status_change)
        }
    };
    assert_eq!(says(&task(T::Active, Some(me)), false), (true, false));
    assert_eq!(says(&task(T::Active, Some(me)), true), (false, true));
    assert_eq!(says(&task(T::Active, None), false), (false, false));
    assert_eq!(says(&task(T::Active, Some(WorkerId::random())), false), (false, false));
    for status in T::ALL.iter().filter(|s| **s != T::Active) {
        assert_eq!(says(&task(*status, Some(me)), false), (false, false), "{status}");
    }
}

#[test]
fn a_command_counts_at_least_one_step() {
    let command = |total_step_count| Command {
        name: "echo".into(),
        parameters: serde_json::Map::new(),
        total_step_count,
    };
    assert_eq!(steps_total(&[]), 0);
    assert_eq!(steps_total(&[command(0), command(3), command(-2)]), 5);
    assert_eq!(steps_total(&[command(i64::MAX), command(i64::MAX)]), MAX_STEPS);
}
