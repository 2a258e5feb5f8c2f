//! Stopping in good order.

use std::net::TcpStream;
use std::time::Duration;

use flamenco_client::Client;
use flamenco_client::api::operations::{RegisterWorkerResponse, ScheduleTaskQuery, SignOnResponse};
use flamenco_client::api::types::{JobStatus, TaskStatus, WorkerRegistration, WorkerSignOn, WorkerStatus};

use crate::farm::{Farm, STOP};
use crate::processes::using;
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

/// Registers a worker that is no program, and signs it on.
async fn signed_on(client: &Client) -> Client {
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
    client
}

#[tokio::test]
async fn a_manager_that_is_asked_to_stop_does_not_wait_for_held_requests() {
    let farm = Farm::new("");
    let manager = farm.start_manager().await;
    let worker = signed_on(&farm.client).await;
    let held = tokio::spawn(async move { worker.schedule_task(&ScheduleTaskQuery { wait: Some(20) }).await });
    // Somebody who never says what he wants.
    let idle = TcpStream::connect(farm.address()).unwrap();
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(!held.is_finished(), "the request is held");

    let (status, took) = manager.terminate(STOP).await;
    assert_eq!(status.code(), Some(0));
    assert!(took < Duration::from_secs(5), "it took {took:?}");
    let answer = held.await.unwrap().expect("the held request is answered");
    assert!(matches!(answer.status().as_u16(), 204 | 503), "{answer:?}");
    drop(idle);
    farm.check_database().await;
}
