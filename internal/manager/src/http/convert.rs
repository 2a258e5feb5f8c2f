//! From domain types to wire types. Plain functions, since both sides belong to other crates.

use flamenco_api::types;
use flamenco_domain::event::{JobEvent, TaskEvent, WorkerEvent};
use flamenco_domain::farm_status::{FarmState, FarmStatus};
use flamenco_domain::ids::JobId;
use flamenco_domain::job::{Job, JobStatus, JobSummary, TaskCounts};
use flamenco_domain::schedule::{SleepSchedule, TimeOfDay};
use flamenco_domain::task::{Command, Task, TaskStatus, TaskSummary, TaskWorker};
use flamenco_domain::worker::{Disabled, StatusRequest, Switch, Tag, Worker, WorkerStatus};

use crate::farm::last_rendered;
use crate::farm::workers::WorkerDetails;

/// Enums of the same names on both sides; the match says at compile time when one of them grows.
macro_rules! same_names {
    ($to_wire:ident, $from_wire:ident, $ours:ident, $theirs:ident { $($variant:ident),+ $(,)? }) => {
        pub(super) const fn $to_wire(status: $ours) -> types::$theirs {
            match status { $($ours::$variant => types::$theirs::$variant,)+ }
        }
        pub(super) const fn $from_wire(status: types::$theirs) -> $ours {
            match status { $(types::$theirs::$variant => $ours::$variant,)+ }
        }
    };
}
pub(super) use same_names;

same_names!(
    job_status,
    from_job_status,
    JobStatus,
    JobStatus {
        UnderConstruction,
        Queued,
        Active,
        Completed,
        Failed,
        Canceled,
        CancelRequested,
        PauseRequested,
        Paused,
        Requeueing,
    }
);
same_names!(
    task_status,
    from_task_status,
    TaskStatus,
    TaskStatus { Queued, SoftFailed, Active, Completed, Failed, Canceled, Paused }
);
same_names!(
    worker_status,
    from_worker_status,
    WorkerStatus,
    WorkerStatus { Starting, Awake, Asleep, Error, Testing, Offline, Restart }
);

pub(crate) fn farm_status(state: FarmState) -> types::FarmStatusReport {
    let status = match state.status {
        FarmStatus::Starting => types::FarmStatus::Starting,
        FarmStatus::Active => types::FarmStatus::Active,
        FarmStatus::Idle => types::FarmStatus::Idle,
        FarmStatus::Waiting => types::FarmStatus::Waiting,
        FarmStatus::Asleep => types::FarmStatus::Asleep,
        FarmStatus::Inoperative => types::FarmStatus::Inoperative,
        FarmStatus::Unknown => types::FarmStatus::Unknown,
    };
    types::FarmStatusReport { status, reason: state.reason.map(|reason| reason.to_string()) }
}

pub(super) const fn counts(counts: TaskCounts) -> types::JobTaskCounts {
    types::JobTaskCounts {
        queued: counts.queued,
        soft_failed: counts.soft_failed,
        active: counts.active,
        completed: counts.completed,
        failed: counts.failed,
        canceled: counts.canceled,
        paused: counts.paused,
    }
}

pub(super) fn job(job: Job) -> types::Job {
    let Job { summary, settings, metadata } = job;
    let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let metadata = metadata.into_iter().map(|(key, value)| (key, text(value))).collect();
    let checkout = Some(summary.shaman_checkout_id).filter(|id| !id.is_empty());
    types::Job {
        id: summary.id.0,
        name: summary.name,
        type_: summary.job_type,
        priority: summary.priority,
        status: job_status(summary.status),
        activity: summary.activity,
        created: summary.created,
        updated: summary.updated,
        delete_requested_at: summary.delete_requested,
        settings: Some(types::JobSettings(settings)),
        metadata: Some(types::JobMetadata(metadata)),
        storage: checkout.map(|id| types::JobStorageInfo { shaman_checkout_id: Some(id) }),
        worker_tag: summary.worker_tag.map(|tag| tag.to_string()),
        steps_completed: summary.steps_completed,
        steps_total: summary.steps_total,
        task_counts: Some(counts(summary.counts)),
        submitter_platform: String::new(),
        initial_status: None,
        type_etag: None,
        frames: None,
    }
}

