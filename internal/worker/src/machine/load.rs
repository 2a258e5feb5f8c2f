//! Processors, memory, network, and what the running task uses of them.

use std::collections::HashMap;
use std::time::Instant;

use flamenco_api::types::{MachineHardware, MachineLoad, MachineTemperature};
use sysinfo::{
    Components, CpuRefreshKind, MemoryRefreshKind, Networks, Pid, ProcessRefreshKind, ProcessesToUpdate,
    RefreshKind, System,
};

/// Everything that one look at the machine gives.
#[derive(Debug)]
pub struct Measured {
    pub hardware: MachineHardware,
    pub load: MachineLoad,
    pub uptime_s: Option<i64>,
    pub temperatures: Vec<MachineTemperature>,
}

/// Rates are those since the last look.
pub struct LoadMeter {
    system: System,
    networks: Networks,
    looked: Instant,
    /// The program that was looked at last: its use of processors is known from the second look on.
    program: Option<u32>,
}

impl LoadMeter {
    pub fn new() -> Self {
        let wanted = RefreshKind::nothing()
            .with_cpu(CpuRefreshKind::nothing().with_cpu_usage())
            .with_memory(MemoryRefreshKind::everything());
        Self {
            system: System::new_with_specifics(wanted),
            networks: Networks::new_with_refreshed_list(),
            looked: Instant::now(),
            program: None,
        }
    }

    /// Looks. `program` is the one that the running task has started. Blocks for a moment.
    pub fn measure(&mut self, program: Option<u32>) -> Measured {
        self.system.refresh_cpu_usage();
        self.system.refresh_memory();
        self.networks.refresh(true);
        let seconds = std::mem::replace(&mut self.looked, Instant::now()).elapsed().as_secs_f64().max(0.001);
        let task = self.measure_task(program);
        let load = self.load(seconds, task);
        let components = Components::new_with_refreshed_list();
        let temperature = |component: &sysinfo::Component| {
            let celsius = component.temperature().filter(|celsius| celsius.is_finite())?;
            Some(MachineTemperature { label: component.label().to_owned(), celsius: tenths(celsius) })
        };
        Measured {
            hardware: self.hardware(),
            load,
            uptime_s: i64::try_from(System::uptime()).ok(),
            temperatures: components.iter().filter_map(temperature).take(256).collect(),
        }
    }

    fn load(&self, seconds: f64, task: Option<(f64, i64)>) -> MachineLoad {
        let average = System::load_average();
        let of_network = |bytes: fn(&sysinfo::NetworkData) -> u64| {
            let outside = self.networks.iter().filter(|(name, _)| !name.starts_with("lo"));
            let sum: u64 = outside.map(|(_, network)| bytes(network)).sum();
            Some((sum as f64 / seconds) as i64)
        };
        MachineLoad {
            cpu_percent: percent(self.system.global_cpu_usage()),
            cores_percent: Some(
                self.system.cpus().iter().map(|cpu| percent(cpu.cpu_usage())).take(4096).collect(),
            ),
            load_1: Some(average.one),
            load_5: Some(average.five),
            load_15: Some(average.fifteen),
            memory_used: bytes(self.system.used_memory()),
            memory_total: bytes(self.system.total_memory()),
            swap_used: Some(bytes(self.system.used_swap())),
            swap_total: Some(bytes(self.system.total_swap())),
            network_in: of_network(sysinfo::NetworkData::received),
            network_out: of_network(sysinfo::NetworkData::transmitted),
            gpus: None,
            task_cpu_percent: task.map(|(cpu, _)| cpu),
            task_memory: task.map(|(_, memory)| memory),
        }
    }

    /// Use of processors and memory of a program and everything it started.
    fn measure_task(&mut self, program: Option<u32>) -> Option<(f64, i64)> {
        let seen_before = std::mem::replace(&mut self.program, program) == program;
        let root = Pid::from_u32(program?);
        let wanted = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        self.system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
        let mut children: HashMap<Pid, Vec<Pid>> = HashMap::new();
        for (pid, process) in self.system.processes() {
            if let Some(parent) = process.parent() {
                children.entry(parent).or_default().push(*pid);
            }
        }
        let (mut cpu, mut memory, mut tree) = (0.0, 0_u64, vec![root]);
        while let Some(pid) = tree.pop() {
            let Some(process) = self.system.process(pid) else { continue };
            cpu += f64::from(process.cpu_usage());
            memory = memory.saturating_add(process.memory());
            tree.extend(children.remove(&pid).unwrap_or_default());
        }
        (seen_before && memory > 0).then(|| ((cpu * 10.0).round() / 10.0, bytes(memory)))
    }

    fn hardware(&self) -> MachineHardware {
        let cpus = self.system.cpus();
        let whole = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        let model = cpus.first().map(|cpu| cpu.brand().trim().to_owned()).filter(|brand| !brand.is_empty());
        let os = System::long_os_version().or_else(System::name);
        MachineHardware {
            architecture: System::cpu_arch(),
            cpu_model: model.unwrap_or_else(|| "unknown".to_owned()),
            cores: System::physical_core_count().map(whole),
            threads: whole(cpus.len()),
            memory_total: bytes(self.system.total_memory()),
            os: os.unwrap_or_else(|| std::env::consts::OS.to_owned()),
            gpus: None,
            blender_versions: None,
            ffmpeg_version: None,
        }
    }
}

fn bytes(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// To a tenth: what is smaller than that only makes reports longer.
fn tenths(number: f32) -> f64 {
    (f64::from(number) * 10.0).round() / 10.0
}

fn percent(number: f32) -> f64 {
    tenths(if number.is_finite() { number.clamp(0.0, 100.0) } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::time::Duration;

    use super::*;

    #[test]
    fn this_machine_and_a_busy_program() {
        let mut meter = LoadMeter::new();
        // The work is done by a child of the program, as with a script around Blender.
        let mut busy =
            Command::new("sh").args(["-c", "timeout 5 sh -c 'while :; do :; done' & wait"]).spawn().unwrap();
        let first = meter.measure(Some(busy.id()));
        assert_eq!(first.load.task_cpu_percent, None, "nothing to compare with");
        // On a busy machine it may take a while until the program gets its turn.
        let mut second = meter.measure(Some(busy.id()));
        for _ in 0..40 {
            std::thread::sleep(Duration::from_millis(100));
            second = meter.measure(Some(busy.id()));
            if second.load.task_cpu_percent.is_some_and(|percent| percent > 10.0) {
                break;
            }
        }
        let ended = meter.measure(None);
        // Its child ends by itself, soon.
        busy.kill().unwrap();
        busy.wait().unwrap();
        let (load, hardware) = (second.load, second.hardware);
        assert!(load.task_cpu_percent.unwrap() > 10.0 && load.task_memory.unwrap() > 0, "{load:?}");
        assert!(load.cpu_percent > 0.0 && load.cpu_percent <= 100.0, "{load:?}");
        assert!(load.memory_used > 0 && load.memory_used <= load.memory_total, "{load:?}");
        assert_eq!(i64::try_from(load.cores_percent.unwrap().len()).unwrap(), hardware.threads);
        assert!(!hardware.cpu_model.is_empty() && !hardware.os.is_empty(), "{hardware:?}");
        assert!(second.uptime_s.unwrap() > 0);
        assert_eq!(ended.load.task_cpu_percent, None);
    }
}
