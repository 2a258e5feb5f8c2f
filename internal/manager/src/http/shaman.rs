//! Operations of the tag `shaman`: the file store.

use std::time::Duration;

use flamenco_api::operations::{
    ShamanCheckoutRequirementsResponse, ShamanCheckoutResponse, ShamanFileStoreCheckResponse,
    ShamanFileStoreHeaders, ShamanFileStoreResponse,
};
use flamenco_api::server::{ShamanApi, UploadBody};
use flamenco_api::{Problem, types};
use flamenco_shaman::{FileStatus, Upload, UploadOutcome};
use futures_util::StreamExt;

use super::{Api, Caller, encoded_word};
use crate::farm::file_store::File;

/// Most that is read of a body that nobody wants, in bytes.
const DISCARD: u64 = 256 << 20;
/// How long such a body may pause.
const DISCARD_PAUSE: Duration = Duration::from_secs(10);

fn files(specs: Vec<types::ShamanFileSpec>) -> Vec<File> {
    specs.into_iter().map(|spec| File { sha: spec.sha, size: spec.size, path: spec.path }).collect()
}

const fn status(status: FileStatus) -> types::ShamanFileStatus {
    match status {
        FileStatus::Unknown => types::ShamanFileStatus::Unknown,
        FileStatus::Uploading => types::ShamanFileStatus::Uploading,
        FileStatus::Stored => types::ShamanFileStatus::Stored,
    }
}

impl ShamanApi for Api {
    async fn shaman_checkout_requirements(
        &self,
        _: Caller,
        body: types::ShamanRequirementsRequest,
    ) -> Result<ShamanCheckoutRequirementsResponse, Problem> {
        let missing = self.farm.missing_files(files(body.files)).await?;
        let missing = missing.into_iter().map(|file| types::ShamanFileSpecWithStatus {
            sha: file.identity.checksum.to_string(),
            size: i64::try_from(file.identity.size).unwrap_or(i64::MAX),
            path: file.path,
            status: status(file.status),
        });
        let answer = types::ShamanRequirementsResponse { files: missing.collect() };
        Ok(ShamanCheckoutRequirementsResponse::Status200(answer))
    }

    async fn shaman_checkout(
        &self,
        _: Caller,
        body: types::ShamanCheckout,
    ) -> Result<ShamanCheckoutResponse, Problem> {
        let checkout_path = self.farm.check_out(&body.checkout_path, files(body.files)).await?;
        Ok(ShamanCheckoutResponse::Status200(types::ShamanCheckoutResult { checkout_path }))
    }

    async fn shaman_file_store_check(
        &self,
        _: Caller,
        checksum: String,
        filesize: i64,
    ) -> Result<ShamanFileStoreCheckResponse, Problem> {
        let status = status(self.farm.file_status(&checksum, filesize).await?);
        Ok(ShamanFileStoreCheckResponse::Status200(types::ShamanSingleFileStatus { status }))
    }

    async fn shaman_file_store(
        &self,
        _: Caller,
        checksum: String,
        filesize: i64,
        headers: ShamanFileStoreHeaders,
        mut body: UploadBody,
    ) -> Result<ShamanFileStoreResponse, Problem> {
        if body.content_type.as_deref().is_some_and(|given| given != "application/octet-stream") {
            tracing::debug!(given = body.content_type, "a file is uploaded under another content type");
        }
        let announced = body.content_length;
        let received = match self.farm.announced_file(&checksum, filesize) {
            Ok(identity) => {
                let upload = Upload {
                    identity,
                    can_defer: headers.x_shaman_can_defer_upload.unwrap_or(false),
                    original_name: headers.x_shaman_original_filename.as_deref().map(encoded_word::decode),
                    content_length: announced,
                };
                self.farm.receive_file(upload, &mut body).await
            }
            Err(refused) => Err(refused),
        };
        let wanted = u64::try_from(filesize).unwrap_or_default();
        let (answer, unread) = match received {
            Ok(UploadOutcome::Stored) => return Ok(ShamanFileStoreResponse::Status204),
            Ok(UploadOutcome::AlreadyStored) => (Ok(ShamanFileStoreResponse::Status208), wanted),
            Ok(UploadOutcome::TryLater) => (Ok(ShamanFileStoreResponse::Status425), wanted),
            Err(error) => (Err(Problem::from(error)), DISCARD),
        };
        discard(body, unread).await;
        answer
    }
}

/// Reads a body that nobody wants, up to so many bytes: a client that still sends would otherwise see a broken
/// connection instead of the answer. One that waits to be told to send is not told to.
async fn discard(mut body: UploadBody, most: u64) {
    if body.awaits_go_ahead {
        return;
    }
    let mut read = 0;
    while let Ok(Some(Ok(part))) = tokio::time::timeout(DISCARD_PAUSE, body.next()).await {
        read += part.len() as u64;
        if read > most {
            return;
        }
    }
}
