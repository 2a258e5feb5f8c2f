//! Jobs that are found by a part of a path.

use flamenco_testkit::{Builder, Method, TestManager};
use serde_json::{Value, json};

use crate::tasks;

on_each_database!(
    a_part_of_a_path_finds_the_job,
    a_rendered_frame_finds_the_job_and_the_frame,
    paths_with_a_variable_are_found_as_people_know_them,
    texts_that_are_refused,
);

async fn search(farm: &TestManager, text: &str) -> Value {
    let text: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    farm.get(&format!("/api/v3/jobs/search?text={text}")).await.expect(200).json()["jobs"].clone()
}

async fn names(farm: &TestManager, text: &str) -> Vec<String> {
    let found = search(farm, text).await;
    found.as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect()
}

/// A job with these settings.
async fn job(farm: &TestManager, name: &str, settings: Value) -> String {
    let mut submission = TestManager::submission(name, &tasks(1));
    submission["settings"].as_object_mut().unwrap().extend(settings.as_object().unwrap().clone());
    farm.submit_as(submission).await
}

async fn a_part_of_a_path_finds_the_job(farm: Builder) {
    let farm = farm.start().await;
    let first =
        job(&farm, "one", json!({ "blendfile": "/mnt/Shots/sq010/light_v1.blend", "note": "sq010" })).await;
    job(
        &farm,
        "two",
        json!({ "blendfile": "S:\\Shots\\sq010\\100%[a]*?.blend", "out": "S:\\Shots\\Ärger\\####" }),
    )
    .await;
    for (text, want) in [
        ("shots/SQ010", vec!["two", "one"]),
        ("Shots\\sq010", vec!["two", "one"]),
        ("  light_v1.BLEND ", vec!["one"]),
        ("/mnt/", vec!["one"]),
        ("Ärger", vec!["two"]),
        ("100%[a]*?.blend", vec!["two"]),
        // Nothing has a special meaning.
        ("light%v1", vec![]),
        ("sq01_/", vec![]),
        ("light*", vec![]),
        ("sq010/.*", vec![]),
        ("'; DROP TABLE jobs; --", vec![]),
        ("nowhere", vec![]),
    ] {
        assert_eq!(names(&farm, text).await, want, "{text}");
    }
    let found = search(&farm, "light_v1").await;
    let entry =
        json!({ "id": first, "name": "one", "status": "queued", "path": "/mnt/Shots/sq010/light_v1.blend" });
    assert_eq!(found, json!([entry]));
    let limited = farm.get("/api/v3/jobs/search?text=shots&limit=1").await.expect(200).json();
    assert_eq!(limited["jobs"].as_array().unwrap().len(), 1);
    farm.request(Method::DELETE, &format!("/api/v3/jobs/{first}")).send().await.no_content();
    crate::eventually("the job is gone", std::time::Duration::from_secs(10), async || {
        names(&farm, "light_v1").await.is_empty()
    })
    .await;
    farm.stop().await;
}

async fn a_rendered_frame_finds_the_job_and_the_frame(farm: Builder) {
    let farm = farm.start().await;
    let id = farm.submit("rendered", tasks(1)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await.uuid;
    let frame = |number: i64| json!({ "frame": number, "path": format!("R:\\Out\\SQ010\\beauty.{number:04}.exr"), "state": "ok", "rendered_at": farm.now() });
    let frames: Vec<_> = (98..=102).map(frame).collect();
    for _ in 0..2 {
        let path = format!("/api/v3/worker/task/{task}/frames");
        farm.request(Method::POST, &path)
            .as_worker(&worker)
            .json(&json!({ "frames": frames }))
            .send()
            .await
            .no_content();
    }
    let all = search(&farm, "out/sq010/beauty").await;
    let entry = json!({ "id": id, "name": "rendered", "status": "active", "path": "R:\\Out\\SQ010\\beauty.####.exr" });
    assert_eq!(all, json!([entry]), "once, as a pattern");
    for (text, frame) in [
        ("beauty.0101.exr", Some(101)),
        ("r:\\out\\sq010\\beauty.0099", Some(99)),
        ("sq010/beauty.010", None),
        ("sq010/beauty.00", None),
    ] {
        let found = search(&farm, text).await;
        assert_eq!(
            (found.as_array().unwrap().len(), found[0]["frame"].as_i64()),
            (1, frame),
            "{text}: {found}"
        );
    }
    assert_eq!(search(&farm, "beauty.0101").await[0]["path"], "R:\\Out\\SQ010\\beauty.0101.exr");
    for text in ["beauty.0500", "beauty.101", "beauty.0101.png", "beauty.00101"] {
        assert_eq!(search(&farm, text).await, json!([]), "{text}: there is no such frame");
    }
    farm.stop().await;
}

async fn paths_with_a_variable_are_found_as_people_know_them(farm: Builder) {
    let yaml = "variables:\n  shots:\n    is_twoway: true\n    values:\n      - audience: all\n        platform: linux\n        \
                value: /mnt/shots\n      - audience: all\n        platform: windows\n        value: S:\\shots\n";
    let farm = farm.with_yaml(yaml).start().await;
    job(&farm, "one", json!({ "blendfile": "/mnt/shots/sq010/light.blend" })).await;
    for text in ["/mnt/shots/sq010", "S:\\shots\\sq010", "{shots}/sq010", "sq010/light"] {
        let found = search(&farm, text).await;
        assert_eq!(found[0]["path"], "{shots}/sq010/light.blend", "{text}");
    }
    farm.stop().await;
}

async fn texts_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    farm.submit("one", tasks(1)).await;
    let long = "x".repeat(501);
    for query in [
        "",
        "?text=",
        "?text=a",
        "?text=%20a%20",
        "?text=%20%20%20",
        "?text=ab&limit=0",
        "?text=ab&limit=101",
        "?text=a%00b",
        &format!("?text={long}"),
    ] {
        let _ = farm.get(&format!("/api/v3/jobs/search{query}")).await.problem(400);
    }
    farm.stop().await;
}
