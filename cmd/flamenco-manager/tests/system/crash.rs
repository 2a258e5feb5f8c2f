//! kill -9 during uploads, checkouts, the erasing of checkouts, and garbage collection.

use std::fs::{self, File};
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rand::random_range;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::program::{Running, age, blob, check_out, command, configure, files_below, put, request, start};

const ROUNDS: u64 = 15;
/// Files in a checkout.
const FILES: usize = 5;

/// What the manager said is so.
#[derive(Default)]
struct Said {
    /// Contents that are stored, and never made to look old.
    stored: Vec<Vec<u8>>,
    /// Checkouts that exist, with their contents.
    checkouts: Vec<(String, Vec<Vec<u8>>)>,
    /// Jobs that exist, with their checkouts.
    jobs: Vec<(String, String)>,
    /// Uploads that were answered, also of what may be collected since.
    uploads: usize,
    /// Deletions of jobs that were answered.
    deletions: usize,
}

fn content(name: &str) -> Vec<u8> {
    let size = 20 + random_range(0..200_000_usize);
    let mut content = format!("{name} ").repeat(2 + size / name.len()).into_bytes();
    content.truncate(size);
    content
}

/// Of the contents with such a checksum the test makes nothing look old.
fn is_left_alone(content: &[u8]) -> bool {
    Sha256::digest(content)[0] >= 128
}

fn upload(address: SocketAddr, said: &Mutex<Said>, content: Vec<u8>) -> io::Result<()> {
    let status = put(address, &content)?;
    assert!(matches!(status, 204 | 208), "{status}");
    let mut said = said.lock().unwrap();
    said.uploads += 1;
    if is_left_alone(&content) {
        said.stored.push(content);
    }
    Ok(())
}

fn upload_without_end(address: SocketAddr, said: &Mutex<Said>, name: &str) -> io::Result<()> {
    for number in 0_u64.. {
        upload(address, said, content(&format!("{name}/{number}")))?;
    }
    Ok(())
}

/// Makes checkouts and submits jobs for some of them, some of which are deleted again.
fn check_out_without_end(
    folder: &Path,
    address: SocketAddr,
    said: &Mutex<Said>,
    round: u64,
) -> io::Result<()> {
    for number in 0_u64.. {
        let contents: Vec<_> =
            (0..FILES).map(|file| content(&format!("{round}/{}", number + file as u64))).collect();
        for content in &contents {
            upload(address, said, content.clone())?;
            if !is_left_alone(content) && random_range(0..3) == 0 {
                age(&blob(folder, content));
            }
        }
        let (status, answer) = check_out(address, &format!("round {round}/{number}"), &contents)?;
        // Collected before it was used, which is what garbage collection is for.
        if status == 424 {
            continue;
        }
        assert_eq!(status, 200, "{answer}");
        let checkout = answer["checkoutPath"].as_str().unwrap().to_owned();
        if number % 2 == 0 {
            said.lock().unwrap().checkouts.push((checkout, contents));
            continue;
        }
        let job = json!({
            "name": "job", "type": "echo-sleep-test", "priority": 50, "submitter_platform": "linux",
            "settings": { "message": "hi", "sleep_duration_seconds": 1, "sleep_repeats": 1 },
            "storage": { "shaman_checkout_id": checkout },
        });
        let (status, answer) = request(address, "POST", "/api/v3/jobs", job.to_string().as_bytes())?;
        assert_eq!(status, 200, "{answer}");
        let id = answer["id"].as_str().unwrap().to_owned();
        if number % 4 == 1 {
            let mut said = said.lock().unwrap();
            said.checkouts.push((checkout.clone(), contents));
            said.jobs.push((id, checkout));
            continue;
        }
        let (status, answer) = request(address, "DELETE", &format!("/api/v3/jobs/{id}"), b"")?;
        assert_eq!(status, 204, "{answer}");
        said.lock().unwrap().deletions += 1;
    }
    Ok(())
}

