//! What is remembered of images.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alfred_ops_core::{Fence, Result, StateCell, StateStore};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::ImageView;
use super::seen_image::SeenImage;

/// Images are spread over so many documents by their digests' first digit: a hundred thousand with a short tag
/// each fit.
const SHARDS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

/// The images of one store that were seen, in a state store. A tag given today makes an old image young, and one that a listing
/// leaves out is looked for before the image goes.
#[derive(Debug, Clone)]
pub(super) struct SeenImages {
    state: Arc<dyn StateStore>,
    key: String,
}

/// One document.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shard {
    images: BTreeMap<String, SeenImage>,
}

impl SeenImages {
    pub(super) fn new(state: Arc<dyn StateStore>, store: &str) -> Self {
        Self { state, key: format!("images/{store}/seen") }
    }

    /// The ids of all that are remembered.
    pub(super) async fn known(&self) -> Result<Vec<String>> {
        let mut known = Vec::new();
        for digit in SHARDS {
            let shard = self.cell(digit).load().await?;
            known.extend(shard.into_iter().flat_map(|found| found.value.images.into_keys()));
        }
        Ok(known)
    }

    /// Notes what was seen `now`, and forgets what was not, if all was seen. Tells each image what earlier looks found.
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
            let shard = self
                .cell(digit)
                .change("note images", fence, |found| {
                    let is_new = found.is_none();
                    let mut shard = found.map_or_else(Shard::default, |found| found.value);
                    shard.note(&own, forget, now);
                    // Where no image is, no document is needed.
                    let is_needed = !(is_new && shard.images.is_empty());
                    Ok((is_needed.then(|| shard.clone()), shard))
                })
                .await?;
            for image in &mut own {
                if let Some(seen) = shard.images.get(&image.id) {
                    seen.tell(image);
                }
            }
        }
        Ok(())
    }

    fn cell(&self, digit: char) -> StateCell<Shard> {
        StateCell::new(Arc::clone(&self.state), format!("{}/{digit}", self.key))
    }
}

impl Shard {
    fn note(&mut self, images: &[&mut ImageView], forget: bool, now: DateTime<Utc>) {
        let ids: BTreeSet<&str> = images.iter().map(|image| image.id.as_str()).collect();
        self.images.retain(|id, _| !forget || ids.contains(id.as_str()));
        for image in images {
            let tags = image.tags.iter().cloned().collect();
            match self.images.get_mut(&image.id) {
                Some(seen) => seen.note(tags, now),
                None => {
                    self.images.insert(image.id.clone(), SeenImage::new(tags, now));
                }
            }
        }
    }
}

fn shard_of(id: &str) -> char {
    let hex = id.rsplit_once(':').map_or(id, |(_, hex)| hex);
    hex.chars().next().filter(|first| SHARDS.contains(first)).unwrap_or('0')
}
