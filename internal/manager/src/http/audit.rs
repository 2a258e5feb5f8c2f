//! Puts on record what people change. Every operation passes here, whatever its handler does, so none can forget it.
//!
//! [`begin`] is called when it is known who asks for what, before anything is changed: a worker that is deleted still has
//! its name then. [`recorded`] enters it when the answer says that it was done, and sends the answer afterwards.

use std::sync::{Arc, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, header, request::Parts};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use flamenco_api::operations::{FetchAuditQuery, OPERATIONS};
use flamenco_api::server::KeptBody;
use flamenco_api::{Operation, Problem, types};
use flamenco_domain::audit::{Entry, ObjectKind, changed_keys, one_line, summary};
use flamenco_domain::ids::parse_uuid;
use flamenco_domain::role::Role;
use flamenco_store::list::{AuditFilter, Numbered};
use serde_json::{Map, Value};

use super::{Caller, access};
use crate::farm::{Farm, Live};

/// A role on the wire.
pub(super) const fn role(role: Role) -> types::Role {
    match role {
        Role::None => types::Role::None,
        Role::Viewer => types::Role::Viewer,
        Role::Artist => types::Role::Artist,
        Role::Admin => types::Role::Admin,
    }
}

const fn kind(kind: ObjectKind) -> types::AuditObjectKind {
    use types::AuditObjectKind as Wire;
    match kind {
        ObjectKind::Job => Wire::Job,
        ObjectKind::Task => Wire::Task,
        ObjectKind::Worker => Wire::Worker,
        ObjectKind::Tag => Wire::Tag,
        ObjectKind::Checkout => Wire::Checkout,
        ObjectKind::Configuration => Wire::Configuration,
        ObjectKind::Session => Wire::Session,
    }
}

/// Entries of an answer, when nothing else is said.
const USUAL_LIMIT: u32 = 100;
/// Longest name of an object, and longest summary, in characters.
const LONGEST_NAME: usize = 200;
const LONGEST_SUMMARY: usize = 500;

/// Where the operations are that only workers ask for.
const WORKERS: &str = "/api/v3/worker/";

/// What changes nothing although it is no GET, and the uploads of single files, of which a job may have thousands: the
/// checkout that they are for is on record.
const NO_CHANGES: &[&str] = &[
    "checkSharedStoragePath",
    "checkBlenderExePath",
    "submitJobCheck",
    "shamanCheckoutRequirements",
    "shamanFileStore",
    "deleteSession",
    "registerWorker",
];

/// What an operation of people changes; nothing for those that change nothing.
fn changes(operation: &Operation) -> Option<ObjectKind> {
    if operation.method == "GET" || operation.worker_auth || NO_CHANGES.contains(&operation.id) {
        return None;
    }
    let by_path = [
        ("{job_id}", ObjectKind::Job),
        ("{task_id}", ObjectKind::Task),
        ("{worker_id}", ObjectKind::Worker),
        ("{tag_id}", ObjectKind::Tag),
        ("/worker-mgt/tags", ObjectKind::Tag),
        ("/worker-mgt/", ObjectKind::Worker),
        ("/shaman/", ObjectKind::Checkout),
        ("/session", ObjectKind::Session),
        ("/configuration", ObjectKind::Configuration),
    ];
    let found = by_path.into_iter().find(|(part, _)| operation.path.contains(part));
    Some(found.map_or(ObjectKind::Job, |(_, kind)| kind))
}

/// What goes with a request, for [`begin`] to write on.
#[derive(Clone, Default)]
struct Slip(Arc<Mutex<Option<Draft>>>);

