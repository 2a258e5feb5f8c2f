//! Operations of the tag `jobs`.

use flamenco_api::operations::{
    DeleteJobMassResponse, DeleteJobResponse, DeleteJobWhatWouldItDoResponse, FetchFrameStatisticsQuery,
    FetchFrameStatisticsResponse, FetchGlobalLastRenderedInfoResponse, FetchJobBlocklistResponse,
    FetchJobFrameGridQuery, FetchJobFrameGridResponse, FetchJobFrameQuery, FetchJobFrameResponse,
    FetchJobFrameSummaryResponse, FetchJobFramesQuery, FetchJobFramesResponse,
    FetchJobLastRenderedInfoResponse, FetchJobMassDeletionPreviewQuery, FetchJobMassDeletionPreviewResponse,
    FetchJobPreviewQuery, FetchJobPreviewResponse, FetchJobResponse, FetchJobSubmissionResponse,
    FetchJobTasksQuery, FetchJobTasksResponse, FetchJobsQuery, FetchJobsResponse, FetchLatestFramesQuery,
    FetchLatestFramesResponse, FetchTaskDependenciesQuery, FetchTaskDependenciesResponse,
    FetchTaskLogInfoResponse, FetchTaskLogTailResponse, FetchTaskResponse, FetchTasksQuery,
    FetchTasksResponse, GetBrokenJobTypesResponse, GetJobTypeResponse, GetJobTypesResponse,
    RemoveJobBlocklistResponse, RequeueJobFramesResponse, SearchJobsQuery, SearchJobsResponse,
    SetJobPosterResponse, SetJobPriorityResponse, SetJobStatusResponse, SetJobTagResponse,
    SetTaskStatusResponse, SubmitJobCheckResponse, SubmitJobResponse,
};
use flamenco_api::server::JobsApi;
use flamenco_api::{Problem, types};
use flamenco_domain::frame::Frame;
use flamenco_domain::ids::{JobId, WorkerId};
use flamenco_domain::task::TaskSummary;
use flamenco_jobscript::{BrokenJobType, JobType};
use uuid::Uuid;

use super::submission::{submission, submitted_job};
use super::{Api, Caller, attention, convert, frames, links, lists, mass_deletion, problem};
use crate::error::Error;
use crate::farm::tags::TagChoice;

/// Places of a grid when the caller sets no limit.
const GRID_LIMIT: usize = 10_000;
/// Jobs that are found when the caller sets no limit.
const SEARCH_LIMIT: i64 = 20;
/// Jobs of a mass deletion that are named when the caller sets no limit.
const NAMED_LIMIT: i64 = 20;
/// Latest frames when the caller sets no limit.
const LATEST_LIMIT: i64 = 12;

fn job_type(job_type: &JobType) -> Result<types::AvailableJobType, Problem> {
    serde_json::from_value(job_type.to_json()).map_err(|error| {
        let text = format!("JOB_TYPE of {} is not as the API describes it: {error}", job_type.name);
        tracing::warn!("{text}");
        Problem::new(axum::http::StatusCode::INTERNAL_SERVER_ERROR, text)
    })
}

/// What is wrong with a job type, if it cannot be offered.
fn broken_job_type(listed: Result<JobType, BrokenJobType>) -> Option<types::BrokenJobType> {
    match listed {
        Ok(known) => {
            let message = job_type(&known).err()?.message;
            let JobType { name, file, .. } = known;
            Some(types::BrokenJobType { name, file, message, wrong_file: None, line: None, column: None })
        }
        Err(broken) => Some(types::BrokenJobType {
            name: broken.name,
            file: broken.file,
            message: broken.reason,
            wrong_file: broken.wrong_file,
            line: broken.line.map(i64::from),
            column: broken.column.map(i64::from),
        }),
    }
}

