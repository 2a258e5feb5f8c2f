//! Where scripts come from: directories on disk, then the ones built into the program.
//!
//! Nothing is remembered between calls: a directory may appear, and a file may change, at any moment.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The job types that are part of the program, by file name.
const BUILT_IN: &[(&str, &str)] = &[
    ("compositor_run.js", include_str!("builtin/compositor_run.js")),
    ("cycles_device_render.js", include_str!("builtin/cycles_device_render.js")),
    ("echo_sleep_test.js", include_str!("builtin/echo_sleep_test.js")),
    ("simple_blender_render.js", include_str!("builtin/simple_blender_render.js")),
    ("single_image_render.js", include_str!("builtin/single_image_render.js")),
];

/// What the built-in job types have in common, by the name that they give to `require()`.
///
/// Files on disk cannot take their place: the built-in job types must not break when a farm has a file of that name.
const BUILT_IN_MODULES: &[(&str, &str)] = &[
    ("flamenco/blender.py", include_str!("builtin/flamenco/blender.py")),
    ("flamenco/choose_device.py", include_str!("builtin/flamenco/choose_device.py")),
    ("flamenco/compositor.py", include_str!("builtin/flamenco/compositor.py")),
    ("flamenco/frames", include_str!("builtin/flamenco/frames.js")),
    ("flamenco/merge_tiles.py", include_str!("builtin/flamenco/merge_tiles.py")),
    ("flamenco/python", include_str!("builtin/flamenco/python.js")),
    ("flamenco/render_tile.py", include_str!("builtin/flamenco/render_tile.py")),
    ("flamenco/run_compositor.py", include_str!("builtin/flamenco/run_compositor.py")),
    ("flamenco/settings", include_str!("builtin/flamenco/settings.js")),
    ("flamenco/tiles.py", include_str!("builtin/flamenco/tiles.py")),
];

/// Shorter files cannot be a job type; editors leave empty ones behind.
const MIN_BYTES: u64 = 8;

