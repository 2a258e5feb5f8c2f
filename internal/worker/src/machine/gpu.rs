//! Graphics processors, where the system tells about them: `nvidia-smi`, and what Linux shows of those of AMD.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flamenco_api::types::{GpuLoad, MachineGpu};

use crate::find_programs::on_path;
use crate::process;

const LIMIT: Duration = Duration::from_secs(3);
const MIB: i64 = 1024 * 1024;
/// After so many failures in a row `nvidia-smi` is not asked any more.
const FAILURES: u32 = 3;
/// Most graphics processors that are reported.
const MOST: usize = 64;

/// What was found on this machine.
#[derive(Debug, Default)]
pub struct Gpus {
    nvidia: Option<Nvidia>,
    amd: Vec<Amd>,
}

#[derive(Debug)]
struct Nvidia {
    program: PathBuf,
    hardware: Vec<MachineGpu>,
    failures: u32,
}

#[derive(Debug)]
struct Amd {
    folder: PathBuf,
    hardware: MachineGpu,
}

impl Gpus {
    /// Looks for graphics processors.
    pub async fn find() -> Self {
        let nvidia = match on_path("nvidia-smi", std::env::var_os("PATH").as_deref()) {
            Some(program) => Nvidia::find(program).await,
            None => None,
        };
        let amd = tokio::task::spawn_blocking(|| find_amd(Path::new("/sys/class/drm")));
        Self { nvidia, amd: amd.await.unwrap_or_default() }
    }

    /// What they are.
    pub fn hardware(&self) -> Vec<MachineGpu> {
        let nvidia = self.nvidia.iter().flat_map(|nvidia| nvidia.hardware.iter().cloned());
        nvidia.chain(self.amd.iter().map(|amd| amd.hardware.clone())).take(MOST).collect()
    }

    /// How they are doing, in the same order.
    pub async fn measure(&mut self) -> Vec<GpuLoad> {
        let mut found = Vec::new();
        if let Some(nvidia) = &mut self.nvidia {
            match nvidia.measure().await {
                Some(loads) => found.extend(loads),
                None if nvidia.failures >= FAILURES => {
                    tracing::warn!(
                        "nvidia-smi does not answer any more; its graphics processors are not reported"
                    );
                    self.nvidia = None;
                }
                // Places are kept, so that the others stay where they are.
                None => found.extend(nvidia.hardware.iter().map(|_| nothing())),
            }
        }
        found.extend(self.amd.iter().map(Amd::measure));
        found.truncate(MOST);
        found
    }
}

const fn nothing() -> GpuLoad {
    GpuLoad { use_percent: None, memory_used: None, temperature: None }
}

impl Nvidia {
    async fn find(program: PathBuf) -> Option<Self> {
        let text = ask(&program, "name,memory.total,driver_version").await?;
        let hardware = rows(&text).map(|row| MachineGpu {
            name: row.first().copied().unwrap_or("NVIDIA").to_owned(),
            memory: row.get(1).and_then(|text| text.parse::<i64>().ok()).map(|mib| mib * MIB),
            driver: row.get(2).map(|text| (*text).to_owned()),
        });
        let hardware: Vec<_> = hardware.collect();
        (!hardware.is_empty()).then_some(Self { program, hardware, failures: 0 })
    }

    async fn measure(&mut self) -> Option<Vec<GpuLoad>> {
        let Some(text) = ask(&self.program, "utilization.gpu,memory.used,temperature.gpu").await else {
            self.failures += 1;
            return None;
        };
        self.failures = 0;
        let load = |row: Vec<&str>| {
            // What a GPU does not tell is `[N/A]`.
            let number = |at: usize| row.get(at).and_then(|text| text.parse::<f64>().ok());
            GpuLoad {
                use_percent: number(0),
                memory_used: number(1).map(|mib| mib as i64 * MIB),
                temperature: number(2),
            }
        };
        Some(rows(&text).map(load).collect())
    }
}

async fn ask(program: &Path, fields: &str) -> Option<String> {
    let mut command = Command::new(program);
    command.arg(format!("--query-gpu={fields}")).arg("--format=csv,noheader,nounits");
    let reply = process::ask(command, LIMIT).await.ok()??;
    reply.status.success().then(|| String::from_utf8_lossy(&reply.stdout).into_owned())
}

fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    text.lines().filter(|line| !line.trim().is_empty()).map(|line| line.split(',').map(str::trim).collect())
}

fn find_amd(drm: &Path) -> Vec<Amd> {
    let Ok(cards) = std::fs::read_dir(drm) else { return Vec::new() };
    let mut folders: Vec<PathBuf> = cards
        .flatten()
        // `card0`, but not its connectors `card0-DP-1`.
        .filter(|card| {
            let name = card.file_name();
            let number = name.to_str().and_then(|name| name.strip_prefix("card"));
            number.is_some_and(|number| number.parse::<u32>().is_ok())
        })
        .map(|card| card.path().join("device"))
        .filter(|folder| text(folder, "vendor").as_deref() == Some("0x1002"))
        .collect();
    folders.sort();
    folders.into_iter().map(Amd::new).collect()
}

