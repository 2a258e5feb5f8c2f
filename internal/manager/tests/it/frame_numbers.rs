//! What frames say in numbers: grid, summary, statistics, lists.

use flamenco_testkit::{Builder, TestManager};
use serde_json::{Value, json};

use crate::frame_pictures::{frame, list, report};
use crate::frame_requeue::render_job;

on_each_database!(
    a_grid_has_a_place_for_every_frame,
    a_summary_counts_and_estimates,
    jobs_say_how_far_their_frames_are,
    frames_are_filtered,
    the_latest_frames_of_all_jobs,
    statistics_outlive_their_jobs,
    paths_are_translated,
);

async fn get(farm: &TestManager, path: &str) -> Value {
    farm.get(path).await.expect(200).json()
}

fn at(farm: &TestManager, seconds_ago: i64) -> String {
    (farm.now() - chrono::TimeDelta::seconds(seconds_ago)).to_rfc3339()
}

fn numbers(frames: &[Value]) -> Vec<i64> {
    frames.iter().map(|frame| frame["frame"].as_i64().unwrap()).collect()
}

async fn a_grid_has_a_place_for_every_frame(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", render_job(&["1..3", "5"])).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let id = task.uuid.to_string();
    let right =
        json!({ "frame": 1, "path": "/out/000001_R.png", "state": "black", "rendered_at": at(&farm, 5) });
    report(&farm, &worker, &id, json!([frame(1, "ok", &at(&farm, 10)), right])).await;
    let path = format!("/api/v3/jobs/{job}/frames/grid");
    let grid = get(&farm, &path).await;
    let places: Vec<_> = grid["places"]
        .as_array()
        .unwrap()
        .iter()
        .map(|place| {
            let number = |key: &str| place[key].as_i64().unwrap();
            (number("frame"), place["state"].as_str().unwrap().to_owned(), number("files"))
        })
        .collect();
    let want = [(1, "black", 2), (2, "rendering", 0), (3, "rendering", 0), (5, "expected", 0)];
    assert_eq!(places, want.map(|(number, state, files)| (number, state.to_owned(), files)));
    assert_eq!((&grid["places"][1]["task"], grid.get("next_from")), (&json!(id), None));
    assert_eq!(grid["places"][1]["worker"], worker.id.to_string());
    for (query, want, next) in [
        ("?limit=2", vec![1, 2], Some(3)),
        ("?from=3&limit=2", vec![3, 5], None),
        ("?to=2", vec![1, 2], None),
        ("?state=expected&state=black", vec![1, 5], None),
        ("?from=6", vec![], None),
    ] {
        let page = get(&farm, &format!("{path}{query}")).await;
        assert_eq!(
            (numbers(page["places"].as_array().unwrap()), page["next_from"].as_i64()),
            (want, next),
            "{query}"
        );
    }
    assert_eq!(
        get(&farm, &format!("/api/v3/jobs/{}/frames/grid", crate::UNKNOWN)).await,
        json!({ "places": [] })
    );
    for bad in ["?limit=0", "?limit=10001", "?state=lovely"] {
        let _ = farm.get(&format!("{path}{bad}")).await.problem(400);
    }
    let expected = get(&farm, &format!("/api/v3/jobs/{job}/frames/5")).await;
    assert_eq!((&expected["state"], &expected["files"]), (&json!("expected"), &json!([])));
    let _ = farm.get(&format!("/api/v3/jobs/{job}/frames/4")).await.problem(404);
    let _ = farm.get(&format!("/api/v3/jobs/{job}/frames/x")).await.problem(400);
    farm.stop().await;
}

