//! How the machines of workers are doing: what they report, and what a minute or an hour of reports comes to.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use crate::ids::WorkerId;

/// What changes quickly. Percentages are 0 to 100, memory is in bytes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MachineLoad {
    /// Use of all processors together.
    pub cpu_percent: f64,
    /// Use of each processor.
    pub cores_percent: Vec<f64>,
    /// Load averages over 1, 5 and 15 minutes.
    pub load: [Option<f64>; 3],
    /// Memory in use.
    pub memory_used: i64,
    /// Memory there is.
    pub memory_total: i64,
    /// Swap space in use.
    pub swap_used: Option<i64>,
    /// Swap space there is.
    pub swap_total: Option<i64>,
    /// Bytes received per second.
    pub network_in: Option<i64>,
    /// Bytes sent per second.
    pub network_out: Option<i64>,
    /// Graphics processors.
    pub gpus: Vec<GpuLoad>,
    /// Use of processors by the running task, 100 for each that is fully used.
    pub task_cpu_percent: Option<f64>,
    /// Memory of the running task.
    pub task_memory: Option<i64>,
}

/// How a graphics processor is doing.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct GpuLoad {
    /// How busy it is.
    pub use_percent: Option<f64>,
    /// Its memory in use.
    pub memory_used: Option<i64>,
    /// Degrees Celsius.
    pub temperature: Option<f64>,
}

/// What changes slowly.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MachineState {
    /// Disks that matter to the worker.
    pub disks: Vec<Disk>,
    /// How long the machine has been running, in seconds.
    pub uptime_s: Option<i64>,
    /// Name of the sensor, and degrees Celsius.
    pub temperatures: Vec<(String, f64)>,
}

impl MachineState {
    /// How full the fullest disk is, 0 to 100.
    #[must_use]
    pub fn fullest_disk(&self) -> Option<f64> {
        let percents = self.disks.iter().filter(|disk| disk.total > 0);
        percents.map(|disk| disk.used as f64 * 100.0 / disk.total as f64).max_by(f64::total_cmp)
    }
}

/// What the worker uses a disk for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskPurpose {
    /// The system.
    Root,
    /// Temporary files.
    Temp,
    /// Where the last picture was saved.
    Output,
}

/// A disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disk {
    /// What for.
    pub purpose: DiskPurpose,
    /// A directory on it.
    pub path: String,
    /// Bytes in use.
    pub used: i64,
    /// Bytes there are.
    pub total: i64,
}

/// What a machine is. Stored as JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Hardware {
    /// Processor architecture.
    pub architecture: String,
    /// Name of the processor.
    pub cpu_model: String,
    /// Processor cores.
    pub cores: Option<i64>,
    /// Threads that run at the same time.
    pub threads: i64,
    /// Memory in bytes.
    pub memory_total: i64,
    /// The operating system with its version.
    pub os: String,
    /// Graphics processors.
    pub gpus: Vec<Gpu>,
    /// Versions of Blender that the worker found.
    pub blender_versions: Vec<String>,
    /// The version of FFmpeg that the worker found.
    pub ffmpeg_version: Option<String>,
}

/// A graphics processor.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpu {
    /// Its name.
    pub name: String,
    /// Its memory in bytes.
    pub memory: Option<i64>,
    /// Version of its driver.
    pub driver: Option<String>,
}

/// The last report of a worker.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerMachine {
    /// The worker.
    pub worker: WorkerId,
    /// When it came.
    pub received: DateTime<Utc>,
    /// How far the worker's clock is ahead.
    pub clock_offset: TimeDelta,
    /// What changes quickly, if it was reported.
    pub load: Option<MachineLoad>,
    /// What changes slowly, if it was reported.
    pub state: Option<MachineState>,
    /// A disk of it is so full that it gets no new tasks.
    pub no_room: bool,
}

/// A length of time that reports are summed up over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Period {
    /// Kept for a day.
    Minute,
    /// Kept for thirty days.
    Hour,
}

impl Period {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Minute, Self::Hour];

    /// How long it is.
    #[must_use]
    pub const fn length(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::minutes(1),
            Self::Hour => TimeDelta::hours(1),
        }
    }

    /// How long sums over it are kept.
    #[must_use]
    pub const fn kept(self) -> TimeDelta {
        match self {
            Self::Minute => TimeDelta::hours(24),
            Self::Hour => TimeDelta::days(30),
        }
    }

    /// The beginning of the period that a moment is in.
    #[must_use]
    pub fn start_of(self, moment: DateTime<Utc>) -> DateTime<Utc> {
        // Fails only for times far outside of what a clock shows.
        moment.duration_trunc(self.length()).unwrap_or(moment)
    }
}

