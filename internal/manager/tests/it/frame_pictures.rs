//! Thumbnails of frames, previews made of them, and what is told about frames while they come.

use std::io::Cursor;
use std::time::Duration;

use flamenco_testkit::{Builder, FakeWorker, LiveUpdates, Method, Protocol, Reply, TestManager};
use image::{ImageFormat, Rgba, RgbaImage};
use serde_json::{Value, json};

use crate::frame_requeue::render_job;

on_each_database!(
    every_frame_has_thumbnails_of_two_sizes,
    a_newer_picture_replaces_the_one_before,
    a_picture_may_come_before_its_report,
    pictures_of_a_stock_worker_belong_to_the_frames_of_its_log,
    thumbnails_go_with_their_job,
    a_moving_preview_shows_what_is_missing,
    a_poster_can_be_chosen,
    a_finished_video_is_handed_out,
    those_who_watch_are_told_of_frames,
    the_manager_looks_at_files_itself,
    the_oldest_large_thumbnails_make_room,
    parameters_of_pictures_are_checked,
);

const EARLY: &str = "2026-01-02T03:00:00Z";
const LATE: &str = "2026-01-02T03:30:00Z";

/// A picture of one colour.
pub fn png(colour: [u8; 4]) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    RgbaImage::from_pixel(800, 450, Rgba(colour)).write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

async fn send(farm: &TestManager, worker: &FakeWorker, task: &str, query: &str, bytes: Vec<u8>) -> Reply {
    let path = format!("/api/v3/worker/task/{task}/output-produced{query}");
    farm.request(Method::POST, &path).as_worker(worker).body("image/png", bytes).send().await
}

fn of(frame: i64, at: &str) -> String {
    format!("?frame={frame}&path=/out/{frame:06}.png&rendered_at={at}")
}

pub fn frame(number: i64, state: &str, at: &str) -> Value {
    json!({ "frame": number, "path": format!("/out/{number:06}.png"), "state": state, "rendered_at": at,
        "render_ms": 1000, "width": 800, "height": 450 })
}

pub async fn report(farm: &TestManager, worker: &FakeWorker, task: &str, frames: Value) {
    let path = format!("/api/v3/worker/task/{task}/frames");
    let body = json!({ "frames": frames });
    farm.request(Method::POST, &path).as_worker(worker).json(&body).send().await.no_content();
}

pub async fn list(farm: &TestManager, job: &str, query: &str) -> Vec<Value> {
    let page = farm.get(&format!("/api/v3/jobs/{job}/frames{query}")).await.expect(200).json();
    page["frames"].as_array().unwrap().clone()
}

/// A farm with a job that renders frames 1 to 4 in one task, a worker, and that task.
async fn started(farm: Builder) -> (TestManager, String, FakeWorker, String) {
    let farm = farm.start().await;
    let job = farm.submit("job", render_job(&["1..4"])).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await.uuid.to_string();
    (farm, job, worker, task)
}

