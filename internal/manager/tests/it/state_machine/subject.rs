//! A farm that events are tried on.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use flamenco_domain::ids::{JobId, TagId, TaskId, WorkerId};
use flamenco_domain::job::JobStatus;
use flamenco_domain::schedule::SleepSchedule;
use flamenco_domain::task::{TaskReport, TaskStatus};
use flamenco_domain::worker::{StatusRequest, Switch, Tag, Worker, WorkerStatus};
use flamenco_manager_core::error::{Error, Result};
use flamenco_manager_core::farm::Farm;
use flamenco_manager_core::farm::scheduler::Answer;
use flamenco_manager_core::farm::submission::Submission;
use flamenco_manager_core::farm::tags::TagChoice;
use flamenco_manager_core::farm::workers::{Registration, SignOn};
use flamenco_testkit::{PLAN_JOB_TYPE, TestFarm};
use proptest::sample::Index;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::events::{Event, Which};
use super::invariants::Seen;

/// Failures soon have consequences, and time is short.
const YAML: &str =
    "blocklist_threshold: 2\ntask_fail_after_softfail_count: 2\nworker_timeout: 60s\ntask_timeout: 600s";
const TYPES: [&str; 3] = ["blender", "ffmpeg", "misc"];
const MOST_JOBS: usize = 4;
const MOST_WORKERS: usize = 4;

/// Why a sequence failed.
pub type Problem = String;

pub struct Subject {
    farm: TestFarm,
    tags: Vec<TagId>,
}

/// Tasks of a job by type and the places of those that they wait for.
fn shapes() -> Vec<serde_json::Value> {
    let many = |count: usize, more: Option<serde_json::Value>| {
        let tasks = (0..count).map(|number| json!({ "name": format!("t{number}") }));
        tasks.chain(more).collect::<serde_json::Value>()
    };
    vec![
        many(1, None),
        many(12, Some(json!({ "name": "behind", "after": [0] }))),
        json!([{ "name": "a" }, { "name": "b", "after": [0] }, { "name": "c", "type": "ffmpeg", "after": [1] }]),
        json!([
            { "name": "a", "priority": 60, "commands": [{ "name": "c", "steps": 4 }] },
            { "name": "b" },
            { "name": "c", "type": "ffmpeg", "after": [0, 1] },
            { "name": "d", "type": "misc", "after": [0] },
        ]),
        json!([{ "name": "a", "type": "misc" }, { "name": "b", "type": "ffmpeg" }, { "name": "c", "type": "misc" }]),
    ]
}

/// Refusals are fine; what nobody asked for is not.
fn is_refusal(error: &Error) -> bool {
    !matches!(error, Error::Store(_) | Error::Io { .. } | Error::Internal(_))
}

impl Subject {
    pub async fn each() -> Vec<Self> {
        let mut subjects = Vec::new();
        for farm in TestFarm::each(YAML).await {
            let mut tags = Vec::new();
            for name in ["one", "two"] {
                let tag = Tag { id: TagId::random(), name: name.to_owned(), description: String::new() };
                tags.push(farm.farm().create_tag(tag).await.unwrap().id);
            }
            subjects.push(Self { farm, tags });
        }
        subjects
    }

