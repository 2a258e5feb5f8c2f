//! The first-start assistant: tries out paths and programs, and writes the choices to the configuration.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use flamenco_crosspath::{Platform, is_unc};
use flamenco_domain::role::Role;
use flamenco_domain::variables::{ALL_PLATFORMS, DefinedValue, Definition};

mod mixed;

pub use mixed::OtherPlatform;

use super::Farm;
use crate::blender::{self, Candidate, Source};
use crate::config::{Secret, Settings};
use crate::error::{Error, Result};

/// A network drive that is away can keep a program waiting for ever.
const TIME_LIMIT: Duration = Duration::from_secs(10);
/// What is written to try out a directory; some file systems have trouble with more than ASCII.
const TRIAL_TEXT: &str = "Flamenco was here: über alle Bytes, 测试, ✓\n";
/// The platforms that get a value.
const PLATFORMS: [&str; 3] = ["linux", "windows", "darwin"];
/// What the variable `blenderArgs` becomes.
const BLENDER_ARGUMENTS: &str = "-b -y";

/// What somebody chose in the assistant.
#[derive(Debug)]
pub struct Choices {
    /// Path of the shared storage, as typed.
    pub storage: String,
    /// The Blender of the manager's platform.
    pub blender: Candidate,
    /// Whether submitted files go through the file store; `None` leaves that as it is.
    pub shaman: Option<bool>,
    /// What other platforms call these places.
    pub platforms: Vec<OtherPlatform>,
    /// Who may use the farm; `None` leaves that as it is.
    pub access: Option<ChosenAccess>,
}

/// Who may use the farm.
#[derive(Debug)]
pub struct ChosenAccess {
    /// What shows that somebody is an admin.
    pub admin_token: Secret,
    /// What shows that somebody is an artist; empty, and nobody is one by a token.
    pub artist_token: Secret,
    /// What those may do who show no token.
    pub without_token: Role,
}

impl Farm {
    /// Whether a directory can be the shared storage: it is there, and files can be made in it. Leaves nothing behind.
    ///
    /// # Errors
    /// Why it cannot, in words for people.
    pub async fn check_shared_storage(&self, path: &str) -> std::result::Result<(), String> {
        let path = path.trim().to_owned();
        if path.is_empty() {
            return Err(
                "the path is empty; give the path of a directory that all workers can reach".to_owned()
            );
        }
        if is_unc(&path) {
            return Err(format!(
                "{path} is a UNC path, which not all programs support; give it a drive letter"
            ));
        }
        let directory = self.live().config.directory().join(&path);
        let turns = Arc::clone(&self.directory_trials);
        let check = async {
            // Given back by the thread itself, which a drive that is away can hold for longer than anybody waits.
            let turn = turns.acquire_owned().await;
            tokio::task::spawn_blocking(move || {
                let result = try_directory(&path, &directory);
                drop(turn);
                result
            })
            .await
        };
        match tokio::time::timeout(TIME_LIMIT, check).await {
            Ok(Ok(result)) => result,
            Ok(Err(error)) => Err(format!("the check failed: {error}")),
            Err(_) => Err(format!("the directory did not respond within {} s", TIME_LIMIT.as_secs())),
        }
    }

    /// Blender in the usual places of the manager's machine.
    pub async fn find_blender(&self) -> Vec<Candidate> {
        let _turn = self.trials.acquire().await;
        blender::find().await
    }

    /// Whether what somebody typed is Blender.
    pub async fn check_blender(&self, input: &str) -> Candidate {
        let _turn = self.trials.acquire().await;
        let live = self.live();
        blender::check(input, live.config.directory()).await
    }

    /// Writes the choices to the configuration file, and has the manager start again.
    ///
    /// # Errors
    /// [`Error::Invalid`] when something is missing or wrong, or when the file cannot be written. Nothing is changed
    /// then.
    pub async fn finish_setup(&self, choices: Choices) -> Result<()> {
        let storage = choices.storage.trim().to_owned();
        if storage.is_empty() {
            return Err(Error::Invalid(
                "storageLocation is empty; give the path of the shared storage".to_owned(),
            ));
        }
        if let Some(overruling) = self.live().config.environment.shared_storage.as_deref()
            && overruling.trim() != storage
        {
            return Err(Error::Invalid(format!(
                "storageLocation: the environment variable FLAMENCO_SHARED_STORAGE of the manager says {overruling} and \
                 overrules what is chosen here; start the manager without it, or choose the same path"
            )));
        }
        let here = blender_value(&choices.blender)?.to_owned();
        let others = mixed::checked(choices.platforms, &Platform::current())?;
        if choices.access.as_ref().is_some_and(|access| access.admin_token.expose().trim().is_empty()) {
            return Err(Error::Invalid(
                "access.admin_token is empty; give a token, or leave out access when everybody may use the farm"
                    .to_owned(),
            ));
        }
        self.set_up(move |settings| {
            if let Some(access) = choices.access {
                settings.access.admin_token = access.admin_token;
                settings.access.artist_token = access.artist_token;
                settings.access.without_token = access.without_token;
            }
            settings.shared_storage_path.clone_from(&storage);
            if let Some(enabled) = choices.shaman {
                settings.shaman.enabled = enabled;
            }
            set_variables(settings, &here, &Platform::current());
            mixed::set_variables(settings, &storage, &others, &Platform::current());
        })
        .await?;
        tracing::info!("the setup assistant has finished; starting again with its choices");
        Ok(())
    }
}

