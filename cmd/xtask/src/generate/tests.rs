//! A small document with every construct that the generator understands, and what is written for it.
//!
//! The Rust files that are expected for it are also compiled and called, by the tests of `flamenco-api`.

use std::path::{Path, PathBuf};

use super::*;

/// Set this variable to write the expected files anew; then look at what has changed.
const UPDATE: &str = "UPDATE_EXPECTED";

fn small() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/small")
}

fn generated() -> Vec<(String, String)> {
    let api = document::read(&small().join("openapi.yaml")).unwrap();
    let mut files = rust::files(&api).unwrap();
    files.extend(python::files(&api).unwrap());
    files
}

#[test]
fn the_small_document_gives_the_expected_files() {
    for (path, text) in generated() {
        let name =
            path.replace("pkg/api/src/generated/", "").replace("pkg/client/src/generated.rs", "client.rs");
        let path = small().join(name.replace("addon/flamenco/flamenco_client/", ""));
        if std::env::var_os(UPDATE).is_some() {
            fs::write(&path, &text).unwrap();
        }
        let expected = fs::read_to_string(&path).unwrap_or_default();
        let first = expected.lines().zip(text.lines()).position(|(one, other)| one != other);
        assert!(
            expected == text,
            "{} differs, at line {:?}; if that is right, run the test with {UPDATE}=1",
            path.display(),
            first.map(|line| line + 1)
        );
    }
}

#[test]
fn the_same_document_gives_the_same_files() {
    assert_eq!(generated(), generated());
}

#[test]
fn only_a_check_complains_and_only_writing_writes() {
    let root = tempfile::tempdir().unwrap();
    fs::copy(small().join("openapi.yaml"), root.path().join("openapi.yaml")).unwrap();
    let missing = run(root.path(), true).unwrap_err().to_string();
    assert!(missing.contains("pkg/api/src/generated/types.rs"), "{missing}");
    assert!(missing.contains("addon/flamenco/flamenco_client/models.py"), "{missing}");
    assert!(!root.path().join("pkg").exists());

    run(root.path(), false).unwrap();
    run(root.path(), true).unwrap();

    fs::write(root.path().join("pkg/client/src/generated.rs"), "// by hand").unwrap();
    let changed = run(root.path(), true).unwrap_err().to_string();
    assert!(changed.contains("pkg/client/src/generated.rs") && !changed.contains("types.rs"), "{changed}");
}
