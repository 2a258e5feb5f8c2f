//! Dependencies without a key of their own on SQLite, where that is a second copy of each. A large job has as many of
//! them as tasks.

use sea_orm_migration::prelude::*;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261126_slim_dependencies"
    }
}

const STATEMENTS: &[&str] = &[
    "CREATE TABLE slim_dependencies (
        task_id BIGINT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
        dependency_id BIGINT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
        PRIMARY KEY (task_id, dependency_id)
    ) WITHOUT ROWID",
    "INSERT INTO slim_dependencies SELECT task_id, dependency_id FROM task_dependencies",
    "DROP TABLE task_dependencies",
    "ALTER TABLE slim_dependencies RENAME TO task_dependencies",
    "CREATE INDEX ix_task_dependencies ON task_dependencies (dependency_id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        match manager.get_database_backend() {
            sea_orm::DbBackend::Sqlite => create(manager, STATEMENTS).await,
            _ => Ok(()),
        }
    }
}
