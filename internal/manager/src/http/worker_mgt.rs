//! Operations of the tag `worker-mgt`: what people do with workers.

use flamenco_api::operations::{
    CreateWorkerTagResponse, DeleteWorkerResponse, DeleteWorkerTagResponse, FetchFarmMachinesResponse,
    FetchMachinesResponse, FetchWorkerLogResponse, FetchWorkerMachineQuery, FetchWorkerMachineResponse,
    FetchWorkerPaceResponse, FetchWorkerResponse, FetchWorkerSleepScheduleResponse, FetchWorkerTagResponse,
    FetchWorkerTagsResponse, FetchWorkersQuery, FetchWorkersResponse, RequestWorkerStatusChangeResponse,
    SetWorkerEnabledResponse, SetWorkerSleepScheduleResponse, SetWorkerTagsResponse, UpdateWorkerTagResponse,
};
use flamenco_api::server::WorkerMgtApi;
use flamenco_api::{Problem, types};
use flamenco_domain::ids::TagId;
use flamenco_domain::schedule::SleepSchedule;
use flamenco_domain::worker::{StatusRequest, Tag};
use uuid::Uuid;

use super::{Api, Caller, attention, convert, lists, machines, problem};
use crate::error::Error;
use crate::farm::worker_logs::WorkerLog;

impl WorkerMgtApi for Api {
    async fn fetch_workers(
        &self,
        _: Caller,
        query: FetchWorkersQuery,
    ) -> Result<FetchWorkersResponse, Problem> {
        let (filter, order) = lists::workers(query)?;
        let page = self.farm.list_workers(&filter, &order.paging, convert::worker_summary).await?;
        let next_cursor = page.next.map(|place| order.cursor(place)).transpose()?;
        Ok(FetchWorkersResponse::Status200(types::WorkerList { workers: page.entries, next_cursor }))
    }

    async fn fetch_worker(&self, _: Caller, worker_id: Uuid) -> Result<FetchWorkerResponse, Problem> {
        Ok(FetchWorkerResponse::Status200(convert::worker(self.farm.worker(worker_id.into()).await?)))
    }

    async fn fetch_machines(&self, _: Caller) -> Result<FetchMachinesResponse, Problem> {
        Ok(FetchMachinesResponse::Status200(machines::machines(self.farm.machines())))
    }

    async fn fetch_farm_machines(&self, _: Caller) -> Result<FetchFarmMachinesResponse, Problem> {
        let (periods, room) = self.farm.machines_of_farm().await?;
        Ok(FetchFarmMachinesResponse::Status200(machines::of_farm(periods, room)))
    }

    async fn fetch_worker_machine(
        &self,
        _: Caller,
        worker_id: Uuid,
        query: FetchWorkerMachineQuery,
    ) -> Result<FetchWorkerMachineResponse, Problem> {
        let history = self.farm.machine(worker_id.into(), machines::from_span(query.span)).await?;
        Ok(FetchWorkerMachineResponse::Status200(machines::history(history)))
    }

    async fn fetch_worker_log(&self, _: Caller, worker_id: Uuid) -> Result<FetchWorkerLogResponse, Problem> {
        let WorkerLog { received, lines, total } = self.farm.worker_log(worker_id.into()).await?;
        let total = i64::try_from(total).unwrap_or(i64::MAX);
        Ok(FetchWorkerLogResponse::Status200(types::WorkerLog {
            worker: worker_id,
            received_at: received,
            lines,
            total,
        }))
    }

    async fn fetch_worker_pace(
        &self,
        _: Caller,
        worker_id: Uuid,
    ) -> Result<FetchWorkerPaceResponse, Problem> {
        let pace = attention::pace(self.farm.worker_pace(worker_id.into()).await?);
        Ok(FetchWorkerPaceResponse::Status200(pace))
    }

    async fn delete_worker(&self, _: Caller, worker_id: Uuid) -> Result<DeleteWorkerResponse, Problem> {
        self.farm.delete_worker(worker_id.into()).await?;
        Ok(DeleteWorkerResponse::Status204)
    }

