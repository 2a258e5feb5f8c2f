//! Logs of tasks, and the files of jobs.

use std::io::Read;

use flamenco_testkit::api::types::{LogPosition, TaskUpdate};
use flamenco_testkit::{Builder, Method, TestManager};
use serde_json::json;
use uuid::Uuid;

use crate::tasks;

on_each_database!(
    a_log_is_kept_in_order,
    the_tail_is_cut_at_the_start_of_a_line,
    a_log_can_be_read_in_parts,
    nothing_but_files_of_jobs_is_served,
    a_task_that_is_queued_again_begins_a_new_log,
    a_task_that_goes_on_keeps_its_log,
    a_piece_that_comes_twice_is_stored_once,
    a_piece_that_comes_again_after_a_restart_is_known,
    bad_places_are_refused,
);

/// An update with a piece of log and its place.
fn piece(text: &str, stream: u128, offset: i64) -> TaskUpdate {
    let log_position = Some(LogPosition { stream: Uuid::from_u128(stream), offset });
    TaskUpdate { log: Some(text.to_owned()), log_position, ..TaskUpdate::default() }
}

/// The lines of a log that are not the manager's own.
async fn told(farm: &TestManager, task: Uuid) -> Vec<String> {
    let text = farm.get(&format!("/api/v3/tasks/{task}/logtail")).await.text();
    text.lines().filter(|line| !line.starts_with("2026-")).map(str::to_owned).collect()
}

async fn a_piece_that_comes_twice_is_stored_once(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("job", tasks(2)).await;
    let (worker, other) = (farm.worker("w").await, farm.worker("other").await);
    let task = worker.take().await;
    let first = piece("one\ntwo\n", 1, 0);
    for update in [&first, &first, &piece("one\ntwo\nthree\n", 1, 0), &piece("two\nthree\n", 1, 4)] {
        assert_eq!(worker.report(task.uuid, update).await, 204);
    }
    assert_eq!(told(&farm, task.uuid).await, ["one", "two", "three"]);
    // The rest of an update is not held up by a text that is there already.
    let late = TaskUpdate { activity: Some("rendering".to_owned()), ..first.clone() };
    assert_eq!(worker.report(task.uuid, &late).await, 204);
    let found = farm.get(&format!("/api/v3/tasks/{}", task.uuid)).await.expect(200).json();
    assert_eq!(found["activity"], "rendering");
    for update in [piece("after a gap\n", 1, 100), piece("from the start\n", 2, 0)] {
        assert_eq!(worker.report(task.uuid, &update).await, 204);
    }
    // As a stock worker says it.
    assert_eq!(worker.log(task.uuid, "plain").await, 204);
    assert_eq!(worker.log(task.uuid, "plain").await, 204);
    let all = ["one", "two", "three", "after a gap", "from the start", "plain", "plain"];
    assert_eq!(told(&farm, task.uuid).await, all);
    // Another worker's numbers are its own.
    let others = other.take().await;
    assert_eq!(other.report(others.uuid, &piece("from the start\n", 2, 0)).await, 204);
    assert_eq!(told(&farm, others.uuid).await, ["from the start"]);
    farm.stop().await;
}

async fn a_piece_that_comes_again_after_a_restart_is_known(farm: Builder) {
    let mut farm = farm.start().await;
    farm.submit("job", tasks(1)).await;
    let mut worker = farm.worker("w").await;
    let task = worker.take().await;
    let mut expected = Vec::new();
    for (number, end) in ["stopped", "killed", "stopped", "killed"].into_iter().enumerate() {
        let (line, before) = (format!("before it is {end}"), i64::try_from(expected.len()).unwrap() * 100);
        let update = piece(&format!("{line}\n"), 1, before);
        assert_eq!(worker.report(task.uuid, &update).await, 204);
        expected.push(line);
        if end == "killed" {
            farm.kill();
        } else {
            farm.stop_running().await;
        }
        farm.start_again().await;
        worker = worker.reconnected(&farm);
        assert_eq!(worker.report(task.uuid, &update).await, 204);
        assert_eq!(told(&farm, task.uuid).await, expected, "{number}: {end}");
    }
    farm.stop().await;
}

async fn bad_places_are_refused(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    assert_eq!(worker.report(task.uuid, &piece("text", 1, -1)).await, 400);
    let stream = Uuid::from_u128(1);
    for (position, mentions) in [
        (json!({ "stream": stream, "offset": -1 }), "offset"),
        (json!({ "stream": stream, "offset": "0" }), "log_position"),
        (json!({ "stream": stream, "offset": 0.5 }), "log_position"),
        (json!({ "stream": "mine", "offset": 0 }), "log_position"),
        (json!({ "stream": stream }), "offset"),
        (json!({ "offset": 0 }), "stream"),
        (json!(7), "log_position"),
    ] {
        let update = json!({ "log": "text", "activity": "changed", "log_position": position });
        let request = farm.request(Method::POST, &format!("/api/v3/worker/task/{}", task.uuid));
        let message = request.as_worker(&worker).json(&update).send().await.problem(400);
        assert!(message.contains(mentions), "{position}: {message}");
    }
    assert_eq!(told(&farm, task.uuid).await, Vec::<String>::new());
    let found = farm.get(&format!("/api/v3/tasks/{}", task.uuid)).await.expect(200).json();
    assert_eq!(found["activity"], "Assigned to worker w");
    farm.stop().await;
}

