//! Prints what a job does: frames as they land, and every change of its tasks.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use flamenco_client::Client;
use flamenco_client::api::operations::{FetchJobResponse, FetchJobTasksResponse};
use flamenco_client::api::types::{JobStatus, TaskStatus, TaskSummary};
use uuid::Uuid;

use super::refusal;

const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Somebody who watches a job.
pub struct Watch {
    client: Client,
    job: Uuid,
    /// Where the frames land.
    directory: PathBuf,
    start: Instant,
    frames: usize,
    tasks: HashMap<Uuid, TaskStatus>,
}

impl Watch {
    /// Nothing is read yet. `start` is when the clock of the printed lines began.
    pub fn new(client: Client, job: Uuid, directory: PathBuf, start: Instant) -> Self {
        Self { client, job, directory, start, frames: 0, tasks: HashMap::new() }
    }

    /// Prints until the job is completed.
    ///
    /// # Errors
    /// When the job ends in any other way, or the manager does not answer.
    pub async fn until_done(&mut self) -> Result<()> {
        loop {
            // Before the rest, so that what led to its end is seen as well.
            let status = self.job_status().await?;
            for change in changes(&mut self.tasks, &tasks_of(&self.client, self.job).await?) {
                self.print(&change);
            }
            self.print_frames();
            match status {
                JobStatus::Completed => return Ok(()),
                JobStatus::Failed | JobStatus::Canceled | JobStatus::Paused => bail!("the job is {status}"),
                _ => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    async fn job_status(&self) -> Result<JobStatus> {
        match self.client.fetch_job(self.job).await? {
            FetchJobResponse::Status200(job) => Ok(job.status),
            other => bail!("cannot read the job: {}", refusal(other.problem())),
        }
    }

    /// Frames come in the order of their numbers, as there is one worker.
    fn print_frames(&mut self) {
        let frames = frames_in(&self.directory);
        for path in frames.iter().skip(self.frames) {
            let name = path.file_name().unwrap_or_default().display();
            self.print(&format!("  frame {name}"));
        }
        self.frames = self.frames.max(frames.len());
    }

    fn print(&self, text: &str) {
        println!("{:5.1} s  {text}", self.start.elapsed().as_secs_f64());
    }
}

/// Describes the tasks that are not as they were, and remembers them as they are. Of those that are new, only what
/// waits for nothing is worth a line.
fn changes(known: &mut HashMap<Uuid, TaskStatus>, tasks: &[TaskSummary]) -> Vec<String> {
    let mut found = Vec::new();
    for task in tasks {
        let before = known.insert(task.id, task.status).unwrap_or(TaskStatus::Queued);
        if before != task.status {
            found.push(format!("{}: {}", task.name, task.status));
        }
    }
    found
}

/// The tasks of a job, in their order.
pub async fn tasks_of(client: &Client, job: Uuid) -> Result<Vec<TaskSummary>> {
    match client.fetch_job_tasks(job, &Default::default()).await? {
        FetchJobTasksResponse::Status200(summary) => Ok(summary.tasks),
        other => bail!("cannot read the tasks of the job: {}", refusal(other.problem())),
    }
}

/// The rendered frames in a directory, in order. None while there is no such directory.
pub fn frames_in(directory: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(directory) else { return Vec::new() };
    let paths = entries.flatten().map(|entry| entry.path());
    let mut frames: Vec<_> = paths.filter(|path| is_frame(path)).collect();
    frames.sort();
    frames
}

/// Named by its number alone; what is being written has another name for a moment.
fn is_frame(path: &Path) -> bool {
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
    path.extension().is_some_and(|extension| extension == "png")
        && !stem.is_empty()
        && stem.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task(id: u128, status: TaskStatus) -> TaskSummary {
        TaskSummary {
            id: Uuid::from_u128(id),
            index_in_job: 1,
            name: format!("task {id}"),
            priority: 50,
            status,
            steps_completed: 0,
            steps_total: 0,
            task_type: "blender".to_owned(),
            updated: "2026-01-01T00:00:00Z".parse().unwrap(),
            started: None,
            ended: None,
            worker: None,
        }
    }

    #[test]
    fn each_change_is_told_once() {
        let mut known = HashMap::new();
        let mut told = |tasks: &[TaskSummary]| changes(&mut known, tasks);
        assert!(told(&[task(1, TaskStatus::Queued), task(2, TaskStatus::Queued)]).is_empty());
        let active = [task(1, TaskStatus::Active), task(2, TaskStatus::Queued)];
        assert_eq!(told(&active), ["task 1: active"]);
        assert!(told(&active).is_empty());
        let next = [task(1, TaskStatus::Completed), task(2, TaskStatus::Active), task(3, TaskStatus::Failed)];
        assert_eq!(told(&next), ["task 1: completed", "task 2: active", "task 3: failed"]);
    }

    #[test]
    fn frames_are_files_named_by_their_number() {
        let folder = tempfile::tempdir().unwrap();
        for name in
            ["000010.png", "000002.png", "000003.png~", "000004.jpg", "demo-1-24.mp4", "x.png", ".png"]
        {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let names: Vec<_> =
            frames_in(folder.path()).into_iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(names, ["000002.png", "000010.png"]);
        assert!(frames_in(&folder.path().join("missing")).is_empty());
    }
}
