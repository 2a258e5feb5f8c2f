//! The machines of the workers: what they are, and sums over minutes and hours of how they have been doing.

use chrono::{DateTime, Utc};
use flamenco_domain::ids::WorkerId;
use flamenco_domain::machine::{Hardware, Period, PeriodSums, Sums};

use crate::Tx;
use crate::db::{Db, Row, execute, json_text, micros, query_all, query_one};
use crate::error::Error;

/// Stands for "not known" in a column that is summed up with the larger of two values.
const UNKNOWN_PERCENT: f64 = -1.0;

/// Stores what the machine of a worker, given by its key, is.
///
/// # Errors
/// When the database cannot be written.
pub async fn save_hardware(
    tx: &Tx,
    worker: i64,
    hardware: &Hardware,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    let sql = "INSERT INTO machines (worker_id, hardware, updated_at) VALUES ($1, $2, $3) ON CONFLICT (worker_id) DO \
               UPDATE SET hardware = excluded.hardware, updated_at = excluded.updated_at";
    execute(tx, sql, vec![worker.into(), json_text(hardware)?.into(), micros(now)]).await?;
    Ok(())
}

/// What the machine of a worker is, if it told.
///
/// # Errors
/// When the database cannot be read.
pub async fn hardware(db: &impl Db, worker: WorkerId) -> Result<Option<Hardware>, Error> {
    let sql = "SELECT m.hardware FROM machines m JOIN workers w ON w.id = m.worker_id WHERE w.uuid = $1";
    query_one(db, sql, vec![worker.0.into()]).await?.map(|row| row.json("hardware")).transpose()
}

/// Adds sums to what is stored for a period of a worker, given by its key.
///
/// # Errors
/// When the database cannot be written.
pub async fn add(
    tx: &Tx,
    worker: i64,
    period: Period,
    start: DateTime<Utc>,
    sums: &Sums,
) -> Result<(), Error> {
    let sql = "INSERT INTO machine_history (worker_id, period, start_at, samples, cpu_sum, cpu_max, memory_sum, \
               memory_max, memory_total, swap_sum, load_samples, load_sum, network_in_sum, network_out_sum, \
               gpu_samples, gpu_sum, gpu_memory_sum, task_samples, task_cpu_sum, task_memory_max, disk_percent) VALUES \
               ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21) ON \
               CONFLICT (worker_id, period, start_at) DO UPDATE SET samples = machine_history.samples + \
               excluded.samples, cpu_sum = machine_history.cpu_sum + excluded.cpu_sum, cpu_max = CASE WHEN \
               excluded.cpu_max > machine_history.cpu_max THEN excluded.cpu_max ELSE machine_history.cpu_max END, \
               memory_sum = machine_history.memory_sum + excluded.memory_sum, memory_max = CASE WHEN \
               excluded.memory_max > machine_history.memory_max THEN excluded.memory_max ELSE \
               machine_history.memory_max END, memory_total = excluded.memory_total, swap_sum = \
               machine_history.swap_sum + excluded.swap_sum, load_samples = machine_history.load_samples + \
               excluded.load_samples, load_sum = machine_history.load_sum + excluded.load_sum, network_in_sum = \
               machine_history.network_in_sum + excluded.network_in_sum, network_out_sum = \
               machine_history.network_out_sum + excluded.network_out_sum, gpu_samples = machine_history.gpu_samples + \
               excluded.gpu_samples, gpu_sum = machine_history.gpu_sum + excluded.gpu_sum, gpu_memory_sum = \
               machine_history.gpu_memory_sum + excluded.gpu_memory_sum, task_samples = machine_history.task_samples \
               + excluded.task_samples, task_cpu_sum = machine_history.task_cpu_sum + excluded.task_cpu_sum, \
               task_memory_max = CASE WHEN excluded.task_memory_max > machine_history.task_memory_max THEN \
               excluded.task_memory_max ELSE machine_history.task_memory_max END, disk_percent = CASE WHEN \
               excluded.disk_percent > machine_history.disk_percent THEN excluded.disk_percent ELSE \
               machine_history.disk_percent END";
    let values = vec![
        worker.into(),
        period.length().num_seconds().into(),
        micros(start),
        sums.count.into(),
        sums.cpu.0.into(),
        sums.cpu.1.into(),
        sums.memory.0.into(),
        sums.memory.1.into(),
        sums.memory_total.into(),
        sums.swap.into(),
        sums.load_1.0.into(),
        sums.load_1.1.into(),
        sums.network.0.into(),
        sums.network.1.into(),
        sums.gpu.0.into(),
        sums.gpu.1.into(),
        sums.gpu.2.into(),
        sums.task.0.into(),
        sums.task.1.into(),
        sums.task.2.into(),
        sums.disk_percent.unwrap_or(UNKNOWN_PERCENT).into(),
    ];
    execute(tx, sql, values).await?;
    Ok(())
}

