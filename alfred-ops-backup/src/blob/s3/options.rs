//! Where a bucket is and as whom to use it.

use std::time::Duration;

use alfred_ops_core::Secret;
use aws_credential_types::Credentials;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, Region, RequestChecksumCalculation, ResponseChecksumValidation,
};

use super::{ObjectLock, S3Flavour};

/// Where Google serves the protocol.
const GCS_ENDPOINT: &str = "https://storage.googleapis.com";
/// Attempts for one request, the first included.
const ATTEMPTS_MAX: u32 = 5;
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Enough for a part of 8 MiB on a line of 2 Mbit/s.
const ATTEMPT_LIMIT: Duration = Duration::from_secs(60);

/// Where a bucket is and as whom to use it.
///
/// A host that takes its credentials from an instance role or a profile builds its own client with the
/// `aws-config` crate and hands it to [`S3BlobStore::with_client`](super::S3BlobStore::with_client).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct S3Options {
    /// The bucket, which must exist.
    pub bucket: String,
    /// Put before every key, without slashes at its ends; empty for the whole bucket.
    pub prefix: String,
    /// The bucket's region.
    pub region: String,
    /// The server's URL, where it is not the one that AWS has for the region.
    pub endpoint: Option<String>,
    /// Whose dialect the server speaks.
    pub flavour: S3Flavour,
    /// Retention that the server enforces on every blob. The bucket must have been made with Object Lock.
    pub object_lock: Option<ObjectLock>,
    /// Attempts for one request, the first included. One, below a [`RetryingBlobStore`](crate::RetryingBlobStore).
    pub attempts_max: u32,
    /// The public half of the credentials.
    pub access_key_id: String,
    /// The secret half of the credentials.
    pub secret_access_key: Secret,
    /// The token of temporary credentials.
    pub session_token: Option<Secret>,
}

impl S3Options {
    /// A whole bucket in `us-east-1` of AWS.
    #[must_use]
    pub fn new(
        bucket: impl Into<String>,
        access_key_id: impl Into<String>,
        secret_access_key: impl Into<Secret>,
    ) -> Self {
        Self {
            bucket: bucket.into(),
            prefix: String::new(),
            region: "us-east-1".to_owned(),
            endpoint: None,
            flavour: S3Flavour::Aws,
            object_lock: None,
            attempts_max: ATTEMPTS_MAX,
            access_key_id: access_key_id.into(),
            secret_access_key: secret_access_key.into(),
            session_token: None,
        }
    }

    /// The part of the bucket whose keys begin with `prefix/`.
    #[must_use]
    pub fn with_prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into().trim_matches('/').to_owned();
        self
    }

    /// Another region.
    #[must_use]
    pub fn with_region(mut self, region: impl Into<String>) -> Self {
        self.region = region.into();
        self
    }

    /// A server that is not AWS, such as `http://127.0.0.1:9000`. Where no flavour was chosen it is
    /// [`S3Flavour::Compatible`].
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        if self.flavour == S3Flavour::Aws {
            self.flavour = S3Flavour::Compatible;
        }
        self
    }

    /// Another dialect. [`S3Flavour::Gcs`] brings Google's endpoint unless there is one.
    #[must_use]
    pub fn with_flavour(mut self, flavour: S3Flavour) -> Self {
        self.flavour = flavour;
        if flavour == S3Flavour::Gcs && self.endpoint.is_none() {
            self.endpoint = Some(GCS_ENDPOINT.to_owned());
        }
        self
    }

    /// Retention that the server enforces on every blob.
    #[must_use]
    pub fn with_object_lock(mut self, lock: ObjectLock) -> Self {
        self.object_lock = Some(lock);
        self
    }

    /// Another number of attempts for one request.
    #[must_use]
    pub fn with_attempts_max(mut self, attempts_max: u32) -> Self {
        self.attempts_max = attempts_max;
        self
    }

    /// Temporary credentials.
    #[must_use]
    pub fn with_session_token(mut self, token: impl Into<Secret>) -> Self {
        self.session_token = Some(token.into());
        self
    }

    /// The SDK's client as these options describe it, for what a blob store does not do: making buckets,
    /// looking at versions. It makes no connection yet.
    #[must_use]
    pub fn client(&self) -> Client {
        let credentials = Credentials::new(
            self.access_key_id.clone(),
            self.secret_access_key.expose(),
            self.session_token.as_ref().map(|token| token.expose().to_owned()),
            None,
            "alfred-ops",
        );
        let mut config = Builder::new()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(self.region.clone()))
            .credentials_provider(credentials)
            .retry_config(RetryConfig::standard().with_max_attempts(self.attempts_max.max(1)))
            .timeout_config(
                TimeoutConfig::builder()
                    .connect_timeout(CONNECT_LIMIT)
                    .operation_attempt_timeout(ATTEMPT_LIMIT)
                    .build(),
            );
        if let Some(endpoint) = &self.endpoint {
            config = config.endpoint_url(endpoint);
        }
        if self.flavour != S3Flavour::Aws {
            config = config
                .force_path_style(true)
                .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
                .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
        }
        Client::from_conf(config.build())
    }
}
