//! The one conversion from what the farm refuses to what is answered. Internal texts are logged, never sent.

use std::any::Any;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Response, StatusCode, header};
use flamenco_api::Problem;
use flamenco_domain::task::ReportDenied;

use crate::error::Error;
use crate::farm::logs::is_out_of_space;

/// After how long a client should try again what failed for want of room or time.
const TRY_AGAIN: Duration = Duration::from_secs(1);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match &error {
            Error::NotFound { .. } => StatusCode::NOT_FOUND,
            Error::Invalid(_) | Error::InitialStatus(_) | Error::UnknownTag(_) => StatusCode::BAD_REQUEST,
            Error::Forbidden(_) => StatusCode::FORBIDDEN,
            Error::Outdated(_) => StatusCode::PRECONDITION_FAILED,
            Error::Busy(_) => StatusCode::TOO_MANY_REQUESTS,
            Error::Job(_) | Error::TaskRequest(_) | Error::NothingToRender(_) | Error::NothingToShow(_) => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Error::Overloaded(_) => StatusCode::SERVICE_UNAVAILABLE,
            Error::WorkerRequest(flamenco_domain::worker::StatusRequestDenied::CannotRestart) => {
                StatusCode::PRECONDITION_FAILED
            }
            Error::WorkerRequest(_) | Error::TaskReport(ReportDenied::SoftFailed) => StatusCode::BAD_REQUEST,
            Error::TaskReport(_)
            | Error::NotAwake { .. }
            | Error::TagInUse { .. }
            | Error::CannotRestart(_)
            | Error::OtherJobs { .. } => StatusCode::CONFLICT,
            Error::Store(flamenco_store::Error::Duplicate(_)) => {
                return Self::new(
                    StatusCode::CONFLICT,
                    "something with this name or id exists already; choose another one",
                );
            }
            Error::Store(flamenco_store::Error::Unstorable | flamenco_store::Error::TagDeleted(_)) => {
                StatusCode::BAD_REQUEST
            }
            Error::BrokenScript(_) => StatusCode::INTERNAL_SERVER_ERROR,
            Error::NoFileStore => StatusCode::SERVICE_UNAVAILABLE,
            Error::FilesMissing(_) => StatusCode::FAILED_DEPENDENCY,
            Error::FileStore(source) => return file_store(source),
            Error::Store(flamenco_store::Error::CheckoutErased(_)) => StatusCode::CONFLICT,
            Error::Store(store) if store.is_temporary() => return unavailable(&error),
            Error::Io { source, .. } if is_out_of_space(source) => return unavailable(&error),
            Error::Damaged(_) | Error::Store(_) | Error::Io { .. } | Error::Internal(_) => {
                return internal(&error);
            }
        };
        let problem = Self::new(status, error.to_string());
        if matches!(error, Error::Busy(_) | Error::Overloaded(_)) {
            problem.retry_after(TRY_AGAIN)
        } else {
            problem
        }
    }
}

fn internal(error: &dyn std::error::Error) -> Problem {
    tracing::error!(%error, "a request failed");
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error; the manager's log has the details")
}

/// Texts of errors that name places on the server's disk stay inside.
fn file_store(error: &flamenco_shaman::Error) -> Problem {
    use flamenco_shaman::Error as Failure;
    let status = match error {
        Failure::Invalid(_) | Failure::Body(_) => StatusCode::BAD_REQUEST,
        Failure::SizeMismatch { .. } | Failure::ChecksumMismatch { .. } => StatusCode::EXPECTATION_FAILED,
        Failure::Idle(_) => StatusCode::REQUEST_TIMEOUT,
        Failure::NoSpace => StatusCode::INSUFFICIENT_STORAGE,
        Failure::MissingFiles(_) => StatusCode::FAILED_DEPENDENCY,
        Failure::NameTaken(_) => StatusCode::CONFLICT,
        Failure::Busy { .. } => {
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, error.to_string()).retry_after(TRY_AGAIN);
        }
        Failure::Cancelled => {
            let text = "the manager is stopping; try again";
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, text).retry_after(TRY_AGAIN);
        }
        Failure::LinksUnsupported(_) => {
            tracing::error!(%error, "a checkout failed");
            StatusCode::INTERNAL_SERVER_ERROR
        }
        Failure::Obstructed(_) | Failure::Unsafe(_) | Failure::Io { .. } => {
            return internal(error);
        }
    };
    Problem::new(status, error.to_string())
}

/// An unknown tag in a request that is about tags, which the document answers with 422.
pub(super) fn unprocessable_tag(error: Error) -> Problem {
    match error {
        Error::UnknownTag(_) => Problem::new(StatusCode::UNPROCESSABLE_ENTITY, error.to_string()),
        other => other.into(),
    }
}

