//! What a worker did: when it had its tasks, how quick it was, who disabled it, and whether its disks leave room for more.

use chrono::TimeDelta;
use flamenco_testkit::{Builder, FakeWorker, Method, TestManager};
use serde_json::{Value, json};

use crate::{UNKNOWN, tasks};

on_each_database!(
    tasks_tell_how_long_they_took,
    the_pace_of_a_worker_beside_the_farm,
    a_worker_without_room_gets_nothing_new,
    who_disabled_a_worker_is_told,
);

async fn task_of(farm: &TestManager, worker: &FakeWorker) -> Value {
    let all = farm.get(&format!("/api/v3/tasks?worker={}", worker.id)).await.expect(200).json();
    all["tasks"][0]["task"].clone()
}

async fn tasks_tell_how_long_they_took(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let before = farm.tasks(&job).await;
    assert_eq!((before[0].get("started"), before[0].get("ended")), (None, None));
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let began = farm.now();
    farm.clock().advance(TimeDelta::seconds(90));
    let shown = task_of(&farm, &worker).await;
    assert_eq!((&shown["started"], shown.get("ended")), (&json!(began), None), "it is at work");
    worker.complete(&task).await;
    let shown = task_of(&farm, &worker).await;
    assert_eq!((&shown["started"], &shown["ended"]), (&json!(began), &json!(farm.now())));

    // One that is taken away with its job has ended, too.
    let second = worker.take().await;
    let began = farm.now();
    farm.clock().advance(TimeDelta::seconds(30));
    let change = json!({ "status": "cancel-requested", "reason": "test" });
    farm.post(&format!("/api/v3/jobs/{job}/setstatus"), &change).await.no_content();
    let all = farm.tasks(&job).await;
    let found = all.iter().find(|task| task["id"] == json!(second.uuid)).unwrap();
    assert_eq!((&found["started"], &found["ended"]), (&json!(began), &json!(farm.now())));
    farm.stop().await;
}

async fn the_pace_of_a_worker_beside_the_farm(farm: Builder) {
    let farm = farm.start().await;
    let [quick, slow] = [farm.worker("quick").await, farm.worker("slow").await];
    let job = farm.submit("job <b>", tasks(2)).await;
    let mut number = 0;
    for (worker, times) in [(&quick, vec![1000, 3000]), (&slow, vec![8000])] {
        let task = worker.take().await.uuid;
        let frames: Vec<_> = times
            .into_iter()
            .map(|ms: i64| {
                number += 1;
                json!({ "frame": number, "path": format!("/o/{number:04}.png"), "state": "ok", "rendered_at": farm.now(),
                    "render_ms": ms })
            })
            .collect();
        let path = format!("/api/v3/worker/task/{task}/frames");
        let body = json!({ "frames": frames });
        farm.request(Method::POST, &path).as_worker(worker).json(&body).send().await.no_content();
    }
    let pace = async |worker: &FakeWorker| {
        farm.get(&format!("/api/v3/worker-mgt/workers/{}/pace", worker.id)).await.expect(200).json()
    };
    let of = |frames: i64, mean: i64| {
        json!({ "jobs": [{ "job": job, "job_name": "job <b>", "frames": frames, "mean_ms": mean, "farm_mean_ms": 4000,
            "rendered_at": farm.now() }] })
    };
    assert_eq!((pace(&quick).await, pace(&slow).await), (of(2, 2000), of(1, 8000)));
    farm.clock().advance(TimeDelta::days(31));
    assert_eq!(pace(&quick).await, json!({ "jobs": [] }), "that is long ago");
    let _ = farm.get(&format!("/api/v3/worker-mgt/workers/{UNKNOWN}/pace")).await.problem(404);
    farm.stop().await;
}

async fn a_worker_without_room_gets_nothing_new(farm: Builder) {
    let farm = farm.with_yaml("worker_disk_limit: 90\n").start().await;
    let [full, stock] = [farm.worker("full").await, farm.worker("stock").await];
    let job = farm.submit("job", tasks(4)).await;
    let report = async |used: i64| {
        let disks = json!([{ "purpose": "root", "path": "/", "used": 1, "total": 100 },
            { "purpose": "output", "path": "/out", "used": used, "total": 100 }]);
        let body = json!({ "now": farm.now(), "state": { "disks": disks } });
        farm.request(Method::POST, "/api/v3/worker/machine")
            .as_worker(&full)
            .json(&body)
            .send()
            .await
            .no_content();
    };
    let no_room = async || {
        let all = farm.get("/api/v3/worker-mgt/machines").await.expect(200).json();
        all["workers"][0].get("no_room").cloned()
    };
    report(89).await;
    let task = full.take().await;
    report(90).await;
    assert_eq!(no_room().await, Some(json!(true)));
    assert_eq!(full.take().await.uuid, task.uuid, "the task that it has it keeps");
    full.complete(&task).await;
    assert_eq!(full.take_if_any().await, None);
    assert!(stock.take_if_any().await.is_some(), "one that tells nothing gets tasks");
    report(50).await;
    assert_eq!(no_room().await, None);
    assert!(full.take_if_any().await.is_some());
    assert_eq!(farm.job_status(&job).await, "active");

    let mut settings = farm.get("/api/v3/configuration/file").await.expect(200).json();
    settings["worker_disk_limit"] = json!(101);
    let problem =
        farm.request(Method::PUT, "/api/v3/configuration/file").json(&settings).send().await.problem(400);
    assert!(problem.contains("worker_disk_limit"), "{problem}");
    settings["worker_disk_limit"] = json!(40);
    farm.request(Method::PUT, "/api/v3/configuration/file").json(&settings).send().await.no_content();
    assert_eq!(no_room().await, Some(json!(true)), "a new limit counts at once");
    farm.stop().await;
}

async fn who_disabled_a_worker_is_told(farm: Builder) {
    let mut farm = farm.start().await;
    let worker = farm.worker("w").await;
    let path = format!("/api/v3/worker-mgt/workers/{}", worker.id);
    farm.post(&format!("{path}/setenabled"), &json!({ "enabled": false, "reason": "fan" }))
        .await
        .no_content();
    farm.restart().await;
    for shown in [
        farm.get(&path).await.expect(200).json(),
        farm.get("/api/v3/worker-mgt/workers").await.expect(200).json()["workers"][0].clone(),
    ] {
        assert_eq!((&shown["disabled_by"], &shown["disabled_reason"]), (&json!("127.0.0.1"), &json!("fan")));
    }
    farm.post(&format!("{path}/setenabled"), &json!({ "enabled": true })).await.no_content();
    assert_eq!(farm.get(&path).await.expect(200).json().get("disabled_by"), None);
    farm.stop().await;
}
