//! Live updates over Socket.IO, in both protocols.

use std::time::Duration;

use flamenco_testkit::{Builder, LiveUpdates, Method, Protocol, TestManager};
use serde_json::{Value, json};

use crate::{UNKNOWN, tasks};

on_each_database!(
    a_client_that_is_too_slow_is_cut_off_and_misses_nothing_unknowingly,
    pages_of_other_sites_get_no_live_updates,
    every_client_hears_of_the_manager_and_the_farm,
    a_new_job_is_announced_without_previous_status,
    canceling_sends_two_events_in_order,
    tasks_are_announced_to_those_who_watch_their_job,
    logs_are_announced_to_those_who_watch_them,
    workers_and_tags_are_announced,
    subscriptions_are_checked_and_ended,
    what_is_announced_can_be_read,
    the_end_of_the_manager_is_announced,
    what_is_refused_is_not_announced,
);

const BOTH: [Protocol; 2] = [Protocol::Three, Protocol::Four];
/// Without an event for this long, none comes any more.
const PAUSE: Duration = Duration::from_millis(400);

async fn every_client_hears_of_the_manager_and_the_farm(farm: Builder) {
    let farm = farm.start().await;
    for protocol in BOTH {
        let mut live = LiveUpdates::connect(&farm, protocol).await;
        if protocol == Protocol::Three {
            live.ping().await;
        }
        let worker = farm.worker("w").await;
        let status = live.until("/status", |status| status["status"] == "idle").await;
        assert_eq!(status, json!({ "status": "idle" }));
        worker.sign_off().await;
        live.until("/status", |status| status["status"] == "inoperative").await;
        let rest = live.drain(PAUSE).await;
        assert!(rest.iter().all(|(name, _)| name == "/status"), "nothing that was not asked for: {rest:?}");
    }
    farm.stop().await;
}

async fn a_new_job_is_announced_without_previous_status(farm: Builder) {
    let farm = farm.start().await;
    for protocol in BOTH {
        let mut live = LiveUpdates::connect(&farm, protocol).await;
        live.subscribe("allJobs", None).await;
        let id = farm.submit("job", tasks(2)).await;
        let event = live.until("/jobs", |job| job["id"] == id).await;
        let job = farm.job(&id).await;
        for key in
            ["name", "type", "priority", "status", "updated", "steps_completed", "steps_total", "task_counts"]
        {
            assert_eq!(event[key], job[key], "{key}: {event}");
        }
        assert_eq!((event.get("previous_status"), &event["refresh_tasks"]), (None, &json!(false)), "{event}");
        assert_eq!(event.get("was_deleted"), None);
    }
    farm.stop().await;
}

fn statuses(events: &[(String, Value)], room: &str) -> Vec<Value> {
    let of_room = events.iter().filter(|(name, _)| name == room);
    of_room
        .map(|(_, event)| json!([event["previous_status"], event["status"], event["refresh_tasks"]]))
        .collect()
}

async fn canceling_sends_two_events_in_order(farm: Builder) {
    let farm = farm.start().await;
    let id = farm.submit("job", tasks(2)).await;
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allJobs", None).await;
    farm.set_job_status(&id, "cancel-requested").await.no_content();
    let events = live.drain(PAUSE).await;
    let wanted =
        [json!(["queued", "cancel-requested", true]), json!(["cancel-requested", "canceled", false])];
    assert_eq!(statuses(&events, "/jobs"), wanted, "{events:?}");
    farm.set_job_status(&id, "requeueing").await.no_content();
    let events = live.drain(PAUSE).await;
    let wanted = [json!(["canceled", "requeueing", true]), json!(["requeueing", "queued", true])];
    assert_eq!(statuses(&events, "/jobs"), wanted, "{events:?}");
    farm.set_job_status(&id, "requeueing").await.no_content();
    assert_eq!(statuses(&live.drain(PAUSE).await, "/jobs"), Vec::<Value>::new(), "it is queued already");
    farm.stop().await;
}

async fn tasks_are_announced_to_those_who_watch_their_job(farm: Builder) {
    let farm = farm.start().await;
    let (watched, other) = (farm.submit("watched", tasks(1)).await, farm.submit("other", tasks(1)).await);
    let worker = farm.worker("w").await;
    for protocol in BOTH {
        let mut live = LiveUpdates::connect(&farm, protocol).await;
        live.subscribe("job", Some(&watched)).await;
        for job in [&watched, &other] {
            let task = worker.take().await;
            assert_eq!(task.job.to_string(), *job);
            worker.complete(&task).await;
        }
        let all = live.drain(PAUSE).await;
        let events: Vec<&Value> =
            all.iter().filter(|(name, _)| name == "/task").map(|(_, event)| event).collect();
        assert!(events.iter().all(|event| event["job_id"] == watched), "{events:?}");
        let brief: Vec<Value> = events.iter().map(|e| json!([e["previous_status"], e["status"]])).collect();
        assert_eq!(brief, [json!(["queued", "active"]), json!(["active", "completed"])], "{events:?}");
        assert_eq!(events[0]["worker"], json!({ "name": "w", "uuid": worker.id.to_string() }));
        assert_eq!(events[1]["steps_completed"], 1);
        assert!(all.iter().all(|(name, _)| name != "/jobs"), "the job itself is in another room");
        for job in [&watched, &other] {
            farm.set_job_status(job, "requeueing").await.no_content();
        }
    }
    farm.stop().await;
}