    pub const fn backend(&self) -> &'static str {
        self.farm.backend()
    }

    pub async fn close(self) {
        self.farm.close().await;
    }

    fn farm(&self) -> &Farm {
        self.farm.farm()
    }

    /// Tries a sequence, and leaves a farm with nothing in it.
    pub async fn run(&mut self, events: &[Event]) -> std::result::Result<(), Problem> {
        let mut seen = Seen::of(self.farm()).await;
        for (place, event) in events.iter().enumerate() {
            seen = self
                .happens(event, seen)
                .await
                .map_err(|problem| format!("event {place} of {}, {event:?}: {problem}", events.len()))?;
        }
        self.quiet().await.map_err(|problem| format!("once all is quiet: {problem}"))
    }

    /// One event, and a look at what it did.
    async fn happens(&mut self, event: &Event, before: Seen) -> std::result::Result<Seen, Problem> {
        let result = self.apply(event, &before).await;
        let after = self.look().await?;
        match result {
            Err(error) if !is_refusal(&error) => return Err(format!("{error:?}")),
            Err(error) => {
                if before.without_signs_of_life() != after.clone().without_signs_of_life() {
                    return Err(format!("refused with {error:?}, and changed something all the same"));
                }
            }
            Ok(()) if matches!(event, Event::Report { .. }) => {
                self.again(event, &before, &after).await?;
            }
            Ok(()) => {}
        }
        Ok(after)
    }

    /// The same report once more, as a worker sends it that did not get the answer.
    async fn again(
        &mut self,
        event: &Event,
        before: &Seen,
        after: &Seen,
    ) -> std::result::Result<(), Problem> {
        let result = self.apply(event, before).await;
        let now = self.look().await?;
        if now.without_signs_of_life() != after.clone().without_signs_of_life() {
            return Err("the same report again changed something".to_owned());
        }
        let repeatable = match event {
            Event::Report { status, .. } => {
                matches!(status, None | Some(TaskStatus::Active | TaskStatus::Completed | TaskStatus::Failed))
            }
            _ => true,
        };
        match result {
            Err(error) if repeatable => Err(format!("the same report again was refused: {error:?}")),
            _ => Ok(()),
        }
    }

    async fn look(&self) -> std::result::Result<Seen, Problem> {
        let seen = Seen::of(self.farm()).await;
        if let Some(problem) = seen.problem() {
            return Err(problem);
        }
        let differences = self.farm().differences().await.unwrap();
        if differences.is_empty() { Ok(seen) } else { Err(format!("{differences:#?}")) }
    }

    async fn apply(&mut self, event: &Event, seen: &Seen) -> Result<()> {
        match event {
            Event::Jump(seconds) => self.farm.clock().advance(TimeDelta::seconds(*seconds)),
            Event::Reopen => self.farm.reopen().await,
            Event::HalfDone(job, status) => {
                if let Some(job) = choose(*job, &seen.jobs) {
                    self.farm.reopen_with(job.summary.id, *status).await;
                }
            }
            Event::Rounds => {
                self.farm().time_out().await?;
                self.farm().apply_sleep_schedules().await?;
            }
            Event::Erase => {
                self.farm().erase_marked_jobs().await?;
            }
            Event::Submit { .. }
            | Event::RequestJob(..)
            | Event::RequestTask(..)
            | Event::Priority(..)
            | Event::JobTag(..)
            | Event::DeleteJob(_)
            | Event::Unblock(_) => return self.apply_to_jobs(event, seen).await,
            Event::Register { types } => {
                if seen.workers.len() < MOST_WORKERS {
                    self.register(*types).await?;
                }
            }
            _ => {
                let worker = match event {
                    Event::Ask(worker)
                    | Event::Report { worker, .. }
                    | Event::MayRun { worker, .. }
                    | Event::SignOn { worker, .. }
                    | Event::SignOff(worker)
                    | Event::State(worker, _)
                    | Event::RequestWorker(worker, ..)
                    | Event::WorkerTags(worker, _)
                    | Event::Sleep(worker, _)
                    | Event::Enable(worker)
                    | Event::Disable { worker, .. }
                    | Event::DeleteWorker(worker) => *worker,
                    other => unreachable!("{other:?}"),
                };
                if let Some(worker) = choose(worker, &seen.workers) {
                    return self.apply_to_worker(event, worker, seen).await;
                }
            }
        }
        Ok(())
    }

    async fn apply_to_jobs(&self, event: &Event, seen: &Seen) -> Result<()> {
        let farm = self.farm();
        let reason = || "the test wants it".to_owned();
        if let Event::Submit { shape, priority, tag, paused } = event {
            if seen.jobs.len() < MOST_JOBS {
                self.submit(&shapes()[shape.index(shapes().len())], *priority, *tag, *paused).await?;
            }
            return Ok(());
        }
        if let Event::RequestTask(task, status) = event {
            return match choose(*task, &seen.tasks) {
                Some(task) => farm.set_task_status(task.id, *status, reason()).await,
                None => Ok(()),
            };
        }
        let chosen = match event {
            Event::RequestJob(job, _)
            | Event::Priority(job, _)
            | Event::JobTag(job, _)
            | Event::DeleteJob(job)
            | Event::Unblock(job) => choose(*job, &seen.jobs),
            other => unreachable!("{other:?}"),
        };
        let Some(id) = chosen.map(|job| job.summary.id) else { return Ok(()) };
        match event {
            Event::RequestJob(_, status) => farm.set_job_status(id, *status, reason()).await,
            Event::Priority(_, priority) => farm.set_job_priority(id, *priority).await,
            Event::JobTag(_, tag) => {
                let choice = tag.checked_sub(1).map_or(TagChoice::None, |tag| TagChoice::Id(self.tags[tag]));
                farm.set_job_tag(id, choice).await
            }
            Event::DeleteJob(_) => farm.delete_job(id).await,
            _ => {
                let blocked = farm.blocklist(id).await?;
                let entries = blocked.into_iter().map(|block| (block.worker, block.task_type)).collect();
                farm.unblock(id, entries).await
            }
        }
    }

    async fn apply_to_worker(&self, event: &Event, worker: &Worker, seen: &Seen) -> Result<()> {
        let (farm, id) = (self.farm(), worker.id);
        let task = |which: &Which| match which {
            Which::Own => seen
                .tasks
                .iter()
                .filter(|task| task.worker.as_ref().is_some_and(|owner| owner.id == id))
                .max_by_key(|task| (task.status == TaskStatus::Active, task.last_touched))
                .map(|task| task.id),
            Which::Any(index) => choose(*index, &seen.tasks).map(|task| task.id),
        };
        match event {
            Event::Ask(_) => {
                let answer = ask(farm, worker).await?;
                if let Answer::Task(assigned) = answer {
                    let task = &assigned.task.summary;
                    assert_eq!(task.status, TaskStatus::Active);
                    let had = seen.tasks.iter().any(|seen| seen.id == task.id && seen.status == task.status);
                    assert!(had || worker.disabled.is_none(), "a disabled worker gets {task:?}");
                }
                Ok(())
            }
            Event::Report { which, status, steps, log, .. } => {
                let Some(task) = task(which) else { return Ok(()) };
                let report = TaskReport {
                    status: *status,
                    activity: None,
                    steps_completed: *steps,
                    log: log.then(|| "a line".to_owned()),
                    log_position: None,
                };
                farm.report_task(worker, task, report).await
            }
            Event::MayRun { which, .. } => match task(which) {
                Some(task) => farm.may_run(worker, task).await.map(drop),
                None => farm.may_run(worker, TaskId::random()).await.map(drop),
            },
            Event::SignOn { types, .. } => farm.sign_on(id, sign_on(*types)).await.map(drop),
            Event::SignOff(_) => farm.sign_off(id).await,
            Event::State(_, status) => farm.state_changed(id, *status).await,
            Event::RequestWorker(_, status, lazy) => {
                farm.request_worker_status(id, StatusRequest { status: *status, lazy: *lazy }).await
            }
            Event::WorkerTags(_, mask) => farm.set_worker_tags(id, self.chosen_tags(*mask)).await,
            Event::Sleep(_, active) => {
                let schedule = SleepSchedule::parse(*active, "", "22:00", "06:00").unwrap();
                farm.set_sleep_schedule(id, schedule).await
            }
            Event::Enable(_) => farm.switch_worker(id, Switch::Enable).await,
            Event::Disable { now, .. } => {
                farm.switch_worker(
                    id,
                    Switch::Disable { reason: "fan".to_owned(), by: String::new(), now: *now },
                )
                .await
            }
            _ => farm.delete_worker(id).await,
        }
    }

    fn chosen_tags(&self, mask: usize) -> Vec<TagId> {
        self.tags
            .iter()
            .enumerate()
            .filter(|(place, _)| mask & (1 << place) != 0)
            .map(|(_, tag)| *tag)
            .collect()
    }

    async fn submit(
        &self,
        plan: &serde_json::Value,
        priority: i64,
        tag: usize,
        paused: bool,
    ) -> Result<JobId> {
        let mut settings = serde_json::Map::new();
        settings.insert("plan".to_owned(), plan.to_string().into());
        let submission = Submission {
            name: "job".to_owned(),
            job_type: PLAN_JOB_TYPE.to_owned(),
            priority,
            settings,
            platform: "linux".to_owned(),
            worker_tag: tag.checked_sub(1).and_then(|tag| self.tags.get(tag)).map(ToString::to_string),
            initial_status: paused.then_some(JobStatus::Paused),
            ..Submission::default()
        };
        Ok(self.farm().submit(submission).await?.summary.id)
    }

    async fn register(&self, types: usize) -> Result<WorkerId> {
        let registration = Registration {
            name: "node".to_owned(),
            secret: "secret".to_owned(),
            platform: "linux".to_owned(),
            task_types: chosen_types(types),
            address: "127.0.0.1".to_owned(),
        };
        let id = self.farm().register(registration).await?.id;
        self.farm().sign_on(id, sign_on(types)).await?;
        self.farm().state_changed(id, WorkerStatus::Awake).await?;
        Ok(id)
    }

    /// Everybody goes home, then one worker who can do everything ends every job, and all is erased.
    async fn quiet(&self) -> std::result::Result<(), Problem> {
        let farm = self.farm();
        for worker in farm.workers().await.unwrap() {
            farm.sign_off(worker.id).await.unwrap();
        }
        self.look().await?;
        farm.erase_marked_jobs().await.unwrap();
        let finisher = self.register(7).await.unwrap();
        farm.set_worker_tags(finisher, self.tags.clone()).await.unwrap();
        // Twice: what was canceled in a job that still runs is queued again when that job has ended.
        for _ in 0..2 {
            for job in farm.jobs().await.unwrap() {
                if job.summary.status != JobStatus::Completed {
                    let (id, reason) = (job.summary.id, "again".to_owned());
                    let requeued = farm.set_job_status(id, JobStatus::Requeueing, reason).await;
                    requeued.map_err(|error| format!("cannot be requeued: {error} {job:?}"))?;
                }
            }
            self.work_off(finisher).await?;
        }
        for job in farm.jobs().await.unwrap() {
            if job.summary.status != JobStatus::Completed {
                return Err(format!("cannot be brought to its end: {job:?}"));
            }
            farm.delete_job(job.summary.id).await.unwrap();
        }
        self.look().await?;
        farm.erase_marked_jobs().await.unwrap();
        for worker in farm.workers().await.unwrap() {
            farm.delete_worker(worker.id).await.unwrap();
        }
        self.nothing_is_left().await
    }

    async fn work_off(&self, finisher: WorkerId) -> std::result::Result<(), Problem> {
        let farm = self.farm();
        loop {
            let worker = farm.worker(finisher).await.unwrap().worker;
            let answer = ask(farm, &worker).await;
            let Answer::Task(assigned) = answer.unwrap() else { return Ok(()) };
            let report = TaskReport { status: Some(TaskStatus::Completed), ..TaskReport::default() };
            farm.report_task(&worker, assigned.task.summary.id, report).await.unwrap();
            self.look().await?;
        }
    }

    async fn nothing_is_left(&self) -> std::result::Result<(), Problem> {
        let mut rows = self.farm.rows().await;
        // Workers are kept for the tasks that name them; the tags were there before.
        rows.retain(|table, _| !matches!(*table, "workers" | "worker_tags"));
        if !rows.is_empty() {
            return Err(format!("rows are left: {rows:?}"));
        }
        let storage = std::fs::read_dir(self.farm.local_storage());
        let mut left: Vec<_> = storage.into_iter().flatten().flatten().map(|entry| entry.path()).collect();
        // The journal of the task logs is there as long as the manager runs.
        left.retain(|path| !path.ends_with(".task-log-journal"));
        if left.is_empty() { Ok(()) } else { Err(format!("files are left: {left:?}")) }
    }
}

fn chosen_types(mask: usize) -> Vec<String> {
    let types = TYPES.iter().enumerate().filter(|(place, _)| mask & (1 << place) != 0);
    types.map(|(_, name)| (*name).to_owned()).collect()
}

fn sign_on(types: usize) -> SignOn {
    SignOn {
        name: "node".to_owned(),
        task_types: chosen_types(types),
        software: "1.2.3".to_owned(),
        can_restart: true,
        address: "127.0.0.1".to_owned(),
    }
}

async fn ask(farm: &Farm, worker: &Worker) -> Result<Answer> {
    farm.schedule(&Arc::new(worker.clone()), Duration::ZERO, &CancellationToken::new()).await
}

fn choose<T>(index: Index, all: &[T]) -> Option<&T> {
    (!all.is_empty()).then(|| index.get(all))
}
