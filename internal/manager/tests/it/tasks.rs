//! What workers report about tasks, and what people ask of them.

use flamenco_testkit::api::types::{TaskStatus, TaskUpdate};
use flamenco_testkit::{Builder, Method};
use serde_json::json;
use uuid::Uuid;

use crate::{UNKNOWN, tasks};

on_each_database!(
    a_task_that_waits_for_a_canceled_one_does_not_bring_its_job_back,
    steps_of_a_task_that_does_not_run_are_not_counted,
    a_failure_while_pausing_can_be_reported_twice,
    a_worker_that_will_not_go_on_gives_its_task_back,
    a_report_is_applied_in_all_its_parts,
    steps_are_kept_within_bounds,
    more_steps_than_there_are_numbers,
    the_same_report_again_changes_nothing,
    reports_that_a_worker_may_not_make,
    a_task_that_was_given_to_another_worker_is_no_longer_ours,
    tasks_are_canceled_and_queued_by_request,
    a_task_of_a_failed_job_brings_it_back,
    canceling_the_last_task_ends_the_job,
    tasks_of_a_paused_job_wait_for_the_job,
);

async fn a_report_is_applied_in_all_its_parts(farm: Builder) {
    let farm = farm.start().await;
    let plan = json!([{ "name": "t", "commands": [{ "name": "c", "steps": 5 }] }]);
    let job = farm.submit("job", plan).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let id = task.uuid.to_string();
    farm.clock().advance(chrono::TimeDelta::seconds(3));
    let update = TaskUpdate {
        task_status: Some(TaskStatus::Active),
        activity: Some("rendering frame 3".into()),
        log: Some("Fra:3".into()),
        steps_completed: Some(2),
        ..TaskUpdate::default()
    };
    assert_eq!(worker.report(task.uuid, &update).await, 204);
    let now = farm.task(&id).await;
    assert_eq!((&now["activity"], &now["steps_completed"]), (&json!("rendering frame 3"), &json!(2)));
    assert_eq!(
        now["last_touched"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap(),
        farm.now()
    );
    assert_eq!(now["worker"]["id"], worker.id.to_string());
    assert_eq!(now["worker"]["name"], "w");
    assert_eq!(now["worker"]["address"], "127.0.0.1");
    assert_eq!(farm.job(&job).await["steps_completed"], 2);
    assert!(farm.get(&format!("/api/v3/tasks/{id}/logtail")).await.expect(200).text().contains("Fra:3\n"));
    assert_eq!(
        worker.report(task.uuid, &TaskUpdate::default()).await,
        204,
        "an empty report is a sign of life"
    );
    worker.complete(&task).await;
    assert_eq!(farm.task(&id).await["steps_completed"], 5);
    assert_eq!(farm.job(&job).await["steps_completed"], 5);
    farm.stop().await;
}

async fn more_steps_than_there_are_numbers(farm: Builder) {
    let farm = farm.start().await;
    let command = json!({ "name": "c", "steps": 1e300 });
    let job = farm.submit("job", json!([{ "name": "t", "commands": [command, command] }])).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let update = TaskUpdate { steps_completed: Some(7), ..TaskUpdate::default() };
    assert_eq!(worker.report(task.uuid, &update).await, 204);
    assert_eq!(farm.job(&job).await["steps_completed"], 7);
    worker.complete(&task).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.set_job_status(&job, "requeueing").await.no_content();
    assert_eq!(farm.job(&job).await["steps_completed"], 0);
    farm.stop().await;
}

async fn steps_are_kept_within_bounds(farm: Builder) {
    let farm = farm.start().await;
    let plan = json!([{ "name": "t", "commands": [{ "name": "c", "steps": 3 }] }]);
    let job = farm.submit("job", plan).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    for (reported, want) in [(47, 3), (1, 1), (-5, 0), (2, 2)] {
        let update = TaskUpdate { steps_completed: Some(reported), ..TaskUpdate::default() };
        assert_eq!(worker.report(task.uuid, &update).await, 204);
        assert_eq!(farm.task(&task.uuid.to_string()).await["steps_completed"], want, "{reported}");
        assert_eq!(farm.job(&job).await["steps_completed"], want);
    }
    farm.set_task_status(&task.uuid.to_string(), "canceled").await.no_content();
    farm.set_task_status(&task.uuid.to_string(), "queued").await.no_content();
    assert_eq!(farm.job(&job).await["steps_completed"], 0, "a queued task begins anew");
    farm.stop().await;
}

async fn the_same_report_again_changes_nothing(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let [w1, _w2] = [farm.worker("w1").await, farm.worker("w2").await];
    for (status, becomes) in [("failed", "soft-failed"), ("completed", "completed")] {
        let task = w1.take().await;
        let id = task.uuid.to_string();
        assert_eq!(w1.report_task(task.uuid, status).await, 204);
        assert_eq!(w1.report_task(task.uuid, status).await, 204, "{status} again");
        let (before, job_before) = (farm.task(&id).await, farm.job(&job).await);
        assert_eq!(before["status"], becomes);
        assert_eq!(w1.report_task(task.uuid, status).await, 204);
        assert_eq!((farm.task(&id).await, farm.job(&job).await), (before.clone(), job_before));
        let failed_by = usize::from(status == "failed");
        assert_eq!(before["failed_by_workers"].as_array().unwrap().len(), failed_by, "counted once");
    }
    farm.stop().await;
}

async fn reports_that_a_worker_may_not_make(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let [owner, stranger] = [farm.worker("owner").await, farm.worker("stranger").await];
    let task = owner.take().await;
    let (ids, before) = (farm.task_ids(&job).await, farm.job(&job).await);
    let path = |id: &str| format!("/api/v3/worker/task/{id}");
    let send = async |worker, id: &str, body| {
        farm.request(Method::POST, &path(id)).as_worker(worker).json(&body).send().await
    };
    let message = send(&owner, &ids[0], json!({ "taskStatus": "soft-failed" })).await.problem(400);
    assert!(message.contains("report failed"), "{message}");
    let message = send(&stranger, &ids[0], json!({ "taskStatus": "completed" })).await.problem(409);
    assert!(message.contains("not assigned to you"), "{message}");
    let _ = send(&stranger, &ids[0], json!({ "log": "graffiti" })).await.problem(409);
    let _ = send(&owner, &ids[1], json!({ "taskStatus": "completed" })).await.problem(409);
    let _ = send(&owner, UNKNOWN, json!({ "taskStatus": "completed" })).await.problem(404);
    let message = send(&owner, &ids[0], json!({ "taskStatus": "great" })).await.problem(400);
    assert!(message.contains("taskStatus"), "{message}");
    let _ = send(&owner, &ids[0], json!({ "steps_completed": "two" })).await.problem(400);
    assert_eq!(farm.job(&job).await, before);
    assert_eq!(farm.task_statuses(&job).await, "active queued");
    let log = farm.get(&format!("/api/v3/tasks/{}/logtail", task.uuid)).await.expect(200).text();
    assert!(!log.contains("graffiti"), "{log}");
    farm.stop().await;
}

async fn a_task_that_was_given_to_another_worker_is_no_longer_ours(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let [first, second] = [farm.worker("first").await, farm.worker("second").await];
    let task = first.take().await;
    first.sign_off().await;
    assert_eq!(farm.task_statuses(&job).await, "queued");
    assert_eq!(first.report_task(task.uuid, "completed").await, 409, "it was given back");
    assert_eq!(farm.task_statuses(&job).await, "queued");
    let again = second.take().await;
    assert_eq!(again.uuid, task.uuid);
    assert_eq!(first.report_task(task.uuid, "completed").await, 409);
    assert_eq!(first.report_task(task.uuid, "failed").await, 409);
    second.complete(&again).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn tasks_are_canceled_and_queued_by_request(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(3)).await;
    let ids = farm.task_ids(&job).await;
    farm.set_task_status(&ids[0], "canceled").await.no_content();
    assert_eq!(farm.task_statuses(&job).await, "canceled queued queued");
    assert_eq!(farm.job_status(&job).await, "queued");
    let task = farm.task(&ids[0]).await;
    assert_eq!(task["activity"], "the test wants it");
    for status in ["active", "completed", "failed", "soft-failed", "paused"] {
        let message = farm.set_task_status(&ids[0], status).await.problem(422);
        assert!(message.contains("canceled or queued"), "{message}");
    }
    farm.set_task_status(&ids[0], "queued").await.no_content();
    let worker = farm.worker("w").await;
    let active = worker.take().await;
    assert_eq!(active.uuid.to_string(), ids[0]);
    let message = farm.set_task_status(&ids[0], "queued").await.problem(422);
    assert!(message.contains("active"), "{message}");
    farm.set_task_status(&ids[0], "canceled").await.no_content();
    assert!(!worker.may_run(active.uuid).await.may_keep_running);
    assert_eq!(farm.task_statuses(&job).await, "canceled queued queued");
    assert_eq!(farm.job_status(&job).await, "active");
    let second = worker.take().await;
    worker.complete(&second).await;
    let message = farm.set_task_status(&second.uuid.to_string(), "canceled").await.problem(422);
    assert!(message.contains("completed"), "{message}");
    farm.stop().await;
}

async fn a_task_of_a_failed_job_brings_it_back(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(3)).await;
    let worker = farm.worker("alone").await;
    worker.complete(&worker.take().await).await;
    let task = worker.take().await;
    worker.fail(&task).await;
    assert_eq!(farm.job_status(&job).await, "failed", "nobody is left to try");
    assert_eq!(farm.task_statuses(&job).await, "completed failed canceled");
    farm.set_task_status(&task.uuid.to_string(), "queued").await.no_content();
    assert_eq!(farm.job_status(&job).await, "queued");
    assert_eq!(farm.task(&task.uuid.to_string()).await["failed_by_workers"], json!([]));
    let again = worker.take().await;
    assert_eq!(again.uuid, task.uuid);
    worker.complete(&again).await;
    assert_eq!(farm.task_statuses(&job).await, "completed completed canceled");
    assert_eq!(farm.job_status(&job).await, "canceled", "nothing of it can run any more");
    farm.stop().await;
}

