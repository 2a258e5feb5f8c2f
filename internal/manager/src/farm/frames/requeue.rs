//! Rendering some frames again, and nothing else.
//!
//! The task that holds a frame is queued again with a note of which of its frames are wanted. When it is handed out, its
//! command names only these, and tells Blender to write existing files anew; so every worker can do it, and the counters
//! of the job, the tasks that wait for this one, and its log work as for any task that is requeued.

use flamenco_domain::event::Event;
use flamenco_domain::frame_range::FrameRange;
use flamenco_domain::ids::{JobId, TaskId};
use flamenco_domain::limits;
use flamenco_domain::task::{RequestDenied, TaskStatus, on_request};
use flamenco_store::frames::{self, HeldFrames};
use flamenco_store::{Tx, blocklist, tasks};

use crate::error::{Error, Result};
use crate::farm::changes::change_task;
use crate::farm::{Farm, LogLine, jobs};

/// Frames that are asked for at once.
const MOST: u64 = 100_000;

/// What became of a wish.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requeued {
    /// Frames that will be rendered again.
    pub frames: FrameRange,
    /// The tasks that will do it.
    pub tasks: Vec<TaskId>,
    /// Frames that will not, and why.
    pub left_alone: Vec<LeftAlone>,
}

/// Frames that were not requeued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftAlone {
    /// The frames.
    pub frames: FrameRange,
    /// Why not.
    pub reason: String,
}

/// What one task does about a wish.
enum Outcome {
    Renders { job: JobId, keys: Vec<i64>, lines: Vec<LogLine> },
    Leaves(String),
}

impl Farm {
    /// Queues the tasks that hold some frames again, for these frames only.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the frames make no sense, [`Error::NotFound`], [`Error::NothingToRender`] when none of
    /// them can be rendered again.
    pub async fn requeue_frames(&self, job: JobId, wanted: &str, reason: &str) -> Result<Requeued> {
        let wanted = FrameRange::parse(wanted).map_err(|error| Error::Invalid(format!("frames: {error}")))?;
        if wanted.count() > MOST {
            let count = wanted.count();
            return Err(Error::Invalid(format!(
                "frames: these are {count} frames, and at most {MOST} can be asked for at once; ask for them in parts"
            )));
        }
        self.job(job).await?;
        let held = frames::tasks_holding(self.store.read(), job, &wanted).await?;
        let mut done = Requeued::default();
        let mut left = wanted.clone();
        for task in held {
            let mine = match task.frames.is_empty() {
                // It has rendered some of them, and does not say which it would render again.
                true => left.clone(),
                false => task.frames.intersection(&wanted),
            };
            if mine.is_empty() {
                continue;
            }
            left = left.minus(&mine);
            match self.requeue_in_task(task.clone(), mine.clone(), reason).await? {
                Outcome::Renders { job, keys, lines } => {
                    self.frame_changes.note(job, keys);
                    self.write_lines(lines).await;
                    done.frames = done.frames.union(&mine);
                    done.tasks.push(task.task);
                }
                Outcome::Leaves(reason) => done.left_alone.push(LeftAlone { frames: mine, reason }),
            }
        }
        if !left.is_empty() {
            let reason = "no task of this job renders this frame".to_owned();
            done.left_alone.push(LeftAlone { frames: left, reason });
        }
        if done.tasks.is_empty() {
            let reasons: Vec<String> = done
                .left_alone
                .iter()
                .take(3)
                .map(|left| format!("{}: {}", left.frames, left.reason))
                .collect();
            return Err(Error::NothingToRender(reasons.join("; ")));
        }
        Ok(done)
    }

    async fn requeue_in_task(&self, held: HeldFrames, mine: FrameRange, reason: &str) -> Result<Outcome> {
        let now = self.now();
        let reason = match reason.trim() {
            "" => format!("frames {mine} are to be rendered again"),
            text => format!("frames {mine} are to be rendered again: {text}"),
        };
        let reason = limits::shortened(&reason, limits::ACTIVITY);
        self.store
            .write(move |tx| {
                let (held, mine, reason) = (held.clone(), mine.clone(), reason.clone());
                Box::pin(async move { requeue(tx, &held, &mine, &reason, now).await })
            })
            .await
    }
}

async fn requeue(
    tx: &Tx,
    held: &HeldFrames,
    mine: &FrameRange,
    reason: &str,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Outcome> {
    let leaves = |text: String| Ok(Outcome::Leaves(text));
    let name = &held.name;
    if held.frames.is_empty() {
        return leaves(format!(
            "the command of task {name} does not say which frames it renders; requeue the whole task"
        ));
    }
    let Some(mut task) = tasks::lock(tx, held.task).await? else {
        return leaves(format!("task {name} is gone"));
    };
    let mut job = jobs::lock(tx, task.job_id).await?;
    if job.delete_requested.is_some() {
        return Err(RequestDenied::JobDeleted.into());
    }
    match task.status {
        TaskStatus::Active => {
            return leaves(format!("task {name} is running; ask again when it has ended"));
        }
        TaskStatus::Queued | TaskStatus::SoftFailed | TaskStatus::Paused if held.only.is_empty() => {
            return leaves(format!("task {name} waits to run, and renders this frame then"));
        }
        _ => {}
    }
    let also = match task.status {
        TaskStatus::Completed => FrameRange::default(),
        // It renders what it was asked for before as well.
        TaskStatus::Queued | TaskStatus::SoftFailed | TaskStatus::Paused => held.only.clone(),
        _ => held.only.union(&frames::not_done(tx, task.seq, &held.frames).await?),
    };
    let only = mine.union(&also);
    let waits = matches!(task.status, TaskStatus::Queued | TaskStatus::SoftFailed | TaskStatus::Paused);
    let mut lines = Vec::new();
    if !waits {
        match on_request(task.status, task.unmet_dependencies, job.status, TaskStatus::Queued) {
            Err(denied) => return leaves(denied.to_string()),
            Ok(None) => {}
            Ok(Some(to)) => {
                blocklist::forget_task(tx, task.seq).await?;
                task.last_touched = None;
                task.activity = reason.to_owned();
                lines = change_task(tx, &mut job, &mut task, to, reason, now).await?;
            }
        }
    }
    // After the change of the status, which may be one of the whole job.
    frames::set_only(tx, task.seq, &only).await?;
    let keys = frames::mark_stale(tx, task.seq, mine, now).await?;
    tx.announce(Event::WorkAvailable);
    Ok(Outcome::Renders { job: job.id, keys, lines })
}
