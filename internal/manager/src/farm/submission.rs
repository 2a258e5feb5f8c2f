//! From a submission to a stored job: variables, the job type's script, and the checks that come before storing.

use std::sync::Arc;

use flamenco_crosspath::Platform;
use flamenco_domain::ids::{JobId, TagId, TaskId};
use flamenco_domain::job::{Job, JobStatus};
use flamenco_domain::limits;
use flamenco_domain::task::Command;
use flamenco_jobscript::{AuthoredJob, AuthoredTask, Tasks};
use flamenco_store::submit::{NewJob, NewTask, submit_as_made};
use flamenco_store::tags;
use tokio::sync::OwnedSemaphorePermit;

use super::Farm;
use crate::error::{Error, Result};

/// The platform name that stands for the manager's own.
const MANAGER_PLATFORM: &str = "manager";

/// What a submitter sends.
#[derive(Debug, Clone, Default)]
pub struct Submission {
    /// Name of the job.
    pub name: String,
    /// Name of its type.
    pub job_type: String,
    /// The type's etag as the submitter knows it.
    pub type_etag: Option<String>,
    /// Priority; 50 is usual.
    pub priority: i64,
    /// Settings for the script.
    pub settings: serde_json::Map<String, serde_json::Value>,
    /// Free text by key.
    pub metadata: Vec<(String, String)>,
    /// Platform of the submitter, whose paths become variables.
    pub platform: String,
    /// Shaman checkout of the job's files.
    pub shaman_checkout_id: Option<String>,
    /// Worker tag.
    pub worker_tag: Option<String>,
    /// `queued` or `paused`.
    pub initial_status: Option<JobStatus>,
}

/// A submission that passed every check.
struct Checked {
    /// Without its tasks.
    job: AuthoredJob,
    /// The last one may be an error.
    tasks: Tasks,
    /// The script may take its whole memory limit until it has made all of them.
    permit: OwnedSemaphorePermit,
    tag: Option<TagId>,
    status: JobStatus,
    checkout: Option<String>,
}

impl Farm {
    /// Whether a submission would be accepted. Stores nothing.
    ///
    /// # Errors
    /// As [`Farm::submit`].
    pub async fn check_submission(&self, submission: Submission) -> Result<()> {
        let checked = self.compile(submission).await?;
        let all = tokio::task::spawn_blocking(move || {
            let Checked { mut tasks, permit: _permit, .. } = checked;
            tasks.try_for_each(|task| task.map(drop).map_err(compile_error))
        });
        all.await.map_err(|error| Error::Internal(format!("compiling a job: {error}")))?
    }

    /// Compiles and stores a job. It is carried through even when the caller stops waiting.
    ///
    /// # Errors
    /// [`Error::Invalid`] with what the submitter should change, [`Error::Outdated`] when the job type changed;
    /// nothing is stored then.
    pub async fn submit(&self, submission: Submission) -> Result<Job> {
        let checked = self.compile(submission.clone()).await?;
        let farm = self.clone();
        let storing = tokio::spawn(async move {
            let (job, tasks) = new_job(submission, checked, farm.now());
            submit_as_made(&farm.store, job, tasks).await
        });
        storing.await.map_err(|error| match error.is_cancelled() {
            true => Error::Store(flamenco_store::Error::Closed),
            false => Error::Internal(format!("storing a job: {error}")),
        })?
    }

