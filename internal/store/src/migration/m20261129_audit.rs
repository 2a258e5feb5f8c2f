//! The audit trail: what people changed.

use sea_orm_migration::prelude::*;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261129_audit"
    }
}

const STATEMENTS: &[&str] = &[
    // Names instead of references: an entry outlives what it tells of.
    "CREATE TABLE audit (
        id {key},
        at BIGINT NOT NULL,
        operation TEXT NOT NULL,
        object_kind TEXT NOT NULL,
        object_id {uuid},
        object_name TEXT NOT NULL,
        summary TEXT NOT NULL,
        role TEXT NOT NULL,
        name TEXT NOT NULL,
        address TEXT NOT NULL
    )",
    "CREATE INDEX ix_audit_at ON audit (at)",
    "CREATE INDEX ix_audit_object ON audit (object_id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, STATEMENTS).await
    }
}
