//! Where queries are answered.

use std::fmt;
use std::time::Duration;

use alfred_ops_core::Result;
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use crate::promql::Answer;

/// A server that answers PromQL: Prometheus, or what speaks its HTTP API.
///
/// May be asked from several tasks at once, and the same again: a question changes nothing at the far side, so that every
/// error whose [`retry`](alfred_ops_core::Error::retry) is not `Never` may be met by asking again. An implementation does
/// not repeat by itself, and ends within a bounded time. Dropping a future ends the question and has no other effect.
///
/// `Ok` is the full answer, with what the server finds dubious about it in its annotations, in the server's own words;
/// a server that answers from a part of its data says so there. Samples are as of the time asked for, labels without
/// empty values. An answer beyond the implementation's limits is an error and never a part of it.
///
/// # Errors
/// Both methods return, and none of their texts holds a credential:
///
/// - [`InvalidInput`](alfred_ops_core::ErrorKind::InvalidInput): the query cannot be read, or has no answer (series that
///   match several others, a histogram where a number is wanted).
/// - [`PermissionDenied`](alfred_ops_core::ErrorKind::PermissionDenied): the server knows us not.
/// - [`NotFound`](alfred_ops_core::ErrorKind::NotFound), [`Unsupported`](alfred_ops_core::ErrorKind::Unsupported): what
///   answers there is no such server.
/// - [`ResourceExhausted`](alfred_ops_core::ErrorKind::ResourceExhausted): the answer is larger than allowed.
/// - [`Unavailable`](alfred_ops_core::ErrorKind::Unavailable), [`Timeout`](alfred_ops_core::ErrorKind::Timeout): nobody
///   knows the answer now. Ask again, after the delay that the error names if it names one.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait QuerySource: fmt::Debug + Send + Sync + 'static {
    /// A short stable name for logs, errors and explanations, without credentials.
    fn name(&self) -> &str;

    /// What `query` comes to at `at`, in whole milliseconds.
    ///
    /// # Errors
    /// Those of the [trait](QuerySource#errors).
    async fn instant(&self, query: &str, at: DateTime<Utc>) -> Result<Answer>;

    /// What `query` comes to at `start`, at every `step` behind it, and not behind `end`: a matrix, whatever the query.
    ///
    /// # Errors
    /// Those of the [trait](QuerySource#errors); `InvalidInput` also if `end` is before `start`, or `step` is below a
    /// millisecond.
    async fn range(
        &self,
        query: &str,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        step: Duration,
    ) -> Result<Answer>;
}
