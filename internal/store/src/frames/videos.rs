//! Videos that jobs made of their frames.

use flamenco_domain::ids::JobId;
use flamenco_domain::task::Command;

use crate::db::{Db, query_all};
use crate::error::Error;

/// What the completed `frames-to-video` commands among the last tasks of a job have written, as it is stored, the
/// newest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn made_videos(db: &impl Db, job: JobId, last_tasks: i64) -> Result<Vec<String>, Error> {
    let sql = "SELECT l.commands FROM (SELECT t.index_in_job, t.status, t.commands FROM tasks t JOIN jobs j ON j.id = \
               t.job_id WHERE j.uuid = $1 ORDER BY t.index_in_job DESC LIMIT $2) l WHERE l.status = 'completed' ORDER \
               BY l.index_in_job DESC";
    let rows = query_all(db, sql, vec![job.0.into(), last_tasks.into()]).await?;
    let mut made = Vec::new();
    for row in &rows {
        let commands: Vec<Command> = row.json("commands")?;
        let videos = commands.iter().rev().filter(|command| command.name == "frames-to-video");
        let paths = videos.filter_map(|command| command.parameters.get("outputFile")?.as_str());
        made.extend(paths.map(str::to_owned));
    }
    Ok(made)
}