async fn logs_are_announced_to_those_who_watch_them(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let ids = farm.task_ids(&job).await;
    let [w1, w2] = [farm.worker("w1").await, farm.worker("w2").await];
    let mut live = LiveUpdates::connect(&farm, Protocol::Three).await;
    live.subscribe("tasklog", Some(&ids[0])).await;
    let (first, second) = (w1.take().await, w2.take().await);
    w2.log(second.uuid, "not for us").await;
    w1.log(first.uuid, "Fra:1 without newline").await;
    w1.complete(&first).await;
    let events = live.drain(PAUSE).await;
    let logs: Vec<&Value> =
        events.iter().filter(|(name, _)| name == "/tasklog").map(|(_, event)| event).collect();
    assert!(logs.iter().all(|event| event["task_id"] == ids[0]), "{logs:?}");
    let texts: Vec<&str> = logs.iter().map(|event| event["log"].as_str().unwrap()).collect();
    assert_eq!(texts.len(), 3, "assigned and active, the worker's, completed: {texts:?}");
    let (first, second) = texts[0].split_once('\n').unwrap();
    assert!(first.contains("assigned") && second.contains("queued -> active"), "{texts:?}");
    assert_eq!(texts[1], "Fra:1 without newline");
    assert!(texts[2].contains("active -> completed"), "{texts:?}");
    farm.stop().await;
}

async fn workers_and_tags_are_announced(farm: Builder) {
    let farm = farm.start().await;
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allWorkers", None).await;
    live.subscribe("allWorkerTags", None).await;
    let worker = farm.worker("w").await;
    let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gpu" })).await.expect(200).json();
    farm.post(
        &format!("/api/v3/worker-mgt/workers/{}/setstatus", worker.id),
        &json!({ "status": "asleep", "is_lazy": true }),
    )
    .await
    .no_content();
    worker.sign_off().await;
    farm.delete(&format!("/api/v3/worker-mgt/workers/{}", worker.id)).await.no_content();
    let all = live.drain(PAUSE).await;
    let brief: Vec<Value> = all
        .iter()
        .filter(|(name, _)| name == "/workers")
        .map(|(_, e)| {
            json!([
                e["previous_status"],
                e["status"],
                e["status_change"]["status"],
                e["deleted_at"].is_string()
            ])
        })
        .collect();
    let wanted = [
        json!([null, "offline", null, false]),
        json!(["offline", "starting", null, false]),
        json!(["starting", "awake", null, false]),
        json!([null, "awake", "asleep", false]),
        json!(["awake", "offline", "asleep", false]),
        json!([null, "offline", "asleep", true]),
    ];
    assert_eq!(brief, wanted, "{all:?}");
    assert!(all.contains(&("/workertags".to_owned(), json!({ "tag": tag }))), "{all:?}");
    farm.stop().await;
}

async fn subscriptions_are_checked_and_ended(farm: Builder) {
    let farm = farm.start().await;
    for protocol in BOTH {
        let mut live = LiveUpdates::connect(&farm, protocol).await;
        for (wrong, word) in [
            (json!({ "op": "subscribe", "type": "job" }), "uuid"),
            (json!({ "op": "subscribe", "type": "job", "uuid": "nonsense" }), "UUID"),
            (json!({ "op": "subscribe", "type": "allJobs", "uuid": "nonsense" }), "UUID"),
            (json!({ "op": "subscribe", "type": "everything" }), "everything"),
            (json!({ "op": "listen", "type": "allJobs" }), "listen"),
            (json!("nonsense"), "subscription"),
        ] {
            let answer = live.subscription(wrong.clone()).await;
            assert!(answer != "ok" && answer.contains(word), "{wrong}: {answer}");
        }
        live.subscribe("job", Some(UNKNOWN)).await;
        live.subscribe("allJobs", None).await;
        farm.submit("seen", tasks(1)).await;
        live.until("/jobs", |job| job["name"] == "seen").await;
        assert_eq!(live.subscription(json!({ "op": "unsubscribe", "type": "allJobs" })).await, "ok");
        farm.submit("not seen", tasks(1)).await;
        assert!(live.drain(PAUSE).await.iter().all(|(name, _)| name != "/jobs"));
    }
    farm.stop().await;
}

async fn what_is_announced_can_be_read(farm: Builder) {
    let farm = farm.start().await;
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allJobs", None).await;
    let other = farm.worker("w").await;
    for round in 0..5 {
        let id = farm.submit(&format!("job {round}"), tasks(1)).await;
        let event = live.until("/jobs", |job| job["id"] == id).await;
        assert_eq!(farm.job(&id).await["status"], event["status"]);
        let task = other.take().await;
        let event = live.until("/jobs", |job| job["id"] == id && job["status"] == "active").await;
        assert_eq!(event["task_counts"]["active"], 1);
        other.complete(&task).await;
        live.until("/jobs", |job| job["id"] == id && job["status"] == "completed").await;
        assert_eq!(farm.job_status(&id).await, "completed");
    }
    farm.stop().await;
}

