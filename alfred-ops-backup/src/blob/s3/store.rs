//! The store itself.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use alfred_ops_core::{
    Error, ErrorKind, JobContext, Result, Retry, RetryBudget, RetryPolicy, TaskSet, retry,
};
use async_trait::async_trait;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::Builder;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use aws_sdk_s3::types::ChecksumAlgorithm;
use bytes::Bytes;
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::multipart::{MULTIPART_FROM, MultipartUpload};
use super::{ObjectLock, S3Flavour, S3Options};
use crate::blob::create_once::create_once;
use crate::blob::store::bad_range;
use crate::{BlobInfo, BlobStore, check_key};

/// Google's way of saying that the object must not exist.
const GENERATION_MATCH: &str = "x-goog-if-generation-match";

/// A blob store in a bucket of S3 or of a server that speaks its protocol.
///
/// [`create`](BlobStore::create) rests on conditional writes (`If-None-Match: *`, for Google a generation
/// precondition); [`probe_conditional_writes`](crate::probe_conditional_writes) tells whether the server honours
/// them. Requests are repeated by the class of their error; a creation whose answer was lost is looked at first,
/// so rivals must write different bytes. What comes out of retries with an unknown outcome says so.
///
/// Blobs of 16 MiB and more travel as multipart uploads with parts in parallel. One that fails or is dropped is
/// aborted in the background; after a crash its parts stay, unseen but paid for, until
/// [`abort_uploads_started_before`](Self::abort_uploads_started_before) or a lifecycle rule
/// (`AbortIncompleteMultipartUpload`) removes them.
///
/// In a versioned bucket a deletion hides the blob and frees no space: give the bucket a lifecycle rule
/// (`NoncurrentVersionExpiration`). Under [`S3Options::object_lock`] a deletion is refused with
/// [`ErrorKind::PermissionDenied`] while the blob is locked, and the error says until when.
#[derive(Clone)]
pub struct S3BlobStore {
    pub(super) client: Client,
    pub(super) bucket: String,
    prefix: String,
    location: String,
    flavour: S3Flavour,
    lock: Option<ObjectLock>,
    /// The SDK repeats all requests but those that complete a creation or an upload; this repeats those.
    policy: RetryPolicy,
    budget: Arc<RetryBudget>,
    context: JobContext,
    /// Aborts of uploads that were dropped.
    pub(super) aborts: Arc<TaskSet>,
}

impl S3BlobStore {
    /// The store that `options` names, after a look at its bucket.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a missing bucket, [`ErrorKind::PermissionDenied`] for credentials,
    /// [`ErrorKind::Unavailable`] if the server cannot be reached.
    pub async fn connect(options: S3Options) -> Result<Self> {
        let client = options.client();
        let mut store = Self::unopened(client, options.bucket, options.prefix)?;
        store.flavour = options.flavour;
        store.lock = options.object_lock;
        let attempts = usize::try_from(options.attempts_max).unwrap_or(usize::MAX);
        store.policy = store.policy.with_attempts_max(attempts);
        store.opened().await
    }

