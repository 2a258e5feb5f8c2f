//! Jobs that go as they should, and one that is stopped on purpose.

use std::time::Duration;

use flamenco_client::api::types::{
    FrameRequeue, JobFrameState, JobStatus, TaskStatus, WorkerDisableTime, WorkerEnabledChange, WorkerStatus,
};
use serde_json::json;

use crate::farm::{Farm, RENDER, START};
use crate::processes::{until, until_unused, using};
use crate::scene::{self, DEMO, SLOW};

#[tokio::test]
async fn the_demo_job_makes_every_frame_and_the_video() {
    let _turn = scene::turn().await;
    let farm = Farm::new("");
    let _manager = farm.start_manager().await;
    let _worker = farm.start_worker("worker").await;

    let rendering = farm.submit_render(&DEMO, 24, 3).await;
    farm.until_job_is(rendering.id, JobStatus::Completed, RENDER).await;

    scene::check_frames(&rendering.directory, 24, DEMO.size);
    assert_eq!(scene::probe(&rendering.directory.join("scene-1-24.mp4")), (DEMO.size, 24));
    until("the last frame and picture arrive", START, async || {
        let pictures = farm.client.fetch_job_last_rendered_info(rendering.id).await.ok()?;
        let all = farm.frames(rendering.id).await.len() == 24;
        (all && pictures.status().as_u16() == 200).then_some(())
    })
    .await;
    for (frame, number) in farm.frames(rendering.id).await.into_iter().zip(1..) {
        let file = rendering.directory.join(format!("{number:06}.png"));
        assert_eq!((frame.frame, Some(frame.path.as_str())), (number, file.to_str()));
        assert_eq!((frame.state, frame.attempt), (JobFrameState::Ok, 1), "{frame:?}");
        let size = DEMO.size;
        assert_eq!(
            (frame.width, frame.height),
            (Some(i64::from(size.0)), Some(i64::from(size.1))),
            "{frame:?}"
        );
        assert_eq!(
            frame.file_size,
            Some(i64::try_from(file.metadata().unwrap().len()).unwrap()),
            "{frame:?}"
        );
        assert!(
            frame.render_ms.is_some() && frame.save_ms.is_some() && frame.peak_memory > Some(0),
            "{frame:?}"
        );
    }
    let tasks = farm.tasks(rendering.id).await;
    let names: Vec<_> = tasks.iter().map(|task| task.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "render-1-3",
            "render-4-6",
            "render-7-9",
            "render-10-12",
            "render-13-15",
            "render-16-18",
            "render-19-21",
            "render-22-24",
            "preview-video"
        ]
    );
    for task in tasks {
        assert_eq!(task.status, TaskStatus::Completed, "{}", task.name);
        assert_eq!(task.steps_completed, task.steps_total, "{}", task.name);
        if task.task_type == "blender" {
            assert_eq!(farm.task_log(rendering.id, task.id).matches("Saved: '").count(), 3, "{}", task.name);
        }
    }
}

