//! What a look at images finds.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ImageRef;

/// What a look finds.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ImageFacts {
    /// All images of the store that could be seen.
    pub images: Vec<ImageView>,
    /// What is in use elsewhere.
    pub used: Vec<UsedImage>,
    /// Why nobody can tell what is in use: nothing may be removed then.
    pub unsure: Vec<String>,
    /// What could not be seen, each with its remedy. What was not seen is not removed.
    pub missing: Vec<String>,
}

/// One image of a store.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ImageView {
    /// What the store knows it by: `sha256:…`, or `repository@sha256:…` where repositories are kept apart.
    pub id: String,
    /// All digests by which others may call it.
    pub digests: Vec<String>,
    /// Its tags.
    pub tags: Vec<ImageTag>,
    /// What it is stored in. Layers of several images are stored once.
    pub layers: Vec<ImageLayer>,
    /// The images that it cannot be without, by their ids: its parent, or the platforms of an index.
    pub needs: Vec<String>,
    /// Whether it is nothing but the images it needs. If one of them is in use, so is the whole.
    pub is_index: bool,
    /// The containers beside it that use it, running or not.
    pub used_by: Vec<String>,
    /// When we saw it first; none if we cannot tell.
    pub first_seen: Option<DateTime<Utc>>,
    /// Tags that it had when we saw it earlier, and has no more.
    pub former_tags: Vec<ImageTag>,
    /// When we first saw the latest of its tags; none if it never had one.
    pub tagged_at: Option<DateTime<Utc>>,
}

/// A tag as the store has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ImageTag {
    /// The repository, in the store's own words.
    pub repository: String,
    /// The tag.
    pub tag: String,
}

/// A part of an image that other images may share.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ImageLayer {
    /// Its digest.
    pub digest: String,
    /// Its size.
    pub bytes: u64,
}

/// An image that is in use somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UsedImage {
    /// Who says so.
    pub by: String,
    /// The image.
    pub image: ImageRef,
}

impl ImageView {
    /// An image that the store knows by `id`, which holds its digest.
    #[must_use]
    pub fn new(id: &str) -> Self {
        let digest = id.rsplit_once('@').map_or(id, |(_, digest)| digest);
        Self { id: id.to_owned(), digests: vec![digest.to_owned()], ..Self::default() }
    }

    /// With a tag.
    #[must_use]
    pub fn with_tag(mut self, repository: &str, tag: &str) -> Self {
        self.tags.push(ImageTag::new(repository, tag));
        self
    }
}

impl ImageTag {
    /// A tag of a repository.
    #[must_use]
    pub fn new(repository: &str, tag: &str) -> Self {
        Self { repository: repository.to_owned(), tag: tag.to_owned() }
    }
}

impl ImageLayer {
    /// A layer.
    #[must_use]
    pub fn new(digest: &str, bytes: u64) -> Self {
        Self { digest: digest.to_owned(), bytes }
    }
}

impl UsedImage {
    /// An image that is in use, as `by` says.
    #[must_use]
    pub fn new(by: &str, image: ImageRef) -> Self {
        Self { by: by.to_owned(), image }
    }
}

impl fmt::Display for ImageTag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.repository, self.tag)
    }
}

impl fmt::Display for ImageView {
    /// Its tags, and its id as far as people read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let short = match self.id.split_once("sha256:") {
            Some((start, hex)) => &self.id[..start.len() + "sha256:".len() + hex.len().min(12)],
            None => &self.id,
        };
        if self.tags.is_empty() {
            return f.write_str(short);
        }
        for (number, tag) in self.tags.iter().enumerate() {
            write!(f, "{}{tag}", if number > 0 { ", " } else { "" })?;
        }
        write!(f, " ({short})")
    }
}
