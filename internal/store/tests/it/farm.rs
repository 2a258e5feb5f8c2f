//! Building farms for tests.

use chrono::{DateTime, TimeZone, Utc};
use flamenco_domain::ids::{JobId, TaskId, WorkerId};
use flamenco_domain::job::{Job, JobStatus};
use flamenco_domain::task::{Command, TaskStatus, TaskWorker};
use flamenco_domain::worker::{Worker, WorkerStatus};
use flamenco_store::submit::{NewJob, NewTask, submit};
use flamenco_store::{Error, Store, jobs, tasks, workers};

pub fn now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 22, 12, 0, 0).unwrap()
}

pub fn task(task_type: &str, priority: i64, dependencies: &[usize]) -> NewTask {
    NewTask {
        id: TaskId::random(),
        name: format!("a {task_type} task"),
        task_type: task_type.into(),
        priority,
        commands: vec![Command {
            name: "echo".into(),
            parameters: serde_json::Map::new(),
            total_step_count: 2,
        }],
        dependencies: dependencies.to_vec(),
    }
}

pub fn job(priority: i64, tasks: Vec<NewTask>) -> NewJob {
    NewJob {
        id: JobId::random(),
        name: "a job".into(),
        job_type: "test".into(),
        priority,
        status: JobStatus::Queued,
        settings: serde_json::Map::new(),
        metadata: serde_json::Map::new(),
        shaman_checkout_id: String::new(),
        worker_tag: None,
        tasks,
        created: now(),
        original: None,
    }
}

pub async fn store_job(store: &Store, job: NewJob) -> Job {
    submit(store, job).await.unwrap()
}

pub async fn worker(store: &Store, types: &[&str]) -> Worker {
    let mut worker = Worker {
        seq: 0,
        id: WorkerId::random(),
        secret_hash: "-".into(),
        name: "node".into(),
        address: "127.0.0.1".into(),
        platform: "linux".into(),
        software: String::new(),
        status: WorkerStatus::Awake,
        requested: None,
        disabled: None,
        task_types: types.iter().map(|name| (*name).to_owned()).collect(),
        can_restart: false,
        last_seen: None,
        created: now(),
        updated: now(),
        deleted: None,
    };
    let row = worker.clone();
    worker.seq = write(store, move |tx| {
        let row = row.clone();
        Box::pin(async move { workers::insert(tx, &row).await })
    })
    .await
    .unwrap();
    worker
}

pub async fn write<F, T>(store: &Store, operation: F) -> Result<T, Error>
where
    F: for<'a> Fn(&'a flamenco_store::Tx) -> futures_util::future::BoxFuture<'a, Result<T, Error>>
        + Send
        + 'static,
    T: Send + 'static,
{
    store.write(operation).await
}

/// Moves a task to a status as the manager does it, on behalf of `worker`.
pub async fn set_status(store: &Store, id: TaskId, to: TaskStatus, owner: Option<Worker>) {
    write(store, move |tx| {
        let owner = owner.clone();
        Box::pin(async move {
            let mut task = tasks::lock(tx, id).await?.unwrap();
            let mut job = jobs::lock(tx, task.job_id).await?.unwrap();
            if let Some(worker) = owner {
                task.worker = Some(TaskWorker {
                    seq: worker.seq,
                    id: worker.id,
                    name: worker.name,
                    address: worker.address,
                });
            }
            tasks::change_status(tx, &mut job, &mut task, to).await?;
            tasks::save(tx, &task).await?;
            jobs::save(tx, &job, false).await
        })
    })
    .await
    .unwrap();
}