fn unavailable(error: &Error) -> Problem {
    tracing::warn!(%error, "a request has to be tried again");
    let message =
        "the manager cannot store this at the moment (its disk may be full); nothing was changed, try again";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, message).retry_after(TRY_AGAIN)
}

/// The answer when a handler panicked. `CatchPanicLayer` wants it by value.
#[expect(clippy::needless_pass_by_value, reason = "the signature is tower-http's")]
pub(super) fn panicked(panic: Box<dyn Any + Send>) -> Response<Body> {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_default();
    tracing::error!(panic = text, "a request handler panicked");
    let problem =
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "internal error; the manager's log has the details");
    let body = serde_json::to_vec(&problem.to_error()).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = problem.status;
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use flamenco_domain::job::{JobDenied, JobStatus};
    use flamenco_domain::task::{RequestDenied, TaskStatus};
    use flamenco_domain::worker::{StatusRequestDenied, WorkerStatus};
    use flamenco_shaman::{Error as Failure, Invalid};

    #[test]
    fn every_kind_has_its_status_and_internal_texts_stay_inside() {
        let io =
            |kind| Error::Io { what: "writing /secret/place".into(), source: std::io::Error::from(kind) };
        let stored = |failure: Failure| Error::FileStore(failure);
        for (error, status, told) in [
            (Error::not_found("job", "x"), 404, true),
            (Error::Invalid("frames: nonsense".into()), 400, true),
            (Error::InitialStatus(JobStatus::Active), 400, true),
            (Error::UnknownTag("x".into()), 400, true),
            (Error::CannotRestart("listen: taken".into()), 409, true),
            (Error::TagInUse { name: "gpu".into(), jobs: 2 }, 409, true),
            (Error::OtherJobs { found: 3, expected: 2 }, 409, true),
            (Error::Forbidden("no".into()), 403, true),
            (Error::Outdated("refresh".into()), 412, true),
            (Error::Busy("later".into()), 429, true),
            (Error::Job(JobDenied::Deleting), 422, true),
            (Error::TaskRequest(RequestDenied::NotRequestable(TaskStatus::Active)), 422, true),
            (Error::TaskReport(ReportDenied::NotYours), 409, true),
            (Error::TaskReport(ReportDenied::SoftFailed), 400, true),
            (Error::WorkerRequest(StatusRequestDenied::CannotRestart), 412, true),
            (Error::WorkerRequest(StatusRequestDenied::NotRequestable(WorkerStatus::Error)), 400, true),
            (Error::NotAwake { is: WorkerStatus::Asleep }, 409, true),
            (Error::Store(flamenco_store::Error::Duplicate("secret".into())), 409, false),
            (Error::Store(flamenco_store::Error::Unstorable), 400, true),
            (Error::Store(flamenco_store::Error::TagDeleted("x".into())), 400, true),
            (Error::Store(flamenco_store::Error::Full("secret".into())), 503, false),
            (Error::Store(flamenco_store::Error::Database("secret".into())), 500, false),
            (Error::Damaged("secret".into()), 500, false),
            (Error::Internal("secret".into()), 500, false),
            (Error::BrokenScript("my_type.js:2:1: nonsense".into()), 500, true),
            (Error::NoFileStore, 503, true),
            (Error::FilesMissing("1 file is not stored".into()), 424, true),
            (Error::Store(flamenco_store::Error::CheckoutErased("shot".into())), 409, true),
            (stored(Failure::Invalid(Invalid::Size { given: -1 })), 400, true),
            (stored(Failure::Body("broke off".into())), 400, true),
            (stored(Failure::SizeMismatch { declared: 1, received: 2, cut: false }), 417, true),
            (stored(Failure::Idle(Duration::from_secs(60))), 408, true),
            (stored(Failure::NoSpace), 507, true),
            (stored(Failure::Busy { running: 128 }), 503, true),
            (stored(Failure::LinksUnsupported(flamenco_shaman::LinkMode::Reflink)), 500, true),
            (stored(Failure::Obstructed("/secret/place".into())), 500, false),
            (stored(Failure::Unsafe("/secret/place".into())), 500, false),
            (io(std::io::ErrorKind::StorageFull), 503, false),
            (io(std::io::ErrorKind::PermissionDenied), 500, false),
        ] {
            let text = error.to_string();
            let problem = Problem::from(error);
            assert_eq!(problem.status.as_u16(), status, "{text}");
            assert_eq!(problem.message == text, told, "{text}: {}", problem.message);
            assert!(!problem.message.contains("secret"), "{}", problem.message);
            // Until somebody switches the file store on, trying again is of no use.
            assert_eq!(
                problem.retry_after.is_some(),
                matches!(status, 429 | 503) && !problem.message.contains("not active")
            );
        }
    }
}