async fn a_summary_counts_and_estimates(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", render_job(&["1..10"])).await;
    let worker = farm.worker("w").await;
    let path = format!("/api/v3/jobs/{job}/frames/summary");
    let empty = get(&farm, &path).await;
    assert_eq!(
        (&empty["frames_total"], &empty["frames_done"], &empty["frames_left"]),
        (&json!(10), &json!(0), &json!(10))
    );
    assert_eq!((empty.get("estimate"), empty.get("frames_per_hour")), (None, None));
    assert_eq!(empty["render_time"], json!({ "count": 0, "total_ms": 0 }));

    let id = worker.take().await.uuid.to_string();
    let frames: Value = (1..=4)
        .map(|number| {
            let mut frame = frame(number, "ok", &at(&farm, 50 - number * 10));
            frame["render_ms"] = json!(9000 + number * 100);
            frame
        })
        .collect();
    report(&farm, &worker, &id, frames).await;
    let broken = json!({ "frame": 5, "path": "", "state": "failed", "rendered_at": at(&farm, 0) });
    report(&farm, &worker, &id, json!([broken])).await;
    let summary = get(&farm, &path).await;
    assert_eq!(summary["states"], json!({ "ok": 4, "failed": 1, "rendering": 5 }));
    let counts = ["frames_done", "frames_left", "attempts", "failures", "workers_active"];
    assert_eq!(counts.map(|key| summary[key].as_i64().unwrap()), [4, 5, 5, 1, 1]);
    let times = json!({ "count": 4, "min_ms": 9100, "mean_ms": 9250, "median_ms": 9200, "p95_ms": 9400,
        "max_ms": 9400, "total_ms": 37000 });
    assert_eq!(summary["render_time"], times);
    assert_eq!(summary["frames_per_hour"], 360.0);
    let left = summary["estimate"]["left_ms"].as_i64().unwrap();
    assert!((48_000..=50_000).contains(&left), "five frames of ten seconds: {left}");
    let end = |key: &str| {
        summary["estimate"][key].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap()
    };
    assert!(end("earliest") <= end("end") && end("end") <= end("latest"));
    let workers = summary["workers"].as_array().unwrap();
    assert_eq!((workers.len(), &workers[0]["name"], &workers[0]["frames"]), (1, &json!("w"), &json!(4)));
    let _ = farm.get(&format!("/api/v3/jobs/{}/frames/summary", crate::UNKNOWN)).await.problem(404);
    farm.stop().await;
}

async fn jobs_say_how_far_their_frames_are(farm: Builder) {
    let farm = farm.start().await;
    let silent = farm.submit("no frames", crate::tasks(1)).await;
    let job = farm.submit("job", render_job(&["1..10"])).await;
    let [worker, other] = [farm.worker("w").await, farm.worker("other").await];
    let mut id = worker.take().await;
    if id.name == "task-1" {
        worker.complete(&id).await;
        id = worker.take().await;
    }
    let id = id.uuid.to_string();
    drop(other);
    let frames: Value = (1..=4).map(|number| frame(number, "ok", &at(&farm, 50))).collect();
    report(&farm, &worker, &id, frames).await;
    report(&farm, &worker, &id, json!([frame(4, "ok", &at(&farm, 50)), frame(5, "broken", &at(&farm, 1))]))
        .await;
    // A frame that comes out in a second file is still one frame.
    let second =
        json!({ "frame": 4, "path": "/out/000004_R.png", "state": "ok", "rendered_at": at(&farm, 1) });
    report(&farm, &worker, &id, json!([second])).await;
    let all = get(&farm, "/api/v3/jobs").await;
    let of = |id: &str| {
        let jobs = all["jobs"].as_array().unwrap();
        jobs.iter().find(|job| job["id"] == id).unwrap().get("frames").cloned()
    };
    assert_eq!(of(&silent), None);
    let counts = of(&job).unwrap();
    let found = ["total", "done", "failures", "mean_ms", "total_ms"].map(|key| counts[key].as_i64());
    assert_eq!(found, [Some(10), Some(4), Some(1), Some(1000), Some(4000)], "{counts}");
    let end = counts["estimated_end"].clone();
    let summary = async || get(&farm, &format!("/api/v3/jobs/{job}/frames/summary")).await;
    assert_eq!(summary().await["estimate"]["end"], end, "every page shows the same");
    let more = (6..=9).map(|number| frame(number, "ok", &at(&farm, 0))).collect();
    report(&farm, &worker, &id, more).await;
    assert_eq!(summary().await["estimate"]["end"], end, "it is not computed again at once");
    farm.clock().advance(chrono::TimeDelta::seconds(5));
    let later = summary().await["estimate"]["end"].clone();
    assert_ne!(later, end, "but after 5 s");
    assert_eq!(farm.job(&job).await["frames"]["estimated_end"], later);
    worker.report_task(id.parse().unwrap(), "failed").await;
    assert_eq!(summary().await.get("estimate"), None, "nobody is on it");
    assert_eq!(farm.job(&job).await["frames"].get("estimated_end"), None);
    assert_eq!(farm.job(&job).await["frames"]["done"], 8);
    farm.stop().await;
}

