//! Operations of the tag `worker`: what workers themselves call.

use std::time::Duration;

use axum::http::StatusCode;
use flamenco_api::operations::{
    MayWorkerRunResponse, RegisterWorkerResponse, ReportFrameProgressResponse, ReportFramesResponse,
    ReportMachineResponse, ReportWorkerLogResponse, ScheduleTaskQuery, ScheduleTaskResponse, SignOffResponse,
    SignOnResponse, TaskOutputProducedQuery, TaskOutputProducedResponse, TaskUpdateResponse,
    WorkerStateChangedResponse, WorkerStateResponse,
};
use flamenco_api::server::{UploadBody, WorkerApi};
use flamenco_api::{Problem, types};
use flamenco_crosspath::Platform;
use flamenco_domain::frame::FrameProgress;
use flamenco_domain::task::{LogPosition, MayRun, TaskReport};
use flamenco_domain::variables::Audience;
use flamenco_domain::worker::WorkerStatus;
use uuid::Uuid;

use super::{Api, Caller, Versions, convert, frames, machines};
use crate::farm::frames::spool::Spool;
use crate::farm::last_rendered::LARGEST;
use crate::farm::scheduler::{Answer, Assigned};
use crate::farm::workers::{Registration, SignOn};

const fn state(status: WorkerStatus) -> types::WorkerStateChange {
    types::WorkerStateChange { status_requested: convert::worker_status(status), shared_storage: None }
}

/// Whether a worker runs another version than this manager, which is no error: they may be updated one by one.
fn differs(software: &str, versions: &Versions) -> bool {
    let software = software.trim();
    !software.is_empty() && software != versions.short && software != versions.long
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
        let worker = caller.worker()?;
        let (id, platform) = (worker.id, Platform::new(&worker.platform));
        let says = SignOn {
            name: body.name,
            task_types: body.supported_task_types,
            software: body.software_version,
            can_restart: body.can_restart.unwrap_or(false),
            address: caller.address,
        };
        let (name, software) = (says.name.clone(), says.software.clone());
        let wanted = self.farm.sign_on(id, says).await?;
        if differs(&software, &self.versions) {
            let manager = &self.versions.short;
            tracing::info!(worker.id = %id, "worker {name} runs version {software:?}, and this manager {manager}");
        }
        let live = self.farm.live();
        // Not the folder of the checkouts below it, which is made by the first of them.
        let storage = live.config.shared_storage.display().to_string();
        let storage = live.variables.expand(&storage, Audience::Workers, &platform);
        Ok(SignOnResponse::Status200(types::WorkerStateChange {
            shared_storage: Some(storage),
            ..state(wanted)
        }))
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
        Ok(match self.farm.schedule(worker, wait, &self.cancel).await? {
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
            log_position: body.log_position.map(|position| LogPosition {
                stream: position.stream,
                // It is not negative: that is checked against the document.
                offset: position.offset.unsigned_abs(),
            }),
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

    async fn report_frames(
        &self,
        caller: Caller,
        task_id: Uuid,
        body: types::FrameReports,
    ) -> Result<ReportFramesResponse, Problem> {
        let reports = body.frames.into_iter().map(frames::from_report).collect();
        self.farm.report_frames(caller.worker()?, task_id.into(), reports).await?;
        Ok(ReportFramesResponse::Status204)
    }

    async fn report_frame_progress(
        &self,
        caller: Caller,
        task_id: Uuid,
        body: types::FrameProgress,
    ) -> Result<ReportFrameProgressResponse, Problem> {
        let progress = FrameProgress { frame: body.frame, percent: body.percent };
        self.farm.report_frame_progress(caller.worker()?, task_id.into(), progress).await?;
        Ok(ReportFrameProgressResponse::Status204)
    }

    async fn report_machine(
        &self,
        caller: Caller,
        body: types::MachineReport,
    ) -> Result<ReportMachineResponse, Problem> {
        self.farm.report_machine(caller.worker()?, machines::from_report(body)).await?;
        Ok(ReportMachineResponse::Status204)
    }

    async fn report_worker_log(
        &self,
        caller: Caller,
        body: types::WorkerLogReport,
    ) -> Result<ReportWorkerLogResponse, Problem> {
        self.farm.report_worker_log(caller.worker()?, &body.lines, body.anew.unwrap_or(false));
        Ok(ReportWorkerLogResponse::Status204)
    }

    async fn task_output_produced(
        &self,
        caller: Caller,
        task_id: Uuid,
        query: TaskOutputProducedQuery,
        body: UploadBody,
    ) -> Result<TaskOutputProducedResponse, Problem> {
        let worker = caller.worker()?;
        let of = frames::picture_of(query)?;
        self.farm.mark_seen(worker).await?;
        let length = match body.content_length {
            None | Some(0) => {
                let text = "send a Content-Length that is not zero; a chunked upload has none";
                return Err(Problem::new(StatusCode::LENGTH_REQUIRED, text));
            }
            Some(length) if length > LARGEST => {
                let text =
                    format!("the picture has {length} bytes, at most {LARGEST} are taken; scale it down");
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, text));
            }
            Some(length) => length,
        };
        let expected = self.farm.expect_picture(worker.id, task_id.into()).await?;
        let picture = read_picture(body, length, self.farm.picture_spool()).await?;
        self.farm.output_produced(expected, of, picture).await?;
        Ok(TaskOutputProducedResponse::Status202)
    }
}

/// The content of an upload of a known, bounded length.
async fn read_picture(mut body: UploadBody, length: u64, mut spool: Spool) -> Result<Spool, Problem> {
    while let Some(part) = body.next_part().await? {
        spool.add(&part).await?;
        if spool.length() > length {
            return Err(Problem::bad_request("the upload is longer than its Content-Length"));
        }
    }
    Ok(spool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_version_is_noticed() {
        let versions = Versions { short: "1.2.3".into(), long: "1.2.3 (abc)".into(), git: "abc".into() };
        for (software, expected) in [
            ("1.2.3", false),
            (" 1.2.3 (abc)", false),
            ("", false),
            ("1.2.4", true),
            ("3.9-beta1 (v3.9-beta1-0-gabc)", true),
        ] {
            assert_eq!(differs(software, &versions), expected, "{software:?}");
        }
    }
}
