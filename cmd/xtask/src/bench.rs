//! `cargo xtask bench`: what a manager can do, measured over the real protocol on loopback.
//!
//! Every run of a table row is one *cell*: so many tasks are queued, so many workers are signed on, and each takes task
//! after task for some seconds. A *cycle* is what a short task costs the manager: a fetch, `active`, two chunks of log
//! and `completed`, five requests. Flat out, each worker sends its next request as soon as it has an answer, which
//! shows the rate; since all of them always wait for the manager then, their number decides how long. So the time of a
//! fetch is also measured at a pace, each worker starting a task every [`PACE`].

mod connection;
mod manager;
mod report;
mod worker;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use manager::{Database, Manager};
use report::{Cell, Report};
use worker::{Counts, Worker};

/// How often each worker starts a task in the cells at a pace: far quicker than frames render.
const PACE: Duration = Duration::from_secs(2);
/// Tasks in the largest jobs; more tasks are more jobs.
const JOB: usize = 100_000;
/// Fewer queued tasks than this would be used up within a cell, so they are made up for while it runs.
const TOPPED_UP: usize = 20_000;
/// Connections that sign workers on at the same time.
const SIGNING_ON: usize = 16;

/// What `cargo xtask bench` is told.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The flamenco-manager to measure; that of target/release if not given.
    #[arg(long, value_name = "FILE", conflicts_with = "manager")]
    program: Option<PathBuf>,
    /// Measure the manager that runs at this address. It gets many jobs and workers: not for a farm in use.
    #[arg(long, value_name = "URL")]
    manager: Option<String>,
    /// Numbers of queued tasks.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "1000,100000,1000000")]
    tasks: Vec<usize>,
    /// Numbers of workers.
    #[arg(long, value_name = "N", value_delimiter = ',', default_value = "10,200,500,2000")]
    workers: Vec<usize>,
    /// How long each cell is measured.
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    seconds: f64,
    /// A PostgreSQL database, which should be empty, to measure beside SQLite; TEST_DATABASE_URL if not given.
    #[arg(long, value_name = "URL", env = "TEST_DATABASE_URL")]
    postgres: Option<String>,
    /// Measure on these databases only.
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = ["sqlite", "postgres"])]
    database: Vec<String>,
    /// Write the results to a JSON file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the table to a Markdown file.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
}

