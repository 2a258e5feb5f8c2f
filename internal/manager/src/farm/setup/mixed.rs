//! Farms of several platforms: the same places, by other names.

use flamenco_crosspath::{Platform, is_absolute, is_unc};
use flamenco_domain::variables::{DefinedValue, Definition};

use crate::blender;
use crate::config::Settings;
use crate::error::{Error, Result};

/// The two-way variable that stands for the shared storage: its path on one platform becomes its path on another.
const STORAGE: &str = "shared_storage";

/// What a platform other than the manager's calls the places of the farm. Empty is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OtherPlatform {
    /// Its name, as in variables.
    pub platform: String,
    /// The shared storage.
    pub storage: String,
    /// Blender.
    pub blender: String,
}

/// Without blanks, and without platforms of which nothing is known.
///
/// # Errors
/// [`Error::Invalid`] for what cannot be a path there, for the manager's own platform, and for one that comes twice.
pub(super) fn checked(platforms: Vec<OtherPlatform>, here: &Platform) -> Result<Vec<OtherPlatform>> {
    let mut checked: Vec<OtherPlatform> = Vec::new();
    for other in platforms {
        let other = OtherPlatform {
            storage: other.storage.trim().to_owned(),
            blender: other.blender.trim().to_owned(),
            platform: other.platform,
        };
        let wrong = |why: &str| Err(Error::Invalid(format!("otherPlatforms: {}: {why}", other.platform)));
        if other.platform == here.as_str() {
            return wrong("the manager itself runs on it; what is chosen for the manager holds there");
        }
        if checked.iter().any(|one| one.platform == other.platform) {
            return wrong("it is there twice; write one entry for it");
        }
        if !other.storage.is_empty()
            && let Err(why) = check_path(&other.storage, &Platform::new(&other.platform))
        {
            return wrong(&why);
        }
        if !(other.storage.is_empty() && other.blender.is_empty()) {
            checked.push(other);
        }
    }
    Ok(checked)
}

fn check_path(path: &str, platform: &Platform) -> std::result::Result<(), String> {
    if path.contains(|letter: char| letter.is_control()) {
        return Err(format!("{path:?} has a line break or something like it in it; write the path alone"));
    }
    if is_unc(path) {
        return Err(format!("{path} is a UNC path, which not all programs support; give it a drive letter"));
    }
    let has_drive = !path.starts_with(['/', '\\']);
    match (is_absolute(path), platform.is_windows()) {
        (true, true) if has_drive => Ok(()),
        (true, false) if path.starts_with('/') => Ok(()),
        (_, true) => Err(format!("{path} is no path with a drive letter; write for example F:\\farm")),
        (_, false) => Err(format!("{path} is no absolute path; write for example /mnt/farm")),
    }
}

/// Adds to the settings what other platforms call the storage, which is `storage` here, and Blender.
pub(super) fn set_variables(
    settings: &mut Settings,
    storage: &str,
    others: &[OtherPlatform],
    here: &Platform,
) {
    let value = |platform: &str, value: &str| DefinedValue {
        audience: None,
        platforms: vec![platform.to_owned()],
        value: value.to_owned(),
    };
    let storages: Vec<_> = others
        .iter()
        .filter(|other| !other.storage.is_empty())
        .map(|other| value(&other.platform, &other.storage))
        .collect();
    if !storages.is_empty() {
        let values = std::iter::once(value(here.as_str(), storage)).chain(storages).collect();
        settings.variables.insert(STORAGE.to_owned(), Definition { is_twoway: true, values });
    }
    let Some(blender) = settings.variables.get_mut(blender::NAME) else { return };
    for other in others.iter().filter(|other| !other.blender.is_empty()) {
        blender.values.retain(|value| !value.platforms.contains(&other.platform));
        blender.values.push(value(&other.platform, &other.blender));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn other(platform: &str, storage: &str, blender: &str) -> OtherPlatform {
        OtherPlatform { platform: platform.into(), storage: storage.into(), blender: blender.into() }
    }

    #[test]
    fn paths_must_be_paths_of_their_platform() {
        let here = Platform::new("linux");
        for (platform, storage, why) in [
            ("windows", "F:\\farm", ""),
            ("windows", " F:/farm ", ""),
            ("windows", "F:", ""),
            ("windows", "/mnt/farm", "drive letter"),
            ("windows", "farm", "drive letter"),
            ("windows", "\\farm", "drive letter"),
            ("windows", "\\\\server\\farm", "UNC"),
            ("darwin", "/Volumes/farm", ""),
            ("darwin", "Volumes/farm", "absolute"),
            ("darwin", "F:\\farm", "absolute"),
            ("darwin", "/Volumes\n/farm", "line break"),
            ("linux", "/mnt/farm", "manager itself"),
        ] {
            let found = checked(vec![other(platform, storage, "")], &here);
            match why {
                "" => {
                    assert_eq!(found.unwrap(), [other(platform, storage.trim(), "")], "{platform} {storage}")
                }
                why => {
                    let message = found.unwrap_err().to_string();
                    assert!(message.contains(why) && message.contains(platform), "{storage}: {message}");
                }
            }
        }
        let twice = vec![other("darwin", "/a", ""), other("darwin", "/b", "")];
        assert!(checked(twice, &here).unwrap_err().to_string().contains("twice"));
        assert_eq!(checked(vec![other("darwin", " ", "")], &here).unwrap(), []);
    }

    #[test]
    fn variables_of_a_mixed_farm() {
        let here = Platform::new("linux");
        let mut settings = Settings::default();
        set_variables(&mut settings, "/mnt/farm", &[other("windows", "", "C:\\blender.exe")], &here);
        assert!(!settings.variables.contains_key(STORAGE), "nothing to translate to");
        let values = |settings: &Settings, name: &str| -> Vec<(String, String)> {
            let values = settings.variables[name].values.iter();
            values.map(|value| (value.platforms.join(" "), value.value.clone())).collect()
        };
        let pair = |platform: &str, value: &str| (platform.to_owned(), value.to_owned());
        assert_eq!(
            values(&settings, "blender"),
            [pair("linux", "blender"), pair("darwin", "blender"), pair("windows", "C:\\blender.exe")]
        );
        let others = [other("windows", "F:\\farm", ""), other("darwin", "/Volumes/farm", "")];
        set_variables(&mut settings, "/mnt/farm", &others, &here);
        assert!(settings.variables[STORAGE].is_twoway);
        assert_eq!(
            values(&settings, STORAGE),
            [pair("linux", "/mnt/farm"), pair("windows", "F:\\farm"), pair("darwin", "/Volumes/farm")]
        );
    }
}
