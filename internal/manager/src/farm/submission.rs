//! From a submission to a stored job: variables, the job type's script, and the checks that come before storing.

use std::sync::Arc;

use flamenco_crosspath::Platform;
use flamenco_domain::ids::{JobId, TagId, TaskId};
use flamenco_domain::job::{Job, JobStatus};
use flamenco_domain::limits;
use flamenco_domain::task::Command;
use flamenco_jobscript::{AuthoredJob, AuthoredTask, Interrupt, Tasks};
use flamenco_store::submissions::{self, Original};
use flamenco_store::submit::{NewJob, NewTask, submit_as_made};
use flamenco_store::{checkouts, tags};
use tokio::sync::OwnedSemaphorePermit;

use super::Farm;
use crate::error::{Error, Result};

/// The platform name that stands for the manager's own.
const MANAGER_PLATFORM: &str = "manager";
/// How much of a name that is too long is shown, in characters.
const SHOWN_NAME: usize = 80;

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
    wanted: Wanted,
    /// The script may take its whole memory limit until it has made all of them.
    permit: OwnedSemaphorePermit,
    tag: Option<TagId>,
    status: JobStatus,
    /// Shaman checkout; empty when it has none.
    checkout: String,
    /// Without the etag, which the job has.
    original: Original,
}

/// Somebody waits for the job that a script makes. Without this the script ends early, if it has not come to its end.
struct Wanted(Interrupt);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}