    /// The part of `bucket` below `prefix` (empty for all of it), through the host's own client, which keeps
    /// its endpoint, checksums and retries.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn with_client(
        client: Client,
        bucket: impl Into<String>,
        prefix: impl Into<String>,
    ) -> Result<Self> {
        Self::unopened(client, bucket.into(), prefix.into())?.opened().await
    }

    /// Whose dialect the server speaks, for a store [with the host's client](Self::with_client).
    #[must_use]
    pub fn with_flavour(mut self, flavour: S3Flavour) -> Self {
        self.flavour = flavour;
        self
    }

    /// Retention on every blob written from now on, for a store [with the host's client](Self::with_client).
    #[must_use]
    pub fn with_object_lock(mut self, lock: ObjectLock) -> Self {
        self.lock = Some(lock);
        self
    }

    fn unopened(client: Client, bucket: String, prefix: String) -> Result<Self> {
        let prefix = prefix.trim_matches('/').to_owned();
        let mut location = format!("s3://{bucket}");
        if !prefix.is_empty() {
            check_key(&prefix)?;
            location = format!("{location}/{prefix}");
        }
        Ok(Self {
            client,
            bucket,
            prefix,
            location,
            flavour: S3Flavour::Compatible,
            lock: None,
            policy: RetryPolicy::default(),
            budget: Arc::default(),
            context: JobContext::system(),
            aborts: Arc::new(TaskSet::new(&CancellationToken::new())),
        })
    }

    async fn opened(self) -> Result<Self> {
        let looked = self.client.head_bucket().bucket(&self.bucket).send().await;
        looked
            .map_err(|error| match Failure::of(error) {
                // The answer to a HEAD has no body that could tell which.
                Failure::NoKey => Failure::NoBucket,
                failure => failure,
            })
            .map_err(|failure| Error::caused_by("open bucket", failure).with_target(self.location.clone()))?;
        Ok(self)
    }

    pub(super) fn target(&self, key: &str) -> String {
        format!("{}/{key}", self.location)
    }

    pub(super) fn full_key(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    pub(super) fn fail<E>(&self, operation: &'static str, key: &str) -> impl Fn(SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let target = self.target(key);
        move |error| Error::caused_by(operation, Failure::of(error)).with_target(target.clone())
    }

    pub(super) fn fail_write<E>(&self, operation: &'static str, key: &str) -> impl Fn(SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let target = self.target(key);
        move |error| Failure::of(error).of_write(operation).with_target(target.clone())
    }

    /// Until when a blob written now is locked.
    pub(super) fn lock_until(&self) -> Option<DateTime> {
        let days = i64::from(self.lock?.days.get());
        Some(DateTime::from_secs(self.context.now().timestamp().saturating_add(days * 24 * 60 * 60)))
    }

    pub(super) fn lock(&self) -> Option<ObjectLock> {
        self.lock
    }

    /// Uploads with a lock must carry a checksum, on any server.
    pub(super) fn checksum(&self) -> Option<ChecksumAlgorithm> {
        self.lock.map(|_| ChecksumAlgorithm::Crc32)
    }

    /// One request for the whole blob.
    async fn put_whole(&self, key: &str, data: Bytes) -> Result<()> {
        self.put_request(key, data).send().await.map_err(self.fail_write("write blob", key))?;
        Ok(())
    }

    fn put_request(&self, key: &str, data: Bytes) -> PutObjectFluentBuilder {
        self.client
            .put_object()
            .bucket(&self.bucket)
            .key(self.full_key(key))
            .set_object_lock_mode(self.lock.map(|lock| lock.mode.into()))
            .set_object_lock_retain_until_date(self.lock_until())
            .set_checksum_algorithm(self.checksum())
            .body(ByteStream::from(data))
    }

    /// One attempt to create the blob, never repeated below: a repeat would meet its own first attempt.
    async fn create_attempt(&self, key: &str, data: Bytes) -> Result<()> {
        let request = match self.flavour {
            S3Flavour::Gcs => self.put_request(key, data).customize().mutate_request(|request| {
                request.headers_mut().insert(GENERATION_MATCH, "0");
            }),
            S3Flavour::Aws | S3Flavour::Compatible if data.len() >= MULTIPART_FROM => {
                return MultipartUpload::send(self, key, &data, true).await;
            }
            _ => self.put_request(key, data).if_none_match("*").customize(),
        };
        let request = request.config_override(once());
        request.send().await.map_err(self.fail_write("create blob", key))?;
        Ok(())
    }

    /// Refuses to delete what the server would only hide, or would refuse without saying until when.
    async fn check_unlocked(&self, key: &str) -> Result<()> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.full_key(key));
        let answer = request.send().await.map_err(self.fail("delete blob", key))?;
        let until = answer.object_lock_retain_until_date().map(DateTime::secs);
        let Some(until) = until.and_then(|secs| chrono::DateTime::from_timestamp(secs, 0)) else {
            return Ok(());
        };
        if until <= self.context.now() {
            return Ok(());
        }
        let mode = answer.object_lock_mode().map_or("unknown", |mode| mode.as_str());
        let fault = format!("the blob is locked until {} (mode {mode})", until.to_rfc3339());
        Err(Error::new(ErrorKind::PermissionDenied, "delete blob", fault)
            .with_target(self.target(key))
            .with_remedy("delete it after that, and keep backups for longer than objects are locked"))
    }

    /// The SDK repeats a request until its answer begins; an answer that breaks off is asked for again here.
    async fn read(&self, key: &str, range: Option<String>) -> Result<Bytes> {
        check_key(key)?;
        let attempt = || async {
            let request = self
                .client
                .get_object()
                .bucket(&self.bucket)
                .key(self.full_key(key))
                .set_range(range.clone());
            let answer = match request.send().await.map_err(self.fail("read blob", key)) {
                Ok(answer) => answer,
                refused => return Ok(refused.map(|_| Bytes::new())),
            };
            let body = answer.body.collect().await.map_err(|source| {
                Error::new(ErrorKind::Unavailable, "read blob", "the connection broke within the blob")
                    .with_target(self.target(key))
                    .with_source(source)
            })?;
            Ok(Ok(body.into_bytes()))
        };
        retry(&self.policy.idempotent(), &self.budget, &self.context, attempt).await?
    }

    async fn bytes_of(&self, key: &str) -> Result<u64> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.full_key(key));
        let answer = request.send().await.map_err(self.fail("read blob", key))?;
        Ok(answer.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
    }
}

