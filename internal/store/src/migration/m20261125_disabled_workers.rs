//! Workers that get no tasks because a person said so: since when, and why.

use sea_orm_migration::prelude::*;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_disabled_workers"
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE workers ADD COLUMN disabled_at BIGINT",
    "ALTER TABLE workers ADD COLUMN disabled_reason TEXT NOT NULL DEFAULT ''",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, STATEMENTS).await
    }
}
