//! A row for every file of every frame that a worker reported.

use sea_orm_migration::prelude::*;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261124_frames"
    }
}

/// A frame belongs to its task; the job is there too, so that the frames of a job are found without its tasks.
const STATEMENTS: &[&str] = &[
    "CREATE TABLE frames (
        id {key},
        job_id BIGINT NOT NULL REFERENCES jobs(id) ON DELETE CASCADE,
        task_id BIGINT NOT NULL REFERENCES tasks(id) ON DELETE CASCADE,
        worker_id BIGINT REFERENCES workers(id) ON DELETE SET NULL,
        frame BIGINT NOT NULL,
        name TEXT NOT NULL,
        path TEXT NOT NULL,
        state TEXT NOT NULL,
        attempt BIGINT NOT NULL DEFAULT 1,
        rendered_at BIGINT NOT NULL,
        render_ms BIGINT,
        save_ms BIGINT,
        peak_memory BIGINT,
        file_size BIGINT,
        width BIGINT,
        height BIGINT,
        created_at BIGINT NOT NULL,
        updated_at BIGINT NOT NULL,
        UNIQUE (task_id, frame, path)
    )",
    "CREATE INDEX ix_frames_job ON frames (job_id, frame, id)",
    "CREATE INDEX ix_frames_worker ON frames (worker_id)",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, STATEMENTS).await
    }
}
