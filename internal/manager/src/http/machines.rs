//! Machines of workers on the wire.

use flamenco_api::types;
use flamenco_domain::machine::{
    Disk, DiskPurpose, Gpu, GpuLoad, Hardware, MachineLoad, MachineState, PeriodSums, WorkerMachine,
};

use super::convert::same_names;
use flamenco_store::machines::FarmPeriod;

use crate::farm::machines::{MachineHistory, Report, Span};
use crate::farm::room::Room;

same_names!(purpose, from_purpose, DiskPurpose, DiskPurpose { Root, Temp, Output });

pub(super) const fn from_span(span: Option<types::MachineSpan>) -> Span {
    match span {
        None | Some(types::MachineSpan::Recent) => Span::Recent,
        Some(types::MachineSpan::Day) => Span::Day,
        Some(types::MachineSpan::Month) => Span::Month,
    }
}

pub(super) fn from_report(report: types::MachineReport) -> Report {
    Report {
        now: report.now,
        hardware: report.hardware.map(from_hardware),
        load: report.load.map(from_load),
        state: report.state.map(from_state),
    }
}

/// Texts are words of a program; what cannot be stored in them is no reason to refuse the rest.
fn storable(text: String) -> String {
    text.replace('\0', "\u{fffd}")
}

fn from_hardware(hardware: types::MachineHardware) -> Hardware {
    let gpu = |gpu: types::MachineGpu| Gpu {
        name: storable(gpu.name),
        memory: gpu.memory,
        driver: gpu.driver.map(storable),
    };
    let versions = hardware.blender_versions.unwrap_or_default();
    Hardware {
        architecture: storable(hardware.architecture),
        cpu_model: storable(hardware.cpu_model),
        cores: hardware.cores,
        threads: hardware.threads,
        memory_total: hardware.memory_total,
        os: storable(hardware.os),
        gpus: hardware.gpus.unwrap_or_default().into_iter().map(gpu).collect(),
        blender_versions: versions.into_iter().map(storable).collect(),
        ffmpeg_version: hardware.ffmpeg_version.map(storable),
    }
}

fn hardware(hardware: Hardware) -> types::MachineHardware {
    let gpu = |gpu: Gpu| types::MachineGpu { name: gpu.name, memory: gpu.memory, driver: gpu.driver };
    types::MachineHardware {
        architecture: hardware.architecture,
        cpu_model: hardware.cpu_model,
        cores: hardware.cores,
        threads: hardware.threads,
        memory_total: hardware.memory_total,
        os: hardware.os,
        gpus: Some(hardware.gpus.into_iter().map(gpu).collect()),
        blender_versions: Some(hardware.blender_versions),
        ffmpeg_version: hardware.ffmpeg_version,
    }
}

fn from_load(load: types::MachineLoad) -> MachineLoad {
    let gpu = |gpu: types::GpuLoad| GpuLoad {
        use_percent: gpu.use_percent,
        memory_used: gpu.memory_used,
        temperature: gpu.temperature,
    };
    MachineLoad {
        cpu_percent: load.cpu_percent,
        cores_percent: load.cores_percent.unwrap_or_default(),
        load: [load.load_1, load.load_5, load.load_15],
        memory_used: load.memory_used,
        memory_total: load.memory_total,
        swap_used: load.swap_used,
        swap_total: load.swap_total,
        network_in: load.network_in,
        network_out: load.network_out,
        gpus: load.gpus.unwrap_or_default().into_iter().map(gpu).collect(),
        task_cpu_percent: load.task_cpu_percent,
        task_memory: load.task_memory,
    }
}

fn load(load: MachineLoad) -> types::MachineLoad {
    let gpu = |gpu: GpuLoad| types::GpuLoad {
        use_percent: gpu.use_percent,
        memory_used: gpu.memory_used,
        temperature: gpu.temperature,
    };
    let [load_1, load_5, load_15] = load.load;
    types::MachineLoad {
        cpu_percent: load.cpu_percent,
        cores_percent: Some(load.cores_percent),
        load_1,
        load_5,
        load_15,
        memory_used: load.memory_used,
        memory_total: load.memory_total,
        swap_used: load.swap_used,
        swap_total: load.swap_total,
        network_in: load.network_in,
        network_out: load.network_out,
        gpus: Some(load.gpus.into_iter().map(gpu).collect()),
        task_cpu_percent: load.task_cpu_percent,
        task_memory: load.task_memory,
    }
}

