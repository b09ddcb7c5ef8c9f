//! A blob store that tries again.

use std::ops::Range;
use std::sync::Arc;

use alfred_ops_core::{JobContext, Result, RetryBudget, RetryPolicy, retry};
use async_trait::async_trait;
use bytes::Bytes;

use super::create_once::create_once;
use super::{BlobInfo, BlobStore};

/// A blob store that repeats failed requests by the class of their error, within a policy and a budget.
///
/// Reads, listings, deletions and `put` are repeated also where the first attempt may have taken effect: the
/// same bytes under the same key do no harm. A `create` whose outcome is unknown is looked at first: if the
/// key holds exactly the bytes that were to be written, it has succeeded. Rivals that create the same key
/// must therefore write different bytes (a holder's name, an id), or both may believe that they won.
///
/// Only one layer retries: [`S3BlobStore`](crate::S3BlobStore) does so by itself.
#[derive(Debug)]
pub struct RetryingBlobStore<S> {
    store: S,
    policy: RetryPolicy,
    budget: Arc<RetryBudget>,
    context: JobContext,
}

impl<S: BlobStore> RetryingBlobStore<S> {
    /// Repeats with the default policy and a budget of its own. Pauses run on the context's clock, are spread
    /// by its randomness and end when it is cancelled.
    #[must_use]
    pub fn new(store: S, context: JobContext) -> Self {
        Self { store, policy: RetryPolicy::default().idempotent(), budget: Arc::default(), context }
    }

    /// Another policy. Its `idempotent` is not asked: this store knows what may be repeated.
    #[must_use]
    pub fn with_policy(mut self, policy: RetryPolicy) -> Self {
        self.policy = policy.idempotent();
        self
    }

    /// A budget shared with others that call the same far side.
    #[must_use]
    pub fn with_budget(mut self, budget: Arc<RetryBudget>) -> Self {
        self.budget = budget;
        self
    }

    async fn repeat<T, A>(&self, attempt: impl FnMut() -> A + Send) -> Result<T>
    where
        T: Send,
        A: Future<Output = Result<T>> + Send,
    {
        retry(&self.policy, &self.budget, &self.context, attempt).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: BlobStore> BlobStore for RetryingBlobStore<S> {
    fn location(&self) -> &str {
        self.store.location()
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        self.repeat(|| self.store.put(key, data.clone())).await
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        let retries = (&self.policy, &*self.budget, &self.context);
        create_once(&self.store, key, &data, retries, || self.store.create(key, data.clone())).await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        self.repeat(|| self.store.get(key)).await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.repeat(|| self.store.get_range(key, range.clone())).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        self.repeat(|| self.store.list(prefix, after, limit)).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.repeat(|| self.store.delete(key)).await
    }
}
