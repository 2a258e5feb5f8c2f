//! The Shaman file store in the farm: what jobs need is uploaded once, and every job gets a directory of links to it.
//!
//! Whether there is one is decided when the manager starts, and stays so: paths, `shamanEnabled` and the variable
//! `jobs` all follow the store that runs, whatever the configuration says meanwhile.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use flamenco_domain::ids::JobId;
use flamenco_shaman::{
    CheckoutFile, CheckoutPath, CheckoutRequest, Erased, FileSpec, FileStatus, GarbageReport, GarbageRequest,
    Identity, NameRules, References, RelativePath, RequiredFile, Settings, Store, Upload, UploadOutcome,
};
use flamenco_store::{checkouts, workers};
use futures_util::Stream;
use tokio_util::sync::CancellationToken;

/// What a garbage collection found and did.
pub use flamenco_shaman::GarbageReport as Report;

use super::Farm;
use crate::config::Config;
use crate::error::{Error, Result};

/// The platform whose file names are the most restricted.
const WINDOWS: &str = "windows";
/// Missing files that are named in an error.
const NAMED: usize = 20;

/// A file as a client describes it.
#[derive(Debug, Clone)]
pub struct File {
    /// Its checksum.
    pub sha: String,
    /// Its size in bytes.
    pub size: i64,
    /// Its place in the checkout.
    pub path: String,
}

/// Opens the file store of a configuration; `None` when it is switched off, or nobody has chosen a storage yet.
///
/// # Errors
/// When the path of the storage cannot be used at all. Storage that cannot be reached is only logged.
pub async fn open(config: &Config) -> Result<Option<Store>> {
    let shaman = &config.settings.shaman;
    if !shaman.enabled || config.first_run {
        tracing::info!("the Shaman file store is {}", if shaman.enabled { "not set up" } else { "off" });
        return Ok(None);
    }
    let settings = Settings {
        link_mode: shaman.link_type,
        flush: shaman.flush,
        defer_uploads: shaman.defer_uploads,
        max_age: shaman.garbage_collect_max_age,
        ..Settings::default()
    };
    let store = Store::open(&config.shared_storage, settings).await?;
    let storage = config.shared_storage.display();
    // Storage that is away may come back, and with other abilities.
    match store.capabilities().await.and_then(|able| able.choose(shaman.link_type)) {
        Ok(links) => tracing::info!(%storage, %links, "the Shaman file store is on"),
        Err(error) => tracing::error!(%storage, %error, "checkouts cannot be made"),
    }
    Ok(Some(store))
}

/// Looks for stored files that nobody uses, and deletes them unless it is a dry run, without a farm. `None` when there
/// is no file store. A manager that uses the same storage may be running.
///
/// # Errors
/// As [`Store::collect_garbage`].
pub async fn collect_garbage_of(
    config: &Config,
    dry_run: bool,
    cancel: CancellationToken,
) -> Result<Option<GarbageReport>> {
    let Some(store) = open(config).await? else { return Ok(None) };
    let request = GarbageRequest { dry_run, now: SystemTime::now(), references: References::Unknown, cancel };
    Ok(Some(store.collect_garbage(request).await?))
}

impl Farm {
    /// Whether clients are to send files through the file store.
    #[must_use]
    pub fn has_file_store(&self) -> bool {
        self.shaman.is_some()
    }

    fn file_store(&self) -> Result<&Store> {
        self.shaman.as_ref().ok_or(Error::NoFileStore)
    }

    /// Which of these files are not stored, in their order, each content once. The stored ones are marked as used.
    ///
    /// # Errors
    /// [`Error::NoFileStore`], [`Error::FileStore`] with what is wrong about a file.
    pub async fn missing_files(&self, files: Vec<File>) -> Result<Vec<RequiredFile>> {
        let store = self.file_store()?;
        let specs = files.into_iter().map(|file| {
            let identity = identity(&file)?;
            Ok(FileSpec { identity, path: file.path })
        });
        Ok(store.requirements(specs.collect::<Result<_>>()?).await?)
    }

    /// What is known of a file; a stored one is marked as used.
    ///
    /// # Errors
    /// [`Error::NoFileStore`], [`Error::FileStore`].
    pub async fn file_status(&self, checksum: &str, size: i64) -> Result<FileStatus> {
        let store = self.file_store()?;
        let identity = Identity::parse(checksum, size).map_err(flamenco_shaman::Error::from)?;
        Ok(store.file_status(identity).await?)
    }

    /// What is to be uploaded, if it can be.
    ///
    /// # Errors
    /// [`Error::NoFileStore`], [`Error::FileStore`].
    pub fn announced_file(&self, checksum: &str, size: i64) -> Result<Identity> {
        self.file_store()?;
        Ok(Identity::parse(checksum, size).map_err(flamenco_shaman::Error::from)?)
    }

