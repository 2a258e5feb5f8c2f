//! Pictures that workers send.

use std::time::Duration;

use base64::Engine;
use flamenco_testkit::{Builder, LiveUpdates, Method, Protocol};
use serde_json::{Value, json};

use crate::{UNKNOWN, tasks};

on_each_database!(a_picture_is_kept_in_three_sizes, pictures_that_are_refused);

/// One grey pixel.
const PNG: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAQAAAC1HAwCAAAAC0lEQVR42mNk+A8AAQUBAScY42YAAAAASUVORK5CYII=";

fn png() -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(PNG).unwrap()
}

async fn a_picture_is_kept_in_three_sizes(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let of_job = format!("/api/v3/jobs/{job}/last-rendered");
    for path in [of_job.as_str(), "/api/v3/jobs/last-rendered"] {
        let _ = farm.get(path).await.expect(204);
    }
    let worker = farm.worker("w").await;
    let task = worker.take().await;
    let mut live = LiveUpdates::connect(&farm, Protocol::Three).await;
    live.subscribe("allLastRendered", None).await;
    let path = format!("/api/v3/worker/task/{}/output-produced", task.uuid);
    let reply = farm.request(Method::POST, &path).as_worker(&worker).body("image/png", png()).send().await;
    assert!(reply.expect(202).body.is_empty());
    let event = live.until("/last-rendered", |event| event["job_id"] == job).await;
    let info = farm.get(&of_job).await.expect(200).json();
    assert_eq!(info["base"], format!("/job-files/job-{}/{job}", &job[..4]));
    assert_eq!(event["thumbnail"], info);
    assert_eq!(farm.get("/api/v3/jobs/last-rendered").await.expect(200).json(), info);
    let sizes = json!(["last-rendered.jpg", "last-rendered-small.jpg", "last-rendered-tiny.jpg"]);
    assert_eq!(info["suffixes"], sizes);
    for suffix in sizes.as_array().unwrap() {
        let file = format!("{}/{}", info["base"].as_str().unwrap(), suffix.as_str().unwrap());
        let picture = farm.get(&file).await.expect(200);
        assert_eq!(picture.header("content-type"), "image/jpeg");
        assert!(picture.body.starts_with(&[0xff, 0xd8]), "a JPEG");
    }
    farm.stop().await;
}

async fn pictures_that_are_refused(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let [worker, stranger] = [farm.worker("w").await, farm.worker("stranger").await];
    let task = worker.take().await.uuid.to_string();
    let mut live = LiveUpdates::connect(&farm, Protocol::Four).await;
    live.subscribe("allLastRendered", None).await;
    let path = |id: &str| format!("/api/v3/worker/task/{id}/output-produced");
    let post = |id: &str| farm.request(Method::POST, &path(id));
    let message = post(&task).as_worker(&worker).body("text/plain", "x").send().await.problem(415);
    assert!(message.contains("image/png"), "{message}");
    let _ = post(UNKNOWN).as_worker(&worker).body("image/png", png()).send().await.problem(404);
    let _ = post(&task).as_worker(&stranger).body("image/png", png()).send().await.problem(409);
    let _ = post(&task).as_worker(&worker).body("image/png", "").send().await.problem(411);
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", worker.id, worker.secret));
    let head = format!(
        "POST {} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Basic {basic}",
        path(&task)
    );
    let head = format!("{head}\r\nContent-Type: image/png\r\nContent-Length: 26214401\r\n\r\n");
    let (status, body) = farm.verbatim(&head).await;
    let error: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((status, &error["code"]), (413, &json!(413)), "{body}");

    // What is no picture is found out later, and nothing comes of it.
    let reply = post(&task).as_worker(&worker).body("image/png", "this is no picture").send().await;
    assert!(reply.status == 202 || reply.status == 400, "{reply:?}");
    let events = live.drain(Duration::from_millis(400)).await;
    assert!(events.iter().all(|(name, _)| name != "/last-rendered"), "{events:?}");
    let _ = farm.get(&format!("/api/v3/jobs/{job}/last-rendered")).await.expect(204);
    farm.stop().await;
}
