//! The results: as a table for people, as Markdown for the manual, and as JSON for programs.

use std::fmt::Write;
use std::time::Duration;

use serde::Serialize;

use super::worker::Counts;

/// All results of a run.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    cells: Vec<Cell>,
    figures: Vec<Figure>,
}

/// One row: so many tasks queued, so many workers.
#[derive(Debug, Serialize)]
pub struct Cell {
    database: String,
    /// What is special about this row, if anything.
    what: String,
    queued: usize,
    workers: usize,
    /// Seconds between the starts of two tasks of a worker; `None` is flat out.
    pace: Option<f64>,
    cycles_per_second: f64,
    requests_per_second: f64,
    /// Answers that there is nothing to do.
    idle: u64,
    fetch_ms: Times,
    update_ms: Times,
    /// Processor time of the manager for each cycle, in microseconds.
    processor_us_per_cycle: Option<f64>,
    /// Memory of the manager after the cell, in bytes.
    memory: Option<u64>,
}

/// How long something took, in milliseconds.
#[derive(Debug, Serialize)]
struct Times {
    p50: f64,
    p99: f64,
    max: f64,
}

/// A single figure.
#[derive(Debug, Serialize)]
struct Figure {
    database: String,
    what: String,
    values: Vec<f64>,
    unit: String,
}

impl Cell {
    #[expect(clippy::too_many_arguments, reason = "it only puts together what was measured in one place")]
    pub fn new(
        database: &str,
        (queued, workers): (usize, usize),
        pace: Option<Duration>,
        what: &str,
        took: Duration,
        counts: Counts,
        used: Option<Duration>,
        memory: Option<u64>,
    ) -> Self {
        let seconds = took.as_secs_f64();
        let cycles = counts.cycles as f64;
        Self {
            database: database.to_owned(),
            what: what.to_owned(),
            queued,
            workers,
            pace: pace.map(|pace| pace.as_secs_f64()),
            cycles_per_second: cycles / seconds,
            requests_per_second: counts.requests as f64 / seconds,
            idle: counts.idle,
            fetch_ms: Times::of(counts.fetches),
            update_ms: Times::of(counts.updates),
            processor_us_per_cycle: used.map(|used| used.as_secs_f64() * 1e6 / cycles.max(1.0)),
            memory,
        }
    }

    /// The row as text.
    pub fn line(&self) -> String {
        let [first, rest @ ..] = self.columns();
        let mut line = format!("{first:<10}");
        for (text, width) in rest.iter().zip(WIDTHS) {
            write!(line, " {text:>width$}").unwrap_or_default();
        }
        if !self.what.is_empty() {
            line.push_str("   ");
            line.push_str(&self.what);
        }
        line
    }

    fn columns(&self) -> [String; COLUMNS] {
        let load = self.pace.map_or_else(|| "flat out".to_owned(), |pace| format!("every {pace} s"));
        let unknown = || "?".to_owned();
        [
            self.database.clone(),
            self.queued.to_string(),
            self.workers.to_string(),
            load,
            format!("{:.0}", self.cycles_per_second),
            format!("{:.0}", self.requests_per_second),
            format!("{:.1}", self.fetch_ms.p50),
            format!("{:.1}", self.fetch_ms.p99),
            format!("{:.1}", self.update_ms.p99),
            self.processor_us_per_cycle.map_or_else(unknown, |time| format!("{time:.0}")),
            self.memory.map_or_else(unknown, |bytes| format!("{:.0}", bytes as f64 / 1e6)),
        ]
    }
}

const COLUMNS: usize = 11;
const HEADS: [&str; COLUMNS] = [
    "database",
    "queued",
    "workers",
    "load",
    "cycles/s",
    "requests/s",
    "fetch p50 ms",
    "fetch p99 ms",
    "update p99 ms",
    "CPU µs/cycle",
    "memory MB",
];
/// Of all columns but the first.
const WIDTHS: [usize; COLUMNS - 1] = [8, 7, 9, 8, 10, 12, 12, 13, 12, 9];