impl Api {
    /// Adds to jobs how far their frames are.
    async fn with_frames(&self, jobs: &mut [types::Job]) -> Result<(), Problem> {
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id.into()).collect();
        let counts = self.farm.frame_counts(&ids).await?;
        let active = jobs
            .iter()
            .map(|job| (job.id.into(), job.task_counts.as_ref().map_or(0, |counts| counts.active)));
        let estimates = self.farm.estimates(&active.collect::<Vec<_>>()).await?;
        for job in jobs {
            let id = job.id.into();
            job.frames = counts.get(&id).map(|counts| frames::counts(id, counts, estimates.get(&id)));
        }
        Ok(())
    }

    /// How whoever asks sees the file of a frame.
    fn frame_path(&self, platform: Option<String>) -> impl Fn(&Frame) -> Option<String> {
        move |frame| self.farm.frame_path(frame, platform.as_deref()?)
    }
}

impl JobsApi for Api {
    async fn get_job_types(&self, _: Caller) -> Result<GetJobTypesResponse, Problem> {
        let all = self.farm.job_types().await?;
        let job_types = all.iter().flatten().filter_map(|known| job_type(known).ok()).collect();
        Ok(GetJobTypesResponse::Status200(types::AvailableJobTypes { job_types }))
    }

    async fn get_broken_job_types(&self, _: Caller) -> Result<GetBrokenJobTypesResponse, Problem> {
        let all = self.farm.job_types().await?;
        let job_types = all.into_iter().filter_map(broken_job_type).collect();
        Ok(GetBrokenJobTypesResponse::Status200(types::BrokenJobTypes { job_types }))
    }

    async fn get_job_type(&self, _: Caller, type_name: String) -> Result<GetJobTypeResponse, Problem> {
        Ok(GetJobTypeResponse::Status200(job_type(&self.farm.job_type(type_name).await?)?))
    }

    async fn submit_job(&self, _: Caller, body: types::SubmittedJob) -> Result<SubmitJobResponse, Problem> {
        let job = self.farm.submit(submission(body)).await?;
        Ok(SubmitJobResponse::Status200(convert::job(job)))
    }

    async fn fetch_job_submission(
        &self,
        _: Caller,
        job_id: Uuid,
    ) -> Result<FetchJobSubmissionResponse, Problem> {
        let (submission, as_submitted) = self.farm.submission_of(job_id.into()).await?;
        let submission = submitted_job(submission);
        Ok(FetchJobSubmissionResponse::Status200(types::JobSubmission { submission, as_submitted }))
    }

    async fn submit_job_check(
        &self,
        _: Caller,
        body: types::SubmittedJob,
    ) -> Result<SubmitJobCheckResponse, Problem> {
        self.farm.check_submission(submission(body)).await?;
        Ok(SubmitJobCheckResponse::Status204)
    }

    async fn fetch_jobs(&self, _: Caller, query: FetchJobsQuery) -> Result<FetchJobsResponse, Problem> {
        let (filter, order) = lists::jobs(query)?;
        let mut page = self.farm.list_jobs(&filter, &order.paging, convert::job).await?;
        self.with_frames(&mut page.entries).await?;
        let next_cursor = page.next.map(|place| order.cursor(place)).transpose()?;
        Ok(FetchJobsResponse::Status200(types::JobsQueryResult { jobs: page.entries, next_cursor }))
    }

    async fn fetch_job(&self, _: Caller, job_id: Uuid) -> Result<FetchJobResponse, Problem> {
        let mut job = convert::job(self.farm.job(job_id.into()).await?);
        self.with_frames(std::slice::from_mut(&mut job)).await?;
        Ok(FetchJobResponse::Status200(job))
    }

    async fn fetch_job_tasks(
        &self,
        _: Caller,
        job_id: Uuid,
        query: FetchJobTasksQuery,
    ) -> Result<FetchJobTasksResponse, Problem> {
        let (filter, order) = lists::tasks(query)?;
        let page = self.farm.list_tasks(job_id.into(), &filter, &order.paging, convert::task_summary).await?;
        let next_cursor = page.next.map(|place| order.cursor(place)).transpose()?;
        Ok(FetchJobTasksResponse::Status200(types::JobTasksSummary { tasks: page.entries, next_cursor }))
    }

