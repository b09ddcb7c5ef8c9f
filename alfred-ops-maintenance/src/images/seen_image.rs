//! What is remembered of an image.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{ImageTag, ImageView};

/// So many tags that an image has no more are remembered.
const LOST_MAX: usize = 16;

/// An image as looks found it. Times are seconds since 1970.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SeenImage {
    /// When it was first seen. Its own date is that of its build, and says nothing about how long it has been there.
    first: i64,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<ImageTag>,
    /// Those that it has no more, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lost: Vec<ImageTag>,
    /// When it was first seen with the latest of its tags, if it came without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since: Option<i64>,
}

impl SeenImage {
    /// An image that was not seen before.
    pub(super) fn new(tags: BTreeSet<ImageTag>, now: DateTime<Utc>) -> Self {
        Self { first: now.timestamp(), tags, ..Self::default() }
    }

    /// Notes the tags that it has `now`.
    pub(super) fn note(&mut self, tags: BTreeSet<ImageTag>, now: DateTime<Utc>) {
        if !tags.is_subset(&self.tags) {
            self.since = Some(now.timestamp());
        }
        let had = std::mem::replace(&mut self.tags, tags);
        self.lost.retain(|tag| !had.contains(tag));
        self.lost.extend(had);
        self.lost.retain(|tag| !self.tags.contains(tag));
        self.lost.drain(..self.lost.len().saturating_sub(LOST_MAX));
    }

    /// Tells a view of it when it came, which tags it had, and when it got the latest one.
    pub(super) fn tell(&self, image: &mut ImageView) {
        let had_tags = !self.tags.is_empty() || !self.lost.is_empty();
        let tagged = had_tags.then_some(self.since.unwrap_or(self.first));
        image.first_seen = DateTime::from_timestamp(self.first, 0);
        image.tagged_at = tagged.and_then(|tagged| DateTime::from_timestamp(tagged, 0));
        image.former_tags.clone_from(&self.lost);
    }
}
