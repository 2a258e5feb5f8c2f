//! What a client on the network, or somebody who can write to the storage, may try with the file store: the security
//! list of its specification, row by row, over HTTP. Nothing outside the storage may be read, written or removed, and
//! nothing inside may be lost.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use flamenco_testkit::{Method, TestManager};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::eventually;
use crate::shaman::{REQUIREMENTS, address, blob, check_out, files_below, send, shared, spec, sum};

/// A manager with two checkouts in its storage, and a precious file beside it.
async fn target() -> TestManager {
    let farm = TestManager::sqlite().start().await;
    fs::create_dir(farm.folder().join("outside")).unwrap();
    fs::write(farm.folder().join("outside/precious"), "precious").unwrap();
    send(&farm, "content").await.no_content();
    for name in ["victim", "deep/victim"] {
        let _ = check_out(&farm, name, &[spec("scene.blend", "content")]).await.expect(200);
    }
    farm
}

/// Everything in the storage and in the folder beside it; lock files come and go by design.
fn everything(farm: &TestManager) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for top in [shared(farm), farm.folder().join("outside")] {
        for path in files_below(&top) {
            if path.ends_with(".lock") {
                continue;
            }
            let what = match fs::read_link(&path) {
                Ok(to) => format!("-> {}", to.display()),
                Err(_) => fs::read_to_string(&path).unwrap(),
            };
            found.insert(path.display().to_string(), what);
        }
    }
    found
}

fn is_untouched(outside: &Path) -> bool {
    let names: Vec<_> = fs::read_dir(outside).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names == ["precious"] && fs::read_to_string(outside.join("precious")).unwrap() == "precious"
}

/// Rows 1 and 3: a checkout that fails erases what it was asked to make.
#[tokio::test]
async fn a_checkout_that_fails_erases_nothing() {
    let farm = target().await;
    let before = everything(&farm);
    let missing = spec("scene.blend", "not stored");
    for path in [
        "..",
        ".",
        "",
        "/",
        "a/..",
        "../outside",
        "a//b",
        "/a",
        "victim/",
        "victim/..",
        "victim/../..",
        "./victim",
        "..\\outside",
        "C:\\x",
        "c:/x",
        "con?",
        "a*",
        "a;b",
        "a{b",
        "a}b",
        "a\u{0}b",
        "a\nb",
        "\\\\host\\share",
    ] {
        for file in [&missing, &spec("scene.blend", "content")] {
            let message = check_out(&farm, path, std::slice::from_ref(file)).await.problem(400);
            assert!(message.contains("checkout path"), "{path:?}: {message}");
        }
        assert_eq!(everything(&farm), before, "{path:?}");
    }
    for path in ["victim", "deep/victim", "deep", "victim/inside", "new"] {
        let _ = check_out(&farm, path, std::slice::from_ref(&missing)).await.problem(424);
        assert_eq!(everything(&farm), before, "{path:?}");
    }
    farm.stop().await;
}

/// Row 2: a job whose checkout ID points elsewhere is deleted. Such a job is refused (test
/// `jobs_with_impossible_checkouts`); here the ID is a path that is fine, but no checkout of the store.
#[tokio::test]
async fn deleting_a_job_erases_only_checkouts_of_the_store() {
    let mut farm = target().await;
    let jobs = shared(&farm).join("jobs");
    fs::create_dir_all(jobs.join("by hand")).unwrap();
    fs::write(jobs.join("by hand/work"), "of a week").unwrap();
    symlink(farm.folder().join("outside"), jobs.join("link")).unwrap();
    let before = everything(&farm);
    farm.stop_running().await;
    let mut ids = Vec::new();
    let elsewhere = farm.folder().join("outside").display().to_string();
    for id in
        ["..", ".", "deep", "by hand", "link", "link/precious", "../outside", &elsewhere, "victim/../deep"]
    {
        ids.push(farm.force_job_with_checkout(id).await);
    }
    farm.start_again().await;
    for id in ids {
        farm.delete(&format!("/api/v3/jobs/{id}")).await.no_content();
        eventually("the job is erased", Duration::from_secs(10), async || {
            farm.get(&format!("/api/v3/jobs/{id}")).await.status == 404
        })
        .await;
    }
    assert_eq!(everything(&farm), before);
    farm.stop().await;
}

