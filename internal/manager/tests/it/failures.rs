//! What becomes of tasks that fail: other workers try, workers are blocked, jobs fail.

use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Protocol, TestManager};
use serde_json::{Value, json};

use crate::tasks;

on_each_database!(
    another_worker_tries_again,
    a_task_fails_for_good_after_three_workers,
    a_worker_that_fails_too_often_is_blocked,
    an_unblocked_worker_begins_anew,
    requeueing_the_job_clears_the_blocklist,
    a_job_fails_when_nobody_is_left,
    workers_that_cannot_run_it_do_not_count,
    a_frame_that_fails_everywhere_fails_alone,
    a_type_that_looks_like_another_is_not_that,
    a_pausing_job_keeps_what_a_blocked_worker_gives_back,
    a_blocked_worker_s_failures_go_to_others,
    a_job_fails_when_the_last_candidate_goes,
    a_job_whose_type_is_blocked_for_all_who_are_left_fails,
    work_that_never_failed_waits_for_workers,
);

async fn blocklist(farm: &TestManager, job: &str) -> Value {
    farm.get(&format!("/api/v3/jobs/{job}/blocklist")).await.expect(200).json()
}

async fn another_worker_tries_again(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let [w1, w2] = [farm.worker("w1").await, farm.worker("w2").await];
    let task = w1.take().await;
    w1.fail(&task).await;
    assert_eq!(
        (farm.task_statuses(&job).await, farm.job_status(&job).await),
        ("soft-failed".into(), "active".into())
    );
    let failed_by = farm.task(&task.uuid.to_string()).await["failed_by_workers"].clone();
    assert_eq!(failed_by, json!([{ "id": w1.id.to_string(), "name": "w1", "address": "127.0.0.1" }]));
    assert_eq!(w1.take_if_any().await, None, "who failed it does not get it again");
    let again = w2.take().await;
    assert_eq!(again.uuid, task.uuid);
    w2.complete(&again).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn a_task_fails_for_good_after_three_workers(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let mut workers = Vec::new();
    for name in ["w1", "w2", "w3", "w4"] {
        workers.push(farm.worker(name).await);
    }
    for (worker, want) in workers.iter().zip(["soft-failed", "soft-failed", "failed"]) {
        worker.fail(&worker.take().await).await;
        assert_eq!(farm.task_statuses(&job).await, want);
    }
    assert_eq!(farm.job_status(&job).await, "failed");
    assert_eq!(workers[3].take_if_any().await, None);
    farm.stop().await;
}

async fn a_worker_that_fails_too_often_is_blocked(farm: Builder) {
    let farm = farm.start().await;
    let plan: Value = (0..40)
        .map(|n| json!({ "name": format!("t{n}"), "type": if n < 35 { "blender" } else { "misc" } }))
        .collect();
    let job = farm.submit("job", plan).await;
    let [bad, good] = [farm.worker("bad").await, farm.worker("good").await];
    for round in 1..=3 {
        assert_eq!(blocklist(&farm, &job).await, json!([]), "before failure {round}");
        let task = bad.take().await;
        assert_eq!(task.task_type, "blender");
        bad.fail(&task).await;
    }
    let entry = json!({ "worker_id": bad.id.to_string(), "worker_name": "bad", "task_type": "blender" });
    assert_eq!(blocklist(&farm, &job).await, json!([entry]));
    assert_eq!(farm.job_status(&job).await, "active");
    let other = bad.take().await;
    assert_eq!(other.task_type, "misc", "only this type is blocked");
    assert_eq!(good.take().await.task_type, "blender");
    let next = farm.submit("other job", tasks(1)).await;
    bad.complete(&other).await;
    let mut seen = Vec::new();
    while let Some(task) = bad.take_if_any().await {
        seen.push(task.job.to_string());
        bad.complete(&task).await;
    }
    assert!(seen.contains(&next), "other jobs are not affected");
    farm.stop().await;
}

async fn an_unblocked_worker_begins_anew(farm: Builder) {
    let farm = farm.with_yaml("blocklist_threshold: 2").start().await;
    let job = farm.submit("job", tasks(30)).await;
    let [bad, _good] = [farm.worker("bad").await, farm.worker("good").await];
    let first = bad.take().await;
    bad.fail(&first).await;
    bad.fail(&bad.take().await).await;
    assert_eq!(bad.take_if_any().await, None);
    let path = format!("/api/v3/jobs/{job}/blocklist");
    let entry = json!({ "worker_id": bad.id.to_string(), "task_type": "blender" });
    let remove =
        async |body: &Value| farm.request(flamenco_testkit::Method::DELETE, &path).json(body).send().await;
    let message = remove(&json!([])).await.problem(400);
    assert!(message.contains("empty"), "{message}");
    let _ = remove(&json!([{ "worker_id": "nonsense", "task_type": "blender" }])).await.problem(400);
    assert_ne!(blocklist(&farm, &job).await, json!([]));
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allJobs", None).await;
    remove(&json!([entry])).await.no_content();
    assert_eq!(live.until("/jobs", |_| true).await["id"], job, "pages that show the blocklist are told");
    remove(&json!([entry])).await.no_content();
    assert_eq!(blocklist(&farm, &job).await, json!([]));
    bad.fail(&bad.take().await).await;
    assert_eq!(blocklist(&farm, &job).await, json!([]), "its old failures are forgotten");
    farm.stop().await;
}

async fn requeueing_the_job_clears_the_blocklist(farm: Builder) {
    let farm = farm.with_yaml("blocklist_threshold: 1").start().await;
    let job = farm.submit("job", tasks(30)).await;
    let [bad, _good] = [farm.worker("bad").await, farm.worker("good").await];
    bad.fail(&bad.take().await).await;
    assert_ne!(blocklist(&farm, &job).await, json!([]));
    farm.set_job_status(&job, "cancel-requested").await.no_content();
    assert_ne!(blocklist(&farm, &job).await, json!([]), "canceling forgets nothing");
    farm.set_job_status(&job, "requeueing").await.no_content();
    assert_eq!(blocklist(&farm, &job).await, json!([]));
    bad.take().await;
    farm.stop().await;
}

async fn a_job_fails_when_nobody_is_left(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(30)).await;
    let [w1, w2] = [farm.worker("w1").await, farm.worker("w2").await];
    let task = w1.take().await;
    w1.fail(&task).await;
    assert_eq!(farm.job_status(&job).await, "active", "the other worker has not tried yet");
    let again = w2.take().await;
    assert_eq!(again.uuid, task.uuid);
    w2.fail(&again).await;
    assert_eq!(farm.job_status(&job).await, "failed");
    assert_eq!(farm.task_statuses(&job).await, format!("failed{}", " canceled".repeat(29)));
    let activity = farm.job(&job).await["activity"].to_string();
    assert!(activity.contains("blender"), "names the task type: {activity}");
    farm.stop().await;
}

