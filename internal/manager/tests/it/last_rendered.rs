//! Pictures that workers send.

use std::time::Duration;

use base64::Engine;
use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Method, Protocol, TestManager};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::{UNKNOWN, tasks};

on_each_database!(
    a_picture_is_kept_in_three_sizes,
    pictures_that_are_refused,
    pictures_that_come_at_once_do_not_mix,
    uploads_that_stall_keep_nobody_from_sending,
    when_too_many_are_on_their_way_the_next_is_told_to_wait,
);

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

/// A picture of one colour, which takes a moment to scale.
fn coloured(colour: [u8; 3], width: u32) -> Vec<u8> {
    let picture = image::RgbImage::from_pixel(width, width / 2, image::Rgb(colour));
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Png).unwrap();
    bytes.into_inner()
}

async fn pictures_that_come_at_once_do_not_mix(farm: Builder) {
    let farm = farm.start().await;
    let job = farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let path = format!("/api/v3/worker/task/{}/output-produced", worker.take().await.uuid);
    let colours = [[250, 0, 0], [0, 250, 0], [0, 0, 250], [250, 250, 0]];
    let pictures: Vec<_> =
        colours.into_iter().zip([480, 440, 460, 420]).map(|(of, width)| coloured(of, width)).collect();
    for _ in 0..6 {
        // The next one comes while one is being scaled.
        let (farm, worker, path) = (&farm, &worker, &path);
        let send = |(number, picture): (u64, &Vec<u8>)| {
            let request =
                farm.request(Method::POST, path).as_worker(worker).body("image/png", picture.clone());
            async move {
                tokio::time::sleep(Duration::from_millis(number * 25)).await;
                request.send().await
            }
        };
        for reply in futures_util::future::join_all((0..).zip(&pictures).map(send)).await {
            let _ = reply.expect(202);
        }
        let info = farm.get(&format!("/api/v3/jobs/{job}/last-rendered")).await.expect(200).json();
        let mut shown = Vec::new();
        for suffix in info["suffixes"].as_array().unwrap() {
            let file = format!("{}/{}", info["base"].as_str().unwrap(), suffix.as_str().unwrap());
            let picture =
                image::load_from_memory(&farm.get(&file).await.expect(200).body).unwrap().into_rgb8();
            let middle = picture.get_pixel(picture.width() / 2, picture.height() / 2).0;
            let near = |pixel: &image::Rgb<u8>| pixel.0.iter().zip(middle).all(|(a, b)| a.abs_diff(b) < 40);
            assert!(picture.pixels().all(near), "{file} shows two pictures");
            shown.push(middle.map(|channel| channel > 128));
        }
        assert!(
            shown.iter().all(|colour| *colour == shown[0]),
            "the sizes show different pictures: {shown:?}"
        );
    }
    let folder = farm.local_storage().join(format!("job-{}", &job[..4])).join(&job);
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().ends_with('~')), "{left:?}");
    farm.stop().await;
}

/// An upload of which nothing but the head and one byte come.
async fn stall(farm: &TestManager, worker: &FakeWorker, path: &str) -> TcpStream {
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", worker.id, worker.secret));
    let head =
        format!("POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Basic {basic}");
    let head = format!("{head}\r\nContent-Type: image/png\r\nContent-Length: 1000\r\n\r\n\u{1}");
    let mut connection = TcpStream::connect(farm.address()).await.unwrap();
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

async fn uploads_that_stall_keep_nobody_from_sending(farm: Builder) {
    let limit = Duration::from_secs(2);
    let farm = farm.with_parts(move |parts| parts.idle_limit = limit).start().await;
    let _ = farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let path = format!("/api/v3/worker/task/{}/output-produced", worker.take().await.uuid);
    let started = std::time::Instant::now();
    let mut stalled = Vec::new();
    for _ in 0..3 {
        stalled.push(stall(&farm, &worker, &path).await);
    }
    let send = || farm.request(Method::POST, &path).as_worker(&worker).body("image/png", png()).send();
    let _ = send().await.expect(202);
    assert!(started.elapsed() < limit, "it waited for those that sent nothing: {:?}", started.elapsed());
    for mut connection in stalled {
        let mut answer = String::new();
        connection.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert!(answer.contains("no byte of the request body came for 2s"), "{answer}");
    }
    farm.stop().await;
}

async fn when_too_many_are_on_their_way_the_next_is_told_to_wait(farm: Builder) {
    let farm = farm.start().await;
    let _ = farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let path = format!("/api/v3/worker/task/{}/output-produced", worker.take().await.uuid);
    let mut stalled = Vec::new();
    for _ in 0..64 {
        stalled.push(stall(&farm, &worker, &path).await);
    }
    let send = || farm.request(Method::POST, &path).as_worker(&worker).body("image/png", png()).send();
    let mut reply = send().await;
    // It may have come before the last of them, and taken its place.
    while reply.status == 202 {
        stalled.push(stall(&farm, &worker, &path).await);
        reply = send().await;
    }
    assert_eq!(reply.header("retry-after"), "1");
    let message = reply.problem(429);
    assert!(message.contains("later"), "{message}");
    drop(stalled);
    let mut reply = send().await;
    while reply.status == 429 {
        tokio::time::sleep(Duration::from_millis(20)).await;
        reply = send().await;
    }
    let _ = reply.expect(202);
    farm.stop().await;
}