/// Rows 4, 5 and 9, over the running manager: its storage is reached through a link, and links in it cannot be made
/// sense of. What is used stays.
#[tokio::test]
async fn garbage_collection_is_not_confused_by_links() {
    let yaml =
        "shared_storage_path: by-link\nshaman: { linkType: symlink, garbageCollect: { period: 200ms } }";
    let mut farm = TestManager::sqlite().with_yaml(yaml).start().await;
    farm.stop_running().await;
    let storage = farm.folder().join("by-link");
    fs::rename(&storage, shared(&farm)).unwrap();
    symlink("shared", &storage).unwrap();
    farm.start_again().await;
    for content in ["used", "used elsewhere", "unused"] {
        send(&farm, content).await.no_content();
    }
    let _ = check_out(&farm, "shot", &[spec("a", "used")]).await.expect(200);
    // As the reference makes them: without a record, and of the kind that leads nowhere.
    let jobs = shared(&farm).join("jobs");
    fs::create_dir(jobs.join("reference")).unwrap();
    let other = sum("used elsewhere");
    let text = format!("../../file-store/stored/{}/{}/14.blob", &other[..2], &other[2..]);
    symlink(text, jobs.join("reference/file")).unwrap();
    symlink("nowhere/at/all", jobs.join("reference/dangling")).unwrap();
    symlink("..", jobs.join("reference/loop")).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(100 * 24 * 3600);
    for content in ["used", "used elsewhere", "unused"] {
        fs::File::open(blob(&farm, content)).unwrap().set_modified(long_ago).unwrap();
    }
    eventually("the unused file goes", Duration::from_secs(10), async || !blob(&farm, "unused").exists())
        .await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(blob(&farm, "used").exists() && blob(&farm, "used elsewhere").exists());
    farm.stop().await;
}

/// Row 6: paths of files lead out of the checkout.
#[tokio::test]
async fn file_paths_stay_in_the_checkout() {
    let farm = target().await;
    let before = everything(&farm);
    for path in [
        "../x",
        "..",
        ".",
        "",
        "/etc/passwd",
        "a/../../x",
        "..\\..\\x",
        "\\x",
        "C:\\x",
        "c:x",
        "//host/x",
        "\\\\host\\x",
        "a/./b",
        "a//b",
        "a/",
        "a\u{0}b",
        "../victim/scene.blend",
    ] {
        let message =
            check_out(&farm, "new", &[spec("good", "content"), spec(path, "content")]).await.problem(400);
        assert!(message.contains("file path"), "{path:?}: {message}");
        assert_eq!(everything(&farm), before, "{path:?}");
    }
    for (files, word) in [
        ([spec("a", "content"), spec("a/b", "content")], "directory"),
        ([spec("a", "content"), spec("a", "")], "twice"),
    ] {
        send(&farm, "").await;
        let before = everything(&farm);
        let message = check_out(&farm, "new", &files).await.problem(400);
        assert!(message.contains(word), "{message}");
        assert_eq!(everything(&farm), before);
    }
    farm.stop().await;
}

/// Row 7: checksums that are none.
#[tokio::test]
async fn checksums_reach_no_path() {
    let farm = target().await;
    let before = everything(&farm);
    let sums = ["5", "..", "%2e%2e", "*", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "abcdefxxx", &"g".repeat(64)];
    for sum in sums.into_iter().chain([format!("..%2f{}", "a".repeat(61)).as_str(), &"a".repeat(63)]) {
        let path = format!("/api/v3/shaman/files/{sum}/7");
        if sum == ".." || sum == "%2e%2e" {
            let (status, _) = farm.get_verbatim(&path).await;
            assert!(status == 400 || status == 404, "{sum}: {status}");
            continue;
        }
        let get = farm.get(&path).await.problem(400);
        let body = farm.request(Method::POST, &path).body("application/octet-stream", "content");
        let post = body.send().await.problem(400);
        assert!(get.contains("SHA-256") && post.contains("SHA-256"), "{sum}: {get} {post}");
    }
    for size in ["-1", "x", "9999999999999999999999", "", "1e3"] {
        let (status, _) = farm.get_verbatim(&format!("/api/v3/shaman/files/{}/{size}", sum("content"))).await;
        assert!(status == 400 || (size.is_empty() && status == 404), "{size}: {status}");
    }
    for (sha, size) in [("", 1), ("a", 1), ("../../../../x", 1), (sum("content").as_str(), -7)] {
        let files = json!({ "files": [{ "sha": sha, "size": size, "path": "tex/a.png" }] });
        let message = farm.post(REQUIREMENTS, &files).await.problem(400);
        assert!(message.contains("tex/a.png"), "{message}");
        let body = json!({ "checkoutPath": "new", "files": files["files"] });
        let message = farm.post(crate::shaman::CREATE, &body).await.problem(400);
        assert!(message.contains("tex/a.png"), "{message}");
    }
    assert_eq!(everything(&farm), before);
    farm.stop().await;
}

