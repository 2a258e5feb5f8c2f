//! Deleting jobs: marked at once, erased soon afterwards, with everything that belongs to them.

use std::time::Duration;

use chrono::TimeDelta;
use flamenco_testkit::{Builder, LiveUpdates, Method, Protocol, TestManager};
use serde_json::json;

use crate::{UNKNOWN, eventually, tasks};

on_each_database!(
    a_deleted_job_is_gone_with_its_files,
    many_jobs_are_deleted_by_age,
    more_jobs_are_deleted_than_go_in_one_slice,
    jobs_that_cannot_be_erased_are_not_in_the_way,
    deletions_that_are_refused,
    logs_that_are_written_while_a_job_is_erased_go_with_it,
    a_job_that_is_deleted_twice_is_announced_once,
);

async fn a_job_that_is_deleted_twice_is_announced_once(farm: Builder) {
    let farm = farm.start().await;
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allJobs", None).await;
    let job = farm.submit("job", tasks(1)).await;
    let path = format!("/api/v3/jobs/{job}");
    let (first, second) = tokio::join!(farm.delete(&path), farm.delete(&path));
    // The second may come when the job is gone.
    assert!(first.status == 204 || second.status == 204, "{first:?} {second:?}");
    is_gone(&farm, &job).await;
    let other = farm.submit("other", tasks(1)).await;
    farm.delete(&format!("/api/v3/jobs/{other}")).await.no_content();
    is_gone(&farm, &other).await;
    let mut deleted = Vec::new();
    while deleted.last() != Some(&json!(other)) {
        deleted.push(live.until("/jobs", |event| event["was_deleted"] == true).await["id"].clone());
    }
    assert_eq!(deleted, [json!(job), json!(other)]);
    farm.stop().await;
}

async fn is_gone(farm: &TestManager, job: &str) {
    eventually("the job is erased", Duration::from_secs(10), async || {
        farm.get(&format!("/api/v3/jobs/{job}")).await.status == 404
    })
    .await;
}

async fn a_deleted_job_is_gone_with_its_files(farm: Builder) {
    let farm = farm.start().await;
    let (job, kept) = (farm.submit("job", tasks(2)).await, farm.submit("kept", tasks(1)).await);
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    worker.log(task.uuid, "to be erased").await;
    let folder = farm.local_storage().join(format!("job-{}", &job[..4])).join(&job);
    assert!(folder.is_dir());
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allJobs", None).await;
    let would = farm.get(&format!("/api/v3/jobs/{job}/what-would-delete-do")).await.expect(200).json();
    assert_eq!(would, json!({ "shaman_checkout": false }));

    farm.delete(&format!("/api/v3/jobs/{job}")).await.no_content();
    let marked = live.until("/jobs", |event| event["delete_requested_at"].is_string()).await;
    assert_eq!((&marked["id"], &marked["status"]), (&json!(job), &json!("canceled")));
    let erased = live.until("/jobs", |event| event["was_deleted"] == true).await;
    assert_eq!(erased["id"], job);
    is_gone(&farm, &job).await;
    assert!(!folder.exists());
    let _ = farm.get(&format!("/api/v3/tasks/{}", task.uuid)).await.problem(404);
    assert!(!worker.may_run(task.uuid).await.may_keep_running);
    assert_eq!(worker.report_task(task.uuid, "completed").await, 404);
    assert_eq!(worker.take().await.job.to_string(), kept, "other jobs are left alone");
    farm.stop().await;
}

async fn many_jobs_are_deleted_by_age(farm: Builder) {
    let farm = farm.start().await;
    let old = [farm.submit("old", tasks(1)).await, farm.submit("old too", tasks(1)).await];
    farm.clock().advance(TimeDelta::milliseconds(500));
    let same_second = farm.submit("same second", tasks(1)).await;
    farm.clock().advance(TimeDelta::seconds(60));
    let young = farm.submit("young", tasks(1)).await;
    let delete = async |moment: &str| {
        let body = json!({ "last_updated_max": moment });
        farm.request(Method::DELETE, "/api/v3/jobs/mass-delete").json(&body).send().await
    };
    let _ = delete("2025-01-01T00:00:00Z").await.problem(416);
    delete("2026-01-02T04:04:05.200+01:00").await.no_content();
    for job in old.iter().chain([&same_second]) {
        is_gone(&farm, job).await;
    }
    assert_eq!(farm.job_status(&young).await, "queued");
    farm.stop().await;
}

async fn more_jobs_are_deleted_than_go_in_one_slice(farm: Builder) {
    let farm = farm.start().await;
    for number in 0..120 {
        farm.submit(&format!("job {number}"), tasks(1)).await;
    }
    // The last moment that there is, which has no second after it.
    let body = json!({ "last_updated_max": "+262142-12-31T23:59:59.5Z" });
    farm.request(Method::DELETE, "/api/v3/jobs/mass-delete").json(&body).send().await.no_content();
    eventually("all jobs are erased", Duration::from_secs(20), async || {
        farm.get("/api/v3/jobs").await.expect(200).json()["jobs"] == json!([])
    })
    .await;
    farm.stop().await;
}

/// A hundred are looked at together; more than these have a file where their folder should be.
async fn jobs_that_cannot_be_erased_are_not_in_the_way(farm: Builder) {
    let farm = farm.start().await;
    let mut stuck = Vec::new();
    for number in 0..101 {
        let job = farm.submit(&format!("stuck {number}"), tasks(1)).await;
        let folder = farm.local_storage().join(format!("job-{}", &job[..4]));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join(&job), "in the way").unwrap();
        stuck.push(job);
    }
    let free = farm.submit("free", tasks(1)).await;
    for job in stuck.iter().chain([&free]) {
        farm.delete(&format!("/api/v3/jobs/{job}")).await.no_content();
    }
    is_gone(&farm, &free).await;
    assert_eq!(farm.job_status(&stuck[0]).await, "canceled", "it waits for its files to go");
    farm.stop().await;
}

async fn deletions_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let _ = farm.delete(&format!("/api/v3/jobs/{UNKNOWN}")).await.problem(404);
    let _ = farm.get(&format!("/api/v3/jobs/{UNKNOWN}/what-would-delete-do")).await.problem(404);
    for body in [json!({}), json!({ "last_updated_max": "yesterday" }), json!({ "last_updated_max": 7 })] {
        let request = farm.request(Method::DELETE, "/api/v3/jobs/mass-delete").json(&body);
        let message = request.send().await.problem(400);
        assert!(message.contains("last_updated_max"), "{body}: {message}");
    }
    assert_eq!(farm.job_status(&job).await, "queued");
    farm.stop().await;
}

/// It happened that a log stayed for ever that was written to while its job was erased.
async fn logs_that_are_written_while_a_job_is_erased_go_with_it(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    for round in 0..4 {
        let job = farm.submit("job", tasks(1)).await;
        let task = worker.take().await;
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let worker = worker.clone();
                tokio::spawn(async move { while worker.log(task.uuid, "still at it").await == 204 {} })
            })
            .collect();
        farm.delete(&format!("/api/v3/jobs/{job}")).await.no_content();
        is_gone(&farm, &job).await;
        for writer in writers {
            writer.await.unwrap();
        }
        let folder = farm.local_storage().join(format!("job-{}", &job[..4])).join(&job);
        eventually("nothing is left", Duration::from_secs(5), async || !folder.exists()).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!folder.exists(), "round {round}: {folder:?} came back");
    }
    farm.stop().await;
}
