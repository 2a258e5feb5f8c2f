//! How the machines of the workers are doing: reports, what is kept, and what those who watch are told.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Method, Protocol, TestManager};
use serde_json::{Value, json};

use crate::UNKNOWN;

on_each_database!(
    the_last_report_and_the_recent_ones_are_read,
    minutes_and_hours_are_kept_and_pruned,
    the_farm_as_a_whole,
    those_who_watch_are_told,
    reports_that_are_refused,
);

fn load(cpu: f64, memory: i64) -> Value {
    json!({ "cpu_percent": cpu, "memory_used": memory, "memory_total": 1000 })
}

async fn send(farm: &TestManager, worker: &FakeWorker, report: &Value) -> flamenco_testkit::Reply {
    farm.request(Method::POST, "/api/v3/worker/machine").as_worker(worker).json(report).send().await
}

async fn send_load(farm: &TestManager, worker: &FakeWorker, load: Value) {
    send(farm, worker, &json!({ "now": farm.now(), "load": load })).await.no_content();
}

async fn history(farm: &TestManager, worker: &FakeWorker, query: &str) -> Value {
    farm.get(&format!("/api/v3/worker-mgt/workers/{}/machine{query}", worker.id)).await.expect(200).json()
}

fn column(history: &Value, name: &str) -> Vec<f64> {
    history["samples"].as_array().unwrap().iter().map(|sample| sample[name].as_f64().unwrap()).collect()
}

async fn the_last_report_and_the_recent_ones_are_read(farm: Builder) {
    let farm = farm.start().await;
    let (worker, silent) = (farm.worker("w").await, farm.worker("stock").await);
    let hardware = json!({
        "architecture": "x86_64", "cpu_model": "A\u{e9} 1", "cores": 4, "threads": 8, "memory_total": 1000, "os": "Linux",
        "gpus": [{ "name": "G", "memory": 5, "driver": "1.2" }], "blender_versions": ["Blender 4.5.0"],
        "ffmpeg_version": "5.1.9",
    });
    let full = json!({
        "cpu_percent": 50.5, "cores_percent": [1.0, 100.0], "load_1": 1.5, "load_5": 2.5, "load_15": 3.5,
        "memory_used": 400, "memory_total": 1000, "swap_used": 1, "swap_total": 2, "network_in": 3, "network_out": 4,
        "gpus": [{ "use_percent": 12.5, "memory_used": 6, "temperature": 60.5 }], "task_cpu_percent": 750.0,
        "task_memory": 300,
    });
    let state = json!({
        "disks": [{ "purpose": "root", "path": "/", "used": 3, "total": 4 }], "uptime_s": 77,
        "temperatures": [{ "label": "core", "celsius": -3.5 }],
    });
    let ahead = farm.now() + TimeDelta::milliseconds(2500);
    let report = json!({ "now": ahead, "hardware": hardware, "load": full, "state": state });
    send(&farm, &worker, &report).await.no_content();

    let all = farm.get("/api/v3/worker-mgt/machines").await.expect(200).json();
    let expected = json!({
        "worker": worker.id, "received_at": farm.now(), "clock_offset_ms": 2500, "load": full, "state": state,
    });
    assert_eq!(all, json!({ "workers": [expected] }), "a worker that sends nothing is not there");
    let found = history(&farm, &worker, "").await;
    assert_eq!((&found["hardware"], &found["latest"]), (&hardware, &expected));
    let sample = &found["samples"][0];
    for (key, want) in [
        ("cpu_percent", json!(50.5)),
        ("memory_used_max", json!(400)),
        ("load_1", json!(1.5)),
        ("gpu_percent", json!(12.5)),
        ("gpu_memory_used", json!(6)),
        ("task_cpu_percent", json!(750.0)),
        ("task_memory", json!(300)),
        ("disk_percent", json!(75.0)),
        ("network_out", json!(4)),
    ] {
        assert_eq!(sample[key], want, "{key}");
    }
    assert_eq!(history(&farm, &silent, "").await, json!({ "samples": [] }));

    // Another load leaves the rest as it is; after 15 minutes it is old.
    farm.clock().advance(TimeDelta::minutes(10));
    send_load(&farm, &worker, load(10.0, 100)).await;
    let found = history(&farm, &worker, "?span=recent").await;
    assert_eq!(column(&found, "cpu_percent"), [50.5, 10.0]);
    assert_eq!(found["latest"]["state"], state);
    assert!(found["samples"][1].get("gpu_percent").is_none());
    farm.clock().advance(TimeDelta::minutes(6));
    assert_eq!(column(&history(&farm, &worker, "").await, "cpu_percent"), [10.0]);
    farm.clock().advance(TimeDelta::minutes(10));
    let found = history(&farm, &worker, "").await;
    assert_eq!(found, json!({ "samples": [], "hardware": hardware }));
    assert_eq!(farm.get("/api/v3/worker-mgt/machines").await.expect(200).json(), json!({ "workers": [] }));
    farm.stop().await;
}

