//! `kill -9` in the middle of a job: nothing that was done is lost, and the job completes.

use std::collections::BTreeMap;

use flamenco_client::api::types::{JobStatus, TaskStatus, WorkerStatus};
use nix::sys::signal::Signal;

use crate::farm::{Farm, RENDER, Rendering, START, STOP};
use crate::processes::{Process, until, until_unused, using};
use crate::scene::{self, SLOW};

const FRAMES: usize = 8;
const FRAMES_PER_TASK: usize = 4;

/// Waits for the end of the job, and checks its frames, its video, its logs, and the database.
async fn check_complete(farm: &Farm, rendering: &Rendering, manager: Process) {
    farm.until_job_is(rendering.id, JobStatus::Completed, RENDER).await;
    scene::check_frames(&rendering.directory, FRAMES, SLOW.size);
    let video = rendering.directory.join(format!("scene-1-{FRAMES}.mp4"));
    assert_eq!(scene::probe(&video), (SLOW.size, FRAMES));

    let completed = |name: &str| (name.to_owned(), TaskStatus::Completed);
    let expected: BTreeMap<_, _> = ["render-1-4", "render-5-8", "preview-video"].map(completed).into();
    assert_eq!(farm.statuses(rendering.id).await, expected);

    let (status, _) = manager.terminate(STOP).await;
    assert!(status.success(), "{status}");
    farm.check_database().await;
}

/// Every frame is in the log of its task: saved, or found already saved by an earlier run of the task.
async fn check_logs(farm: &Farm, rendering: &Rendering) {
    for task in farm.tasks(rendering.id).await.iter().filter(|task| task.task_type == "blender") {
        let log = farm.task_log(rendering.id, task.id);
        let first: usize = task.name.split('-').nth(1).unwrap().parse().unwrap();
        for frame in first..first + FRAMES_PER_TASK {
            let file = format!("{frame:06}.png");
            let found = log.lines().any(|line| line.contains(&file));
            assert!(found, "the log of {} does not have {file}:\n{log}", task.name);
        }
        assert!(log.contains("Blender quit"), "the log of {} has no end:\n{log}", task.name);
    }
}

#[tokio::test]
async fn the_job_survives_the_manager() {
    let _turn = scene::turn().await;
    let farm = Farm::new("");
    let manager = farm.start_manager().await;
    let worker = farm.start_worker("worker").await;
    let rendering = farm.submit_render(&SLOW, FRAMES, FRAMES_PER_TASK).await;
    farm.until_rendering(&rendering, 1).await;

    manager.kill();
    // Frames are saved and reported while nobody listens.
    until("Blender goes on without a manager", RENDER, async || {
        (scene::whole_frames(&rendering.directory).len() >= 3).then_some(())
    })
    .await;
    let manager = farm.start_manager().await;

    farm.until_job_is(rendering.id, JobStatus::Completed, RENDER).await;
    check_logs(&farm, &rendering).await;
    // The worker rendered each frame once: it was never told to start again.
    for task in farm.tasks(rendering.id).await.iter().filter(|task| task.task_type == "blender") {
        let log = farm.task_log(rendering.id, task.id);
        assert_eq!(log.matches("Saved: '").count(), FRAMES_PER_TASK, "{}:\n{log}", task.name);
    }
    let (status, _) = worker.terminate(STOP).await;
    assert!(status.success(), "{status}");
    check_complete(&farm, &rendering, manager).await;
}

#[tokio::test]
async fn another_worker_completes_the_job_of_a_killed_one() {
    let _turn = scene::turn().await;
    let farm = Farm::new("worker_timeout: 6s");
    let manager = farm.start_manager().await;
    let victim = farm.start_worker("victim").await;
    let rendering = farm.submit_render(&SLOW, FRAMES, FRAMES_PER_TASK).await;
    let task = farm.until_rendering(&rendering, 1).await;
    assert_eq!(task.worker.map(|worker| worker.name).as_deref(), Some("victim"));

    victim.kill();
    until_unused(&rendering.blendfile, START).await;
    let _heir = farm.start_worker("heir").await;
    farm.until_job_is(rendering.id, JobStatus::Completed, RENDER).await;
    assert_eq!(farm.worker("victim").await.unwrap().status, WorkerStatus::Error);
    for task in farm.tasks(rendering.id).await {
        assert_eq!(task.worker.map(|worker| worker.name).as_deref(), Some("heir"), "{}", task.name);
    }
    check_complete(&farm, &rendering, manager).await;
}

#[tokio::test]
async fn the_job_survives_both_programs() {
    let _turn = scene::turn().await;
    let farm = Farm::new("");
    let manager = farm.start_manager().await;
    let worker = farm.start_worker("worker").await;
    let rendering = farm.submit_render(&SLOW, FRAMES, FRAMES_PER_TASK).await;
    farm.until_rendering(&rendering, 1).await;

    manager.kill();
    worker.kill();
    until_unused(&rendering.blendfile, START).await;

    let manager = farm.start_manager().await;
    let worker = farm.start_worker("worker").await;
    farm.until_job_is(rendering.id, JobStatus::Completed, RENDER).await;
    check_logs(&farm, &rendering).await;
    let (status, _) = worker.terminate(STOP).await;
    assert!(status.success(), "{status}");
    check_complete(&farm, &rendering, manager).await;
}

/// As after the sleep of a laptop, when the manager has given everything up that this worker had.
#[tokio::test]
async fn a_worker_that_was_frozen_for_long_goes_on_by_itself() {
    let _turn = scene::turn().await;
    let farm = Farm::new("worker_timeout: 6s");
    let _manager = farm.start_manager().await;
    let worker = farm.start_worker("worker").await;
    let rendering = farm.submit_render(&SLOW, 200, 200).await;
    let task = farm.until_rendering(&rendering, 1).await;
    worker.signal(Signal::SIGSTOP);
    until("the worker is given up", START, async || {
        let status = farm.worker("worker").await?.status;
        let given_back = farm.statuses(rendering.id).await[&task.name] == TaskStatus::Queued;
        (status == WorkerStatus::Error && given_back).then_some(())
    })
    .await;
    worker.signal(Signal::SIGCONT);
    until("the worker has the task again", RENDER, async || {
        let status = farm.worker("worker").await?.status;
        let active = farm.statuses(rendering.id).await[&task.name] == TaskStatus::Active;
        (status == WorkerStatus::Awake && active).then_some(())
    })
    .await;
    until("only the new Blender runs", START, async || {
        (using(&rendering.blendfile).len() == 1).then_some(())
    })
    .await;
    let log = worker.log();
    assert_eq!(log.matches("registered").count(), 1, "{log}");
    assert!(worker.terminate(STOP).await.0.success());
}
