//! What the machines of the workers are, and how they have been doing, by the minute and by the hour.

use sea_orm_migration::prelude::*;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261124_machines"
    }
}

/// Sums instead of means, so that rows of several managers, or from before and after a restart, can be added up.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE machines (
        worker_id BIGINT NOT NULL PRIMARY KEY REFERENCES workers(id) ON DELETE CASCADE,
        hardware TEXT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    // The period is in seconds: 60 or 3600.
    "CREATE TABLE machine_history (
        worker_id BIGINT NOT NULL REFERENCES workers(id) ON DELETE CASCADE,
        period BIGINT NOT NULL,
        start_at BIGINT NOT NULL,
        samples BIGINT NOT NULL,
        cpu_sum DOUBLE PRECISION NOT NULL,
        cpu_max DOUBLE PRECISION NOT NULL,
        memory_sum BIGINT NOT NULL,
        memory_max BIGINT NOT NULL,
        memory_total BIGINT NOT NULL,
        swap_sum BIGINT NOT NULL,
        load_samples BIGINT NOT NULL,
        load_sum DOUBLE PRECISION NOT NULL,
        network_in_sum BIGINT NOT NULL,
        network_out_sum BIGINT NOT NULL,
        gpu_samples BIGINT NOT NULL,
        gpu_sum DOUBLE PRECISION NOT NULL,
        gpu_memory_sum BIGINT NOT NULL,
        task_samples BIGINT NOT NULL,
        task_cpu_sum DOUBLE PRECISION NOT NULL,
        task_memory_max BIGINT NOT NULL,
        disk_percent DOUBLE PRECISION NOT NULL,
        PRIMARY KEY (worker_id, period, start_at)
    )",
    "CREATE INDEX ix_machine_history_age ON machine_history (period, start_at)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, STATEMENTS).await
    }
}
