//! The file store: uploads, checkouts, and what becomes of them.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flamenco_testkit::{Builder, FakeWorker, Method, Reply, TestManager};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{eventually, tasks};

on_each_database!(
    from_requirements_to_a_deleted_job,
    a_checkout_stays_as_long_as_a_job_uses_it,
    a_client_that_forgets_the_checkout,
    jobs_with_impossible_checkouts,
);

pub(crate) const REQUIREMENTS: &str = "/api/v3/shaman/checkout/requirements";
pub(crate) const CREATE: &str = "/api/v3/shaman/checkout/create";
pub(crate) const SOON: Duration = Duration::from_secs(10);

/// The checksum of a content.
pub(crate) fn sum(content: &str) -> String {
    Sha256::digest(content).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A file as clients describe it.
pub(crate) fn spec(path: &str, content: &str) -> Value {
    json!({ "sha": sum(content), "size": content.len(), "path": path })
}

/// Where a content is uploaded to.
pub(crate) fn address(content: &str) -> String {
    format!("/api/v3/shaman/files/{}/{}", sum(content), content.len())
}

pub(crate) fn shared(farm: &TestManager) -> PathBuf {
    farm.folder().join("shared")
}

pub(crate) fn blob(farm: &TestManager, content: &str) -> PathBuf {
    let sum = sum(content);
    let below = format!("file-store/stored/{}/{}/{}.blob", &sum[..2], &sum[2..], content.len());
    shared(farm).join(below)
}

pub(crate) async fn send(farm: &TestManager, content: &str) -> Reply {
    let body = content.to_owned();
    farm.request(Method::POST, &address(content)).body("application/octet-stream", body).send().await
}

pub(crate) async fn put(farm: &TestManager, content: &str) {
    send(farm, content).await.no_content();
}

pub(crate) async fn check_out(farm: &TestManager, path: &str, files: &[Value]) -> Reply {
    farm.post(CREATE, &json!({ "checkoutPath": path, "files": files })).await
}

/// Uploads one file and checks it out; gives the ID.
async fn checkout(farm: &TestManager, path: &str, content: &str) -> String {
    assert!(matches!(send(farm, content).await.status, 204 | 208));
    let reply = check_out(farm, path, &[spec("scene.blend", content)]).await.expect(200);
    reply.json()["checkoutPath"].as_str().unwrap().to_owned()
}

pub(crate) async fn status(farm: &TestManager, content: &str) -> Value {
    farm.get(&address(content)).await.expect(200).json()["status"].clone()
}

/// Everything below a folder that is no folder, in no order.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        // What is temporary may be gone in the next moment.
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.symlink_metadata() {
                Ok(is) if is.is_dir() => folders.push(path),
                Ok(_) => found.push(path),
                Err(_) => {}
            }
        }
    }
    found
}

pub(crate) fn uploading(farm: &TestManager) -> Vec<PathBuf> {
    files_below(&shared(farm).join("file-store/uploading"))
}

fn with_checkout(name: &str, checkout: &str) -> Value {
    let mut submission = TestManager::submission(name, &tasks(1));
    submission["storage"] = json!({ "shaman_checkout_id": checkout });
    submission
}

async fn delete(farm: &TestManager, job: &str) {
    farm.delete(&format!("/api/v3/jobs/{job}")).await.no_content();
    eventually("the job is erased", SOON, async || {
        farm.get(&format!("/api/v3/jobs/{job}")).await.status == 404
    })
    .await;
}

