//! What rendered a frame, and why it failed.

use sea_orm_migration::prelude::*;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261127_frame_engines"
    }
}

const STATEMENTS: &[&str] = &[
    "ALTER TABLE frames ADD COLUMN engine TEXT",
    "ALTER TABLE frames ADD COLUMN samples BIGINT",
    // The last line of the log, of a frame that failed.
    "ALTER TABLE frames ADD COLUMN message TEXT",
    "ALTER TABLE frame_attempts ADD COLUMN engine TEXT",
    "ALTER TABLE frame_attempts ADD COLUMN samples BIGINT",
    "ALTER TABLE frame_attempts ADD COLUMN message TEXT",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, STATEMENTS).await
    }
}