async fn every_frame_has_thumbnails_of_two_sizes(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    report(&farm, &worker, &task, json!([frame(1, "ok", EARLY), frame(2, "ok", EARLY)])).await;
    let _ = send(&farm, &worker, &task, &of(1, EARLY), png([200, 100, 50, 255])).await.expect(202);
    let _ = send(&farm, &worker, &task, &of(2, EARLY), png([200, 100, 50, 128])).await.expect(202);
    let frames = list(&farm, &job, "").await;
    for (frame, media_type, extension) in
        [(&frames[0], "image/jpeg", ".jpg"), (&frames[1], "image/webp", ".webp")]
    {
        let thumbnail = &frame["thumbnail"];
        for (size, width) in [("small", 199), ("large", 600)] {
            let address = thumbnail[size].as_str().unwrap();
            assert!(address.starts_with("/job-files/") && address.ends_with(extension), "{address}");
            let file = farm.get(address).await.expect(200);
            assert_eq!(file.header("content-type"), media_type);
            assert!(file.header("cache-control").contains("immutable"), "{}", file.header("cache-control"));
            let shown = image::load_from_memory(&file.body).unwrap();
            assert!(shown.width().abs_diff(width) <= 1, "{size}: {}", shown.width());
            assert_eq!(shown.color().has_alpha(), extension == ".webp");
        }
    }
    assert_ne!(frames[0]["thumbnail"], frames[1]["thumbnail"]);
    assert_eq!(frames[0]["output"], "/out/######.png");
    let log = farm.get(&format!("/api/v3/jobs/{job}")).await.expect(200).json();
    assert!(log["frames"]["thumbnail"]["small"].is_string(), "the job shows its newest: {log}");

    // The next frame is there before its picture.
    report(&farm, &worker, &task, json!([frame(3, "ok", LATE)])).await;
    let job_now =
        || async { farm.get(&format!("/api/v3/jobs/{job}")).await.expect(200).json()["frames"].clone() };
    assert_eq!(job_now().await["thumbnail"], frames[1]["thumbnail"], "the newest picture that there is");
    let _ = send(&farm, &worker, &task, &of(3, LATE), png([0, 0, 200, 255])).await.expect(202);
    assert_eq!(job_now().await["thumbnail"], list(&farm, &job, "").await[2]["thumbnail"]);
    farm.stop().await;
}

async fn a_newer_picture_replaces_the_one_before(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    report(&farm, &worker, &task, json!([frame(1, "ok", LATE)])).await;
    let shown = async || list(&farm, &job, "").await[0]["thumbnail"]["large"].as_str().unwrap().to_owned();
    let _ = send(&farm, &worker, &task, &of(1, LATE), png([200, 0, 0, 255])).await.expect(202);
    let first = shown().await;
    // Once more the same, and one of an older rendering: nothing changes.
    let _ = send(&farm, &worker, &task, &of(1, LATE), png([200, 0, 0, 255])).await.expect(202);
    let _ = send(&farm, &worker, &task, &of(1, EARLY), png([0, 200, 0, 255])).await.expect(202);
    assert_eq!(shown().await, first);
    let _ = farm.get(&first).await.expect(200);
    let _ = send(&farm, &worker, &task, &of(1, LATE), png([0, 0, 200, 255])).await.expect(202);
    let second = shown().await;
    assert_ne!(second, first);
    let _ = farm.get(&second).await.expect(200);
    let _ = farm.get(&first).await.problem(404);
    let folder = farm.local_storage().join(format!("job-{}", &job[..4])).join(&job);
    let files = std::fs::read_dir(folder).unwrap().flatten();
    let thumbnails = files.filter(|file| file.file_name().to_string_lossy().starts_with("frame-")).count();
    assert_eq!(thumbnails, 2, "what was replaced is gone");
    farm.stop().await;
}

async fn a_picture_may_come_before_its_report(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    let _ = send(&farm, &worker, &task, &of(1, EARLY), png([200, 0, 0, 255])).await.expect(202);
    assert_eq!(list(&farm, &job, "").await[0]["frame"], 1);
    report(&farm, &worker, &task, json!([frame(1, "ok", EARLY)])).await;
    let frames = list(&farm, &job, "").await;
    assert_eq!((frames.len(), &frames[0]["attempt"], &frames[0]["render_ms"]), (1, &json!(1), &json!(1000)));
    assert!(frames[0]["thumbnail"]["small"].is_string());
    let statistics = farm.get("/api/v3/frames/statistics").await.expect(200).json();
    let counted: i64 =
        statistics["workers"].as_array().unwrap().iter().map(|of| of["frames"].as_i64().unwrap()).sum();
    assert_eq!(counted, 1, "counted once: {statistics}");
    farm.stop().await;
}

