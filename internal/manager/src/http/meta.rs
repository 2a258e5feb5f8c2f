//! Operations of the tag `meta`.

use flamenco_api::operations::{
    GetConfigurationResponse, GetFarmStatusResponse, GetSharedStorageResponse, GetVariablesResponse,
    GetVersionResponse,
};
use flamenco_api::server::MetaApi;
use flamenco_api::{Problem, types};
use flamenco_crosspath::Platform;
use flamenco_domain::variables::Audience;

use super::{Api, Caller, convert};

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
            name: self.farm.options().name.clone(),
            shortversion: versions.short.clone(),
            version: versions.long.clone(),
            git: versions.git.clone(),
        }))
    }

    async fn get_configuration(&self, _: Caller) -> Result<GetConfigurationResponse, Problem> {
        let options = self.farm.options();
        Ok(GetConfigurationResponse::Status200(types::ManagerConfiguration {
            storage_location: options.shared_storage.clone(),
            // The file store is not part of this version.
            shaman_enabled: false,
            is_first_run: options.first_run,
        }))
    }

    async fn get_variables(
        &self,
        _: Caller,
        who: types::ManagerVariableAudience,
        platform: String,
    ) -> Result<GetVariablesResponse, Problem> {
        let found = self.farm.variables().lookup(audience(who), &Platform::new(&platform));
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
        let location = self.farm.variables().shared_storage(audience(who), &Platform::new(&platform));
        Ok(GetSharedStorageResponse::Status200(types::SharedStorageLocation {
            location,
            audience: who,
            platform,
            shaman_enabled: false,
        }))
    }

    async fn get_farm_status(&self, _: Caller) -> Result<GetFarmStatusResponse, Problem> {
        Ok(GetFarmStatusResponse::Status200(convert::farm_status(self.farm.status())))
    }
}