    async fn fetch_tasks(&self, _: Caller, query: FetchTasksQuery) -> Result<FetchTasksResponse, Problem> {
        let (filter, order) = lists::farm_tasks(query)?;
        let of_farm = |task: TaskSummary, job_name| types::FarmTask {
            job: task.job_id.0,
            job_name,
            task: convert::task_summary(task),
        };
        let page = self.farm.list_farm_tasks(&filter, &order.paging, of_farm).await?;
        let next_cursor = page.next.map(|place| order.cursor(place)).transpose()?;
        Ok(FetchTasksResponse::Status200(types::FarmTasks { tasks: page.entries, next_cursor }))
    }

    async fn fetch_job_frames(
        &self,
        _: Caller,
        job_id: Uuid,
        query: FetchJobFramesQuery,
    ) -> Result<FetchJobFramesResponse, Problem> {
        let platform = query.platform.clone();
        let found = self.farm.frames(job_id.into(), frames::filter(query)?).await?;
        Ok(FetchJobFramesResponse::Status200(frames::page(found, self.frame_path(platform))))
    }

    async fn fetch_job_frame_grid(
        &self,
        _: Caller,
        job_id: Uuid,
        query: FetchJobFrameGridQuery,
    ) -> Result<FetchJobFrameGridResponse, Problem> {
        let window = (query.from.unwrap_or(i64::MIN), query.to.unwrap_or(i64::MAX));
        let limit = query.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(GRID_LIMIT);
        let states = frames::states(query.state);
        let found = self.farm.frame_places(job_id.into(), window, &states, limit).await?;
        Ok(FetchJobFrameGridResponse::Status200(frames::grid(found)))
    }

    async fn fetch_job_frame(
        &self,
        _: Caller,
        job_id: Uuid,
        frame: i64,
        query: FetchJobFrameQuery,
    ) -> Result<FetchJobFrameResponse, Problem> {
        let found = self.farm.frame_details(job_id.into(), frame).await?;
        let path = self.frame_path(query.platform);
        Ok(FetchJobFrameResponse::Status200(frames::details(found, path)))
    }

    async fn fetch_job_frame_summary(
        &self,
        _: Caller,
        job_id: Uuid,
    ) -> Result<FetchJobFrameSummaryResponse, Problem> {
        let found = self.farm.frame_summary(job_id.into()).await?;
        Ok(FetchJobFrameSummaryResponse::Status200(frames::summary(found)))
    }

    async fn requeue_job_frames(
        &self,
        _: Caller,
        job_id: Uuid,
        body: types::FrameRequeue,
    ) -> Result<RequeueJobFramesResponse, Problem> {
        let reason = body.reason.unwrap_or_default();
        let done = self.farm.requeue_frames(job_id.into(), &body.frames, &reason).await?;
        Ok(RequeueJobFramesResponse::Status200(frames::requeued(&done)))
    }

    async fn fetch_job_preview(
        &self,
        _: Caller,
        job_id: Uuid,
        query: FetchJobPreviewQuery,
    ) -> Result<FetchJobPreviewResponse, Problem> {
        let job = job_id.into();
        let found = self.farm.preview(job, frames::preview_size(query.size), query.fps).await?;
        Ok(FetchJobPreviewResponse::Status200(frames::preview(job, found)))
    }

    async fn set_job_poster(
        &self,
        _: Caller,
        job_id: Uuid,
        body: types::JobPosterChoice,
    ) -> Result<SetJobPosterResponse, Problem> {
        self.farm.set_poster(job_id.into(), body.frame).await?;
        Ok(SetJobPosterResponse::Status204)
    }

    async fn fetch_latest_frames(
        &self,
        _: Caller,
        query: FetchLatestFramesQuery,
    ) -> Result<FetchLatestFramesResponse, Problem> {
        let limit = query.limit.unwrap_or(LATEST_LIMIT);
        let found = self.farm.latest_frames(limit, query.thumbnails_only.unwrap_or(false)).await?;
        let path = self.frame_path(query.platform);
        let frames = found.into_iter().map(|found| frames::latest(found, &path)).collect();
        Ok(FetchLatestFramesResponse::Status200(types::LatestFrames { frames }))
    }