fn from_state(state: types::MachineState) -> MachineState {
    let disk = |disk: types::MachineDisk| Disk {
        purpose: from_purpose(disk.purpose),
        path: disk.path,
        used: disk.used,
        total: disk.total,
    };
    let temperatures = state.temperatures.unwrap_or_default();
    MachineState {
        disks: state.disks.unwrap_or_default().into_iter().map(disk).collect(),
        uptime_s: state.uptime_s,
        temperatures: temperatures.into_iter().map(|found| (found.label, found.celsius)).collect(),
    }
}

fn state(state: MachineState) -> types::MachineState {
    let disk = |disk: Disk| types::MachineDisk {
        purpose: purpose(disk.purpose),
        path: disk.path,
        used: disk.used,
        total: disk.total,
    };
    let temperature = |(label, celsius)| types::MachineTemperature { label, celsius };
    types::MachineState {
        disks: Some(state.disks.into_iter().map(disk).collect()),
        uptime_s: state.uptime_s,
        temperatures: Some(state.temperatures.into_iter().map(temperature).collect()),
    }
}

pub(super) fn machine(machine: WorkerMachine) -> types::WorkerMachine {
    types::WorkerMachine {
        worker: machine.worker.0,
        received_at: machine.received,
        clock_offset_ms: machine.clock_offset.num_milliseconds(),
        load: machine.load.map(load),
        state: machine.state.map(state),
        no_room: machine.no_room.then_some(true),
    }
}

pub(crate) fn machines(machines: Vec<WorkerMachine>) -> types::WorkerMachines {
    types::WorkerMachines { workers: machines.into_iter().map(machine).collect() }
}

pub(super) fn of_farm(periods: Vec<FarmPeriod>, room: Option<Room>) -> types::FarmMachines {
    let period = |period: FarmPeriod| types::FarmMachinePeriod {
        from: period.start,
        cpu_percent: period.cpu_percent,
        workers: period.workers,
    };
    let bytes = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let room = room.map(|room| types::StorageRoom { free: bytes(room.free), total: bytes(room.total) });
    types::FarmMachines { periods: periods.into_iter().map(period).collect(), shared_storage: room }
}

pub(super) fn history(history: MachineHistory) -> types::MachineHistory {
    types::MachineHistory {
        hardware: history.hardware.map(hardware),
        latest: history.latest.map(machine),
        samples: history.samples.iter().map(sample).collect(),
    }
}

fn sample(PeriodSums { start, sums }: &PeriodSums) -> types::MachineSample {
    let mean = |sum: f64, count: i64| sum / count.max(1) as f64;
    let whole = |sum: i64, count: i64| sum / count.max(1);
    let known = |count: i64| (count > 0).then_some(count);
    types::MachineSample {
        at: *start,
        cpu_percent: mean(sums.cpu.0, sums.count),
        cpu_percent_max: sums.cpu.1,
        memory_used: whole(sums.memory.0, sums.count),
        memory_used_max: sums.memory.1,
        memory_total: sums.memory_total,
        swap_used: Some(whole(sums.swap, sums.count)),
        load_1: known(sums.load_1.0).map(|count| mean(sums.load_1.1, count)),
        network_in: whole(sums.network.0, sums.count),
        network_out: whole(sums.network.1, sums.count),
        gpu_percent: known(sums.gpu.0).map(|count| mean(sums.gpu.1, count)),
        gpu_memory_used: known(sums.gpu.0).map(|count| whole(sums.gpu.2, count)),
        task_cpu_percent: known(sums.task.0).map(|count| mean(sums.task.1, count)),
        task_memory: known(sums.task.0).map(|_| sums.task.2),
        disk_percent: sums.disk_percent,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};
    use flamenco_domain::machine::Sums;

    use super::*;

    #[test]
    fn means_are_over_the_reports_that_had_the_value() {
        let at = DateTime::<Utc>::UNIX_EPOCH + TimeDelta::minutes(1);
        let sums = Sums {
            count: 4,
            cpu: (100.0, 70.0),
            memory: (40, 30),
            memory_total: 100,
            gpu: (2, 50.0, 10),
            ..Sums::default()
        };
        let sample = sample(&PeriodSums { start: at, sums });
        assert_eq!((sample.cpu_percent, sample.cpu_percent_max), (25.0, 70.0));
        assert_eq!((sample.memory_used, sample.memory_used_max), (10, 30));
        assert_eq!((sample.gpu_percent, sample.gpu_memory_used), (Some(25.0), Some(5)));
        assert_eq!((sample.task_cpu_percent, sample.load_1, sample.disk_percent), (None, None, None));
    }
}