    async fn request_worker_status_change(
        &self,
        _: Caller,
        worker_id: Uuid,
        body: types::WorkerStatusChangeRequest,
    ) -> Result<RequestWorkerStatusChangeResponse, Problem> {
        let wanted = StatusRequest { status: convert::from_worker_status(body.status), lazy: body.is_lazy };
        self.farm.request_worker_status(worker_id.into(), wanted).await?;
        Ok(RequestWorkerStatusChangeResponse::Status204)
    }

    async fn set_worker_enabled(
        &self,
        caller: Caller,
        worker_id: Uuid,
        body: types::WorkerEnabledChange,
    ) -> Result<SetWorkerEnabledResponse, Problem> {
        self.farm.switch_worker(worker_id.into(), convert::switch(body, caller.address)).await?;
        Ok(SetWorkerEnabledResponse::Status204)
    }

    async fn set_worker_tags(
        &self,
        _: Caller,
        worker_id: Uuid,
        body: types::WorkerTagChangeRequest,
    ) -> Result<SetWorkerTagsResponse, Problem> {
        let mut wanted: Vec<TagId> = Vec::with_capacity(body.tag_ids.len());
        for id in &body.tag_ids {
            wanted.push(id.parse().map_err(|error| Error::Invalid(format!("tag_ids: {error}")))?);
        }
        self.farm.set_worker_tags(worker_id.into(), wanted).await.map_err(problem::unprocessable_tag)?;
        Ok(SetWorkerTagsResponse::Status204)
    }

    async fn fetch_worker_tags(&self, _: Caller) -> Result<FetchWorkerTagsResponse, Problem> {
        let tags = self.farm.tags().await?.into_iter().map(convert::tag).collect();
        Ok(FetchWorkerTagsResponse::Status200(types::WorkerTagList { tags }))
    }

    async fn fetch_worker_tag(&self, _: Caller, tag_id: Uuid) -> Result<FetchWorkerTagResponse, Problem> {
        Ok(FetchWorkerTagResponse::Status200(convert::tag(self.farm.tag(tag_id.into()).await?)))
    }

    async fn create_worker_tag(
        &self,
        _: Caller,
        body: types::WorkerTag,
    ) -> Result<CreateWorkerTagResponse, Problem> {
        let id = match body.id.as_deref().filter(|id| !id.is_empty()) {
            None => TagId::random(),
            Some(id) => id.parse().map_err(|error| Error::Invalid(format!("id: {error}")))?,
        };
        let tag = Tag { id, name: body.name, description: body.description.unwrap_or_default() };
        Ok(CreateWorkerTagResponse::Status200(convert::tag(self.farm.create_tag(tag).await?)))
    }

    async fn update_worker_tag(
        &self,
        _: Caller,
        tag_id: Uuid,
        body: types::WorkerTag,
    ) -> Result<UpdateWorkerTagResponse, Problem> {
        self.farm.update_tag(tag_id.into(), body.name, body.description).await?;
        Ok(UpdateWorkerTagResponse::Status204)
    }

    async fn delete_worker_tag(&self, _: Caller, tag_id: Uuid) -> Result<DeleteWorkerTagResponse, Problem> {
        self.farm.delete_tag(tag_id.into()).await?;
        Ok(DeleteWorkerTagResponse::Status204)
    }

    async fn fetch_worker_sleep_schedule(
        &self,
        _: Caller,
        worker_id: Uuid,
    ) -> Result<FetchWorkerSleepScheduleResponse, Problem> {
        Ok(match self.farm.sleep_schedule(worker_id.into()).await? {
            None => FetchWorkerSleepScheduleResponse::Status204,
            Some(schedule) => FetchWorkerSleepScheduleResponse::Status200(convert::sleep_schedule(&schedule)),
        })
    }

    async fn set_worker_sleep_schedule(
        &self,
        _: Caller,
        worker_id: Uuid,
        body: types::WorkerSleepSchedule,
    ) -> Result<SetWorkerSleepScheduleResponse, Problem> {
        let schedule =
            SleepSchedule::parse(body.is_active, &body.days_of_week, &body.start_time, &body.end_time)
                .map_err(|error| Error::Invalid(error.to_string()))?;
        self.farm.set_sleep_schedule(worker_id.into(), schedule).await?;
        Ok(SetWorkerSleepScheduleResponse::Status204)
    }
}
