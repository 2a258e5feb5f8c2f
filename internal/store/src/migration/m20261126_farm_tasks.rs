//! What a worker did, over all jobs. A task gets into this index when it is given to a worker, and is not moved in it by
//! what the worker reports.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261126_farm_tasks"
    }
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let sql = "CREATE INDEX ix_tasks_worker ON tasks (worker_id) WHERE worker_id IS NOT NULL";
        manager.get_connection().execute_unprepared(sql).await?;
        Ok(())
    }
}
