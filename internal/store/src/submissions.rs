//! Jobs as they were submitted, before their scripts changed them, so that they can be submitted once more.

use flamenco_domain::ids::JobId;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::db::{Db, execute, json_text, query_one};
use crate::error::Error;
use crate::writer::Tx;

/// What of a submission is lost in the job that is made of it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Original {
    /// Name of the job.
    pub name: String,
    /// The etag of the job type that made the job.
    pub type_etag: String,
    /// Platform of the submitter, as it was sent.
    pub platform: String,
    /// Settings, after replacement of two-way variables.
    pub settings: Map<String, Value>,
    /// Metadata, after replacement of two-way variables.
    pub metadata: Map<String, Value>,
}

pub(crate) async fn insert(tx: &Tx, job: i64, original: &Original) -> Result<(), Error> {
    let sql = "INSERT INTO job_submissions (job_id, submission) VALUES ($1, $2)";
    execute(tx, sql, vec![job.into(), json_text(original)?.into()]).await?;
    Ok(())
}

/// How a job was submitted; `None` when that was not kept, or there is no such job.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(db: &impl Db, job: JobId) -> Result<Option<Original>, Error> {
    let sql = "SELECT s.submission FROM job_submissions s JOIN jobs j ON j.id = s.job_id WHERE j.uuid = $1";
    query_one(db, sql, vec![job.0.into()]).await?.map(|row| row.json("submission")).transpose()
}
