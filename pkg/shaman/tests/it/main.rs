//! The store on a real file system.
#![allow(clippy::expect_used, reason = "a test fails by panicking")]

#[cfg(unix)]
mod checkouts;
#[cfg(target_os = "linux")]
mod crash;
#[cfg(unix)]
mod garbage;
#[cfg(unix)]
mod hostile;
#[cfg(unix)]
mod links;
mod status;
mod uploads;

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use flamenco_shaman::{
    Checkout, CheckoutFile, CheckoutPath, CheckoutRequest, Checksum, Identity, NameRules, RelativePath,
    Settings, Store, Upload, UploadOutcome,
};
use futures_util::stream;
use sha2::{Digest, Sha256};

/// A storage in a temporary directory, with something precious beside it.
pub(crate) struct Place {
    directory: tempfile::TempDir,
    pub(crate) store: Store,
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with(test_settings()).await
    }

    pub(crate) async fn with(settings: Settings) -> Self {
        let directory = tempfile::tempdir().expect("temporary directory");
        fs::create_dir(directory.path().join("outside")).expect("made");
        fs::write(directory.path().join("outside/precious"), "precious").expect("written");
        let store = Store::open(directory.path().join("storage"), settings).await.expect("opened");
        Self { directory, store }
    }

    /// Opens the same storage again, as after a restart.
    pub(crate) async fn reopen(&mut self) {
        self.store = Store::open(self.root(), self.store.settings().clone()).await.expect("opened");
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.directory.path().join("storage")
    }

    pub(crate) fn outside(&self) -> PathBuf {
        self.directory.path().join("outside")
    }

    /// The path of something in the storage.
    pub(crate) fn path(&self, below: &str) -> PathBuf {
        self.root().join(below)
    }

    pub(crate) fn blob(&self, identity: Identity) -> PathBuf {
        let sum = identity.checksum.to_string();
        self.path(&format!("file-store/stored/{}/{}/{}.blob", &sum[..2], &sum[2..], identity.size))
    }

    /// Uploads this content.
    pub(crate) async fn put(&self, content: &str) -> Identity {
        let identity = identity_of(content.as_bytes());
        let outcome = self.store.upload(upload_of(identity), whole(content)).await.expect("uploaded");
        assert!(matches!(outcome, UploadOutcome::Stored | UploadOutcome::AlreadyStored));
        identity
    }

    pub(crate) async fn checkout(
        &self,
        path: &str,
        files: &[(&str, Identity)],
    ) -> flamenco_shaman::Result<Checkout> {
        self.store.checkout(request(path, files)).await
    }

    /// Makes a stored file look unused for this long.
    pub(crate) fn age(&self, identity: Identity, age: Duration) {
        let file = fs::File::open(self.blob(identity)).expect("stored");
        file.set_modified(SystemTime::now() - age).expect("aged");
    }

    /// All that exists in the storage and beside it, to see that nothing has changed.
    pub(crate) fn everything(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        describe(self.directory.path(), self.directory.path(), &mut found);
        found
    }

    /// What is left of uploads.
    pub(crate) fn uploading(&self) -> Vec<String> {
        let mut found = BTreeMap::new();
        let top = self.path("file-store/uploading");
        describe(&top, &top, &mut found);
        found.into_keys().collect()
    }
}

/// Nothing when it is gone: the store may be at work while a test looks.
fn unless_gone<T>(read: std::io::Result<T>) -> Option<T> {
    match read {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
        read => Some(read.expect("readable")),
    }
}

fn describe(top: &Path, at: &Path, found: &mut BTreeMap<String, String>) {
    for entry in unless_gone(fs::read_dir(at)).into_iter().flatten() {
        let path = entry.expect("readable").path();
        let name = path.strip_prefix(top).expect("below").to_string_lossy().into_owned();
        // Lock files come and go by design.
        if name.ends_with("/.lock") || name.ends_with(".flamenco-building") {
            continue;
        }
        let Some(kind) = unless_gone(fs::symlink_metadata(&path)) else { continue };
        let what = if kind.is_symlink() {
            let Some(to) = unless_gone(fs::read_link(&path)) else { continue };
            format!("-> {}", to.display())
        } else if kind.is_dir() {
            describe(top, &path, found);
            "directory".to_owned()
        } else {
            let Some(content) = unless_gone(fs::read(&path)) else { continue };
            String::from_utf8_lossy(&content).into_owned()
        };
        found.insert(name, what);
    }
}

/// Settings that do not wait for the disk.
pub(crate) fn test_settings() -> Settings {
    Settings { flush: false, ..Settings::default() }
}

pub(crate) fn identity_of(content: &[u8]) -> Identity {
    Identity { checksum: Checksum::from_bytes(Sha256::digest(content).into()), size: content.len() as u64 }
}

pub(crate) fn upload_of(identity: Identity) -> Upload {
    Upload {
        identity,
        can_defer: false,
        original_name: Some("textures/wood.png".into()),
        content_length: None,
    }
}

/// A body that arrives in three parts.
pub(crate) fn whole(
    content: &str,
) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Send + use<> {
    let content = Bytes::copy_from_slice(content.as_bytes());
    let (one, two) = (content.len() / 3, content.len() * 2 / 3);
    let parts = [content.slice(..one), content.slice(one..two), content.slice(two..)];
    stream::iter(parts.map(Ok))
}

pub(crate) fn checkout_path(path: &str) -> CheckoutPath {
    CheckoutPath::parse(path, NameRules::Unix).expect("valid")
}

pub(crate) fn request(path: &str, files: &[(&str, Identity)]) -> CheckoutRequest {
    let files = files.iter().map(|(path, identity)| {
        let path = RelativePath::parse(path, NameRules::Unix).expect("valid");
        CheckoutFile { identity: *identity, path }
    });
    CheckoutRequest {
        path: checkout_path(path),
        files: files.collect(),
        names: NameRules::Unix,
        now: SystemTime::now(),
    }
}
