//! Sleep schedules: at most one for each worker.

use chrono::{DateTime, TimeDelta, Utc};
use flamenco_domain::ids::WorkerId;
use flamenco_domain::schedule::SleepSchedule;

use crate::db::{Db, Row, execute, micros, query_all, query_one};
use crate::error::Error;

fn schedule(row: &Row) -> Result<SleepSchedule, Error> {
    let active = row.get::<i64>("is_active")? != 0;
    let (days, start, end): (String, String, String) =
        (row.get("days_of_week")?, row.get("start_time")?, row.get("end_time")?);
    SleepSchedule::parse(active, &days, &start, &end)
        .map_err(|error| Error::Corrupt(format!("a sleep schedule: {error}")))
}

/// The schedule of a worker.
///
/// # Errors
/// When the database cannot be read.
pub async fn find(db: &impl Db, worker: WorkerId) -> Result<Option<SleepSchedule>, Error> {
    let sql = "SELECT s.is_active, s.days_of_week, s.start_time, s.end_time FROM sleep_schedules s JOIN workers w ON \
               w.id = s.worker_id WHERE w.uuid = $1 AND w.deleted_at IS NULL";
    query_one(db, sql, vec![worker.0.into()]).await?.map(|row| schedule(&row)).transpose()
}

/// Stores the schedule of a worker in place of the one it had.
///
/// # Errors
/// When the database cannot be written.
pub async fn save(
    db: &impl Db,
    worker: i64,
    schedule: &SleepSchedule,
    next_check: DateTime<Utc>,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "INSERT INTO sleep_schedules (worker_id, is_active, days_of_week, start_time, end_time, next_check, \
               created_at, updated_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) ON CONFLICT (worker_id) DO UPDATE SET \
               is_active = excluded.is_active, days_of_week = excluded.days_of_week, start_time = \
               excluded.start_time, end_time = excluded.end_time, next_check = excluded.next_check, updated_at = \
               excluded.updated_at";
    let time = |time: Option<flamenco_domain::schedule::TimeOfDay>| {
        time.map_or_else(String::new, |time| time.to_string())
    };
    let values = vec![
        worker.into(),
        i64::from(schedule.is_active).into(),
        schedule.days.to_string().into(),
        time(schedule.start()).into(),
        time(schedule.end()).into(),
        micros(next_check),
        micros(now),
    ];
    execute(db, sql, values).await?;
    Ok(())
}

/// Notes when a schedule is to be looked at next.
///
/// # Errors
/// When the database cannot be written.
pub async fn set_next_check(db: &impl Db, worker: i64, at: DateTime<Utc>) -> Result<(), Error> {
    let sql = "UPDATE sleep_schedules SET next_check = $1 WHERE worker_id = $2";
    execute(db, sql, vec![micros(at), worker.into()]).await?;
    Ok(())
}

/// The workers whose active schedule is to be looked at now. A look that is more than two days ahead was planned by a
/// clock that has been set back since: there is one every day.
///
/// # Errors
/// When the database cannot be read.
pub async fn due(db: &impl Db, now: DateTime<Utc>) -> Result<Vec<WorkerId>, Error> {
    let sql = "SELECT w.uuid FROM sleep_schedules s JOIN workers w ON w.id = s.worker_id WHERE s.is_active = 1 AND \
               (s.next_check IS NULL OR s.next_check <= $1 OR s.next_check > $2) AND w.deleted_at IS NULL ORDER BY w.id";
    let rows = query_all(db, sql, vec![micros(now), micros(now + TimeDelta::days(2))]).await?;
    rows.iter().map(|row| row.get("uuid").map(WorkerId)).collect()
}

/// Removes the schedule of a worker.
///
/// # Errors
/// When the database cannot be written.
pub async fn remove(db: &impl Db, worker: i64) -> Result<(), Error> {
    execute(db, "DELETE FROM sleep_schedules WHERE worker_id = $1", vec![worker.into()]).await?;
    Ok(())
}
