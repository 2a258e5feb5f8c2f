//! Paths of jobs, by a part of which they are found: a row for each path in the settings of a job, for its checkout, and
//! for each output that frames of it were rendered to.
//!
//! A part of a path has no index that helps on both databases, so a search reads all of these rows, the newest first,
//! until it has enough. They are short and few: three for a usual job.

use flamenco_domain::ids::JobId;
use flamenco_domain::job::JobStatus;
use flamenco_domain::path_search::{LONGEST, MOST_PATHS, Wanted, folded, paths_in};
use serde_json::{Map, Value as Json};

use crate::Tx;
use crate::db::{Db, Row, execute, insert, is_postgres, query_all};
use crate::error::Error;

/// Rows that are looked at for each job that is wanted: several paths of one may match, and a frame may not exist.
const ROWS_PER_JOB: u32 = 10;

/// A job that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The job.
    pub job: JobId,
    /// Its name.
    pub name: String,
    /// Its status.
    pub status: JobStatus,
    /// The path that has the text in it.
    pub path: String,
    /// The frame that the text is about, when it is about one.
    pub frame: Option<i64>,
}

/// Notes the paths of a new job.
pub(crate) async fn add_of_settings(
    tx: &Tx,
    job: i64,
    settings: &Map<String, Json>,
    checkout: &str,
) -> Result<(), Error> {
    let paths = paths_in(settings).into_iter().chain((!checkout.is_empty()).then_some(checkout));
    let rows: Vec<_> = paths.map(|path| vec![path.into(), folded(path).into()]).collect();
    let shared = [("job_id", job.into()), ("is_output", 0_i64.into())];
    insert(tx, "job_paths", &shared, &["path", "folded"], &rows).await
}

/// Notes an output of a job, once. One of so many that they cannot be outputs is left out.
pub(crate) async fn add_output(tx: &Tx, job: i64, output: &str) -> Result<(), Error> {
    if output.chars().nth(LONGEST).is_some() {
        return Ok(());
    }
    let sql = "INSERT INTO job_paths (job_id, is_output, path, folded) SELECT $1, 1, $2, $3 WHERE NOT EXISTS (SELECT 1 \
               FROM job_paths WHERE job_id = $1 AND is_output = 1 AND path = $2) AND (SELECT COUNT(*) FROM job_paths \
               WHERE job_id = $1 AND is_output = 1) < $4";
    let most = i64::try_from(MOST_PATHS).unwrap_or(i64::MAX);
    execute(tx, sql, vec![job.into(), output.into(), folded(output).into(), most.into()]).await.map(drop)
}

/// A row that matches.
struct Candidate {
    job: i64,
    found: Found,
    /// The text itself is in the path. Otherwise only its pattern is, and the frame may not exist.
    as_it_is: bool,
    is_output: bool,
}

/// The jobs that have a path with the text in it, the newest first, at most `limit`.
///
/// # Errors
/// When the database cannot be read.
pub async fn search(db: &impl Db, wanted: &Wanted, limit: u32) -> Result<Vec<Found>, Error> {
    let mut found: Vec<Found> = Vec::new();
    for candidate in candidates(db, wanted, limit).await? {
        if found.len() >= limit as usize {
            break;
        }
        let is_known = found.last().is_some_and(|last| last.job == candidate.found.job);
        if is_known {
            continue;
        }
        let frame = match &wanted.pattern {
            Some(_) if candidate.is_output => frame_of(db, candidate.job, wanted).await?,
            _ => None,
        };
        match frame {
            Some((path, frame)) => found.push(Found { path, frame, ..candidate.found }),
            None if candidate.as_it_is => found.push(candidate.found),
            None => {}
        }
    }
    Ok(found)
}

async fn candidates(db: &impl Db, wanted: &Wanted, limit: u32) -> Result<Vec<Candidate>, Error> {
    let within = if is_postgres(db) { "strpos" } else { "instr" };
    // A pattern that is none is the text itself.
    let pattern = wanted.pattern.as_deref().unwrap_or(&wanted.text);
    let sql = format!(
        "SELECT p.job_id, j.uuid, j.name, j.status, p.path, p.is_output, CAST(CASE WHEN {within}(p.folded, $1) > 0 THEN 1 ELSE \
         0 END AS BIGINT) AS as_it_is FROM job_paths p JOIN jobs j ON j.id = p.job_id WHERE ({within}(p.folded, $1) > 0 OR \
         (p.is_output = 1 AND {within}(p.folded, $2) > 0)) AND j.status <> 'under-construction' \
         ORDER BY p.job_id DESC, p.is_output DESC, p.id LIMIT $3"
    );
    let rows = i64::from(limit.saturating_mul(ROWS_PER_JOB));
    let values = vec![wanted.text.as_str().into(), pattern.into(), rows.into()];
    query_all(db, &sql, values).await?.iter().map(candidate).collect()
}

fn candidate(row: &Row) -> Result<Candidate, Error> {
    let found = Found {
        job: JobId(row.get("uuid")?),
        name: row.get("name")?,
        status: row.parse("status")?,
        path: row.get("path")?,
        frame: None,
    };
    Ok(Candidate {
        job: row.get("job_id")?,
        found,
        as_it_is: row.get::<i64>("as_it_is")? != 0,
        is_output: row.get::<i64>("is_output")? != 0,
    })
}

/// A frame of a job that has the text in its path, with its number when the text is about no other.
async fn frame_of(db: &impl Db, job: i64, wanted: &Wanted) -> Result<Option<(String, Option<i64>)>, Error> {
    let (within, lower) =
        if is_postgres(db) { ("strpos", "lower(path COLLATE \"C\")") } else { ("instr", "lower(path)") };
    let sql = format!(
        "SELECT frame, MIN(path) AS path FROM frames WHERE job_id = $1 AND {within}(replace({lower}, '\\', '/'), $2) > 0 \
         GROUP BY frame ORDER BY frame LIMIT 2"
    );
    let rows = query_all(db, &sql, vec![job.into(), wanted.text.as_str().into()]).await?;
    let Some(first) = rows.first() else { return Ok(None) };
    let frame = if rows.len() == 1 { Some(first.get("frame")?) } else { None };
    Ok(Some((first.get("path")?, frame)))
}
