//! Scripts with mistakes: who made them learns what and where, and nobody else is harmed.

use std::fs;
use std::time::{Duration, Instant};

use flamenco_manager_core::farm::submission::Submission;
use flamenco_testkit::{PLAN_JOB_TYPE, TestFarm, TestManager};
use serde_json::json;

use crate::job_types::{ONE_TASK, labels, script, submission};

#[tokio::test]
async fn broken_scripts_are_listed_with_the_place_of_the_error() {
    let farm = TestManager::sqlite()
        .with_script("good.js", &script("Good", ONE_TASK))
        .with_script("helper.js", "exports.a = 1;\n")
        .with_script("comma.js", "const JOB_TYPE = {\n  label: 'Mine',\n  settings: [}\n};")
        .with_script("throws.js", "const JOB_TYPE = {};\nthrow new Error('no such camera');\n")
        .with_script("loads.js", "require('./lib/parts.js'); const JOB_TYPE = {};\n")
        .with_script("typo.js", "const JOB_TYPE = { label: 'Typo', settings: [{ key: 'a', type: 'int' }] };")
        .start()
        .await;
    fs::create_dir(farm.folder().join("scripts/lib")).unwrap();
    fs::write(farm.folder().join("scripts/lib/parts.js"), "exports.a = ;\n").unwrap();
    let all =
        || async { farm.get("/api/v3/jobs/types/broken").await.expect(200).json()["job_types"].clone() };
    let listed = all().await;
    let find = |name: &str| listed.as_array().unwrap().iter().find(|broken| broken["name"] == name).cloned();
    for (name, word, file, line) in [
        ("comma", "SyntaxError", "comma.js", 3),
        ("throws", "no such camera", "throws.js", 2),
        ("loads", "SyntaxError", "lib/parts.js", 1),
    ] {
        let broken = find(name).unwrap_or_else(|| panic!("{name} is not in {listed}"));
        assert!(broken["message"].as_str().unwrap().contains(word), "{broken}");
        assert_eq!((&broken["wrong_file"], &broken["line"]), (&json!(file), &json!(line)), "{broken}");
        assert!(broken["column"].as_i64().unwrap() >= 1, "{broken}");
        assert!(broken["file"].as_str().unwrap().ends_with(&format!("scripts/{name}.js")), "{broken}");
    }
    let typo = find("typo").unwrap_or_else(|| panic!("{listed}"));
    assert!(typo["message"].as_str().unwrap().contains("int32"), "it says what is possible: {typo}");
    assert!(find("good").is_none() && find("helper").is_none(), "{listed}");
    assert!(!labels(&farm).await.iter().any(|line| line.starts_with("typo")));
    for name in ["comma", "throws", "loads", "typo"] {
        fs::write(farm.folder().join(format!("scripts/{name}.js")), script(name, ONE_TASK)).unwrap();
    }
    assert_eq!(all().await, json!([]));
    farm.stop().await;
}

#[tokio::test]
async fn endless_top_level_code_costs_everybody_once() {
    let endless = "const JOB_TYPE = { label: 'Endless', settings: [] };\nwhile (true) {}";
    let farm = TestManager::sqlite()
        .with_yaml("script_time_limit: 800ms")
        .with_script("endless.js", endless)
        .start()
        .await;
    // Everybody who asks at the same time waits for one look at it.
    let started = Instant::now();
    let all = futures_util::future::join_all((0..8).map(|_| labels(&farm))).await;
    assert!(started.elapsed() < Duration::from_secs(10), "each ran it: {:?}", started.elapsed());
    assert!(all.iter().all(|labels| labels == &all[0] && !labels.is_empty()));
    let started = Instant::now();
    for _ in 0..10 {
        assert_eq!(labels(&farm).await, all[0]);
        let message = farm.get("/api/v3/jobs/type/endless").await.problem(500);
        assert!(message.contains("ran for more than 0.8 s") && message.contains("endless.js"), "{message}");
    }
    assert!(started.elapsed() < Duration::from_secs(4), "it ran again: {:?}", started.elapsed());
    fs::write(farm.folder().join("scripts/endless.js"), script("Mended", ONE_TASK)).unwrap();
    assert!(labels(&farm).await.contains(&"endless: Mended".to_owned()));
    farm.stop().await;
}

#[tokio::test]
async fn a_check_that_nobody_waits_for_makes_room_for_others() {
    // It comes to no end only when the tasks are read.
    let endless = "const task = author.Task('a', 'misc'), command = author.Command('x', {});\
                   command.parameters = { get a() { while (true) {} } }; task.addCommand(command); job.addTask(task);";
    let farm = TestManager::sqlite()
        .with_yaml("script_time_limit: 20s")
        .with_script("endless.js", &script("Endless", endless))
        .with_script("loop.js", &script("Loop", "while (true) {}"))
        .with_script("good.js", &script("Good", ONE_TASK))
        .start()
        .await;
    for job_type in ["endless", "loop"] {
        for _ in 0..4 {
            let abandoned = submission(job_type, json!({}));
            let check = farm.post("/api/v3/jobs/check", &abandoned);
            assert!(tokio::time::timeout(Duration::from_millis(200), check).await.is_err(), "{job_type}");
        }
        let started = Instant::now();
        farm.post("/api/v3/jobs/check", &submission("good", json!({}))).await.no_content();
        assert!(started.elapsed() < Duration::from_secs(5), "{job_type}: {:?}", started.elapsed());
    }
    farm.stop().await;
}