impl Times {
    /// Of durations in microseconds.
    fn of(mut micros: Vec<u32>) -> Self {
        micros.sort_unstable();
        let at = |part: f64| {
            let index = ((micros.len() as f64 * part) as usize).min(micros.len().saturating_sub(1));
            micros.get(index).map_or(0.0, |time| f64::from(*time) / 1_000.0)
        };
        Self { p50: at(0.5), p99: at(0.99), max: at(1.0) }
    }
}

impl Report {
    pub fn add(&mut self, cell: Cell) {
        self.cells.push(cell);
    }

    /// Notes one value of a figure; figures that are measured several times have several.
    pub fn note(&mut self, database: &str, what: &str, value: f64, unit: &str) {
        println!("{database}: {what}: {value:.3} {unit}");
        let known = self.figures.iter_mut().find(|figure| figure.database == database && figure.what == what);
        if let Some(figure) = known {
            return figure.values.push(value);
        }
        let (database, what, unit) = (database.to_owned(), what.to_owned(), unit.to_owned());
        self.figures.push(Figure { database, what, values: vec![value], unit });
    }

    /// Everything as text for a terminal.
    pub fn table(&self) -> String {
        let mut text = format!("{:<10}", HEADS[0]);
        for (head, width) in HEADS.iter().skip(1).zip(WIDTHS) {
            write!(text, " {head:>width$}").unwrap_or_default();
        }
        text.push('\n');
        for cell in &self.cells {
            text.push_str(&cell.line());
            text.push('\n');
        }
        for figure in &self.figures {
            text.push_str(&format!("{}: {}: {}\n", figure.database, figure.what, figure.range()));
        }
        text
    }

    /// Everything as Markdown.
    pub fn markdown(&self) -> String {
        let mut text = format!("| {} |\n|{}\n", HEADS.join(" | "), "---|".repeat(COLUMNS));
        for cell in &self.cells {
            let mut columns = cell.columns();
            if !cell.what.is_empty() {
                columns[3] = format!("{}; {}", columns[3], cell.what);
            }
            text.push_str(&format!("| {} |\n", columns.join(" | ")));
        }
        text.push_str("\n| figure | database | measured |\n|---|---|---|\n");
        for figure in &self.figures {
            text.push_str(&format!("| {} | {} | {} |\n", figure.what, figure.database, figure.range()));
        }
        text
    }
}

impl Figure {
    /// From the smallest to the largest value.
    fn range(&self) -> String {
        let least = self.values.iter().copied().fold(f64::INFINITY, f64::min);
        let most = self.values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let unit = &self.unit;
        if self.values.len() == 1 {
            return format!("{least:.2} {unit}");
        }
        format!("{least:.2} to {most:.2} {unit} ({} times)", self.values.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_the_places_in_order() {
        let times = Times::of((1..=1_000).rev().collect());
        assert!((times.p50 - 0.501).abs() < 1e-9 && (times.p99 - 0.991).abs() < 1e-9, "{times:?}");
        assert!((times.max - 1.0).abs() < 1e-9);
        assert!(Times::of(Vec::new()).max.abs() < 1e-9);
    }

    #[test]
    fn a_report_has_a_row_for_each_cell_and_figure() {
        let mut report = Report::default();
        let counts = Counts { cycles: 500, requests: 2_500, fetches: vec![1_500], ..Counts::default() };
        let used = Some(Duration::from_millis(250));
        let took = Duration::from_secs(5);
        report.add(Cell::new("SQLite", (1_000, 10), None, "", took, counts, used, Some(48_000_000)));
        report.note("SQLite", "submission", 2.5, "s");
        report.note("SQLite", "submission", 2.75, "s");
        let markdown = report.markdown();
        let row = "| SQLite | 1000 | 10 | flat out | 100 | 500 | 1.5 | 1.5 | 0.0 | 500 | 48 |";
        assert!(markdown.contains(row), "{markdown}");
        assert!(markdown.contains("| submission | SQLite | 2.50 to 2.75 s (2 times) |"), "{markdown}");
        assert!(report.table().contains("flat out"));
    }
}
