//! When images were first seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use alfred_ops_core::{Fence, Result, StateCell, StateStore};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Images are spread over so many documents by their digests' first digit: a hundred thousand fit.
pub(super) const SHARDS: [char; 16] =
    ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];

/// When the images of one store were first seen, in a state store. An image's own date is that of its build, and says nothing
/// about how long it has been there.
#[derive(Debug, Clone)]
pub(super) struct FirstSeen {
    state: Arc<dyn StateStore>,
    key: String,
}

/// One document: seconds since 1970 by image.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shard {
    images: BTreeMap<String, i64>,
}

impl FirstSeen {
    pub(super) fn new(state: Arc<dyn StateStore>, store: &str) -> Self {
        Self { state, key: format!("images/{store}/first-seen") }
    }

    /// All images that are known.
    pub(super) async fn known(&self) -> Result<Vec<String>> {
        let mut known = Vec::new();
        for digit in SHARDS {
            let shard = self.cell(digit).load().await?;
            known.extend(shard.into_iter().flat_map(|found| found.value.images.into_keys()));
        }
        Ok(known)
    }

    /// Notes what was seen `now`, and forgets what was not, if all was seen. Returns when each image was first seen.
    pub(super) async fn note(
        &self,
        seen: &[String],
        forget: bool,
        now: DateTime<Utc>,
        fence: Option<&Fence>,
    ) -> Result<BTreeMap<String, DateTime<Utc>>> {
        let mut shards: BTreeMap<char, BTreeSet<&String>> =
            SHARDS.iter().map(|&digit| (digit, BTreeSet::new())).collect();
        for id in seen {
            shards.entry(shard_of(id)).or_default().insert(id);
        }
        let mut times = BTreeMap::new();
        for (digit, ids) in shards {
            let shard = self.change(digit, &ids, forget, now, fence).await?;
            times.extend(
                shard
                    .images
                    .into_iter()
                    .filter_map(|(id, seconds)| Some((id, DateTime::from_timestamp(seconds, 0)?))),
            );
        }
        Ok(times)
    }

    async fn change(
        &self,
        digit: char,
        ids: &BTreeSet<&String>,
        forget: bool,
        now: DateTime<Utc>,
        fence: Option<&Fence>,
    ) -> Result<Shard> {
        self.cell(digit)
            .change("note images", fence, |found| {
                let is_new = found.is_none();
                let mut shard = found.map_or_else(Shard::default, |found| found.value);
                shard.images.retain(|id, _| !forget || ids.contains(id));
                for &id in ids {
                    shard.images.entry(id.clone()).or_insert(now.timestamp());
                }
                // Where no image is, no document is needed.
                let is_needed = !(is_new && shard.images.is_empty());
                Ok((is_needed.then(|| shard.clone()), shard))
            })
            .await
    }

    fn cell(&self, digit: char) -> StateCell<Shard> {
        StateCell::new(Arc::clone(&self.state), format!("{}/{digit}", self.key))
    }
}

pub(super) fn shard_of(id: &str) -> char {
    let hex = id.rsplit_once(':').map_or(id, |(_, hex)| hex);
    hex.chars().next().filter(|first| SHARDS.contains(first)).unwrap_or('0')
}
