//! Attacks by clients, and by someone who can write to the storage. Nothing outside of it may be read, written or
//! removed, and nothing inside may be lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::time::{Duration, SystemTime};

use flamenco_shaman::{
    CheckoutPath, Checksum, Error, FileSpec, FileStatus, GarbageRequest, Identity, NameRules, References,
    RelativePath, Settings,
};
use tokio_util::sync::CancellationToken;

use crate::{Place, identity_of, test_settings, upload_of, whole};

const AGE: Duration = Duration::from_secs(40 * 24 * 3600);

fn shard(identity: Identity) -> (String, String) {
    let sum = identity.checksum.to_string();
    (sum[..2].to_owned(), sum[2..].to_owned())
}

fn collection() -> GarbageRequest {
    GarbageRequest {
        dry_run: false,
        now: SystemTime::now(),
        references: References::Unknown,
        cancel: CancellationToken::new(),
    }
}

fn is_untouched(outside: &Path) -> bool {
    let names = fs::read_dir(outside).expect("there").map(|entry| entry.expect("readable").file_name());
    let names = names.collect::<Vec<_>>();
    names == ["precious"] && fs::read_to_string(outside.join("precious")).is_ok_and(|text| text == "precious")
}

#[tokio::test]
async fn checkout_paths_and_ids_that_climb_are_refused_before_anything_happens() {
    let place = Place::new().await;
    let stored = place.put("content").await;
    place.checkout("victim", &[("a", stored)]).await.expect("made");
    let before = place.everything();
    for path in
        ["..", ".", "a/..", "a//b", "/a", "", "../outside", "victim/../../outside", "..\\outside", "C:\\x"]
    {
        assert!(CheckoutPath::parse(path, NameRules::Unix).is_err(), "{path:?}");
        place.store.erase(path).await.expect("answered");
        assert_eq!(place.everything(), before, "{path:?}");
    }
    for path in ["../x", "a/../../x", "..\\..\\x", "/etc/passwd", "\\x", "C:\\x", "//host/x", "a/./b", "a\0"]
    {
        assert!(RelativePath::parse(path, NameRules::Unix).is_err(), "{path:?}");
    }
    for reserved in ["con", "NUL.txt", "a/aux", "a.", "b "] {
        assert!(CheckoutPath::parse(reserved, NameRules::Portable).is_err(), "{reserved:?}");
        assert!(RelativePath::parse(reserved, NameRules::Portable).is_err(), "{reserved:?}");
    }
    for sum in ["..", "*", "../../../etc/passwd", "5", "", &"g".repeat(64), &"/".repeat(64), &"é".repeat(32)]
    {
        assert!(Checksum::parse(sum).is_err(), "{sum:?}");
    }
}

#[tokio::test]
async fn a_path_in_requirements_is_only_an_echo() {
    let place = Place::new().await;
    place.put("content").await;
    let before = place.everything();
    for path in ["../../outside/precious", "/etc/passwd", "a\0b", ""] {
        let spec = |content: &[u8]| FileSpec { identity: identity_of(content), path: path.into() };
        let answer =
            place.store.requirements(vec![spec(b"content"), spec(b"other")]).await.expect("answered");
        assert_eq!(answer.len(), 1);
        assert_eq!(answer[0].path, path);
    }
    assert_eq!(place.everything(), before);
}

#[tokio::test]
async fn a_link_in_place_of_a_checkout_directory_leads_nowhere() {
    let place = Place::new().await;
    let stored = place.put("content").await;
    symlink(place.outside(), place.path("jobs/out")).expect("linked");
    symlink("../file-store/stored", place.path("jobs/in")).expect("linked");
    for path in ["out", "out/x", "out/x/y", "in/x", "in"] {
        let made = place.checkout(path, &[("a", stored), ("b/c", stored)]).await.expect("made").path;
        let top = path.split('/').next().expect("has one");
        assert!(made.as_str().starts_with(&format!("{top}-")), "{path} became {made}");
    }
    assert!(is_untouched(&place.outside()));
    assert_eq!(fs::read_dir(place.path("file-store/stored")).expect("there").count(), 1);
}

