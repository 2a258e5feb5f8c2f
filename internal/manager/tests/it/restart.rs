//! What a manager finds when it starts again: after a stop, and after it was killed.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use flamenco_domain::job::JobStatus;
use flamenco_testkit::api::operations::ScheduleTaskResponse;
use flamenco_testkit::api::types::{TaskStatus, TaskUpdate};
use flamenco_testkit::{Builder, FakeWorker, TestManager};
use serde_json::{Value, json};

use crate::{eventually, tasks};

on_each_database!(
    everything_is_there_after_a_restart,
    jobs_that_were_left_half_way_are_brought_to_an_end,
    a_job_that_is_being_paused_stays_so,
    half_stored_jobs_are_removed,
    nothing_acknowledged_is_lost_when_it_is_killed,
);

async fn everything_is_there_after_a_restart(farm: Builder) {
    let mut farm = farm.start().await;
    let job =
        farm.submit("job", json!([{ "name": "a" }, { "name": "b", "after": [0] }, { "name": "c" }])).await;
    let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gpu" })).await.expect(200).json();
    let worker = farm.worker("w").await;
    let path = format!("/api/v3/worker-mgt/workers/{}", worker.id);
    farm.post(&format!("{path}/settags"), &json!({ "tag_ids": [tag["id"]] })).await.no_content();
    worker.complete(&worker.take().await).await;
    let task = worker.take().await;
    worker.log(task.uuid, "before the restart").await;
    let paths = [
        "/api/v3/jobs".to_owned(),
        "/api/v3/worker-mgt/workers".to_owned(),
        "/api/v3/worker-mgt/tags".to_owned(),
        path,
        format!("/api/v3/jobs/{job}/tasks"),
        format!("/api/v3/tasks/{}", task.uuid),
        format!("/api/v3/tasks/{}/logtail", task.uuid),
    ];
    let read = async |farm: &TestManager| {
        let mut all = Vec::new();
        for path in &paths {
            all.push(farm.get(path).await.expect(200).text());
        }
        all
    };
    let before = read(&farm).await;
    farm.restart().await;
    assert_eq!(read(&farm).await, before);
    let worker = worker.reconnected(&farm);
    assert!(worker.may_run(task.uuid).await.may_keep_running, "it may simply go on");
    assert_eq!(worker.take().await.uuid, task.uuid);
    worker.complete(&task).await;
    worker.complete(&worker.take().await).await;
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn jobs_that_were_left_half_way_are_brought_to_an_end(farm: Builder) {
    let mut farm = farm.start().await;
    let plan = json!([{ "name": "a" }, { "name": "b", "after": [0] }, { "name": "c" }]);
    let mut jobs = Vec::new();
    let worker = farm.worker("w").await;
    for name in ["canceling", "pausing", "requeueing"] {
        let job = farm.submit(name, plan.clone()).await;
        worker.complete(&worker.take().await).await;
        farm.set_job_status(&job, "pause-requested").await.no_content();
        if name == "requeueing" {
            farm.set_job_status(&job, "cancel-requested").await.no_content();
        } else {
            farm.set_job_status(&job, "requeueing").await.no_content();
            assert_eq!(farm.task_statuses(&job).await, "completed queued queued");
            // Out of the way of the next job's tasks.
            farm.post(&format!("/api/v3/jobs/{job}/setpriority"), &json!({ "priority": 1 }))
                .await
                .no_content();
        }
        jobs.push(job);
    }
    farm.stop_running().await;
    let forced = [JobStatus::CancelRequested, JobStatus::PauseRequested, JobStatus::Requeueing];
    for (job, status) in jobs.iter().zip(forced) {
        farm.force_job_status(job.parse().unwrap(), status).await;
    }
    farm.start_again().await;
    for (job, (status, of_tasks)) in jobs.iter().zip([
        ("canceled", "completed canceled canceled"),
        ("paused", "completed paused paused"),
        ("queued", "completed queued queued"),
    ]) {
        assert_eq!(farm.job_status(job).await, status);
        assert_eq!(farm.task_statuses(job).await, of_tasks, "{status}");
    }
    let worker = worker.reconnected(&farm);
    while let Some(task) = worker.take_if_any().await {
        assert_eq!(task.job.to_string(), jobs[2]);
        worker.complete(&task).await;
    }
    assert_eq!(farm.job_status(&jobs[2]).await, "completed");
    farm.stop().await;
}

async fn a_job_that_is_being_paused_stays_so(farm: Builder) {
    let mut farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    farm.set_job_status(&job, "pause-requested").await.no_content();
    farm.restart().await;
    assert_eq!(farm.job_status(&job).await, "pause-requested");
    assert_eq!(farm.task_statuses(&job).await, "active paused");
    let worker = worker.reconnected(&farm);
    worker.complete(&task).await;
    assert_eq!(farm.job_status(&job).await, "paused");
    farm.stop().await;
}

async fn half_stored_jobs_are_removed(farm: Builder) {
    let mut farm = farm.start().await;
    let (half, whole) = (farm.submit("half", tasks(2)).await, farm.submit("whole", tasks(2)).await);
    farm.stop_running().await;
    farm.force_job_status(half.parse().unwrap(), JobStatus::UnderConstruction).await;
    farm.start_again().await;
    let _ = farm.get(&format!("/api/v3/jobs/{half}")).await.problem(404);
    assert_eq!(farm.tasks(&half).await, Vec::<Value>::new());
    assert_eq!(farm.job_status(&whole).await, "queued");
    farm.stop().await;
}

/// What was answered with success, and must therefore be found again.
#[derive(Default)]
struct Acknowledged {
    jobs: Vec<String>,
    completed: Vec<String>,
    /// Task and line of its log.
    logged: Vec<(String, String)>,
}

/// Works until the manager is gone.
async fn work_until_the_end(worker: FakeWorker, seen: Arc<Mutex<Acknowledged>>) {
    let nothing = TaskUpdate::default();
    for number in 0.. {
        let wait = flamenco_testkit::api::operations::ScheduleTaskQuery { wait: Some(1) };
        let task = match worker.client.schedule_task(&wait).await {
            Ok(ScheduleTaskResponse::Status200(task)) => task,
            Ok(ScheduleTaskResponse::Status204) => continue,
            Ok(other) if other.status().is_server_error() => return,
            Ok(other) => panic!("{other:?}"),
            Err(_) => return,
        };
        let id = task.uuid.to_string();
        let line = format!("{} says {number}", worker.name);
        let log = TaskUpdate { log: Some(line.clone()), ..nothing.clone() };
        match worker.client.task_update(task.uuid, &log).await {
            Ok(answer) if answer.status().is_server_error() => return,
            Ok(answer) => assert_eq!(answer.status().as_u16(), 204),
            Err(_) => return,
        }
        seen.lock().unwrap().logged.push((id.clone(), line));
        let done = TaskUpdate { task_status: Some(TaskStatus::Completed), ..nothing.clone() };
        match worker.client.task_update(task.uuid, &done).await {
            Ok(answer) if answer.status().is_server_error() => return,
            Ok(answer) => assert_eq!(answer.status().as_u16(), 204),
            Err(_) => return,
        }
        seen.lock().unwrap().completed.push(id);
    }
}

async fn submit_until_the_end(client: flamenco_testkit::client::Client, seen: Arc<Mutex<Acknowledged>>) {
    use flamenco_testkit::api::operations::SubmitJobResponse;
    let submission = TestManager::submission("job", &tasks(3));
    let submission = serde_json::from_value(submission).unwrap();
    loop {
        match client.submit_job(&submission).await {
            Ok(SubmitJobResponse::Status200(job)) => seen.lock().unwrap().jobs.push(job.id.to_string()),
            // A dying manager may still say that it could not; that acknowledges nothing.
            Ok(other) if other.status().is_server_error() => return,
            Ok(other) => panic!("{other:?}"),
            Err(_) => return,
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn nothing_acknowledged_is_lost_when_it_is_killed(farm: Builder) {
    let mut farm = farm.start().await;
    for round in 0..2 {
        let seen = Arc::new(Mutex::new(Acknowledged::default()));
        let mut running = vec![tokio::spawn(submit_until_the_end(farm.client(), Arc::clone(&seen)))];
        for number in 0..4 {
            let worker = farm.worker(&format!("w{round}.{number}")).await;
            running.push(tokio::spawn(work_until_the_end(worker, Arc::clone(&seen))));
        }
        eventually("there is something to lose", Duration::from_secs(60), async || {
            let seen = seen.lock().unwrap();
            seen.jobs.len() > 5 + round && seen.completed.len() > 10
        })
        .await;
        farm.kill();
        for task in running {
            task.await.unwrap();
        }
        farm.start_again().await;
        let seen = std::mem::take(&mut *seen.lock().unwrap());
        for job in &seen.jobs {
            assert_eq!(farm.tasks(job).await.len(), 3, "job {job}");
        }
        for task in &seen.completed {
            assert_eq!(farm.task(task).await["status"], "completed", "task {task}");
        }
        for (task, line) in &seen.logged {
            let log = farm.get(&format!("/api/v3/tasks/{task}/logtail")).await.expect(200).text();
            assert!(log.lines().any(|is| is == line), "{line} in {log}");
        }
    }
    farm.stop().await;
}
