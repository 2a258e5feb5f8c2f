//! Finds Blender on the manager's machine, and tries out whether a program is one.
//!
//! ```text
//!  what opens .blend files (Windows) ─► the usual place (macOS) ─► the search path
//! ```
//!
//! A place that has nothing, or that cannot be looked at, is passed over.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::Command;

/// The name without a directory.
pub const NAME: &str = "blender";
/// How long a program may take to tell its version.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// How much of the output is read, in bytes. A program that says more is none that tells its version.
const OUTPUT_LIMIT: u64 = 64 * 1024;

/// How a Blender was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// It opens `.blend` files.
    FileAssociation,
    /// It is on the search path.
    SearchPath,
    /// It is where the platform usually keeps it.
    SystemLocation,
    /// Its path was given.
    Input,
    /// It was not looked for: workers use what they find.
    Default,
}

/// A program that may be Blender.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// What was asked for; empty for a file association.
    pub input: String,
    /// Where it is; empty when it was not found.
    pub path: String,
    /// How it was found.
    pub source: Source,
    /// Its version, or why it cannot be used.
    pub version: Result<String, String>,
}

/// Blender in the default places, best first. One that does not run is listed, too, so that somebody can do something
/// about it.
pub async fn find() -> Vec<Candidate> {
    let mut found = Vec::new();
    if let Some(path) = associated().await {
        found.push(try_out(String::new(), path, Source::FileAssociation).await);
    }
    if found.is_empty()
        && let Some(path) = usual_place()
    {
        found.push(try_out(NAME.to_owned(), path, Source::SystemLocation).await);
    }
    let is_settled =
        |candidate: &Candidate| candidate.source == Source::SystemLocation && candidate.version.is_ok();
    // Beside what opens .blend files, the search path is another choice.
    if !found.iter().any(is_settled)
        && let Some(path) = on_search_path(NAME).await
    {
        found.push(try_out(NAME.to_owned(), path, Source::SearchPath).await);
    }
    found
}

/// Tries out what somebody typed: a path, the directory of the program, or a name on the search path. Nothing searches
/// the default places. A relative path is relative to `directory`.
pub async fn check(input: &str, directory: &Path) -> Candidate {
    let typed = input.trim();
    if typed.is_empty() {
        let found = find().await;
        let best = found.iter().find(|candidate| candidate.version.is_ok()).or(found.first());
        return best.cloned().unwrap_or_else(|| not_found(input, Source::SearchPath));
    }
    if typed.contains(['/', '\\']) {
        let path = program_in(directory.join(typed)).await;
        return try_out(input.to_owned(), path, Source::Input).await;
    }
    match on_search_path(typed).await {
        Some(path) => try_out(input.to_owned(), path, Source::SearchPath).await,
        None => not_found(input, Source::SearchPath),
    }
}

fn not_found(input: &str, source: Source) -> Candidate {
    let name = if input.trim().is_empty() { NAME } else { input.trim() };
    let cause = format!(
        "{name} was not found on the search path of the manager; install Blender there, or give the full path of the \
         program"
    );
    Candidate { input: input.to_owned(), path: String::new(), source, version: Err(cause) }
}

/// The program in a directory, when it is one.
async fn program_in(path: PathBuf) -> PathBuf {
    match tokio::fs::metadata(&path).await {
        Ok(found) if found.is_dir() => path.join(program_name(std::env::consts::OS)),
        _ => path,
    }
}

fn program_name(os: &str) -> &'static str {
    match os {
        "windows" => "blender.exe",
        "macos" => "Blender",
        _ => NAME,
    }
}

/// What opens `.blend` files, on platforms where that can be told.
async fn associated() -> Option<PathBuf> {
    if !cfg!(windows) {
        return None;
    }
    let kind = registry_value(r"HKCR\.blend").await?;
    let command = registry_value(&format!(r"HKCR\{kind}\shell\open\command")).await?;
    without_launcher(Path::new(program_of_command(&command)?), Path::exists)
}

/// The default value of a key, as the program `reg` prints it.
async fn registry_value(key: &str) -> Option<String> {
    let (_, output) = run(OsStr::new("reg"), &["query", key, "/ve"]).await.ok()?;
    value_of_registry(&output)
}

fn value_of_registry(output: &str) -> Option<String> {
    let kinds = ["REG_EXPAND_SZ", "REG_SZ"];
    let value =
        output.lines().find_map(|line| kinds.iter().find_map(|kind| Some(line.split_once(kind)?.1)))?;
    Some(value.trim().to_owned()).filter(|value| !value.is_empty())
}

/// The program of a command line such as `"C:\Program Files\Blender\blender.exe" "%1"`.
fn program_of_command(command: &str) -> Option<&str> {
    match command.trim().strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => command.split_whitespace().next(),
    }
    .filter(|program| !program.is_empty())
}