/// Far above any script written by a person; keeps a stray file from filling the memory.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// One script that may be a job type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScriptFile {
    /// File name without directory, for positions in error messages.
    pub(crate) file: String,
    /// Path on disk, or the file name for a built-in one; for logs and as cache key.
    pub(crate) shown: String,
    /// Whether a script of a later source has the same job type name, and is hidden by this one.
    pub(crate) hides_another: bool,
    location: Location,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Location {
    Disk(PathBuf),
    BuiltIn(&'static str),
}

impl ScriptFile {
    /// Reads the source text. Bytes that are not UTF-8 are replaced, because they are only ever found in comments.
    ///
    /// # Errors
    /// A sentence about what is wrong with the file.
    pub(crate) fn read(&self) -> Result<String, String> {
        match &self.location {
            Location::BuiltIn(source) => Ok((*source).to_owned()),
            Location::Disk(path) => {
                read_text(path).map_err(|error| format!("cannot read {}: {error}", self.shown))
            }
        }
    }
}

/// The directories that are searched before the built-in scripts.
#[derive(Debug)]
pub(crate) struct Sources {
    directories: Vec<PathBuf>,
    /// The only file to be taken as a job type.
    only: Option<(String, ScriptFile)>,
}

impl Sources {
    pub(crate) fn new(directories: Vec<PathBuf>) -> Self {
        Self { directories, only: None }
    }

    /// One file as the only job type, and its name. What it loads is looked for beside it.
    ///
    /// # Errors
    /// A sentence about why this is no job type.
    pub(crate) fn of_file(path: &Path) -> Result<(Self, String), String> {
        let shown = path.display().to_string();
        let metadata = std::fs::metadata(path).map_err(|error| format!("cannot read {shown}: {error}"))?;
        if !metadata.is_file() {
            return Err(format!("{shown} is not a file"));
        }
        let file = path.file_name().and_then(|name| name.to_str());
        let Some((file, name)) = file.and_then(|file| Some((file.to_owned(), job_type_name(file)?))) else {
            return Err(format!("{shown} cannot be a job type: its name must end in .js"));
        };
        if metadata.len() < MIN_BYTES {
            return Err(format!("{shown} is too short for a job type, and a manager would skip it"));
        }
        let directory = path.parent().unwrap_or(Path::new("")).to_owned();
        let script =
            ScriptFile { file, shown, hides_another: false, location: Location::Disk(path.to_owned()) };
        Ok((Self { directories: vec![directory], only: Some((name.clone(), script)) }, name))
    }

    /// All files that may be a job type, by job type name. The first source that has a name wins.
    pub(crate) fn scripts(&self) -> BTreeMap<String, ScriptFile> {
        if let Some((name, script)) = &self.only {
            return BTreeMap::from([(name.clone(), script.clone())]);
        }
        let mut all: BTreeMap<String, ScriptFile> = BTreeMap::new();
        let on_disk = self.directories.iter().map(|directory| scan(directory));
        for source in on_disk.chain(std::iter::once(built_in())) {
            for (name, script) in source {
                all.entry(name).and_modify(|winner| winner.hides_another = true).or_insert(script);
            }
        }
        all
    }

    /// The file that `require(name)` means, called from a file in `directory`. Both are relative to the root of the
    /// sources, with `/`, and so is the result.
    ///
    /// # Errors
    /// A sentence that contains `Invalid module`.
    pub(crate) fn resolve(&self, directory: &str, name: &str) -> Result<String, String> {
        let relative = matches!(name, "." | "..") || name.starts_with("./") || name.starts_with("../");
        let found = if relative {
            let path = inside_root(directory, name).ok_or_else(|| {
                format!("Invalid module: {name:?} is outside of the directory with the job type scripts")
            })?;
            self.candidates(&path)
        } else {
            self.in_node_modules(directory, name)
        };
        found.ok_or_else(|| {
            format!("Invalid module: there is no {name:?} in the directory with the job type scripts")
        })
    }

    /// The name in errors, and the text, of a module of the program itself.
    pub(crate) fn built_in_module(name: &str) -> Option<(String, &'static str)> {
        let ending = if name.ends_with(".py") { "" } else { ".js" };
        let found = BUILT_IN_MODULES.iter().find(|(module, _)| *module == name);
        found.map(|&(name, text)| (format!("<{name}{ending}>"), text))
    }

    /// The text of a file found by [`Sources::resolve`].
    ///
    /// # Errors
    /// A sentence that contains `Invalid module`.
    pub(crate) fn module(&self, path: &str) -> Result<String, String> {
        if let Some(file) = self.on_disk(path) {
            return read_text(&file)
                .map_err(|error| format!("Invalid module: cannot read {path:?}: {error}"));
        }
        built_in_source(path).map(str::to_owned).ok_or_else(|| format!("Invalid module: {path:?} is gone"))
    }

    fn in_node_modules(&self, directory: &str, name: &str) -> Option<String> {
        let mut from = directory;
        loop {
            let base =
                if from.is_empty() { "node_modules".to_owned() } else { format!("{from}/node_modules") };
            let found = inside_root(&base, name).and_then(|path| self.candidates(&path));
            if found.is_some() || from.is_empty() {
                return found;
            }
            from = from.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }

    fn candidates(&self, path: &str) -> Option<String> {
        self.as_file(path).or_else(|| {
            let main = self.package_main(path).and_then(|main| inside_root(path, &main));
            main.and_then(|main| {
                self.as_file(&main).or_else(|| self.first_of(&main, &["/index.js", "/index.json"]))
            })
            .or_else(|| self.first_of(path, &["/index.js", "/index.json"]))
        })
    }

    fn as_file(&self, path: &str) -> Option<String> {
        self.first_of(path, &["", ".js", ".json"])
    }

    fn first_of(&self, path: &str, endings: &[&str]) -> Option<String> {
        endings
            .iter()
            .map(|ending| format!("{path}{ending}").trim_start_matches('/').to_owned())
            .find(|file| self.on_disk(file).is_some() || built_in_source(file).is_some())
    }

    fn package_main(&self, path: &str) -> Option<String> {
        let file = format!("{path}/package.json");
        let package: serde_json::Value =
            serde_json::from_str(&self.module(file.trim_start_matches('/')).ok()?).ok()?;
        package.get("main")?.as_str().map(str::to_owned)
    }

    fn on_disk(&self, path: &str) -> Option<PathBuf> {
        self.directories.iter().map(|directory| directory.join(path)).find(|file| file.is_file())
    }
}

/// Joins two paths below the root of the sources. `None` when the result would leave it, or could mean something
/// else to the operating system.
fn inside_root(base: &str, path: &str) -> Option<String> {
    if path.contains(['\\', ':', '\0']) || path.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = Vec::new();
    for part in base.split('/').chain(path.split('/')) {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The job type name of a script: without its last extension, `_` replaced by `-`.
fn job_type_name(file: &str) -> Option<String> {
    file.strip_suffix(".js").map(|stem| stem.replace('_', "-"))
}

fn built_in_source(file: &str) -> Option<&'static str> {
    BUILT_IN.iter().find(|(name, _)| *name == file).map(|&(_, source)| source)
}

fn built_in() -> BTreeMap<String, ScriptFile> {
    let script = |&(file, source): &(&str, &'static str)| {
        let location = Location::BuiltIn(source);
        let script =
            ScriptFile { file: file.to_owned(), shown: file.to_owned(), hides_another: false, location };
        job_type_name(file).map(|name| (name, script))
    };
    BUILT_IN.iter().filter_map(script).collect()
}

fn scan(directory: &Path) -> BTreeMap<String, ScriptFile> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) => {
            // Having no directory of own scripts is the normal case.
            tracing::debug!(directory = %directory.display(), %error, "no job type scripts here");
            return BTreeMap::new();
        }
    };
    let mut files: Vec<String> =
        entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    // The later file wins when two have the same job type name.
    files.sort_unstable();
    files.into_iter().filter_map(|file| candidate(directory, file)).collect()
}

