//! What S3's errors mean.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::io;

use alfred_ops_core::{Classify, Error, ErrorKind, Retry};
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

/// The cause of a failed request, in the words of this crate.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("no answer in time")]
    Timeout { source: Source },
    #[error("the server cannot be reached")]
    Unreachable { source: Source },
    #[error("the bucket does not exist")]
    NoBucket,
    #[error("there is no such blob")]
    NoKey,
    #[error("the key is taken")]
    Taken,
    #[error("another writer is creating this key")]
    Racing,
    #[error("the multipart upload is gone: completed by a request whose answer was lost, or removed")]
    UploadGone,
    #[error("the server refuses: {code}{message}")]
    Refused { code: String, message: String },
    #[error("the temporary credentials have expired: {code}")]
    Expired { code: String },
    #[error("the server's clock and this machine's differ too much: {code}")]
    Skewed { code: String },
    #[error("the store is full or over its quota: {code}")]
    Full { code: String },
    #[error("the server is overloaded or broken: HTTP {status} {code}")]
    Overloaded { status: u16, code: String },
    #[error("the server answered HTTP {status} {code}{message}")]
    Other { status: u16, code: String, message: String },
    #[error("the request could not be made")]
    Request { source: Source },
}

type Source = Box<dyn StdError + Send + Sync + 'static>;

impl Failure {
    pub(super) fn of<E>(error: SdkError<E>) -> Self
    where
        E: ProvideErrorMetadata + StdError + Send + Sync + 'static,
    {
        match error {
            SdkError::TimeoutError(_) => Self::Timeout { source: error.into() },
            SdkError::DispatchFailure(ref failure) if failure.is_timeout() => {
                Self::Timeout { source: error.into() }
            }
            SdkError::DispatchFailure(ref failure) if failure.is_user() => {
                Self::Request { source: error.into() }
            }
            SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
                Self::Unreachable { source: error.into() }
            }
            SdkError::ServiceError(ref context) => {
                let status = context.raw().status().as_u16();
                let code = context.err().code().unwrap_or_default();
                let message = context.err().message().map(|text| format!(" ({text})")).unwrap_or_default();
                Self::of_answer(status, code.to_owned(), message)
            }
            _ => Self::Request { source: error.into() },
        }
    }

    /// The error of a request that changes the bucket: other than for a read, an answer that was lost, or that
    /// tells of a breakdown, leaves open whether it did.
    pub(super) fn of_write(self, operation: &'static str) -> Error {
        let open = match &self {
            Self::Unreachable { source } => !never_left(&**source),
            // 429 and 503 are how S3 turns requests away at the door.
            Self::Overloaded { status, .. } => !matches!(status, 429 | 503),
            Self::UploadGone => true,
            _ => false,
        };
        let error = Error::caused_by(operation, self);
        if open { error.with_retry(Retry::Unknown) } else { error }
    }

    fn of_answer(status: u16, code: String, message: String) -> Self {
        match (status, code.as_str()) {
            (_, "NoSuchBucket") => Self::NoBucket,
            (_, "NoSuchUpload") => Self::UploadGone,
            (_, "ExpiredToken" | "ExpiredTokenException" | "TokenRefreshRequired") => Self::Expired { code },
            (_, "RequestTimeTooSkewed") => Self::Skewed { code },
            (404, _) => Self::NoKey,
            (412, _) => Self::Taken,
            (409, "ConditionalRequestConflict") => Self::Racing,
            (401 | 403, _) | (400, "InvalidAccessKeyId" | "InvalidToken") => Self::Refused { code, message },
            (507, _) | (_, "QuotaExceeded" | "XMinioStorageFull") => Self::Full { code },
            (429 | 500..=599, _) => Self::Overloaded { status, code },
            _ => Self::Other { status, code, message },
        }
    }
}

/// Whether no connection was made.
fn never_left(mut cause: &(dyn StdError + 'static)) -> bool {
    loop {
        let refused = cause.downcast_ref::<io::Error>().is_some_and(|error| {
            use io::ErrorKind::{ConnectionRefused, HostUnreachable, NetworkUnreachable};
            matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable)
        });
        if refused {
            return true;
        }
        let Some(below) = cause.source() else { return false };
        cause = below;
    }
}

impl Classify for Failure {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Timeout { .. } => ErrorKind::Timeout,
            Self::Unreachable { .. } | Self::Overloaded { .. } | Self::Racing | Self::UploadGone => {
                ErrorKind::Unavailable
            }
            Self::NoBucket | Self::NoKey => ErrorKind::NotFound,
            Self::Taken => ErrorKind::AlreadyExists,
            Self::Refused { .. } | Self::Expired { .. } | Self::Skewed { .. } => ErrorKind::PermissionDenied,
            Self::Full { .. } => ErrorKind::ResourceExhausted,
            Self::Other { .. } | Self::Request { .. } => ErrorKind::InvalidInput,
        }
    }

    fn remedy(&self) -> Option<Cow<'static, str>> {
        Some(Cow::Borrowed(match self {
            Self::NoBucket => "create the bucket, or correct its name and region",
            Self::Refused { .. } => {
                "check the access key and that it may get, put, list and delete in this bucket and prefix"
            }
            Self::Expired { .. } => {
                "renew the credentials, or hand over a client that renews them (S3BlobStore::with_client)"
            }
            Self::Skewed { .. } => "set this machine's clock",
            Self::Full { .. } => "free space or raise the quota",
            Self::Unreachable { .. } => "check the endpoint's URL and the network",
            _ => return None,
        }))
    }
}
