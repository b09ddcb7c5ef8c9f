//! Where a bucket is and as whom to use it.

use alfred_ops_core::Secret;

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
    /// The server's URL, where it is not AWS. Such servers get path-style requests, and checksums only
    /// where the protocol requires them, since many know no newer ones.
    pub endpoint: Option<String>,
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

    /// A server that is not AWS, such as `http://127.0.0.1:9000`.
    #[must_use]
    pub fn with_endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// Temporary credentials.
    #[must_use]
    pub fn with_session_token(mut self, token: impl Into<Secret>) -> Self {
        self.session_token = Some(token.into());
        self
    }
}