/// What keeps the SDK from repeating a request.
pub(super) fn once() -> Builder {
    Builder::new().retry_config(RetryConfig::disabled())
}

impl fmt::Debug for S3BlobStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3BlobStore").field(&self.location).finish()
    }
}

#[async_trait]
impl BlobStore for S3BlobStore {
    fn location(&self) -> &str {
        &self.location
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        check_key(key)?;
        if data.len() < MULTIPART_FROM {
            return self.put_whole(key, data).await;
        }
        let attempt = || async {
            match MultipartUpload::send(self, key, &data, false).await {
                // The last request may have succeeded although its answer was lost.
                Err(error) if error.retry() == Retry::Unknown => match self.get(key).await {
                    Ok(found) if found == data => Ok(()),
                    _ => Err(error),
                },
                outcome => outcome,
            }
        };
        retry(&self.policy.idempotent(), &self.budget, &self.context, attempt).await
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        check_key(key)?;
        let retries = (&self.policy, &*self.budget, &self.context);
        create_once(self, key, &data, retries, || self.create_attempt(key, data.clone())).await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        self.read(key, None).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        // HTTP knows neither an empty range nor an error for one that ends too late.
        if range.start < range.end {
            match self.read(key, Some(format!("bytes={}-{}", range.start, range.end - 1))).await {
                Ok(data) if data.len() as u64 == range.end - range.start => return Ok(data),
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::InvalidInput => {}
                Err(error) => return Err(error),
            }
        }
        let bytes = self.bytes_of(key).await?;
        if range.start == range.end && range.end <= bytes {
            return Ok(Bytes::new());
        }
        Err(bad_range(&self.location, key, &range, bytes))
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        if self.flavour == S3Flavour::SeaweedFs {
            return self.list_sorted_here(prefix, after, limit).await;
        }
        self.list_in_server_order(prefix, after, limit, true).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let outcome = async {
            if self.lock.is_some() {
                self.check_unlocked(key).await?;
            }
            let request = self.client.delete_object().bucket(&self.bucket).key(self.full_key(key));
            request.send().await.map(drop).map_err(self.fail_write("delete blob", key))
        };
        match outcome.await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => outcome,
        }
    }
}
