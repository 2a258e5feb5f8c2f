//! When a worker was given a task and when it was done with it; who disabled a worker; and the frames of a worker in the
//! order in which it rendered them.

use sea_orm_migration::prelude::*;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261127_runs"
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE tasks ADD COLUMN started_at BIGINT",
    "ALTER TABLE tasks ADD COLUMN ended_at BIGINT",
    "ALTER TABLE workers ADD COLUMN disabled_by TEXT NOT NULL DEFAULT ''",
    "DROP INDEX ix_frames_worker",
    "CREATE INDEX ix_frames_worker ON frames (worker_id, rendered_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, STATEMENTS).await
    }
}
