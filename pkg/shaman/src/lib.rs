//! A content-addressed file store with checkouts, for a render farm.
//!
//! Clients say which files a job needs; they upload only those that are not stored yet; then they ask for a
//! *checkout*, a directory of links to the stored files. A file is known by its [`Identity`], the SHA-256 of its
//! content and its size, and kept once, however many jobs use it.
//!
//! ```text
//!   requirements ──► upload ──► checkout ──► (the job runs) ──► erase ──► … collect_garbage
//!    (what is missing?)  │          │                             │             │
//!                        ▼          ▼                             ▼             ▼
//!                   file-store/   jobs/ and                   jobs/ and     file-store/stored
//!                   stored        file-store/checkouts        its record    (unused and old)
//! ```
//!
//! | module | what |
//! |---|---|
//! | `identity`, `paths`, `plan`, `layout` | pure: what clients may say, and where things lie |
//! | `folder` | directories opened step by step, so that no symbolic link is ever followed |
//! | `shelf`, `status` | looking up and touching stored files |
//! | `upload`, `registry`, `temporary` | receiving files |
//! | `checkout`, `records`, `links`, `erase` | directories of links, and what is remembered about them |
//! | `garbage`, `leftovers`, `lock`, `linking` | deleting what nobody uses, and what was cut short |
//!
//! # Promises
//! * **Nothing outside the storage root is read, written or removed**, also when someone who can write to the
//!   storage puts symbolic links into it: every directory below the root is opened one component at a time, refusing
//!   links, and everything is done relative to that open directory. `file-store` and `jobs` themselves must be real
//!   directories; the root may be reached through links.
//! * **What was reported is on disk.** Files are written under a temporary name, flushed, renamed, and the
//!   directories flushed ([`Settings::flush`]). A checkout appears in one step, complete, or not at all.
//! * **A used file stays.** Garbage collection deletes a stored file only if no link in `jobs` names it, no record of
//!   a checkout lists it, it has no second name, and nobody touched it for [`Settings::max_age`]. In doubt it deletes
//!   nothing.
//! * **Memory does not grow with the size of files.**
//!
//! Several programs may share one storage: temporary files carry locks that end with their owner.

mod checkout;
mod erase;
mod error;
mod folder;
mod garbage;
mod identity;
mod layout;
mod leftovers;
mod linking;
mod links;
mod lock;
mod paths;
mod plan;
mod records;
mod registry;
mod settings;
mod shelf;
mod status;
mod temporary;
mod upload;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

use tokio::sync::Semaphore;

pub use checkout::{Checkout, CheckoutRequest};
pub use erase::{Erased, NothingToErase};
pub use error::{Error, Invalid, Result};
pub use garbage::{GarbageReport, GarbageRequest, References, UnusedFile};
pub use identity::{Checksum, Identity};
pub use leftovers::Leftovers;
pub use links::{Capabilities, LinkMode};
pub use paths::{CheckoutPath, NameRules, PathFault, RelativePath};
pub use plan::CheckoutFile;
pub use settings::Settings;
pub use status::{FileSpec, FileStatus, RequiredFile};
pub use upload::{Upload, UploadOutcome};

use folder::Folder;
use linking::Linking;
use lock::UseLock;
use registry::Registry;

/// The file store and the checkouts of one storage. Cheap to clone.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// What all clones of a [`Store`] share.
struct Inner {
    root: PathBuf,
    settings: Settings,
    registry: Arc<Registry>,
    upload_slots: Semaphore,
    in_use: UseLock,
    /// Held while a checkout gets or loses its name.
    names: Mutex<()>,
    linking: Linking,
    capabilities: OnceLock<Capabilities>,
}

impl Store {
    /// Opens the storage at `root`, which must be absolute; creates its directories and removes what a crash left.
    ///
    /// Storage that cannot be reached is logged, not an error: it may come back, and each call looks again.
    ///
    /// # Errors
    /// [`Error::Io`] when `root` is not absolute.
    pub async fn open(root: impl AsRef<Path>, settings: Settings) -> Result<Self> {
        let root = root.as_ref().to_owned();
        if !root.is_absolute() {
            return Err(Error::io(
                "use as storage the relative path",
                &root,
                io::ErrorKind::InvalidInput.into(),
            ));
        }
        let inner = Inner {
            root,
            registry: Arc::default(),
            upload_slots: Semaphore::new(settings.upload_limit.clamp(1, Semaphore::MAX_PERMITS)),
            in_use: UseLock::default(),
            names: Mutex::default(),
            linking: Linking::default(),
            capabilities: OnceLock::new(),
            settings,
        };
        let store = Self { inner: Arc::new(inner) };
        let prepared = store.blocking(|inner| inner.prepare().and_then(|()| inner.remove_leftovers())).await;
        match prepared {
            Ok(removed) if removed == Leftovers::default() => {}
            Ok(removed) => tracing::info!(?removed, "removed what an earlier run left unfinished"),
            Err(error) => tracing::error!(%error, "the file store is not ready"),
        }
        Ok(store)
    }

    /// The settings the store was opened with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The directory that checkouts are in.
    #[must_use]
    pub fn jobs_path(&self) -> PathBuf {
        self.inner.root.join(layout::JOBS)
    }

    /// What the storage can do, found out by trying. Tried once; later calls give the first result.
    ///
    /// # Errors
    /// [`Error::Io`] when the storage cannot be written to.
    pub async fn capabilities(&self) -> Result<Capabilities> {
        self.blocking(Inner::capabilities).await
    }

    /// Does blocking work where it blocks nobody.
    async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Inner) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let inner = self.inner.clone();
        joined(tokio::task::spawn_blocking(move || work(&inner)).await)
    }
}

/// The result of blocking work; a panic in there goes on here.
fn joined<T>(result: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    match result {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(_) => Err(Error::Cancelled),
        },
    }
}

impl Inner {
    fn prepare(&self) -> Result<()> {
        let root = Folder::make_root(&self.root)?;
        root.make(layout::JOBS)?;
        let file_store = root.make(layout::FILE_STORE)?;
        for name in [layout::STORED, layout::UPLOADING, layout::CHECKOUTS] {
            file_store.make(name)?;
        }
        Ok(())
    }

    /// Opened anew for each piece of work, so that a share that was unmounted and came back is found again.
    fn root(&self) -> Result<Folder> {
        Folder::open_root(&self.root)
    }

    fn file_store(&self) -> Result<Folder> {
        self.root()?.make(layout::FILE_STORE)
    }

    fn jobs(&self) -> Result<Folder> {
        self.root()?.make(layout::JOBS)
    }

    fn building(&self) -> Result<Folder> {
        self.jobs()?.make(paths::BUILDING)
    }

    fn capabilities(&self) -> Result<Capabilities> {
        if let Some(known) = self.capabilities.get() {
            return Ok(*known);
        }
        let uploading = self.file_store()?.make(layout::UPLOADING)?;
        let building = self.building()?;
        let (here, there) = (temporary::Scratch::create(&uploading)?, temporary::Scratch::create(&building)?);
        let found = Capabilities::probe(here.folder(), there.folder())?;
        tracing::info!(?found, link_mode = %self.settings.link_mode, "tried what the storage can do");
        Ok(*self.capabilities.get_or_init(|| found))
    }
}