#[tokio::test]
async fn erasing_a_checkout_that_was_turned_into_a_link_removes_nothing_behind_it() {
    let place = Place::new().await;
    let stored = place.put("content").await;
    place.checkout("a/b", &[("x", stored)]).await.expect("made");
    place.checkout("c", &[("x", stored)]).await.expect("made");
    fs::create_dir(place.outside().join("b")).expect("made");
    fs::write(place.outside().join("b/file"), "kept").expect("written");
    // Above the checkout, and the checkout itself.
    fs::rename(place.path("jobs/a"), place.path("jobs/moved")).expect("moved");
    symlink(place.outside(), place.path("jobs/a")).expect("linked");
    fs::rename(place.path("jobs/c"), place.path("jobs/moved-too")).expect("moved");
    symlink(place.outside(), place.path("jobs/c")).expect("linked");
    place.store.erase("a/b").await.expect("answered");
    place.store.erase("c").await.expect("answered");
    assert_eq!(fs::read_to_string(place.outside().join("b/file")).expect("there"), "kept");
    assert!(place.outside().join("precious").exists());
    assert!(place.path("jobs/a").is_symlink() && place.path("jobs/c").is_symlink());

    // Links inside a checkout are removed, what they lead to is not.
    place.checkout("d", &[("x", stored)]).await.expect("made");
    symlink(place.outside(), place.path("jobs/d/outside")).expect("linked");
    place.store.erase("d").await.expect("erased");
    assert!(!place.path("jobs/d").exists());
    assert_eq!(fs::read_to_string(place.outside().join("b/file")).expect("there"), "kept");
    assert_eq!(fs::read(place.blob(stored)).expect("stored"), b"content");
}

#[tokio::test]
async fn links_inside_the_file_store_are_not_followed() {
    let place = Place::new().await;
    let secret = identity_of(b"precious");
    let (first, rest) = shard(secret);
    let above = place.path("file-store/stored").join(&first);
    let blob = format!("{}.blob", secret.size);

    // A stored file that is a link to something outside with the right length.
    fs::create_dir_all(above.join(&rest)).expect("made");
    symlink(place.outside().join("precious"), above.join(&rest).join(&blob)).expect("linked");
    assert_eq!(place.store.file_status(secret).await.expect("known"), FileStatus::Unknown);
    let made = place.checkout("a", &[("x", secret)]).await;
    assert!(matches!(made, Err(Error::MissingFiles(_))), "{made:?}");
    place.put("precious").await;
    assert!(fs::symlink_metadata(place.blob(secret)).expect("stored").is_file(), "the link is replaced");
    assert!(is_untouched(&place.outside()));

    // Directories of the store that are links.
    fs::remove_dir_all(&above).expect("removed");
    fs::create_dir(place.outside().join("lure")).expect("made");
    fs::create_dir(place.outside().join("lure").join(&rest)).expect("made");
    fs::write(place.outside().join("lure").join(&rest).join(&blob), "precious").expect("written");
    symlink(place.outside().join("lure"), &above).expect("linked");
    assert_eq!(place.store.file_status(secret).await.expect("known"), FileStatus::Unknown);
    let refused = place.store.upload(upload_of(secret), whole("precious")).await;
    assert!(matches!(refused, Err(Error::Obstructed(_))), "{refused:?}");
    let lure = place.outside().join("lure").join(&rest).join(&blob);
    fs::File::open(&lure).and_then(|file| file.set_modified(SystemTime::now() - AGE)).expect("aged");
    let report = place.store.collect_garbage(collection()).await.expect("collected");
    assert_eq!(report.deleted_files, 0);
    assert!(lure.exists(), "garbage is not collected behind a link");
}

