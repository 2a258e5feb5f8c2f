//! The files of frames themselves, handed out to browsers from the shared storage and from nowhere else.

use std::path::{Path, PathBuf};

use flamenco_testkit::{Builder, FakeWorker, Method, TestManager};
use serde_json::{Value, json};

use crate::frame_pictures::{png, report};
use crate::tasks;

on_each_database!(
    a_file_that_a_browser_can_show_is_handed_out,
    what_lies_elsewhere_is_not_handed_out,
    names_that_were_made_up_lead_nowhere,
    two_way_variables_are_storage_too,
    a_file_that_is_gone_is_missing_until_it_is_back,
);

/// A farm with a task that a worker has, and its shared storage.
async fn started(farm: Builder) -> (TestManager, String, FakeWorker, String, PathBuf) {
    let farm = farm.start().await;
    let configuration = farm.get("/api/v3/configuration").await.expect(200).json();
    let storage = PathBuf::from(configuration["storageLocation"].as_str().unwrap());
    let job = farm.submit("job", tasks(1)).await;
    let worker = farm.worker("w").await;
    let task = worker.take().await.uuid.to_string();
    (farm, job, worker, task, storage)
}

fn rendered(path: &str) -> Value {
    json!([{ "frame": 1, "path": path, "state": "ok", "rendered_at": "2026-01-02T03:00:00Z" }])
}

/// Where the files of frame 1 are served; `None` for one that is not.
async fn originals(farm: &TestManager, job: &str) -> Vec<Option<String>> {
    let details = farm.get(&format!("/api/v3/jobs/{job}/frames/1")).await.expect(200).json();
    let files = details["files"].as_array().unwrap().iter();
    files.map(|file| file["original"].as_str().map(str::to_owned)).collect()
}

async fn a_file_that_a_browser_can_show_is_handed_out(farm: Builder) {
    let (farm, job, worker, task, storage) = started(farm).await;
    // Its name says something else than what it is.
    let path = storage.join("0001.html");
    let picture = png([200, 100, 50, 255]);
    std::fs::write(&path, &picture).unwrap();
    report(&farm, &worker, &task, rendered(path.to_str().unwrap())).await;

    let address = originals(&farm, &job).await[0].clone().unwrap();
    let parts: Vec<&str> = address.trim_start_matches('/').split('/').collect();
    assert_eq!((parts.len(), parts[0], parts[2]), (4, "job-files", job.as_str()), "{address}");
    assert!(parts[3].starts_with("original-") && parts[3].ends_with(".png"), "{address}");
    let whole = farm.get(&address).await.expect(200);
    assert_eq!(whole.body, picture);
    assert_eq!(whole.header("content-type"), "image/png");
    assert_eq!(whole.header("x-content-type-options"), "nosniff");
    assert!(whole.header("cache-control").contains("immutable"));
    let part = farm.request(Method::GET, &address).header("range", "bytes=1-3").send().await.expect(206);
    assert_eq!((part.text(), part.header("content-type")), ("PNG".to_owned(), "image/png"));
    let listed = farm.get(&format!("/api/v3/jobs/{job}/frames")).await.expect(200).json();
    assert_eq!(listed["frames"][0].get("original"), None, "a list does not look at every file");

    std::fs::write(&path, png([1, 2, 3, 255])).unwrap();
    let newer = originals(&farm, &job).await[0].clone().unwrap();
    assert_ne!(newer, address, "another content has another address");
    let _ = farm.get(&address).await.problem(404);
    assert_eq!(farm.get(&newer).await.expect(200).body, png([1, 2, 3, 255]));

    // A page that is called a picture stays what it is.
    std::fs::write(&path, "<script>alert(1)</script>").unwrap();
    assert_eq!(originals(&farm, &job).await, [None]);
    let _ = farm.get(&newer).await.problem(404);
    farm.stop().await;
}

