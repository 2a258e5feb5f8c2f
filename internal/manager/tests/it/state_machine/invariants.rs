//! What must hold after every event.

use std::collections::{BTreeMap, BTreeSet};

use flamenco_domain::job::{Job, JobStatus as J};
use flamenco_domain::task::{TaskStatus as T, TaskSummary};
use flamenco_domain::worker::{Worker, WorkerStatus as W};
use flamenco_manager_core::farm::Farm;
use flamenco_store::blocklist::Block;

/// All that can be seen of a farm.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    pub jobs: Vec<Job>,
    pub tasks: Vec<TaskSummary>,
    pub workers: Vec<Worker>,
    blocks: Vec<Vec<Block>>,
}

impl Seen {
    pub async fn of(farm: &Farm) -> Self {
        let jobs = farm.jobs().await.unwrap();
        let (mut tasks, mut blocks) = (Vec::new(), Vec::new());
        for job in &jobs {
            tasks.extend(farm.tasks(job.summary.id).await.unwrap());
            blocks.push(farm.blocklist(job.summary.id).await.unwrap());
        }
        Self { jobs, tasks, workers: farm.workers().await.unwrap(), blocks }
    }

    /// Without the signs of life, which an event that changes nothing leaves all the same.
    pub fn without_signs_of_life(mut self) -> Self {
        for task in &mut self.tasks {
            task.last_touched = None;
        }
        for worker in &mut self.workers {
            worker.last_seen = None;
        }
        self
    }

    /// The first thing that is not as it must be.
    pub fn problem(&self) -> Option<String> {
        let workers: BTreeMap<i64, &Worker> =
            self.workers.iter().map(|worker| (worker.seq, worker)).collect();
        let mut busy = BTreeSet::new();
        for task in self.tasks.iter().filter(|task| task.status == T::Active) {
            let Some(owner) = &task.worker else { return Some(format!("active without a worker: {task:?}")) };
            match workers.get(&owner.seq) {
                None => return Some(format!("active on a worker that was deleted: {task:?}")),
                Some(worker) if !matches!(worker.status, W::Awake | W::Starting) => {
                    return Some(format!("active on a worker that is {}: {task:?}", worker.status));
                }
                Some(_) if !busy.insert(owner.seq) => {
                    return Some(format!("not the only active task of its worker: {task:?}"));
                }
                Some(_) => {}
            }
        }
        let wrong = |task: &&TaskSummary| {
            task.status == T::Completed && task.steps_completed != task.steps_total
                || task.status == T::Queued && task.steps_completed != 0
        };
        if let Some(task) = self.tasks.iter().find(wrong) {
            return Some(format!("the steps do not belong to the status: {task:?}"));
        }
        self.jobs.iter().find_map(|job| self.problem_of_job(job))
    }

    fn problem_of_job(&self, job: &Job) -> Option<String> {
        let of = |status: T| {
            let tasks = self.tasks.iter().filter(|task| task.job_id == job.summary.id);
            tasks.filter(|task| task.status == status).count()
        };
        let all = self.tasks.iter().filter(|task| task.job_id == job.summary.id).count();
        let status = job.summary.status;
        let unfinished = of(T::Queued) + of(T::SoftFailed) + of(T::Active);
        let problem = if status.is_finished() && unfinished > 0 {
            "a finished job has tasks that could run"
        } else if matches!(status, J::CancelRequested | J::Requeueing | J::UnderConstruction) {
            "a job stays in a status that is only passed through"
        } else if status == J::PauseRequested && of(T::Active) == 0 {
            "a job waits for active tasks that it does not have"
        } else if status == J::Paused && of(T::Active) > 0 {
            "a paused job has active tasks"
        } else if (status == J::Completed) && of(T::Completed) != all {
            "a completed job has tasks that are not"
        } else if status.is_schedulable() && of(T::Completed) == all {
            "a job whose tasks are all completed is not"
        } else if status.is_schedulable() && of(T::Active) == 0 && job.summary.runnable == 0 {
            "a job goes on, but none of its tasks can"
        } else {
            return None;
        };
        let statuses: Vec<&str> = self
            .tasks
            .iter()
            .filter(|task| task.job_id == job.summary.id)
            .map(|task| task.status.as_str())
            .collect();
        Some(format!("{problem}: {status}: {statuses:?}"))
    }
}
