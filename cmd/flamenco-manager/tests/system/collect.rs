//! `-shaman-gc-show` and `-shaman-gc-delete`.

use std::path::Path;

use serde_json::{Value, json};

use crate::program::{age, blob, check_out, command, configure, put, start};

/// What the program prints; it has to succeed.
fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = command(folder).args(arguments).output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

fn json_of(folder: &Path, flag: &str) -> Value {
    serde_json::from_str(&run(folder, &[flag, "--json", "-quiet"])).unwrap()
}

#[test]
fn a_collection_is_shown_and_then_done() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let address = configure(folder, "garbageCollect: { period: 0 }");
    let manager = start(folder, address);
    let (used, unused, young) = (b"used".to_vec(), b"unused".to_vec(), b"young".to_vec());
    for content in [&used, &unused, &young] {
        assert_eq!(put(address, content).unwrap(), 204);
    }
    assert_eq!(check_out(address, "shot", std::slice::from_ref(&used)).unwrap().0, 200);
    for content in [&used, &unused] {
        age(&blob(folder, content));
    }

    // The manager may be running.
    let text = run(folder, &["-shaman-gc-show"]);
    assert!(text.contains("would delete 1 files and free 6 bytes"), "{text}");
    assert!(text.contains(&crate::program::sum(&unused)), "{text}");
    let shown = json_of(folder, "--shaman-gc-show");
    for (key, value) in [
        ("dry_run", json!(true)),
        ("stored_files", json!(3)),
        ("old_files", json!(2)),
        ("still_used", json!(1)),
        ("unused_bytes", json!(6)),
        ("deleted_files", json!(0)),
    ] {
        assert_eq!(shown[key], value, "{key}: {shown}");
    }
    assert_eq!(shown["unused"][0]["sha"], crate::program::sum(&unused));
    assert!(shown["unused"][0]["last_used"].as_str().unwrap().ends_with('Z'), "{shown}");
    assert!(blob(folder, &unused).exists(), "a dry run deletes nothing");

    drop(manager);
    let done = json_of(folder, "-shaman-gc-delete");
    assert_eq!((&done["deleted_files"], &done["deleted_bytes"]), (&json!(1), &json!(6)), "{done}");
    assert!(!blob(folder, &unused).exists());
    assert!(blob(folder, &used).exists() && blob(folder, &young).exists());
    let text = run(folder, &["-shaman-gc-delete"]);
    assert!(text.contains("deleted"), "{text}");
}

#[test]
fn what_cannot_be_seen_is_not_deleted() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let address = configure(folder, "enabled: true");
    let manager = start(folder, address);
    assert_eq!(put(address, b"used").unwrap(), 204);
    assert_eq!(check_out(address, "shot", &[b"used".to_vec()]).unwrap().0, 200);
    drop(manager);
    age(&blob(folder, b"used"));
    std::fs::rename(folder.join("storage/jobs"), folder.join("not mounted")).unwrap();
    let output = command(folder).arg("-shaman-gc-delete").output().unwrap();
    let remarks = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && remarks.contains("is it mounted?"), "{remarks}");
    assert!(blob(folder, b"used").exists());
}

#[test]
fn without_a_file_store_there_is_nothing_to_collect() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    configure(folder, "enabled: false");
    for flag in ["-shaman-gc-show", "-shaman-gc-delete"] {
        assert!(run(folder, &[flag]).starts_with("There is no file store"));
        let report = json_of(folder, flag);
        assert_eq!((&report["stored_files"], &report["unused"]), (&json!(0), &json!([])), "{report}");
    }
    assert!(!folder.join("storage").exists() && !folder.join("flamenco-manager.sqlite").exists());
}