/// Row 8: an upload that fails must not make another one succeed, nor bring the manager down.
#[tokio::test]
async fn a_failed_upload_is_no_success_for_another() {
    let farm = target().await;
    let content = "wanted by two".repeat(1000);
    let head = |length: usize| {
        let path = address(&content);
        format!("POST {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
    };
    for _ in 0..20 {
        let mut good = TcpStream::connect(farm.address()).await.unwrap();
        good.write_all(format!("{}{}", head(content.len()), &content[..50]).as_bytes()).await.unwrap();
        // The same file, with other bytes of the same length.
        let wrong = format!("{}{}", head(content.len()), "x".repeat(content.len()));
        assert_eq!(farm.verbatim(&wrong).await.0, 417);
        let status = farm.get(&address(&content)).await.expect(200).json();
        assert_ne!(status["status"], "stored");
        drop(good);
    }
    send(&farm, &content).await.no_content();
    assert_eq!(fs::read_to_string(blob(&farm, &content)).unwrap(), content);
    farm.stop().await;
}

/// Links where folders of the store should be: nothing is written through them, or read.
#[tokio::test]
async fn links_in_the_storage_are_not_followed() {
    let farm = target().await;
    let outside = farm.folder().join("outside");
    let storage = shared(&farm);
    // In the place of a checksum's first folder.
    let attacked = sum("attacked");
    let (stored, uploading) = (storage.join("file-store/stored"), storage.join("file-store/uploading"));
    for folder in [&stored, &uploading] {
        fs::create_dir_all(folder).unwrap();
        symlink(&outside, folder.join(&attacked[..2])).unwrap();
    }
    let reply = send(&farm, "attacked").await;
    assert!(reply.status >= 400 || blob(&farm, "attacked").is_file(), "{}", reply.status);
    assert!(is_untouched(&outside));
    let status = farm.get(&address("attacked")).await.expect(200).json();
    assert_ne!(status["status"], "stored");

    // In the place of a stored file: what it leads to is not given out.
    let precious = sum("precious");
    let folder = stored.join(&precious[..2]).join(&precious[2..]);
    fs::create_dir_all(&folder).unwrap();
    symlink(outside.join("precious"), folder.join("8.blob")).unwrap();
    let status = farm.get(&address("precious")).await.expect(200).json();
    assert_eq!(status["status"], "unknown");
    let _ = check_out(&farm, "steal", &[spec("a", "precious")]).await.problem(424);

    // In the place of a checkout's folder.
    symlink(&outside, storage.join("jobs/out")).unwrap();
    for path in ["out", "out/x", "out/x/y"] {
        let made = check_out(&farm, path, &[spec("a", "content")]).await.expect(200).json();
        assert!(made["checkoutPath"].as_str().unwrap().starts_with("out-"), "{path} became {made}");
    }
    assert!(is_untouched(&outside));
    farm.stop().await;
}

/// A checkout inside another one would be erased with it.
#[tokio::test]
async fn checkouts_are_never_inside_each_other() {
    let farm = target().await;
    for (path, start) in
        [("victim/inside", "victim-"), ("deep/victim/a/b", "deep/victim-"), ("deep", "deep-")]
    {
        let made = check_out(&farm, path, &[spec("a", "content")]).await.expect(200).json();
        let made = made["checkoutPath"].as_str().unwrap();
        assert!(made.starts_with(start), "{path} became {made}");
    }
    farm.stop().await;
}

/// Names that some storage or some worker cannot keep apart.
#[tokio::test]
async fn names_that_clash() {
    let farm = target().await;
    let registration =
        json!({ "name": "w", "secret": "s", "platform": "windows", "supported_task_types": [] });
    let _ = farm.post("/api/v3/worker/register-worker", &registration).await.expect(200);
    let before = everything(&farm);
    for files in [["Wood.png", "wood.png"], ["Tex", "tex/a"], ["\u{e9}", "e\u{301}"]] {
        let files = files.map(|path| spec(path, "content"));
        let message = check_out(&farm, "new", &files).await.problem(400);
        assert!(message.contains("rename one"), "{message}");
    }
    for reserved in ["con", "NUL.txt", "a/aux", "a.", "b ", "lpt1", "a|b", "a\"b", "a<b"] {
        let _ = check_out(&farm, reserved, &[spec("a", "content")]).await.problem(400);
        let _ = check_out(&farm, "new", &[spec(reserved, "content")]).await.problem(400);
    }
    assert_eq!(everything(&farm), before);
    farm.stop().await;
}

/// A list of files that is far too long, or no list.
#[tokio::test]
async fn requests_that_are_too_large_or_no_requests() {
    let farm = target().await;
    let before = everything(&farm);
    for body in [
        json!({}),
        json!([]),
        json!({ "files": [1] }),
        json!({ "files": [{ "path": "a" }] }),
        json!({ "files": [{ "sha": sum("x"), "size": "1", "path": "a" }] }),
        json!("x"),
        Value::Null,
    ] {
        let _ = farm.post(REQUIREMENTS, &body).await.problem(400);
        let _ = farm.post(crate::shaman::CREATE, &body).await.problem(400);
    }
    let many: Vec<_> = (0..20_000).map(|number| spec(&format!("tex/{number}.png"), "content")).collect();
    let missing = farm.post(REQUIREMENTS, &json!({ "files": many })).await.expect(200).json();
    assert_eq!(missing, json!({ "files": [] }));
    let huge = format!(r#"{{"files": [{{"path": "{}"}}]}}"#, "a".repeat(65 << 20));
    let request = farm.request(Method::POST, REQUIREMENTS).body("application/json", huge);
    let _ = request.send().await.problem(413);
    assert_eq!(everything(&farm), before);
    farm.stop().await;
}

/// Row 10, and more of it: ten thousand uploads that are begun and not finished.
#[tokio::test]
async fn ten_thousand_half_finished_uploads() {
    const WAVES: usize = 5;
    const WAVE: usize = 2000;
    // Each end of each connection is an open file of this process.
    let limits = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let wanted = rustix::process::Rlimit { current: limits.maximum, ..limits };
    rustix::process::setrlimit(rustix::process::Resource::Nofile, wanted).unwrap();
    let farm = target().await;
    let before = everything(&farm);
    let mut open = Vec::new();
    for wave in 0..WAVES {
        for number in 0..WAVE {
            let content = format!("half of {wave} {number}");
            let path = address(&content);
            let mut connection = TcpStream::connect(farm.address()).await.unwrap();
            // Some send nothing, some a part in one of the two ways; none sends it all.
            let rest = match number % 3 {
                0 => "Content-Length: 1000000\r\n\r\n".to_owned(),
                1 => format!("Content-Length: {}\r\n\r\n{}", content.len(), &content[..5]),
                _ => format!("Transfer-Encoding: chunked\r\n\r\n5\r\n{}\r\n", &content[..5]),
            };
            connection
                .write_all(format!("POST {path} HTTP/1.1\r\nHost: x\r\n{rest}").as_bytes())
                .await
                .unwrap();
            open.push(connection);
        }
        let started = Instant::now();
        let _ = farm.get("/api/v3/version").await.expect(200);
        assert!(started.elapsed() < Duration::from_secs(2), "{:?} for an answer", started.elapsed());
        // The last wave stays open while the others are gone.
        if wave + 1 < WAVES {
            open.clear();
        }
    }
    drop(open);
    eventually("all are forgotten", Duration::from_secs(60), async || {
        files_below(&shared(&farm).join("file-store/uploading")).is_empty()
    })
    .await;
    assert_eq!(everything(&farm), before);
    send(&farm, "afterwards").await.no_content();
    farm.stop().await;
}