async fn a_frame_that_fails_everywhere_fails_alone(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(30)).await;
    let workers = [farm.worker("w1").await, farm.worker("w2").await, farm.worker("w3").await];
    let mut broken = None;
    for worker in &workers {
        let task = worker.take().await;
        assert_eq!(*broken.get_or_insert(task.uuid), task.uuid, "every worker tries the first one");
        worker.fail(&task).await;
    }
    assert_eq!(farm.task_statuses(&job).await, format!("failed{}", " queued".repeat(29)));
    assert_eq!(farm.job_status(&job).await, "active", "only that task is at fault");
    workers[0].complete(&workers[0].take().await).await;
    farm.stop().await;
}

async fn a_type_that_looks_like_another_is_not_that(farm: Builder) {
    let farm = farm.start().await;
    let [plain, other] = [("plain", "my_type"), ("other", "my-type")];
    let plain = FakeWorker::register(&farm, plain.0, &[plain.1]).await;
    let other = FakeWorker::register(&farm, other.0, &[other.1]).await;
    for worker in [&plain, &other] {
        worker.wake_up().await;
    }
    let mut plan = tasks(30);
    for task in plan.as_array_mut().unwrap() {
        task["type"] = json!("my_type");
    }
    let job = farm.submit("job", plan).await;
    plain.fail(&plain.take().await).await;
    assert_eq!(farm.job_status(&job).await, "failed", "the other worker could never do it");
    farm.stop().await;
}