#[tokio::test]
async fn one_frame_is_rendered_again_and_the_others_are_kept() {
    let _turn = scene::turn().await;
    let farm = Farm::new("");
    let _manager = farm.start_manager().await;
    let _worker = farm.start_worker("worker").await;
    let rendering = farm.submit_render(&DEMO, 4, 4).await;
    farm.until_job_is(rendering.id, JobStatus::Completed, RENDER).await;
    let all_shown = async |attempt: i64| {
        until("every frame has a thumbnail", START, async || {
            let frames = farm.frames(rendering.id).await;
            let shown = frames.iter().filter(|frame| frame.thumbnail.is_some()).count();
            let newest = frames.iter().map(|frame| frame.attempt).max();
            (shown == 4 && newest == Some(attempt)).then_some(frames)
        })
        .await
    };
    let before = all_shown(1).await;
    let written = || -> Vec<_> {
        let file = |number| rendering.directory.join(format!("{number:06}.png"));
        (1..=4).map(|number| file(number).metadata().unwrap().modified().unwrap()).collect()
    };
    let times = written();

    let wish = FrameRequeue { frames: "3".to_owned(), reason: None };
    let answer = farm.client.requeue_job_frames(rendering.id, &wish).await.unwrap();
    assert_eq!(answer.status().as_u16(), 200, "{answer:?}");
    farm.until_job_is(rendering.id, JobStatus::Completed, RENDER).await;
    let after = all_shown(2).await;
    let changed: Vec<bool> = written().iter().zip(&times).map(|(now, then)| now != then).collect();
    assert_eq!(changed, [false, false, true, false], "only frame 3 was written anew");
    let attempts: Vec<i64> = after.iter().map(|frame| frame.attempt).collect();
    assert_eq!(attempts, [1, 1, 2, 1]);
    assert_eq!(after[0].thumbnail, before[0].thumbnail);
    let small = &after[2].thumbnail.as_ref().unwrap().small;
    let name = small.rsplit('/').next().unwrap();
    let job = rendering.id.to_string();
    let folder = farm.path("manager/flamenco-manager-storage").join(format!("job-{}", &job[..4])).join(job);
    assert!(folder.join(name).metadata().unwrap().len() > 0);
}

#[tokio::test]
async fn a_canceled_render_leaves_no_blender_and_the_worker_goes_on() {
    let _turn = scene::turn().await;
    let farm = Farm::new("");
    let _manager = farm.start_manager().await;
    let _worker = farm.start_worker("worker").await;

    let rendering = farm.submit_render(&SLOW, 200, 200).await;
    farm.until_rendering(&rendering, 1).await;
    assert_eq!(using(&rendering.blendfile).len(), 1, "Blender runs");
    farm.set_job_status(rendering.id, JobStatus::CancelRequested).await;

    until_unused(&rendering.blendfile, START).await;
    farm.until_job_is(rendering.id, JobStatus::Canceled, START).await;
    assert!(farm.statuses(rendering.id).await.values().all(|status| *status == TaskStatus::Canceled));

    let next = farm
        .submit(json!({
            "name": "after the cancellation", "type": "echo-sleep-test", "submitter_platform": "linux",
            "settings": { "message": "on we go", "sleep_duration_seconds": 0, "sleep_repeats": 1 },
        }))
        .await;
    farm.until_job_is(next.id, JobStatus::Completed, START).await;
    assert_eq!(farm.job_status(rendering.id).await, Some(JobStatus::Canceled));
}

#[tokio::test]
async fn a_worker_that_is_disabled_stops_its_render_and_waits_until_it_is_enabled() {
    let _turn = scene::turn().await;
    let farm = Farm::new("");
    let _manager = farm.start_manager().await;
    let _worker = farm.start_worker("worker").await;
    let rendering = farm.submit_render(&SLOW, 200, 200).await;
    let task = farm.until_rendering(&rendering, 1).await;
    let worker = farm.worker("worker").await.unwrap().id;
    let switch = async |enabled: bool| {
        let change = WorkerEnabledChange {
            enabled,
            reason: Some("its fan is noisy".to_owned()),
            when: Some(WorkerDisableTime::Now),
        };
        let answer = farm.client.set_worker_enabled(worker, &change).await.unwrap();
        assert!(answer.problem().is_none());
    };
    switch(false).await;
    until_unused(&rendering.blendfile, START).await;
    assert_eq!(farm.statuses(rendering.id).await[&task.name], TaskStatus::Queued);
    let idle = farm.worker("worker").await.unwrap();
    assert_eq!((idle.status, idle.enabled), (WorkerStatus::Awake, Some(false)));
    farm.set_job_status(rendering.id, JobStatus::CancelRequested).await;
    let next = farm
        .submit(json!({
            "name": "for later", "type": "echo-sleep-test", "submitter_platform": "linux",
            "settings": { "message": "on we go", "sleep_duration_seconds": 0, "sleep_repeats": 1 },
        }))
        .await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(farm.statuses(next.id).await.values().all(|status| *status == TaskStatus::Queued));
    switch(true).await;
    farm.until_job_is(next.id, JobStatus::Completed, START).await;
}
