//! Who uses images.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use alfred_ops_core::Result;
use async_trait::async_trait;

use super::ImageRef;

/// A place where images are in use: another host, Cloud Run's revisions, a cluster's pods and replica sets.
///
/// Called several times in a run. Who knows the digest of what runs should name it: a tag may have moved since.
#[async_trait]
pub trait ImageUse: fmt::Debug + Send + Sync + 'static {
    /// A short name for people.
    fn name(&self) -> &str;

    /// Every image that is in use there or must be there to go back to. Dropping the future has no effect.
    ///
    /// # Errors
    /// Not all can be told: no image is removed then, anywhere.
    async fn in_use(&self) -> Result<Vec<ImageRef>>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<U: ImageUse + ?Sized> ImageUse for Arc<U> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn in_use(&self) -> Result<Vec<ImageRef>> {
        (**self).in_use().await
    }
}

/// A use that asks the host.
///
/// ```
/// use alfred_ops_maintenance::ClosureUse;
///
/// let revisions = ClosureUse::new("cloud-run", || async {
///     Ok(vec!["registry.example/agents/bot:v1.4.0".parse()?])
/// });
/// ```
pub struct ClosureUse<F> {
    name: String,
    ask: F,
}

impl<F, A> ClosureUse<F>
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<Vec<ImageRef>>> + Send,
{
    /// A use that `ask` tells of.
    #[must_use]
    pub fn new(name: impl Into<String>, ask: F) -> Self {
        Self { name: name.into(), ask }
    }
}

impl<F> fmt::Debug for ClosureUse<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClosureUse").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl<F, A> ImageUse for ClosureUse<F>
where
    F: Fn() -> A + Send + Sync + 'static,
    A: Future<Output = Result<Vec<ImageRef>>> + Send,
{
    fn name(&self) -> &str {
        &self.name
    }

    async fn in_use(&self) -> Result<Vec<ImageRef>> {
        (self.ask)().await
    }
}