#[tokio::test]
async fn links_in_place_of_the_working_directories_are_refused() {
    for name in [
        "file-store/uploading",
        "file-store/stored",
        "file-store/checkouts",
        "jobs",
        "jobs/.flamenco-building",
    ] {
        let mut place = Place::new().await;
        let stored = place.put("content").await;
        place.checkout("a", &[("x", stored)]).await.expect("made");
        place.age(stored, AGE);
        let aside = place.root().join("aside");
        fs::rename(place.path(name), &aside).expect("moved");
        symlink(place.outside(), place.path(name)).expect("linked");
        let uploaded = place.store.upload(upload_of(identity_of(b"new")), whole("new")).await;
        let made = place.checkout("b", &[("x", stored)]).await;
        assert!(uploaded.is_err() || made.is_err(), "{name}");
        drop(place.store.erase("a").await);
        drop(place.store.collect_garbage(collection()).await);
        place.reopen().await;
        assert!(is_untouched(&place.outside()), "{name}");
        let there = place.blob(stored).exists() || name == "file-store/stored";
        assert!(there, "{name}: nothing was collected");
    }
}

#[tokio::test]
async fn leftovers_behind_links_stay() {
    let mut place = Place::new().await;
    let outside = place.outside();
    fs::create_dir_all(outside.join("rest")).expect("made");
    fs::write(outside.join("rest/3-000000001.tmp"), "not ours").expect("written");
    fs::write(outside.join("4.tmp"), "not ours").expect("written");
    symlink(&outside, place.path("file-store/uploading/ab")).expect("linked");
    symlink(outside.join("4.tmp"), place.path("file-store/checkouts/000000004.tmp")).expect("linked");
    symlink(outside.join("rest"), place.path("jobs/.flamenco-building"))
        .or_else(|_| {
            fs::remove_dir(place.path("jobs/.flamenco-building"))?;
            symlink(outside.join("rest"), place.path("jobs/.flamenco-building"))
        })
        .expect("linked");
    place.reopen().await;
    assert!(outside.join("rest/3-000000001.tmp").exists() && outside.join("4.tmp").exists());
}

#[tokio::test]
async fn a_storage_that_is_reached_through_a_link_keeps_its_used_files() {
    let mut place = Place::new().await;
    let real = place.outside().join("real-storage");
    fs::rename(place.root(), &real).expect("moved");
    symlink(&real, place.root()).expect("linked");
    place.reopen().await;
    let (used, unused) = (place.put("used").await, place.put("unused").await);
    place.checkout("job", &[("a", used)]).await.expect("made");
    // Only the link tells, as in a store that another program made.
    fs::remove_dir_all(place.path("file-store/checkouts")).expect("removed");
    place.age(used, AGE);
    place.age(unused, AGE);
    let report = place.store.collect_garbage(collection()).await.expect("collected");
    assert_eq!((report.deleted_files, report.still_used), (1, 1));
    assert!(place.blob(used).exists() && !place.blob(unused).exists());
}

#[tokio::test]
async fn a_forged_record_gives_no_power() {
    let place = Place::new().await;
    let stored = place.put("content").await;
    place.checkout("victim", &[("a", stored)]).await.expect("made");
    let records = place.path("file-store/checkouts");
    let genuine = fs::read_dir(&records).expect("there").next().expect("one").expect("readable").path();
    let text = fs::read_to_string(&genuine).expect("readable");
    for forged in ["..", "../../outside", "/etc", "other"] {
        fs::write(&genuine, text.replace("victim", forged)).expect("forged");
        for id in [forged, "victim"] {
            place.store.erase(id).await.expect("answered");
        }
        drop(
            place
                .store
                .collect_garbage(GarbageRequest {
                    references: References::Known(std::collections::HashSet::new()),
                    ..collection()
                })
                .await,
        );
        assert!(place.path("jobs/victim/a").is_symlink(), "{forged}");
        assert!(is_untouched(&place.outside()), "{forged}");
    }
}

#[tokio::test]
async fn an_original_name_is_never_a_path() {
    let place = Place::with(Settings { ..test_settings() }).await;
    let identity = identity_of(b"x");
    let mut upload = upload_of(identity);
    upload.original_name = Some("../../outside/precious\n\u{1b}[2J".into());
    place.store.upload(upload, whole("x")).await.expect("stored");
    assert!(is_untouched(&place.outside()));
    assert!(place.blob(identity).exists());
}