async fn a_pausing_job_keeps_what_a_blocked_worker_gives_back(farm: Builder) {
    let farm = farm.with_yaml("blocklist_threshold: 2\ntask_fail_after_softfail_count: 1").start().await;
    let job = farm.submit("job", tasks(40)).await;
    let [bad, _good] = [farm.worker("bad").await, farm.worker("good").await];
    bad.fail(&bad.take().await).await;
    let second = bad.take().await;
    farm.set_job_status(&job, "pause-requested").await.no_content();
    bad.fail(&second).await;
    assert_eq!(farm.task_statuses(&job).await, format!("paused failed{}", " paused".repeat(38)));
    assert_eq!(farm.job_status(&job).await, "paused");
    farm.stop().await;
}

async fn workers_that_cannot_run_it_do_not_count(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(30)).await;
    let bad = farm.worker("bad").await;
    let wrong_type = FakeWorker::register(&farm, "ffmpeg only", &["ffmpeg"]).await;
    wrong_type.wake_up().await;
    let deleted = farm.worker("deleted").await;
    farm.delete(&format!("/api/v3/worker-mgt/workers/{}", deleted.id)).await.no_content();
    bad.fail(&bad.take().await).await;
    assert_eq!(farm.job_status(&job).await, "failed");

    // One that is away counts: it may come back.
    let away = FakeWorker::register(&farm, "away", &["blender"]).await;
    let second = farm.submit("second", tasks(30)).await;
    bad.fail(&bad.take().await).await;
    assert_eq!(farm.job_status(&second).await, "active");
    assert!(away.task_types.contains(&"blender".to_owned()));
    farm.stop().await;
}

async fn a_blocked_worker_s_failures_go_to_others(farm: Builder) {
    let farm = farm.with_yaml("blocklist_threshold: 2\ntask_fail_after_softfail_count: 1").start().await;
    let mut plan = tasks(40);
    plan[0]["type"] = json!("ffmpeg");
    let job = farm.submit("job", plan).await;
    let [bad, good] = [farm.worker("bad").await, farm.worker("good").await];
    let other_type = bad.take().await;
    assert_eq!(other_type.task_type, "ffmpeg");
    bad.fail(&other_type).await;
    let first = bad.take().await;
    bad.fail(&first).await;
    assert_eq!(farm.task(&first.uuid.to_string()).await["status"], "failed");
    bad.fail(&bad.take().await).await;
    assert_ne!(blocklist(&farm, &job).await, json!([]));
    assert_eq!(
        farm.task(&first.uuid.to_string()).await["status"],
        "queued",
        "it may have been the worker's fault"
    );
    let log = farm.get(&format!("/api/v3/tasks/{}/logtail", first.uuid)).await.expect(200).text();
    assert!(log.contains("blocked"), "{log}");
    let other_type = farm.task(&other_type.uuid.to_string()).await;
    assert_eq!(other_type["status"], "failed", "it is blocked from another type only");
    assert_eq!(good.take().await.uuid, first.uuid);
    farm.stop().await;
}

