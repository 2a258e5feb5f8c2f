//! The paths of each job, so that a job is found by a part of one without reading every job and every frame.

use flamenco_domain::path_search::{MOST_PATHS, folded, paths_in};
use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, QueryResult, Statement, Value};

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261127_job_paths"
    }
}

const STATEMENTS: &[&str] = &[
    // is_output: the pattern of the frames of an output; otherwise a setting, or a checkout.
    "CREATE TABLE job_paths (
        id {key},
        job_id BIGINT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        is_output BIGINT NOT NULL,
        path TEXT NOT NULL,
        folded TEXT NOT NULL
    )",
    "CREATE INDEX ix_job_paths ON job_paths (job_id)",
];

/// Jobs that are read in one go.
const AT_ONCE: i64 = 500;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, STATEMENTS).await?;
        let mut after = 0;
        loop {
            let sql = "SELECT id, settings, shaman_checkout_id FROM jobs WHERE id > $1 ORDER BY id LIMIT $2";
            let jobs = all(manager, sql, [after.into(), AT_ONCE.into()]).await?;
            for job in &jobs {
                after = job.try_get("", "id")?;
                paths_of_job(manager, job, after).await?;
            }
            if jobs.is_empty() {
                return Ok(());
            }
        }
    }
}

async fn paths_of_job(manager: &SchemaManager<'_>, job: &QueryResult, id: i64) -> Result<(), DbErr> {
    let (settings, checkout): (String, String) =
        (job.try_get("", "settings")?, job.try_get("", "shaman_checkout_id")?);
    // Settings that cannot be read are another matter; the job is only not found by them.
    let settings = serde_json::from_str(&settings).unwrap_or_default();
    for path in paths_in(&settings).into_iter().chain((!checkout.is_empty()).then_some(checkout.as_str())) {
        add(manager, id, 0, path).await?;
    }
    let most = MOST_PATHS as i64;
    let sql =
        "SELECT DISTINCT output FROM frames WHERE job_id = $1 AND output <> '' ORDER BY output LIMIT $2";
    for row in all(manager, sql, [id.into(), most.into()]).await? {
        add(manager, id, 1, &row.try_get::<String>("", "output")?).await?;
    }
    Ok(())
}

async fn add(manager: &SchemaManager<'_>, job: i64, is_output: i64, path: &str) -> Result<(), DbErr> {
    let sql = "INSERT INTO job_paths (job_id, is_output, path, folded) VALUES ($1, $2, $3, $4)";
    let values: [Value; 4] = [job.into(), is_output.into(), path.into(), folded(path).into()];
    let statement = Statement::from_sql_and_values(manager.get_database_backend(), sql, values);
    manager.get_connection().execute_raw(statement).await.map(drop)
}

async fn all(manager: &SchemaManager<'_>, sql: &str, values: [Value; 2]) -> Result<Vec<QueryResult>, DbErr> {
    let statement = Statement::from_sql_and_values(manager.get_database_backend(), sql, values);
    manager.get_connection().query_all_raw(statement).await
}
