//! Making and erasing checkouts.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use flamenco_shaman::{
    CheckoutRequest, Erased, Error, Identity, Invalid, NameRules, NothingToErase, Settings,
};

use crate::{Place, checkout_path, identity_of, request, test_settings};

#[tokio::test]
async fn links_are_relative_and_lead_to_the_stored_files() {
    let place = Place::with(Settings { flush: true, ..test_settings() }).await;
    let names = ["subdir/replacer.py", "feed.py", "httpstuff.py", "много ликова.py"];
    let mut files = Vec::new();
    for name in names {
        files.push((name, place.put(name).await));
    }
    let made = place.checkout("á hausinn á þér", &files).await.expect("made");
    assert_eq!((made.path.as_str(), made.files), ("á hausinn á þér", 4));
    for (name, identity) in files {
        let link = place.path("jobs/á hausinn á þér").join(name);
        let sum = identity.checksum.to_string();
        let up = if name.contains('/') { "../../../" } else { "../../" };
        let text = format!("{up}file-store/stored/{}/{}/{}.blob", &sum[..2], &sum[2..], identity.size);
        assert_eq!(fs::read_link(&link).expect("a link"), Path::new(&text));
        assert_eq!(fs::read_to_string(&link).expect("leads there"), name);
    }
    // The share may be mounted elsewhere.
    fs::rename(place.root(), place.outside().join("moved")).expect("moved");
    let moved = place.outside().join("moved/jobs/á hausinn á þér/subdir/replacer.py");
    assert_eq!(fs::read_to_string(moved).expect("leads there"), "subdir/replacer.py");
}

#[tokio::test]
async fn a_taken_path_gets_a_suffix_where_it_collides() {
    let place = Place::new().await;
    let file = [("a", place.put("content").await)];
    let path = "some-path/that is/unique/at first";
    assert_eq!(place.checkout(path, &file).await.expect("made").path.as_str(), path);
    let second = place.checkout(path, &file).await.expect("made").path;
    let suffix =
        second.as_str().strip_prefix(path).and_then(|rest| rest.strip_prefix('-')).expect("suffixed");
    assert!(
        suffix.len() == 4 && suffix.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()),
        "{second}"
    );

    // Neither inside another checkout, nor around one.
    let inside = place.checkout(&format!("{path}/inner"), &file).await.expect("made").path;
    assert!(
        inside.as_str().starts_with(&format!("{path}-")) && inside.as_str().ends_with("/inner"),
        "{inside}"
    );
    let around = place.checkout("some-path/that is", &file).await.expect("made").path;
    assert!(around.as_str().starts_with("some-path/that is-"), "{around}");
    // Nor where a plain file, or a link, is in the way.
    fs::write(place.path("jobs/notes.txt"), "mine").expect("written");
    let beside = place.checkout("notes.txt/x", &file).await.expect("made").path;
    assert!(beside.as_str().starts_with("notes.txt-"), "{beside}");
    assert_eq!(fs::read_to_string(place.path("jobs/notes.txt")).expect("still there"), "mine");
    // Nor beside one that some storage takes for the same.
    let other_case = place.checkout("Some-Path/THAT is/unique/at FIRST", &file).await.expect("made").path;
    assert!(other_case.as_str().starts_with("Some-Path/THAT is/unique/at FIRST-"), "{other_case}");
    for made in [&second, &inside, &around, &beside, &other_case] {
        assert!(place.path("jobs").join(made.as_str()).join("a").is_symlink(), "{made}");
        assert!(place.store.has_checkout(made.clone()).await.expect("asked"), "{made}");
    }
}

#[tokio::test]
async fn a_directory_that_is_no_checkout_is_never_added_to() {
    let place = Place::new().await;
    let file = [("a", place.put("content").await)];
    fs::create_dir_all(place.path("jobs/mine/deep")).expect("made");
    fs::create_dir(place.path("jobs/empty")).expect("made");
    for path in ["mine", "empty", "mine/deep"] {
        let made = place.checkout(path, &file).await.expect("made").path;
        assert!(made.as_str().starts_with(&format!("{path}-")), "{made}");
    }
    assert_eq!(fs::read_dir(place.path("jobs/empty")).expect("there").count(), 0);
    // But a directory may hold many checkouts.
    assert_eq!(place.checkout("mine/new", &file).await.expect("made").path.as_str(), "mine/new");
}

