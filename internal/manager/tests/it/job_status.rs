//! What people ask of jobs, and what tasks do to them.

use flamenco_testkit::{Builder, TestManager};
use serde_json::json;

use crate::tasks;

on_each_database!(
    a_job_is_active_from_its_first_task_and_completed_with_its_last,
    canceling_ends_everything_at_once,
    canceling_takes_paused_tasks_and_leaves_failed_ones,
    pausing_a_job_without_active_tasks_is_immediate,
    pausing_waits_for_the_active_task,
    a_pause_is_taken_back_while_a_task_still_runs,
    a_worker_that_signs_off_ends_the_pause,
    a_task_that_fails_while_pausing_is_paused,
    a_paused_job_is_canceled_or_goes_on,
    requeueing_a_completed_job_runs_all_of_it,
    requeueing_a_failed_job_runs_what_is_left,
    requeueing_an_active_job_keeps_what_is_done,
    one_task_of_a_completed_job_runs_alone,
    tasks_behind_a_failed_one_do_not_keep_the_job_open,
    a_tenth_of_the_tasks_fails_the_job,
    requests_that_make_no_sense_are_refused,
    requesting_what_is_so_already_changes_nothing,
);

/// One failure is final, so that a test gets failed tasks quickly; there must be a second worker.
const FAIL_AT_ONCE: &str = "task_fail_after_softfail_count: 1\nblocklist_threshold: 0";

async fn complete_all(farm: &TestManager, job: &str) {
    let worker = farm.worker("finisher").await;
    while let Some(task) = worker.take_if_any().await {
        worker.complete(&task).await;
    }
    assert_eq!(farm.job_status(job).await, "completed");
}

async fn a_job_is_active_from_its_first_task_and_completed_with_its_last(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(3)).await;
    let [w1, w2, w3] = [farm.worker("w1").await, farm.worker("w2").await, farm.worker("w3").await];
    assert_eq!(farm.job_status(&job).await, "queued");
    let t1 = w1.take().await;
    assert_eq!(farm.job_status(&job).await, "active");
    let (t2, t3) = (w2.take().await, w3.take().await);
    w1.complete(&t1).await;
    w2.fail(&t2).await;
    assert_eq!(farm.task_statuses(&job).await, "completed soft-failed active");
    assert_eq!(farm.job_status(&job).await, "active");
    let again = w1.take().await;
    assert_eq!(again.uuid, t2.uuid);
    w1.complete(&again).await;
    assert_eq!(farm.job_status(&job).await, "active");
    w3.complete(&t3).await;
    let done = farm.job(&job).await;
    assert_eq!((&done["status"], &done["steps_completed"]), (&json!("completed"), &json!(3)));
    assert_eq!(done["task_counts"]["completed"], 3);
    farm.stop().await;
}

async fn canceling_ends_everything_at_once(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(3)).await;
    let worker = farm.worker("w").await;
    let done = worker.take().await;
    worker.complete(&done).await;
    let task = worker.take().await;
    farm.set_job_status(&job, "cancel-requested").await.no_content();
    assert_eq!(farm.job_status(&job).await, "canceled");
    assert_eq!(farm.task_statuses(&job).await, "completed canceled canceled");
    let answer = worker.may_run(task.uuid).await;
    assert!(!answer.may_keep_running && !answer.status_change_requested);
    assert!(answer.reason.contains("canceled"), "{}", answer.reason);

    // What the worker still says about it is too late, but its log is kept.
    assert_eq!(worker.log(task.uuid, "stopped on the way").await, 204);
    for late in ["completed", "failed", "active"] {
        assert_eq!(worker.report_task(task.uuid, late).await, 409, "{late}");
    }
    assert_eq!(worker.report_task(task.uuid, "canceled").await, 204, "it is so already");
    assert_eq!(farm.job_status(&job).await, "canceled");
    assert_eq!(farm.task_statuses(&job).await, "completed canceled canceled");
    assert_eq!(worker.take_if_any().await, None);
    let activity = farm.job(&job).await["activity"].to_string();
    assert!(activity.contains("the test wants it"), "{activity}");
    farm.stop().await;
}