async fn frames_are_filtered(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", render_job(&["1..4", "5..8"])).await;
    let [one, two] = [farm.worker("one").await, farm.worker("two").await];
    let [first, second] = [one.take().await.uuid.to_string(), two.take().await.uuid.to_string()];
    let sized = |number: i64, width: i64, render_ms: i64| {
        let mut frame = frame(number, "ok", "2026-01-02T03:00:00Z");
        frame["width"] = json!(width);
        frame["render_ms"] = json!(render_ms);
        frame
    };
    report(&farm, &one, &first, json!([sized(1, 800, 10), sized(2, 800, 20), sized(3, 400, 30)])).await;
    let depth = json!({ "frame": 5, "path": "/depth/000005.png", "state": "ok", "rendered_at": "2026-01-02T03:00:00Z",
        "width": 100, "height": 100 });
    report(
        &farm,
        &two,
        &second,
        json!([sized(5, 800, 40), depth, frame(6, "black", "2026-01-02T03:00:00Z")]),
    )
    .await;
    for (query, want) in [
        (String::new(), vec![1, 2, 3, 5, 5, 6]),
        ("?state=different-size".to_owned(), vec![3]),
        ("?state=ok".to_owned(), vec![1, 2, 5, 5]),
        ("?state=black&state=different-size".to_owned(), vec![3, 6]),
        ("?state=expected".to_owned(), vec![]),
        (format!("?worker={}", two.id), vec![5, 5, 6]),
        (format!("?worker={}&worker={}&to=2", one.id, two.id), vec![1, 2]),
        (format!("?task={first}"), vec![1, 2, 3]),
        ("?output=/depth/%23%23%23%23%23%23.png".to_owned(), vec![5]),
        ("?slower_than_ms=20".to_owned(), vec![3, 5, 6]),
    ] {
        assert_eq!(numbers(&list(&farm, &job, &query).await), want, "{query}");
    }
    let odd = &list(&farm, &job, "?from=3&to=3").await[0];
    assert_eq!(odd["state"], "different-size");
    for bad in ["?slower_than_ms=-1", "?task=x", "?worker=x"] {
        let _ = farm.get(&format!("/api/v3/jobs/{job}/frames{bad}")).await.problem(400);
    }
    farm.stop().await;
}

async fn the_latest_frames_of_all_jobs(farm: Builder) {
    let farm = farm.start().await;
    let mut jobs = Vec::new();
    let worker = farm.worker("w").await;
    for (name, number, ago) in [("first", 1, 30), ("second", 2, 10), ("third", 3, 20)] {
        let job = farm.submit(name, render_job(&[&number.to_string()])).await;
        let task = worker.take().await;
        let failed = json!({ "frame": 9, "path": "", "state": "failed", "rendered_at": at(&farm, 0) });
        report(&farm, &worker, &task.uuid.to_string(), json!([frame(number, "ok", &at(&farm, ago)), failed]))
            .await;
        worker.complete(&task).await;
        jobs.push(job);
    }
    let latest = get(&farm, "/api/v3/frames/latest").await;
    let seen: Vec<_> = latest["frames"]
        .as_array()
        .unwrap()
        .iter()
        .map(|latest| (latest["job_name"].as_str().unwrap(), latest["frame"]["frame"].as_i64().unwrap()))
        .collect();
    assert_eq!(seen, [("second", 2), ("third", 3), ("first", 1)]);
    assert_eq!(
        (&latest["frames"][0]["job"], &latest["frames"][0]["frames_total"]),
        (&json!(jobs[1]), &json!(1))
    );
    let of = async |query: &str| {
        get(&farm, &format!("/api/v3/frames/latest{query}")).await["frames"].as_array().unwrap().len()
    };
    assert_eq!((of("?limit=1").await, of("?thumbnails_only=true").await), (1, 0));
    for bad in ["?limit=0", "?limit=101", "?thumbnails_only=maybe"] {
        let _ = farm.get(&format!("/api/v3/frames/latest{bad}")).await.problem(400);
    }
    farm.stop().await;
}