/// What the variable `blender` becomes on the manager's platform.
fn blender_value(blender: &Candidate) -> Result<&str> {
    let missing =
        |what: &str| Err(Error::Invalid(format!("blenderExecutable.{what}; check a Blender first")));
    if let Err(cause) = &blender.version {
        return missing(&format!("is_usable is false ({cause})"));
    }
    let (path, input) = (blender.path.trim(), blender.input.trim());
    match blender.source {
        Source::Default => Ok(blender::NAME),
        Source::FileAssociation if path.is_empty() => missing("path is empty"),
        Source::FileAssociation => Ok(blender::NAME),
        _ if path.is_empty() => missing("path is empty"),
        _ if input.is_empty() => missing("input is empty"),
        Source::SearchPath => Ok(input),
        Source::Input | Source::SystemLocation => Ok(path),
    }
}

/// Sets `blender` on this platform and `blenderArgs`. On other platforms a value that somebody chose stays. No value is
/// quoted, whatever it contains: workers start the program itself, not by way of a shell.
fn set_variables(settings: &mut Settings, here: &str, platform: &Platform) {
    let default = Settings::default().variables;
    let current = settings.variables.get(blender::NAME);
    let elsewhere = |name: &str| {
        let value = |definition: &Definition| value_on(definition, name).map(str::to_owned);
        let chosen = current.and_then(value);
        let by_default = default.get(blender::NAME).and_then(value);
        chosen
            .filter(|chosen| Some(chosen) != by_default.as_ref())
            .unwrap_or_else(|| blender::NAME.to_owned())
    };
    let mut platforms = PLATFORMS.to_vec();
    if !platforms.contains(&platform.as_str()) {
        platforms.push(platform.as_str());
    }
    let values = platforms.into_iter().map(|name| DefinedValue {
        audience: None,
        platforms: vec![name.to_owned()],
        value: if name == platform.as_str() { here.to_owned() } else { elsewhere(name) },
    });
    let blender = Definition { is_twoway: false, values: values.collect() };
    let everywhere = vec![ALL_PLATFORMS.to_owned()];
    let arguments =
        DefinedValue { audience: None, platforms: everywhere, value: BLENDER_ARGUMENTS.to_owned() };
    let arguments = Definition { is_twoway: false, values: vec![arguments] };
    settings.variables.insert(blender::NAME.to_owned(), blender);
    settings.variables.insert("blenderArgs".to_owned(), arguments);
}

/// The value for a platform, as far as it is for everyone.
fn value_on<'d>(definition: &'d Definition, platform: &str) -> Option<&'d str> {
    let is_for = |value: &&DefinedValue| {
        value.audience.is_none() && value.platforms.iter().any(|one| one == platform || one == ALL_PLATFORMS)
    };
    definition.values.iter().rfind(is_for).map(|value| value.value.as_str())
}

/// Tries out a directory, which somebody typed as `shown`.
fn try_directory(shown: &str, directory: &Path) -> std::result::Result<(), String> {
    if shown.starts_with("~/") {
        return Err("~ is not understood here; give the whole path of your home directory".to_owned());
    }
    match std::fs::metadata(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(format!("{shown} does not exist; make the directory first"));
        }
        Err(error) => return Err(format!("{shown} cannot be looked at: {error}")),
        Ok(found) if !found.is_dir() => return Err(format!("{shown} is not a directory")),
        Ok(_) => {}
    }
    if program_directories().iter().any(|program| program == directory) {
        let advice = "choose one that is only for shared files";
        return Err(format!("{shown} is the directory of the manager program itself; {advice}"));
    }
    let step = |what: &'static str| {
        move |error: std::io::Error| {
            format!("a file cannot be {what} in {shown}: {error}; check its permissions")
        }
    };
    // Removed when it is dropped, whatever happens in between.
    let trial = tempfile::Builder::new().prefix(".flamenco-test-").tempfile_in(directory);
    let mut trial = trial.map_err(step("created"))?;
    trial
        .write_all(TRIAL_TEXT.as_bytes())
        .and_then(|()| trial.as_file().sync_all())
        .map_err(step("written"))?;
    trial.close().map_err(step("removed"))
}