#[tokio::test]
async fn a_failed_checkout_leaves_no_trace() {
    let place = Place::new().await;
    let (stored, other) = (place.put("content").await, place.put("other").await);
    place.checkout("taken/name", &[("a", stored)]).await.expect("made");
    let before = place.everything();
    let (missing, gone) = (identity_of(b"never uploaded"), identity_of(b"neither"));
    for path in ["taken/name", "fresh/name", "taken"] {
        let files = [("x", missing), ("a", stored), ("b/c", gone), ("again", missing)];
        let result = place.checkout(path, &files).await;
        let Err(Error::MissingFiles(files)) = result else { panic!("{result:?}") };
        assert_eq!(files.len(), 2);
        assert!(files.contains(&missing) && files.contains(&gone), "all of them, each once");
    }
    let twice = place.checkout("fresh", &[("x", stored), ("x", other)]).await;
    assert!(matches!(twice, Err(Error::Invalid(Invalid::TwoContents { .. }))), "{twice:?}");
    let nested = place.checkout("fresh", &[("x", stored), ("x/y", stored)]).await;
    assert!(matches!(nested, Err(Error::Invalid(Invalid::FileIsDirectory { .. }))), "{nested:?}");
    assert_eq!(place.everything(), before);
}

#[tokio::test]
async fn the_same_entry_twice_is_accepted() {
    let place = Place::new().await;
    let stored = place.put("content").await;
    let made = place.checkout("twice", &[("a\\b", stored), ("a/b", stored)]).await.expect("made");
    assert_eq!(made.files, 1);
    assert_eq!(fs::read_to_string(place.path("jobs/twice/a/b")).expect("linked"), "content");
    let empty = place.checkout("empty one", &[]).await.expect("made");
    assert_eq!(empty.files, 0);
    assert!(place.path("jobs/empty one").is_dir());
}

#[tokio::test]
async fn names_that_differ_in_case_are_a_matter_of_who_reads_them() {
    let strict = Place::new().await;
    let stored = strict.put("content").await;
    let files = [("Wood.png", stored), ("wood.png", stored)];
    let result =
        strict.store.checkout(CheckoutRequest { names: NameRules::Portable, ..request("a", &files) }).await;
    assert!(matches!(result, Err(Error::Invalid(Invalid::CaseClash { .. }))), "{result:?}");
    assert!(!strict.path("jobs/a").exists());

    let unix = Place::new().await;
    unix.put("content").await;
    if !unix.store.capabilities().await.expect("probed").one_case {
        assert_eq!(unix.checkout("a", &files).await.expect("made").files, 2);
    }
}

#[tokio::test]
async fn checkouts_made_at_the_same_time_get_different_names() {
    let place = Place::new().await;
    let file = [("a", place.put("content").await)];
    let all = futures_util::future::join_all((0..8).map(|_| place.checkout("same/name", &file))).await;
    let mut paths = all.into_iter().map(|made| made.expect("made").path).collect::<Vec<_>>();
    paths.sort();
    paths.dedup();
    assert_eq!(paths.len(), 8);
}

#[tokio::test]
async fn a_job_without_checkout_id_is_matched_by_its_files() {
    let place = Place::new().await;
    let file = [("scene.blend", place.put("content").await)];
    place.checkout("project/shot 1", &file).await.expect("made");
    let cases = [
        ("project/shot 1/scene.blend", Some("project/shot 1")),
        ("project/shot 1/sub/scene: 2?.blend", Some("project/shot 1")),
        ("project/shot 12/scene.blend", None),
        ("project/scene.blend", None),
        ("project/shot 1", None),
        ("../jobs/project/shot 1/scene.blend", None),
        ("", None),
    ];
    for (path, expected) in cases {
        let found = place.store.checkout_of(path).await.expect("asked");
        assert_eq!(found, expected.map(checkout_path), "{path:?}");
    }
}

