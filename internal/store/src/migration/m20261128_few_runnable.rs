//! Has PostgreSQL take tasks that can run for few.
//!
//! After a large submission nearly all tasks of a job can run, and it would look for the first of them along the order of
//! the job. That is as quick as the index of these tasks until many are completed; from then on it goes by all of those
//! for each search. Without figures about the column it takes the index.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261128_few_runnable"
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE tasks ALTER COLUMN runnable SET STATISTICS 0",
    // Changes no type, but forgets the figures that are there.
    "ALTER TABLE tasks ALTER COLUMN runnable TYPE BIGINT",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            DbBackend::Postgres => create(manager, STATEMENTS).await,
            _ => Ok(()),
        }
    }
}
