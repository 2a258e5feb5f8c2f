//! The data model: what `manager.md` section 20 lists, with counters on the job, the number of unmet dependencies on
//! the task, and the queue heads that make a claim cheap.
//!
//! Types that mean the same on SQLite and PostgreSQL: 64-bit integers everywhere (also for yes and no), text for
//! statuses and JSON (PostgreSQL's own JSON type would reorder keys), UUIDs as `uuid` or 16 bytes, times as
//! microseconds since 1970.

use sea_orm_migration::prelude::*;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261122_initial"
    }
}

/// A table, its columns, and what else stands between the brackets.
const TABLES: &[&str] = &[
    "CREATE TABLE worker_tags (
        id {key},
        uuid {uuid} NOT NULL UNIQUE,
        name TEXT NOT NULL UNIQUE,
        description TEXT NOT NULL DEFAULT '',
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    "CREATE TABLE workers (
        id {key},
        uuid {uuid} NOT NULL UNIQUE,
        secret_hash TEXT NOT NULL,
        name TEXT NOT NULL,
        address TEXT NOT NULL DEFAULT '',
        platform TEXT NOT NULL,
        software TEXT NOT NULL DEFAULT '',
        status TEXT NOT NULL,
        status_requested TEXT NOT NULL DEFAULT '',
        lazy_status_request BIGINT NOT NULL DEFAULT 0,
        task_types TEXT NOT NULL DEFAULT '',
        can_restart BIGINT NOT NULL DEFAULT 0,
        last_seen_at BIGINT,
        last_task_id BIGINT,
        deleted_at BIGINT,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    "CREATE TABLE worker_tag_membership (
        worker_tag_id BIGINT NOT NULL REFERENCES worker_tags(id) ON DELETE CASCADE,
        worker_id BIGINT NOT NULL REFERENCES workers(id) ON DELETE CASCADE,
        PRIMARY KEY (worker_tag_id, worker_id)
    )",
    "CREATE TABLE sleep_schedules (
        id {key},
        worker_id BIGINT NOT NULL UNIQUE REFERENCES workers(id) ON DELETE CASCADE,
        is_active BIGINT NOT NULL DEFAULT 0,
        days_of_week TEXT NOT NULL DEFAULT '',
        start_time TEXT NOT NULL DEFAULT '',
        end_time TEXT NOT NULL DEFAULT '',
        next_check BIGINT,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    "CREATE TABLE jobs (
        id {key},
        uuid {uuid} NOT NULL UNIQUE,
        name TEXT NOT NULL,
        job_type TEXT NOT NULL,
        priority BIGINT NOT NULL,
        status TEXT NOT NULL,
        activity TEXT NOT NULL DEFAULT '',
        settings TEXT NOT NULL,
        metadata TEXT NOT NULL,
        shaman_checkout_id TEXT NOT NULL DEFAULT '',
        worker_tag_id BIGINT REFERENCES worker_tags(id) ON DELETE SET NULL,
        delete_requested_at BIGINT,
        steps_completed BIGINT NOT NULL DEFAULT 0,
        steps_total BIGINT NOT NULL DEFAULT 0,
        tasks_queued BIGINT NOT NULL DEFAULT 0,
        tasks_soft_failed BIGINT NOT NULL DEFAULT 0,
        tasks_active BIGINT NOT NULL DEFAULT 0,
        tasks_completed BIGINT NOT NULL DEFAULT 0,
        tasks_failed BIGINT NOT NULL DEFAULT 0,
        tasks_canceled BIGINT NOT NULL DEFAULT 0,
        tasks_paused BIGINT NOT NULL DEFAULT 0,
        tasks_runnable BIGINT NOT NULL DEFAULT 0,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
    "CREATE TABLE tasks (
        id {key},
        uuid {uuid} NOT NULL UNIQUE,
        job_id BIGINT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        index_in_job BIGINT NOT NULL,
        name TEXT NOT NULL,
        task_type TEXT NOT NULL,
        priority BIGINT NOT NULL,
        status TEXT NOT NULL,
        runnable BIGINT NOT NULL,
        unmet_deps BIGINT NOT NULL,
        worker_id BIGINT REFERENCES workers(id) ON DELETE SET NULL,
        last_touched_at BIGINT,
        commands TEXT NOT NULL,
        activity TEXT NOT NULL DEFAULT '',
        steps_completed BIGINT NOT NULL DEFAULT 0,
        steps_total BIGINT NOT NULL,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        UNIQUE (job_id, index_in_job)
    )",
    "CREATE TABLE task_dependencies (
        task_id BIGINT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
        dependency_id BIGINT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
        PRIMARY KEY (task_id, dependency_id)
    )",
    "CREATE TABLE task_failures (
        task_id BIGINT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
        worker_id BIGINT NOT NULL REFERENCES workers(id) ON DELETE CASCADE,
        created_at BIGINT NOT NULL,
        PRIMARY KEY (task_id, worker_id)
    )",
    "CREATE TABLE job_blocks (
        id {key},
        job_id BIGINT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        worker_id BIGINT NOT NULL REFERENCES workers(id) ON DELETE CASCADE,
        task_type TEXT NOT NULL,
        created_at BIGINT NOT NULL,
        UNIQUE (job_id, worker_id, task_type)
    )",
    // One row per job, task type and task priority; tag_id 0 stands for no tag, so that it can be compared.
    "CREATE TABLE queues (
        id {key},
        job_id BIGINT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        task_type TEXT NOT NULL,
        priority BIGINT NOT NULL,
        job_priority BIGINT NOT NULL,
        tag_id BIGINT NOT NULL,
        job_active BIGINT NOT NULL,
        runnable BIGINT NOT NULL,
        UNIQUE (job_id, task_type, priority)
    )",
    "CREATE TABLE last_rendereds (
        id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
        job_id BIGINT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL
    )",
];

