//! Lists for people and scripts. What is kept of an entry is decided by who asks, so that an answer of a hundred
//! thousand tasks is not held twice.

use flamenco_domain::ids::JobId;
use flamenco_domain::job::Job;
use flamenco_domain::task::TaskSummary;
use flamenco_domain::worker::Worker;
use flamenco_store::list::{
    self, JobFilter, JobSort, LastChange, Page, Paging, TaskFilter, TaskSort, WorkerFilter, WorkerSort,
};

use super::Farm;
use crate::error::Result;

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