pub(super) fn task_worker(worker: &TaskWorker) -> types::TaskWorker {
    types::TaskWorker {
        id: worker.id.to_string(),
        name: worker.name.clone(),
        address: worker.address.clone(),
    }
}

/// Stock clients expect a worker in every task; nobody is one without id.
fn worker_or_nobody(worker: Option<&TaskWorker>) -> types::TaskWorker {
    let nobody = || types::TaskWorker { id: String::new(), name: String::new(), address: String::new() };
    worker.map_or_else(nobody, task_worker)
}

pub(super) fn command(command: Command) -> types::Command {
    types::Command {
        name: command.name,
        parameters: command.parameters,
        total_step_count: command.total_step_count,
    }
}

pub(super) fn task(task: Task, failed_by: &[TaskWorker]) -> types::Task {
    let Task { summary, commands } = task;
    types::Task {
        id: summary.id.0,
        job_id: summary.job_id.0,
        index_in_job: summary.index_in_job,
        name: summary.name,
        task_type: summary.task_type,
        priority: summary.priority,
        status: task_status(summary.status),
        activity: summary.activity,
        created: summary.created,
        updated: summary.updated,
        last_touched: summary.last_touched,
        commands: commands.into_iter().map(command).collect(),
        steps_completed: summary.steps_completed,
        steps_total: summary.steps_total,
        worker: Some(worker_or_nobody(summary.worker.as_ref())),
        failed_by_workers: failed_by.iter().map(task_worker).collect(),
    }
}

pub(super) fn task_summary(task: TaskSummary) -> types::TaskSummary {
    types::TaskSummary {
        id: task.id.0,
        index_in_job: task.index_in_job,
        name: task.name,
        task_type: task.task_type,
        priority: task.priority,
        status: task_status(task.status),
        updated: task.updated,
        steps_completed: task.steps_completed,
        steps_total: task.steps_total,
        started: task.started,
        ended: task.ended,
        worker: Some(worker_or_nobody(task.worker.as_ref())),
    }
}

fn worker_task(task: TaskSummary) -> types::WorkerTask {
    types::WorkerTask {
        id: task.id.0,
        job_id: task.job_id.0,
        index_in_job: task.index_in_job,
        name: task.name,
        task_type: task.task_type,
        priority: task.priority,
        status: task_status(task.status),
        updated: task.updated,
        steps_completed: task.steps_completed,
        steps_total: task.steps_total,
        worker: Some(worker_or_nobody(task.worker.as_ref())),
    }
}

const fn status_change(request: StatusRequest) -> types::WorkerStatusChangeRequest {
    types::WorkerStatusChangeRequest { status: worker_status(request.status), is_lazy: request.lazy }
}

fn why_disabled(disabled: Option<Disabled>) -> Option<String> {
    disabled.map(|disabled| disabled.reason).filter(|reason| !reason.is_empty())
}

fn who_disabled(disabled: Option<&Disabled>) -> Option<String> {
    disabled.map(|disabled| disabled.by.clone()).filter(|by| !by.is_empty())
}

/// `by` is the network address of who asks.
pub(super) fn switch(change: types::WorkerEnabledChange, by: String) -> Switch {
    match change.enabled {
        true => Switch::Enable,
        false => Switch::Disable {
            reason: change.reason.unwrap_or_default().trim().to_owned(),
            by,
            now: change.when == Some(types::WorkerDisableTime::Now),
        },
    }
}

pub(super) fn worker_summary(worker: Worker) -> types::WorkerSummary {
    types::WorkerSummary {
        id: worker.id.0,
        name: worker.name,
        status: worker_status(worker.status),
        status_change: worker.requested.map(status_change),
        last_seen: worker.last_seen,
        version: worker.software,
        can_restart: worker.can_restart,
        enabled: Some(worker.disabled.is_none()),
        disabled_at: worker.disabled.as_ref().map(|disabled| disabled.at),
        disabled_by: who_disabled(worker.disabled.as_ref()),
        disabled_reason: why_disabled(worker.disabled),
        ip_address: Some(worker.address).filter(|address| !address.is_empty()),
        platform: Some(worker.platform).filter(|platform| !platform.is_empty()),
    }
}