    async fn fetch_frame_statistics(
        &self,
        _: Caller,
        query: FetchFrameStatisticsQuery,
    ) -> Result<FetchFrameStatisticsResponse, Problem> {
        let worker = query.worker.map(WorkerId);
        let found = self.farm.frame_statistics(frames::span(query.span), worker).await?;
        Ok(FetchFrameStatisticsResponse::Status200(frames::statistics(found)))
    }

    async fn fetch_task(&self, _: Caller, task_id: Uuid) -> Result<FetchTaskResponse, Problem> {
        let (task, failed_by) = self.farm.task(task_id.into()).await?;
        Ok(FetchTaskResponse::Status200(convert::task(task, &failed_by)))
    }

    async fn fetch_task_dependencies(
        &self,
        _: Caller,
        task_id: Uuid,
        query: FetchTaskDependenciesQuery,
    ) -> Result<FetchTaskDependenciesResponse, Problem> {
        let found = self.farm.task_dependencies(task_id.into(), &links::wanted(query)).await?;
        Ok(FetchTaskDependenciesResponse::Status200(links::around(found)))
    }

    async fn fetch_task_log_tail(
        &self,
        _: Caller,
        task_id: Uuid,
    ) -> Result<FetchTaskLogTailResponse, Problem> {
        Ok(match self.farm.log_tail(task_id.into()).await? {
            Some(tail) => FetchTaskLogTailResponse::Status200(tail),
            None => FetchTaskLogTailResponse::Status204,
        })
    }

    async fn fetch_task_log_info(
        &self,
        _: Caller,
        task_id: Uuid,
    ) -> Result<FetchTaskLogInfoResponse, Problem> {
        Ok(match self.farm.log_info(task_id.into()).await? {
            None => FetchTaskLogInfoResponse::Status204,
            Some((job, info)) => FetchTaskLogInfoResponse::Status200(types::TaskLogInfo {
                task_id,
                job_id: job.0,
                url: info.url,
                size: i64::try_from(info.size).unwrap_or(i64::MAX),
            }),
        })
    }

    async fn set_job_status(
        &self,
        _: Caller,
        job_id: Uuid,
        body: types::JobStatusChange,
    ) -> Result<SetJobStatusResponse, Problem> {
        self.farm.set_job_status(job_id.into(), convert::from_job_status(body.status), body.reason).await?;
        Ok(SetJobStatusResponse::Status204)
    }

    async fn set_job_priority(
        &self,
        _: Caller,
        job_id: Uuid,
        body: types::JobPriorityChange,
    ) -> Result<SetJobPriorityResponse, Problem> {
        self.farm.set_job_priority(job_id.into(), body.priority).await?;
        Ok(SetJobPriorityResponse::Status204)
    }

    async fn set_task_status(
        &self,
        _: Caller,
        task_id: Uuid,
        body: types::TaskStatusChange,
    ) -> Result<SetTaskStatusResponse, Problem> {
        self.farm
            .set_task_status(task_id.into(), convert::from_task_status(body.status), body.reason)
            .await?;
        Ok(SetTaskStatusResponse::Status204)
    }

    async fn fetch_job_blocklist(
        &self,
        _: Caller,
        job_id: Uuid,
    ) -> Result<FetchJobBlocklistResponse, Problem> {
        let entries =
            self.farm.blocklist(job_id.into()).await?.into_iter().map(|block| types::JobBlocklistEntry {
                worker_id: block.worker.to_string(),
                worker_name: Some(block.worker_name),
                task_type: block.task_type,
            });
        Ok(FetchJobBlocklistResponse::Status200(types::JobBlocklist(entries.collect())))
    }

    async fn remove_job_blocklist(
        &self,
        _: Caller,
        job_id: Uuid,
        body: Option<types::JobBlocklist>,
    ) -> Result<RemoveJobBlocklistResponse, Problem> {
        let mut entries = Vec::new();
        for entry in body.map(|list| list.0).unwrap_or_default() {
            let worker =
                entry.worker_id.parse().map_err(|error| Error::Invalid(format!("worker_id: {error}")))?;
            entries.push((worker, entry.task_type));
        }
        self.farm.unblock(job_id.into(), entries).await?;
        Ok(RemoveJobBlocklistResponse::Status204)
    }