async fn canceling_takes_paused_tasks_and_leaves_failed_ones(farm: Builder) {
    let farm = farm.with_yaml(FAIL_AT_ONCE).start().await;
    let job = farm.submit("job", tasks(12)).await;
    let [w1, _w2] = [farm.worker("w1").await, farm.worker("w2").await];
    let task = w1.take().await;
    w1.fail(&task).await;
    let active = w1.take().await;
    farm.set_job_status(&job, "pause-requested").await.no_content();
    assert_eq!(farm.job_status(&job).await, "pause-requested");
    assert_eq!(farm.task_statuses(&job).await, format!("failed active{}", " paused".repeat(10)));
    farm.set_job_status(&job, "cancel-requested").await.no_content();
    assert_eq!(farm.job_status(&job).await, "canceled");
    assert_eq!(farm.task_statuses(&job).await, format!("failed{}", " canceled".repeat(11)));
    assert!(!w1.may_run(active.uuid).await.may_keep_running);
    farm.stop().await;
}

async fn pausing_a_job_without_active_tasks_is_immediate(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    farm.set_job_status(&job, "pause-requested").await.no_content();
    assert_eq!(farm.job_status(&job).await, "paused");
    assert_eq!(farm.task_statuses(&job).await, "paused paused");
    assert_eq!(farm.worker("w").await.take_if_any().await, None);
    farm.stop().await;
}

async fn pausing_waits_for_the_active_task(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(3)).await;
    let worker = farm.worker("w").await;
    let first = worker.take().await;
    worker.complete(&first).await;
    let active = worker.take().await;
    farm.set_job_status(&job, "pause-requested").await.no_content();
    assert_eq!(farm.job_status(&job).await, "pause-requested");
    assert_eq!(farm.task_statuses(&job).await, "completed active paused");
    assert!(worker.may_run(active.uuid).await.may_keep_running, "the active task may go on");
    assert_eq!(worker.take().await.uuid, active.uuid, "a worker that was restarted gets its task again");
    worker.complete(&active).await;
    assert_eq!(farm.job_status(&job).await, "paused");
    assert_eq!(farm.task_statuses(&job).await, "completed completed paused");
    assert_eq!(worker.take_if_any().await, None);
    farm.stop().await;
}

async fn a_pause_is_taken_back_while_a_task_still_runs(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(3)).await;
    let worker = farm.worker("w").await;
    let first = worker.take().await;
    worker.complete(&first).await;
    let active = worker.take().await;
    farm.set_job_status(&job, "pause-requested").await.no_content();
    farm.set_job_status(&job, "requeueing").await.no_content();
    assert_eq!(farm.job_status(&job).await, "active");
    assert_eq!(farm.task_statuses(&job).await, "completed active queued");
    assert!(worker.may_run(active.uuid).await.may_keep_running);
    worker.complete(&active).await;
    worker.complete(&worker.take().await).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn a_worker_that_signs_off_ends_the_pause(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let worker = farm.worker("w").await;
    worker.take().await;
    farm.set_job_status(&job, "pause-requested").await.no_content();
    worker.sign_off().await;
    assert_eq!(farm.task_statuses(&job).await, "paused paused");
    assert_eq!(farm.job_status(&job).await, "paused");
    farm.stop().await;
}

async fn a_task_that_fails_while_pausing_is_paused(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let [w1, _w2] = [farm.worker("w1").await, farm.worker("w2").await];
    let task = w1.take().await;
    farm.set_job_status(&job, "pause-requested").await.no_content();
    w1.fail(&task).await;
    assert_eq!(farm.task_statuses(&job).await, "paused paused");
    assert_eq!(farm.job_status(&job).await, "paused", "a failure does not take the pause back");
    farm.stop().await;
}

