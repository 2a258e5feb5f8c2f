//! Kills a program that uses the store, at random moments, and looks at what it left.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flamenco_shaman::{GarbageRequest, References, Settings, Store};
use sha2::{Digest, Sha256};
use tokio_util::sync::CancellationToken;

use crate::checkout_path;

const ROUNDS: u32 = 20;

/// The program to kill is an example of this package; Cargo builds it together with the tests.
fn worker() -> PathBuf {
    let tests = std::env::current_exe().expect("known");
    let target = tests.parent().and_then(Path::parent).expect("in target/<profile>/deps");
    let program = target.join("examples/crash_worker");
    assert!(program.exists(), "build it first: cargo build -p flamenco-shaman --example crash_worker");
    program
}

fn start(root: &Path, round: u32) -> Child {
    let mut worker = Command::new(worker());
    worker.arg(root).arg(round.to_string()).stdout(Stdio::piped()).stderr(Stdio::piped());
    worker.spawn().expect("started")
}

/// Reads what was reported until the program is dead; kills it after this time.
fn reported_until_killed(mut child: Child, lifetime: Duration) -> Vec<String> {
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let reader = std::thread::spawn(move || out.lines().map_while(Result::ok).collect::<Vec<_>>());
    std::thread::sleep(lifetime);
    if let Some(status) = child.try_wait().expect("asked") {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().expect("piped"), &mut text).expect("read");
        panic!("ended by itself: {status} {text}");
    }
    child.kill().expect("killed");
    child.wait().expect("waited");
    let lines = reader.join().expect("read");
    lines.into_iter().filter_map(|line| line.strip_suffix(';').map(str::to_owned)).collect()
}

fn files_below(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).expect("readable") {
        let path = entry.expect("readable").path();
        if path.symlink_metadata().expect("there").is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn all_files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files_below(directory, &mut found);
    found
}

fn assert_is_what_its_name_says(blob: &Path) {
    let parts = blob.iter().rev().map(|part| part.to_str().expect("text")).collect::<Vec<_>>();
    let [name, rest, first, ..] = parts[..] else { panic!("{}", blob.display()) };
    let mut hash = Sha256::new();
    let size = std::io::copy(&mut File::open(blob).expect("opened"), &mut hash).expect("read");
    let sum = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    assert_eq!((sum, format!("{size}.blob")), (format!("{first}{rest}"), name.to_owned()));
}

#[tokio::test]
async fn killed_at_random_moments_nothing_is_lost_and_nothing_is_left() {
    let place = tempfile::tempdir().expect("temporary directory");
    let root = place.path().join("storage");
    let mut checkouts = Vec::new();
    let mut stored = 0;
    for round in 0..ROUNDS {
        let child = start(&root, round);
        let lifetime = Duration::from_millis(80 + rand::random_range(0..500));
        let reported = reported_until_killed(child, lifetime);
        stored += reported.iter().filter(|line| line.starts_with("stored ")).count();
        checkouts
            .extend(reported.iter().filter_map(|line| line.strip_prefix("checkout ").map(str::to_owned)));

        // What is checked here is what the next start makes of it.
        let store = Store::open(&root, Settings::default()).await.expect("opened");
        assert!(all_files(&root.join("file-store/uploading")).is_empty(), "round {round}");
        assert!(all_files(&root.join("jobs/.flamenco-building")).is_empty(), "round {round}");
        all_files(&root.join("file-store/stored")).iter().for_each(|blob| assert_is_what_its_name_says(blob));
        for link in all_files(&root.join("jobs")) {
            assert!(fs::metadata(&link).is_ok(), "round {round}: {} leads nowhere", link.display());
        }
        for checkout in &checkouts {
            assert_eq!(all_files(&root.join("jobs").join(checkout)).len(), 5, "round {round}: {checkout}");
            assert!(store.has_checkout(checkout_path(checkout)).await.expect("asked"), "{checkout}");
        }
    }
    assert!(stored > 0 && !checkouts.is_empty(), "{stored} files and {} checkouts", checkouts.len());
}

#[tokio::test]
async fn a_file_reported_as_stored_survives_the_kill() {
    let place = tempfile::tempdir().expect("temporary directory");
    let root = place.path().join("storage");
    let child = start(&root, 1);
    let started = Instant::now();
    let reported = reported_until_killed(child, Duration::from_millis(500));
    let store = Store::open(&root, Settings::default()).await.expect("opened");
    // The worker makes the files of some directories look unused and collects them; the others must all be there.
    let kept = reported.iter().filter_map(|line| {
        let (sum, size) = line.strip_prefix("stored ")?.split_once(' ')?;
        (sum.as_bytes()[0] % 2 == 0)
            .then(|| format!("file-store/stored/{}/{}/{size}.blob", &sum[..2], &sum[2..]))
    });
    let kept = kept.collect::<Vec<_>>();
    assert!(!kept.is_empty(), "nothing stored in {:?}: {reported:?}", started.elapsed());
    for blob in kept {
        assert!(root.join(&blob).exists(), "{blob}");
    }
    let request = GarbageRequest {
        dry_run: true,
        now: std::time::SystemTime::now(),
        references: References::Unknown,
        cancel: CancellationToken::new(),
    };
    drop(store.collect_garbage(request).await);
}
