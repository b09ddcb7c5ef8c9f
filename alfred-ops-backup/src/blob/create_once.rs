//! Creating a blob once although answers get lost.

use std::sync::atomic::{AtomicBool, Ordering};

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, Retry, RetryBudget, RetryPolicy, retry};
use bytes::Bytes;

use super::BlobStore;

/// Calls `create` until its outcome is known: a creation whose answer was lost is looked at before it is
/// repeated, and a key that is taken after such a loss counts as ours if it holds exactly `data`.
///
/// # Errors
/// [`ErrorKind::AlreadyExists`] if another's bytes are there; else the last attempt's.
pub(super) async fn create_once<F, A>(
    store: &(impl BlobStore + ?Sized),
    key: &str,
    data: &Bytes,
    (policy, budget, context): (&RetryPolicy, &RetryBudget, &JobContext),
    create: F,
) -> Result<()>
where
    F: Fn() -> A + Send + Sync,
    A: Future<Output = Result<()>> + Send,
{
    // Set once an attempt failed in a way that may have had effect; even an outage is not believed, since
    // gateways turn a success behind them into one.
    let doubtful = AtomicBool::new(false);
    let unknown = AtomicBool::new(false);
    let attempt = || async {
        let error = match create().await {
            Ok(()) => return Ok(()),
            Err(error) => error,
        };
        let taken = error.kind() == ErrorKind::AlreadyExists;
        if error.retry() == Retry::Never && !taken {
            return Err(error);
        }
        if taken && !doubtful.load(Ordering::Relaxed) {
            return Err(error);
        }
        doubtful.store(true, Ordering::Relaxed);
        if !taken && error.retry() != Retry::Unknown {
            return Err(error);
        }
        unknown.fetch_or(!taken, Ordering::Relaxed);
        look(store, key, data, error).await
    };
    // What has been looked at may be repeated.
    retry(&policy.idempotent(), budget, context, attempt).await.map_err(|error| {
        let open = unknown.load(Ordering::Relaxed) && error.kind() != ErrorKind::AlreadyExists;
        if open { error.with_retry(Retry::Unknown) } else { error }
    })
}

/// Whether `data` is there, after `error` left it open.
async fn look(store: &(impl BlobStore + ?Sized), key: &str, data: &Bytes, error: Error) -> Result<()> {
    match store.get(key).await {
        Ok(found) if found == data => Ok(()),
        Ok(_) => Err(super::store::taken(store.location(), key)),
        // Not there, or not to be seen: the creation itself decides again.
        Err(_) => Err(error),
    }
}