async fn pictures_of_a_stock_worker_belong_to_the_frames_of_its_log(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    let id = task.parse().unwrap();
    // The first picture comes before the line of the log, the second after it.
    let _ = send(&farm, &worker, &task, "", png([200, 0, 0, 255])).await.expect(202);
    assert!(list(&farm, &job, "").await.is_empty());
    let log = "Fra:1 Mem:8M\nSaved: '/out/000001.png'\n Time: 00:01.50 (Saving: 00:00.25)\nSaved: '/out/000002.png'\n";
    assert_eq!(worker.log(id, log).await, 204);
    let frames = list(&farm, &job, "").await;
    let shown = |frames: &[Value]| {
        frames.iter().map(|frame| frame["thumbnail"]["small"].is_string()).collect::<Vec<_>>()
    };
    assert_eq!(shown(&frames), [true, false]);
    assert_eq!((&frames[0]["render_ms"], &frames[0]["save_ms"]), (&json!(1250), &json!(250)));
    assert_eq!((&frames[0]["path"], &frames[0]["worker_name"]), (&json!("/out/000001.png"), &json!("w")));
    let _ = send(&farm, &worker, &task, "", png([0, 200, 0, 255])).await.expect(202);
    assert_eq!(shown(&list(&farm, &job, "").await), [true, true]);

    // A worker that reports as well says the same again.
    report(&farm, &worker, &task, json!([frame(1, "ok", LATE)])).await;
    assert_eq!(worker.log(id, log).await, 204);
    let frames = list(&farm, &job, "").await;
    assert_eq!((frames.len(), &frames[0]["attempt"]), (2, &json!(1)));
    farm.stop().await;
}

async fn thumbnails_go_with_their_job(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    let _ = send(&farm, &worker, &task, &of(1, EARLY), png([200, 0, 0, 255])).await.expect(202);
    let address = list(&farm, &job, "").await[0]["thumbnail"]["small"].as_str().unwrap().to_owned();
    let _ = farm.get(&address).await.expect(200);
    farm.delete(&format!("/api/v3/jobs/{job}")).await.no_content();
    crate::eventually("the thumbnail is gone", Duration::from_secs(10), async || {
        farm.get(&address).await.status == 404
    })
    .await;
    farm.stop().await;
}

async fn a_moving_preview_shows_what_is_missing(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    let preview =
        async |query: &str| farm.get(&format!("/api/v3/jobs/{job}/preview{query}")).await.expect(200).json();
    let nothing = preview("").await;
    assert_eq!((nothing.get("animation"), nothing.get("still")), (None, None), "{nothing}");
    assert_eq!((&nothing["first_frame"], &nothing["last_frame"]), (&json!(1), &json!(4)));
    for (number, red) in [(1, 50), (2, 100), (4, 200)] {
        let _ = send(&farm, &worker, &task, &of(number, EARLY), png([red, 0, 0, 255])).await.expect(202);
    }
    let found = preview("?fps=25").await;
    let counts = ["frames", "missing", "step", "fps", "still_frame"].map(|key| found[key].as_i64().unwrap());
    assert_eq!(counts, [4, 1, 1, 25, 2], "{found}");
    let address = found["animation"].as_str().unwrap();
    let file = farm.get(address).await.expect(200);
    assert_eq!(file.header("content-type"), "image/gif");
    let decoder = image::codecs::gif::GifDecoder::new(Cursor::new(&file.body[..])).unwrap();
    let pictures = image::AnimationDecoder::into_frames(decoder).collect_frames().unwrap();
    let reds: Vec<u8> = pictures.iter().map(|picture| picture.buffer().get_pixel(100, 5).0[0]).collect();
    for (red, want) in reds.iter().zip([50, 100, 33, 200]) {
        assert!(red.abs_diff(want) < 12, "the third is the second, dimmed: {reds:?}");
    }
    assert_eq!(pictures[0].delay().numer_denom_ms(), (40, 1));
    assert_eq!(preview("?fps=25").await["animation"], address, "made once");
    let _ = send(&farm, &worker, &task, &of(3, EARLY), png([150, 0, 0, 255])).await.expect(202);
    let complete = preview("?fps=25&size=large").await;
    assert_eq!((&complete["missing"], complete["animation"] != address), (&json!(0), true));
    let _ = farm.get(complete["animation"].as_str().unwrap()).await.expect(200);
    let _ = farm.get(&format!("/api/v3/jobs/{}/preview", crate::UNKNOWN)).await.problem(404);
    for bad in ["?fps=0", "?fps=61", "?size=huge"] {
        let _ = farm.get(&format!("/api/v3/jobs/{job}/preview{bad}")).await.problem(400);
    }
    farm.stop().await;
}

