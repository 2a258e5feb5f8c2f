//! Receiving files.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use flamenco_shaman::{Error, FileStatus, Identity, Settings, Upload, UploadOutcome};
use futures_util::{Stream, StreamExt, future, stream};
use tokio::sync::mpsc;

use crate::{Place, identity_of, test_settings, upload_of, whole};

type Part = Result<Bytes, std::io::Error>;

/// A body that the test feeds.
fn fed() -> (mpsc::Sender<Part>, impl Stream<Item = Part> + Send) {
    let (sender, receiver) = mpsc::channel(1);
    (
        sender,
        stream::unfold(receiver, |mut receiver| async { receiver.recv().await.map(|part| (part, receiver)) }),
    )
}

async fn started(place: &Place, uploads: usize) {
    while place.uploading().iter().filter(|name| name.ends_with(".tmp")).count() < uploads {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn files_of_all_sizes_make_the_round_trip() {
    let place = Place::with(Settings { flush: true, ..test_settings() }).await;
    for size in [0, 1, 100, 70_000, (1 << 20) - 1, 1 << 20, (3 << 20) + 17] {
        let content = "0123456789abcdef".repeat(size / 16 + 1)[..size].to_owned();
        let identity = identity_of(content.as_bytes());
        let outcome = place.store.upload(upload_of(identity), whole(&content)).await.expect("uploaded");
        assert_eq!(outcome, UploadOutcome::Stored, "{size} bytes");
        assert!(fs::read(place.blob(identity)).expect("stored") == content.as_bytes(), "{size} bytes");
        let again = place.store.upload(upload_of(identity), whole(&content)).await.expect("uploaded");
        assert_eq!(again, UploadOutcome::AlreadyStored);
        assert_eq!(place.uploading(), [""; 0], "neither the file nor its directories remain");
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_was_announced_changes_nothing() {
    let place = Place::new().await;
    let before = place.everything();
    let right = identity_of(b"content");
    let size = |size| Identity { size, ..right };
    let other = identity_of(b"CONTENT");

    let longer = place.store.upload(upload_of(size(6)), whole("content")).await;
    assert!(matches!(longer, Err(Error::SizeMismatch { declared: 6, received: 7, cut: true })), "{longer:?}");
    let shorter = place.store.upload(upload_of(size(8)), whole("content")).await;
    assert!(
        matches!(shorter, Err(Error::SizeMismatch { declared: 8, received: 7, cut: false })),
        "{shorter:?}"
    );
    let different = place.store.upload(upload_of(other), whole("content")).await;
    let Err(Error::ChecksumMismatch { declared, actual }) = different else { panic!("{different:?}") };
    assert_eq!((declared, actual), (other.checksum, right.checksum));
    for identity in [size(6), size(8), other, right] {
        assert_eq!(place.store.file_status(identity).await.expect("known"), FileStatus::Unknown);
    }
    assert_eq!(place.everything(), before);

    place.put("content").await;
    assert_eq!(fs::read(place.blob(right)).expect("stored"), b"content");
}

#[tokio::test]
async fn an_endless_body_is_cut_off() {
    let place = Place::new().await;
    let read = Arc::new(AtomicU64::new(0));
    let counter = read.clone();
    let endless = stream::repeat_with(move || {
        counter.fetch_add(1, Ordering::Relaxed);
        Part::Ok(Bytes::from_static(&[0; 1024]))
    });
    let identity = Identity { size: 10 * 1024, ..identity_of(b"") };
    let result = place.store.upload(upload_of(identity), endless).await;
    assert!(matches!(result, Err(Error::SizeMismatch { cut: true, .. })), "{result:?}");
    assert_eq!(read.load(Ordering::Relaxed), 11, "one part more than announced");
    assert_eq!(place.uploading(), [""; 0]);
}

#[tokio::test]
async fn what_is_refused_or_known_is_not_read() {
    let place = Place::new().await;
    let identity = place.put("content").await;
    let unread = || stream::poll_fn(|_| -> std::task::Poll<Option<Part>> { panic!("was read") });
    let wrong = Upload { content_length: Some(9), ..upload_of(Identity { size: 8, ..identity }) };
    let refused = place.store.upload(wrong, unread()).await;
    assert!(
        matches!(refused, Err(Error::SizeMismatch { declared: 8, received: 9, cut: false })),
        "{refused:?}"
    );
    let known = Upload { content_length: Some(7), ..upload_of(identity) };
    assert_eq!(place.store.upload(known, unread()).await.expect("answered"), UploadOutcome::AlreadyStored);
    let huge = Upload { content_length: None, ..upload_of(Identity { size: u64::MAX, ..identity }) };
    assert!(
        matches!(place.store.upload(huge, unread()).await, Err(Error::NoSpace)),
        "no storage is that large"
    );
}

#[tokio::test]
async fn a_limit_for_free_space_is_kept() {
    let place = Place::with(Settings { free_space: u64::MAX / 2, ..test_settings() }).await;
    let result = place.store.upload(upload_of(identity_of(b"x")), whole("x")).await;
    assert!(matches!(result, Err(Error::NoSpace)), "{result:?}");
}

#[tokio::test]
async fn a_sender_that_breaks_off_leaves_nothing() {
    let place = Place::new().await;
    let identity = identity_of(b"content");
    let parts = [Part::Ok(Bytes::from_static(b"con")), Part::Err(std::io::ErrorKind::ConnectionReset.into())];
    let result = place.store.upload(upload_of(identity), stream::iter(parts)).await;
    assert!(matches!(result, Err(Error::Body(_))), "{result:?}");
    assert_eq!(place.uploading(), [""; 0]);
    assert_eq!(place.store.file_status(identity).await.expect("known"), FileStatus::Unknown);
}

#[tokio::test]
async fn a_sender_that_falls_silent_is_given_up() {
    let idle_timeout = Duration::from_millis(100);
    let place = Place::with(Settings { idle_timeout, ..test_settings() }).await;
    let body = stream::iter([Part::Ok(Bytes::from_static(b"con"))]).chain(stream::pending());
    let result = place.store.upload(upload_of(identity_of(b"content")), body).await;
    assert!(matches!(result, Err(Error::Idle(after)) if after == idle_timeout), "{result:?}");
    assert_eq!(place.uploading(), [""; 0]);
}

#[tokio::test]
async fn the_first_of_two_uploads_to_succeed_ends_the_other() {
    let place = Place::new().await;
    let identity = identity_of(b"content");
    let (slow, body) = fed();
    let store = place.store.clone();
    let slow_upload = tokio::spawn(async move { store.upload(upload_of(identity), body).await });
    slow.send(Ok(Bytes::from_static(b"con"))).await.expect("sent");
    started(&place, 1).await;
    assert_eq!(
        place.store.upload(upload_of(identity), whole("content")).await.expect("uploaded"),
        UploadOutcome::Stored
    );
    assert_eq!(slow_upload.await.expect("ran").expect("ended"), UploadOutcome::AlreadyStored);
    assert_eq!(place.uploading(), [""; 0]);
}

#[tokio::test]
async fn a_failed_upload_says_nothing_to_the_others() {
    let place = Place::new().await;
    let identity = identity_of(b"content");
    let (good, body) = fed();
    let store = place.store.clone();
    let good_upload = tokio::spawn(async move { store.upload(upload_of(identity), body).await });
    started(&place, 1).await;
    let bad = place.store.upload(upload_of(identity), whole("CONTENT")).await;
    assert!(matches!(bad, Err(Error::ChecksumMismatch { .. })), "{bad:?}");
    good.send(Ok(Bytes::from_static(b"content"))).await.expect("sent");
    drop(good);
    assert_eq!(good_upload.await.expect("ran").expect("stored"), UploadOutcome::Stored);
    assert_eq!(fs::read(place.blob(identity)).expect("stored"), b"content");
}

#[tokio::test]
async fn many_uploads_of_one_file_store_it_once() {
    let place = Place::new().await;
    let content = "many".repeat(100_000);
    let uploads =
        (0..16).map(|_| place.store.upload(upload_of(identity_of(content.as_bytes())), whole(&content)));
    let outcomes = future::join_all(uploads).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert!(outcomes.iter().any(|outcome| matches!(outcome, Ok(UploadOutcome::Stored))));
    let stored = place.everything().into_keys().filter(|name| name.ends_with(".blob")).count();
    assert_eq!(stored, 1);
    assert_eq!(place.uploading(), [""; 0]);
}

#[tokio::test]
async fn senders_are_only_told_to_try_later_when_that_is_switched_on() {
    for defer_uploads in [false, true] {
        let place = Place::with(Settings { defer_uploads, ..test_settings() }).await;
        let identity = identity_of(b"content");
        let willing = Upload { can_defer: true, ..upload_of(identity) };
        let (feed, body) = fed();
        let (store, first) = (place.store.clone(), willing.clone());
        let running = tokio::spawn(async move { store.upload(first, body).await });
        started(&place, 1).await;
        let second = place.store.upload(willing, whole("content")).await.expect("answered");
        let unwilling = place.store.upload(upload_of(identity), whole("content")).await.expect("answered");
        if defer_uploads {
            assert_eq!((second, unwilling), (UploadOutcome::TryLater, UploadOutcome::Stored));
        } else {
            assert_eq!((second, unwilling), (UploadOutcome::Stored, UploadOutcome::AlreadyStored));
        }
        drop(feed);
        assert_eq!(running.await.expect("ran").expect("ended"), UploadOutcome::AlreadyStored);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_half_finished_uploads_do_not_stop_the_rest() {
    let settings = Settings { idle_timeout: Duration::from_secs(2), upload_limit: 100, ..test_settings() };
    let place = Place::with(settings).await;
    let stored = place.put("stored").await;
    let uploads = (0..10_000_u32).map(|number| {
        let store = place.store.clone();
        let identity = Identity { size: 1000, ..identity_of(&number.to_le_bytes()) };
        let body = stream::iter([Part::Ok(Bytes::from_static(&[1; 500]))]).chain(stream::pending());
        tokio::spawn(async move { store.upload(upload_of(identity), body).await })
    });
    let uploads = uploads.collect::<Vec<_>>();
    started(&place, 50).await;
    let open = place.uploading().iter().filter(|name| name.ends_with(".tmp")).count();
    assert!(open <= 100, "{open} files are open");
    assert_eq!(place.store.file_status(stored).await.expect("known"), FileStatus::Stored);
    place.checkout("still/works", &[("a", stored)]).await.expect("made");
    let (mut idle, mut busy) = (0, 0);
    for upload in uploads {
        match upload.await.expect("ran") {
            Err(Error::Idle(_)) => idle += 1,
            Err(Error::Busy { running: 100 }) => busy += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(idle + busy, 10_000);
    assert!(idle >= 100 && busy > 0, "{idle} given up, {busy} refused");
    assert_eq!(place.uploading(), [""; 0]);
    place.put("after the storm").await;
}

#[cfg(unix)]
#[tokio::test]
async fn stored_files_are_readable_by_the_workers_but_not_writable() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new().await;
    let identity = place.put("content").await;
    let mode = fs::metadata(place.blob(identity)).expect("stored").permissions().mode() & 0o777;
    let directory = fs::metadata(place.blob(identity).parent().expect("has one")).expect("there");
    fs::write(place.outside().join("plain"), "").expect("written");
    let plain = fs::metadata(place.outside().join("plain")).expect("there").permissions().mode() & 0o777;
    assert_eq!(mode, plain & 0o444, "what the umask allows, without writing");
    assert_ne!(directory.permissions().mode() & 0o055, 0, "others can reach it");
}