/// The current log and the run before it, compressed or not yet.
async fn both_runs(farm: &TestManager, job: &str, task: &str) -> (String, Option<String>) {
    let current = farm.get(&format!("/api/v3/tasks/{task}/logtail")).await.text();
    let folder = farm.local_storage().join(format!("job-{}", &job[..4])).join(job);
    let plain = std::fs::read_to_string(folder.join(format!("task-{task}.txt.1"))).ok();
    let earlier = plain.or_else(|| {
        let packed = std::fs::File::open(folder.join(format!("task-{task}.txt.1.gz"))).ok()?;
        let mut text = String::new();
        flate2::read::GzDecoder::new(packed).read_to_string(&mut text).unwrap();
        Some(text)
    });
    (current, earlier)
}

async fn a_task_that_is_queued_again_begins_a_new_log(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(2)).await;
    let ids = farm.task_ids(&job).await;
    let worker = farm.worker("w").await;
    for _ in 0..2 {
        let task = worker.take().await;
        assert_eq!(worker.log(task.uuid, &format!("first run of {}", task.name)).await, 204);
        worker.complete(&task).await;
    }
    // One task alone, then all of the job.
    let again = serde_json::json!({ "status": "queued", "reason": "wrong colour" });
    farm.post(&format!("/api/v3/tasks/{}/setstatus", ids[0]), &again).await.no_content();
    let (current, earlier) = both_runs(&farm, &job, &ids[0]).await;
    assert!(current.contains("first run of task-1"), "until it starts, the last run is shown: {current}");
    assert_eq!(earlier, None);
    let task = worker.take().await;
    assert_eq!(worker.log(task.uuid, "second run").await, 204);
    let (current, earlier) = both_runs(&farm, &job, &ids[0]).await;
    assert!(current.contains("second run") && !current.contains("first run"), "{current}");
    assert!(current.lines().next().unwrap().contains("assigned to worker w"), "{current}");
    let earlier = earlier.unwrap();
    assert!(earlier.contains("first run") && !earlier.contains("second"), "{earlier}");
    worker.complete(&task).await;
    assert_eq!(both_runs(&farm, &job, &ids[1]).await.1, None, "the other task was not queued again");

    let again = serde_json::json!({ "status": "requeueing", "reason": "all of it" });
    farm.post(&format!("/api/v3/jobs/{job}/setstatus"), &again).await.no_content();
    let task = worker.take().await;
    assert_eq!(task.name, "task-1");
    let (current, earlier) = both_runs(&farm, &job, &ids[0]).await;
    assert!(!current.contains("second run") && earlier.unwrap().contains("second run"), "{current}");
    farm.stop().await;
}

async fn a_task_that_goes_on_keeps_its_log(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let id = farm.task_ids(&job).await[0].clone();
    let (first, second) = (farm.worker("first").await, farm.worker("second").await);
    let task = first.take().await;
    assert_eq!(first.log(task.uuid, "half done").await, 204);
    first.sign_off().await;
    let task = second.take().await;
    assert_eq!(second.log(task.uuid, "failing").await, 204);
    second.fail(&task).await;
    first.wake_up().await;
    let _ = first.take().await;
    let (current, earlier) = both_runs(&farm, &job, &id).await;
    assert!(current.contains("half done") && current.contains("failing"), "{current}");
    assert_eq!(earlier, None);
    farm.stop().await;
}

async fn a_log_is_kept_in_order(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let id = farm.task_ids(&job).await[0].clone();
    let tail = async || farm.get(&format!("/api/v3/tasks/{id}/logtail")).await;
    assert_eq!(tail().await.expect(204).text(), "", "there is no log yet");
    let _ = farm.get(&format!("/api/v3/tasks/{id}/log")).await.expect(204);

    let worker = farm.worker("w").await;
    let task = worker.take().await;
    for text in ["first", "second\n", "third ✂"] {
        assert_eq!(worker.log(task.uuid, text).await, 204);
    }
    assert_eq!(worker.log(task.uuid, "").await, 204);
    worker.complete(&task).await;
    let reply = tail().await.expect(200);
    assert!(reply.header("content-type").starts_with("text/plain"));
    let text = reply.text();
    let lines: Vec<&str> = text.lines().collect();
    let time = "2026-01-02T03:04:05Z ";
    assert!(lines[0].starts_with(time) && lines[0].contains(&format!("w ({})", worker.id)), "{text}");
    assert!(lines[1].starts_with(time) && lines[1].contains("queued -> active"), "{text}");
    assert_eq!(lines[2..5], ["first", "second", "third ✂"]);
    assert!(lines[5].starts_with(time) && lines[5].contains("active -> completed"), "{text}");
    assert_eq!(lines.len(), 6, "{text}");

    let info = farm.get(&format!("/api/v3/tasks/{id}/log")).await.expect(200).json();
    assert_eq!((&info["task_id"], &info["job_id"]), (&id.clone().into(), &job.clone().into()));
    assert_eq!(info["size"], text.len());
    assert_eq!(info["url"], format!("/job-files/job-{}/{job}/task-{id}.txt", &job[..4]));
    assert_eq!(farm.get(info["url"].as_str().unwrap()).await.expect(200).text(), text);
    farm.stop().await;
}

