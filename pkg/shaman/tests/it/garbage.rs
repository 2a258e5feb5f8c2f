//! Garbage collection.

use std::collections::HashSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::time::{Duration, SystemTime};

use flamenco_shaman::{
    Error, GarbageReport, GarbageRequest, Identity, LinkMode, References, Settings, Store, UnusedFile,
};
use tokio_util::sync::CancellationToken;

use crate::{Place, identity_of, test_settings};

const DAY: Duration = Duration::from_secs(24 * 3600);
const OLD: Duration = Duration::from_secs(62 * 24 * 3600);

fn request(dry_run: bool, references: References) -> GarbageRequest {
    GarbageRequest { dry_run, now: SystemTime::now(), references, cancel: CancellationToken::new() }
}

fn known(ids: &[&str]) -> References {
    References::Known(ids.iter().map(|id| (*id).to_owned()).collect())
}

async fn collect(place: &Place, dry_run: bool, references: References) -> GarbageReport {
    place.store.collect_garbage(request(dry_run, references)).await.expect("collected")
}

fn identities(files: &[UnusedFile]) -> HashSet<Identity> {
    files.iter().map(|file| file.identity).collect()
}

#[tokio::test]
async fn only_old_files_without_links_go() {
    let place = Place::new().await;
    let mut files = Vec::new();
    for content in ["fresh", "linked", "unused", "unused too"] {
        files.push(place.put(content).await);
    }
    let [fresh, linked, unused, unused_too] = files[..] else { panic!("four files") };
    place.checkout("job", &[("deep/below/a", linked)]).await.expect("made");
    assert_eq!(collect(&place, false, References::Unknown).await.old_files, 0, "all are fresh");

    for file in [linked, unused, unused_too] {
        place.age(file, OLD);
    }
    let before = place.everything();
    let dry = collect(&place, true, References::Unknown).await;
    assert_eq!(place.everything(), before, "a dry run deletes nothing");
    assert_eq!((dry.stored_files, dry.old_files, dry.still_used, dry.links_checked), (4, 3, 1, 1));
    assert_eq!(identities(&dry.unused), HashSet::from([unused, unused_too]));
    assert_eq!((dry.deleted_files, dry.deleted_bytes, dry.unused_bytes), (0, 0, 16));

    let real = collect(&place, false, References::Unknown).await;
    assert_eq!(real.unused, dry.unused, "a dry run says what a real one does");
    assert_eq!((real.deleted_files, real.deleted_bytes, real.kept_files), (2, 16, 0));
    for (file, stays) in [(fresh, true), (linked, true), (unused, false), (unused_too, false)] {
        assert_eq!(place.blob(file).exists(), stays);
        let sum = file.checksum.to_string();
        let shard = place.path(&format!("file-store/stored/{}", &sum[..2]));
        assert_eq!(
            shard.exists(),
            stays || files.iter().any(|f| f.checksum.to_string()[..2] == sum[..2] && *f != file)
        );
    }
    assert!(place.path("file-store/stored").is_dir());
}

#[tokio::test]
async fn files_of_an_erased_checkout_go_when_they_are_old() {
    let place = Place::new().await;
    let file = place.put("content").await;
    place.checkout("job", &[("a", file)]).await.expect("made");
    place.age(file, OLD);
    assert_eq!(collect(&place, false, known(&["job"])).await.deleted_files, 0);
    place.store.erase("job").await.expect("erased");
    assert_eq!(collect(&place, false, known(&[])).await.deleted_files, 1);
}

#[tokio::test]
async fn the_age_counts_from_now_but_never_beyond_the_clock_of_the_storage() {
    let place = Place::with(Settings { max_age: 10 * DAY, ..test_settings() }).await;
    let file = place.put("content").await;
    let at = |now| GarbageRequest { now, ..request(true, References::Unknown) };
    for (age, now, old) in [
        (9 * DAY, SystemTime::now(), 0),
        (11 * DAY, SystemTime::now(), 1),
        (11 * DAY, SystemTime::now() - 2 * DAY, 0),
        (9 * DAY, SystemTime::now() + 1000 * DAY, 0),
    ] {
        place.age(file, age);
        let report = place.store.collect_garbage(at(now)).await.expect("collected");
        assert_eq!(report.old_files, old, "{age:?}");
    }
    let hasty = Place::with(Settings { max_age: Duration::ZERO, ..test_settings() }).await;
    let file = hasty.put("content").await;
    hasty.age(file, Duration::from_secs(1800));
    assert_eq!(collect(&hasty, false, References::Unknown).await.old_files, 0, "never under an hour");
    hasty.age(file, Duration::from_secs(3700));
    assert_eq!(collect(&hasty, false, References::Unknown).await.deleted_files, 1);
}