async fn a_poster_can_be_chosen(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    for number in [1, 2, 4] {
        let picture = png([u8::try_from(number * 50).unwrap(), 0, 0, 255]);
        let _ = send(&farm, &worker, &task, &of(number, EARLY), picture).await.expect(202);
    }
    let path = format!("/api/v3/jobs/{job}/preview/poster");
    let still = async || {
        let found = farm.get(&format!("/api/v3/jobs/{job}/preview")).await.expect(200).json();
        (found["still_frame"].as_i64().unwrap(), found["still_chosen"].as_bool().unwrap())
    };
    assert_eq!(still().await, (2, false));
    farm.post(&path, &json!({ "frame": 4 })).await.no_content();
    assert_eq!(still().await, (4, true));
    let message = farm.post(&path, &json!({ "frame": 3 })).await.problem(422);
    assert!(message.contains("frame 3 has no thumbnail"), "{message}");
    assert_eq!(still().await, (4, true));
    farm.post(&path, &json!({})).await.no_content();
    assert_eq!(still().await, (2, false));
    let unknown = format!("/api/v3/jobs/{}/preview/poster", crate::UNKNOWN);
    let _ = farm.post(&unknown, &json!({})).await.problem(404);
    farm.stop().await;
}

async fn a_finished_video_is_handed_out(farm: Builder) {
    let farm = farm.start().await;
    let configuration = farm.get("/api/v3/configuration").await.expect(200).json();
    let storage = std::path::PathBuf::from(configuration["storageLocation"].as_str().unwrap());
    let outside = tempfile::tempdir().unwrap();
    let encode = |path: &std::path::Path| {
        let commands =
            json!([{ "name": "frames-to-video", "parameters": { "outputFile": path.to_str().unwrap() } }]);
        json!([{ "name": "render" }, { "name": "encode", "commands": commands }])
    };
    let worker = farm.worker("w").await;
    let done = async |name: &str, path: &std::path::Path| {
        let job = farm.submit(name, encode(path)).await;
        for _ in 0..2 {
            worker.complete(&worker.take().await).await;
        }
        job
    };
    let address = async |job: &str| {
        let preview = farm.get(&format!("/api/v3/jobs/{job}/preview")).await.expect(200).json();
        preview.get("video").map(|address| address.as_str().unwrap().to_owned())
    };
    let path = storage.join("shot.mp4");
    let job = farm.submit("waits", encode(&path)).await;
    std::fs::write(&path, "0123456789").unwrap();
    assert_eq!(
        address(&job).await,
        None,
        "it may be the one of an earlier job as long as the task is not completed"
    );
    farm.set_job_status(&job, "cancel-requested").await.no_content();

    let job = done("done", &path).await;
    let video = address(&job).await.unwrap();
    let whole = farm.get(&video).await.expect(200);
    assert_eq!((whole.text(), whole.header("content-type")), ("0123456789".to_owned(), "video/mp4"));
    assert!(whole.header("cache-control").contains("immutable"));
    let part = farm.request(Method::GET, &video).header("range", "bytes=2-4").send().await.expect(206);
    assert_eq!(part.text(), "234");
    let _ = farm.get(&video.replace("video-", "video-0")).await.problem(404);
    std::fs::write(&path, "another one").unwrap();
    let _ = farm.get(&video).await.problem(404);
    let newer = address(&job).await.unwrap();
    assert_ne!(newer, video);
    assert_eq!(farm.get(&newer).await.expect(200).text(), "another one");

    let secret = outside.path().join("secret.mp4");
    std::fs::write(&secret, "secret").unwrap();
    let text = storage.join("notes.txt");
    std::fs::write(&text, "secret").unwrap();
    let hidden = storage.join("..").join(secret.strip_prefix("/").unwrap());
    for (name, path) in
        [("outside", &secret), ("no video", &text), ("upwards", &hidden), ("gone", &storage.join("no.mp4"))]
    {
        let job = done(name, path).await;
        assert_eq!(address(&job).await, None, "{name}");
    }
    farm.stop().await;
}

