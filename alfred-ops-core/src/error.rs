//! The one error type of the workspace.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

/// The result of everything in alfred-ops that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

type Source = Box<dyn StdError + Send + Sync + 'static>;

/// What a caller can do about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The input is wrong and stays wrong: a config value, an argument, a malformed page.
    InvalidInput,
    /// What was asked for does not exist.
    NotFound,
    /// What should be created exists already.
    AlreadyExists,
    /// Somebody else changed it first: read again, decide again.
    Conflict,
    /// A lease was lost or a newer owner exists: this actor must stop.
    Fenced,
    /// The far side knows us not, or forbids it: a person must act.
    PermissionDenied,
    /// The far side is set up in a way that cannot serve the request: a person must act.
    Unsupported,
    /// The far side cannot be reached or is overloaded.
    Unavailable,
    /// No answer within the time allowed: the effect may have happened.
    Timeout,
    /// A limit was reached: disk, quota, memory, a bounded queue.
    ResourceExhausted,
    /// Stored data is not what was written.
    Corrupt,
    /// The caller asked to stop.
    Cancelled,
    /// A fault in this software.
    Internal,
}

impl ErrorKind {
    /// The retry class of an error of this kind, where its maker says nothing else.
    #[must_use]
    pub const fn default_retry(self) -> Retry {
        match self {
            Self::Unavailable => Retry::After(None),
            Self::Timeout => Retry::Unknown,
            _ => Retry::Never,
        }
    }

    /// A short stable name, used as a label in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::InvalidInput => "invalid_input",
            Self::NotFound => "not_found",
            Self::AlreadyExists => "already_exists",
            Self::Conflict => "conflict",
            Self::Fenced => "fenced",
            Self::PermissionDenied => "permission_denied",
            Self::Unsupported => "unsupported",
            Self::Unavailable => "unavailable",
            Self::Timeout => "timeout",
            Self::ResourceExhausted => "resource_exhausted",
            Self::Corrupt => "corrupt",
            Self::Cancelled => "cancelled",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether the same call may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// Nothing happened; try again, after the given delay if the far side named one.
    After(Option<Duration>),
    /// The same call will fail the same way.
    Never,
    /// The effect may have happened: look before repeating.
    Unknown,
}

/// Says how an error is to be handled.
///
/// The crates' private causes (thiserror enums) implement it, so that [`Error::caused_by`] needs no
/// further word about them.
pub trait Classify {
    /// What a caller can do about it.
    fn kind(&self) -> ErrorKind;

    /// Whether the same call may be made again.
    fn retry(&self) -> Retry {
        self.kind().default_retry()
    }

    /// What a person does about it, as an imperative sentence without a full stop.
    fn remedy(&self) -> Option<Cow<'static, str>> {
        None
    }
}

/// The error of every alfred-ops operation: one pointer wide, opaque, classified.
///
/// `Display` is one line, `operation target: message; remedy`, and never repeats the
/// [source](StdError::source). Whoever handles an error logs it; whoever passes it on does not.
///
/// ```
/// use alfred_ops_core::{Error, ErrorKind, Retry};
///
/// let error = Error::new(ErrorKind::PermissionDenied, "start base backup", "role \"app\" lacks REPLICATION")
///     .with_target("postgres://db:5432")
///     .with_remedy("run ALTER ROLE app REPLICATION");
/// assert_eq!(error.retry(), Retry::Never);
/// assert_eq!(
///     error.to_string(),
///     "start base backup (postgres://db:5432): role \"app\" lacks REPLICATION; run ALTER ROLE app REPLICATION"
/// );
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    retry: Retry,
    operation: Cow<'static, str>,
    target: Option<String>,
    message: String,
    remedy: Option<Cow<'static, str>>,
    source: Option<Source>,
}