/// Blender for Windows opens files by a small program that shows no console; its output cannot be read.
fn without_launcher(program: &Path, exists: impl Fn(&Path) -> bool) -> Option<PathBuf> {
    let text = program.to_str()?;
    let (directory, name) = text.rsplit_once('\\').unwrap_or(("", text));
    if !name.eq_ignore_ascii_case("blender-launcher.exe") {
        return Some(program.to_owned());
    }
    let real = PathBuf::from(format!("{directory}\\blender.exe"));
    exists(&real).then_some(real)
}

fn usual_place() -> Option<PathBuf> {
    let application = Path::new("/Applications/Blender.app/Contents/MacOS/Blender");
    (cfg!(target_os = "macos") && application.is_file()).then(|| application.to_owned())
}

async fn on_search_path(name: &str) -> Option<PathBuf> {
    let name = name.to_owned();
    // Directories of the search path may be on a network.
    tokio::task::spawn_blocking(move || which::which(name).ok()).await.ok().flatten()
}

async fn try_out(input: String, path: PathBuf, source: Source) -> Candidate {
    let version = version(&path).await;
    Candidate { input, path: path.display().to_string(), source, version }
}

/// Runs `<program> --version`.
///
/// # Errors
/// Why it is not Blender, in words for people.
async fn version(program: &Path) -> Result<String, String> {
    let shown = program.display();
    let (succeeded, output) = match tokio::time::timeout(TIME_LIMIT, run(program.as_os_str(), &["--version"]))
        .await
    {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("there is no program {shown}"));
        }
        Ok(Err(error)) => return Err(format!("{shown} cannot be run: {error}")),
        Err(_) => return Err(format!("{shown} did not tell its version within {} s", TIME_LIMIT.as_secs())),
    };
    version_in(&output).ok_or_else(|| {
        let first = output.lines().map(str::trim).find(|line| !line.is_empty());
        match (succeeded, first) {
            // A library that is missing, for example.
            (false, Some(line)) => {
                format!("{shown} does not work: {}", line.chars().take(200).collect::<String>())
            }
            _ => format!("{shown} is not Blender: it does not tell its version like one"),
        }
    })
}

fn version_in(output: &str) -> Option<String> {
    output.lines().map(str::trim).find(|line| line.starts_with("Blender ")).map(str::to_owned)
}

/// What a program prints, and whether it ended well. It is killed when nobody waits any longer.
async fn run(program: &OsStr, arguments: &[&str]) -> std::io::Result<(bool, String)> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let mut child = command.spawn()?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let (mut printed, mut complained) = (Vec::new(), Vec::new());
    let read_stdout = async {
        match stdout {
            Some(stdout) => stdout.take(OUTPUT_LIMIT).read_to_end(&mut printed).await,
            None => Ok(0),
        }
    };
    let read_stderr = async {
        match stderr {
            Some(stderr) => stderr.take(OUTPUT_LIMIT).read_to_end(&mut complained).await,
            None => Ok(0),
        }
    };
    tokio::try_join!(read_stdout, read_stderr)?;
    // Its pipes are closed by now, so that a program that prints for ever ends, too.
    let succeeded = child.wait().await?.success();
    printed.push(b'\n');
    printed.append(&mut complained);
    Ok((succeeded, String::from_utf8_lossy(&printed).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_the_output() {
        assert_eq!(version_in("warning\r\n Blender 3.4.1\r\n\tbuild date").as_deref(), Some("Blender 3.4.1"));
        assert_eq!(version_in("GIMP 2.10"), None);
    }

    #[test]
    fn file_associations_of_windows() {
        let output = "\r\nHKEY_CLASSES_ROOT\\.blend\r\n    (Standard)    REG_SZ    blendfile\r\n\r\n";
        assert_eq!(value_of_registry(output).as_deref(), Some("blendfile"));
        assert_eq!(
            value_of_registry("    (Default)    REG_EXPAND_SZ    \"C:\\x\" \"%1\"").as_deref(),
            Some("\"C:\\x\" \"%1\"")
        );
        assert_eq!(value_of_registry("    (Default)    REG_SZ    \r\n"), None);
        assert_eq!(value_of_registry("ERROR: The system was unable to find the key"), None);
        for (command, program) in [
            (
                "\"C:\\Program Files\\Blender\\blender.exe\" \"%1\"",
                Some("C:\\Program Files\\Blender\\blender.exe"),
            ),
            ("C:\\Blender\\blender.exe %1", Some("C:\\Blender\\blender.exe")),
            ("\"\" x", None),
            ("", None),
        ] {
            assert_eq!(program_of_command(command), program, "{command}");
        }
        let launcher = Path::new(r"C:\Blender\Blender-Launcher.exe");
        assert_eq!(without_launcher(launcher, |_| true), Some(PathBuf::from(r"C:\Blender\blender.exe")));
        assert_eq!(without_launcher(launcher, |_| false), None);
        let other = Path::new(r"C:\Blender\blender.exe");
        assert_eq!(without_launcher(other, |_| false).as_deref(), Some(other));
    }

    #[test]
    fn program_names() {
        for (os, name) in [("linux", "blender"), ("windows", "blender.exe"), ("macos", "Blender")] {
            assert_eq!(program_name(os), name);
        }
    }
}