pub(super) fn worker(details: WorkerDetails) -> types::Worker {
    let WorkerDetails { worker, tags, task } = details;
    types::Worker {
        id: worker.id.0,
        name: worker.name,
        status: worker_status(worker.status),
        status_change: worker.requested.map(status_change),
        last_seen: worker.last_seen,
        version: worker.software,
        can_restart: worker.can_restart,
        enabled: Some(worker.disabled.is_none()),
        disabled_at: worker.disabled.as_ref().map(|disabled| disabled.at),
        disabled_by: who_disabled(worker.disabled.as_ref()),
        disabled_reason: why_disabled(worker.disabled),
        ip_address: worker.address,
        platform: worker.platform,
        supported_task_types: worker.task_types,
        tags: Some(tags.into_iter().map(tag).collect::<Vec<_>>()).filter(|tags| !tags.is_empty()),
        task: task.map(worker_task),
    }
}

pub(crate) fn tag(tag: Tag) -> types::WorkerTag {
    types::WorkerTag {
        id: Some(tag.id.to_string()),
        name: tag.name,
        description: Some(tag.description).filter(|text| !text.is_empty()),
    }
}

pub(crate) fn pictures(job: JobId) -> types::JobLastRenderedImageInfo {
    types::JobLastRenderedImageInfo {
        base: last_rendered::url(job),
        suffixes: last_rendered::SIZES.iter().map(|(name, ..)| (*name).to_owned()).collect(),
    }
}

pub(super) fn sleep_schedule(schedule: &SleepSchedule) -> types::WorkerSleepSchedule {
    let text = |time: Option<TimeOfDay>| time.map_or_else(String::new, |time| time.to_string());
    types::WorkerSleepSchedule {
        is_active: schedule.is_active,
        days_of_week: schedule.days.to_string(),
        start_time: text(schedule.start()),
        end_time: text(schedule.end()),
    }
}

pub(crate) fn job_event(event: &JobEvent) -> types::EventJobUpdate {
    let JobSummary { id, name, job_type, priority, status, updated, .. } = &event.job;
    types::EventJobUpdate {
        id: id.0,
        name: Some(name.clone()),
        type_: job_type.clone(),
        priority: *priority,
        status: job_status(*status),
        previous_status: event.previous.map(job_status),
        updated: *updated,
        refresh_tasks: event.refresh_tasks,
        steps_completed: event.job.steps_completed,
        steps_total: event.job.steps_total,
        task_counts: Some(counts(event.job.counts)),
        delete_requested_at: event.job.delete_requested,
        was_deleted: event.deleted.then_some(true),
    }
}

pub(crate) fn task_event(event: &TaskEvent) -> types::EventTaskUpdate {
    let task = &event.task;
    let worker = task.worker.as_ref().filter(|worker| !worker.name.is_empty());
    types::EventTaskUpdate {
        id: task.id.0,
        job_id: task.job_id.0,
        name: task.name.clone(),
        status: task_status(task.status),
        previous_status: event.previous.map(task_status),
        activity: task.activity.clone(),
        updated: task.updated,
        steps_completed: task.steps_completed,
        steps_total: task.steps_total,
        worker: worker.map(|worker| types::AssignedWorker { name: worker.name.clone(), uuid: worker.id.0 }),
    }
}

pub(crate) fn worker_event(event: &WorkerEvent) -> types::EventWorkerUpdate {
    let worker = &event.worker;
    types::EventWorkerUpdate {
        id: worker.id.0,
        name: worker.name.clone(),
        status: worker_status(worker.status),
        previous_status: event.previous.map(worker_status),
        status_change: worker.requested.map(status_change),
        updated: worker.updated,
        last_seen: worker.last_seen,
        version: worker.software.clone(),
        can_restart: worker.can_restart,
        enabled: Some(worker.disabled.is_none()),
        disabled_at: worker.disabled.as_ref().map(|disabled| disabled.at),
        disabled_by: who_disabled(worker.disabled.as_ref()),
        disabled_reason: why_disabled(worker.disabled.clone()),
        deleted_at: worker.deleted,
        tag_ids: event.tags.as_ref().map(|tags| tags.iter().map(|tag| tag.0).collect()),
    }
}