async fn from_requirements_to_a_deleted_job(farm: Builder) {
    let farm = farm.start().await;
    let configuration = farm.get("/api/v3/configuration").await.expect(200).json();
    assert_eq!(configuration["shamanEnabled"], true);
    let place = farm.get("/api/v3/configuration/shared-storage/users/linux").await.expect(200).json();
    let jobs = shared(&farm).join("jobs");
    assert_eq!((&place["shamanEnabled"], &place["location"]), (&json!(true), &json!(jobs)));

    put(&farm, "here already").await;
    let files = [
        spec("tex\\wood.png", "wood"),
        spec("there.png", "here already"),
        spec("copy of wood.png", "wood"),
        spec("/odd/../place", "scene"),
    ];
    let missing = farm.post(REQUIREMENTS, &json!({ "files": files })).await.expect(200).json();
    let expected = |index: usize| {
        let mut file = files[index].clone();
        file["status"] = json!("unknown");
        file
    };
    let text = "in their order, each content once, paths as they came";
    assert_eq!(missing, json!({ "files": [expected(0), expected(3)] }), "{text}");
    for content in ["wood", "scene"] {
        assert_eq!(status(&farm, content).await, "unknown");
        put(&farm, content).await;
        assert_eq!(status(&farm, content).await, "stored");
        assert_eq!(send(&farm, content).await.status, 208);
    }
    for empty in [json!({ "files": files }), json!({ "files": [] })] {
        assert_eq!(farm.post(REQUIREMENTS, &empty).await.expect(200).json(), json!({ "files": [] }));
    }

    let files = [spec("tex\\wood.png", "wood"), spec("ránið.blend", "scene")];
    let made = check_out(&farm, "shots/010 á", &files).await.expect(200).json();
    assert_eq!(made, json!({ "checkoutPath": "shots/010 á" }));
    let folder = jobs.join("shots/010 á");
    assert_eq!(fs::read_to_string(folder.join("tex/wood.png")).unwrap(), "wood");
    assert_eq!(fs::read_to_string(folder.join("ránið.blend")).unwrap(), "scene");
    let other = check_out(&farm, "shots/010 á", &files).await.expect(200).json();
    let other = other["checkoutPath"].as_str().unwrap();
    assert!(other.starts_with("shots/010 á-") && other.len() == "shots/010 á-".len() + 4, "{other}");

    let job = farm.submit_as(with_checkout("job", "shots/010 á")).await;
    assert_eq!(farm.job(&job).await["storage"]["shaman_checkout_id"], "shots/010 á");
    let would = farm.get(&format!("/api/v3/jobs/{job}/what-would-delete-do")).await.expect(200).json();
    assert_eq!(would, json!({ "shaman_checkout": true }));
    delete(&farm, &job).await;
    assert!(!folder.exists() && jobs.join(other).is_dir(), "only the job's own checkout goes");
    let last = farm.submit_as(with_checkout("last", other)).await;
    delete(&farm, &last).await;
    assert!(!jobs.join("shots").exists() && jobs.is_dir(), "empty folders go, the root stays");
    assert!(blob(&farm, "wood").is_file() && blob(&farm, "scene").is_file());
    farm.stop().await;
}