fn text(folder: &Path, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(folder.join(name)).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

fn number(folder: &Path, name: &str) -> Option<i64> {
    text(folder, name)?.parse().ok()
}

impl Amd {
    fn new(folder: PathBuf) -> Self {
        let device = text(&folder, "device").unwrap_or_default();
        let name = text(&folder, "product_name").unwrap_or_else(|| format!("AMD GPU {device}"));
        let memory = number(&folder, "mem_info_vram_total");
        Self { hardware: MachineGpu { name: name.trim().to_owned(), memory, driver: None }, folder }
    }

    fn measure(&self) -> GpuLoad {
        let sensors = std::fs::read_dir(self.folder.join("hwmon")).into_iter().flatten().flatten();
        let thousandths = sensors.filter_map(|sensor| number(&sensor.path(), "temp1_input")).next();
        GpuLoad {
            use_percent: number(&self.folder, "gpu_busy_percent").map(|percent| percent as f64),
            memory_used: number(&self.folder, "mem_info_vram_used"),
            temperature: thousandths.map(|thousandths| thousandths as f64 / 1000.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Written by another process: a file that this one has open for writing, or a child that it is just starting,
    /// cannot be run.
    fn program(folder: &Path, script: &str) -> PathBuf {
        let path = folder.join("nvidia-smi");
        let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod 755 "$2""#;
        let mut shell = std::process::Command::new("sh");
        let written = shell.args(["-c", write, "sh", script]).arg(&path).status().unwrap();
        assert!(written.success());
        path
    }

    #[tokio::test]
    async fn what_nvidia_smi_prints() {
        let folder = tempfile::tempdir().unwrap();
        let script = "case $1 in *name*) echo 'NVIDIA RTX A5000, 24564, 550.54.14'; echo 'Tesla T4, 15360, 550.54.14';; \
                      *) echo '55, 4096, 61'; echo '[N/A], 0, [N/A]';; esac";
        let mut nvidia = Nvidia::find(program(folder.path(), script)).await.unwrap();
        assert_eq!(nvidia.hardware[0].name, "NVIDIA RTX A5000");
        assert_eq!(nvidia.hardware[0].memory, Some(24_564 * MIB));
        assert_eq!(nvidia.hardware[1].driver.as_deref(), Some("550.54.14"));
        let loads = nvidia.measure().await.unwrap();
        let expected =
            GpuLoad { use_percent: Some(55.0), memory_used: Some(4096 * MIB), temperature: Some(61.0) };
        assert_eq!(loads, [expected, GpuLoad { memory_used: Some(0), ..nothing() }]);
    }

    #[tokio::test]
    async fn an_nvidia_smi_that_fails_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        assert!(Nvidia::find(program(folder.path(), "echo 'No devices were found'; exit 6")).await.is_none());
        let script = "case $1 in *name*) echo 'G, 1, 2';; *) exit 1;; esac";
        let nvidia = Nvidia::find(program(folder.path(), script)).await;
        let mut gpus = Gpus { nvidia, amd: Vec::new() };
        assert_eq!(gpus.hardware().len(), 1);
        assert_eq!(gpus.measure().await, [nothing()]);
        assert_eq!(gpus.measure().await, [nothing()]);
        assert_eq!(gpus.measure().await, []);
        assert_eq!(gpus.hardware().len(), 0);
    }

    #[test]
    fn what_linux_shows_of_amd() {
        let drm = tempfile::tempdir().unwrap();
        for (card, vendor) in
            [("card0", "0x8086"), ("card1", "0x1002"), ("card1-DP-1", "0x1002"), ("version", "x")]
        {
            let device = drm.path().join(card).join("device");
            std::fs::create_dir_all(device.join("hwmon/hwmon3")).unwrap();
            for (name, content) in [
                ("vendor", vendor),
                ("device", "0x73bf"),
                ("mem_info_vram_total", "17163091968"),
                ("mem_info_vram_used", "1048576"),
                ("gpu_busy_percent", "37"),
                ("hwmon/hwmon3/temp1_input", "45500"),
            ] {
                std::fs::write(device.join(name), format!("{content}\n")).unwrap();
            }
        }
        let found = find_amd(drm.path());
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].hardware.name, "AMD GPU 0x73bf");
        assert_eq!(found[0].hardware.memory, Some(17_163_091_968));
        let expected =
            GpuLoad { use_percent: Some(37.0), memory_used: Some(1_048_576), temperature: Some(45.5) };
        assert_eq!(found[0].measure(), expected);
    }
}