/// Sums over reports, which can be added to each other: of two managers, or before and after a restart.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Sums {
    /// How many reports.
    pub count: i64,
    /// Sum and highest use of processors.
    pub cpu: (f64, f64),
    /// Sum and highest memory in use.
    pub memory: (i64, i64),
    /// Memory there is.
    pub memory_total: i64,
    /// Sum of swap space in use.
    pub swap: i64,
    /// How many reports had a load average, and their sum.
    pub load_1: (i64, f64),
    /// Sums of bytes per second, in and out.
    pub network: (i64, i64),
    /// How many reports had a GPU; sums of the use of the busiest, and of the memory of all.
    pub gpu: (i64, f64, i64),
    /// How many reports had a running task, the sum of its use of processors, and its most memory.
    pub task: (i64, f64, i64),
    /// How full the fullest disk was, if known.
    pub disk_percent: Option<f64>,
}

impl Sums {
    /// Of one report.
    #[must_use]
    pub fn of(load: &MachineLoad, disk_percent: Option<f64>) -> Self {
        let busiest = load.gpus.iter().filter_map(|gpu| gpu.use_percent).max_by(f64::total_cmp);
        let gpu_memory = load.gpus.iter().filter_map(|gpu| gpu.memory_used).sum();
        Self {
            count: 1,
            cpu: (load.cpu_percent, load.cpu_percent),
            memory: (load.memory_used, load.memory_used),
            memory_total: load.memory_total,
            swap: load.swap_used.unwrap_or(0),
            load_1: load.load[0].map_or((0, 0.0), |load| (1, load)),
            network: (load.network_in.unwrap_or(0), load.network_out.unwrap_or(0)),
            gpu: busiest.map_or((0, 0.0, 0), |percent| (1, percent, gpu_memory)),
            task: load
                .task_cpu_percent
                .map_or((0, 0.0, 0), |percent| (1, percent, load.task_memory.unwrap_or(0))),
            disk_percent,
        }
    }

    /// Adds other sums.
    pub fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.cpu = (self.cpu.0 + other.cpu.0, self.cpu.1.max(other.cpu.1));
        self.memory = (self.memory.0.saturating_add(other.memory.0), self.memory.1.max(other.memory.1));
        self.memory_total = self.memory_total.max(other.memory_total);
        self.swap = self.swap.saturating_add(other.swap);
        self.load_1 = (self.load_1.0 + other.load_1.0, self.load_1.1 + other.load_1.1);
        self.network =
            (self.network.0.saturating_add(other.network.0), self.network.1.saturating_add(other.network.1));
        let (ours, theirs) = (self.gpu, other.gpu);
        self.gpu = (ours.0 + theirs.0, ours.1 + theirs.1, ours.2.saturating_add(theirs.2));
        let (ours, theirs) = (self.task, other.task);
        self.task = (ours.0 + theirs.0, ours.1 + theirs.1, ours.2.max(theirs.2));
        self.disk_percent = match (self.disk_percent, other.disk_percent) {
            (Some(ours), Some(theirs)) => Some(ours.max(theirs)),
            (ours, theirs) => ours.or(theirs),
        };
    }
}

/// Sums over one period of one worker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PeriodSums {
    /// When it began.
    pub start: DateTime<Utc>,
    /// The sums.
    pub sums: Sums,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(cpu: f64, memory: i64) -> MachineLoad {
        MachineLoad { cpu_percent: cpu, memory_used: memory, memory_total: 100, ..MachineLoad::default() }
    }

    #[test]
    fn sums_can_be_added_in_any_order() {
        let busy = MachineLoad {
            load: [Some(2.0), None, None],
            gpus: vec![
                GpuLoad { use_percent: Some(10.0), memory_used: Some(5), temperature: None },
                GpuLoad { use_percent: Some(90.0), memory_used: Some(7), temperature: None },
            ],
            task_cpu_percent: Some(150.0),
            task_memory: Some(33),
            ..load(80.0, 60)
        };
        let parts = [Sums::of(&load(20.0, 40), Some(50.0)), Sums::of(&busy, None)];
        let mut forward = Sums::default();
        parts.iter().for_each(|part| forward.add(part));
        let mut backward = parts[1];
        backward.add(&parts[0]);
        assert_eq!(forward, backward);
        assert_eq!((forward.count, forward.cpu, forward.memory), (2, (100.0, 80.0), (100, 60)));
        assert_eq!((forward.load_1, forward.gpu, forward.task), ((1, 2.0), (1, 90.0, 12), (1, 150.0, 33)));
        assert_eq!(forward.disk_percent, Some(50.0));
    }

    #[test]
    fn periods_begin_at_whole_minutes_and_hours() {
        let moment: DateTime<Utc> = "2026-02-03T14:05:31.5Z".parse().unwrap();
        for (period, start) in
            [(Period::Minute, "2026-02-03T14:05:00Z"), (Period::Hour, "2026-02-03T14:00:00Z")]
        {
            assert_eq!(period.start_of(moment), start.parse::<DateTime<Utc>>().unwrap());
        }
    }

    #[test]
    fn the_fullest_disk_counts() {
        let disk = |used, total| Disk { purpose: DiskPurpose::Root, path: "/".into(), used, total };
        let state = |disks| MachineState { disks, ..MachineState::default() };
        assert_eq!(state(vec![]).fullest_disk(), None);
        assert_eq!(state(vec![disk(5, 0), disk(1, 4), disk(3, 4)]).fullest_disk(), Some(75.0));
    }
}