    async fn compile(&self, mut submission: Submission) -> Result<Checked> {
        if submission.name.trim().is_empty() {
            return Err(Error::Invalid("name must not be empty; give the job a name".to_owned()));
        }
        if submission.name.chars().count() > limits::NAME {
            let limit = limits::NAME;
            return Err(Error::Invalid(format!(
                "name has more than {limit} characters; give the job a shorter one"
            )));
        }
        let status = match submission.initial_status {
            None => JobStatus::Queued,
            Some(status @ (JobStatus::Queued | JobStatus::Paused)) => status,
            Some(other) => return Err(Error::InitialStatus(other)),
        };
        let tag = self.existing_tag(submission.worker_tag.as_deref()).await?;
        let platform = match submission.platform.trim() {
            "" => {
                return Err(Error::Invalid(
                    "submitter_platform must not be empty; send linux, windows, darwin or manager".to_owned(),
                ));
            }
            MANAGER_PLATFORM => Platform::current(),
            name => Platform::new(name),
        };
        let live = self.live();
        live.variables.replace_in_settings(&mut submission.settings, &platform);
        live.variables.replace_in_metadata(submission.metadata.iter_mut().map(|(_, value)| value), &platform);

        let checkout = self.checkout_of_submission(submission.shaman_checkout_id, &submission.settings);
        submission.shaman_checkout_id = checkout.await?;
        let checkout = submission.shaman_checkout_id.clone();

        let permit = Arc::clone(&self.compilers)
            .acquire_owned()
            .await
            .map_err(|_| Error::Internal("the manager is stopping".to_owned()))?;
        let (scripts, now) = (self.scripts.clone(), self.now());
        let job = tokio::task::spawn_blocking(move || {
            scripts.compile_gradually(&flamenco_jobscript::Submission {
                name: submission.name,
                job_type: submission.job_type,
                type_etag: submission.type_etag,
                priority: submission.priority,
                settings: submission.settings,
                metadata: submission.metadata,
                worker_tag: tag.map(|tag| tag.to_string()),
                shaman_checkout_id: submission.shaman_checkout_id,
                now,
            })
        })
        .await
        .map_err(|error| Error::Internal(format!("compiling a job: {error}")))?;
        let (job, tasks) = job.map_err(compile_error)?;
        Ok(Checked { job, tasks, permit, tag, status, checkout })
    }

    async fn existing_tag(&self, id: Option<&str>) -> Result<Option<TagId>> {
        let Some(text) = id.filter(|text| !text.is_empty()) else { return Ok(None) };
        let id: TagId = text.parse().map_err(|error| Error::Invalid(format!("worker_tag: {error}")))?;
        match tags::find(self.store.read(), id).await? {
            Some(tag) => Ok(Some(tag.id)),
            None => Err(Error::UnknownTag(id.to_string())),
        }
    }
}

fn compile_error(error: flamenco_jobscript::Error) -> Error {
    match error {
        flamenco_jobscript::Error::EtagMismatch { .. } => Error::Outdated(error.to_string()),
        flamenco_jobscript::Error::Internal { .. } => Error::Internal(error.to_string()),
        other => Error::Invalid(other.to_string()),
    }
}

/// The job to store, and its tasks while they are made.
fn new_job(
    submission: Submission,
    checked: Checked,
    now: chrono::DateTime<chrono::Utc>,
) -> (NewJob, impl Iterator<Item = Result<NewTask>> + Send + 'static) {
    let Checked { job, tasks, permit, tag, status, checkout } = checked;
    let new = NewJob {
        id: JobId(job.id),
        name: job.name,
        job_type: submission.job_type,
        priority: job.priority,
        status,
        settings: job.settings,
        metadata: job.metadata.into_iter().map(|(key, value)| (key, value.into())).collect(),
        shaman_checkout_id: checkout.unwrap_or_default(),
        worker_tag: tag,
        tasks: Vec::new(),
        created: now,
    };
    let tasks = tasks.map(move |task| {
        let _held = &permit;
        task.map(new_task).map_err(compile_error)
    });
    (new, tasks)
}

fn new_task(task: AuthoredTask) -> NewTask {
    let commands = task.commands.into_iter().map(|command| Command {
        name: command.name,
        parameters: command.parameters,
        total_step_count: command.total_step_count,
    });
    NewTask {
        id: TaskId(task.id),
        name: task.name,
        task_type: task.task_type,
        priority: task.priority,
        commands: commands.collect(),
        dependencies: task.dependencies,
    }
}
