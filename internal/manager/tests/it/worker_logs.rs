//! The end of what workers log about themselves.

use std::time::Duration;

use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Method, Protocol, Reply, TestManager};
use serde_json::{Value, json};

use crate::UNKNOWN;

on_each_database!(the_last_lines_are_kept_and_told_to_those_who_watch, reports_that_are_refused);

async fn send(farm: &TestManager, worker: &FakeWorker, report: Value) -> Reply {
    farm.request(Method::POST, "/api/v3/worker/log").as_worker(worker).json(&report).send().await
}

async fn log(farm: &TestManager, worker: &FakeWorker) -> Value {
    farm.get(&format!("/api/v3/worker-mgt/workers/{}/log", worker.id)).await.expect(200).json()
}

async fn the_last_lines_are_kept_and_told_to_those_who_watch(farm: Builder) {
    let mut farm = farm.start().await;
    let [one, other] = [farm.worker("one").await, farm.worker("other").await];
    assert_eq!(log(&farm, &one).await, json!({ "worker": one.id, "lines": [], "total": 0 }));

    let mut watching = LiveUpdates::connect(&farm, Protocol::Four).await;
    watching.subscribe("workerLog", Some(&one.id.to_string())).await;
    send(&farm, &other, json!({ "lines": ["not yours"] })).await.no_content();
    send(&farm, &one, json!({ "lines": ["<b>first</b>", "\u{1b}[31msecond\r"] })).await.no_content();
    let told = watching.until("/workerlog", |_| true).await;
    let lines = json!(["<b>first</b>", "\u{fffd}[31msecond"]);
    assert_eq!(told, json!({ "worker": one.id, "lines": lines, "anew": false, "total": 2 }));
    assert_eq!(
        log(&farm, &one).await,
        json!({ "worker": one.id, "received_at": farm.now(), "lines": lines, "total": 2 })
    );

    for number in 0..3 {
        let many: Vec<String> = (0..100).map(|line| format!("{number}-{line}")).collect();
        send(&farm, &one, json!({ "lines": many })).await.no_content();
    }
    let kept = log(&farm, &one).await;
    let lines = kept["lines"].as_array().unwrap();
    assert_eq!((lines.len(), &lines[0], &kept["total"]), (200, &json!("1-0"), &json!(302)));
    send(&farm, &one, json!({ "lines": ["all there is"], "anew": true })).await.no_content();
    let kept = log(&farm, &one).await;
    assert_eq!((&kept["lines"], &kept["total"]), (&json!(["all there is"]), &json!(303)));
    assert_eq!(log(&farm, &other).await["lines"], json!(["not yours"]));

    // Long lines are cut, and all together take little memory.
    let long = vec!["x".repeat(5000); 100];
    send(&farm, &one, json!({ "lines": long })).await.no_content();
    let kept = log(&farm, &one).await;
    let lines = kept["lines"].as_array().unwrap();
    assert!(lines.len() < 40 && lines[0].as_str().unwrap().chars().count() == 1000, "{}", lines.len());

    watching.drain(Duration::from_millis(200)).await;
    let wanted = json!({ "op": "unsubscribe", "type": "workerLog", "uuid": one.id });
    assert_eq!(watching.subscription(wanted).await, "ok");
    send(&farm, &one, json!({ "lines": ["unheard"] })).await.no_content();
    let heard = watching.drain(Duration::from_millis(200)).await;
    assert!(heard.iter().all(|(name, _)| name != "/workerlog"), "{heard:?}");

    farm.restart().await;
    let one = one.reconnected(&farm);
    assert_eq!(log(&farm, &one).await["total"], 0, "it is kept in memory only");
    farm.stop().await;
}

async fn reports_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    for bad in
        [json!({}), json!({ "lines": [] }), json!({ "lines": [1] }), json!({ "lines": vec!["x"; 201] })]
    {
        let _ = send(&farm, &worker, bad).await.problem(400);
    }
    let _ = farm.post("/api/v3/worker/log", &json!({ "lines": ["x"] })).await.problem(403);
    let _ = farm.get(&format!("/api/v3/worker-mgt/workers/{UNKNOWN}/log")).await.problem(404);
    assert_eq!(log(&farm, &worker).await["lines"], json!([]));
    // What it logs is no sign of life.
    let before = farm.get(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.expect(200).json();
    farm.clock().advance(chrono::TimeDelta::seconds(40));
    send(&farm, &worker, json!({ "lines": ["x"] })).await.no_content();
    let after = farm.get(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.expect(200).json();
    assert_eq!(before["last_seen"], after["last_seen"]);
    farm.request(Method::DELETE, &format!("/api/v3/worker-mgt/workers/{}", worker.id))
        .send()
        .await
        .no_content();
    let _ = farm.get(&format!("/api/v3/worker-mgt/workers/{}/log", worker.id)).await.problem(404);
    farm.stop().await;
}