#[tokio::test]
async fn erasing_one_checkout_leaves_everything_else() {
    let place = Place::with(Settings { flush: true, ..test_settings() }).await;
    let (one, two) = (place.put("one").await, place.put("two").await);
    place.checkout("shots/first/v1", &[("a", one), ("b/c", two)]).await.expect("made");
    place.checkout("shots/second", &[("a", one)]).await.expect("made");
    fs::write(place.path("jobs/shots/first/v1/render.png"), "output").expect("written");
    let before = place.everything();

    assert_eq!(place.store.erase("shots/first/v1").await.expect("erased"), Erased::Yes);
    let mut expected = before.clone();
    expected.retain(|name, what| {
        !name.starts_with("storage/jobs/shots/first") && !what.contains("shots/first/v1")
    });
    assert_eq!(place.everything(), expected, "with its record and its empty parent, and nothing more");
    let again = place.store.erase("shots/first/v1").await.expect("answered");
    assert_eq!(again, Erased::Nothing(NothingToErase::Absent));
    assert_eq!(place.store.erase("shots/second").await.expect("erased"), Erased::Yes);
    assert!(place.path("jobs").is_dir(), "the directory of all checkouts stays");
    assert!(!place.path("jobs/shots").exists());
    assert_eq!(
        place.checkout("shots/second", &[("a", one)]).await.expect("made").path.as_str(),
        "shots/second"
    );
}

#[tokio::test]
async fn an_id_that_is_not_a_checkout_erases_nothing() {
    let place = Place::new().await;
    let one = place.put("one").await;
    place.checkout("shots/first", &[("a", one)]).await.expect("made");
    fs::create_dir_all(place.path("jobs/mine/work")).expect("made");
    symlink("shots", place.path("jobs/alias")).expect("linked");
    let before = place.everything();
    let store = place.path("file-store").display().to_string();
    let ids = [
        "",
        ".",
        "..",
        "/",
        "../file-store",
        "shots/..",
        "shots/../..",
        "shots//first",
        "./shots/first",
        &store,
        "shots",
        "shots/first/a",
        "Shots/First",
        "mine",
        "mine/work",
        "alias",
        "alias/first",
        "absent",
        ".flamenco-building",
        "shots\\first",
        "C:/shots",
        "shots/first/",
        "\0",
    ];
    for id in ids {
        let erased = place.store.erase(id).await.expect("answered");
        assert!(matches!(erased, Erased::Nothing(_)), "{id:?}: {erased:?}");
        assert_eq!(place.everything(), before, "{id:?}");
    }
    assert_eq!(
        place.store.erase("mine").await.expect("answered"),
        Erased::Nothing(NothingToErase::NotACheckout)
    );
}

#[tokio::test]
async fn a_crash_while_building_is_cleaned_up() {
    let mut place = Place::new().await;
    let before = place.everything();
    fs::create_dir_all(place.path("jobs/.flamenco-building/000000007/deep")).expect("made");
    fs::write(place.path("jobs/.flamenco-building/000000007.lock"), "").expect("written");
    fs::create_dir_all(place.path("jobs/.flamenco-building/000000008")).expect("made");
    symlink(place.outside(), place.path("jobs/.flamenco-building/000000007/deep/link")).expect("linked");
    fs::write(place.path("file-store/checkouts/000000009.tmp"), "{").expect("written");
    place.reopen().await;
    assert_eq!(place.everything(), before);
    assert_eq!(fs::read_dir(place.path("jobs/.flamenco-building")).expect("there").count(), 0);
}

#[tokio::test]
async fn ten_thousand_files_are_linked_quickly_enough_for_a_test() {
    let place = Place::new().await;
    let stored = place.put("content").await;
    let names = (0..10_000).map(|n| format!("tex/{:03}/{n}.png", n / 100)).collect::<Vec<_>>();
    let files = names.iter().map(|name| (name.as_str(), stored)).collect::<Vec<(&str, Identity)>>();
    let made = place.store.checkout(request("big", &files)).await.expect("made");
    assert_eq!(made.files, 10_000);
    assert_eq!(fs::read_dir(place.path("jobs/big/tex")).expect("there").count(), 100);
}