/// Forgets periods that ended before what is kept of them.
///
/// # Errors
/// When the database cannot be written.
pub async fn prune(tx: &Tx, now: DateTime<Utc>) -> Result<u64, Error> {
    let mut removed = 0;
    for period in Period::ALL {
        let sql = "DELETE FROM machine_history WHERE period = $1 AND start_at < $2";
        let before = now - period.kept() - period.length();
        removed += execute(tx, sql, vec![period.length().num_seconds().into(), micros(before)]).await?;
    }
    Ok(removed)
}

/// The stored periods of a worker that began at `since` or later, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn history(
    db: &impl Db,
    worker: WorkerId,
    period: Period,
    since: DateTime<Utc>,
) -> Result<Vec<PeriodSums>, Error> {
    let sql = "SELECT h.* FROM machine_history h JOIN workers w ON w.id = h.worker_id WHERE w.uuid = $1 AND h.period = \
               $2 AND h.start_at >= $3 ORDER BY h.start_at";
    let values = vec![worker.0.into(), period.length().num_seconds().into(), micros(since)];
    query_all(db, sql, values).await?.iter().map(sums).collect()
}

/// What all workers together reported in a period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FarmPeriod {
    /// When it began.
    pub start: DateTime<Utc>,
    /// The mean use of the processors over all reports, in percent.
    pub cpu_percent: f64,
    /// How many workers reported.
    pub workers: i64,
}

/// The stored periods that began at `since` or later, of all workers together, oldest first.
///
/// # Errors
/// When the database cannot be read.
pub async fn farm_history(
    db: &impl Db,
    period: Period,
    since: DateTime<Utc>,
) -> Result<Vec<FarmPeriod>, Error> {
    let sql = "SELECT start_at, SUM(cpu_sum) / SUM(samples) AS cpu_percent, COUNT(*) AS workers FROM machine_history WHERE \
               period = $1 AND start_at >= $2 GROUP BY start_at ORDER BY start_at";
    let values = vec![period.length().num_seconds().into(), micros(since)];
    let read = |row: &Row| {
        Ok(FarmPeriod {
            start: row.time("start_at")?,
            cpu_percent: row.get("cpu_percent")?,
            workers: row.get("workers")?,
        })
    };
    query_all(db, sql, values).await?.iter().map(read).collect()
}

fn sums(row: &Row) -> Result<PeriodSums, Error> {
    let disk_percent: f64 = row.get("disk_percent")?;
    Ok(PeriodSums {
        start: row.time("start_at")?,
        sums: Sums {
            count: row.get("samples")?,
            cpu: (row.get("cpu_sum")?, row.get("cpu_max")?),
            memory: (row.get("memory_sum")?, row.get("memory_max")?),
            memory_total: row.get("memory_total")?,
            swap: row.get("swap_sum")?,
            load_1: (row.get("load_samples")?, row.get("load_sum")?),
            network: (row.get("network_in_sum")?, row.get("network_out_sum")?),
            gpu: (row.get("gpu_samples")?, row.get("gpu_sum")?, row.get("gpu_memory_sum")?),
            task: (row.get("task_samples")?, row.get("task_cpu_sum")?, row.get("task_memory_max")?),
            disk_percent: Some(disk_percent).filter(|percent| *percent >= 0.0),
        },
    })
}