impl Farm {
    /// Whether a submission would be accepted. Stores nothing.
    ///
    /// # Errors
    /// As [`Farm::submit`].
    pub async fn check_submission(&self, submission: Submission) -> Result<()> {
        let Checked { mut tasks, permit, wanted: _wanted, .. } = self.compile(submission).await?;
        let all = tokio::task::spawn_blocking(move || {
            let _held = permit;
            tasks.try_for_each(|task| new_task(task.map_err(compile_error)?).map(drop))
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

    /// What is to be sent to submit a job once more, and whether that is what was sent the first time; of older jobs only
    /// what their scripts left is known.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn submission_of(&self, id: JobId) -> Result<(Submission, bool)> {
        let job = self.job(id).await?;
        let original = submissions::find(self.store.read(), id).await?;
        let as_submitted = original.is_some();
        let original = original.unwrap_or_else(|| Original {
            name: job.summary.name.clone(),
            // Its paths are those of variables or of the farm already.
            platform: MANAGER_PLATFORM.to_owned(),
            settings: job.settings,
            metadata: job.metadata,
            type_etag: String::new(),
        });
        let text = |value: serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let summary = job.summary;
        let submission = Submission {
            name: original.name,
            job_type: summary.job_type,
            type_etag: Some(original.type_etag).filter(|etag| !etag.is_empty()),
            priority: summary.priority,
            settings: original.settings,
            metadata: original.metadata.into_iter().map(|(key, value)| (key, text(value))).collect(),
            platform: original.platform,
            shaman_checkout_id: Some(summary.shaman_checkout_id).filter(|id| !id.is_empty()),
            worker_tag: summary.worker_tag.map(|tag| tag.to_string()),
            initial_status: None,
        };
        Ok((submission, as_submitted))
    }

    async fn compile(&self, mut submission: Submission) -> Result<Checked> {
        check_text("name", &submission.name, limits::NAME)
            .map_err(|wrong| Error::Invalid(format!("{wrong}; give the job another name")))?;
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
        let sent_platform = submission.platform.clone();
        let live = self.live();
        live.variables.replace_in_settings(&mut submission.settings, &platform);
        live.variables.replace_in_metadata(submission.metadata.iter_mut().map(|(_, value)| value), &platform);

        let checkout = self.checkout_of_submission(submission.shaman_checkout_id, &submission.settings);
        submission.shaman_checkout_id = checkout.await?;
        let checkout = submission.shaman_checkout_id.clone().unwrap_or_default();
        if checkouts::is_being_erased(self.store.read(), &checkout).await? {
            return Err(flamenco_store::Error::CheckoutErased(checkout).into());
        }
        let original = Original {
            name: submission.name.clone(),
            platform: sent_platform,
            settings: submission.settings.clone(),
            metadata: submission.metadata.iter().cloned().map(|(key, value)| (key, value.into())).collect(),
            type_etag: String::new(),
        };
        let (job, tasks, wanted, permit) = self.run_script(submission, tag).await?;
        check_text("its name", &job.name, limits::NAME).map_err(|wrong| {
            Error::Invalid(format!("the script renames the job, but {wrong}; change job.name there"))
        })?;
        Ok(Checked { job, tasks, wanted, permit, tag, status, checkout, original })
    }

    /// Runs the script until it has made the job. It ends early when the caller stops waiting.
    async fn run_script(
        &self,
        submission: Submission,
        tag: Option<TagId>,
    ) -> Result<(AuthoredJob, Tasks, Wanted, OwnedSemaphorePermit)> {
        let permit = Arc::clone(&self.compilers)
            .acquire_owned()
            .await
            .map_err(|_| Error::Internal("the manager is stopping".to_owned()))?;
        let (scripts, now, interrupt) = (self.scripts.clone(), self.now(), Interrupt::default());
        let wanted = Wanted(interrupt.clone());
        let job = tokio::task::spawn_blocking(move || -> Result<_> {
            let submission = flamenco_jobscript::Submission {
                name: submission.name,
                job_type: submission.job_type,
                type_etag: submission.type_etag,
                priority: submission.priority,
                settings: submission.settings,
                metadata: submission.metadata,
                worker_tag: tag.map(|tag| tag.to_string()),
                shaman_checkout_id: submission.shaman_checkout_id,
                now,
            };
            let (job, tasks) = scripts.compile_gradually(&submission, &interrupt).map_err(compile_error)?;
            Ok((job, tasks, permit))
        });
        let job: Result<_> =
            job.await.map_err(|error| Error::Internal(format!("compiling a job: {error}")))?;
        job.map(|(job, tasks, permit)| (job, tasks, wanted, permit))
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
    let Checked { job, tasks, permit, tag, status, checkout, wanted, original } = checked;
    let new = NewJob {
        id: JobId(job.id),
        name: job.name,
        job_type: submission.job_type,
        priority: job.priority,
        status,
        settings: job.settings,
        metadata: job.metadata.into_iter().map(|(key, value)| (key, value.into())).collect(),
        shaman_checkout_id: checkout,
        worker_tag: tag,
        tasks: Vec::new(),
        created: now,
        original: Some(Original { type_etag: job.type_etag, ..original }),
    };
    let tasks = tasks.map(move |task| {
        let _held = (&permit, &wanted);
        new_task(task.map_err(compile_error)?)
    });
    (new, tasks)
}

/// What is wrong with a name, if anything is. `what` is named.
fn check_text(what: &str, text: &str, limit: usize) -> std::result::Result<(), String> {
    if text.trim().is_empty() {
        return Err(format!("{what} must not be empty"));
    }
    if text.chars().nth(limit).is_some() {
        let length = text.chars().count();
        return Err(format!("{what} has {length} characters, more than the {limit} that are possible"));
    }
    if text.contains('\0') {
        return Err(format!("{what} contains the character U+0000, which cannot be stored"));
    }
    Ok(())
}

/// The task to store, if its texts can be.
fn new_task(task: AuthoredTask) -> Result<NewTask> {
    check_text("its name", &task.name, limits::NAME)
        .and_then(|()| check_text("its type", &task.task_type, limits::WORD))
        .map_err(|wrong| {
            let name = limits::shortened(&task.name, SHOWN_NAME);
            Error::Invalid(format!("task {name:?}: {wrong}; change it in the script of the job type"))
        })?;
    let commands = task.commands.into_iter().map(|command| Command {
        name: command.name,
        parameters: command.parameters,
        total_step_count: command.total_step_count,
    });
    Ok(NewTask {
        id: TaskId(task.id),
        name: task.name,
        task_type: task.task_type,
        priority: task.priority,
        commands: commands.collect(),
        dependencies: task.dependencies,
    })
}