async fn those_who_watch_are_told_of_frames(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    let mut one = LiveUpdates::connect(&farm, Protocol::Four).await;
    one.subscribe("jobFrames", Some(&job)).await;
    let mut all = LiveUpdates::connect(&farm, Protocol::Three).await;
    all.subscribe("allFrames", None).await;
    let mut other = LiveUpdates::connect(&farm, Protocol::Four).await;
    other.subscribe("jobFrames", Some(crate::UNKNOWN)).await;
    report(&farm, &worker, &task, json!([frame(1, "ok", EARLY), frame(2, "black", EARLY)])).await;
    for live in [&mut one, &mut all] {
        let event = live.until("/frames", |event| event["job"] == job).await;
        let seen: Vec<_> = event["frames"]
            .as_array()
            .unwrap()
            .iter()
            .map(|frame| (frame["frame"].as_i64().unwrap(), frame["state"].as_str().unwrap().to_owned()))
            .collect();
        assert_eq!(seen, [(1, "ok".to_owned()), (2, "black".to_owned())]);
        assert_eq!(event["refresh"], false);
    }
    let _ = send(&farm, &worker, &task, &of(1, EARLY), png([200, 0, 0, 255])).await.expect(202);
    let event = one.until("/frames", |event| event["frames"][0]["thumbnail"]["small"].is_string()).await;
    assert_eq!(event["frames"][0]["frame"], 1);
    let events = other.drain(Duration::from_millis(700)).await;
    assert!(events.iter().all(|(name, _)| name != "/frames"), "{events:?}");
    farm.stop().await;
}