async fn what_lies_elsewhere_is_not_handed_out(farm: Builder) {
    let (farm, job, worker, task, storage) = started(farm).await;
    let outside = tempfile::tempdir().unwrap();
    let secret = outside.path().join("0001.png");
    std::fs::write(&secret, png([9, 9, 9, 255])).unwrap();
    let beside = PathBuf::from(format!("{}-beside", storage.display()));
    std::fs::create_dir(&beside).unwrap();
    std::fs::write(beside.join("0001.png"), png([9, 9, 9, 255])).unwrap();
    let upwards = storage.join("..").join(secret.strip_prefix("/").unwrap());
    let many = storage.join("../../../../../../../../../..").join(secret.strip_prefix("/").unwrap());
    let mut attempts: Vec<(&str, PathBuf)> = vec![
        ("outside", secret.clone()),
        ("upwards", upwards),
        ("far upwards", many),
        ("a folder whose name begins as the storage's", beside.join("0001.png")),
        ("relative", PathBuf::from("0001.png")),
        ("the storage itself", storage.clone()),
        ("not there", storage.join("0002.png")),
        ("a folder", storage.join("folder.png")),
    ];
    std::fs::create_dir(storage.join("folder.png")).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::symlink;
        symlink(outside.path(), storage.join("way-out")).unwrap();
        symlink(&secret, storage.join("link.png")).unwrap();
        attempts.push(("a folder that is a link", storage.join("way-out/0001.png")));
        attempts.push(("a link", storage.join("link.png")));
        attempts.push(("a device", PathBuf::from("/dev/zero")));
    }
    for (number, (what, path)) in attempts.iter().enumerate() {
        let at = format!("2026-01-02T03:{number:02}:00Z");
        let frame = json!([{ "frame": 1, "path": path, "state": "ok", "rendered_at": at }]);
        report(&farm, &worker, &task, frame).await;
        assert!(originals(&farm, &job).await.iter().all(Option::is_none), "{what}");
    }
    // All of them are rows now; one that may be shown is still found among them.
    let good = storage.join("0003.png");
    std::fs::write(&good, png([3, 3, 3, 255])).unwrap();
    report(&farm, &worker, &task, rendered(good.to_str().unwrap())).await;
    assert_eq!(originals(&farm, &job).await.iter().flatten().count(), 1);
    std::fs::remove_dir_all(&beside).unwrap();
    farm.stop().await;
}

async fn names_that_were_made_up_lead_nowhere(farm: Builder) {
    let (farm, job, worker, task, storage) = started(farm).await;
    let path = storage.join("0001.png");
    std::fs::write(&path, png([200, 100, 50, 255])).unwrap();
    report(&farm, &worker, &task, rendered(path.to_str().unwrap())).await;
    let address = originals(&farm, &job).await[0].clone().unwrap();
    let name = Path::new(&address).file_name().unwrap().to_str().unwrap();
    let hash = name.rsplit_once('-').unwrap().1;
    let base = address.strip_suffix(name).unwrap();
    let other = farm.submit("other", tasks(1)).await;
    for made_up in [
        format!("{base}{}", name.replace(hash, "0000000000000000.png")),
        format!("{base}{}", name.replace(".png", ".svg")),
        format!("{base}original-999999-{hash}"),
        format!("{base}original--1-{hash}"),
        format!("{base}original-{hash}"),
        format!("{base}original-"),
        format!("{base}..%2F{name}"),
        address.replace(&job, &other),
    ] {
        let _ = farm.get(&made_up).await.problem(404);
    }
    let _ = farm.get(&address).await.expect(200);
    farm.stop().await;
}

async fn two_way_variables_are_storage_too(farm: Builder) {
    let renders = tempfile::tempdir().unwrap();
    let yaml = format!(
        "variables:\n  renders:\n    is_twoway: true\n    values:\n      - {{ platform: {}, value: {} }}\n",
        std::env::consts::OS,
        renders.path().display()
    );
    let (farm, job, worker, task, _) = started(farm.with_yaml(&yaml)).await;
    let path = renders.path().join("0001.png");
    std::fs::write(&path, png([200, 100, 50, 255])).unwrap();
    // As the worker sees it; its platform and the manager's are the same here.
    report(&farm, &worker, &task, rendered(path.to_str().unwrap())).await;
    let address = originals(&farm, &job).await[0].clone().unwrap();
    assert_eq!(farm.get(&address).await.expect(200).header("content-type"), "image/png");
    farm.stop().await;
}

async fn a_file_that_is_gone_is_missing_until_it_is_back(farm: Builder) {
    let (farm, job, worker, task, storage) = started(farm).await;
    let folder = storage.join("shot");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.join("0001.png");
    std::fs::write(&path, png([200, 100, 50, 255])).unwrap();
    report(&farm, &worker, &task, rendered(path.to_str().unwrap())).await;
    let look = async || {
        let details = farm.get(&format!("/api/v3/jobs/{job}/frames/1")).await.expect(200).json();
        let job = farm.get(&format!("/api/v3/jobs/{job}")).await.expect(200).json();
        json!([details["state"], details["files"][0]["state"], job["frames"]["done"]])
    };
    assert_eq!(look().await, json!(["ok", "ok", 1]));
    std::fs::remove_file(&path).unwrap();
    let listed = farm.get(&format!("/api/v3/jobs/{job}/frames")).await.expect(200).json();
    assert_eq!(listed["frames"][0]["state"], "ok", "nobody has looked");
    assert_eq!(look().await, json!(["missing", "missing", 0]));
    let listed = farm.get(&format!("/api/v3/jobs/{job}/frames")).await.expect(200).json();
    assert_eq!(listed["frames"][0]["state"], "missing");
    std::fs::write(&path, png([200, 100, 50, 255])).unwrap();
    assert_eq!(look().await, json!(["ok", "ok", 1]));
    // A storage that is away has lost nothing.
    std::fs::rename(&folder, storage.join("away")).unwrap();
    assert_eq!(look().await, json!(["ok", "ok", 1]));
    farm.stop().await;
}
