//! The order in which the web app shows jobs first: the one that changed last. A job changes only when its status,
//! priority or tag does, so keeping this index costs a task nothing to speak of.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_job_lists"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE INDEX ix_jobs_updated ON jobs (updated_at, id)";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}
