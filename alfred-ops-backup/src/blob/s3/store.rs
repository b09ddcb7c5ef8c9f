//! The store itself.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;

use super::S3Options;
use super::failure::Failure;
use crate::blob::store::bad_range;
use crate::{BlobInfo, BlobStore, check_key};

/// The SDK's retries are the only ones below the repository.
const ATTEMPTS: u32 = 5;
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Enough for a pack of 8 MiB on a line of 2 Mbit/s.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(60);
/// S3's own limit for one page of a listing.
const PAGE_MAX: usize = 1000;

/// A blob store in a bucket of S3 or of a server that speaks its protocol.
///
/// [`create`](BlobStore::create) rests on conditional writes (`If-None-Match: *`).
#[derive(Clone)]
pub struct S3BlobStore {
    client: Client,
    bucket: String,
    prefix: String,
    location: String,
}

impl S3BlobStore {
    /// The store that `options` names, after a look at its bucket.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] for a missing bucket, [`ErrorKind::PermissionDenied`] for credentials,
    /// [`ErrorKind::Unavailable`] if the server cannot be reached.
    pub async fn connect(options: S3Options) -> Result<Self> {
        let credentials = Credentials::new(
            options.access_key_id,
            options.secret_access_key.expose(),
            options.session_token.map(|token| token.expose().to_owned()),
            None,
            "alfred-ops",
        );
        let mut config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(options.region))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::standard().with_max_attempts(ATTEMPTS))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_LIMIT)
                    .operation_attempt_timeout(ATTEMPT_LIMIT)
                    .build(),
            );
        if let Some(endpoint) = options.endpoint {
            config = config
                .endpoint_url(endpoint)
                .force_path_style(true)
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        Self::with_client(Client::from_conf(config.build()), options.bucket, options.prefix).await
    }

    /// The part of `bucket` below `prefix` (empty for all of it), through the host's own client.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    pub async fn with_client(
        client: Client,
        bucket: impl Into<String>,
        prefix: impl Into<String>,
    ) -> Result<Self> {
        let (bucket, prefix) = (bucket.into(), prefix.into().trim_matches('/').to_owned());
        if !prefix.is_empty() {
            check_key(&prefix)?;
        }
        let mut location = format!("s3://{bucket}");
        if !prefix.is_empty() {
            location = format!("{location}/{prefix}");
        }
        let store = Self { client, bucket, prefix, location };
        let looked = store.client.head_bucket().bucket(&store.bucket).send().await;
        looked
            .map_err(|error| match Failure::of(error) {
                // The answer to a HEAD has no body that could tell which.
                Failure::NoKey => Failure::NoBucket,
                failure => failure,
            })
            .map_err(|failure| {
                Error::caused_by("open bucket", failure).with_target(store.location.clone())
            })?;
        Ok(store)
    }

    fn full_key(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}/{key}", self.prefix) }
    }

    fn fail<E>(&self, operation: &'static str, key: &str) -> impl Fn(SdkError<E>) -> Error
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let target = format!("{}/{key}", self.location);
        move |error| Error::caused_by(operation, Failure::of(error)).with_target(target.clone())
    }

    async fn read(&self, key: &str, range: Option<String>) -> Result<Bytes> {
        check_key(key)?;
        let request = self.client.get_object().bucket(&self.bucket).key(self.full_key(key)).set_range(range);
        let answer = request.send().await.map_err(self.fail("read blob", key))?;
        let body = answer.body.collect().await.map_err(|source| {
            Error::new(ErrorKind::Unavailable, "read blob", "the connection broke within the blob")
                .with_target(format!("{}/{key}", self.location))
                .with_source(source)
        })?;
        Ok(body.into_bytes())
    }

    async fn bytes_of(&self, key: &str) -> Result<u64> {
        let request = self.client.head_object().bucket(&self.bucket).key(self.full_key(key));
        let answer = request.send().await.map_err(self.fail("read blob", key))?;
        Ok(answer.content_length().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0))
    }
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
        let request = self.client.put_object().bucket(&self.bucket).key(self.full_key(key));
        request.body(ByteStream::from(data)).send().await.map_err(self.fail("write blob", key))?;
        Ok(())
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        check_key(key)?;
        let request =
            self.client.put_object().bucket(&self.bucket).key(self.full_key(key)).if_none_match("*");
        request.body(ByteStream::from(data)).send().await.map_err(self.fail("create blob", key))?;
        Ok(())
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
        let cut = if self.prefix.is_empty() { 0 } else { self.prefix.len() + 1 };
        let mut found: Vec<BlobInfo> = Vec::new();
        while found.len() < limit {
            let after = found.last().map_or(after, |blob| &blob.key);
            let page = i32::try_from((limit - found.len()).min(PAGE_MAX)).unwrap_or(1);
            let mut request = self.client.list_objects_v2().bucket(&self.bucket).max_keys(page);
            request = request.prefix(self.full_key(prefix));
            if !after.is_empty() {
                request = request.start_after(self.full_key(after));
            }
            let answer = request.send().await.map_err(self.fail("list blobs", prefix))?;
            for object in answer.contents() {
                let Some(key) = object.key().and_then(|key| key.get(cut..)) else { continue };
                let bytes = object.size().and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(0);
                found.push(BlobInfo { key: key.to_owned(), bytes });
            }
            if answer.is_truncated() != Some(true) || answer.contents().is_empty() {
                break;
            }
        }
        Ok(found)
    }

    async fn delete(&self, key: &str) -> Result<()> {
        check_key(key)?;
        let request = self.client.delete_object().bucket(&self.bucket).key(self.full_key(key));
        match request.send().await.map_err(self.fail("delete blob", key)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            outcome => outcome.map(drop),
        }
    }
}