/// The conditions of partial indexes stand literally in the queries that use them; a bound value would not match.
const INDEXES: &[&str] = &[
    "CREATE INDEX ix_queues ON queues (tag_id, task_type, job_priority DESC, priority DESC, job_id)
        WHERE runnable > 0 AND job_active = 1",
    "CREATE INDEX ix_tasks_runnable ON tasks (job_id, task_type, priority, index_in_job) WHERE runnable = 1",
    "CREATE INDEX ix_tasks_active ON tasks (worker_id) WHERE status = 'active'",
    "CREATE INDEX ix_tasks_failed ON tasks (job_id) WHERE status = 'failed'",
    "CREATE INDEX ix_task_dependencies ON task_dependencies (dependency_id)",
    "CREATE INDEX ix_task_failures ON task_failures (worker_id)",
    "CREATE INDEX ix_job_blocks ON job_blocks (worker_id, job_id, task_type)",
    "CREATE INDEX ix_jobs_status ON jobs (status)",
    "CREATE INDEX ix_jobs_deleting ON jobs (delete_requested_at) WHERE delete_requested_at IS NOT NULL",
    "CREATE INDEX ix_membership_worker ON worker_tag_membership (worker_id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let postgres = manager.get_database_backend() == sea_orm::DbBackend::Postgres;
        let (key, uuid) = if postgres {
            ("BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY", "UUID")
        } else {
            // AUTOINCREMENT, so that the key of a deleted job is not given again: keys are the order of creation.
            ("INTEGER PRIMARY KEY AUTOINCREMENT", "BLOB")
        };
        for table in TABLES {
            let sql = table.replace("{key}", key).replace("{uuid}", uuid);
            manager.get_connection().execute_unprepared(&sql).await?;
        }
        for index in INDEXES {
            manager.get_connection().execute_unprepared(index).await?;
        }
        Ok(())
    }
}
