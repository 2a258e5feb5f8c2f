//! Finds Blender and FFmpeg. The check at start-up and the commands use the same functions, so that what is
//! announced is what is used.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::OnceCell;

use crate::process;

const BLENDER_TIMEOUT: Duration = Duration::from_secs(10);
const FFMPEG_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a program cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum FindError {
    #[error("{0} was not found on the PATH of this worker")]
    NotOnPath(String),
    #[error("cannot run {exe}: {source}", exe = .exe.display())]
    Run { exe: PathBuf, source: std::io::Error },
    #[error("{exe} did not tell its version within {seconds} s", exe = .exe.display(), seconds = .limit.as_secs())]
    Timeout { exe: PathBuf, limit: Duration },
    #[error("{exe} is not {expected}: it does not tell its version like one", exe = .exe.display())]
    NotThatProgram { exe: PathBuf, expected: &'static str },
}

/// A program that was found and runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub exe: PathBuf,
    pub version: String,
}

/// What was found during this run of the worker.
#[derive(Debug, Default)]
pub struct Programs {
    ffmpeg: OnceCell<Found>,
    /// Versions of Blender that answered.
    blender: OnceCell<String>,
    looked: AtomicBool,
}

impl Programs {
    /// FFmpeg: the one shipped with the worker if it runs, else the one on `PATH`. Looked for once.
    ///
    /// # Errors
    /// When there is none that runs; tried again on the next call.
    pub async fn ffmpeg(&self) -> Result<&Found, FindError> {
        self.ffmpeg
            .get_or_try_init(|| async {
                for exe in shipped_ffmpeg() {
                    match ffmpeg_version(&exe).await {
                        Ok(found) => return Ok(found),
                        Err(error) => tracing::warn!(%error, "cannot use the FFmpeg beside the worker"),
                    }
                }
                let exe = on_path("ffmpeg", std::env::var_os("PATH").as_deref())
                    .ok_or_else(|| FindError::NotOnPath("ffmpeg".to_owned()))?;
                ffmpeg_version(&exe).await
            })
            .await
    }

    /// Whether all programs were looked for.
    pub fn looked(&self) -> bool {
        self.looked.load(Ordering::Relaxed)
    }

    /// The versions of Blender that were found so far.
    pub fn blender_versions(&self) -> Vec<String> {
        self.blender.get().cloned().into_iter().collect()
    }

    /// The version of FFmpeg, if it was found.
    pub fn ffmpeg_version(&self) -> Option<String> {
        self.ffmpeg.get().map(|found| found.version.clone())
    }

    /// Looks for the programs and says what was found. Finding none is no error: tasks may name their own.
    pub async fn announce(&self) {
        match blender_version(&blender("blender")).await {
            Ok(found) => {
                tracing::info!(exe = %found.exe.display(), version = found.version, "Blender found");
                // Fails only if it is set already, by the same line.
                let _ = self.blender.set(found.version);
            }
            Err(error) => tracing::info!(%error, "Blender not found; tasks must name the full path of one"),
        }
        match self.ffmpeg().await {
            Ok(found) => tracing::info!(exe = %found.exe.display(), version = found.version, "FFmpeg found"),
            Err(error) => tracing::warn!(%error, "FFmpeg not found; this worker cannot make videos"),
        }
        self.looked.store(true, Ordering::Relaxed);
    }
}

/// Whether a program name is a path. Both separators count on every platform, as jobs come from anywhere.
pub fn has_separator(name: &str) -> bool {
    name.contains(['/', '\\'])
}

/// Where to find Blender, for a name without a directory. If it is not found, the name itself.
pub fn blender(name: &str) -> PathBuf {
    let application = Path::new("/Applications/Blender.app/Contents/MacOS/Blender");
    match on_path(name, std::env::var_os("PATH").as_deref()) {
        Some(exe) => exe,
        None if cfg!(target_os = "macos") && application.is_file() => application.to_owned(),
        None => PathBuf::from(name),
    }
}

/// The first executable file of that name in the directories of a search path.
pub fn on_path(name: &str, search_path: Option<&OsStr>) -> Option<PathBuf> {
    std::env::split_paths(search_path?)
        .filter(|directory| !directory.as_os_str().is_empty())
        .map(|directory| directory.join(name))
        .find(|candidate| is_executable(candidate))
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
}

/// The candidates in the directory `tools` beside the worker, best first.
fn shipped_ffmpeg() -> Vec<PathBuf> {
    let Some(tools) = std::env::current_exe().ok().and_then(|exe| Some(exe.parent()?.join("tools"))) else {
        return Vec::new();
    };
    shipped_names(std::env::consts::OS, std::env::consts::ARCH)
        .into_iter()
        .map(|name| tools.join(name))
        .filter(|path| path.is_file())
        .collect()
}

fn shipped_names(os: &str, arch: &str) -> [String; 3] {
    let os = platform_name(os);
    let arch = match arch {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        other => other,
    };
    let suffix = if os == "windows" { ".exe" } else { "" };
    [format!("ffmpeg-{os}-{arch}{suffix}"), format!("ffmpeg-{os}{suffix}"), format!("ffmpeg{suffix}")]
}