async fn the_end_of_the_manager_is_announced(farm: Builder) {
    let mut farm = farm.start().await;
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    let mut old = LiveUpdates::connect(&farm, Protocol::Three).await;
    let started = std::time::Instant::now();
    farm.stop_running().await;
    assert!(started.elapsed() < Duration::from_secs(8), "open connections do not hold it up");
    for live in [&mut live, &mut old] {
        // A client that was quick enough has heard of the start, too.
        let event = live.until("/lifecycle", |event| event["type"] != "manager-startup").await;
        assert_eq!(event, json!({ "type": "manager-shutdown" }));
        assert!(live.drain(PAUSE).await.is_empty(), "only once");
    }
    farm.start_again().await;
    farm.stop().await;
}

async fn what_is_refused_is_not_announced(farm: Builder) {
    let farm = farm.start().await;
    let id = farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    worker.complete(&task).await;
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    for (kind, uuid) in [("allJobs", None), ("job", Some(&*id)), ("tasklog", Some(&*task.uuid.to_string()))] {
        live.subscribe(kind, uuid).await;
    }
    // The state of the farm may still change because of what came before.
    live.drain(PAUSE).await;
    let _ = farm.set_job_status(&id, "cancel-requested").await.problem(422);
    let mut wrong = TestManager::submission("wrong", &tasks(1));
    wrong["initial_status"] = json!("failed");
    let _ = farm.post("/api/v3/jobs", &wrong).await.problem(400);
    assert_eq!(worker.report_task(task.uuid, "failed").await, 409);
    assert_eq!(live.drain(PAUSE).await, [], "nothing happened");
    farm.stop().await;
}

async fn a_client_that_is_too_slow_is_cut_off_and_misses_nothing_unknowingly(farm: Builder) {
    // More than the manager keeps for a client, and the kernel besides: about 5 MB.
    const CHUNKS: usize = 1_400;
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let id = farm.task_ids(&job).await[0].clone();
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let mut slow = [
        LiveUpdates::connect(&farm, Protocol::Three).await,
        LiveUpdates::connect(&farm, Protocol::Four).await,
    ];
    let mut quick = LiveUpdates::connect(&farm, Protocol::Four).await;
    for live in slow.iter_mut().chain([&mut quick]) {
        live.subscribe("tasklog", Some(&id)).await;
    }
    let quick = tokio::spawn(async move {
        let mut numbers = Vec::new();
        while numbers.len() < CHUNKS {
            numbers.push(number(&quick.until("/tasklog", |_| true).await));
        }
        (numbers, quick)
    });
    let filler = "x".repeat(20_000);
    for chunk in 0..CHUNKS {
        assert_eq!(worker.log(task.uuid, &format!("{chunk} {filler}")).await, 204);
    }
    let (numbers, mut quick) = quick.await.unwrap();
    assert_eq!(numbers, (0..CHUNKS).collect::<Vec<_>>(), "who reads gets everything, in order");
    for live in &mut slow {
        let mut numbers = Vec::new();
        while let Some((name, event)) = live.next().await {
            if name == "/tasklog" {
                numbers.push(number(&event));
            }
        }
        assert!(numbers.len() < CHUNKS, "it was cut off");
        assert_eq!(numbers, (0..numbers.len()).collect::<Vec<_>>(), "without a hole");
    }
    // Whoever was cut off comes back.
    let mut again = LiveUpdates::connect(&farm, Protocol::Four).await;
    again.subscribe("tasklog", Some(&id)).await;
    assert_eq!(worker.log(task.uuid, "7 after all").await, 204);
    for live in [&mut again, &mut quick] {
        assert_eq!(number(&live.until("/tasklog", |_| true).await), 7);
    }
    farm.stop().await;
}

/// The number that a log chunk begins with.
fn number(event: &Value) -> usize {
    event["log"].as_str().unwrap().split(' ').next().unwrap().parse().unwrap()
}

async fn pages_of_other_sites_get_no_live_updates(farm: Builder) {
    let farm = farm.with_yaml("access: {allowed_origins: ['https://farm.example']}").start().await;
    let own = farm.url();
    for (origin, want) in [
        (own.as_str(), None),
        ("https://farm.example", None),
        ("http://evil.example", Some(403)),
        ("null", Some(403)),
    ] {
        let connected = LiveUpdates::connect_with(&farm, Protocol::Four, &[("origin", origin)]).await;
        assert_eq!(connected.err(), want, "{origin}");
    }
    let polling = farm.request(Method::GET, "/socket.io/?EIO=4&transport=polling");
    let message = polling.header("origin", "http://evil.example").send().await.problem(403);
    assert!(message.contains("allowed_origins"), "{message}");
    farm.stop().await;
}
