//! Between the setup assistant on the wire and in the farm.

use flamenco_api::types;

use crate::blender::{Candidate, Source};

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

/// The path in a request, whose body may be missing.
pub(super) fn path_of(body: Option<types::PathCheckInput>) -> String {
    body.map(|body| body.path).unwrap_or_default()
}
