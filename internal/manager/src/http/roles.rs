//! What each operation wants its caller to be, and what callers are told who are not.

use axum::http::StatusCode;
use flamenco_api::{Operation, Problem};
use flamenco_domain::role::Role;

use super::access::{Identity, Shown};

/// What an operation wants its caller to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Nothing: it says which manager this is, or is how to sign in.
    Nothing,
    /// A worker's own credentials.
    Worker,
    /// The registration token, or the admin token.
    Registration,
    /// At least this role.
    Role(Role),
}

const NOTHING: &[&str] = &["getVersion", "getSession", "createSession", "deleteSession"];

/// What reads, and tells nothing that only settings need.
const VIEWER: &[&str] = &[
    "getConfiguration",
    "getSharedStorage",
    "getFarmStatus",
    "fetchAttention",
    "fetchWorkers",
    "fetchWorker",
    "fetchWorkerSleepSchedule",
    "fetchMachines",
    "fetchFarmMachines",
    "fetchWorkerMachine",
    "fetchWorkerLog",
    "fetchWorkerPace",
    "fetchWorkerTags",
    "fetchWorkerTag",
    "getJobTypes",
    "getBrokenJobTypes",
    "getJobType",
    "fetchJobs",
    "searchJobs",
    "fetchGlobalLastRenderedInfo",
    "fetchJob",
    "deleteJobWhatWouldItDo",
    "fetchJobLastRenderedInfo",
    "fetchJobSubmission",
    "fetchJobTasks",
    "fetchJobFrames",
    "fetchJobFrameGrid",
    "fetchJobFrameSummary",
    "fetchJobFrame",
    "fetchJobPreview",
    "fetchLatestFrames",
    "fetchFrameStatistics",
    "fetchJobBlocklist",
    "fetchTasks",
    "fetchTask",
    "fetchTaskLogTail",
    "fetchTaskLogInfo",
    "fetchTaskDependencies",
];

/// What submits jobs, and directs jobs and tasks.
const ARTIST: &[&str] = &[
    // A program that submits may have to know where its files are on the machines of the workers.
    "getVariables",
    "submitJob",
    "submitJobCheck",
    "deleteJob",
    "setJobStatus",
    "setJobPriority",
    "setJobTag",
    "requeueJobFrames",
    "setJobPoster",
    "removeJobBlocklist",
    "setTaskStatus",
    "shamanCheckoutRequirements",
    "shamanCheckout",
    "shamanFileStoreCheck",
    "shamanFileStore",
];

impl Needs {
    pub(super) fn of(operation: &Operation) -> Self {
        match operation.id {
            id if NOTHING.contains(&id) => Self::Nothing,
            "registerWorker" => Self::Registration,
            _ if operation.worker_auth => Self::Worker,
            id if VIEWER.contains(&id) => Self::Role(Role::Viewer),
            id if ARTIST.contains(&id) => Self::Role(Role::Artist),
            // Also what is added one day and belongs to nobody yet.
            _ => Self::Role(Role::Admin),
        }
    }
}