fn candidate(directory: &Path, file: String) -> Option<(String, ScriptFile)> {
    let name = job_type_name(&file)?;
    let path = directory.join(&file);
    // Follows symbolic links: third-party scripts are often linked from where they were cloned.
    let metadata = std::fs::metadata(&path)
        .inspect_err(
            |error| tracing::error!(file = %path.display(), %error, "cannot look at a job type script"),
        )
        .ok()?;
    if !metadata.is_file() || metadata.len() < MIN_BYTES {
        return None;
    }
    let shown = path.display().to_string();
    Some((name, ScriptFile { file, shown, hides_another: false, location: Location::Disk(path) }))
}

fn read_text(path: &Path) -> std::io::Result<String> {
    let length = std::fs::metadata(path)?.len();
    if length > MAX_BYTES {
        return Err(std::io::Error::other(format!("it has {length} bytes, which is too large for a script")));
    }
    let bytes = std::fs::read(path)?;
    if bytes.contains(&0) {
        return Err(std::io::Error::other("it is not plain text; save it as UTF-8"));
    }
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.strip_prefix('\u{feff}').unwrap_or(&text).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_job_types() {
        for (file, name) in [
            ("simple_blender_render.js", Some("simple-blender-render")),
            ("echo_and_sleep.js", Some("echo-and-sleep")),
            ("my_job.v2.js", Some("my-job.v2")),
            ("UPPER.JS", None),
            ("readme.md", None),
        ] {
            assert_eq!(job_type_name(file).as_deref(), name, "{file}");
        }
    }

    #[test]
    fn five_are_built_in() {
        let names = [
            "compositor-run",
            "cycles-device-render",
            "echo-sleep-test",
            "simple-blender-render",
            "single-image-render",
        ];
        assert_eq!(built_in().into_keys().collect::<Vec<_>>(), names);
    }

    #[test]
    fn built_in_modules_are_known_by_their_whole_name() {
        assert_eq!(Sources::built_in_module("flamenco/frames").unwrap().0, "<flamenco/frames.js>");
        assert_eq!(Sources::built_in_module("flamenco/tiles.py").unwrap().0, "<flamenco/tiles.py>");
        for name in ["flamenco/frames.js", "flamenco", "./flamenco/frames", "frames", ""] {
            assert_eq!(Sources::built_in_module(name), None, "{name:?}");
        }
    }

    #[test]
    fn paths_stay_inside_the_root() {
        for (base, path, expected) in [
            ("", "./a", Some("a")),
            ("lib", "../a.js", Some("a.js")),
            ("lib/deep", "./b/../c", Some("lib/deep/c")),
            ("", "..", None),
            ("lib", "../../etc/passwd", None),
            ("", "/etc/passwd", None),
            ("", r".\a", None),
            ("", "C:/a", None),
            ("lib", "..", Some("")),
        ] {
            assert_eq!(inside_root(base, path).as_deref(), expected, "{base:?} + {path:?}");
        }
    }

    #[test]
    fn modules_are_found_as_node_does() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path();
        for (file, text) in [
            ("helper.js", "1"),
            ("data.json", "{}"),
            ("lib/index.js", "2"),
            ("lib/deep/x.js", "3"),
            ("node_modules/pkg/package.json", r#"{"main": "./main"}"#),
            ("node_modules/pkg/main.js", "4"),
            ("node_modules/folder/package.json", r#"{"main": "dist"}"#),
            ("node_modules/folder/dist/index.js", "5"),
            ("lib/node_modules/near.js", "6"),
            ("evil/package.json", r#"{"main": "../../../../etc/passwd"}"#),
        ] {
            let path = root.join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let sources = Sources::new(vec![root.join("absent"), root.to_owned()]);
        for (from, name, expected) in [
            ("", "./helper", Some("helper.js")),
            ("", "./helper.js", Some("helper.js")),
            ("", "./data", Some("data.json")),
            ("", "./lib", Some("lib/index.js")),
            ("lib", ".", Some("lib/index.js")),
            ("lib/deep", "../../helper", Some("helper.js")),
            ("lib/deep", "pkg", Some("node_modules/pkg/main.js")),
            ("", "folder", Some("node_modules/folder/dist/index.js")),
            ("lib/deep", "near", Some("lib/node_modules/near.js")),
            ("", "near", None),
            ("", "./echo_sleep_test", Some("echo_sleep_test.js")),
            ("", "./absent", None),
            ("", "../helper", None),
            ("", "./evil", None),
            ("", "/etc/passwd", None),
            ("", "", None),
        ] {
            let found = sources.resolve(from, name);
            match expected {
                Some(file) => assert_eq!(found.as_deref(), Ok(file), "{name:?} from {from:?}"),
                None => assert!(found.unwrap_err().contains("Invalid module"), "{name:?} from {from:?}"),
            }
        }
        assert_eq!(sources.module("lib/deep/x.js").unwrap(), "3");
    }
}