    async fn set_job_tag(
        &self,
        _: Caller,
        job_id: Uuid,
        body: types::JobTagChange,
    ) -> Result<SetJobTagResponse, Problem> {
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let choice = match (given(body.id), given(body.name)) {
            (Some(id), _) => {
                TagChoice::Id(id.parse().map_err(|error| Error::Invalid(format!("id: {error}")))?)
            }
            (None, Some(name)) => TagChoice::Name(name),
            (None, None) => TagChoice::None,
        };
        self.farm.set_job_tag(job_id.into(), choice).await.map_err(problem::unprocessable_tag)?;
        Ok(SetJobTagResponse::Status204)
    }

    async fn delete_job(&self, _: Caller, job_id: Uuid) -> Result<DeleteJobResponse, Problem> {
        self.farm.delete_job(job_id.into()).await?;
        Ok(DeleteJobResponse::Status204)
    }

    async fn fetch_job_mass_deletion_preview(
        &self,
        _: Caller,
        query: FetchJobMassDeletionPreviewQuery,
    ) -> Result<FetchJobMassDeletionPreviewResponse, Problem> {
        let limit = query.limit.unwrap_or(NAMED_LIMIT);
        let selection = mass_deletion::wanted(query.last_updated_max, query.status);
        let found = self.farm.mass_deletion_preview(&selection, limit).await?;
        let preview = mass_deletion::preview(selection.moment, found);
        Ok(FetchJobMassDeletionPreviewResponse::Status200(preview))
    }

    async fn delete_job_mass(
        &self,
        _: Caller,
        body: types::JobMassDeletionSelection,
    ) -> Result<DeleteJobMassResponse, Problem> {
        let expected = body.expected_jobs;
        let marked = self.farm.delete_jobs(mass_deletion::selection(body)?, expected).await?;
        if marked == 0 && expected.is_none() {
            let text = "no job was last updated at or before that moment";
            return Err(Problem::new(axum::http::StatusCode::RANGE_NOT_SATISFIABLE, text));
        }
        if expected.is_some() {
            let marked = i64::try_from(marked).unwrap_or(i64::MAX);
            return Ok(DeleteJobMassResponse::Status200(types::JobMassDeletionResult { marked }));
        }
        Ok(DeleteJobMassResponse::Status204)
    }

    async fn delete_job_what_would_it_do(
        &self,
        _: Caller,
        job_id: Uuid,
    ) -> Result<DeleteJobWhatWouldItDoResponse, Problem> {
        let job = self.farm.job(job_id.into()).await?;
        let shaman_checkout = self.farm.has_file_store() && !job.summary.shaman_checkout_id.is_empty();
        Ok(DeleteJobWhatWouldItDoResponse::Status200(types::JobDeletionInfo { shaman_checkout }))
    }

    async fn fetch_job_last_rendered_info(
        &self,
        _: Caller,
        job_id: Uuid,
    ) -> Result<FetchJobLastRenderedInfoResponse, Problem> {
        Ok(match self.farm.has_pictures(job_id.into()).await {
            true => FetchJobLastRenderedInfoResponse::Status200(convert::pictures(job_id.into())),
            false => FetchJobLastRenderedInfoResponse::Status204,
        })
    }

    async fn search_jobs(&self, _: Caller, query: SearchJobsQuery) -> Result<SearchJobsResponse, Problem> {
        let text = lists::text("text", query.text)?;
        let limit = u32::try_from(query.limit.unwrap_or(SEARCH_LIMIT)).unwrap_or(u32::MAX);
        let found = self.farm.search_jobs(&text, limit).await?;
        Ok(SearchJobsResponse::Status200(attention::jobs_found(found)))
    }

    async fn fetch_global_last_rendered_info(
        &self,
        _: Caller,
    ) -> Result<FetchGlobalLastRenderedInfoResponse, Problem> {
        Ok(match self.farm.last_rendered_job().await? {
            Some(job) => FetchGlobalLastRenderedInfoResponse::Status200(convert::pictures(job)),
            None => FetchGlobalLastRenderedInfoResponse::Status204,
        })
    }
}
