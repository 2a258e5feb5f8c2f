//! Workers that hang up in the middle of a request: what was stored has all its consequences.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use flamenco_domain::ids::{TaskId, WorkerId};
use flamenco_domain::task::{TaskReport, TaskStatus};
use flamenco_domain::worker::{Worker, WorkerStatus};
use flamenco_manager_core::farm::Farm;
use flamenco_manager_core::farm::scheduler::Answer;
use flamenco_manager_core::farm::submission::Submission;
use flamenco_manager_core::farm::workers::{Registration, SignOn};
use flamenco_testkit::{PLAN_JOB_TYPE, TestFarm};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::eventually;

/// Drops `work` when it has waited so often, as the server does when its client hangs up. `None` if it was dropped.
async fn hang_up_after<F: Future>(waits: usize, work: F) -> Option<F::Output> {
    let mut work = pin!(work);
    let mut waited = 0;
    std::future::poll_fn(move |context| match work.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if waited == waits => Poll::Ready(None),
        Poll::Pending => {
            waited += 1;
            Poll::Pending
        }
    })
    .await
}

async fn awake_worker(farm: &Farm) -> WorkerId {
    let (name, address, task_types) = ("w".to_owned(), "127.0.0.1".to_owned(), vec!["blender".to_owned()]);
    let registration = Registration {
        name: name.clone(),
        secret: "secret".to_owned(),
        platform: "linux".to_owned(),
        task_types: task_types.clone(),
        address: address.clone(),
    };
    let id = farm.register(registration).await.unwrap().id;
    let says = SignOn { name, task_types, software: "1".to_owned(), can_restart: false, address };
    farm.sign_on(id, says).await.unwrap();
    farm.state_changed(id, WorkerStatus::Awake).await.unwrap();
    id
}

async fn submit_one_task(farm: &Farm) {
    let settings = json!({ "plan": r#"[{"name": "task"}]"# });
    let submission = Submission {
        name: "job".to_owned(),
        job_type: PLAN_JOB_TYPE.to_owned(),
        priority: 50,
        settings: settings.as_object().unwrap().clone(),
        platform: "linux".to_owned(),
        ..Submission::default()
    };
    farm.submit(submission).await.unwrap();
}

async fn current(farm: &Farm, id: WorkerId) -> Arc<Worker> {
    farm.authenticate(id, "secret".to_owned()).await.unwrap()
}

async fn take(farm: &Farm, worker: &Arc<Worker>) -> TaskId {
    match farm.schedule(worker, Duration::ZERO, &CancellationToken::new()).await.unwrap() {
        Answer::Task(assigned) => assigned.task.summary.id,
        other => panic!("there is a task to do: {other:?}"),
    }
}

async fn status(farm: &Farm, task: TaskId) -> TaskStatus {
    farm.task(task).await.unwrap().0.summary.status
}

fn report(status: Option<TaskStatus>, log: Option<String>) -> TaskReport {
    TaskReport { status, activity: None, steps_completed: None, log, log_position: None }
}

#[tokio::test]
async fn a_task_that_was_given_away_begins_its_log_anew() {
    for test_farm in TestFarm::each("").await {
        let (farm, backend) = (test_farm.farm(), test_farm.backend());
        let id = awake_worker(farm).await;
        submit_one_task(farm).await;
        for waits in 0.. {
            let worker = current(farm, id).await;
            let task = take(farm, &worker).await;
            let text = format!("text of round {waits}");
            farm.report_task(&worker, task, report(None, Some(text.clone()))).await.unwrap();
            farm.report_task(&worker, task, report(Some(TaskStatus::Completed), None)).await.unwrap();
            farm.set_task_status(task, TaskStatus::Queued, "again".to_owned()).await.unwrap();

            let never = CancellationToken::new();
            let asked = hang_up_after(waits, farm.schedule(&worker, Duration::ZERO, &never)).await;
            // What is still on its way has arrived by then.
            tokio::time::sleep(Duration::from_millis(30)).await;
            if status(farm, task).await == TaskStatus::Active {
                eventually(
                    &format!("{backend}, {waits} waits: a new log"),
                    Duration::from_secs(5),
                    async || {
                        let log = farm.log_tail(task).await.unwrap().unwrap_or_default();
                        !log.contains(&text) && log.contains("task assigned to worker")
                    },
                )
                .await;
            }
            let worker = current(farm, id).await;
            assert_eq!(take(farm, &worker).await, task);
            farm.report_task(&worker, task, report(Some(TaskStatus::Completed), None)).await.unwrap();
            farm.set_task_status(task, TaskStatus::Queued, "again".to_owned()).await.unwrap();
            if asked.is_some() {
                assert!(waits > 0, "it never hung up when it mattered");
                break;
            }
        }
        test_farm.close().await;
    }
}

#[tokio::test]
async fn what_a_report_changes_is_told_in_the_log() {
    for test_farm in TestFarm::each("").await {
        let (farm, backend) = (test_farm.farm(), test_farm.backend());
        let id = awake_worker(farm).await;
        submit_one_task(farm).await;
        for waits in 0.. {
            let worker = current(farm, id).await;
            let task = take(farm, &worker).await;
            let reported = hang_up_after(
                waits,
                farm.report_task(&worker, task, report(Some(TaskStatus::Completed), None)),
            )
            .await;
            tokio::time::sleep(Duration::from_millis(30)).await;
            if status(farm, task).await == TaskStatus::Completed {
                eventually(
                    &format!("{backend}, {waits} waits: a line"),
                    Duration::from_secs(5),
                    async || {
                        let log = farm.log_tail(task).await.unwrap().unwrap_or_default();
                        log.contains("active -> completed")
                    },
                )
                .await;
            } else {
                farm.report_task(&worker, task, report(Some(TaskStatus::Completed), None)).await.unwrap();
            }
            farm.set_task_status(task, TaskStatus::Queued, "again".to_owned()).await.unwrap();
            if reported.is_some() {
                assert!(waits > 0, "it never hung up when it mattered");
                break;
            }
        }
        test_farm.close().await;
    }
}
