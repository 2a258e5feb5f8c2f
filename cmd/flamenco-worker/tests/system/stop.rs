//! Stopping in good order.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flamenco_client::Client;
use flamenco_client::api::operations::{
    FetchJobsResponse, RegisterWorkerResponse, ScheduleTaskQuery, SignOnResponse, SubmitJobResponse,
};
use flamenco_client::api::types::{JobStatus, TaskStatus, WorkerRegistration, WorkerSignOn, WorkerStatus};

use crate::farm::{Farm, PROMPT, START, STOP};
use crate::processes::{until, using};
use crate::scene::{self, SLOW};

#[tokio::test]
async fn a_worker_that_is_asked_to_stop_gives_its_task_back() {
    let _turn = scene::turn().await;
    let farm = Farm::new("");
    let _manager = farm.start_manager().await;
    let worker = farm.start_worker("worker").await;
    let rendering = farm.submit_render(&SLOW, 200, 200).await;
    let task = farm.until_rendering(&rendering, 1).await;

    let (status, _) = worker.terminate(STOP).await;
    assert_eq!(status.code(), Some(0));
    assert_eq!(using(&rendering.blendfile), Vec::<String>::new());
    assert_eq!(farm.worker("worker").await.unwrap().status, WorkerStatus::Offline);
    assert_eq!(farm.statuses(rendering.id).await[&task.name], TaskStatus::Queued);
    assert!(matches!(farm.job_status(rendering.id).await, Some(JobStatus::Queued | JobStatus::Active)));
}

/// Registers a worker that is no program, and signs it on. Also gives its credentials.
pub async fn signed_on(client: &Client) -> (Client, (String, String)) {
    let registration = WorkerRegistration {
        name: "by hand".to_owned(),
        platform: "linux".to_owned(),
        secret: "a secret of this test".to_owned(),
        supported_task_types: vec!["misc".to_owned()],
    };
    let registered = match client.register_worker(&registration).await.unwrap() {
        RegisterWorkerResponse::Status200(worker) => worker,
        other => panic!("{:?}", other.problem()),
    };
    let client = client.with_credentials(registered.uuid.to_string(), &registration.secret);
    let sign_on = WorkerSignOn {
        name: registration.name,
        software_version: "0".to_owned(),
        supported_task_types: registration.supported_task_types,
        can_restart: None,
    };
    let answer = client.sign_on(&sign_on).await.unwrap();
    assert!(matches!(answer, SignOnResponse::Status200(_)), "{answer:?}");
    let change = flamenco_client::api::types::WorkerStateChanged { status: WorkerStatus::Awake };
    assert!(client.worker_state_changed(&change).await.unwrap().problem().is_none());
    (client, (registered.uuid.to_string(), registration.secret))
}

#[tokio::test]
async fn a_manager_that_is_asked_to_stop_does_not_wait_for_held_requests() {
    let farm = Farm::new("");
    let manager = farm.start_manager().await;
    let (worker, _) = signed_on(&farm.client).await;
    let held = tokio::spawn(async move { worker.schedule_task(&ScheduleTaskQuery { wait: Some(20) }).await });
    // Somebody who never says what he wants.
    let idle = TcpStream::connect(farm.address()).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!held.is_finished(), "the request is held");

    let (status, took) = manager.terminate(STOP).await;
    assert_eq!(status.code(), Some(0));
    assert!(took < PROMPT, "it took {took:?}");
    let answer = held.await.unwrap().expect("the held request is answered");
    assert!(matches!(answer.status().as_u16(), 204 | 503), "{answer:?}");
    drop(idle);
    farm.check_database().await;
}

/// Submits until the manager is gone, and gives the ids of what it said to have. Every request that arrived is
/// answered.
async fn submit_until_it_is_gone(client: Client, answered: Arc<AtomicUsize>) -> Vec<uuid::Uuid> {
    let plan = (0..20).map(|task| serde_json::json!({ "name": format!("t{task}") })).collect();
    let submission = flamenco_testkit::TestManager::submission("burst", &plan);
    let submission = serde_json::from_value(submission).unwrap();
    let mut accepted = Vec::new();
    loop {
        match client.submit_job(&submission).await {
            Ok(SubmitJobResponse::Status200(job)) => accepted.push(job.id),
            Ok(other) => assert_eq!(other.status().as_u16(), 503, "{other:?}"),
            Err(flamenco_client::Error::Connection { never_connected: true, .. }) => return accepted,
            // An idle connection may be closed just when it is used again; then there is no answer at all, and never
            // half of one.
            Err(flamenco_client::Error::Connection { .. }) => {}
            Err(other) => panic!("{other}"),
        }
        answered.fetch_add(1, Ordering::SeqCst);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_manager_that_is_asked_to_stop_finishes_what_it_accepted() {
    let farm = Farm::new("scripts_paths: [scripts]");
    farm.add_plan_job_type();
    let manager = farm.start_manager().await;
    let answered = Arc::new(AtomicUsize::new(0));
    let burst: Vec<_> = (0..12)
        .map(|_| tokio::spawn(submit_until_it_is_gone(farm.client.clone(), Arc::clone(&answered))))
        .collect();
    until("the burst is under way", START, async || (answered.load(Ordering::SeqCst) > 50).then_some(()))
        .await;
    let log = farm.path("manager.log");
    let (status, took) = manager.terminate(STOP).await;
    assert_eq!(status.code(), Some(0), "{}", std::fs::read_to_string(&log).unwrap());
    assert!(took < PROMPT, "it took {took:?}");
    let mut accepted = Vec::new();
    for submitter in burst {
        accepted.extend(submitter.await.unwrap());
    }
    assert!(accepted.len() > 40, "{}", accepted.len());
    assert!(!farm.path("manager/flamenco-manager.sqlite-wal").exists(), "the database was closed");
    farm.check_database().await;

    let manager = farm.start_manager().await;
    let jobs = match farm.client.fetch_jobs(&Default::default()).await.unwrap() {
        FetchJobsResponse::Status200(list) => list.jobs,
        other => panic!("{other:?}"),
    };
    for id in &accepted {
        assert!(jobs.iter().any(|job| job.id == *id), "job {id} was accepted");
        assert_eq!(farm.tasks(*id).await.len(), 20);
    }
    drop(manager);
}

#[tokio::test]
async fn a_second_signal_stops_the_manager_at_once() {
    let farm = Farm::new("");
    let mut manager = farm.start_manager().await;
    // Half a request: the first signal waits some seconds for the rest of it.
    let mut slow = TcpStream::connect(farm.address()).unwrap();
    let head = "POST /api/v3/jobs HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\
                Expect: 100-continue\r\n\r\n";
    slow.write_all(head.as_bytes()).unwrap();
    let mut go_on = [0; 12];
    slow.read_exact(&mut go_on).unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100", "the manager is at this request");
    slow.write_all(b"{").unwrap();
    let start = Instant::now();
    manager.signal(nix::sys::signal::Signal::SIGTERM);
    until("the signal is noticed", START, async || manager.log().contains("SIGTERM received").then_some(()))
        .await;
    manager.signal(nix::sys::signal::Signal::SIGTERM);
    let status = manager.ended(STOP).await;
    assert!(start.elapsed() < PROMPT, "{:?}", start.elapsed());
    assert_eq!(status.code(), Some(1));
    assert!(manager.log().contains("received again"), "{}", manager.log());
    farm.check_database().await;
}
