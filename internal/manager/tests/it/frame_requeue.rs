//! Rendering some frames again.

use flamenco_testkit::{Builder, FakeWorker, TestManager};
use serde_json::{Value, json};

use crate::frame_pictures::{frame, list, report};

on_each_database!(
    only_the_frames_that_are_asked_for_are_rendered_again,
    a_task_that_failed_also_renders_what_it_still_owes,
    what_cannot_be_rendered_again_is_left_alone_with_a_reason,
    the_whole_task_can_still_be_requeued,
    wishes_that_are_refused,
);

const EARLY: &str = "2026-01-02T03:00:00Z";
const LATE: &str = "2026-01-02T03:30:00Z";

/// A plan with a task for each range of frames.
pub fn render_job(ranges: &[&str]) -> Value {
    ranges
        .iter()
        .map(|range| {
            let args = json!(["--render-output", "/out/######", "--render-frame", range]);
            let command = json!({ "name": "blender-render", "parameters": { "args": args }, "steps": 4 });
            json!({ "name": format!("render-{range}"), "commands": [command] })
        })
        .collect()
}

async fn requeue(farm: &TestManager, job: &str, frames: &str) -> Value {
    let path = format!("/api/v3/jobs/{job}/frames/requeue");
    farm.post(&path, &json!({ "frames": frames, "reason": "wrong hat" })).await.expect(200).json()
}

/// The arguments of the one command of the worker's next task, and how many steps it has.
async fn next_command(worker: &FakeWorker) -> (String, Vec<String>, i64) {
    let task = worker.take().await;
    let command = &task.commands[0];
    let args = command.parameters["args"].as_array().unwrap();
    let args = args.iter().map(|arg| arg.as_str().unwrap().to_owned()).collect();
    (task.uuid.to_string(), args, command.total_step_count)
}

/// Renders the next task whole.
async fn render(farm: &TestManager, worker: &FakeWorker, numbers: std::ops::RangeInclusive<i64>) -> String {
    let task = worker.take().await;
    let frames: Value = numbers.map(|number| frame(number, "ok", EARLY)).collect();
    report(farm, worker, &task.uuid.to_string(), frames).await;
    worker.complete(&task).await;
    task.uuid.to_string()
}

async fn states(farm: &TestManager, job: &str) -> String {
    let grid = farm.get(&format!("/api/v3/jobs/{job}/frames/grid")).await.expect(200).json();
    let places = grid["places"].as_array().unwrap().iter();
    places.map(|place| place["state"].as_str().unwrap()).collect::<Vec<_>>().join(" ")
}