/// The directory of this program, as it is called and without links.
fn program_directories() -> Vec<PathBuf> {
    let Some(program) = std::env::current_exe().ok() else { return Vec::new() };
    let real = program.canonicalize().ok();
    [Some(program), real].into_iter().flatten().filter_map(|path| Some(path.parent()?.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(source: Source, path: &str, input: &str) -> Candidate {
        Candidate { input: input.into(), path: path.into(), source, version: Ok("Blender 4.5".into()) }
    }

    #[test]
    fn what_becomes_of_each_choice() {
        for (source, path, input, value) in [
            (Source::Default, "", "", Some("blender")),
            (Source::Default, "/x", "y", Some("blender")),
            (Source::FileAssociation, r"C:\b\blender.exe", "", Some("blender")),
            (Source::FileAssociation, "", "x", None),
            (Source::SearchPath, "/usr/bin/blender", "blender", Some("blender")),
            (Source::SearchPath, "/usr/bin/b4", "b4", Some("b4")),
            (Source::SearchPath, "/usr/bin/b4", " ", None),
            (Source::SearchPath, "", "b4", None),
            (Source::Input, "/opt/b (4)/blender", "/opt/b (4)", Some("/opt/b (4)/blender")),
            (Source::Input, "/opt/b/blender", "", None),
            (Source::Input, " ", "/opt/b", None),
            (Source::SystemLocation, "/Applications/B", "blender", Some("/Applications/B")),
            (Source::SystemLocation, "/Applications/B", "", None),
        ] {
            let chosen = candidate(source, path, input);
            assert_eq!(blender_value(&chosen).ok(), value, "{chosen:?}");
            let unusable = Candidate { version: Err("no".into()), ..chosen };
            assert!(blender_value(&unusable).is_err(), "{unusable:?}");
        }
    }

    fn blender_on(settings: &Settings) -> Vec<(&str, &str)> {
        let values = settings.variables[blender::NAME].values.iter();
        values.map(|value| (value.platforms[0].as_str(), value.value.as_str())).collect()
    }

    #[test]
    fn only_this_platform_gets_the_path() {
        let mut settings = Settings::default();
        set_variables(&mut settings, "/opt/b 4/blender", &Platform::new("linux"));
        let expected = [("linux", "/opt/b 4/blender"), ("windows", "blender"), ("darwin", "blender")];
        assert_eq!(blender_on(&settings), expected);
        set_variables(&mut settings, r"C:\b\blender.exe", &Platform::new("windows"));
        let expected =
            [("linux", "/opt/b 4/blender"), ("windows", r"C:\b\blender.exe"), ("darwin", "blender")];
        assert_eq!(blender_on(&settings), expected, "what was chosen before stays");
        set_variables(&mut settings, "b", &Platform::new("freebsd"));
        assert_eq!(blender_on(&settings)[3], ("freebsd", "b"));
        let arguments = &settings.variables["blenderArgs"].values;
        assert_eq!((arguments.len(), arguments[0].value.as_str()), (1, "-b -y"));
        assert_eq!(arguments[0].platforms, ["all"]);
    }

    #[test]
    fn directories_are_tried_out() {
        let good = tempfile::tempdir().unwrap();
        assert_eq!(try_directory("good", good.path()), Ok(()));
        assert_eq!(std::fs::read_dir(good.path()).unwrap().count(), 0, "nothing is left behind");
        let file = good.path().join("file");
        std::fs::write(&file, "").unwrap();
        let program = std::env::current_exe().unwrap().parent().unwrap().to_owned();
        for (shown, path, word) in [
            ("a file", file.as_path(), "not a directory"),
            ("below a file", &file.join("x"), "cannot be looked at"),
            ("missing", &good.path().join("missing"), "does not exist"),
            ("~/x", &good.path().join("missing"), "~ is not understood"),
            ("here", &program, "the manager program itself"),
            // Nobody can make files there, not even root.
            ("proc", Path::new("/proc/self"), "cannot be created"),
        ] {
            let cause = try_directory(shown, path).unwrap_err();
            assert!(cause.contains(word), "{shown}: {cause}");
        }
    }
}
