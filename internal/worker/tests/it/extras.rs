//! What goes beside the tasks: frames, pictures, and how the machine is doing. And that a manager which does not offer
//! to take it is not bothered.

use std::io::Write;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::sleep;
use uuid::Uuid;

use crate::fake_manager::{FakeManager, Fault};
use crate::{TestWorker, config, start};

/// A picture that Blender 3.4.1 rendered.
const PICTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../pkg/pictures/fixtures/transparent.png");

fn offer(manager: &FakeManager) {
    manager.farm().features = Some(vec!["frames", "machine", "something-new"]);
}

/// A script in the place of Blender that prints what Blender prints, and saves frames.
fn add_render(manager: &FakeManager, script: &str) -> Uuid {
    let parameters = json!({"exe": "/bin/sh", "argsBefore": ["-c", script], "blendfile": ""});
    manager.add_task(&[("blender-render", parameters)])
}

fn frame(folder: &Path, number: u32) -> String {
    let path = folder.join(format!("{number:04}.png"));
    format!(
        "echo 'Fra:{number} Mem:9.00M (Peak 2.00M) | Time:00:00.01 | x'; cp {PICTURE} {path}; \
         echo \"Saved: '{path}'\"; echo ' Time: 00:01.50 (Saving: 00:00.25)'; ",
        path = path.display()
    )
}

