//! Finding the jobs of a checkout without looking at every job.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261123_checkouts"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE INDEX ix_jobs_checkout ON jobs (shaman_checkout_id) WHERE shaman_checkout_id <> ''";
        manager.get_connection().execute_unprepared(sql).await.map(drop)
    }
}