/// The name of an operating system on the wire.
pub fn platform_name(os: &str) -> &str {
    if os == "macos" { "darwin" } else { os }
}

/// Runs `<exe> --version` and reads the version from what it prints.
///
/// # Errors
/// When it does not run, does not answer in time, or is not Blender.
pub async fn blender_version(exe: &Path) -> Result<Found, FindError> {
    let output = version_output(exe, "--version", BLENDER_TIMEOUT).await?;
    let version = parse_blender_version(&output)
        .ok_or_else(|| FindError::NotThatProgram { exe: exe.to_owned(), expected: "Blender" })?;
    Ok(Found { exe: exe.to_owned(), version })
}

async fn ffmpeg_version(exe: &Path) -> Result<Found, FindError> {
    let output = version_output(exe, "-version", FFMPEG_TIMEOUT).await?;
    let version = parse_ffmpeg_version(&output)
        .ok_or_else(|| FindError::NotThatProgram { exe: exe.to_owned(), expected: "FFmpeg" })?;
    Ok(Found { exe: exe.to_owned(), version })
}

async fn version_output(exe: &Path, argument: &str, limit: Duration) -> Result<String, FindError> {
    let mut command = Command::new(exe);
    command.arg(argument);
    let reply = process::ask(command, limit)
        .await
        .map_err(|source| FindError::Run { exe: exe.to_owned(), source })?
        .ok_or_else(|| FindError::Timeout { exe: exe.to_owned(), limit })?;
    Ok(String::from_utf8_lossy(&[reply.stdout, reply.stderr].concat()).into_owned())
}

fn parse_blender_version(output: &str) -> Option<String> {
    output.lines().map(str::trim).find(|line| line.starts_with("Blender ")).map(str::to_owned)
}

fn parse_ffmpeg_version(output: &str) -> Option<String> {
    let mut lines = output.lines();
    let version = lines.next()?.strip_prefix("ffmpeg version ")?.split_whitespace().next()?;
    lines.next()?;
    Some(version.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_output() {
        assert_eq!(
            parse_blender_version("warning\r\nBlender 3.4.1\r\n\tbuild date: x").as_deref(),
            Some("Blender 3.4.1")
        );
        assert_eq!(parse_blender_version("GIMP 2.10"), None);
        assert_eq!(
            parse_ffmpeg_version("ffmpeg version 5.1.9-0+deb12u1 Copyright\nbuilt with gcc").as_deref(),
            Some("5.1.9-0+deb12u1")
        );
        for no_version in ["", "ffmpeg version 5.1", "ffmpeg\nx", "ffmpeg version \nx"] {
            assert_eq!(parse_ffmpeg_version(no_version), None, "{no_version:?}");
        }
    }

    #[tokio::test]
    async fn the_installed_programs_are_found() {
        let blender =
            blender_version(&blender("blender")).await.expect("install Blender: apt-get install blender");
        assert!(blender.exe.is_absolute());
        assert!(
            blender.version.starts_with("Blender ") && !blender.version.contains(['\r', '\n']),
            "{blender:?}"
        );
        let programs = Programs::default();
        let ffmpeg = programs.ffmpeg().await.expect("install FFmpeg: apt-get install ffmpeg");
        assert!(!ffmpeg.version.is_empty());
    }

    #[tokio::test]
    async fn a_missing_or_wrong_program_is_an_error() {
        let missing = blender_version(Path::new("/does/not/exist/blender")).await.unwrap_err();
        assert!(matches!(missing, FindError::Run { ref source, .. }
            if source.kind() == std::io::ErrorKind::NotFound));
        let wrong = blender_version(Path::new("/bin/echo")).await.unwrap_err();
        assert!(matches!(wrong, FindError::NotThatProgram { .. }), "{wrong}");
        assert_eq!(blender("no-such-blender"), Path::new("no-such-blender"));
    }

    #[test]
    fn only_executable_files_on_the_path_count() {
        let directory = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("folder")).unwrap();
        std::fs::write(directory.path().join("plain"), "").unwrap();
        let path = std::env::join_paths([directory.path(), other.path(), Path::new("/bin")]).unwrap();
        assert_eq!(on_path("folder", Some(&path)), None);
        assert_eq!(on_path("plain", Some(&path)), None);
        assert_eq!(on_path("sh", Some(&path)), Some(PathBuf::from("/bin/sh")));
        assert_eq!(on_path("sh", None), None);
    }

    #[test]
    fn names_of_shipped_programs() {
        assert_eq!(shipped_names("macos", "aarch64"), ["ffmpeg-darwin-arm64", "ffmpeg-darwin", "ffmpeg"]);
        assert_eq!(
            shipped_names("windows", "x86_64"),
            ["ffmpeg-windows-amd64.exe", "ffmpeg-windows.exe", "ffmpeg.exe"]
        );
    }
}