#[tokio::test]
async fn frames_are_reported_with_what_is_known() {
    let manager = FakeManager::start().await;
    offer(&manager);
    let (home, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let worker = TestWorker::start(config(&manager, home.path()));
    let path = |name: &str| out.path().join(name).display().to_string();
    let script = format!(
        "{first} echo 'skipping existing frame \"{first_path}\"'; : > {empty}; echo \"Saved: '{empty}'\"; \
         echo 'Time: 00:00.10'; echo \"Saved: '{missing}'\"; echo 'Time: 00:00.10'; echo 'Fra:9 Mem:1M (Peak 3.00M) |'; \
         exit 1",
        first = frame(out.path(), 1),
        first_path = path("0001.png"),
        empty = path("0002.png"),
        missing = path("0003.png"),
    );
    let task = add_render(&manager, &script);
    manager.until_ended(task).await;
    manager.until("all frames", |farm| (farm.frames.len() >= 5).then_some(())).await;
    let frames: Vec<Value> = manager.farm().frames.iter().map(|(_, frame)| frame.clone()).collect();
    assert!(manager.farm().frames.iter().all(|(id, _)| *id == task));
    let told: Vec<_> = frames
        .iter()
        .map(|frame| {
            json!([frame["frame"], frame["state"], frame["path"], frame["existing"], frame["render_ms"]])
        })
        .collect();
    assert_eq!(
        told,
        [
            json!([1, "ok", path("0001.png"), null, 1250]),
            json!([1, "ok", path("0001.png"), true, null]),
            json!([2, "empty", path("0002.png"), null, 100]),
            json!([3, "missing", path("0003.png"), null, 100]),
            json!([9, "failed", "", null, null]),
        ]
    );
    let size = std::fs::metadata(PICTURE).unwrap().len();
    let first = &frames[0];
    assert_eq!(
        json!([first["save_ms"], first["peak_memory"], first["file_size"], first["width"], first["height"]]),
        json!([250, 2_097_152, size, 24, 16])
    );
    assert_eq!(frames[4]["peak_memory"], 3_145_728);
    worker.stop().await;
}

#[tokio::test]
async fn how_far_a_slow_frame_is_is_told_where_it_is_wanted_and_why_it_failed() {
    let manager = FakeManager::start().await;
    manager.farm().features = Some(vec!["frames", "frame-progress"]);
    let home = tempfile::tempdir().unwrap();
    let worker = TestWorker::start(config(&manager, home.path()));
    let render = |end: &str| {
        format!(
            "echo 'Fra:7 Mem:9M (Peak 9M) | Scene, ViewLayer | Sample 16/128'; \
             echo 'Fra:7 Mem:9M (Peak 9M) | Scene, ViewLayer | Sample 64/128'; {end}"
        )
    };
    let script =
        render("while [ ! -e END ]; do sleep 0.1; done; echo 'Error: Out of memory'; echo bye; exit 1");
    let end = home.path().join("end");
    let task = add_render(&manager, &script.replace("END", end.to_str().unwrap()));
    manager.until("told how far it is", |farm| (!farm.progress.is_empty()).then_some(())).await;
    std::fs::write(&end, "").unwrap();
    manager.until_ended(task).await;
    assert_eq!(manager.farm().progress, [(task, json!({"frame": 7, "percent": 50}))], "the last state, once");
    manager.until("the frame", |farm| (!farm.frames.is_empty()).then_some(())).await;
    let frame = manager.farm().frames[0].1.clone();
    assert_eq!(
        json!([frame["state"], frame["engine"], frame["samples"], frame["message"]]),
        json!(["failed", "CYCLES", 128, "Error: Out of memory"])
    );
    worker.stop().await;

    let other = FakeManager::start().await;
    other.farm().features = Some(vec!["frames"]);
    let home = tempfile::tempdir().unwrap();
    let worker = TestWorker::start(config(&other, home.path()));
    let task = add_render(&other, &render("sleep 3"));
    other.until_ended(task).await;
    assert_eq!(other.farm().count("frame-progress"), 0);
    worker.stop().await;
}

#[tokio::test]
async fn every_picture_is_sent_the_newest_first_when_the_manager_is_busy() {
    let manager = FakeManager::start().await;
    let (home, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    manager.fail_next("picture", [Fault::Status(429)]);
    let worker = TestWorker::start(config(&manager, home.path()));
    // Each has a size of its own, by which it is known again.
    let mut script = String::new();
    for number in 1..=4_u32 {
        let path = out.path().join(format!("{number:04}.png"));
        image::RgbImage::from_pixel(number * 10, 8, image::Rgb([200, 100, 50])).save(&path).unwrap();
        let saved = format!("echo \"Saved: '{}'\"; echo 'Time: 00:00.10'; ", path.display());
        script += &saved;
        if number == 1 {
            script += "sleep 0.4; ";
        }
    }
    let task = add_render(&manager, &script);
    manager.until_ended(task).await;
    manager.until("all pictures", |farm| (farm.pictures.len() == 4).then_some(())).await;
    let widths: Vec<u32> = manager
        .farm()
        .pictures
        .iter()
        .map(|(_, jpeg)| image::load_from_memory_with_format(jpeg, image::ImageFormat::Jpeg).unwrap().width())
        .collect();
    assert_eq!(widths, [40, 30, 20, 10]);
    assert_eq!(manager.farm().count("picture"), 5);
    assert_eq!(manager.farm().task(task).statuses(), ["active", "completed"]);
    worker.stop().await;
}

#[tokio::test]
async fn pictures_that_wait_are_sent_after_the_next_start() {
    let manager = FakeManager::start().await;
    let (home, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    // A manager that has no time for pictures.
    manager.fail_next("picture", [Fault::Status(503); 100]);
    let worker = TestWorker::start(config(&manager, home.path()));
    let task = add_render(&manager, &[1, 2, 3].map(|number| frame(out.path(), number)).concat());
    manager.until_ended(task).await;
    manager.until("one was tried", |farm| (farm.count("picture") > 0).then_some(())).await;
    worker.stop().await;
    assert!(manager.farm().pictures.is_empty());

    manager.farm().faults.clear();
    let worker = TestWorker::start(config(&manager, home.path()));
    manager.until("all pictures", |farm| (farm.pictures.len() == 3).then_some(())).await;
    assert!(manager.farm().pictures.iter().all(|(id, _)| *id == task));
    worker.stop().await;
    let worker = TestWorker::start(config(&manager, home.path()));
    manager.until("awake", |farm| (farm.status == "awake").then_some(())).await;
    worker.stop().await;
    assert_eq!(manager.farm().pictures.len(), 3, "each is sent once");
}

/// The worker finds the manager at its second address, with all that it had to tell.
#[tokio::test]
async fn a_manager_that_comes_back_at_another_address_gets_what_was_left() {
    let manager = FakeManager::start().await;
    let home = tempfile::tempdir().unwrap();
    let free = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let group = std::net::SocketAddrV4::new(*flamenco_ssdp::GROUP.ip(), free.local_addr().unwrap().port());
    drop(free);
    let mut config = config(&manager, home.path());
    config.search_group = Some(group);
    // Long enough for an answer to the search, which may take a second.
    config.pace.lost_after = Duration::from_millis(1_500);
    let worker = TestWorker::start(config);
    let task = manager.add_script("sleep 1; echo after the move");
    manager.until("begun", |farm| (farm.task(task).statuses() == ["active"]).then_some(())).await;
    let new_address = manager.move_away().await;
    let responder = flamenco_ssdp::Responder::bind(flamenco_ssdp::MANAGER, group).unwrap();
    let locations = vec![format!("http://{new_address}/upnp/description.xml")];
    let announcement = flamenco_ssdp::Announcement {
        locations: Box::new(move |_| locations.clone()),
        server: "test".into(),
    };
    let announced = tokio_util::sync::CancellationToken::new();
    tokio::spawn(responder.run(announcement, announced.clone()));
    manager.until_ended(task).await;
    assert!(manager.farm().task(task).log().contains("after the move"));
    assert_eq!(manager.farm().registrations.len(), 1, "it is the same worker");
    worker.stop().await;
    announced.cancel();
}

/// Another manager on the same network is no place for what the lost one is to be told.
#[tokio::test]
async fn a_worker_that_has_lost_its_manager_does_not_take_another_one() {
    let (manager, other) = (FakeManager::start().await, FakeManager::start().await);
    let home = tempfile::tempdir().unwrap();
    let free = std::net::UdpSocket::bind((std::net::Ipv4Addr::UNSPECIFIED, 0)).unwrap();
    let group = std::net::SocketAddrV4::new(*flamenco_ssdp::GROUP.ip(), free.local_addr().unwrap().port());
    drop(free);
    let mut config = config(&manager, home.path());
    config.search_group = Some(group);
    config.pace.lost_after = Duration::from_millis(600);
    let worker = TestWorker::start(config);
    let task = manager.add_script("sleep 1; echo at the end");
    manager.until("begun", |farm| (farm.task(task).statuses() == ["active"]).then_some(())).await;
    manager.cut();
    let responder = flamenco_ssdp::Responder::bind(flamenco_ssdp::MANAGER, group).unwrap();
    let locations = vec![format!("{}upnp/description.xml", other.url())];
    let announcement = flamenco_ssdp::Announcement {
        locations: Box::new(move |_| locations.clone()),
        server: "test".into(),
    };
    let announced = tokio_util::sync::CancellationToken::new();
    tokio::spawn(responder.run(announcement, announced.clone()));
    other.until("it was asked who it knows", |farm| (farm.count("state") > 0).then_some(())).await;
    sleep(Duration::from_secs(1)).await;
    manager.restore();
    manager.until_ended(task).await;
    assert!(manager.farm().task(task).log().contains("at the end"));
    worker.stop().await;
    let there = other.farm();
    assert_eq!((there.count("register"), there.count("sign-on")), (0, 0));
    drop(there);
    announced.cancel();
}

#[tokio::test]
async fn a_picture_that_the_manager_trips_over_holds_up_no_other() {
    let manager = FakeManager::start().await;
    let (home, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let worker = TestWorker::start(config(&manager, home.path()));
    manager.fail_next("picture", [Fault::Status(500)]);
    let script: String = [3, 2, 1]
        .map(|width: u32| {
            let path = out.path().join(format!("{width:04}.png"));
            image::RgbImage::from_pixel(width * 10, 8, image::Rgb([200, 100, 50])).save(&path).unwrap();
            format!("echo \"Saved: '{}'\"; echo 'Time: 00:00.10'; ", path.display())
        })
        .concat();
    let task = add_render(&manager, &script);
    manager.until_ended(task).await;
    manager.until("all pictures", |farm| (farm.pictures.len() == 3).then_some(())).await;
    // Which one is tried first depends on how many there are by then.
    let (mut widths, calls) = {
        let farm = manager.farm();
        let width = |picture: &[u8]| image::load_from_memory(picture).unwrap().width();
        (farm.pictures.iter().map(|(_, picture)| width(picture)).collect::<Vec<_>>(), farm.count("picture"))
    };
    widths.sort_unstable();
    assert_eq!((widths, calls), (vec![10, 20, 30], 4), "one of them twice");
    worker.stop().await;
}

#[tokio::test]
async fn a_picture_that_cannot_be_read_corrects_its_frame_and_harms_nothing() {
    let manager = FakeManager::start().await;
    offer(&manager);
    let (home, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let worker = TestWorker::start(config(&manager, home.path()));
    let save = |name: &str, content: &[u8]| {
        let path = out.path().join(name);
        std::fs::write(&path, content).unwrap();
        format!("echo \"Saved: '{}'\"; echo 'Time: 00:00.10'; ", path.display())
    };
    let exr = std::fs::read(Path::new(PICTURE).with_file_name("half.exr")).unwrap();
    let black = out.path().join("black.png");
    image::RgbImage::new(4, 4).save(&black).unwrap();
    let black = std::fs::read(black).unwrap();
    let script = [
        save("0001.exr", &exr[..exr.len() - 50]),
        save("0002.png", &black),
        save("0003.mov", b"\0\0\0\x14ftypqt  \0\0\0\0qt  "),
        save("0004.exr", &exr),
    ];
    let task = add_render(&manager, &script.concat());
    manager.until_ended(task).await;
    // The newest goes first, so the broken one is looked at last.
    let last = |number: i64| {
        manager.farm().frames.iter().rev().find(|(_, frame)| frame["frame"] == number).unwrap().1["state"]
            .clone()
    };
    manager
        .until("corrected", |farm| {
            let has = |state: &str| farm.frames.iter().any(|(_, frame)| frame["state"] == state);
            (has("broken") && has("black")).then_some(())
        })
        .await;
    assert_eq!([1, 2, 3, 4].map(last), ["broken", "black", "ok", "ok"].map(Value::from));
    manager.until("both pictures", |farm| (farm.pictures.len() == 2).then_some(())).await;
    worker.stop().await;
}

#[tokio::test]
async fn frames_of_a_task_without_a_network_arrive_later() {
    let manager = FakeManager::start().await;
    offer(&manager);
    let (home, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let worker = TestWorker::start(config(&manager, home.path()));
    let go = out.path().join("go");
    let frames: String = (1..=20).map(|number| frame(out.path(), number)).collect();
    let task = add_render(
        &manager,
        &format!("echo started; while ! test -e {}; do sleep 0.05; done; {frames}", go.display()),
    );
    manager.until("output", |farm| farm.task(task).log().contains("> started").then_some(())).await;
    manager.cut();
    std::fs::write(&go, "").unwrap();
    while !out.path().join("0020.png").exists() {
        sleep(Duration::from_millis(20)).await;
    }
    sleep(Duration::from_millis(300)).await;
    assert!(manager.farm().frames.is_empty());
    manager.restore();
    manager.until_ended(task).await;
    manager.until("all pictures", |farm| (farm.pictures.len() == 20).then_some(())).await;
    let numbers: Vec<_> =
        manager.farm().frames.iter().map(|(_, frame)| frame["frame"].as_i64().unwrap()).collect();
    assert_eq!(numbers, (1..=20).collect::<Vec<_>>());
    let log = manager.farm().task(task).log();
    for number in 1..=20 {
        let line = format!("> Saved: '{}'", out.path().join(format!("{number:04}.png")).display());
        assert!(log.contains(&line), "{line} in {log}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_manager_that_refuses_frames_still_gets_the_rest() {
    let manager = FakeManager::start().await;
    offer(&manager);
    let (home, out) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    manager.fail_next("frames", [Fault::Status(404), Fault::Status(503)]);
    let worker = TestWorker::start(config(&manager, home.path()));
    let refused = add_render(&manager, &frame(out.path(), 1));
    manager.until_ended(refused).await;
    let late = add_render(&manager, &frame(out.path(), 2));
    manager.until_ended(late).await;
    manager
        .until("the second frame", |farm| farm.frames.iter().any(|(id, _)| *id == late).then_some(()))
        .await;
    {
        let farm = manager.farm();
        assert_eq!(farm.frames.len(), 1);
        assert_eq!(farm.task(refused).statuses(), ["active", "completed"]);
    }
    worker.stop().await;
}

#[tokio::test]
async fn a_stock_manager_is_only_told_what_it_knows() {
    let (manager, home, worker) = start().await;
    let out = tempfile::tempdir().unwrap();
    let task = add_render(&manager, &frame(out.path(), 1));
    manager.until_ended(task).await;
    manager.until("the picture", |farm| (farm.pictures.len() == 1).then_some(())).await;
    sleep(Duration::from_millis(300)).await;
    {
        let farm = manager.farm();
        assert_eq!((farm.count("frames"), farm.count("machine")), (0, 0));
    }
    worker.stop().await;
    drop(home);
}

#[tokio::test]
async fn the_machine_is_reported_to_who_wants_it() {
    let manager = FakeManager::start().await;
    offer(&manager);
    let home = tempfile::tempdir().unwrap();
    let mut config = config(&manager, home.path());
    config.pace.machine_load = Duration::from_millis(50);
    config.pace.machine_state = Duration::from_millis(600);
    // One gets lost: it is not repeated, only followed by the next.
    manager.fail_next("machine", [Fault::Status(500)]);
    let worker = TestWorker::start(config);
    let busy = manager.add_script("i=0; while [ $i -lt 400000 ]; do i=$((i+1)); done; sleep 0.5");
    let busy_report = manager
        .until("a report about the task", |farm| {
            farm.machine.iter().find(|report| report["load"]["task_memory"].is_i64()).cloned()
        })
        .await;
    assert!(busy_report["load"]["task_cpu_percent"].is_number(), "{busy_report}");
    manager.until_ended(busy).await;
    manager
        .until("the hardware", |farm| {
            farm.machine.iter().any(|report| report["hardware"].is_object()).then_some(())
        })
        .await;
    manager
        .until("two reports of the disks", |farm| {
            (farm.machine.iter().filter(|report| report["state"].is_object()).count() >= 2).then_some(())
        })
        .await;
    {
        let farm = manager.farm();
        let reports = &farm.machine;
        let first = &reports[0];
        let with_hardware = reports.iter().find(|report| report["hardware"].is_object()).unwrap();
        assert!(with_hardware["hardware"]["threads"].as_i64().unwrap() > 0, "{with_hardware}");
        let versions = with_hardware["hardware"]["blender_versions"].as_array().unwrap();
        assert!(versions[0].as_str().unwrap().starts_with("Blender "), "{versions:?}");
        assert!(with_hardware["hardware"]["ffmpeg_version"].is_string(), "{with_hardware}");
        assert!(first["load"]["memory_total"].as_i64().unwrap() > 0, "{first}");
        assert!(first["state"]["disks"].as_array().unwrap().len() >= 2, "{first}");
        assert_eq!(
            reports.iter().filter(|report| report["hardware"].is_object()).count(),
            1,
            "once for a sign-on"
        );
        let times: Vec<_> = reports.iter().map(|report| report["now"].as_str().unwrap()).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "none comes twice: {times:?}");
    }
    worker.stop().await;
}

#[tokio::test]
async fn the_room_of_the_shared_storage_is_known_before_anything_was_saved_there() {
    let (storage, home) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = storage.path().display().to_string();
    for (told, wanted) in [
        (Some(place.clone()), Some(place.as_str())),
        // Not mounted on this machine.
        (Some(format!("{place}/elsewhere")), None),
        // A stock manager.
        (None, None),
    ] {
        let manager = FakeManager::start().await;
        offer(&manager);
        manager.farm().shared_storage = told;
        let mut config = config(&manager, home.path());
        config.pace.machine_load = Duration::from_millis(50);
        let worker = TestWorker::start(config);
        let disks = manager
            .until("a report of the disks", |farm| {
                let found = farm.machine.iter().find_map(|report| report["state"]["disks"].as_array());
                found.cloned()
            })
            .await;
        let output = disks.iter().find(|disk| disk["purpose"] == "output");
        assert_eq!(output.and_then(|disk| disk["path"].as_str()), wanted, "{disks:?}");
        worker.stop().await;
    }
}

#[tokio::test]
async fn a_manager_that_is_slow_to_take_reports_delays_no_task() {
    let manager = FakeManager::start().await;
    offer(&manager);
    let home = tempfile::tempdir().unwrap();
    let mut config = config(&manager, home.path());
    config.pace.machine_load = Duration::from_millis(50);
    manager.fail_next("machine", [Fault::Slow(Duration::from_secs(30))]);
    manager.fail_next("picture", [Fault::Slow(Duration::from_secs(30))]);
    let worker = TestWorker::start(config);
    manager.until("a report", |farm| (farm.count("machine") > 0).then_some(())).await;
    let out = tempfile::tempdir().unwrap();
    let started = std::time::Instant::now();
    for number in 1..=3 {
        let task = add_render(&manager, &frame(out.path(), number));
        manager.until_ended(task).await;
    }
    assert!(started.elapsed() < Duration::from_secs(4), "{:?}", started.elapsed());
    worker.stop().await;
}

#[tokio::test]
async fn the_end_of_the_worker_s_own_log_is_sent_to_who_wants_it() {
    let manager = FakeManager::start().await;
    let home = tempfile::tempdir().unwrap();
    let mut config = config(&manager, home.path());
    config.pace.machine_load = Duration::from_millis(50);
    let log = config.own_log.clone();
    writeln!(log.writer(), "worker starts manager=http://worker:TOKEN@farm/").unwrap();

    // One that does not offer it is not bothered.
    offer(&manager);
    let worker = TestWorker::start(config.clone());
    manager.until("reports", |farm| (farm.count("machine") > 3).then_some(())).await;
    assert_eq!(manager.farm().count("log"), 0);
    worker.stop().await;

    manager.farm().features = Some(vec!["worker-log"]);
    let worker = TestWorker::start(config);
    manager.until("the first piece", |farm| (!farm.log.is_empty()).then_some(())).await;
    assert_eq!(
        manager.farm().log[0],
        json!({ "lines": ["worker starts manager=http://***@farm/"], "anew": true }),
        "everything after a sign-on, without secrets"
    );
    let secret = std::fs::read_to_string(home.path().join("flamenco-worker-credentials.yaml")).unwrap();
    let secret = secret.lines().find_map(|line| line.strip_prefix("worker_secret: ")).unwrap().trim();
    // One event is one write.
    log.writer().write_all(format!("two {secret}\nthree\n").as_bytes()).unwrap();
    manager.until("the next piece", |farm| (farm.log.len() > 1).then_some(())).await;
    assert_eq!(manager.farm().log[1], json!({ "lines": ["two ***", "three"] }), "only what is new");

    // What did not arrive comes with the next piece, and the manager may have forgotten what it had.
    manager.fail_next("log", [Fault::Status(500)]);
    writeln!(log.writer(), "four").unwrap();
    manager.until("all of it", |farm| (farm.log.len() > 2).then_some(())).await;
    let all = json!(["worker starts manager=http://***@farm/", "two ***", "three", "four"]);
    assert_eq!(manager.farm().log[2], json!({ "lines": all, "anew": true }));
    sleep(Duration::from_millis(300)).await;
    assert_eq!(manager.farm().log.len(), 3, "nothing is said when nothing was logged");
    worker.stop().await;
}
