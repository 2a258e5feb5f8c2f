//! Many old jobs that are deleted together: what is told beforehand, and that it is what happens.

use std::time::Duration;

use chrono::TimeDelta;
use flamenco_testkit::{Builder, Method, Reply, TestManager};
use serde_json::{Value, json};

use crate::{eventually, tasks};

on_each_database!(
    what_would_go_and_what_stays_is_told_before,
    only_the_chosen_statuses_go,
    checkouts_go_with_the_last_job_that_uses_them,
    another_number_than_the_person_was_told,
    previews_that_are_refused,
);

/// A second after the clock begins.
const THEN: &str = "2026-01-02T03:04:06Z";

async fn preview(farm: &TestManager, query: &str) -> Value {
    let path = format!("/api/v3/jobs/mass-delete?last_updated_max={THEN}{query}");
    farm.get(&path).await.expect(200).json()
}

async fn delete(farm: &TestManager, statuses: &[&str], expected: i64) -> Reply {
    let body = json!({ "last_updated_max": THEN, "statuses": statuses, "expected_jobs": expected });
    farm.request(Method::DELETE, "/api/v3/jobs/mass-delete").json(&body).send().await
}

async fn in_status(farm: &TestManager, name: &str, status: &str) -> String {
    let job = farm.submit(name, tasks(1)).await;
    farm.set_job_status(&job, status).await.no_content();
    job
}

async fn left(farm: &TestManager) -> Vec<String> {
    let all = farm.get("/api/v3/jobs").await.expect(200).json();
    all["jobs"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect()
}

async fn are_left(farm: &TestManager, names: &[&str]) {
    eventually("the others are erased", Duration::from_secs(10), async || left(farm).await == names).await;
}

async fn what_would_go_and_what_stays_is_told_before(farm: Builder) {
    let farm = farm.start().await;
    let canceled = in_status(&farm, "canceled", "cancel-requested").await;
    farm.clock().advance(TimeDelta::milliseconds(200));
    in_status(&farm, "canceled too", "cancel-requested").await;
    in_status(&farm, "paused", "pause-requested").await;
    farm.submit("queued", tasks(1)).await;
    // It is older than the moment when that is rounded up.
    farm.clock().advance(TimeDelta::milliseconds(500));
    farm.submit("same second", tasks(1)).await;
    farm.clock().advance(TimeDelta::days(1));
    farm.submit("newer", tasks(1)).await;

    let all = preview(&farm, "&limit=1").await;
    let expected = json!({
        "moment": THEN, "total": 5,
        "statuses": [{ "status": "canceled", "jobs": 2 }, { "status": "queued", "jobs": 2 }, { "status": "paused", "jobs": 1 }],
        "jobs": [{ "id": canceled, "name": "canceled", "status": "canceled", "updated": farm.job(&canceled).await["updated"] }],
        "shaman_checkouts": 0, "shared_checkouts": 0, "kept_statuses": [], "kept_newer": 1, "already_marked": 0,
    });
    assert_eq!(all, expected);
    let some = preview(&farm, "&status=canceled&status=completed&limit=100").await;
    assert_eq!((&some["total"], some["jobs"].as_array().unwrap().len()), (&json!(2), 2));
    assert_eq!(
        some["kept_statuses"],
        json!([{ "status": "queued", "jobs": 2 }, { "status": "paused", "jobs": 1 }])
    );
    assert_eq!(left(&farm).await.len(), 6, "nothing has happened");

    // The same moment in full is the same: it is rounded up.
    let path = "/api/v3/jobs/mass-delete?last_updated_max=2026-01-02T03:04:05.300Z";
    assert_eq!(farm.get(path).await.expect(200).json()["total"], 5);
    farm.stop().await;
}

async fn only_the_chosen_statuses_go(farm: Builder) {
    let farm = farm.start().await;
    in_status(&farm, "canceled", "cancel-requested").await;
    in_status(&farm, "paused", "pause-requested").await;
    farm.submit("queued", tasks(1)).await;
    farm.clock().advance(TimeDelta::days(1));
    farm.submit("newer", tasks(1)).await;
    assert_eq!(delete(&farm, &["canceled"], 1).await.expect(200).json(), json!({ "marked": 1 }));
    are_left(&farm, &["newer", "queued", "paused"]).await;
    // Without a choice every status is meant, as in the protocol.
    assert_eq!(delete(&farm, &[], 2).await.expect(200).json(), json!({ "marked": 2 }));
    are_left(&farm, &["newer"]).await;
    assert_eq!(delete(&farm, &[], 0).await.expect(200).json(), json!({ "marked": 0 }));
    let body = json!({ "last_updated_max": THEN, "statuses": ["canceled"] });
    let _ = farm.request(Method::DELETE, "/api/v3/jobs/mass-delete").json(&body).send().await.problem(416);
    farm.stop().await;
}

async fn checkouts_go_with_the_last_job_that_uses_them(farm: Builder) {
    let farm = farm.start().await;
    let with_checkout = async |name: &str, checkout: &str| {
        let mut submission = TestManager::submission(name, &tasks(1));
        submission["storage"] = json!({ "shaman_checkout_id": checkout });
        farm.submit_as(submission).await
    };
    with_checkout("a", "alone").await;
    with_checkout("b", "together").await;
    with_checkout("c", "together").await;
    with_checkout("d", "also of a newer one").await;
    with_checkout("e", "also of a paused one").await;
    let paused = with_checkout("f", "also of a paused one").await;
    farm.set_job_status(&paused, "pause-requested").await.no_content();
    farm.clock().advance(TimeDelta::days(1));
    with_checkout("g", "also of a newer one").await;
    let counts = |found: Value| (found["shaman_checkouts"].clone(), found["shared_checkouts"].clone());
    assert_eq!(counts(preview(&farm, "&status=queued").await), (json!(2), json!(2)));
    assert_eq!(counts(preview(&farm, "").await), (json!(3), json!(1)));
    assert_eq!(counts(preview(&farm, "&status=failed").await), (json!(0), json!(0)));
    farm.stop().await;
}

async fn another_number_than_the_person_was_told(farm: Builder) {
    let farm = farm.start().await;
    for name in ["one", "two"] {
        farm.submit(name, tasks(1)).await;
    }
    farm.clock().advance(TimeDelta::days(1));
    let told = preview(&farm, "").await["total"].as_i64().unwrap();
    let job = farm.get("/api/v3/jobs").await.expect(200).json()["jobs"][0]["id"].as_str().unwrap().to_owned();
    farm.set_job_status(&job, "pause-requested").await.no_content();
    let refused = delete(&farm, &[], told).await.problem(409);
    assert!(refused.contains("1 jobs would be deleted now, not 2"), "{refused}");
    assert_eq!(left(&farm).await, ["two", "one"]);
    assert!(farm.job(&job).await["delete_requested_at"].is_null());
    farm.stop().await;
}

async fn previews_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    for query in [
        "",
        "?last_updated_max=yesterday",
        "?last_updated_max=2026-01-01T00:00:00Z&status=old",
        "?last_updated_max=2026-01-01T00:00:00Z&limit=-1",
    ] {
        let _ = farm.get(&format!("/api/v3/jobs/mass-delete{query}")).await.problem(400);
    }
    farm.stop().await;
}