async fn a_paused_job_is_canceled_or_goes_on(farm: Builder) {
    let farm = farm.start().await;
    let (canceled, resumed) =
        (farm.submit("canceled", tasks(2)).await, farm.submit("resumed", tasks(2)).await);
    for job in [&canceled, &resumed] {
        farm.set_job_status(job, "pause-requested").await.no_content();
    }
    farm.set_job_status(&canceled, "cancel-requested").await.no_content();
    assert_eq!(farm.job_status(&canceled).await, "canceled");
    assert_eq!(farm.task_statuses(&canceled).await, "canceled canceled");
    farm.set_job_status(&resumed, "requeueing").await.no_content();
    assert_eq!(farm.task_statuses(&resumed).await, "queued queued");
    complete_all(&farm, &resumed).await;
    farm.stop().await;
}

async fn requeueing_a_completed_job_runs_all_of_it(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", json!([{ "name": "a" }, { "name": "b", "after": [0] }])).await;
    complete_all(&farm, &job).await;
    farm.set_job_status(&job, "requeueing").await.no_content();
    let now = farm.job(&job).await;
    assert_eq!((&now["status"], &now["steps_completed"]), (&json!("queued"), &json!(0)));
    assert_eq!(farm.task_statuses(&job).await, "queued queued");
    let worker = farm.worker("again").await;
    let first = worker.take().await;
    assert_eq!(first.name, "a");
    assert_eq!(farm.worker("idle").await.take_if_any().await, None, "b waits for a again");
    worker.complete(&first).await;
    worker.complete(&worker.take().await).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn requeueing_a_failed_job_runs_what_is_left(farm: Builder) {
    let farm = farm.with_yaml(FAIL_AT_ONCE).start().await;
    let job = farm.submit("job", tasks(3)).await;
    let [w1, w2] = [farm.worker("w1").await, farm.worker("w2").await];
    w1.complete(&w1.take().await).await;
    let (failing, active) = (w1.take().await, w2.take().await);
    w1.fail(&failing).await;
    assert_eq!(farm.job_status(&job).await, "failed");
    assert_eq!(farm.task_statuses(&job).await, "completed failed canceled");
    assert!(!w2.may_run(active.uuid).await.may_keep_running);

    farm.set_job_status(&job, "requeueing").await.no_content();
    let now = farm.job(&job).await;
    assert_eq!((&now["status"], &now["steps_completed"]), (&json!("queued"), &json!(1)));
    assert_eq!(farm.task_statuses(&job).await, "completed queued queued");
    let task = farm.task(&failing.uuid.to_string()).await;
    assert_eq!(task["failed_by_workers"], json!([]), "who failed it is forgotten");
    assert_eq!(w1.take().await.uuid, failing.uuid);
    farm.stop().await;
}

async fn requeueing_an_active_job_keeps_what_is_done(farm: Builder) {
    let farm = farm.with_yaml(FAIL_AT_ONCE).start().await;
    let job = farm.submit("job", tasks(12)).await;
    let [w1, w2] = [farm.worker("w1").await, farm.worker("w2").await];
    w1.complete(&w1.take().await).await;
    let failing = w1.take().await;
    w1.fail(&failing).await;
    let active = w2.take().await;
    assert_eq!(farm.task_statuses(&job).await, format!("completed failed active{}", " queued".repeat(9)));
    farm.set_job_status(&job, "requeueing").await.no_content();
    assert_eq!(farm.job_status(&job).await, "active", "one of its tasks still runs");
    assert_eq!(farm.task_statuses(&job).await, format!("completed queued active{}", " queued".repeat(9)));
    assert!(w2.may_run(active.uuid).await.may_keep_running);
    w2.complete(&active).await;
    farm.stop().await;
}

async fn one_task_of_a_completed_job_runs_alone(farm: Builder) {
    let farm = farm.start().await;
    let plan = json!([{ "name": "a" }, { "name": "b", "after": [0] }, { "name": "c" }]);
    let job = farm.submit("job", plan).await;
    complete_all(&farm, &job).await;
    let ids = farm.task_ids(&job).await;
    farm.set_task_status(&ids[0], "queued").await.no_content();
    assert_eq!(farm.task_statuses(&job).await, "queued completed completed");
    let now = farm.job(&job).await;
    assert_eq!((&now["status"], &now["steps_completed"]), (&json!("queued"), &json!(2)));
    let worker = farm.worker("again").await;
    let task = worker.take().await;
    assert_eq!(task.uuid.to_string(), ids[0]);
    assert_eq!(farm.job_status(&job).await, "active");
    worker.complete(&task).await;
    assert_eq!(worker.take_if_any().await, None);
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn tasks_behind_a_failed_one_do_not_keep_the_job_open(farm: Builder) {
    let farm = farm.with_yaml(FAIL_AT_ONCE).start().await;
    let mut plan = tasks(11);
    plan.as_array_mut().unwrap().push(json!({ "name": "behind", "after": [0] }));
    let job = farm.submit("job", plan).await;
    let [w1, _w2] = [farm.worker("w1").await, farm.worker("w2").await];
    w1.fail(&w1.take().await).await;
    assert_eq!(farm.job_status(&job).await, "active", "1 of 12 is less than a tenth");
    while let Some(task) = w1.take_if_any().await {
        w1.complete(&task).await;
    }
    assert_eq!(farm.job_status(&job).await, "failed");
    assert_eq!(farm.task_statuses(&job).await, format!("failed{} canceled", " completed".repeat(10)));
    farm.stop().await;
}

async fn a_tenth_of_the_tasks_fails_the_job(farm: Builder) {
    let farm = farm.with_yaml(FAIL_AT_ONCE).start().await;
    let [w1, _w2] = [farm.worker("w1").await, farm.worker("w2").await];
    for (count, want) in [(10, "failed"), (11, "active")] {
        let job = farm.submit("job", tasks(count)).await;
        w1.fail(&w1.take().await).await;
        assert_eq!(farm.job_status(&job).await, want, "1 of {count}");
        let rest = if want == "failed" { " canceled" } else { " queued" };
        assert_eq!(farm.task_statuses(&job).await, format!("failed{}", rest.repeat(count - 1)));
    }
    farm.stop().await;
}

async fn requests_that_make_no_sense_are_refused(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    for status in ["active", "completed", "canceled", "failed", "paused", "under-construction"] {
        let message = farm.set_job_status(&job, status).await.problem(422);
        assert!(message.contains("cancel-requested"), "says what can be asked for: {message}");
    }
    assert_eq!(farm.job_status(&job).await, "queued");
    complete_all(&farm, &job).await;
    let before = farm.job(&job).await;
    for status in ["cancel-requested", "pause-requested"] {
        let message = farm.set_job_status(&job, status).await.problem(422);
        assert!(message.contains("completed"), "says what the job is: {message}");
    }
    let _ = farm.set_job_status(&job, "nonsense").await.problem(400);
    assert_eq!(farm.job(&job).await, before);
    farm.stop().await;
}

async fn requesting_what_is_so_already_changes_nothing(farm: Builder) {
    let farm = farm.start().await;
    for (request, status) in
        [("requeueing", "queued"), ("pause-requested", "paused"), ("cancel-requested", "canceled")]
    {
        let job = farm.submit("job", tasks(2)).await;
        farm.set_job_status(&job, request).await.no_content();
        let before = farm.job(&job).await;
        assert_eq!(before["status"], status);
        farm.clock().advance(chrono::TimeDelta::seconds(7));
        farm.set_job_status(&job, request).await.no_content();
        assert_eq!(farm.job(&job).await, before);
    }
    farm.stop().await;
}
