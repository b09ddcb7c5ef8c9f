//! Blobs that travel in parts.

use alfred_ops_core::{Error, ErrorKind, Result, Retry};
use aws_sdk_s3::operation::upload_part::UploadPartOutput;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::{StreamExt as _, TryStreamExt as _};
use tracing::warn;

use super::S3BlobStore;
use super::failure::Failure;
use super::store::once;

/// From this length on a blob travels in parts: two of them, so that there is something to do in parallel.
pub(super) const MULTIPART_FROM: usize = 2 * PART_BYTES;
/// Long enough for the request not to matter, short enough to be repeated cheaply; S3's least is 5 MiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// S3's limit.
const PARTS_MAX: usize = 10_000;
/// Three parts fill a line of 1 Gbit/s at usual latencies; the blob is in memory anyway.
const PARTS_IN_FLIGHT: usize = 3;

/// An upload that has begun. Unless it is completed, it is aborted in the background when dropped.
pub(super) struct MultipartUpload<'a> {
    store: &'a S3BlobStore,
    key: &'a str,
    upload_id: String,
    open: bool,
}

impl<'a> MultipartUpload<'a> {
    /// Writes a blob in parts, with `create` only where the key is free. After an error the parts are
    /// being removed, and the blob is there only if the error's outcome is unknown.
    pub(super) async fn send(store: &'a S3BlobStore, key: &'a str, data: &Bytes, create: bool) -> Result<()> {
        let mut upload = Self::begin(store, key).await?;
        let part_bytes = PART_BYTES.max(data.len().div_ceil(PARTS_MAX));
        let starts = (0..data.len()).step_by(part_bytes);
        let parts = futures::stream::iter(starts.zip(1..))
            .map(|(start, number)| upload.part(number, data.slice(start..data.len().min(start + part_bytes))))
            .buffered(PARTS_IN_FLIGHT)
            .try_collect()
            .await?;
        upload.complete(parts, create).await
    }

    async fn begin(store: &'a S3BlobStore, key: &'a str) -> Result<Self> {
        let request = store
            .client
            .create_multipart_upload()
            .bucket(&store.bucket)
            .key(store.full_key(key))
            .set_object_lock_mode(store.lock().map(|lock| lock.mode.into()))
            .set_object_lock_retain_until_date(store.lock_until())
            .set_checksum_algorithm(store.checksum());
        let answer = request.send().await.map_err(store.fail("write blob", key)).map_err(harmless)?;
        let upload_id = answer.upload_id().ok_or_else(|| {
            Error::new(ErrorKind::Unsupported, "write blob", "the server named no multipart upload")
                .with_target(store.target(key))
        })?;
        Ok(Self { store, key, upload_id: upload_id.to_owned(), open: true })
    }

    async fn part(&self, number: i32, data: Bytes) -> Result<CompletedPart> {
        let request = self
            .store
            .client
            .upload_part()
            .bucket(&self.store.bucket)
            .key(self.store.full_key(self.key))
            .upload_id(&self.upload_id)
            .part_number(number)
            .set_checksum_algorithm(self.store.checksum())
            .body(ByteStream::from(data));
        let answer = request.send().await.map_err(self.store.fail("write part of blob", self.key));
        let answer = answer.map_err(harmless)?;
        Ok(completed(number, &answer))
    }

    async fn complete(&mut self, parts: Vec<CompletedPart>, create: bool) -> Result<()> {
        let parts = CompletedMultipartUpload::builder().set_parts(Some(parts)).build();
        let request = self
            .store
            .client
            .complete_multipart_upload()
            .bucket(&self.store.bucket)
            .key(self.store.full_key(self.key))
            .upload_id(&self.upload_id)
            .multipart_upload(parts);
        let condition = create.then(|| "*".to_owned());
        let operation = if create { "create blob" } else { "write blob" };
        // Repeated by the SDK, it would meet its own first attempt and tell what that did as a failure.
        let request = request.set_if_none_match(condition).customize().config_override(once());
        request.send().await.map_err(self.store.fail_write(operation, self.key))?;
        self.open = false;
        Ok(())
    }
}

/// Before its last request an upload changes nothing that anyone sees: whether the others took effect does
/// not matter.
fn harmless(error: Error) -> Error {
    match error.retry() {
        Retry::Unknown => error.with_retry(Retry::After(None)),
        _ => error,
    }
}

/// What the server is told of a part at the end: all that it said itself.
fn completed(number: i32, answer: &UploadPartOutput) -> CompletedPart {
    let own = |text: Option<&str>| text.map(str::to_owned);
    CompletedPart::builder()
        .part_number(number)
        .set_e_tag(own(answer.e_tag()))
        .set_checksum_crc32(own(answer.checksum_crc32()))
        .set_checksum_crc32_c(own(answer.checksum_crc32_c()))
        .set_checksum_crc64_nvme(own(answer.checksum_crc64_nvme()))
        .set_checksum_sha1(own(answer.checksum_sha1()))
        .set_checksum_sha256(own(answer.checksum_sha256()))
        .build()
}

impl Drop for MultipartUpload<'_> {
    fn drop(&mut self) {
        if !self.open {
            return;
        }
        // Without a runtime nothing can be sent; the parts then wait for the next sweep.
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let (store, target) = (self.store.clone(), self.store.target(self.key));
        let request = store
            .client
            .abort_multipart_upload()
            .bucket(&store.bucket)
            .key(store.full_key(self.key))
            .upload_id(std::mem::take(&mut self.upload_id));
        self.store.aborts.spawn(async move {
            if let Err(error) = request.send().await {
                warn!(target, error = %error.into_service_error(), "a multipart upload was not aborted: its parts stay until they are swept");
            }
        });
    }
}

impl S3BlobStore {
    /// Removes the parts of multipart uploads below this store's prefix that began before `moment` and were
    /// never completed, and returns how many uploads they were. May be repeated. An upload that is still
    /// running is lost as well: let `moment` lie a day back.
    ///
    /// # Errors
    /// The server's; [`ErrorKind::Unsupported`] or [`ErrorKind::InvalidInput`] where it cannot list uploads.
    pub async fn abort_uploads_started_before(&self, moment: DateTime<Utc>) -> Result<u64> {
        let operation = "abort old uploads";
        let (mut aborted, mut marker) = (0, (None, None));
        loop {
            let request = self
                .client
                .list_multipart_uploads()
                .bucket(&self.bucket)
                .prefix(self.full_key(""))
                .set_key_marker(marker.0)
                .set_upload_id_marker(marker.1);
            let page = request.send().await.map_err(self.fail(operation, ""))?;
            for upload in page.uploads() {
                let old = upload.initiated().is_some_and(|began| began.secs() < moment.timestamp());
                let (Some(key), Some(id), true) = (upload.key(), upload.upload_id(), old) else { continue };
                let request =
                    self.client.abort_multipart_upload().bucket(&self.bucket).key(key).upload_id(id);
                match request.send().await.map_err(Failure::of) {
                    Ok(_) => aborted += 1,
                    // Completed or aborted meanwhile.
                    Err(Failure::UploadGone | Failure::NoKey) => {}
                    Err(failure) => {
                        return Err(Error::caused_by(operation, failure).with_target(self.target("")));
                    }
                }
            }
            if page.is_truncated() != Some(true) {
                return Ok(aborted);
            }
            marker =
                (page.next_key_marker().map(str::to_owned), page.next_upload_id_marker().map(str::to_owned));
            if marker.0.is_none() {
                return Ok(aborted);
            }
        }
    }
}