/// Makes stored files look unused, so that there is garbage.
fn age_without_end(folder: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        for blob in files_below(&folder.join("storage/file-store/stored")) {
            let shard = blob.iter().rev().nth(2).unwrap().to_str().unwrap();
            if shard.as_bytes()[0] < b'8' {
                age(&blob);
            }
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Collects garbage from the command line as well, and kills that program too.
fn collect_without_end(folder: &Path, stop: &AtomicBool) {
    while !stop.load(Ordering::Relaxed) {
        let mut collecting = command(folder);
        collecting.args(["-shaman-gc-delete", "-quiet"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut collecting = Running(collecting.spawn().unwrap());
        std::thread::sleep(Duration::from_millis(random_range(5..150)));
        collecting.kill();
    }
}

/// Lets everything happen at a time, and kills the manager in the middle of it.
fn run_until_killed(
    folder: &Path,
    address: SocketAddr,
    mut manager: Running,
    said: &Mutex<Said>,
    round: u64,
) {
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let names = [format!("{round}a"), format!("{round}b")];
        let mut clients: Vec<_> = names
            .into_iter()
            .map(|name| scope.spawn(move || upload_without_end(address, said, &name)))
            .collect();
        clients.push(scope.spawn(move || check_out_without_end(folder, address, said, round)));
        scope.spawn(|| age_without_end(folder, &stop));
        scope.spawn(|| collect_without_end(folder, &stop));
        std::thread::sleep(Duration::from_millis(random_range(100..1200)));
        manager.kill();
        stop.store(true, Ordering::Relaxed);
        for client in clients {
            let ended = client.join().expect("every answer is as it should be");
            assert!(ended.is_err(), "only the kill ends a client");
        }
    });
}

fn is_what_its_name_says(blob: &Path) {
    let parts: Vec<_> = blob.iter().rev().map(|part| part.to_str().unwrap()).collect();
    let mut hash = Sha256::new();
    // Collected meanwhile is as good.
    let Ok(mut file) = File::open(blob) else { return };
    let size = io::copy(&mut file, &mut hash).unwrap();
    let sum: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!((sum, format!("{size}.blob")), (format!("{}{}", parts[2], parts[1]), parts[0].to_owned()));
}

/// What must be so when the next manager has started.
fn check(folder: &Path, address: SocketAddr, said: &Said, round: u64) {
    let storage = folder.join("storage");
    for leftovers in ["file-store/uploading", "jobs/.flamenco-building"] {
        // Garbage collection, which runs, has its scratch files there for a moment.
        let deadline = Instant::now() + Duration::from_secs(20);
        let is_old = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "tmp");
        let left = || files_below(&storage.join(leftovers)).into_iter().filter(is_old).collect::<Vec<_>>();
        while !left().is_empty() {
            assert!(Instant::now() < deadline, "round {round}: {:?} in {leftovers}", left());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    for blob in files_below(&storage.join("file-store/stored")) {
        is_what_its_name_says(&blob);
    }
    for content in &said.stored {
        assert!(blob(folder, content).is_file(), "round {round}: an acknowledged file is gone");
    }
    for (checkout, contents) in &said.checkouts {
        for (number, content) in contents.iter().enumerate() {
            let path = storage.join("jobs").join(checkout).join(format!("d{}/file {number}", number % 2));
            let there =
                fs::read(&path).unwrap_or_else(|error| panic!("round {round}: {}: {error}", path.display()));
            assert!(there == *content, "round {round}: {} has other bytes", path.display());
        }
    }
    for (job, checkout) in &said.jobs {
        let (status, answer) = request(address, "GET", &format!("/api/v3/jobs/{job}"), b"").unwrap();
        assert_eq!(
            (status, answer["storage"]["shaman_checkout_id"].as_str()),
            (200, Some(checkout.as_str()))
        );
    }
}

#[test]
fn killed_at_random_moments_nothing_is_lost_and_nothing_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let mut said = Mutex::new(Said::default());
    let mut collected = 0;
    for round in 0..ROUNDS {
        // What was written survives a kill whether it was flushed or not; without it, more happens in the time.
        let flush = round % 3 == 0;
        let address =
            configure(folder, &format!("flush: {flush}, garbageCollect: {{ period: 30ms, maxAge: 1h }}"));
        let manager = start(folder, address);
        check(folder, address, said.get_mut().unwrap(), round);
        run_until_killed(folder, address, manager, &said, round);
        let said = said.get_mut().unwrap();
        collected = said.uploads.saturating_sub(files_below(&folder.join("storage/file-store/stored")).len());
    }
    let address = configure(folder, "enabled: true");
    let manager = start(folder, address);
    let said = said.into_inner().unwrap();
    check(folder, address, &said, ROUNDS);
    // Checkouts of deleted jobs are erased by the manager that finds them marked.
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (_, jobs) = request(address, "GET", "/api/v3/jobs", b"").unwrap();
        if jobs["jobs"].as_array().unwrap().len() >= said.jobs.len()
            && jobs["jobs"].as_array().unwrap().iter().all(|job| job["delete_requested_at"].is_null())
        {
            break;
        }
        assert!(Instant::now() < deadline, "deleted jobs are left: {jobs}");
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(manager);
    println!(
        "{} uploads, {} checkouts, {} jobs, {} deletions, {collected} files collected",
        said.uploads,
        said.checkouts.len(),
        said.jobs.len(),
        said.deletions
    );
    assert!(said.uploads > 0 && !said.checkouts.is_empty() && said.deletions > 0 && collected > 0);
}