#[tokio::test]
async fn links_and_files_of_another_program_count() {
    let place = Place::new().await;
    let (relative, absolute, windows) = (place.put("1").await, place.put("2").await, place.put("3").await);
    let unused = place.put("4").await;
    let text = |file: Identity, before: &str, separator: &str| {
        let sum = file.checksum.to_string();
        let parts = ["file-store", "stored", &sum[..2], &sum[2..], &format!("{}.blob", file.size)];
        format!("{before}{}", parts.join(separator))
    };
    fs::create_dir_all(place.path("jobs/theirs/deep")).expect("made");
    let links = [
        ("a", text(relative, "../../../", "/")),
        ("b", text(absolute, "/mnt/elsewhere/", "/")),
        ("c", text(windows, "S:\\flamenco\\", "\\")),
        ("dangling", "/nowhere".into()),
        ("up", "..".into()),
    ];
    for (name, text) in links {
        symlink(text, place.path("jobs/theirs/deep").join(name)).expect("linked");
    }
    for file in [relative, absolute, windows, unused] {
        fs::set_permissions(place.blob(file), std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .expect("as theirs");
        place.age(file, OLD);
    }
    fs::write(place.path("file-store/stored/README"), "not a stored file").expect("written");
    let report = collect(&place, false, References::Unknown).await;
    assert_eq!((report.deleted_files, report.still_used, report.links_checked), (1, 3, 5));
    assert!(!place.blob(unused).exists() && place.path("file-store/stored/README").exists());
}

#[tokio::test]
async fn jobs_that_cannot_be_seen_end_the_run() {
    let place = Place::new().await;
    let file = place.put("content").await;
    place.checkout("job", &[("a", file)]).await.expect("made");
    place.age(file, OLD);
    fs::rename(place.path("jobs"), place.outside().join("jobs")).expect("unmounted");
    for mounted_over in [false, true] {
        if mounted_over {
            fs::create_dir(place.path("jobs")).expect("an empty place to mount at");
        }
        for references in [References::Unknown, known(&[]), known(&["job"])] {
            let result = place.store.collect_garbage(request(false, references)).await;
            assert!(matches!(result, Err(Error::Unsafe(_))), "{result:?}");
            assert!(place.blob(file).exists());
        }
    }
    // No record, but a job that names a checkout.
    fs::remove_dir_all(place.path("file-store/checkouts")).expect("removed");
    let result = place.store.collect_garbage(request(false, known(&["job"]))).await;
    assert!(matches!(result, Err(Error::Unsafe(_))), "{result:?}");
    assert!(place.blob(file).exists());
}

#[tokio::test]
async fn an_unreadable_record_ends_the_run() {
    let place = Place::new().await;
    let (file, unused) = (place.put("content").await, place.put("unused").await);
    place.checkout("job", &[("a", file)]).await.expect("made");
    place.age(unused, OLD);
    fs::write(place.path("file-store/checkouts/0123.json"), "{\"checkout\":").expect("written");
    let result = place.store.collect_garbage(request(false, References::Unknown)).await;
    assert!(matches!(result, Err(Error::Unsafe(_))), "{result:?}");
    assert!(place.blob(unused).exists());
}

#[tokio::test]
async fn a_cancelled_run_deletes_nothing() {
    let place = Place::new().await;
    let file = place.put("content").await;
    place.age(file, OLD);
    let cancelled = request(false, References::Unknown);
    cancelled.cancel.cancel();
    let result = place.store.collect_garbage(cancelled).await;
    assert!(matches!(result, Err(Error::Cancelled)), "{result:?}");
    assert!(place.blob(file).exists());
}

#[tokio::test]
async fn records_protect_files_whose_links_are_gone() {
    let place = Place::new().await;
    let (lost, kept) = (place.put("lost").await, place.put("kept").await);
    place.checkout("lost", &[("a", lost)]).await.expect("made");
    place.checkout("kept", &[("a", kept)]).await.expect("made");
    fs::remove_file(place.path("jobs/kept/a")).expect("removed");
    fs::remove_dir_all(place.path("jobs/lost")).expect("removed");
    place.age(lost, OLD);
    place.age(kept, OLD);

    let report = collect(&place, false, known(&["lost", "kept"])).await;
    assert_eq!((report.deleted_files, report.lost, report.still_used), (0, vec!["lost".to_owned()], 2));
    let report = collect(&place, false, References::Unknown).await;
    assert_eq!((report.deleted_files, report.lost), (0, vec!["lost".to_owned()]), "in doubt, all count");

    let dry = collect(&place, true, known(&["kept"])).await;
    assert_eq!(dry.forgotten, ["lost"]);
    assert_eq!(identities(&dry.unused), HashSet::from([lost]));
    let report = collect(&place, false, known(&["kept"])).await;
    assert_eq!((report.deleted_files, report.forgotten.as_slice()), (1, ["lost".to_owned()].as_slice()));
    assert!(!place.blob(lost).exists() && place.blob(kept).exists());
    let report = collect(&place, false, known(&["kept"])).await;
    assert_eq!(report.forgotten, [""; 0], "the record is gone");
}

#[tokio::test]
async fn checkouts_without_a_job_are_reported_and_keep_their_files() {
    let place = Place::new().await;
    let file = place.put("content").await;
    place.checkout("project/orphan", &[("a", file)]).await.expect("made");
    place.age(file, OLD);
    let report = collect(&place, false, known(&["other"])).await;
    assert_eq!((report.orphans, report.deleted_files), (vec!["project/orphan".to_owned()], 0));
    assert!(place.path("jobs/project/orphan/a").exists());
    assert_eq!(collect(&place, false, References::Unknown).await.orphans, [""; 0], "nobody can tell");
}

#[tokio::test]
async fn other_kinds_of_links_protect_what_they_need() {
    for (mode, deleted) in [(LinkMode::Hardlink, 0), (LinkMode::Copy, 1)] {
        let place = Place::with(Settings { link_mode: mode, ..test_settings() }).await;
        let (file, unrecorded) = (place.put("content").await, place.put("linked by hand").await);
        place.checkout("job", &[("a", file)]).await.expect("made");
        fs::hard_link(place.blob(unrecorded), place.path("jobs/job/by hand")).expect("linked");
        place.age(file, OLD);
        place.age(unrecorded, OLD);
        let report = collect(&place, false, known(&["job"])).await;
        assert_eq!((report.deleted_files, report.kept_files), (deleted, 1), "{mode}");
        assert!(place.blob(unrecorded).exists());
        assert_eq!(fs::read(place.path("jobs/job/a")).expect("still there"), b"content");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn checkouts_made_during_collection_keep_their_files() {
    let place = std::sync::Arc::new(Place::new().await);
    for round in 0..15 {
        let mut files = Vec::new();
        for number in 0..20 {
            let file = place.put(&format!("{round} {number}")).await;
            place.age(file, OLD);
            files.push(file);
        }
        let collector = place.clone();
        let collecting = tokio::spawn(async move { collect(&collector, false, References::Unknown).await });
        let path = format!("job {round}");
        let wanted = files.iter().take(10).map(|file| ("x", *file)).collect::<Vec<_>>();
        let names = (0..wanted.len()).map(|number| format!("f{number}")).collect::<Vec<_>>();
        let wanted =
            wanted.iter().zip(&names).map(|((_, file), name)| (name.as_str(), *file)).collect::<Vec<_>>();
        let made = place.checkout(&path, &wanted).await;
        collecting.await.expect("ran");
        match made {
            Ok(_) => {
                for name in &names {
                    assert!(
                        fs::read(place.path("jobs").join(&path).join(name)).is_ok(),
                        "round {round} {name}"
                    );
                }
            }
            Err(Error::MissingFiles(_)) => assert!(!place.path("jobs").join(&path).exists()),
            Err(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn a_file_that_was_collected_can_be_uploaded_again() {
    let place = Place::new().await;
    let file = place.put("content").await;
    place.age(file, OLD);
    assert_eq!(collect(&place, false, References::Unknown).await.deleted_files, 1);
    assert_eq!(place.put("content").await, identity_of(b"content"));
    assert!(place.blob(file).exists());
}

/// Storage on which files cannot be marked as used, and a checkout that is being made when the collection begins: the
/// link that it makes last is not there yet when the collector looks, and nor is its record.
#[tokio::test(flavor = "multi_thread")]
async fn a_checkout_that_began_before_the_collection_keeps_its_files() {
    for shared_storage in [false, true] {
        let mut attempts = 0;
        while !collect_during_a_checkout(shared_storage).await {
            attempts += 1;
            assert!(attempts < 20, "the collector is always too late to meet this case");
        }
    }
}

/// Says whether the collector took the file that is linked last for unused.
async fn collect_during_a_checkout(shared_storage: bool) -> bool {
    let place = std::sync::Arc::new(Place::new().await);
    let (many, last) = (place.put("many").await, place.put("last").await);
    let collector = if shared_storage {
        Store::open(place.root(), place.store.settings().clone()).await.expect("opened")
    } else {
        place.store.clone()
    };
    let maker = place.clone();
    let making = tokio::spawn(async move {
        let names = (0..10_000).map(|number| format!("a/{number:05}")).collect::<Vec<_>>();
        let files = names.iter().map(|name| (name.as_str(), many)).chain([("z", last)]);
        maker.checkout("job", &files.collect::<Vec<_>>()).await
    });
    let building = place.path("jobs/.flamenco-building");
    let first_link = || {
        let checkouts = fs::read_dir(&building).into_iter().flatten().flatten();
        checkouts.map(|entry| entry.path().join("a/00000")).any(|link| link.is_symlink())
    };
    while !first_link() && !making.is_finished() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    place.age(last, OLD);
    let report = collector.collect_garbage(request(false, References::Unknown)).await.expect("collected");
    making.await.expect("ran").expect("made");
    assert!(place.path("jobs/job/z").exists(), "shared by two managers: {shared_storage}");
    assert_eq!((report.deleted_files, report.kept_files), (0, report.unused.len() as u64));
    !report.unused.is_empty()
}
