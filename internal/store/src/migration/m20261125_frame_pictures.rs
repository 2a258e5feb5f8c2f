//! Frames with thumbnails and history, and what is counted about them.

use sea_orm_migration::prelude::*;

use super::create;

pub(super) struct Migration;

impl MigrationName for Migration {
    fn name(&self) -> &'static str {
        "m20261125_frame_pictures"
    }
}

const STATEMENTS: &[&str] = &[
    // The pattern of its path that all frames of an output share.
    "ALTER TABLE frames ADD COLUMN output TEXT NOT NULL DEFAULT ''",
    // report, log or picture: how the row came to be.
    "ALTER TABLE frames ADD COLUMN source TEXT NOT NULL DEFAULT 'report'",
    // Asked for again, and not rendered again yet.
    "ALTER TABLE frames ADD COLUMN stale BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE frames ADD COLUMN thumb TEXT",
    "ALTER TABLE frames ADD COLUMN thumb_ext TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE frames ADD COLUMN thumb_large BIGINT NOT NULL DEFAULT 0",
    "ALTER TABLE frames ADD COLUMN thumb_bytes BIGINT NOT NULL DEFAULT 0",
    // When the manager looked at the file itself.
    "ALTER TABLE frames ADD COLUMN checked_at BIGINT",
    "CREATE INDEX ix_frames_rendered ON frames (rendered_at)",
    "CREATE INDEX ix_frames_unchecked ON frames (id) WHERE thumb IS NULL AND checked_at IS NULL",
    // How a file was rendered before.
    "CREATE TABLE frame_attempts (
        id {key},
        frame_id BIGINT NOT NULL REFERENCES frames(id) ON DELETE CASCADE,
        attempt BIGINT NOT NULL,
        worker_id BIGINT REFERENCES workers(id) ON DELETE SET NULL,
        state TEXT NOT NULL,
        rendered_at BIGINT NOT NULL,
        render_ms BIGINT,
        save_ms BIGINT,
        peak_memory BIGINT,
        file_size BIGINT,
        width BIGINT,
        height BIGINT,
        UNIQUE (frame_id, attempt)
    )",
    "CREATE INDEX ix_frame_attempts_worker ON frame_attempts (worker_id)",
    // Counters, so that a list of jobs need not count frames.
    "CREATE TABLE job_frames (
        job_id BIGINT NOT NULL PRIMARY KEY REFERENCES jobs(id) ON DELETE CASCADE,
        total BIGINT,
        done BIGINT NOT NULL DEFAULT 0,
        failures BIGINT NOT NULL DEFAULT 0,
        timed BIGINT NOT NULL DEFAULT 0,
        render_ms BIGINT NOT NULL DEFAULT 0,
        recent_ms BIGINT,
        last_frame BIGINT,
        last_rendered_at BIGINT,
        poster BIGINT
    )",
    // Stays when jobs are deleted, so it refers to none; worker_id is a key of workers, 0 for nobody.
    "CREATE TABLE frame_hours (
        hour BIGINT NOT NULL,
        worker_id BIGINT NOT NULL,
        frames BIGINT NOT NULL,
        failures BIGINT NOT NULL,
        timed BIGINT NOT NULL,
        render_ms BIGINT NOT NULL,
        PRIMARY KEY (hour, worker_id)
    )",
    // Which frames the commands of a task render, and which of them only are wanted when it runs again.
    "ALTER TABLE tasks ADD COLUMN frames TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE tasks ADD COLUMN only_frames TEXT NOT NULL DEFAULT ''",
];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        create(manager, STATEMENTS).await
    }
}
