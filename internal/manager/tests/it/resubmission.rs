//! Jobs that are submitted once more: what is to be sent, and what the second job shares with the first.

use std::fs;

use flamenco_testkit::{Builder, PLAN_JOB_TYPE, TestManager};
use serde_json::json;

use crate::shaman::{SOON, check_out, put, shared, spec};
use crate::{UNKNOWN, eventually};

on_each_database!(
    what_is_sent_once_more_is_what_was_sent,
    a_job_that_was_stored_before_submissions_were_kept,
    a_job_and_its_copy_share_a_checkout,
    a_job_type_that_changed_meanwhile,
);

const SCRIPT: &str = "
const JOB_TYPE = { label: 'Dated', settings: [{ key: 'path', type: 'string' }] };
function compileJob(job) {
    job.settings.path = job.settings.path.replace('{timestamp}', 'today');
    job.settings.added = true;
    job.metadata.by = 'the script';
    job.name = job.name + '!';
    job.priority = 99;
    job.addTask(author.Task(job.settings.path, 'misc'));
}
";

const VARIABLES: &str = "variables:
  shots:
    is_twoway: true
    values:
      - audience: all
        platform: linux
        value: /mnt/shots";

async fn what_is_sent_once_more_is_what_was_sent(farm: Builder) {
    let farm = farm.with_script("dated.js", SCRIPT).with_yaml(VARIABLES).start().await;
    let tag = farm.post("/api/v3/worker-mgt/tags", &json!({ "name": "gpu" })).await.expect(200).json();
    let sent = json!({
        "name": "shot", "type": "dated", "priority": 30, "submitter_platform": "linux", "initial_status": "paused",
        "settings": { "path": "/mnt/shots/{timestamp}/####", "hidden": [1, null] },
        "metadata": { "project": "Spring", "at": "/mnt/shots/x" },
    });
    let job = farm.submit_as(sent).await;
    let made = farm.job(&job).await;
    assert_eq!((&made["name"], &made["settings"]["path"]), (&json!("shot!"), &json!("{shots}/today/####")));

    // What people changed since then holds for the next one, too.
    farm.post(&format!("/api/v3/jobs/{job}/setpriority"), &json!({ "priority": 70 })).await.no_content();
    farm.post(&format!("/api/v3/jobs/{job}/settag"), &json!({ "name": "gpu" })).await.no_content();
    let again = farm.get(&format!("/api/v3/jobs/{job}/submission")).await.expect(200).json();
    let etag = farm.get("/api/v3/jobs/type/dated").await.expect(200).json()["etag"].clone();
    let expected = json!({
        "name": "shot", "type": "dated", "type_etag": etag, "priority": 70, "submitter_platform": "linux",
        "settings": { "path": "{shots}/{timestamp}/####", "hidden": [1, null] },
        "metadata": { "project": "Spring", "at": "{shots}/x" },
        "worker_tag": tag["id"],
    });
    assert_eq!(again, json!({ "submission": expected, "as_submitted": true }));

    farm.post("/api/v3/jobs/check", &again["submission"]).await.no_content();
    let copy = farm.submit_as(again["submission"].clone()).await;
    let copied = farm.job(&copy).await;
    assert_eq!(copied["status"], "queued", "only the first one was to wait");
    for field in ["name", "type", "settings", "metadata", "worker_tag"] {
        assert_eq!(copied[field], farm.job(&job).await[field], "{field}");
    }
    assert_eq!(
        farm.get(&format!("/api/v3/jobs/{copy}/submission")).await.expect(200).json()["as_submitted"],
        true
    );

    let _ = farm.get(&format!("/api/v3/jobs/{UNKNOWN}/submission")).await.problem(404);
    farm.delete(&format!("/api/v3/jobs/{job}")).await.no_content();
    eventually("it goes with its job", SOON, async || {
        farm.get(&format!("/api/v3/jobs/{job}/submission")).await.status == 404
    })
    .await;
    farm.stop().await;
}

async fn a_job_that_was_stored_before_submissions_were_kept(farm: Builder) {
    let mut farm = farm.start().await;
    farm.stop_running().await;
    let job = farm.force_job_with_checkout("shots/old").await;
    farm.start_again().await;
    let again = farm.get(&format!("/api/v3/jobs/{job}/submission")).await.expect(200).json();
    let expected = json!({
        "name": "old", "type": PLAN_JOB_TYPE, "priority": 50, "submitter_platform": "manager", "settings": {},
        "metadata": {}, "storage": { "shaman_checkout_id": "shots/old" },
    });
    assert_eq!(again, json!({ "submission": expected, "as_submitted": false }));
    farm.stop().await;
}

async fn a_job_and_its_copy_share_a_checkout(farm: Builder) {
    let farm = farm.start().await;
    put(&farm, "content").await;
    let made = check_out(&farm, "shot", &[spec("scene.blend", "content")]).await.expect(200).json();
    let mut first = TestManager::submission("shot", &crate::tasks(1));
    first["storage"] = json!({ "shaman_checkout_id": made["checkoutPath"] });
    let first = farm.submit_as(first).await;
    let again = farm.get(&format!("/api/v3/jobs/{first}/submission")).await.expect(200).json();
    let second = farm.submit_as(again["submission"].clone()).await;
    assert_eq!(farm.job(&second).await["storage"], json!({ "shaman_checkout_id": "shot" }));

    let file = shared(&farm).join("jobs/shot/scene.blend");
    for (job, left) in [(first, true), (second, false)] {
        farm.delete(&format!("/api/v3/jobs/{job}")).await.no_content();
        eventually("the job is erased", SOON, async || {
            farm.get(&format!("/api/v3/jobs/{job}")).await.status == 404
        })
        .await;
        assert_eq!(fs::read_to_string(&file).is_ok_and(|text| text == "content"), left);
    }
    farm.stop().await;
}

async fn a_job_type_that_changed_meanwhile(farm: Builder) {
    let farm = farm.with_script("dated.js", SCRIPT).start().await;
    let sent = json!({ "name": "shot", "type": "dated", "submitter_platform": "linux", "settings": { "path": "/x" } });
    let job = farm.submit_as(sent).await;
    let again = farm.get(&format!("/api/v3/jobs/{job}/submission")).await.expect(200).json();
    assert!(
        again["submission"]["type_etag"].is_string(),
        "also of a job that was submitted without: {again}"
    );
    let script = farm.folder().join("scripts/dated.js");
    fs::write(&script, SCRIPT.replace("'Dated'", "'Dated anew'")).unwrap();
    let changed = farm.post("/api/v3/jobs/check", &again["submission"]).await.problem(412);
    assert!(changed.contains("\"dated\" has changed"), "{changed}");
    fs::remove_file(&script).unwrap();
    let gone = farm.post("/api/v3/jobs/check", &again["submission"]).await.problem(400);
    assert!(gone.contains("job type unknown: \"dated\""), "{gone}");
    // What is to be sent is told all the same.
    assert_eq!(farm.get(&format!("/api/v3/jobs/{job}/submission")).await.expect(200).json(), again);
    farm.stop().await;
}