async fn the_manager_looks_at_files_itself(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    let configuration = farm.get("/api/v3/configuration").await.expect(200).json();
    let storage = std::path::PathBuf::from(configuration["storageLocation"].as_str().unwrap());
    let folder = storage.join("render");
    std::fs::create_dir_all(&folder).unwrap();
    let layers = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pkg/pictures/fixtures/multilayer.exr");
    std::fs::copy(layers, folder.join("0006.exr")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    for (path, content) in [
        (file("0001.png"), png([200, 0, 0, 255])),
        (file("0002.png"), png([0, 0, 0, 255])),
        (file("0003.png"), Vec::new()),
        (outside.path().join("0005.png").to_str().unwrap().to_owned(), png([200, 0, 0, 255])),
    ] {
        std::fs::write(path, content).unwrap();
    }
    let paths = ["0001.png", "0002.png", "0003.png", "0004.png"].map(file).into_iter();
    let paths = paths.chain([outside.path().join("0005.png").to_str().unwrap().to_owned(), file("0006.exr")]);
    let frames: Value = paths
        .zip(1..)
        .map(|(path, number)| json!({ "frame": number, "path": path, "state": "ok", "rendered_at": EARLY }))
        .collect();
    report(&farm, &worker, &task, frames).await;
    // Workers are given a minute to send a picture themselves.
    farm.clock().advance(chrono::TimeDelta::seconds(61));
    crate::eventually("the files were looked at", Duration::from_secs(40), async || {
        let frames = list(&farm, &job, "").await;
        frames[3]["state"] == "missing" && frames[5]["thumbnail"]["small"].is_string()
    })
    .await;
    let frames = list(&farm, &job, "").await;
    let seen: Vec<_> = frames
        .iter()
        .map(|frame| (frame["state"].as_str().unwrap(), frame["thumbnail"]["small"].is_string()))
        .collect();
    assert_eq!(seen[..4], [("ok", true), ("black", true), ("empty", false), ("missing", false)]);
    assert_eq!((&frames[0]["width"], &frames[0]["height"]), (&json!(800), &json!(450)));
    assert!(frames[0]["file_size"].as_i64() > Some(0));
    assert_eq!(seen[4], ("ok", false), "outside of the storage nothing is looked at");
    assert_eq!((seen[5], &frames[5]["width"]), (("ok", true), &json!(24)), "the layers of an EXR");
    farm.stop().await;
}

async fn the_oldest_large_thumbnails_make_room(farm: Builder) {
    let mut farm = farm.with_yaml("thumbnail_storage_mb: 1\n").start().await;
    let job = farm.submit("job", render_job(&["1..90"])).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await.uuid.to_string();
    // Noise, which nothing makes much smaller.
    let mut state = 1_u32;
    let noise = RgbaImage::from_fn(300, 169, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [red, green, blue, _] = state.to_be_bytes();
        Rgba([red % 64, green % 64, blue % 64, 255])
    });
    let mut bytes = Cursor::new(Vec::new());
    noise.write_to(&mut bytes, ImageFormat::Png).unwrap();
    for number in 1..=90 {
        let at = format!("2026-01-02T{:02}:{:02}:00Z", number / 60, number % 60);
        let _ = send(&farm, &worker, &task, &of(number, &at), bytes.get_ref().clone()).await.expect(202);
    }
    let large = async |farm: &TestManager| {
        let frames = list(farm, &job, "").await;
        assert!(
            frames.iter().all(|frame| frame["thumbnail"]["small"].is_string()),
            "a small one has every frame"
        );
        let kept = frames.iter().filter(|frame| frame["thumbnail"]["large"].is_string());
        kept.map(|frame| frame["frame"].as_i64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(large(&farm).await.len(), 90);
    let room = |farm: &TestManager| -> u64 {
        let folder = farm.local_storage().join(format!("job-{}", &job[..4])).join(&job);
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
        let frames = files.filter(|file| file.file_name().to_string_lossy().starts_with("frame-"));
        // One may be removed while this looks.
        frames.map(|file| file.metadata().map_or(0, |file| file.len())).sum()
    };
    assert!(room(&farm) > 1_100_000, "{}", room(&farm));
    // The room is looked at when the manager starts, and every ten minutes.
    farm.restart().await;
    crate::eventually("there is room", Duration::from_secs(20), async || room(&farm) <= 1_000_000).await;
    let kept = large(&farm).await;
    assert!((30..89).contains(&kept.len()), "no more than needed: {kept:?}");
    assert_eq!(kept.last(), Some(&90), "the newest stay: {kept:?}");
    assert!(kept.is_sorted() && kept.windows(2).all(|pair| pair[1] == pair[0] + 1), "{kept:?}");
    let frame = &list(&farm, &job, "").await[89];
    let _ = farm.get(frame["thumbnail"]["large"].as_str().unwrap()).await.expect(200);
    farm.stop().await;
}

async fn parameters_of_pictures_are_checked(farm: Builder) {
    let (farm, job, worker, task) = started(farm).await;
    for bad in
        ["?frame=x", "?path=/out/1.png", "?rendered_at=2026-01-02T03:00:00Z", "?frame=1&rendered_at=now"]
    {
        let _ = send(&farm, &worker, &task, bad, png([1, 1, 1, 255])).await.problem(400);
    }
    assert!(list(&farm, &job, "").await.is_empty());
    let _ = send(&farm, &worker, &task, &of(1, EARLY), b"no picture".to_vec()).await.problem(400);
    assert!(list(&farm, &job, "").await.is_empty(), "what was refused has changed nothing");
    farm.stop().await;
}
