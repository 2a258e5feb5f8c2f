//! Operations of the tag `meta`.

use std::time::Duration;

use axum::http::StatusCode;
use flamenco_api::operations::{
    CheckBlenderExePathResponse, CheckSharedStoragePathResponse, CreateSessionResponse,
    DeleteSessionResponse, FetchAttentionResponse, FetchAuditQuery, FetchAuditResponse, FetchManagerLogQuery,
    FetchManagerLogResponse, FindBlenderExePathResponse, GetConfigurationFileHeaders,
    GetConfigurationFileResponse, GetConfigurationFileStatus200Content, GetConfigurationResponse,
    GetConfigurationStateResponse, GetFarmStatusResponse, GetSessionResponse, GetSharedStorageResponse,
    GetVariablesResponse, GetVersionResponse, RestartManagerResponse, SaveSetupAssistantConfigResponse,
    UpdateConfigurationFileResponse,
};
use flamenco_api::server::MetaApi;
use flamenco_api::{Problem, types};
use flamenco_crosspath::Platform;
use flamenco_domain::audit::one_line;
use flamenco_domain::role::Role;
use flamenco_domain::variables::Audience;

use super::access::Session;
use super::{Api, Caller, access, attention, audit, convert, setup};
use crate::error::Error;

/// What clients may use that a stock manager does not have.
const FEATURES: [&str; 6] =
    ["frames", "frame-progress", "machine", "thumbnails", "log-position", "worker-log"];
/// Makes guessing tedious.
const WRONG_TOKEN_PAUSE: Duration = Duration::from_millis(300);

const fn audience(audience: types::ManagerVariableAudience) -> Audience {
    match audience {
        types::ManagerVariableAudience::Workers => Audience::Workers,
        types::ManagerVariableAudience::Users => Audience::Users,
    }
}

impl MetaApi for Api {
    async fn get_version(&self, _: Caller) -> Result<GetVersionResponse, Problem> {
        let versions = &self.versions;
        Ok(GetVersionResponse::Status200(types::FlamencoVersion {
            name: self.farm.live().options.name.clone(),
            shortversion: versions.short.clone(),
            version: versions.long.clone(),
            git: versions.git.clone(),
            features: Some(FEATURES.map(str::to_owned).to_vec()),
        }))
    }

    async fn get_session(&self, caller: Caller) -> Result<GetSessionResponse, Problem> {
        let live = self.farm.live();
        let settings = &live.config.settings.access;
        Ok(GetSessionResponse::Status200(types::Session {
            token_required: !access::is_open(&settings.admin_token),
            signed_in: caller.role > Role::None,
            role: audit::role(caller.role),
            token_shown: caller.token_shown,
            without_token: audit::role(access::without_token(settings)),
            name: Some(caller.name).filter(|name| !name.is_empty()),
        }))
    }

    async fn create_session(
        &self,
        caller: Caller,
        body: types::SessionRequest,
    ) -> Result<CreateSessionResponse, Problem> {
        let live = self.farm.live();
        let settings = &live.config.settings.access;
        if access::is_open(&settings.admin_token) {
            return Ok(CreateSessionResponse::Status204 { set_cookie: None });
        }
        let name = one_line(&body.name.unwrap_or_default(), access::LONGEST_NAME);
        let session = Session { role: access::role_of(&body.token, settings), name };
        if session.role == Role::None {
            tracing::warn!(address = caller.address, "somebody tried to sign in with a wrong token");
            tokio::time::sleep(WRONG_TOKEN_PAUSE).await;
            return Err(Problem::new(StatusCode::UNAUTHORIZED, "this is not a token of this manager"));
        }
        let set_cookie = Some(access::new_cookie(&session, settings, caller.over_https));
        Ok(CreateSessionResponse::Status204 { set_cookie })
    }

    async fn delete_session(&self, _: Caller) -> Result<DeleteSessionResponse, Problem> {
        Ok(DeleteSessionResponse::Status204 { set_cookie: access::expired_cookie() })
    }

    async fn get_configuration(&self, _: Caller) -> Result<GetConfigurationResponse, Problem> {
        let options = &self.farm.live().options;
        Ok(GetConfigurationResponse::Status200(types::ManagerConfiguration {
            storage_location: options.shared_storage.clone(),
            shaman_enabled: self.farm.has_file_store(),
            is_first_run: options.first_run,
        }))
    }

    async fn get_variables(
        &self,
        _: Caller,
        who: types::ManagerVariableAudience,
        platform: String,
    ) -> Result<GetVariablesResponse, Problem> {
        let found = self.farm.live().variables.lookup(audience(who), &Platform::new(&platform));
        let found = found.into_iter().map(|(name, variable)| {
            (name, types::ManagerVariable { is_twoway: variable.is_twoway, value: variable.value })
        });
        Ok(GetVariablesResponse::Status200(types::ManagerVariables(found.collect())))
    }