/// Refuses a caller that is less than an operation needs. Workers are checked elsewhere.
pub(super) fn check(caller: &Identity, needs: Needs) -> Result<(), Problem> {
    let unauthorized = |message: String| Err(Problem::new(StatusCode::UNAUTHORIZED, message));
    match needs {
        Needs::Nothing | Needs::Worker => Ok(()),
        Needs::Registration if caller.may_register => Ok(()),
        Needs::Registration => unauthorized(
            "this manager only accepts new workers that send its registration token; write it into the worker's \
             manager_url: http://worker:TOKEN@host:port"
                .to_owned(),
        ),
        Needs::Role(role) if caller.role >= role => Ok(()),
        Needs::Role(role) => match caller.shown {
            Shown::Token => Err(Problem::new(
                StatusCode::FORBIDDEN,
                format!(
                    "this needs the role {role}, and your token has the role {}; sign in with a token of that role, \
                     which whoever runs the farm can tell you",
                    caller.role
                ),
            )),
            Shown::Unknown => unauthorized(format!(
                "what was sent is not a token of this manager; sign in on its web page, or send the {role} token as \
                 Authorization: Bearer"
            )),
            Shown::Nothing => unauthorized(format!(
                "this manager wants its {role} token for this; sign in on its web page, or send the token as \
                 Authorization: Bearer"
            )),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flamenco_api::operations::OPERATIONS;

    /// What only admins may do.
    const ADMIN: &[&str] = &[
        "checkSharedStoragePath",
        "findBlenderExePath",
        "checkBlenderExePath",
        "saveSetupAssistantConfig",
        "getConfigurationFile",
        "updateConfigurationFile",
        "getConfigurationState",
        "fetchManagerLog",
        "restartManager",
        "fetchAudit",
        "deleteWorker",
        "requestWorkerStatusChange",
        "setWorkerEnabled",
        "setWorkerTags",
        "setWorkerSleepSchedule",
        "createWorkerTag",
        "updateWorkerTag",
        "deleteWorkerTag",
        "deleteJobMass",
        "fetchJobMassDeletionPreview",
    ];

    #[test]
    fn every_operation_has_its_place() {
        let lists = [NOTHING, &["registerWorker"], VIEWER, ARTIST, ADMIN];
        for operation in OPERATIONS {
            let places = lists.iter().filter(|list| list.contains(&operation.id)).count();
            let want = usize::from(!operation.worker_auth);
            assert_eq!(
                places, want,
                "decide who may do {}, and write it into one of the lists",
                operation.id
            );
            let changes = operation.method != "GET" && Needs::of(operation) == Needs::Role(Role::Viewer);
            assert!(!changes, "viewers change nothing: {}", operation.id);
        }
        for id in lists.concat() {
            assert!(OPERATIONS.iter().any(|operation| operation.id == id), "there is no operation {id}");
        }
        let of = |id: &str| Needs::of(OPERATIONS.iter().find(|operation| operation.id == id).unwrap());
        assert!(NOTHING.iter().all(|id| of(id) == Needs::Nothing));
        assert!(VIEWER.iter().all(|id| of(id) == Needs::Role(Role::Viewer)));
        assert!(ARTIST.iter().all(|id| of(id) == Needs::Role(Role::Artist)));
        assert!(ADMIN.iter().all(|id| of(id) == Needs::Role(Role::Admin)));
        assert_eq!((of("registerWorker"), of("scheduleTask")), (Needs::Registration, Needs::Worker));
    }

    #[test]
    fn who_is_refused_and_why() {
        use Role::{Admin, Artist, None, Viewer};
        let ok = (0, "");
        let (wanted, unknown) = (401, "wants its");
        // What was shown, the role that it gives, and the answer to what viewers, artists and admins may do.
        for (shown, role, answers) in [
            (Shown::Nothing, Admin, [ok, ok, ok]),
            (
                Shown::Nothing,
                None,
                [(wanted, "wants its viewer token"), (401, "artist token"), (401, unknown)],
            ),
            (Shown::Nothing, Viewer, [ok, (401, "wants its artist token"), (401, "wants its admin token")]),
            (Shown::Nothing, Artist, [ok, ok, (401, "wants its admin token")]),
            (
                Shown::Unknown,
                None,
                [(401, "not a token of this"), (401, "not a token"), (401, "not a token")],
            ),
            (
                Shown::Token,
                Viewer,
                [ok, (403, "role artist, and your token has the role viewer"), (403, "role admin")],
            ),
            (Shown::Token, Artist, [ok, ok, (403, "role admin, and your token has the role artist")]),
            (Shown::Token, Admin, [ok, ok, ok]),
        ] {
            let caller = Identity { role, shown, name: String::new(), may_register: false };
            for (needed, (status, why)) in [Viewer, Artist, Admin].into_iter().zip(answers) {
                let answer = check(&caller, Needs::Role(needed));
                let found = answer.as_ref().err().map_or(0, |problem| problem.status.as_u16());
                let message = answer.err().map(|problem| problem.message).unwrap_or_default();
                assert!(found == status && message.contains(why), "{caller:?} {needed}: {found} {message}");
            }
            assert!(check(&caller, Needs::Nothing).is_ok() && check(&caller, Needs::Worker).is_ok());
            assert_eq!(check(&caller, Needs::Registration).unwrap_err().status, 401);
            assert!(check(&Identity { may_register: true, ..caller }, Needs::Registration).is_ok());
        }
    }
}