/// Runs the bench.
///
/// # Errors
/// When the manager cannot be started, or does not answer as it should.
pub fn run(root: &Path, arguments: &Arguments) -> Result<()> {
    ensure!(!arguments.tasks.is_empty() && !arguments.workers.is_empty(), "there is nothing to measure");
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start")?;
    let report = runtime.block_on(measure(root, arguments))?;
    println!("\n{}", report.table());
    if let Some(file) = &arguments.json {
        let text = serde_json::to_string_pretty(&report)?;
        std::fs::write(file, text + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    if let Some(file) = &arguments.markdown {
        let text = report.markdown();
        std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

async fn measure(root: &Path, arguments: &Arguments) -> Result<Report> {
    let mut report = Report::default();
    if let Some(url) = &arguments.manager {
        Run::new(Manager::running(url)?, "?", arguments).measure(&mut report).await?;
        return Ok(report);
    }
    let program = arguments.program.clone().unwrap_or_else(|| root.join("target/release/flamenco-manager"));
    ensure!(program.is_file(), "{} is missing; `make bench` builds it", program.display());
    let program = program.canonicalize()?;
    let wanted = |name: &str| arguments.database.is_empty() || arguments.database.iter().any(|it| it == name);
    let mut databases = Vec::new();
    if wanted("sqlite") {
        databases.push(("SQLite", Database::Sqlite));
    }
    if wanted("postgres") {
        match &arguments.postgres {
            Some(url) => databases.push(("PostgreSQL", Database::Postgres(url.clone()))),
            None if arguments.database.is_empty() => {
                println!("No --postgres URL: PostgreSQL is not measured.")
            }
            None => bail!("--database postgres needs --postgres URL"),
        }
    }
    for (name, database) in databases {
        let folder = root.join("target/bench").join(name.to_lowercase());
        if folder.exists() {
            std::fs::remove_dir_all(&folder)
                .with_context(|| format!("cannot remove {}", folder.display()))?;
        }
        let manager = Manager::start(&program, &folder, &database).await?;
        Run::new(manager, name, arguments).measure(&mut report).await?;
    }
    Ok(report)
}

/// The measurement of one manager.
struct Run<'a> {
    manager: Manager,
    database: &'a str,
    arguments: &'a Arguments,
    workers: Vec<Worker>,
    submitted: u64,
    completed: Arc<AtomicU64>,
}

impl<'a> Run<'a> {
    fn new(manager: Manager, database: &'a str, arguments: &'a Arguments) -> Self {
        Self { manager, database, arguments, workers: Vec::new(), submitted: 0, completed: Arc::default() }
    }

    async fn measure(mut self, report: &mut Report) -> Result<()> {
        for &queued in &self.arguments.tasks {
            self.fill(queued, report).await?;
            for &workers in &self.arguments.workers {
                self.sign_on(workers).await?;
                let cell = self.cell(queued, workers, None, "").await?;
                report.add(cell);
            }
            let most = self.arguments.workers.iter().copied().max().unwrap_or_default();
            let cell = self.cell(queued, most, Some(PACE), "").await?;
            report.add(cell);
        }
        self.others_first(report).await?;
        self.start_again(report).await
    }

    /// The same rate when the first tasks by priority are for nobody who asks.
    async fn others_first(&mut self, report: &mut Report) -> Result<()> {
        let queued = self.arguments.tasks.iter().copied().max().unwrap_or_default();
        let workers = self.middle();
        let tag = self.manager.make_tag(&format!("nobody-{}", std::process::id())).await?;
        self.manager.submit(JOB, 99, Some(&tag)).await?;
        let cell = self.cell(queued, workers, None, "100,000 tasks for others come first").await?;
        report.add(cell);
        Ok(())
    }

    async fn start_again(&mut self, report: &mut Report) -> Result<()> {
        if self.manager.memory().is_none() {
            return Ok(());
        }
        let took = self.manager.restart().await?;
        let stored = self.submitted;
        report.note(
            self.database,
            &format!("start to first answer, {stored} tasks stored"),
            took.as_secs_f64(),
            "s",
        );
        Ok(())
    }

    /// The number of workers that rates are compared at.
    fn middle(&self) -> usize {
        let workers = &self.arguments.workers;
        workers.iter().copied().find(|number| *number == 200).unwrap_or(workers[0])
    }

    /// Queues tasks until there are so many.
    async fn fill(&mut self, queued: usize, report: &mut Report) -> Result<()> {
        while self.queued() < queued as u64 {
            let missing = usize::try_from(queued as u64 - self.queued())?;
            let frames = missing.min(JOB);
            let took = self.manager.submit(frames, 50, None).await?;
            println!("{}: {frames} tasks submitted in {:.2} s", self.database, took.as_secs_f64());
            if frames == JOB {
                report.note(self.database, "submission of 100,000 tasks", took.as_secs_f64(), "s");
            }
            self.submitted += frames as u64;
        }
        Ok(())
    }

    fn queued(&self) -> u64 {
        self.submitted.saturating_sub(self.completed.load(Ordering::Relaxed))
    }

    async fn sign_on(&mut self, number: usize) -> Result<()> {
        while self.workers.len() < number {
            let host = self.manager.host();
            let more = (self.workers.len()..number).take(SIGNING_ON);
            let mut joining = tokio::task::JoinSet::new();
            for index in more {
                let host = host.to_owned();
                joining.spawn(async move { Worker::register(&host, index).await });
            }
            for worker in joining.join_all().await {
                self.workers.push(worker?);
            }
        }
        Ok(())
    }

    async fn cell(
        &mut self,
        queued: usize,
        number: usize,
        pace: Option<Duration>,
        what: &str,
    ) -> Result<Cell> {
        let seconds = Duration::from_secs_f64(self.arguments.seconds);
        let stop = Arc::new(AtomicBool::new(false));
        let used_before = self.manager.processor_time();
        let start = Instant::now();
        let mut working = tokio::task::JoinSet::new();
        for (index, mut worker) in self.workers.drain(..number).enumerate() {
            let (stop, completed) = (Arc::clone(&stop), Arc::clone(&self.completed));
            // At a pace they start one after the other, as real ones do.
            let offset = pace.unwrap_or_default().mul_f64(index as f64 / number as f64);
            working.spawn(async move {
                let result = worker.work(&stop, &completed, pace, offset).await;
                (worker, result)
            });
        }
        // At a pace the first one and the last one are not full.
        let seconds = seconds + pace.unwrap_or_default();
        self.top_up(queued, start + seconds).await?;
        tokio::time::sleep_until((start + seconds).into()).await;
        stop.store(true, Ordering::Relaxed);
        let took = start.elapsed();
        let used = self.manager.processor_time().zip(used_before).map(|(now, before)| now - before);
        let mut total = Counts::default();
        for (worker, result) in working.join_all().await {
            self.workers.push(worker);
            total.add(result?);
        }
        let memory = self.manager.memory();
        let cell = Cell::new(self.database, (queued, number), pace, what, took, total, used, memory);
        println!("{}", cell.line());
        Ok(cell)
    }

    /// Submits small jobs while a cell runs that would otherwise use up what is queued.
    async fn top_up(&mut self, queued: usize, until: Instant) -> Result<()> {
        while queued < TOPPED_UP && Instant::now() < until {
            if self.queued() < queued as u64 {
                self.manager.submit(queued, 50, None).await?;
                self.submitted += queued as u64;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Ok(())
    }
}
