//! Requirements and status of single files.

use std::fs;
use std::time::{Duration, SystemTime};

use flamenco_shaman::{FileSpec, FileStatus, RequiredFile, Store};
use futures_util::stream;

use crate::{Place, identity_of, test_settings, upload_of};

fn spec(path: &str, content: &str) -> FileSpec {
    FileSpec { identity: identity_of(content.as_bytes()), path: path.into() }
}

fn required(path: &str, content: &str, status: FileStatus) -> RequiredFile {
    RequiredFile { identity: identity_of(content.as_bytes()), path: path.into(), status }
}

#[tokio::test]
async fn only_missing_files_are_required_in_order_and_once() {
    let place = Place::new().await;
    place.put("stored").await;
    let odd = "..\\weird/./ päth\0";
    let asked = vec![spec("z", "new"), spec("s", "stored"), spec(odd, "other"), spec("second name", "new")];
    let answer = place.store.requirements(asked).await.expect("answered");
    let expected = [required("z", "new", FileStatus::Unknown), required(odd, "other", FileStatus::Unknown)];
    assert_eq!(answer, expected, "paths come back byte for byte, each content once with its first path");
    assert_eq!(place.store.requirements(vec![]).await.expect("answered"), []);
}

#[tokio::test]
async fn a_running_upload_shows_until_it_ends() {
    let place = Place::new().await;
    let identity = identity_of(b"slow");
    let store = place.store.clone();
    let upload = tokio::spawn(async move {
        store.upload(upload_of(identity), stream::pending::<Result<bytes::Bytes, std::io::Error>>()).await
    });
    while place.uploading().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(place.store.file_status(identity).await.expect("known"), FileStatus::Uploading);
    let answer = place.store.requirements(vec![spec("a", "slow")]).await.expect("answered");
    assert_eq!(answer, [required("a", "slow", FileStatus::Uploading)]);

    upload.abort();
    assert!(upload.await.expect_err("aborted").is_cancelled());
    assert_eq!(place.store.file_status(identity).await.expect("known"), FileStatus::Unknown);
    for _ in 0..200 {
        if place.uploading().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(place.uploading(), [""; 0], "nothing is left of an upload whose sender went away");

    place.put("slow").await;
    assert_eq!(place.store.file_status(identity).await.expect("known"), FileStatus::Stored);
}

#[tokio::test]
async fn asking_for_a_stored_file_marks_it_as_used() {
    let place = Place::new().await;
    let identity = place.put("content").await;
    let hours = Duration::from_secs(5 * 3600);
    let fresh = || {
        let used = fs::metadata(place.blob(identity)).and_then(|found| found.modified()).expect("stored");
        SystemTime::now().duration_since(used).is_ok_and(|age| age < Duration::from_secs(5))
    };
    place.age(identity, hours);
    assert!(!fresh());
    place.store.file_status(identity).await.expect("known");
    assert!(fresh(), "by its status");
    place.age(identity, hours);
    place.store.requirements(vec![spec("a", "content")]).await.expect("answered");
    assert!(fresh(), "by requirements, before they are answered");
}

#[tokio::test]
async fn a_damaged_file_counts_as_missing_and_is_replaced() {
    let place = Place::new().await;
    let identity = place.put("content").await;
    fs::remove_file(place.blob(identity)).expect("removed");
    fs::write(place.blob(identity), "cut").expect("written");
    assert_eq!(place.store.file_status(identity).await.expect("known"), FileStatus::Unknown);
    place.put("content").await;
    assert_eq!(fs::read(place.blob(identity)).expect("stored"), b"content");
}

#[tokio::test]
async fn an_upload_that_a_crash_left_is_forgotten_and_removed() {
    let mut place = Place::new().await;
    let identity = identity_of(b"never finished");
    let sum = identity.checksum.to_string();
    let folder = place.path(&format!("file-store/uploading/{}/{}", &sum[..2], &sum[2..]));
    fs::create_dir_all(&folder).expect("made");
    fs::write(folder.join("14-000000042.tmp"), "never").expect("written");
    assert_eq!(place.store.file_status(identity).await.expect("known"), FileStatus::Unknown, "even before");
    place.reopen().await;
    assert_eq!(place.store.file_status(identity).await.expect("known"), FileStatus::Unknown);
    assert_eq!(place.uploading(), [""; 0]);
}

#[tokio::test]
async fn a_second_program_leaves_running_uploads_alone() {
    let place = Place::new().await;
    let identity = identity_of(b"slow");
    let store = place.store.clone();
    let (sender, receiver) = tokio::sync::mpsc::channel::<Result<bytes::Bytes, std::io::Error>>(1);
    let body =
        stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|part| (part, receiver)) });
    let upload = tokio::spawn(async move { store.upload(upload_of(identity), body).await });
    while place.uploading().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let second = Store::open(place.root(), test_settings()).await.expect("opened");
    assert_eq!(second.remove_leftovers().await.expect("looked").uploads, 0);
    sender.send(Ok("slow".into())).await.expect("sent");
    drop(sender);
    upload.await.expect("ran").expect("stored");
    assert_eq!(second.file_status(identity).await.expect("known"), FileStatus::Stored);
}

#[tokio::test]
async fn storage_that_is_away_is_an_error_until_it_is_back() {
    let place = Place::new().await;
    let identity = place.put("content").await;
    let away = place.outside().join("away");
    fs::rename(place.root(), &away).expect("moved");
    assert!(place.store.file_status(identity).await.is_err(), "not simply unknown");
    assert!(!place.root().exists(), "and nothing is made in its place");
    fs::rename(&away, place.root()).expect("moved back");
    assert_eq!(place.store.file_status(identity).await.expect("known"), FileStatus::Stored);
    assert!(Store::open("relative/path", test_settings()).await.is_err());
}