async fn minutes_and_hours_are_kept_and_pruned(farm: Builder) {
    let mut farm = farm.start().await;
    let mut worker = farm.worker("w").await;
    // 03:04:05, 03:04:35, and 03:05:05.
    for (cpu, memory) in [(10.0, 100), (30.0, 500), (90.0, 300)] {
        send_load(&farm, &worker, load(cpu, memory)).await;
        farm.clock().advance(TimeDelta::seconds(30));
    }
    farm.restart().await;
    worker = worker.reconnected(&farm);
    let day = history(&farm, &worker, "?span=day").await;
    assert_eq!(column(&day, "cpu_percent"), [20.0, 90.0]);
    assert_eq!(column(&day, "cpu_percent_max"), [30.0, 90.0]);
    assert_eq!(
        (column(&day, "memory_used"), column(&day, "memory_used_max")),
        (vec![300.0, 300.0], vec![500.0, 300.0])
    );
    let starts: Vec<DateTime<Utc>> =
        ["2026-01-02T03:04:00Z", "2026-01-02T03:05:00Z"].map(|at| at.parse().unwrap()).into();
    let found: Vec<DateTime<Utc>> = day["samples"]
        .as_array()
        .unwrap()
        .iter()
        .map(|sample| sample["at"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(found, starts);

    // More of the same minute adds up with what is stored, also after a restart.
    send_load(&farm, &worker, load(30.0, 900)).await;
    farm.restart().await;
    worker = worker.reconnected(&farm);
    assert_eq!(column(&history(&farm, &worker, "?span=day").await, "cpu_percent"), [20.0, 60.0]);
    let month = history(&farm, &worker, "?span=month").await;
    assert_eq!((column(&month, "cpu_percent"), column(&month, "memory_used_max")), (vec![40.0], vec![900.0]));

    farm.clock().advance(TimeDelta::hours(25));
    send_load(&farm, &worker, load(1.0, 1)).await;
    farm.restart().await;
    worker = worker.reconnected(&farm);
    assert_eq!(column(&history(&farm, &worker, "?span=day").await, "cpu_percent"), [1.0], "older than a day");
    assert_eq!(column(&history(&farm, &worker, "?span=month").await, "cpu_percent"), [40.0, 1.0]);
    farm.clock().advance(TimeDelta::days(31));
    farm.restart().await;
    worker = worker.reconnected(&farm);
    // Also what is no longer shown is gone: going back in time does not bring it back.
    farm.clock().advance(-TimeDelta::days(31));
    for span in ["?span=day", "?span=month"] {
        assert_eq!(column(&history(&farm, &worker, span).await, "cpu_percent"), [0.0; 0], "{span}");
    }
    farm.stop().await;
}

async fn the_farm_as_a_whole(farm: Builder) {
    let mut farm = farm.start().await;
    let whole =
        async |farm: &TestManager| farm.get("/api/v3/worker-mgt/machines/farm").await.expect(200).json();
    let found = whole(&farm).await;
    assert_eq!(found["periods"], json!([]));
    let room = ["free", "total"].map(|key| found["shared_storage"][key].as_i64().unwrap());
    assert!(0 < room[0] && room[0] <= room[1], "{found}");

    let one = farm.worker("one").await;
    send_load(&farm, &one, load(80.0, 100)).await;
    farm.restart().await;
    farm.clock().advance(TimeDelta::hours(23));
    // 02:04:05: two reports of one worker, and one of another.
    let (one, two) = (one.reconnected(&farm), farm.worker("two").await);
    for (worker, cpu) in [(&one, 10.0), (&one, 30.0), (&two, 50.0)] {
        send_load(&farm, worker, load(cpu, 100)).await;
    }
    farm.restart().await;
    let first = json!({ "from": "2026-01-02T03:00:00Z", "cpu_percent": 80.0, "workers": 1 });
    let second = json!({ "from": "2026-01-03T02:00:00Z", "cpu_percent": 30.0, "workers": 2 });
    assert_eq!(whole(&farm).await["periods"], json!([first, second]));
    farm.clock().advance(TimeDelta::hours(1));
    assert_eq!(whole(&farm).await["periods"], json!([second]), "the first began more than 24 hours ago");
    farm.stop().await;
}

async fn those_who_watch_are_told(farm: Builder) {
    let farm = farm.start().await;
    let [one, other] = [farm.worker("one").await, farm.worker("other").await];
    for protocol in [Protocol::Three, Protocol::Four] {
        let mut watching = LiveUpdates::connect(&farm, protocol).await;
        let mut stock = LiveUpdates::connect(&farm, protocol).await;
        watching.subscribe("allWorkerStats", None).await;
        stock.subscribe("allWorkers", None).await;
        for worker in [&one, &other] {
            send_load(&farm, worker, load(25.0, 5)).await;
        }
        let mut seen = std::collections::BTreeSet::new();
        while seen.len() < 2 {
            let event = watching.until("/workerstats", |_| true).await;
            for worker in event["workers"].as_array().unwrap() {
                assert_eq!(worker["load"]["cpu_percent"], 25.0);
                seen.insert(worker["worker"].to_string());
            }
        }
        let rest = watching.drain(Duration::from_millis(2500)).await;
        assert!(rest.iter().all(|(name, _)| name != "/workerstats"), "nothing new, nothing told: {rest:?}");
        let heard = stock.drain(Duration::from_millis(100)).await;
        assert!(heard.iter().all(|(name, _)| name != "/workerstats"), "{heard:?}");
    }
    farm.stop().await;
}

async fn reports_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let mut negative = load(1.0, 1);
    negative["memory_used"] = json!(-1);
    for bad in [
        json!({}),
        json!({ "now": "noon" }),
        json!({ "now": farm.now(), "load": {} }),
        json!({ "now": farm.now(), "load": negative }),
        json!({ "now": farm.now(), "state": { "disks": [{ "purpose": "fun", "path": "/", "used": 1, "total": 1 }] } }),
    ] {
        let _ = send(&farm, &worker, &bad).await.problem(400);
    }
    let _ = farm.post("/api/v3/worker/machine", &json!({ "now": farm.now() })).await.problem(403);
    let _ = farm.get(&format!("/api/v3/worker-mgt/workers/{UNKNOWN}/machine")).await.problem(404);
    let _ =
        farm.get(&format!("/api/v3/worker-mgt/workers/{}/machine?span=year", worker.id)).await.problem(400);
    assert_eq!(farm.get("/api/v3/worker-mgt/machines").await.expect(200).json(), json!({ "workers": [] }));
    // A report is no sign of life, and also one without anything is fine.
    let before = farm.get(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.expect(200).json();
    farm.clock().advance(TimeDelta::seconds(40));
    send(&farm, &worker, &json!({ "now": farm.now() })).await.no_content();
    let after = farm.get(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.expect(200).json();
    assert_eq!(before["last_seen"], after["last_seen"]);
    farm.stop().await;
}