/// The one worker that has not tried yet is deleted, no longer runs the type, or loses the job's tag; or the job gets
/// a tag that it lacks.
async fn a_job_fails_when_the_last_candidate_goes(farm: Builder) {
    let farm = farm.start().await;
    for how in ["deleted", "type", "tag", "job's tag"] {
        let [bad, last] = [farm.worker("bad").await, farm.worker("last").await];
        let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": how })).await.expect(200).json();
        let tag = tag["id"].as_str().unwrap();
        let mut workers = vec![&bad];
        if how != "job's tag" {
            workers.push(&last);
        }
        for worker in workers {
            let path = format!("/api/v3/worker-mgt/workers/{}/settags", worker.id);
            farm.post(&path, &json!({ "tag_ids": [tag] })).await.no_content();
        }
        let mut submission = TestManager::submission(how, &tasks(30));
        if how != "job's tag" {
            submission["worker_tag"] = tag.into();
        }
        let job = farm.submit_as(submission).await;
        let task = bad.take().await;
        bad.fail(&task).await;
        assert_eq!(farm.job_status(&job).await, "active", "{how}: another worker may try");
        let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
        live.subscribe("job", Some(&job)).await;
        match how {
            "deleted" => {
                farm.delete(&format!("/api/v3/worker-mgt/workers/{}", last.id)).await.no_content();
            }
            "type" => {
                last.sign_off().await;
                let changed = FakeWorker { task_types: vec!["ffmpeg".to_owned()], ..last.clone() };
                changed.wake_up().await;
            }
            "tag" => {
                let path = format!("/api/v3/worker-mgt/workers/{}/settags", last.id);
                farm.post(&path, &json!({ "tag_ids": [] })).await.no_content();
            }
            _ => {
                let path = format!("/api/v3/jobs/{job}/settag");
                farm.post(&path, &json!({ "id": tag })).await.no_content();
            }
        }
        assert_eq!(farm.job_status(&job).await, "failed", "{how}");
        assert_eq!(farm.task_statuses(&job).await, format!("failed{}", " canceled".repeat(29)), "{how}");
        let event = live.until("/task", |event| event["status"] == "failed").await;
        assert_eq!((&event["id"], &event["previous_status"]), (&json!(task.uuid), &json!("soft-failed")));
        let log = farm.get(&format!("/api/v3/tasks/{}/logtail", task.uuid)).await.expect(200).text();
        assert!(log.contains("no worker is left") && log.contains("blender"), "{how}: {log}");
        for worker in [&bad, &last] {
            let _ = farm.delete(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await;
        }
    }
    farm.stop().await;
}

async fn a_job_whose_type_is_blocked_for_all_who_are_left_fails(farm: Builder) {
    let farm = farm.with_yaml("blocklist_threshold: 1\ntask_fail_after_softfail_count: 9").start().await;
    let job = farm.submit("job", tasks(30)).await;
    let [bad, good, ffmpeg] =
        [farm.worker("bad").await, farm.worker("good").await, farm.worker("other").await];
    farm.delete(&format!("/api/v3/worker-mgt/workers/{}", ffmpeg.id)).await.no_content();
    let task = bad.take().await;
    bad.fail(&task).await;
    let again = good.take().await;
    assert_eq!(again.uuid, task.uuid);
    good.complete(&again).await;
    assert_eq!(farm.job_status(&job).await, "active");
    farm.delete(&format!("/api/v3/worker-mgt/workers/{}", good.id)).await.no_content();
    assert_eq!(
        farm.job_status(&job).await,
        "failed",
        "29 tasks are queued, and the one worker left is blocked"
    );
    farm.stop().await;
}

async fn work_that_never_failed_waits_for_workers(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("only").await;
    let job = farm.submit("job", tasks(2)).await;
    let task = worker.take().await;
    farm.delete(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.no_content();
    assert_eq!(farm.job_status(&job).await, "active");
    assert_eq!(farm.task_statuses(&job).await, "queued queued");
    assert_eq!(farm.worker("new").await.take().await.uuid, task.uuid);
    farm.stop().await;
}
