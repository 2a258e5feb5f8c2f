//! Checking what is maintained against what is there: counters of jobs, steps, unmet dependencies, queue heads.
//!
//! Everything this finds is a bug of ours or the work of somebody else's hands on the database. It reads all tasks, so
//! it belongs to start-up and to tests.

use crate::db::{Db, query_all};
use crate::error::Error;

/// Each statement gives the rows that differ, as `what`, `stored` and `counted`.
const CHECKS: &[&str] = &[
    "SELECT 'tasks by status of job ' || c.id AS what, \
     c.tasks_queued || ' ' || c.tasks_soft_failed || ' ' || c.tasks_active || ' ' || c.tasks_completed || ' ' || \
     c.tasks_failed || ' ' || c.tasks_canceled || ' ' || c.tasks_paused || ' runnable ' || c.tasks_runnable || \
     ' steps ' || c.steps_completed || '/' || c.steps_total AS stored, \
     c.queued || ' ' || c.soft_failed || ' ' || c.active || ' ' || c.completed || ' ' || c.failed || ' ' || \
     c.canceled || ' ' || c.paused || ' runnable ' || c.runnable || ' steps ' || c.done || '/' || c.steps AS counted \
     FROM (SELECT j.id, j.tasks_queued, j.tasks_soft_failed, j.tasks_active, j.tasks_completed, j.tasks_failed, \
       j.tasks_canceled, j.tasks_paused, j.tasks_runnable, j.steps_completed, j.steps_total, \
       COALESCE(SUM(CASE WHEN t.status = 'queued' THEN 1 ELSE 0 END), 0) AS queued, \
       COALESCE(SUM(CASE WHEN t.status = 'soft-failed' THEN 1 ELSE 0 END), 0) AS soft_failed, \
       COALESCE(SUM(CASE WHEN t.status = 'active' THEN 1 ELSE 0 END), 0) AS active, \
       COALESCE(SUM(CASE WHEN t.status = 'completed' THEN 1 ELSE 0 END), 0) AS completed, \
       COALESCE(SUM(CASE WHEN t.status = 'failed' THEN 1 ELSE 0 END), 0) AS failed, \
       COALESCE(SUM(CASE WHEN t.status = 'canceled' THEN 1 ELSE 0 END), 0) AS canceled, \
       COALESCE(SUM(CASE WHEN t.status = 'paused' THEN 1 ELSE 0 END), 0) AS paused, \
       COALESCE(SUM(t.runnable), 0) AS runnable, COALESCE(SUM(t.steps_completed), 0) AS done, \
       COALESCE(SUM(t.steps_total), 0) AS steps \
       FROM jobs j LEFT JOIN tasks t ON t.job_id = j.id WHERE j.status <> 'under-construction' \
       GROUP BY j.id, j.tasks_queued, j.tasks_soft_failed, j.tasks_active, j.tasks_completed, j.tasks_failed, \
       j.tasks_canceled, j.tasks_paused, j.tasks_runnable, j.steps_completed, j.steps_total) c \
     WHERE c.queued <> c.tasks_queued OR c.soft_failed <> c.tasks_soft_failed OR c.active <> c.tasks_active \
     OR c.completed <> c.tasks_completed OR c.failed <> c.tasks_failed OR c.canceled <> c.tasks_canceled \
     OR c.paused <> c.tasks_paused OR c.runnable <> c.tasks_runnable OR c.done <> c.steps_completed \
     OR c.steps <> c.steps_total",
    "SELECT 'unmet dependencies of task ' || c.id AS what, CAST(c.unmet_deps AS TEXT) AS stored, \
     CAST(c.unmet AS TEXT) AS counted FROM (SELECT t.id, t.unmet_deps, (SELECT COUNT(*) FROM task_dependencies d \
     JOIN tasks p ON p.id = d.dependency_id WHERE d.task_id = t.id AND p.status <> 'completed') AS unmet FROM tasks t JOIN jobs j ON j.id = t.job_id \
     WHERE j.status <> 'under-construction') c WHERE c.unmet <> c.unmet_deps",
    "SELECT 'whether task ' || t.id || ' is runnable' AS what, CAST(t.runnable AS TEXT) AS stored, \
     CASE WHEN t.unmet_deps = 0 AND t.status IN ('queued', 'soft-failed') THEN '1' ELSE '0' END AS counted FROM tasks t JOIN jobs j ON j.id = t.job_id \
     WHERE j.status <> 'under-construction' AND t.runnable <> CASE WHEN t.unmet_deps = 0 AND t.status IN ('queued', 'soft-failed') THEN 1 ELSE 0 END",
    "SELECT 'queue head ' || c.task_type || ' ' || c.priority || ' of job ' || c.job_id AS what, \
     CAST(c.runnable AS TEXT) AS stored, CAST(c.counted AS TEXT) AS counted FROM (SELECT q.job_id, q.task_type, \
     q.priority, q.runnable, (SELECT COUNT(*) FROM tasks t WHERE t.job_id = q.job_id AND t.task_type = q.task_type AND \
     t.priority = q.priority AND t.runnable = 1) AS counted FROM queues q) c WHERE c.counted <> c.runnable",
    "SELECT 'head ' || q.id || ' of job ' || j.id AS what, q.job_active || ' ' || q.job_priority || ' ' || q.tag_id AS \
     stored, CASE WHEN j.status IN ('queued', 'active') AND j.delete_requested_at IS NULL THEN 1 ELSE 0 END || ' ' || \
     j.priority || ' ' || COALESCE(j.worker_tag_id, 0) AS counted FROM queues q JOIN jobs j ON j.id = q.job_id WHERE \
     j.status <> 'under-construction' AND (q.job_active <> CASE WHEN j.status IN ('queued', 'active') AND \
     j.delete_requested_at IS NULL THEN 1 ELSE 0 END OR q.job_priority <> j.priority OR q.tag_id <> \
     COALESCE(j.worker_tag_id, 0))",
    "SELECT 'no queue head for task ' || t.id AS what, '' AS stored, t.task_type || ' ' || t.priority AS counted FROM \
     tasks t JOIN jobs j ON j.id = t.job_id WHERE j.status <> 'under-construction' AND NOT EXISTS (SELECT 1 FROM queues \
     q WHERE q.job_id = t.job_id AND q.task_type = t.task_type AND q.priority = t.priority)",
    "SELECT 'frames done of job ' || c.job_id AS what, CAST(c.done AS TEXT) AS stored, CAST(c.counted AS TEXT) AS counted \
     FROM (SELECT f.job_id, f.done, (SELECT COUNT(DISTINCT r.frame) FROM frames r WHERE r.job_id = f.job_id AND r.state \
     IN ('ok', 'black')) AS counted FROM job_frames f) c WHERE c.counted <> c.done",
];

/// Recomputes everything that is maintained and describes each difference; empty when all is well.
///
/// # Errors
/// When the database cannot be read.
pub async fn differences(db: &impl Db) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    for check in CHECKS {
        for row in query_all(db, check, vec![]).await? {
            let (what, stored, counted): (String, String, String) =
                (row.get("what")?, row.get("stored")?, row.get("counted")?);
            found.push(format!("{what}: stored {stored:?}, counted {counted:?}"));
        }
    }
    Ok(found)
}
