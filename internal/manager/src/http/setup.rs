//! Between the setup assistant and the settings on the wire and in the farm.

use flamenco_api::types;
use flamenco_domain::role::Role;

use crate::blender::{Candidate, Source};
use crate::config::{Origin, Secret, SettingState};
use crate::farm::setup::{Choices, ChosenAccess, OtherPlatform};

impl From<Candidate> for types::BlenderPathCheckResult {
    fn from(candidate: Candidate) -> Self {
        let source = match candidate.source {
            Source::FileAssociation => types::BlenderPathSource::FileAssociation,
            Source::SearchPath => types::BlenderPathSource::PathEnvvar,
            Source::SystemLocation => types::BlenderPathSource::SystemLocation,
            Source::Input => types::BlenderPathSource::InputPath,
            Source::Default => types::BlenderPathSource::Default,
        };
        let (is_usable, cause) = match candidate.version {
            Ok(version) => (true, version),
            Err(cause) => (false, cause),
        };
        Self { input: candidate.input, path: candidate.path, source, is_usable, cause }
    }
}

impl From<types::BlenderPathCheckResult> for Candidate {
    fn from(result: types::BlenderPathCheckResult) -> Self {
        let source = match result.source {
            types::BlenderPathSource::FileAssociation => Source::FileAssociation,
            types::BlenderPathSource::PathEnvvar => Source::SearchPath,
            types::BlenderPathSource::SystemLocation => Source::SystemLocation,
            types::BlenderPathSource::InputPath => Source::Input,
            types::BlenderPathSource::Default => Source::Default,
        };
        let version = if result.is_usable { Ok(result.cause) } else { Err(result.cause) };
        Self { input: result.input, path: result.path, source, version }
    }
}

impl From<types::SetupAssistantConfig> for Choices {
    fn from(config: types::SetupAssistantConfig) -> Self {
        let platforms = config.other_platforms.unwrap_or_default().into_iter();
        Self {
            storage: config.storage_location,
            blender: config.blender_executable.into(),
            shaman: config.shaman_enabled,
            platforms: platforms
                .map(|other| OtherPlatform {
                    platform: other.platform.to_string(),
                    storage: other.storage.unwrap_or_default(),
                    blender: other.blender.unwrap_or_default(),
                })
                .collect(),
            access: config.access.map(Into::into),
        }
    }
}

impl From<types::SetupAccess> for ChosenAccess {
    fn from(access: types::SetupAccess) -> Self {
        use types::SetupAccessWithoutToken as WithoutToken;
        Self {
            admin_token: Secret::new(access.admin_token),
            artist_token: Secret::new(access.artist_token.unwrap_or_default()),
            without_token: match access.without_token {
                None | Some(WithoutToken::Nothing) => Role::None,
                Some(WithoutToken::Viewer) => Role::Viewer,
                Some(WithoutToken::Artist) => Role::Artist,
            },
        }
    }
}

impl From<SettingState> for types::SettingState {
    fn from(state: SettingState) -> Self {
        let (source, variable) = match state.origin {
            Origin::Default => (types::SettingStateSource::Default, None),
            Origin::File => (types::SettingStateSource::File, None),
            Origin::Environment(name) => (types::SettingStateSource::Environment, Some(name.to_owned())),
        };
        Self {
            key: state.key,
            value: state.value,
            default: state.default,
            source,
            variable,
            at_restart: state.at_restart,
            waiting: state.waiting,
        }
    }
}

/// The path in a request, whose body may be missing.
pub(super) fn path_of(body: Option<types::PathCheckInput>) -> String {
    body.map(|body| body.path).unwrap_or_default()
}
