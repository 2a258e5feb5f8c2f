//! Operations of the tag `worker`: what workers themselves call.

use std::time::Duration;

use flamenco_api::operations::{
    MayWorkerRunResponse, RegisterWorkerResponse, ScheduleTaskQuery, ScheduleTaskResponse, SignOffResponse,
    SignOnResponse, TaskUpdateResponse, WorkerStateChangedResponse, WorkerStateResponse,
};
use flamenco_api::server::WorkerApi;
use flamenco_api::{Problem, types};
use flamenco_crosspath::Platform;
use flamenco_domain::task::{MayRun, TaskReport};
use flamenco_domain::variables::Audience;
use flamenco_domain::worker::WorkerStatus;
use uuid::Uuid;

use super::{Api, Caller, convert};
use crate::farm::scheduler::{Answer, Assigned};
use crate::farm::workers::{Registration, SignOn};

const fn state(status: WorkerStatus) -> types::WorkerStateChange {
    types::WorkerStateChange { status_requested: convert::worker_status(status) }
}

impl Api {
    /// The task as this worker should see it: variables are replaced for its platform.
    fn assigned(&self, assigned: Assigned, platform: &str) -> types::AssignedTask {
        let platform = Platform::new(platform);
        let Assigned { task, job_priority, job_type } = assigned;
        let variables = &self.farm.live().variables;
        let commands = task.commands.into_iter().map(|mut command| {
            command.parameters =
                variables.expand_parameters(&command.parameters, Audience::Workers, &platform);
            convert::command(command)
        });
        types::AssignedTask {
            uuid: task.summary.id.0,
            job: task.summary.job_id.0,
            name: task.summary.name,
            status: convert::task_status(task.summary.status),
            priority: task.summary.priority,
            job_priority,
            job_type,
            task_type: task.summary.task_type,
            commands: commands.collect(),
            steps_completed: task.summary.steps_completed,
            steps_total: task.summary.steps_total,
        }
    }
}

impl WorkerApi for Api {
    async fn register_worker(
        &self,
        caller: Caller,
        body: types::WorkerRegistration,
    ) -> Result<RegisterWorkerResponse, Problem> {
        let worker = self
            .farm
            .register(Registration {
                name: body.name,
                secret: body.secret,
                platform: body.platform,
                task_types: body.supported_task_types,
                address: caller.address,
            })
            .await?;
        Ok(RegisterWorkerResponse::Status200(types::RegisteredWorker {
            uuid: worker.id.0,
            name: worker.name,
            address: worker.address,
            platform: worker.platform,
            software: worker.software,
            status: worker.status.as_str().to_owned(),
            supported_task_types: worker.task_types,
        }))
    }

    async fn sign_on(&self, caller: Caller, body: types::WorkerSignOn) -> Result<SignOnResponse, Problem> {
        let id = caller.worker()?.id;
        let says = SignOn {
            name: body.name,
            task_types: body.supported_task_types,
            software: body.software_version,
            can_restart: body.can_restart.unwrap_or(false),
            address: caller.address,
        };
        Ok(SignOnResponse::Status200(state(self.farm.sign_on(id, says).await?)))
    }

    async fn sign_off(&self, caller: Caller) -> Result<SignOffResponse, Problem> {
        self.farm.sign_off(caller.worker()?.id).await?;
        Ok(SignOffResponse::Status204)
    }

    async fn worker_state(&self, caller: Caller) -> Result<WorkerStateResponse, Problem> {
        let worker = caller.worker()?;
        self.farm.mark_seen(worker).await?;
        Ok(match worker.requested {
            None => WorkerStateResponse::Status204,
            Some(request) => WorkerStateResponse::Status200(state(request.status)),
        })
    }

    async fn worker_state_changed(
        &self,
        caller: Caller,
        body: types::WorkerStateChanged,
    ) -> Result<WorkerStateChangedResponse, Problem> {
        self.farm.state_changed(caller.worker()?.id, convert::from_worker_status(body.status)).await?;
        Ok(WorkerStateChangedResponse::Status204)
    }

    async fn schedule_task(
        &self,
        caller: Caller,
        query: ScheduleTaskQuery,
    ) -> Result<ScheduleTaskResponse, Problem> {
        let worker = caller.worker()?;
        let wait =
            Duration::from_secs(query.wait.and_then(|seconds| u64::try_from(seconds).ok()).unwrap_or(0));
        Ok(match self.farm.schedule(worker.id, wait, &self.cancel).await? {
            Answer::Nothing => ScheduleTaskResponse::Status204,
            Answer::ChangeStatus(status) => ScheduleTaskResponse::Status423(state(status)),
            Answer::Task(assigned) => {
                ScheduleTaskResponse::Status200(self.assigned(*assigned, &worker.platform))
            }
        })
    }

    async fn task_update(
        &self,
        caller: Caller,
        task_id: Uuid,
        body: types::TaskUpdate,
    ) -> Result<TaskUpdateResponse, Problem> {
        let report = TaskReport {
            status: body.task_status.map(convert::from_task_status),
            activity: body.activity,
            steps_completed: body.steps_completed,
            log: body.log,
        };
        self.farm.report_task(caller.worker()?, task_id.into(), report).await?;
        Ok(TaskUpdateResponse::Status204)
    }

    async fn may_worker_run(&self, caller: Caller, task_id: Uuid) -> Result<MayWorkerRunResponse, Problem> {
        let answer = self.farm.may_run(caller.worker()?, task_id.into()).await?;
        let (reason, status_change) = match &answer {
            MayRun::Yes => (String::new(), false),
            MayRun::No { reason, status_change } => (reason.clone(), *status_change),
        };
        Ok(MayWorkerRunResponse::Status200(types::MayKeepRunning {
            may_keep_running: answer == MayRun::Yes,
            reason,
            status_change_requested: status_change,
        }))
    }
}
