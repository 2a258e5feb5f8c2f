//! The job types of the farm, and the scripts that are none because something in them is wrong.

use std::sync::Arc;

use flamenco_jobscript::{BrokenJobType, JobType};
use tokio::sync::Semaphore;

use super::Farm;
use crate::error::{Error, Result};

/// Who looks at scripts. A script that does not come to an end takes a core for as long as it may run, so few look at
/// the same time; what one of them finds the others need not find out again.
pub(super) struct Readers {
    all: Arc<Semaphore>,
    /// Those who want one type do not wait for those who want all of them.
    one: Arc<Semaphore>,
}

impl Default for Readers {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(1)), one: Arc::new(Semaphore::new(1)) }
    }
}

/// Runs `look` on a thread that it may block, when it is its turn. It keeps its turn also when nobody waits any more.
async fn in_turn<T: Send + 'static>(
    turns: &Arc<Semaphore>,
    look: impl FnOnce() -> T + Send + 'static,
) -> Result<T> {
    let turn = Arc::clone(turns).acquire_owned().await;
    let turn = turn.map_err(|_| Error::Internal("the manager is stopping".to_owned()))?;
    let looked = tokio::task::spawn_blocking(move || {
        let _held = turn;
        look()
    });
    looked.await.map_err(|error| Error::Internal(format!("reading the job types: {error}")))
}

impl Farm {
    /// The job types by name: those that can be submitted, and the scripts that do not load, which are reported in the
    /// log too.
    ///
    /// # Errors
    /// When the thread that reads them dies.
    pub async fn job_types(&self) -> Result<Vec<std::result::Result<JobType, BrokenJobType>>> {
        let scripts = self.scripts.clone();
        let all = in_turn(&self.script_readers.all, move || scripts.job_types()).await?;
        for broken in all.iter().filter_map(|job_type| job_type.as_ref().err()) {
            tracing::warn!(job_type = broken.name, file = broken.file, "{}", broken.message);
        }
        Ok(all)
    }

    /// One job type by name.
    ///
    /// # Errors
    /// [`Error::NotFound`], or [`Error::BrokenScript`] when its script does not load.
    pub async fn job_type(&self, name: String) -> Result<JobType> {
        let scripts = self.scripts.clone();
        let looked = in_turn(&self.script_readers.one, move || match scripts.job_type(&name) {
            Ok(job_type) => Ok(job_type),
            Err(flamenco_jobscript::Error::Unknown { .. }) => Err(Error::not_found("job type", name)),
            Err(error @ flamenco_jobscript::Error::Internal { .. }) => {
                Err(Error::Internal(error.to_string()))
            }
            Err(error) => Err(Error::BrokenScript(format!("the job type {name} does not load: {error}"))),
        });
        looked.await?
    }
}
