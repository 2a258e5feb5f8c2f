//! Writes Python: the dataclasses and the methods of the add-on's client.
//!
//! Only what differs between schemas and operations is generated. How a value is read and written, and how a request
//! is sent, is in the hand-written modules `wire` and `client` of the package.

mod models;
mod operations;
mod text;

use anyhow::Result;

use super::model::Api;

/// The generated Python files, by their path from the root of the repository.
pub fn files(api: &Api) -> Result<Vec<(String, String)>> {
    Ok(vec![
        ("addon/flamenco/flamenco_client/models.py".to_owned(), models::write(api)?),
        ("addon/flamenco/flamenco_client/operations.py".to_owned(), operations::write(api)?),
    ])
}