async fn canceling_the_last_task_ends_the_job(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", json!([{ "name": "a" }, { "name": "b", "after": [0] }])).await;
    let ids = farm.task_ids(&job).await;
    farm.set_task_status(&ids[0], "canceled").await.no_content();
    assert_eq!(farm.job_status(&job).await, "canceled", "what is behind a canceled task can never run");
    assert_eq!(farm.task_statuses(&job).await, "canceled canceled");
    farm.stop().await;
}

async fn tasks_of_a_paused_job_wait_for_the_job(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let ids = farm.task_ids(&job).await;
    farm.set_task_status(&ids[0], "canceled").await.no_content();
    farm.set_job_status(&job, "pause-requested").await.no_content();
    let message = farm.set_task_status(&ids[0], "queued").await.problem(422);
    assert!(message.contains("requeue the job"), "{message}");
    assert_eq!(farm.job_status(&job).await, "paused");
    assert!(Uuid::parse_str(&ids[1]).is_ok());
    farm.set_task_status(&ids[1], "canceled").await.no_content();
    assert_eq!(farm.task_statuses(&job).await, "canceled canceled");
    farm.stop().await;
}

/// It happened that the job was queued, and stayed so for ever.
async fn a_task_that_waits_for_a_canceled_one_does_not_bring_its_job_back(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", json!([{ "name": "a" }, { "name": "b", "after": [0] }])).await;
    farm.set_job_status(&job, "cancel-requested").await.no_content();
    let ids = farm.task_ids(&job).await;
    let message = farm.set_task_status(&ids[1], "queued").await.problem(422);
    assert!(message.contains("requeue the job"), "{message}");
    assert_eq!(farm.job_status(&job).await, "canceled");
    farm.set_task_status(&ids[0], "queued").await.no_content();
    farm.set_task_status(&ids[1], "queued").await.no_content();
    let worker = farm.worker("w").await;
    worker.complete(&worker.take().await).await;
    worker.complete(&worker.take().await).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

/// It happened that steps that arrived late moved the progress of what had ended or began anew.
async fn steps_of_a_task_that_does_not_run_are_not_counted(farm: Builder) {
    let farm = farm.start().await;
    let plan = json!([{ "name": "a", "commands": [{ "name": "c", "steps": 3 }] }, { "name": "b" }]);
    let job = farm.submit("job", plan).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let id = task.uuid.to_string();
    let late = TaskUpdate { steps_completed: Some(1), ..TaskUpdate::default() };
    worker.complete(&task).await;
    assert_eq!(worker.report(task.uuid, &late).await, 204);
    assert_eq!(
        (&farm.task(&id).await["steps_completed"], &farm.job(&job).await["steps_completed"]),
        (&json!(3), &json!(3))
    );
    farm.set_task_status(&id, "queued").await.no_content();
    assert_eq!(worker.report(task.uuid, &late).await, 204);
    assert_eq!(
        (&farm.task(&id).await["steps_completed"], &farm.job(&job).await["steps_completed"]),
        (&json!(0), &json!(0))
    );
    farm.stop().await;
}

/// It happened that the second of two equal reports was refused, as the first had paused the task.
async fn a_failure_while_pausing_can_be_reported_twice(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(20)).await;
    let [worker, _other] = [farm.worker("w").await, farm.worker("other").await];
    let task = worker.take().await;
    farm.set_job_status(&job, "pause-requested").await.no_content();
    worker.fail(&task).await;
    let before = (farm.job(&job).await, farm.task(&task.uuid.to_string()).await);
    assert_eq!((&before.0["status"], &before.1["status"]), (&json!("paused"), &json!("paused")));
    worker.fail(&task).await;
    assert_eq!((farm.job(&job).await, farm.task(&task.uuid.to_string()).await), before);
    farm.stop().await;
}

/// It happened that a paused task of a job that runs waited for ever.
async fn a_worker_that_will_not_go_on_gives_its_task_back(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let [first, second] = [farm.worker("first").await, farm.worker("second").await];
    for status in ["paused", "queued"] {
        let task = first.take().await;
        assert_eq!(first.report_task(task.uuid, status).await, 204);
        assert_eq!(farm.task_statuses(&job).await, "queued", "after {status}");
    }
    second.complete(&second.take().await).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}
