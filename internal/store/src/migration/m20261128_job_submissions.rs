//! Jobs as they were submitted. Of those that are there already that is not known any more.

use sea_orm_migration::prelude::*;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_job_submissions"
    }
}

const STATEMENTS: &[&str] = &["CREATE TABLE job_submissions (
        job_id BIGINT NOT NULL PRIMARY KEY REFERENCES jobs(id) ON DELETE CASCADE,
        submission TEXT NOT NULL
    )"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, STATEMENTS).await
    }
}
