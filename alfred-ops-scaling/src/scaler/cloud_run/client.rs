//! What the clients of all resources have in common.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, Retry};
use google_cloud_auth::credentials::{Credentials, anonymous};
use google_cloud_gax::client_builder::ClientBuilder;
use google_cloud_gax::exponential_backoff::ExponentialBackoffBuilder;
use google_cloud_gax::polling_error_policy::{Aip194Strict, PollingErrorPolicyExt as _};
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_lro::{Poller, PollingResult};
use google_cloud_run_v2::model::Condition;
use google_cloud_run_v2::model::condition::State;
use rustls::crypto::CryptoProvider;

use super::CloudRunOptions;
use super::failure::classify;
use crate::scaler::{Limits, Precondition};

/// The most instances of one service that Cloud Run allows without a raised quota.
pub(super) const LIMITS: Limits = Limits { min: 0, max: 1000 };
/// Between two looks at an operation, at most.
const POLL_MAX: Duration = Duration::from_secs(10);

/// A client's builder as the options want it.
pub(super) fn prepared<F>(
    builder: ClientBuilder<F, Credentials>,
    options: &CloudRunOptions,
) -> ClientBuilder<F, Credentials> {
    if CryptoProvider::get_default().is_none() {
        // A host that installs its own at this very moment has won, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
    let backoff = ExponentialBackoffBuilder::new()
        .with_initial_delay(options.poll_after)
        .with_maximum_delay(POLL_MAX.max(options.poll_after))
        .clamp();
    let builder = builder
        .with_polling_backoff_policy(backoff)
        .with_retry_policy(NeverRetry)
        .with_polling_error_policy(Aip194Strict.with_time_limit(options.operation_limit))
        .with_attempt_timeout(options.request_limit);
    match &options.endpoint {
        Some(endpoint) => builder.with_endpoint(endpoint).with_credentials(anonymous::Builder::new().build()),
        None => builder,
    }
}

pub(super) fn failed_build(name: &str, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(ErrorKind::PermissionDenied, "connect to Cloud Run", "the client cannot be built")
        .with_target(name)
        .with_remedy("give the host application default credentials")
        .with_source(source)
}

/// The number as the API counts, within its limits.
pub(super) fn count(name: &str, target: u32) -> Result<i32> {
    LIMITS.check(name, target)?;
    i32::try_from(target)
        .map_err(|_| Error::new(ErrorKind::InvalidInput, "scale", format!("{target} instances are too many")))
}

/// The mode that decides on the field, and the etag. Without an etag a change would be unconditional.
pub(super) fn read_precondition<'p>(
    name: &str,
    precondition: &'p Precondition,
) -> Result<(&'p str, &'p str)> {
    let token = precondition.token().split_once(' ').filter(|(_, etag)| !etag.is_empty());
    token.ok_or_else(|| {
        Error::new(ErrorKind::InvalidInput, "scale", "the precondition names no etag of this resource")
            .with_target(name)
            .with_remedy("name the precondition that `current` returned")
    })
}

/// What the platform says is wrong.
pub(super) fn problem(condition: Option<&Condition>) -> Option<String> {
    let condition = condition.filter(|condition| condition.state == State::ConditionFailed)?;
    Some(if condition.message.is_empty() { "it is not ready".to_owned() } else { condition.message.clone() })
}

/// Follows a change to its end.
pub(super) async fn settled<R, M>(
    operation: &'static str,
    name: &str,
    mut change: impl Poller<R, M>,
) -> Result<R> {
    let failed = |error| classify(operation, name, error);
    match change.poll().await {
        Some(PollingResult::Completed(done)) => done.map_err(failed),
        // The change has been accepted: whatever fails from here on, it may have been made.
        _ => change.until_done().await.map_err(|error| failed(error).with_retry(Retry::Unknown)),
    }
}
