//! The contract of a store of images.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::Result;
use async_trait::async_trait;

use super::ImageView;

/// So many images a store may have: more are an error, and nothing is removed.
pub const IMAGES_MAX: usize = 100_000;

/// Where images are kept and may be removed from: an engine, a registry.
#[async_trait]
pub trait ImageStore: fmt::Debug + Send + Sync + 'static {
    /// A short stable name, unique among all stores: visible ASCII without `/`. When an image was first seen is kept under
    /// it.
    fn name(&self) -> &str;

    /// All images, without the time at which they were first seen. `known` are ids that were seen before: a store that
    /// lists only what has a tag looks for them, too. Dropping the future has no effect.
    ///
    /// # Errors
    /// What kept it from looking.
    async fn list(&self, known: &[String]) -> Result<ImageListing>;

    /// Removes an image and its tags, but only if it still has no other tag than those of `image` and they still mean it,
    /// and if nothing in the store needs or uses it. May be repeated. After a drop or a timeout it may have happened, or a
    /// part of its tags may be gone.
    ///
    /// # Errors
    /// What kept it from removing; [`PermissionDenied`](alfred_ops_core::ErrorKind::PermissionDenied) says which right is
    /// missing.
    async fn remove(&self, image: &ImageView) -> Result<ImageRemoval>;
}

/// The images of a store.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ImageListing {
    /// The images.
    pub images: Vec<ImageView>,
    /// Whether the store knows who uses its images. An engine knows its containers; a registry knows nobody.
    pub sees_use: bool,
    /// What could not be seen, each with its remedy.
    pub missing: Vec<String>,
}

/// What became of an image that should be removed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ImageRemoval {
    /// It is gone.
    Removed,
    /// It was gone.
    Vanished,
    /// It is there, for this reason.
    Stays(String),
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: ImageStore + ?Sized> ImageStore for Arc<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn list(&self, known: &[String]) -> Result<ImageListing> {
        (**self).list(known).await
    }

    async fn remove(&self, image: &ImageView) -> Result<ImageRemoval> {
        (**self).remove(image).await
    }
}