async fn a_checkout_stays_as_long_as_a_job_uses_it(farm: Builder) {
    let mut farm = farm.start().await;
    let id = checkout(&farm, "both", "content").await;
    let folder = shared(&farm).join("jobs").join(&id);
    let one = farm.submit_as(with_checkout("one", &id)).await;
    let two = farm.submit_as(with_checkout("two", &id)).await;
    delete(&farm, &one).await;
    assert!(folder.is_dir(), "the other job uses it");

    // Both at a time: the manager is kept from erasing by a file where the checkout's record is.
    let three = farm.submit_as(with_checkout("three", &id)).await;
    let (records, aside) = (shared(&farm).join("file-store/checkouts"), farm.folder().join("aside"));
    fs::rename(&records, &aside).unwrap();
    fs::write(&records, "in the way").unwrap();
    for job in [&two, &three] {
        farm.delete(&format!("/api/v3/jobs/{job}")).await.no_content();
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let kept = farm.job(&three).await;
    assert!(kept["delete_requested_at"].is_string(), "what cannot be erased now stays marked: {kept}");
    let refused = farm.post("/api/v3/jobs", &with_checkout("late", &id)).await.problem(409);
    assert!(refused.contains("being erased") && refused.contains(&id), "{refused}");
    fs::remove_file(&records).unwrap();
    fs::rename(&aside, &records).unwrap();
    farm.restart().await;
    for job in [&two, &three] {
        eventually("both jobs are erased", SOON, async || {
            farm.get(&format!("/api/v3/jobs/{job}")).await.status == 404
        })
        .await;
    }
    assert!(!folder.exists());
    farm.stop().await;
}

async fn a_client_that_forgets_the_checkout(farm: Builder) {
    let farm = farm.start().await;
    let id = checkout(&farm, "forgetful/shot", "content").await;
    for (blendfile, wanted) in [
        (format!("{{jobs}}/{id}/scene.blend"), Some(&id)),
        (format!("{{jobs}}\\{}\\deep\\scene.blend", id.replace('/', "\\")), Some(&id)),
        ("{jobs}/forgetful/scene.blend".to_owned(), None),
        ("{jobs}/scene.blend".to_owned(), None),
        (format!("/elsewhere/{id}/scene.blend"), None),
    ] {
        let mut submission = TestManager::submission("job", &tasks(1));
        submission["settings"]["blendfile"] = json!(blendfile);
        let job = farm.submit_as(submission).await;
        let given = farm.job(&job).await["storage"]["shaman_checkout_id"].clone();
        assert_eq!(given, wanted.map_or(Value::Null, |id| json!(id)), "{blendfile}");
        if wanted.is_none() {
            delete(&farm, &job).await;
        }
    }
    assert!(shared(&farm).join("jobs").join(&id).is_dir());
    let all = farm.get("/api/v3/jobs").await.expect(200).json();
    for job in all["jobs"].as_array().unwrap() {
        delete(&farm, job["id"].as_str().unwrap()).await;
    }
    assert!(!shared(&farm).join("jobs/forgetful").exists());
    farm.stop().await;
}

async fn jobs_with_impossible_checkouts(farm: Builder) {
    let mut farm = farm.start().await;
    let kept = checkout(&farm, "kept/shot", "content").await;
    let absolute = shared(&farm).join("file-store/stored").display().to_string();
    let impossible = [".", "..", "a/..", "../x", "a//b", "/a", "a\\b", "a:b", "kept/", &absolute];
    for id in impossible {
        for path in ["/api/v3/jobs", "/api/v3/jobs/check"] {
            let message = farm.post(path, &with_checkout("job", id)).await.problem(400);
            assert!(message.contains("checkout path"), "{id}: {message}");
        }
    }
    assert_eq!(farm.get("/api/v3/jobs").await.expect(200).json(), json!({ "jobs": [] }));

    // Such jobs may come from elsewhere; deleting them erases nothing but the job.
    farm.stop_running().await;
    let mut jobs = Vec::new();
    for id in impossible.iter().copied().chain(["never made", "kept"]) {
        jobs.push(farm.force_job_with_checkout(id).await);
    }
    farm.start_again().await;
    for job in jobs {
        delete(&farm, &job.to_string()).await;
    }
    assert_eq!(
        fs::read_to_string(shared(&farm).join("jobs").join(kept).join("scene.blend")).unwrap(),
        "content"
    );
    assert!(blob(&farm, "content").is_file());
    farm.stop().await;
}

#[tokio::test]
async fn files_that_are_not_stored() {
    let farm = TestManager::sqlite().start().await;
    let kept = checkout(&farm, "shot", "stored").await;
    let before = files_below(&shared(&farm));
    let files = [spec("a.blend", "stored"), spec("tex/b.png", "missing"), spec("tex/c.png", "missing")];
    let message = check_out(&farm, "shot", &files).await.problem(424);
    assert!(message.contains("tex/b.png") && message.contains(&sum("missing")), "{message}");
    assert!(!message.contains("a.blend") && message.starts_with("1 file is"), "{message}");
    let mut after = files_below(&shared(&farm));
    after.retain(|path| !path.ends_with(".lock"));
    for path in &before {
        assert!(path.symlink_metadata().is_ok(), "{} is gone", path.display());
    }
    assert!(after.len() <= before.len(), "{after:?}");
    assert!(shared(&farm).join("jobs").join(kept).join("scene.blend").exists());
    farm.stop().await;
}

#[tokio::test]
async fn without_a_file_store() {
    let set_up = "shared_storage_path: shared\nshaman: { enabled: false }";
    for (yaml, jobs) in [(set_up, "shared"), ("shared_storage_path: ''", "flamenco-shared-storage")] {
        let farm = TestManager::sqlite().with_yaml(yaml).start().await;
        let path = address("content");
        for reply in [
            farm.post(REQUIREMENTS, &json!({ "files": [] })).await,
            check_out(&farm, "a", &[]).await,
            farm.get(&path).await,
            farm.request(Method::POST, &path).body("application/octet-stream", "content").send().await,
        ] {
            let message = reply.problem(503);
            assert!(message.contains("not active") && message.contains("shaman.enabled"), "{message}");
        }
        let configuration = farm.get("/api/v3/configuration").await.expect(200).json();
        assert_eq!(configuration["shamanEnabled"], false);
        let place = farm.get("/api/v3/configuration/shared-storage/workers/linux").await.expect(200).json();
        let wanted = json!(farm.folder().join(jobs));
        assert_eq!((&place["shamanEnabled"], &place["location"]), (&json!(false), &wanted));
        let job = farm.submit_as(with_checkout("job", "from another time")).await;
        let would = farm.get(&format!("/api/v3/jobs/{job}/what-would-delete-do")).await.expect(200).json();
        assert_eq!(would, json!({ "shaman_checkout": false }));
        delete(&farm, &job).await;
        assert!(!farm.folder().join(jobs).join("file-store").exists());
        farm.stop().await;
    }
}

#[tokio::test]
async fn switching_it_takes_a_restart() {
    const FILE: &str = "/api/v3/configuration/file";
    let farm = TestManager::sqlite().start().await;
    let mut settings = farm.get(FILE).await.expect(200).json();
    assert_eq!(settings["shaman"]["linkType"], "auto");
    settings["shaman"]["enabled"] = json!(false);
    settings["shared_storage_path"] = json!("elsewhere");
    farm.put(FILE, &settings).await.no_content();
    let place = farm.get("/api/v3/configuration/shared-storage/users/linux").await.expect(200).json();
    let jobs = json!(shared(&farm).join("jobs"));
    assert_eq!((&place["shamanEnabled"], &place["location"]), (&json!(true), &jobs), "both as they run");
    put(&farm, "content").await;
    settings["shaman"]["linkType"] = json!("junction");
    let message = farm.put(FILE, &settings).await.problem(400);
    assert!(message.contains("shaman.linkType") && message.contains("hardlink"), "{message}");
    farm.stop().await;
}

#[tokio::test]
async fn links_are_of_the_kind_that_is_set() {
    for kind in ["auto", "symlink", "hardlink", "copy"] {
        let farm = TestManager::sqlite().with_yaml(&format!("shaman: {{ linkType: {kind} }}")).start().await;
        let id = checkout(&farm, "shot", "content").await;
        let (file, blob) = (shared(&farm).join("jobs").join(id).join("scene.blend"), blob(&farm, "content"));
        assert_eq!(fs::read_to_string(&file).unwrap(), "content");
        assert!(fs::metadata(&blob).unwrap().permissions().readonly(), "{kind}");
        let found = file.symlink_metadata().unwrap();
        let links = std::os::unix::fs::MetadataExt::nlink(&fs::metadata(&blob).unwrap());
        let is = (found.is_symlink(), links);
        let wanted = match kind {
            "hardlink" => (false, 2),
            "copy" => (false, 1),
            _ => (true, 1),
        };
        assert_eq!(is, wanted, "{kind}");
        // Programs save by writing beside and renaming; a copy may also be written to.
        let beside = file.with_extension("new");
        fs::write(&beside, "changed").unwrap();
        fs::rename(&beside, &file).unwrap();
        assert_eq!(fs::read_to_string(&blob).unwrap(), "content", "{kind}");
        if kind == "copy" {
            let second = checkout(&farm, "second", "content").await;
            let file = shared(&farm).join("jobs").join(second).join("scene.blend");
            let mut permissions = fs::metadata(&file).unwrap().permissions();
            #[expect(clippy::permissions_set_readonly_false, reason = "a file of a temporary folder")]
            permissions.set_readonly(false);
            fs::set_permissions(&file, permissions).unwrap();
            fs::write(&file, "scribbled").unwrap();
            assert_eq!(fs::read_to_string(&blob).unwrap(), "content");
        }
        farm.stop().await;
    }
}

#[tokio::test]
async fn links_that_the_storage_cannot_make() {
    let farm = TestManager::sqlite().with_yaml("shaman: { linkType: reflink }").start().await;
    put(&farm, "content").await;
    let made = check_out(&farm, "shot", &[spec("a", "content")]).await;
    if made.status == 200 {
        // This file system can.
        assert!(!shared(&farm).join("jobs/shot/a").is_symlink());
    } else {
        let message = made.problem(500);
        assert!(message.contains("reflink") && message.contains("`auto`"), "{message}");
        assert!(!shared(&farm).join("jobs/shot").exists());
    }
    farm.stop().await;
}

#[tokio::test]
async fn a_windows_worker_restricts_names() {
    let farm = TestManager::sqlite().start().await;
    put(&farm, "content").await;
    let files = [spec("tex/con.png", "content"), spec("TEX/wood.png", "content")];
    let _ = check_out(&farm, "on linux: no".replace(':', "").as_str(), &files).await.expect(200);
    let registration =
        json!({ "name": "w", "secret": "s", "platform": "windows", "supported_task_types": [] });
    let _ = farm.post("/api/v3/worker/register-worker", &registration).await.expect(200);
    for (checkout, file) in
        [("shot", "tex/con.png"), ("shot", "a."), ("aux", "a"), ("shot ", "a"), ("a<b", "a")]
    {
        let message = check_out(&farm, checkout, &[spec(file, "content")]).await.problem(400);
        assert!(message.contains("path"), "{checkout} {file}: {message}");
    }
    let files = [spec("Wood.png", "content"), spec("wood.png", "content")];
    let message = check_out(&farm, "shot", &files).await.problem(400);
    assert!(message.contains("upper and lower case"), "{message}");
    farm.stop().await;
}

fn age(file: &Path) {
    let long_ago = SystemTime::now() - Duration::from_secs(100 * 24 * 3600);
    File::open(file).unwrap().set_modified(long_ago).unwrap();
}

#[tokio::test]
async fn unused_files_are_collected_and_used_ones_stay() {
    let mut farm =
        TestManager::sqlite().with_yaml("shaman: { garbageCollect: { period: 300ms } }").start().await;
    let id = checkout(&farm, "live", "in use").await;
    let job = farm.submit_as(with_checkout("job", &id)).await;
    for content in ["in use", "asked for", "young", "unused"] {
        assert!(matches!(send(&farm, content).await.status, 204 | 208));
    }
    for content in ["in use", "asked for", "unused"] {
        age(&blob(&farm, content));
    }
    assert_eq!(status(&farm, "asked for").await, "stored");
    eventually("the unused file is gone", SOON, async || !blob(&farm, "unused").exists()).await;
    for content in ["in use", "young"] {
        assert!(blob(&farm, content).exists(), "{content}");
    }
    let worker: FakeWorker = farm.worker("w").await;
    worker.complete(&worker.take().await).await;
    delete(&farm, &job).await;
    eventually("with its job it goes as well", SOON, async || !blob(&farm, "in use").exists()).await;
    assert!(blob(&farm, "young").exists());

    // A share that is not mounted must not look like one where nothing is used.
    let id = checkout(&farm, "live", "in use").await;
    let _job = farm.submit_as(with_checkout("job", &id)).await;
    farm.stop_running().await;
    age(&blob(&farm, "in use"));
    fs::rename(shared(&farm).join("jobs"), farm.folder().join("unmounted")).unwrap();
    farm.start_again().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(blob(&farm, "in use").exists());
    farm.stop().await;
}
