//! Kinds of links, and that nothing done to a checkout changes the store.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use flamenco_shaman::{Error, LinkMode, Settings};

use crate::{Place, test_settings};

async fn with_mode(link_mode: LinkMode) -> Place {
    Place::with(Settings { link_mode, flush: true, ..test_settings() }).await
}

#[tokio::test]
async fn each_kind_of_link_shows_the_content() {
    for mode in [LinkMode::Auto, LinkMode::Symlink, LinkMode::Hardlink, LinkMode::Reflink, LinkMode::Copy] {
        let place = with_mode(mode).await;
        let stored = place.put("content").await;
        let can_reflink = place.store.capabilities().await.expect("probed").reflink;
        let made = place.checkout("a/b", &[("c/d", stored)]).await;
        if mode == LinkMode::Reflink && !can_reflink {
            assert!(matches!(made, Err(Error::LinksUnsupported(LinkMode::Reflink))), "{made:?}");
            assert!(!place.path("jobs/a").exists());
            continue;
        }
        let link = place.path("jobs/a/b/c/d");
        let (at, blob) = (fs::symlink_metadata(&link), fs::metadata(place.blob(stored)).expect("stored"));
        let at = at.expect("made");
        match made.expect("made").links {
            LinkMode::Symlink => assert!(at.is_symlink() && mode != LinkMode::Hardlink),
            LinkMode::Hardlink => assert_eq!((at.ino(), blob.nlink()), (blob.ino(), 2)),
            LinkMode::Reflink | LinkMode::Copy => assert!(at.is_file() && at.ino() != blob.ino()),
            LinkMode::Auto => panic!("auto is no kind of link"),
        }
        assert_eq!(fs::read_to_string(&link).expect("readable"), "content", "{mode}");
    }
}

/// Runs a shell command as a user without special rights, as a worker would.
fn as_worker(script: &str, argument: &std::path::Path) -> bool {
    let mut shell = Command::new("sh");
    shell.args(["-c", script, "sh"]).arg(argument).stderr(Stdio::null()).current_dir("/");
    // Only the superuser can become someone else; anyone else is without special rights already.
    if fs::metadata("/proc/self").is_ok_and(|found| found.uid() == 0) {
        shell.uid(65534).gid(65534);
    }
    shell.status().expect("ran").success()
}

#[tokio::test]
async fn nothing_done_to_a_checkout_changes_the_store() {
    for mode in [LinkMode::Symlink, LinkMode::Hardlink, LinkMode::Copy] {
        let place = with_mode(mode).await;
        fs::set_permissions(place.root().parent().expect("has one"), fs::Permissions::from_mode(0o755))
            .expect("open");
        let names = ["written", "truncated", "replaced", "removed", "moved"];
        let stored = place.put("content").await;
        place.checkout("job", &names.map(|name| (name, stored))).await.expect("made");
        let directory = place.path("jobs/job");
        fs::set_permissions(&directory, fs::Permissions::from_mode(0o777)).expect("workers may write there");
        assert!(as_worker("cat \"$1\"/written >/dev/null", &directory), "{mode}: a worker reads");
        let wrote = as_worker("echo evil >> \"$1\"/written", &directory);
        let cut = as_worker(": > \"$1\"/truncated", &directory);
        assert!(!wrote && !cut, "{mode}: a worker cannot write through a link, nor into another's copy");
        as_worker("chmod u+w \"$1\"/written; echo evil > \"$1\"/written", &directory);
        assert!(
            as_worker("echo evil > \"$1\"/new && mv -f \"$1\"/new \"$1\"/replaced", &directory),
            "{mode}"
        );
        assert!(as_worker("rm -f \"$1\"/removed && mv \"$1\"/moved \"$1\"/elsewhere", &directory), "{mode}");
        assert_eq!(fs::read(place.blob(stored)).expect("stored"), b"content", "{mode}");
        assert_eq!(fs::read(directory.join("replaced")).expect("there"), b"evil\n");
    }
}

#[tokio::test]
async fn a_copy_can_be_changed_without_changing_the_store() {
    let place = with_mode(LinkMode::Copy).await;
    let stored = place.put("content").await;
    place.checkout("job", &[("a", stored)]).await.expect("made");
    fs::OpenOptions::new()
        .append(true)
        .open(place.path("jobs/job/a"))
        .expect("opened")
        .write_all(b" changed")
        .expect("written");
    assert_eq!(fs::read(place.blob(stored)).expect("stored"), b"content");
}

#[tokio::test]
async fn files_that_another_program_stored_writable_are_protected_when_used() {
    let place = Place::new().await;
    let stored = place.put("content").await;
    fs::set_permissions(place.blob(stored), fs::Permissions::from_mode(0o664)).expect("as others store it");
    place.checkout("job", &[("a", stored)]).await.expect("made");
    let mode = fs::metadata(place.blob(stored)).expect("stored").permissions().mode() & 0o777;
    assert_eq!(mode, 0o444);
}
