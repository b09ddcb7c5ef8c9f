//! Which tags images had.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alfred_ops_core::{Fence, Result, StateCell, StateStore};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::first_seen::{SHARDS, shard_of};
use super::{ImageTag, ImageView};

/// So many tags that an image has no more are remembered.
const LOST_MAX: usize = 16;

/// Which tags the images of one store had at the last look, in a state store. A tag given today makes an old image young, and one
/// that a listing leaves out is looked for before the image goes.
#[derive(Debug, Clone)]
pub(super) struct LastTags {
    state: Arc<dyn StateStore>,
    key: String,
}

/// One document: what is known of each image that has a tag, or had one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shard {
    images: BTreeMap<String, Known>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    tags: BTreeSet<ImageTag>,
    /// Those that it has no more, the latest last.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    lost: Vec<ImageTag>,
    /// When the latest of them was first seen, in seconds since 1970.
    since: i64,
}

impl LastTags {
    pub(super) fn new(state: Arc<dyn StateStore>, store: &str) -> Self {
        Self { state, key: format!("images/{store}/tags") }
    }

    /// Notes the tags of all images that were seen `now`, and forgets those of others, if all were seen. Tells each image of the
    /// tags that it had, and when it got the latest one.
    pub(super) async fn note(
        &self,
        images: &mut [ImageView],
        forget: bool,
        now: DateTime<Utc>,
        fence: Option<&Fence>,
    ) -> Result<()> {
        for digit in SHARDS {
            let mut own: Vec<&mut ImageView> =
                images.iter_mut().filter(|image| shard_of(&image.id) == digit).collect();
            let cell: StateCell<Shard> =
                StateCell::new(Arc::clone(&self.state), format!("{}/{digit}", self.key));
            let shard = cell
                .change("note tags of images", fence, |found| {
                    let found = found.map(|found| found.value);
                    let shard = noted(found.as_ref(), &own, forget, now);
                    let changed = found.as_ref() != Some(&shard) && !(found.is_none() && own.is_empty());
                    Ok((changed.then(|| shard.clone()), shard))
                })
                .await?;
            for image in &mut own {
                let Some(known) = shard.images.get(&image.id) else { continue };
                image.former_tags.clone_from(&known.lost);
                image.tagged_at = DateTime::from_timestamp(known.since, 0);
            }
        }
        Ok(())
    }
}

/// What is known after a look.
fn noted(before: Option<&Shard>, images: &[&mut ImageView], forget: bool, now: DateTime<Utc>) -> Shard {
    let mut shard = before.cloned().unwrap_or_default();
    let ids: BTreeSet<&str> = images.iter().map(|image| image.id.as_str()).collect();
    shard.images.retain(|id, _| !forget || ids.contains(id.as_str()));
    for image in images {
        let tags: BTreeSet<ImageTag> = image.tags.iter().cloned().collect();
        match shard.images.get_mut(&image.id) {
            Some(known) if known.tags != tags => {
                if !tags.is_subset(&known.tags) {
                    known.since = now.timestamp();
                }
                let had = std::mem::replace(&mut known.tags, tags);
                known.lost.retain(|tag| !had.contains(tag));
                known.lost.extend(had);
                known.lost.retain(|tag| !known.tags.contains(tag));
                known.lost.drain(..known.lost.len().saturating_sub(LOST_MAX));
            }
            Some(_) => {}
            None if tags.is_empty() => {}
            None => {
                // At the first look of all nobody can tell since when it has them.
                let since = if before.is_none() { image.first_seen.unwrap_or(now) } else { now };
                let known = Known { tags, lost: Vec::new(), since: since.timestamp() };
                shard.images.insert(image.id.clone(), known);
            }
        }
    }
    shard
}