async fn the_tail_is_cut_at_the_start_of_a_line(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let line = "äöü ".repeat(12);
    let many = (0..300).map(|n| format!("{n:04} {line}\n")).collect::<String>();
    assert_eq!(worker.log(task.uuid, &many).await, 204);
    let path = format!("/api/v3/tasks/{}/logtail", task.uuid);
    let tail = farm.get(&path).await.expect(200).text();
    assert!(tail.len() <= 2048 && tail.len() > 1900, "{}", tail.len());
    assert!(tail.ends_with(&format!("0299 {line}\n")));
    assert!(tail.lines().all(|text| text[4..].trim() == line.trim()), "only whole lines: {tail}");
    assert_eq!(worker.log(task.uuid, &"é".repeat(3000)).await, 204);
    let tail = farm.get(&path).await.expect(200).text();
    assert!(
        tail.len() <= 2048 && tail.len() > 2000 && tail.chars().all(|c| c == 'é' || c == '\n'),
        "one giant line"
    );
    farm.stop().await;
}

async fn a_log_can_be_read_in_parts(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    worker.log(task.uuid, "0123456789").await;
    let info = farm.get(&format!("/api/v3/tasks/{}/log", task.uuid)).await.expect(200).json();
    let (url, size) = (info["url"].as_str().unwrap(), info["size"].as_u64().unwrap());
    let range = format!("bytes={}-{}", size - 11, size - 8);
    let part = farm.request(Method::GET, url).header("range", &range).send().await.expect(206);
    assert_eq!(part.text(), "0123");
    assert_eq!(part.header("content-range"), format!("bytes {}-{}/{size}", size - 11, size - 8));
    let end = farm.request(Method::GET, url).header("range", "bytes=-6").send().await.expect(206);
    assert_eq!(end.text(), "56789\n");
    let beyond = farm.request(Method::GET, url).header("range", &format!("bytes={}-", size + 5)).send().await;
    assert_eq!(beyond.status, 416);
    let whole = farm.get(url).await.expect(200);
    assert_eq!(whole.header("accept-ranges"), "bytes");
    assert_eq!(whole.header("cache-control"), "no-cache", "it grows");
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    farm.stop().await;
}

async fn nothing_but_files_of_jobs_is_served(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    worker.log(task.uuid, "x").await;
    std::fs::write(farm.folder().join("secret.txt"), "a secret").unwrap();
    std::fs::write(farm.local_storage().join("secret.txt"), "a secret").unwrap();
    let folder = farm.local_storage().join(format!("job-{}", &job[..4])).join(&job);
    std::fs::write(folder.join(".hidden"), "a secret").unwrap();
    let job_folder = format!("/job-files/job-{}/{job}", &job[..4]);
    for path in [
        "/job-files/../secret.txt".to_owned(),
        "/job-files/secret.txt".to_owned(),
        "/job-files/%2e%2e/secret.txt".to_owned(),
        "/job-files/..%2fsecret.txt".to_owned(),
        "/job-files/..%5csecret.txt".to_owned(),
        format!("{job_folder}/../../../secret.txt"),
        format!("{job_folder}/%2e%2e/%2e%2e/%2e%2e/secret.txt"),
        format!("{job_folder}/..%2f..%2f..%2fsecret.txt"),
        format!("{job_folder}/../../secret.txt"),
        format!("{job_folder}/.hidden"),
        format!("{job_folder}/%2ehidden"),
        format!("{job_folder}//etc/passwd"),
        "/job-files//etc/passwd".to_owned(),
        format!("/job-files/job-{}/../secret.txt", &job[..4]),
        job_folder.clone(),
        format!("{job_folder}/"),
        "/job-files/".to_owned(),
        "/job-files".to_owned(),
        format!("{job_folder}/no-such-file.txt"),
    ] {
        let (status, body) = farm.get_verbatim(&path).await;
        assert_eq!(status, 404, "{path}: {body}");
        assert!(!body.contains("a secret") && !body.contains("root:"), "{path}: {body}");
    }
    let (status, _) = farm.get_verbatim(&format!("{job_folder}/task-{}.txt", task.uuid)).await;
    assert_eq!(status, 200);
    farm.stop().await;
}