async fn only_the_frames_that_are_asked_for_are_rendered_again(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", render_job(&["1..4", "5..8"])).await;
    let worker = farm.worker("w").await;
    assert_eq!(states(&farm, &job).await, ["expected"; 8].join(" "));
    let first = render(&farm, &worker, 1..=4).await;
    let second = render(&farm, &worker, 5..=8).await;
    assert_eq!(farm.job_status(&job).await, "completed");

    let done = requeue(&farm, &job, "2-3,8,40").await;
    assert_eq!(done["frames"], json!([2, 3, 8]));
    assert_eq!(done["tasks"], json!([first, second]));
    assert_eq!(
        done["left_alone"],
        json!([{ "frame": 40, "reason": "no task of this job renders this frame" }])
    );
    assert_eq!(farm.task_statuses(&job).await, "queued queued");
    assert_eq!(states(&farm, &job).await, "ok expected expected ok ok ok ok expected");
    // Asked for once more before it began: both wishes count.
    assert_eq!(requeue(&farm, &job, "4").await["frames"], json!([4]));

    let (task, args, steps) = next_command(&worker).await;
    assert_eq!((task, steps), (first.clone(), 3));
    assert_eq!(args[..2], ["--render-output", "/out/######"]);
    assert_eq!(args[4..], ["--render-frame", "2..4"]);
    assert!(args[2] == "--python-expr" && args[3].contains("use_overwrite"), "{args:?}");
    assert_eq!(states(&farm, &job).await, "ok rendering rendering rendering ok ok ok expected");
    report(&farm, &worker, &first, json!([frame(2, "ok", LATE), frame(3, "ok", LATE)])).await;
    assert_eq!(states(&farm, &job).await, "ok ok ok rendering ok ok ok expected");
    let attempts: Vec<i64> =
        list(&farm, &job, "").await.iter().map(|frame| frame["attempt"].as_i64().unwrap()).collect();
    assert_eq!(attempts, [1, 2, 2, 1, 1, 1, 1, 1]);
    let details = farm.get(&format!("/api/v3/jobs/{job}/frames/2")).await.expect(200).json();
    let history: Vec<_> = details["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| (attempt["attempt"].as_i64().unwrap(), attempt["rendered_at"].clone()))
        .collect();
    assert_eq!(history, [(2, json!(LATE)), (1, json!(EARLY))]);
    assert_eq!(worker.report_task(first.parse().unwrap(), "completed").await, 204);
    let (_, args, _) = next_command(&worker).await;
    assert_eq!(args[4..], ["--render-frame", "8"]);
    assert_eq!(worker.report_task(second.parse().unwrap(), "completed").await, 204);
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn a_task_that_failed_also_renders_what_it_still_owes(farm: Builder) {
    let farm = farm.with_yaml("task_fail_after_softfail_count: 0\nblocklist_threshold: 0\n").start().await;
    let job = farm.submit("job", render_job(&["1..4", "5..8", "9", "10", "11"])).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    report(&farm, &worker, &task.uuid.to_string(), json!([frame(1, "ok", EARLY), frame(2, "broken", EARLY)]))
        .await;
    worker.fail(&task).await;
    if farm.task(&task.uuid.to_string()).await["status"] != "failed" {
        farm.stop().await;
        panic!("the task should have failed for good");
    }
    assert_eq!(requeue(&farm, &job, "1").await["frames"], json!([1]));
    let (again, args, _) = next_command(&worker).await;
    assert_eq!(again, task.uuid.to_string());
    assert_eq!(args[4..], ["--render-frame", "1..4"], "2 came out broken, 3 and 4 never");
    farm.stop().await;
}

async fn what_cannot_be_rendered_again_is_left_alone_with_a_reason(farm: Builder) {
    let farm = farm.start().await;
    let tile = json!({ "name": "tile", "commands": [{ "name": "blender-render", "parameters": { "args": ["-P", "x.py"] } }] });
    let mut plan = render_job(&["1", "2", "3"]);
    plan.as_array_mut().unwrap().push(tile);
    let job = farm.submit("job", plan).await;
    let worker = farm.worker("w").await;
    render(&farm, &worker, 1..=1).await;
    let running = worker.take().await;
    let done = requeue(&farm, &job, "1-4").await;
    assert_eq!(done["frames"], json!([1]));
    let reasons: Vec<_> = done["left_alone"]
        .as_array()
        .unwrap()
        .iter()
        .map(|left| (left["frame"].as_i64().unwrap(), left["reason"].as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(reasons.len(), 3, "{reasons:?}");
    for (number, part) in [(2, "is running"), (3, "waits to run"), (4, "no task of this job")] {
        let reason = reasons.iter().find(|(frame, _)| *frame == number);
        assert!(reason.is_some_and(|(_, reason)| reason.contains(part)), "{number}: {reasons:?}");
    }
    worker.complete(&running).await;
    for _ in 0..2 {
        let task = worker.take().await;
        worker.complete(&task).await;
    }
    // The tile has rendered frame 4, but its command does not say so.
    let tile = worker.take().await;
    report(&farm, &worker, &tile.uuid.to_string(), json!([frame(4, "ok", EARLY)])).await;
    worker.complete(&tile).await;
    let path = format!("/api/v3/jobs/{job}/frames/requeue");
    let message = farm.post(&path, &json!({ "frames": "4" })).await.problem(422);
    assert!(message.contains("requeue the whole task"), "{message}");
    assert_eq!(farm.job_status(&job).await, "completed");
    farm.stop().await;
}

async fn the_whole_task_can_still_be_requeued(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", render_job(&["1..4"])).await;
    let worker = farm.worker("w").await;
    let task = render(&farm, &worker, 1..=4).await;
    let _ = requeue(&farm, &job, "2").await;
    let (_, args, _) = next_command(&worker).await;
    assert_eq!(args[4..], ["--render-frame", "2"]);
    assert_eq!(worker.report_task(task.parse().unwrap(), "completed").await, 204);
    farm.set_task_status(&task, "queued").await.no_content();
    let (_, args, steps) = next_command(&worker).await;
    assert_eq!((&args[2..], steps), (&["--render-frame".to_owned(), "1..4".to_owned()][..], 4));
    assert_eq!(worker.report_task(task.parse().unwrap(), "completed").await, 204);
    let _ = requeue(&farm, &job, "3").await;
    let _ = next_command(&worker).await;
    assert_eq!(worker.report_task(task.parse().unwrap(), "completed").await, 204);
    farm.set_job_status(&job, "requeueing").await.no_content();
    let (_, args, _) = next_command(&worker).await;
    assert_eq!(args[2..], ["--render-frame", "1..4"]);
    farm.stop().await;
}

async fn wishes_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", render_job(&["1..4"])).await;
    let path = format!("/api/v3/jobs/{job}/frames/requeue");
    for bad in ["", "x", "10-1", "1-200000", "1..."] {
        let message = farm.post(&path, &json!({ "frames": bad })).await.problem(400);
        assert!(message.starts_with("frames: "), "{message}");
    }
    let _ = farm.post(&path, &json!({})).await.problem(400);
    let _ = farm.post(&path, &json!({ "frames": "7" })).await.problem(422);
    let unknown = format!("/api/v3/jobs/{}/frames/requeue", crate::UNKNOWN);
    let _ = farm.post(&unknown, &json!({ "frames": "1" })).await.problem(404);
    assert_eq!(farm.task_statuses(&job).await, "queued");
    farm.stop().await;
}