async fn statistics_outlive_their_jobs(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", render_job(&["1..4"])).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let id = task.uuid.to_string();
    let failed = json!({ "frame": 3, "path": "", "state": "failed", "rendered_at": at(&farm, 60) });
    let frames = json!([frame(1, "ok", &at(&farm, 60)), frame(2, "black", &at(&farm, 3 * 3600)), failed]);
    report(&farm, &worker, &id, frames.clone()).await;
    // The same once more counts once.
    report(&farm, &worker, &id, frames).await;
    worker.fail(&task).await;
    let check = async |query: &str, last_hour: i64, periods: usize, worker_count: usize| {
        let found = get(&farm, &format!("/api/v3/frames/statistics{query}")).await;
        let all = found["periods"].as_array().unwrap();
        let sum = |key: &str| all.iter().map(|period| period[key].as_i64().unwrap()).sum::<i64>();
        assert_eq!((&found["frames_last_hour"], all.len()), (&json!(last_hour), periods), "{query}");
        let workers = found["workers"].as_array().unwrap().clone();
        assert_eq!(workers.len(), worker_count, "{query}");
        (sum("frames"), sum("failures"), sum("render_ms"), workers)
    };
    let (frames, failures, render_ms, workers) = check("", 1, 25, 1).await;
    assert_eq!((frames, failures, render_ms), (2, 1, 2000));
    let of_worker = &workers[0];
    assert_eq!(
        (&of_worker["name"], &of_worker["mean_ms"], &of_worker["failed_tasks"]),
        (&json!("w"), &json!(1000), &json!(1))
    );
    assert_eq!(check("?span=month", 1, 31, 1).await.0, 2);
    assert_eq!(check(&format!("?worker={}", worker.id), 1, 25, 1).await.0, 2);
    assert_eq!(check(&format!("?worker={}", crate::UNKNOWN), 0, 25, 0).await.0, 0);

    farm.delete(&format!("/api/v3/jobs/{job}")).await.no_content();
    crate::eventually("the job is gone", std::time::Duration::from_secs(10), async || {
        farm.get(&format!("/api/v3/jobs/{job}")).await.status == 404
    })
    .await;
    let (frames, failures, ..) = check("", 0, 25, 1).await;
    assert_eq!((frames, failures), (2, 1));
    farm.stop().await;
}

async fn paths_are_translated(farm: Builder) {
    let yaml = r"
variables:
  render:
    is_twoway: true
    values:
      - { platform: linux, value: /mnt/render }
      - { platform: windows, value: 'R:\render' }
";
    let farm = farm.with_yaml(yaml).start().await;
    let job = farm.submit("job", render_job(&["1..2"])).await;
    let worker = farm.worker("w").await;
    let id = worker.take().await.uuid.to_string();
    let at = "2026-01-02T03:00:00Z";
    let known = json!({ "frame": 1, "path": "/mnt/render/a/0001.png", "state": "ok", "rendered_at": at });
    report(&farm, &worker, &id, json!([known, frame(2, "ok", at)])).await;
    for (query, want) in [
        ("", [None, None]),
        ("?platform=windows", [Some(r"R:\render\a\0001.png"), None]),
        ("?platform=linux", [Some("/mnt/render/a/0001.png"), Some("/out/000002.png")]),
        ("?platform=darwin", [None, None]),
    ] {
        let frames = list(&farm, &job, query).await;
        let found: Vec<_> = frames.iter().map(|frame| frame["platform_path"].as_str()).collect();
        assert_eq!(found, want, "{query}");
    }
    farm.stop().await;
}
