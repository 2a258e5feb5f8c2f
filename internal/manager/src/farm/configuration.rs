//! The configuration while the manager runs: looking at it, changing it, and the first-start assistant's choices.
//!
//! Name, failure limits, variables, timeouts, tokens and the MQTT broker take effect at once. Addresses, paths and the
//! file store are looked at when the manager starts.

use std::sync::Arc;
use std::time::Duration;

use flamenco_domain::failure::FailurePolicy;
use flamenco_store::Store;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{Farm, Live, Options};
use crate::config::{Config, ConfigError, ListenAddress, Loaded, Secrets, SettingState, Settings};
use crate::error::{Error, Result};

/// How long a database that the manager is to change to may take to open.
const DATABASE_PATIENCE: Duration = Duration::from_secs(8);

impl Live {
    /// Where jobs are follows the file store that runs, since switching it on or off takes a restart.
    pub(super) fn new(mut config: Config, shaman: Option<&flamenco_shaman::Store>) -> Self {
        let jobs = match shaman {
            Some(store) => store.jobs_path(),
            None => config.shared_storage.clone(),
        };
        // What is not Unicode was refused when the configuration was read.
        config.jobs_path = jobs.display().to_string();
        let settings = &config.settings;
        let timeout = |duration: Duration| (!duration.is_zero()).then_some(duration);
        let options = Options {
            name: settings.manager_name.clone(),
            shared_storage: match config.has_shared_storage() {
                true => config.shared_storage.display().to_string(),
                false => String::new(),
            },
            first_run: config.first_run,
            failures: FailurePolicy {
                blocklist_threshold: settings.blocklist_threshold.into(),
                fail_after: settings.task_fail_after_softfail_count.into(),
            },
            task_timeout: timeout(settings.task_timeout),
            worker_timeout: timeout(settings.worker_timeout),
        };
        Self { variables: config.variables(), options, config }
    }
}

impl Farm {
    /// How the farm behaves at the moment.
    #[must_use]
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live.borrow())
    }

    /// How the farm behaves, and a way to wait until that changes.
    pub(crate) fn changes(&self) -> watch::Receiver<Arc<Live>> {
        self.live.subscribe()
    }

    /// The configuration as JSON, with secrets masked.
    #[must_use]
    pub fn configuration(&self) -> serde_json::Value {
        self.live().config.to_json(Secrets::Masked)
    }

    /// Replaces the configuration: what is absent gets its default, masked secrets stay as they are. The file is
    /// written before anything changes.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every problem named, or when the file cannot be written.
    pub async fn update_configuration(&self, wanted: serde_json::Value) -> Result<()> {
        // One at a time, or the later of two would be written over the earlier and lose it.
        let _turn = self.configuring.lock().await;
        let current = self.live();
        let loaded = current.config.with_json(&wanted).map_err(|error| Error::Invalid(error.to_string()))?;
        check_listen(&current.config.listen, &loaded.config.listen).await?;
        self.store_configuration(loaded).await
    }

    /// Takes over a complete setup: changes the settings in force by `change`, and restarts the manager.
    pub(super) async fn set_up(&self, change: impl FnOnce(&mut Settings)) -> Result<()> {
        let _turn = self.configuring.lock().await;
        let current = self.live();
        let mut settings = current.config.settings.clone();
        change(&mut settings);
        let loaded =
            current.config.with_settings(settings).map_err(|error| Error::Invalid(error.to_string()))?;
        self.store_configuration(loaded).await?;
        self.restart.cancel();
        Ok(())
    }

    /// How every setting stands, and what is wrong with the file, if anything is.
    ///
    /// # Errors
    /// When the file cannot be looked at in a thread of its own.
    pub async fn configuration_state(&self) -> Result<(Vec<SettingState>, Option<String>)> {
        let (farm, live) = (self.clone(), self.live());
        let states = move || farm.started.states(&live.config);
        let (states, problem) = tokio::task::spawn_blocking(states).await.map_err(reading)?;
        Ok((states, problem.map(|error| error.to_string())))
    }

    /// Has the manager start again with what its file says.
    ///
    /// # Errors
    /// [`Error::CannotRestart`] when it could not start with that; nothing happens then.
    pub async fn restart(&self) -> Result<()> {
        // Not while somebody writes the file.
        let _turn = self.configuring.lock().await;
        let live = self.live();
        let next = tokio::task::spawn_blocking(move || live.config.reload()).await.map_err(reading)?;
        let next = next.map_err(|error| Error::CannotRestart(error.to_string()))?.config;
        self.try_to_start(&next).await?;
        tracing::info!("somebody wants the manager to start again");
        self.restart.cancel();
        Ok(())
    }

    /// Tries what a start with another configuration needs and this one did not.
    async fn try_to_start(&self, next: &Config) -> Result<()> {
        let refuse = |what: String| Err(Error::CannotRestart(what));
        if let Err(error) = check_listen(&self.started.listen, &next.listen).await {
            return refuse(error.to_string());
        }
        for folder in [&next.local_storage, &next.shared_storage] {
            if let Err(error) = tokio::fs::create_dir_all(folder).await {
                return refuse(format!("cannot make the folder {}: {error}", folder.display()));
            }
        }
        if next.database == self.started.database {
            return Ok(());
        }
        let location = crate::location(next);
        let opening = Store::open(&location, Arc::new(|_| {}));
        match tokio::time::timeout(DATABASE_PATIENCE, opening).await {
            Ok(Ok(store)) => {
                store.close().await;
                Ok(())
            }
            Ok(Err(error)) => refuse(format!("database: {error}")),
            Err(_) => {
                refuse(format!("database: it does not answer within {} s", DATABASE_PATIENCE.as_secs()))
            }
        }
    }

    /// Cancelled when somebody wants the manager to start again in this process, with what its file says then.
    pub(crate) fn restart_token(&self) -> &CancellationToken {
        &self.restart
    }

    /// Writes the file, then changes what is in force.
    async fn store_configuration(&self, loaded: Loaded) -> Result<()> {
        for warning in &loaded.warnings {
            tracing::warn!("configuration: {warning}");
        }
        let (config, now) = (loaded.config.clone(), self.now());
        tokio::task::spawn_blocking(move || config.save(now))
            .await
            .map_err(|error| Error::Internal(format!("writing the configuration: {error}")))?
            .map_err(cannot_write)?;
        self.live.send_replace(Arc::new(Live::new(loaded.config, self.shaman.as_ref())));
        tracing::info!("the configuration was changed");
        Ok(())
    }
}

fn reading(error: tokio::task::JoinError) -> Error {
    Error::Internal(format!("reading the configuration: {error}"))
}

/// Whether the manager could listen there at its next start. Found out by trying, since otherwise whoever changes it
/// learns it from a manager that does not start any more.
async fn check_listen(current: &ListenAddress, wanted: &ListenAddress) -> Result<()> {
    if wanted == current {
        return Ok(());
    }
    match wanted.bind().await {
        // It is this manager that has the port.
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse && wanted.port == current.port => Ok(()),
        Err(error) => Err(Error::Invalid(format!(
            "listen: {error}; choose another port, or an address of this machine"
        ))),
        Ok(_) => Ok(()),
    }
}

/// A full disk is told as such; it is worth another try.
fn cannot_write(error: ConfigError) -> Error {
    match error {
        ConfigError::File { action, file, source } => {
            Error::Io { what: format!("cannot {action} {}", file.display()), source }
        }
        other => Error::Internal(other.to_string()),
    }
}