impl Error {
    /// An error of `kind` in `operation` (a verb phrase such as `"put object"`).
    #[must_use]
    pub fn new(kind: ErrorKind, operation: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            retry: kind.default_retry(),
            operation: operation.into(),
            target: None,
            message: message.into(),
            remedy: None,
            source: None,
        }))
    }

    /// An error whose cause knows its own class; the cause's text becomes the message.
    #[must_use]
    pub fn caused_by<C>(operation: impl Into<Cow<'static, str>>, cause: C) -> Self
    where
        C: Classify + StdError + Send + Sync + 'static,
    {
        let mut error = Self::new(cause.kind(), operation, cause.to_string());
        error.0.retry = cause.retry();
        error.0.remedy = cause.remedy();
        // The cause's own text is the message already; what lies below it is the source.
        error.0.source = cause.source().map(|below| chain_text(below).into());
        error
    }

    /// Names what the operation was about: a URL without credentials, a file, a field.
    #[must_use]
    pub fn with_target(mut self, target: impl Into<String>) -> Self {
        self.0.target = Some(target.into());
        self
    }

    /// Says what a person does about it, as an imperative sentence without a full stop.
    #[must_use]
    pub fn with_remedy(mut self, remedy: impl Into<Cow<'static, str>>) -> Self {
        self.0.remedy = Some(remedy.into());
        self
    }

    /// Overrides the retry class that the kind implies.
    #[must_use]
    pub fn with_retry(mut self, retry: Retry) -> Self {
        self.0.retry = retry;
        self
    }

    /// Keeps the error below this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Source>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What a caller can do about it.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// Whether the same call may be made again.
    #[must_use]
    pub fn retry(&self) -> Retry {
        self.0.retry
    }

    /// The operation that failed.
    #[must_use]
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// What the operation was about.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.0.target.as_deref()
    }

    /// What a person does about it.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.0.remedy.as_deref()
    }

    /// The error and everything below it on one line, for a log or a terminal.
    #[must_use]
    pub fn full(&self) -> String {
        chain_text(self)
    }
}

fn chain_text(error: &(dyn StdError + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(below) = next {
        let line = below.to_string();
        // Some libraries repeat their source in their own text.
        if !text.ends_with(&line) {
            text.push_str(": ");
            text.push_str(&line);
        }
        next = below.source();
    }
    text
}

impl Classify for Error {
    fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    fn retry(&self) -> Retry {
        self.0.retry
    }

    fn remedy(&self) -> Option<Cow<'static, str>> {
        self.0.remedy.clone()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.operation)?;
        if let Some(target) = &self.0.target {
            write!(f, " ({target})")?;
        }
        write!(f, ": {}", self.0.message)?;
        if let Some(remedy) = &self.0.remedy {
            write!(f, "; {remedy}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("retry", &self.0.retry)
            .field("text", &self.full())
            .finish()
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_ref().map(|source| source.as_ref() as &(dyn StdError + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("slot {slot:?} is gone")]
    struct SlotGone {
        slot: String,
        source: std::io::Error,
    }

    impl Classify for SlotGone {
        fn kind(&self) -> ErrorKind {
            ErrorKind::NotFound
        }

        fn remedy(&self) -> Option<Cow<'static, str>> {
            Some("take a new full backup".into())
        }
    }

    #[test]
    fn a_cause_brings_its_class_text_and_remedy() {
        let cause = SlotGone { slot: "alfred".to_owned(), source: std::io::Error::other("socket closed") };
        let error = Error::caused_by("stream WAL", cause).with_target("db:5432");
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(
            error.to_string(),
            "stream WAL (db:5432): slot \"alfred\" is gone; take a new full backup"
        );
        assert!(error.full().ends_with(": socket closed"), "{}", error.full());
    }

    #[test]
    fn a_timeout_is_unknown_and_an_outage_may_be_retried() {
        assert_eq!(Error::new(ErrorKind::Timeout, "put", "late").retry(), Retry::Unknown);
        assert_eq!(Error::new(ErrorKind::Unavailable, "put", "down").retry(), Retry::After(None));
        assert_eq!(Error::new(ErrorKind::Corrupt, "get", "hash").retry(), Retry::Never);
    }

    #[test]
    fn the_error_is_one_pointer_wide() {
        assert_eq!(size_of::<Error>(), size_of::<usize>());
    }
}