impl Slip {
    fn write(&self, draft: Draft) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(draft);
    }

    /// Whether the request is one that changes something, by somebody who may.
    fn is_written(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    fn read(&self) -> Option<Draft> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A change that may happen.
#[derive(Clone)]
struct Draft {
    entry: Entry,
    /// How the farm was, for changes of the configuration.
    before: Arc<Live>,
}

/// Notes who asks for what.
pub(super) async fn begin(farm: &Farm, operation: &Operation, request: &Parts, caller: &Caller) {
    let (Some(slip), Some(kind)) = (request.extensions.get::<Slip>(), changes(operation)) else { return };
    let object = object_of(operation.path, request.uri.path());
    let object_name = match object.map(|id| farm.name_of(kind, id)) {
        // Without its name an entry is still worth something.
        Some(name) => name.await.unwrap_or_default(),
        None => String::new(),
    };
    let entry = Entry {
        at: farm.now(),
        operation: operation.id.to_owned(),
        kind,
        object,
        object_name,
        summary: String::new(),
        role: caller.role,
        name: caller.name.clone(),
        address: caller.address.clone(),
    };
    let draft = Draft { entry, before: farm.live() };
    slip.write(draft);
}

/// The id in a path, where the path of the operation has its first parameter.
fn object_of(operation: &str, path: &str) -> Option<uuid::Uuid> {
    let (_, id) = operation.split('/').zip(path.split('/')).find(|(part, _)| part.starts_with('{'))?;
    parse_uuid(id).ok()
}

/// The operations, with what people change by them on record before it is answered.
pub(super) fn recorded(routes: Router, farm: &Farm) -> Router {
    routes.layer(from_fn_with_state(farm.clone(), record))
}

async fn record(State(farm): State<Farm>, request: Request, next: Next) -> Response {
    // What workers send, thousands of times a second, changes nothing on behalf of people.
    if request.method() == Method::GET || request.uri().path().starts_with(WORKERS) {
        return next.run(request).await;
    }
    let slip = Slip::default();
    let recorded = do_and_record(farm.clone(), slip.clone(), request, next);
    // A change is on record also when whoever asked for it has left before it was answered.
    farm.carry_through(recorded, || slip.is_written()).await
}

async fn do_and_record(farm: Farm, slip: Slip, mut request: Request, next: Next) -> Response {
    let body = KeptBody::default();
    request.extensions_mut().insert(slip.clone());
    request.extensions_mut().insert(body.clone());
    let mut response = next.run(request).await;
    let Some(draft) = slip.read().filter(|_| response.status().is_success()) else { return response };
    let made = if draft.entry.object.is_none() { made_by(&mut response).await } else { Map::new() };
    let asked = body.get().and_then(|body| serde_json::from_slice(body).ok()).unwrap_or_default();
    let done = match draft.entry.kind {
        ObjectKind::Session => signed_in(draft, &response),
        ObjectKind::Configuration => Some(configured(draft, &farm)),
        _ => Some(completed(draft.entry, &asked, &made)),
    };
    if let Some(entry) = done
        && let Err(error) = farm.record(entry).await
    {
        // It has happened, and an error would say that it has not.
        tracing::error!(%error, "a change that was made is missing from the audit trail");
    }
    response
}

/// The object that an answer tells of, which stays in the answer.
async fn made_by(response: &mut Response) -> Map<String, Value> {
    let is_json = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if !is_json {
        return Map::new();
    }
    // Such an answer is in memory already.
    let body = std::mem::replace(response.body_mut(), Body::empty());
    match to_bytes(body, usize::MAX).await {
        Ok(bytes) => {
            let made = serde_json::from_slice(&bytes).unwrap_or_default();
            *response.body_mut() = Body::from(bytes);
            made
        }
        Err(error) => {
            tracing::error!(%error, "an answer could not be read");
            Map::new()
        }
    }
}

/// Fills in what was asked for, and what was made by it.
fn completed(entry: Entry, asked: &Map<String, Value>, made: &Map<String, Value>) -> Entry {
    let text = |from: &Map<String, Value>, key: &str| Some(from.get(key)?.as_str()?.to_owned());
    let object = entry.object.or_else(|| parse_uuid(&text(made, "id")?).ok());
    let made_name = ["name", "checkoutPath"].iter().find_map(|key| text(made, key));
    let object_name = made_name.unwrap_or_else(|| entry.object_name.clone());
    let mut asked = asked.clone();
    if text(&asked, "name").as_ref() == Some(&object_name) {
        asked.remove("name");
    }
    Entry {
        object,
        object_name: one_line(&object_name, LONGEST_NAME),
        summary: one_line(&summary(&asked), LONGEST_SUMMARY),
        ..entry
    }
}

/// Whoever the answer signed in. Where there is nothing to sign in to, nothing has happened.
fn signed_in(draft: Draft, response: &Response) -> Option<Entry> {
    let cookie = response.headers().get(header::SET_COOKIE)?.to_str().ok()?;
    let session = access::session_in(cookie, &draft.before.config.settings.access)?;
    Some(Entry { role: session.role, name: session.name, ..draft.entry })
}

/// Which settings were changed. What they were set to is nobody's business here.
fn configured(draft: Draft, farm: &Farm) -> Entry {
    let (before, after) = (&draft.before.config, farm.live());
    let mut changed = changed_keys(&before.to_json(crate::config::Secrets::Masked), &farm.configuration());
    if changed.is_empty() && before.settings != after.config.settings {
        // A masked secret looks like any other.
        changed.push("a secret".to_owned());
    }
    let summary = if changed.is_empty() { String::new() } else { format!("changed: {}", changed.join(", ")) };
    Entry { summary: one_line(&summary, LONGEST_SUMMARY), ..draft.entry }
}

/// The entries that a request wants.
pub(super) async fn trail(farm: &Farm, query: FetchAuditQuery) -> Result<types::AuditTrail, Problem> {
    if let Some(operation) = &query.operation
        && !OPERATIONS.iter().any(|known| known.id == operation)
    {
        let message = format!("query parameter operation: there is no operation {operation:?} in the API");
        return Err(Problem::bad_request(message));
    }
    let filter = AuditFilter {
        object: query.object,
        name: query.name.unwrap_or_default(),
        operation: query.operation,
    };
    let limit = query.limit.and_then(|limit| u32::try_from(limit).ok()).unwrap_or(USUAL_LIMIT);
    let page = farm.audit_trail(&filter, query.before, limit).await?;
    Ok(types::AuditTrail {
        next_before: page.next.map(|place| place.seq),
        entries: page.entries.into_iter().map(entry).collect(),
    })
}

fn entry(Numbered { number, entry }: Numbered) -> types::AuditEntry {
    let some = |text: String| Some(text).filter(|text| !text.is_empty());
    types::AuditEntry {
        id: number,
        at: entry.at,
        operation: entry.operation,
        object_kind: kind(entry.kind),
        object_id: entry.object,
        object_name: some(entry.object_name),
        summary: entry.summary,
        role: role(entry.role),
        name: some(entry.name),
        address: entry.address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operation_that_changes_something_is_on_record() {
        let mut found: Vec<(&str, &str)> = OPERATIONS
            .iter()
            .filter_map(|operation| Some((changes(operation)?.as_str(), operation.id)))
            .collect();
        found.sort_unstable();
        assert_eq!(
            found,
            [
                ("checkout", "shamanCheckout"),
                ("configuration", "restartManager"),
                ("configuration", "saveSetupAssistantConfig"),
                ("configuration", "updateConfigurationFile"),
                ("job", "deleteJob"),
                ("job", "deleteJobMass"),
                ("job", "removeJobBlocklist"),
                ("job", "requeueJobFrames"),
                ("job", "setJobPoster"),
                ("job", "setJobPriority"),
                ("job", "setJobStatus"),
                ("job", "setJobTag"),
                ("job", "submitJob"),
                ("session", "createSession"),
                ("tag", "createWorkerTag"),
                ("tag", "deleteWorkerTag"),
                ("tag", "updateWorkerTag"),
                ("task", "setTaskStatus"),
                ("worker", "deleteWorker"),
                ("worker", "requestWorkerStatusChange"),
                ("worker", "setWorkerEnabled"),
                ("worker", "setWorkerSleepSchedule"),
                ("worker", "setWorkerTags"),
            ]
        );
        let passed_by = |operation: &Operation| operation.path.starts_with(WORKERS);
        assert!(OPERATIONS.iter().any(passed_by), "{WORKERS}");
        assert!(!OPERATIONS.iter().any(|operation| passed_by(operation) && changes(operation).is_some()));
        for id in NO_CHANGES {
            assert!(OPERATIONS.iter().any(|operation| operation.id == *id), "there is no operation {id}");
        }
    }

    #[test]
    fn the_object_of_a_path() {
        let id = "6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11";
        for (operation, path, want) in [
            ("/api/v3/jobs/{job_id}/setstatus", format!("/api/v3/jobs/{id}/setstatus"), Some(id)),
            ("/api/v3/jobs/{job_id}", "/api/v3/jobs/nonsense".to_owned(), None),
            ("/api/v3/jobs", "/api/v3/jobs".to_owned(), None),
        ] {
            assert_eq!(object_of(operation, &path).map(|id| id.to_string()).as_deref(), want, "{path}");
        }
    }

    #[test]
    fn what_was_made_has_its_name_from_the_answer() {
        let entry = Entry {
            at: chrono::DateTime::UNIX_EPOCH,
            operation: "submitJob".to_owned(),
            kind: ObjectKind::Job,
            object: None,
            object_name: "before".to_owned(),
            summary: String::new(),
            role: Role::Artist,
            name: String::new(),
            address: String::new(),
        };
        let id = "6a7b5c0e-2f4d-4f43-9d0a-0c2f1f6f7b11";
        for (asked, made, want) in [
            (
                json!({ "name": "shot", "priority": 7 }),
                json!({ "id": id, "name": "shot" }),
                (Some(id), "shot", "priority: 7"),
            ),
            (json!({ "name": "new" }), json!({}), (None, "before", "name: new")),
            (json!({}), json!({ "checkoutPath": "a/b" }), (None, "a/b", "")),
            (json!({ "status": "x" }), json!({ "id": 5, "name": ["x"] }), (None, "before", "status: x")),
        ] {
            let done = completed(entry.clone(), asked.as_object().unwrap(), made.as_object().unwrap());
            let object = done.object.map(|id| id.to_string());
            assert_eq!(
                (object.as_deref(), done.object_name.as_str(), done.summary.as_str()),
                want,
                "{asked}"
            );
        }
    }
}