    /// Receives a file.
    ///
    /// # Errors
    /// [`Error::NoFileStore`], [`Error::FileStore`]; nothing is left of it then.
    pub async fn receive_file<S, E>(&self, upload: Upload, body: S) -> Result<UploadOutcome>
    where
        S: Stream<Item = std::result::Result<bytes::Bytes, E>>,
        E: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        Ok(self.file_store()?.upload(upload, body).await?)
    }

    /// Makes a directory of links to stored files, and gives its path below `jobs`, which may have got a suffix.
    ///
    /// # Errors
    /// [`Error::NoFileStore`], [`Error::FilesMissing`], [`Error::FileStore`]; nothing was made then.
    pub async fn check_out(&self, path: &str, files: Vec<File>) -> Result<String> {
        let store = self.file_store()?.clone();
        let names = self.name_rules().await?;
        let path = CheckoutPath::parse(path, names).map_err(flamenco_shaman::Error::from)?;
        let mut wanted = Vec::with_capacity(files.len());
        for file in &files {
            let path = RelativePath::parse(&file.path, names).map_err(flamenco_shaman::Error::from)?;
            wanted.push(CheckoutFile { identity: identity(file)?, path });
        }
        let now = self.now().into();
        let made = store.checkout(CheckoutRequest { path, files: wanted, names, now }).await;
        match made {
            Ok(made) => {
                tracing::info!(checkout = %made.path, files = made.files, links = %made.links, "checked out");
                Ok(made.path.to_string())
            }
            Err(flamenco_shaman::Error::MissingFiles(missing)) => Err(missing_files(&missing, &files)),
            Err(error) => Err(error.into()),
        }
    }

    /// Windows cannot read every name that others can write, so one Windows worker restricts them all.
    async fn name_rules(&self) -> Result<NameRules> {
        if NameRules::native() == NameRules::Portable || workers::any_on(self.store.read(), WINDOWS).await? {
            return Ok(NameRules::Portable);
        }
        Ok(NameRules::Unix)
    }

    /// The checkout of a job that is being submitted: as the submitter says, or else, for clients that forget to say
    /// it, the one that its blend file lies in.
    ///
    /// # Errors
    /// [`Error::FileStore`] when no checkout can have such an ID.
    pub(super) async fn checkout_of_submission(
        &self,
        given: Option<String>,
        settings: &serde_json::Map<String, serde_json::Value>,
    ) -> Result<Option<String>> {
        if let Some(id) = given.filter(|id| !id.is_empty()) {
            CheckoutPath::parse(&id, NameRules::Unix).map_err(flamenco_shaman::Error::from)?;
            return Ok(Some(id));
        }
        let Some(store) = &self.shaman else { return Ok(None) };
        let Some(file) = settings.get("blendfile").and_then(serde_json::Value::as_str) else {
            return Ok(None);
        };
        let file = file.replace('\\', "/");
        let Some(below_jobs) = file.strip_prefix("{jobs}/") else { return Ok(None) };
        // The job is as good without: only its checkout would not be erased with it.
        let found = store.checkout_of(below_jobs).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "cannot look for the checkout of a submitted job");
            None
        });
        Ok(found.map(|path| path.to_string()))
    }

    /// Erases the checkout of a job that is being deleted, unless another job uses it. What is no checkout of the file
    /// store is left alone, and does not keep the job.
    ///
    /// # Errors
    /// When it cannot be erased now; try again later.
    pub(super) async fn erase_checkout_of(&self, job: JobId) -> Result<()> {
        let Some(store) = &self.shaman else { return Ok(()) };
        let Some(checkout) = checkouts::to_erase_with(self.store.read(), job).await? else { return Ok(()) };
        if store.erase(&checkout).await? == Erased::Yes {
            tracing::info!(job.id = %job, checkout, "checkout erased");
        }
        Ok(())
    }

    /// How often to look for unused files; `None` is never.
    pub(crate) fn garbage_period(&self) -> Option<Duration> {
        self.shaman.as_ref()?;
        let period = self.live().config.settings.shaman.garbage_collect_period;
        (!period.is_zero()).then_some(period)
    }

    /// Deletes the stored files that no checkout uses and that were not used for long, or only looks for them.
    ///
    /// # Errors
    /// [`Error::NoFileStore`], [`Error::FileStore`]: nothing more is deleted then.
    pub async fn collect_garbage(&self, dry_run: bool, cancel: CancellationToken) -> Result<GarbageReport> {
        let store = self.file_store()?;
        // The machine's clock and not the farm's: it is compared with times of files.
        let now = SystemTime::now();
        let references = References::Known(checkouts::of_all_jobs(self.store.read()).await?);
        Ok(store.collect_garbage(GarbageRequest { dry_run, now, references, cancel }).await?)
    }

    /// Removes uploads and checkouts that were cut short, of this manager or another.
    ///
    /// # Errors
    /// When the storage cannot be read or written.
    pub(crate) async fn remove_file_leftovers(&self) -> Result<()> {
        let Some(store) = &self.shaman else { return Ok(()) };
        let removed = store.remove_leftovers().await?;
        if removed != flamenco_shaman::Leftovers::default() {
            tracing::info!(?removed, "removed what was left unfinished in the file store");
        }
        Ok(())
    }
}

fn identity(file: &File) -> Result<Identity> {
    Identity::parse(&file.sha, file.size)
        .map_err(|invalid| Error::Invalid(format!("file {:?}: {invalid}", file.path)))
}

/// Names what is missing by the paths that the client knows.
fn missing_files(missing: &[Identity], files: &[File]) -> Error {
    let mut paths: HashMap<Identity, &str> = HashMap::with_capacity(files.len());
    for file in files {
        if let Ok(identity) = identity(file) {
            paths.entry(identity).or_insert(&file.path);
        }
    }
    let named = missing.iter().take(NAMED).map(|identity| {
        let path = paths.get(identity).copied().unwrap_or_default();
        format!("{path} ({identity})")
    });
    let mut list = named.collect::<Vec<_>>().join(", ");
    if missing.len() > NAMED {
        list.push_str(", …");
    }
    let count = missing.len();
    let (files, them) = if count == 1 { ("file is", "it") } else { ("files are", "them") };
    Error::FilesMissing(format!("{count} {files} not stored: {list}; upload {them} and try again"))
}
