//! Many workers at once.

use std::collections::HashMap;

use flamenco_testkit::Builder;
use serde_json::json;

use crate::tasks;

on_each_database!(
    no_task_is_given_to_two_workers,
    counters_survive_a_crowd,
    a_request_and_a_sign_of_life_do_not_undo_each_other,
);

/// A person asks for statuses while the worker polls and tells its name: no one's change is lost.
async fn a_request_and_a_sign_of_life_do_not_undo_each_other(farm: Builder) {
    let farm = farm.start().await;
    let worker = farm.worker("w").await;
    let path = format!("/api/v3/worker-mgt/workers/{}", worker.id);
    for round in 0..20 {
        farm.clock().advance(chrono::TimeDelta::seconds(10));
        let status = ["asleep", "offline"][round % 2];
        let body = json!({ "status": status, "is_lazy": round % 3 == 0 });
        let setstatus = format!("{path}/setstatus");
        let (reply, polled, _) =
            tokio::join!(farm.post(&setstatus, &body), worker.client.worker_state(), worker.ask(None));
        reply.no_content();
        polled.unwrap();
        let stored = farm.get(&path).await.expect(200).json();
        assert_eq!(stored["status_change"], body, "round {round}");
        let seen: chrono::DateTime<chrono::Utc> = stored["last_seen"].as_str().unwrap().parse().unwrap();
        assert_eq!(seen, farm.now(), "round {round}");
    }
    farm.stop().await;
}

async fn no_task_is_given_to_two_workers(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("race", tasks(200)).await;
    let mut workers = Vec::new();
    for number in 0..20 {
        workers.push(farm.worker(&format!("w{number}")).await);
    }
    let racing = workers.into_iter().map(|worker| {
        tokio::spawn(async move {
            let mut mine = Vec::new();
            while let Some(task) = worker.take_if_any().await {
                mine.push(task.uuid);
                worker.complete(&task).await;
            }
            mine
        })
    });
    let mut times: HashMap<_, usize> = HashMap::new();
    for racer in racing.collect::<Vec<_>>() {
        for task in racer.await.unwrap() {
            *times.entry(task).or_default() += 1;
        }
    }
    assert_eq!(times.len(), 200);
    assert!(times.values().all(|&count| count == 1), "{times:?}");
    let done = farm.job(&job).await;
    assert_eq!((&done["status"], &done["steps_completed"]), (&json!("completed"), &json!(200)));
    farm.stop().await;
}

/// Workers take, log, fail and complete tasks of three jobs, while people cancel, requeue and pause them.
async fn counters_survive_a_crowd(farm: Builder) {
    let farm = farm.with_yaml("blocklist_threshold: 0\ntask_fail_after_softfail_count: 2").start().await;
    let mut jobs = Vec::new();
    for name in ["a", "b", "c"] {
        jobs.push(farm.submit(name, tasks(30)).await);
    }
    let mut crowd = Vec::new();
    for number in 0..6_usize {
        let worker = farm.worker(&format!("w{number}")).await;
        crowd.push(tokio::spawn(async move {
            for round in 0..15_usize {
                let Some(task) = worker.take_if_any().await else { continue };
                worker.log(task.uuid, "busy").await;
                let status = if (round + number).is_multiple_of(5) { "failed" } else { "completed" };
                // 409 when somebody canceled it meanwhile.
                let answer = worker.report_task(task.uuid, status).await;
                assert!(answer == 204 || answer == 409, "{answer}");
            }
        }));
    }
    for round in 0..12 {
        let request = ["pause-requested", "requeueing", "cancel-requested", "requeueing"][round % 4];
        let reply = farm.set_job_status(&jobs[round % 3], request).await;
        assert!(reply.status == 204 || reply.status == 422, "{reply:?}");
    }
    for worker in crowd {
        worker.await.unwrap();
    }
    // Whether all counters are right is checked here.
    farm.stop().await;
}
