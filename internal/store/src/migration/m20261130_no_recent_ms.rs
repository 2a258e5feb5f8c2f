//! Takes away a counter of the frames of a job that nothing reads: estimates look at the last frames themselves.

use sea_orm_migration::prelude::*;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261130_no_recent_ms"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, &["ALTER TABLE job_frames DROP COLUMN recent_ms"]).await
    }
}
