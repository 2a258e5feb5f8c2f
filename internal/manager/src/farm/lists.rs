//! Lists for people and scripts. What is kept of an entry is decided by who asks, so that an answer of a hundred
//! thousand tasks is not held twice.

use flamenco_crosspath::Platform;
use flamenco_domain::ids::JobId;
use flamenco_domain::job::Job;
use flamenco_domain::path_search::Wanted;
use flamenco_domain::task::TaskSummary;
use flamenco_domain::worker::Worker;
use flamenco_store::list::{
    self, JobFilter, JobSort, LastChange, Page, Paging, TaskFilter, TaskSort, WorkerFilter, WorkerSort,
};

use flamenco_store::paths::{self, Found};

use super::Farm;
use crate::error::{Error, Result};

impl Farm {
    /// A page of the jobs.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_jobs<T: Send>(
        &self,
        filter: &JobFilter,
        paging: &Paging<JobSort>,
        keep: impl FnMut(Job) -> T + Send,
    ) -> Result<Page<T>> {
        Ok(list::jobs(self.store.read(), filter, paging, keep).await?)
    }

    /// The jobs that have a path with this text in it, the newest first.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the text is too short to mean anything.
    pub async fn search_jobs(&self, text: &str, limit: u32) -> Result<Vec<Found>> {
        let wanted = Wanted::of(text);
        if wanted.text.chars().nth(1).is_none() {
            let message = "query parameter text must have at least 2 characters that are no spaces";
            return Err(Error::Invalid(message.to_owned()));
        }
        let db = self.store.read();
        let found = paths::search(db, &wanted, limit).await?;
        if !found.is_empty() {
            return Ok(found);
        }
        // Where paths begin differently on each platform, they are stored with the name of a variable.
        let live = self.live();
        for platform in ["linux", "windows", "darwin"].map(Platform::new) {
            let with_names = live.variables.to_variables(text.trim(), &platform);
            if with_names != text.trim() {
                let found = paths::search(db, &Wanted::of(&with_names), limit).await?;
                if !found.is_empty() {
                    return Ok(found);
                }
            }
        }
        Ok(Vec::new())
    }

    /// A page of the tasks of a job; none for a job that does not exist, as the protocol has it.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_tasks<T: Send>(
        &self,
        job: JobId,
        filter: &TaskFilter,
        paging: &Paging<TaskSort>,
        keep: impl FnMut(TaskSummary) -> T + Send,
    ) -> Result<Page<T>> {
        Ok(list::tasks(self.store.read(), job, filter, paging, keep).await?)
    }

    /// A page of the tasks of all jobs, what changed last first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_farm_tasks<T: Send>(
        &self,
        filter: &TaskFilter,
        paging: &Paging<LastChange>,
        keep: impl FnMut(TaskSummary, String) -> T + Send,
    ) -> Result<Page<T>> {
        Ok(list::farm_tasks(self.store.read(), filter, paging, keep).await?)
    }

    /// A page of the workers.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn list_workers<T: Send>(
        &self,
        filter: &WorkerFilter,
        paging: &Paging<WorkerSort>,
        keep: impl FnMut(Worker) -> T + Send,
    ) -> Result<Page<T>> {
        Ok(list::workers(self.store.read(), filter, paging, keep).await?)
    }
}
