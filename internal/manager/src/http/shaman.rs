//! Operations of the tag `shaman`. None is part of this version; each answers 501.

use flamenco_api::server::ShamanApi;

use super::Api;

impl ShamanApi for Api {}