    async fn get_shared_storage(
        &self,
        _: Caller,
        who: types::ManagerVariableAudience,
        platform: String,
    ) -> Result<GetSharedStorageResponse, Problem> {
        let location = self.farm.live().variables.shared_storage(audience(who), &Platform::new(&platform));
        Ok(GetSharedStorageResponse::Status200(types::SharedStorageLocation {
            location,
            audience: who,
            platform,
            shaman_enabled: self.farm.has_file_store(),
        }))
    }

    async fn get_farm_status(&self, _: Caller) -> Result<GetFarmStatusResponse, Problem> {
        Ok(GetFarmStatusResponse::Status200(convert::farm_status(self.farm.status())))
    }

    async fn fetch_attention(&self, _: Caller) -> Result<FetchAttentionResponse, Problem> {
        Ok(FetchAttentionResponse::Status200(attention::attention(self.farm.attention().await?)))
    }

    async fn fetch_audit(&self, _: Caller, query: FetchAuditQuery) -> Result<FetchAuditResponse, Problem> {
        Ok(FetchAuditResponse::Status200(audit::trail(&self.farm, query).await?))
    }

    async fn get_configuration_file(
        &self,
        _: Caller,
        headers: GetConfigurationFileHeaders,
    ) -> Result<GetConfigurationFileResponse, Problem> {
        let json = self.farm.configuration();
        let wants_yaml =
            headers.accept.is_some_and(|accept| accept.contains("yaml") && !accept.contains("json"));
        let content = if wants_yaml {
            let text = serde_yaml_ng::to_string(&json);
            GetConfigurationFileStatus200Content::Yaml(
                text.map_err(|error| Error::Internal(error.to_string()))?,
            )
        } else {
            let object = json.as_object().cloned().unwrap_or_default();
            GetConfigurationFileStatus200Content::Json(types::ManagerConfigurationFile(object))
        };
        Ok(GetConfigurationFileResponse::Status200(content))
    }

    async fn update_configuration_file(
        &self,
        _: Caller,
        body: types::ManagerConfigurationFile,
    ) -> Result<UpdateConfigurationFileResponse, Problem> {
        self.farm.update_configuration(serde_json::Value::Object(body.0)).await?;
        Ok(UpdateConfigurationFileResponse::Status204)
    }

    async fn check_shared_storage_path(
        &self,
        _: Caller,
        body: Option<types::PathCheckInput>,
    ) -> Result<CheckSharedStoragePathResponse, Problem> {
        let path = setup::path_of(body);
        let cause = self.farm.check_shared_storage(&path).await.err();
        Ok(CheckSharedStoragePathResponse::Status200(types::PathCheckResult {
            path,
            is_usable: cause.is_none(),
            cause: cause.unwrap_or_default(),
        }))
    }

    async fn find_blender_exe_path(&self, _: Caller) -> Result<FindBlenderExePathResponse, Problem> {
        let found = self.farm.find_blender().await.into_iter().map(Into::into).collect();
        Ok(FindBlenderExePathResponse::Status200(types::BlenderPathFindResult(found)))
    }

    async fn check_blender_exe_path(
        &self,
        _: Caller,
        body: Option<types::PathCheckInput>,
    ) -> Result<CheckBlenderExePathResponse, Problem> {
        let found = self.farm.check_blender(&setup::path_of(body)).await;
        Ok(CheckBlenderExePathResponse::Status200(found.into()))
    }

    async fn save_setup_assistant_config(
        &self,
        _: Caller,
        body: types::SetupAssistantConfig,
    ) -> Result<SaveSetupAssistantConfigResponse, Problem> {
        self.farm.finish_setup(body.into()).await?;
        Ok(SaveSetupAssistantConfigResponse::Status204)
    }

    async fn get_configuration_state(&self, _: Caller) -> Result<GetConfigurationStateResponse, Problem> {
        let (settings, file_problem) = self.farm.configuration_state().await?;
        Ok(GetConfigurationStateResponse::Status200(types::ConfigurationState {
            started_at: self.farm.started_at,
            platform: self.farm.live().config.platform.as_str().to_owned(),
            settings: settings.into_iter().map(Into::into).collect(),
            file_problem,
        }))
    }

    async fn fetch_manager_log(
        &self,
        _: Caller,
        query: FetchManagerLogQuery,
    ) -> Result<FetchManagerLogResponse, Problem> {
        let seen = query.after.and_then(|after| u64::try_from(after).ok()).unwrap_or(0);
        let piece = self.log.since(seen);
        Ok(FetchManagerLogResponse::Status200(types::ManagerLog {
            began_at: self.log_began,
            lines: piece.lines,
            total: i64::try_from(piece.upto).unwrap_or(i64::MAX),
        }))
    }

    async fn restart_manager(&self, _: Caller) -> Result<RestartManagerResponse, Problem> {
        self.farm.restart().await?;
        Ok(RestartManagerResponse::Status204)
    }
}