#[tokio::test]
async fn what_a_script_names_is_checked_when_checking_and_when_submitting() {
    let task = |name: &str, kind: &str| format!("job.addTask(author.Task({name}, {kind}));");
    let bodies = [
        ("empty_job", format!("job.name = ' '; {}", task("'a'", "'misc'")), "job.name"),
        ("long_job", format!("job.name = 'n'.repeat(256); {}", task("'a'", "'misc'")), "256 characters"),
        ("zero_job", format!("job.name = 'a\\0b'; {}", task("'a'", "'misc'")), "U+0000"),
        ("long_task", task("'n'.repeat(256)", "'misc'"), "more than the 255"),
        ("zero_task", task("'first\\0one'", "'misc'"), "first"),
        ("long_type", task("'first'", "'m'.repeat(65)"), "task \"first\": its type has 65 characters"),
        ("zero_type", task("'first'", "'m\\0'"), "task \"first\": its type contains the character U+0000"),
        // Not among the first tasks, which are on their way into the database then.
        (
            "late",
            format!(
                "for (let i = 0; i < 3000; i++) job.addTask(author.Task('t' + i, 'misc')); {}",
                task("'late'.repeat(64)", "'misc'")
            ),
            "task \"latelate",
        ),
    ];
    let fits = format!("job.name = 'ü'.repeat(255); {}", task("'ü'.repeat(255)", "'m'.repeat(64)"));
    for farm in TestManager::each() {
        let farm = bodies
            .iter()
            .fold(farm, |farm, (name, body, _)| farm.with_script(&format!("{name}.js"), &script(name, body)));
        let farm = farm.with_script("fits.js", &script("Fits", &fits)).start().await;
        for (name, _, word) in &bodies {
            let submission = submission(&name.replace('_', "-"), json!({}));
            let check = farm.post("/api/v3/jobs/check", &submission).await.problem(400);
            assert!(check.contains(word) && check.contains("script"), "{name}: {check}");
            assert!(check.chars().count() < 300, "{name}: {check}");
            assert_eq!(farm.post("/api/v3/jobs", &submission).await.problem(400), check);
        }
        let mut zero = submission("fits", json!({}));
        zero["name"] = json!("a\0b");
        let check = farm.post("/api/v3/jobs/check", &zero).await.problem(400);
        assert!(check.contains("U+0000"), "{check}");
        assert_eq!(farm.post("/api/v3/jobs", &zero).await.problem(400), check);
        assert_eq!(farm.get("/api/v3/jobs").await.expect(200).json(), json!({ "jobs": [] }));
        farm.post("/api/v3/jobs/check", &submission("fits", json!({}))).await.no_content();
        farm.submit_as(submission("fits", json!({}))).await;
        farm.stop().await;
    }
}

#[tokio::test]
async fn a_tag_that_is_deleted_while_a_job_is_made_is_named() {
    let slow = format!("const end = Date.now() + 1500; while (Date.now() < end) {{}} {ONE_TASK}");
    for farm in TestManager::each() {
        let farm = farm.with_script("slow.js", &script("Slow", &slow)).start().await;
        let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gone" })).await.expect(200).json();
        let tag = tag["id"].as_str().unwrap().to_owned();
        let mut tagged = submission("slow", json!({}));
        tagged["worker_tag"] = json!(tag);
        let submit = farm.post("/api/v3/jobs", &tagged);
        let delete = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            farm.delete(&format!("/api/v3/worker-mgt/tag/{tag}")).await.no_content();
        };
        let (submit, ()) = tokio::join!(submit, delete);
        let message = submit.problem(400);
        assert!(message.contains(&tag), "{message}");
        assert_eq!(farm.get("/api/v3/jobs").await.expect(200).json(), json!({ "jobs": [] }));
        farm.stop().await;
    }
}

#[tokio::test]
async fn a_check_sees_that_the_checkout_is_being_erased() {
    for farm in TestFarm::each("").await {
        let settings = json!({ "plan": r#"[{"name": "task"}]"# });
        let submission = Submission {
            name: "job".to_owned(),
            job_type: PLAN_JOB_TYPE.to_owned(),
            priority: 50,
            settings: settings.as_object().unwrap().clone(),
            platform: "linux".to_owned(),
            shaman_checkout_id: Some("shot".to_owned()),
            ..Submission::default()
        };
        farm.farm().check_submission(submission.clone()).await.unwrap();
        let job = farm.farm().submit(submission.clone()).await.unwrap();
        // Its files go later.
        farm.farm().delete_job(job.summary.id).await.unwrap();
        let check = farm.farm().check_submission(submission.clone()).await.unwrap_err();
        let submit = farm.farm().submit(submission).await.unwrap_err();
        assert_eq!(check.to_string(), submit.to_string(), "{}", farm.backend());
        assert!(check.to_string().contains("being erased"), "{check}");
        farm.close().await;
    }
}
