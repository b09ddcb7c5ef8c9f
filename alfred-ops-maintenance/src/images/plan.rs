//! Which images are removed. Pure.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::family::Family;
use super::reason::hours;
use super::stable_version::StableVersion;
use super::{ImageFacts, ImageKeep, ImagePolicy, ImageReason, ImageView};
use crate::ChorePlan;

/// Which images are removed and which stay, each with the reason.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct ImagePlan {
    /// What is removed, in this order: an image goes before what it needs.
    pub steps: Vec<ImageStep>,
    /// What would be removed, too, if a run did not have an end.
    pub more: usize,
    /// What stays: by its name, and why.
    pub kept: Vec<(String, ImageKeep)>,
    /// What is in the way.
    pub obstacles: Vec<String>,
}

/// One image that is removed.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ImageStep {
    /// The image as it was seen: it is left alone if its tags are others by then.
    pub image: ImageView,
    /// Why.
    pub reason: ImageReason,
    /// It was first seen so long ago.
    pub seen_for: Duration,
    /// What its removal frees, after the steps before it: layers of images that stay are not counted.
    pub bytes: u64,
}

/// Decides which images are removed. Pure.
///
/// An image goes if it is not in use anywhere, was first seen long enough ago, has none of the tags that are kept, is none of
/// the highest versions of a repository, and is not needed by an image that stays. If anybody who uses images does not answer,
/// nothing goes.
#[must_use]
pub fn plan_images(facts: &ImageFacts, policy: &ImagePolicy, now: DateTime<Utc>) -> ImagePlan {
    let family = Family::new(facts.images.iter().collect());
    let mut kept: BTreeMap<usize, ImageKeep> =
        family.users(&facts.used).into_iter().map(|(place, by)| (place, ImageKeep::InUse { by })).collect();
    let newer = keep_versions(facts, policy, &mut kept);
    for (place, image) in facts.images.iter().enumerate() {
        if let Some(reason) = own_reason(image, policy, now) {
            kept.entry(place).or_insert(reason);
        }
    }
    let roots: Vec<usize> = kept.keys().copied().collect();
    for (place, by) in family.needed(roots) {
        kept.entry(place).or_insert_with(|| ImageKeep::Needed { by: facts.images[by].to_string() });
    }
    let goes: BTreeSet<usize> = (0..facts.images.len()).filter(|place| !kept.contains_key(place)).collect();
    let mut plan = ImagePlan { obstacles: facts.missing.clone(), ..ImagePlan::default() };
    if facts.unsure.is_empty() {
        let mut order = family.needers_first(&goes);
        plan.more = order.len().saturating_sub(policy.removals_max);
        order.truncate(policy.removals_max);
        plan.steps = steps(facts, &family, &order, &newer, now);
    } else {
        kept.extend(goes.into_iter().map(|place| (place, ImageKeep::Unsure)));
        let unsure = facts.unsure.iter();
        plan.obstacles.extend(unsure.map(|why| format!("nothing is removed, since {why}")));
    }
    plan.kept = kept.into_iter().map(|(place, reason)| (facts.images[place].to_string(), reason)).collect();
    plan
}

/// The versions of a repository, each with the places and tags of its images.
type Versions<'a> = BTreeMap<StableVersion, Vec<(usize, &'a str)>>;

/// Keeps the highest versions of each repository. Returns how many higher ones each of the others has that stay.
fn keep_versions(
    facts: &ImageFacts,
    policy: &ImagePolicy,
    kept: &mut BTreeMap<usize, ImageKeep>,
) -> BTreeMap<usize, usize> {
    let mut repositories: BTreeMap<&str, Versions<'_>> = BTreeMap::new();
    for (place, image) in facts.images.iter().enumerate() {
        for tag in &image.tags {
            if let Some(version) = StableVersion::of_tag(&tag.tag) {
                let versions = repositories.entry(&tag.repository).or_default();
                versions.entry(version).or_default().push((place, &tag.tag));
            }
        }
    }
    let mut newer = BTreeMap::new();
    for versions in repositories.values() {
        for (rank, places) in versions.values().rev().enumerate() {
            for &(place, tag) in places {
                if rank < policy.versions {
                    kept.entry(place).or_insert_with(|| ImageKeep::Version(tag.to_owned()));
                } else {
                    newer.insert(place, policy.versions);
                }
            }
        }
    }
    newer
}

/// Why an image stays, whatever becomes of the others.
fn own_reason(image: &ImageView, policy: &ImagePolicy, now: DateTime<Utc>) -> Option<ImageKeep> {
    if let Some(tag) = image.tags.iter().find(|tag| policy.tags.contains(&tag.tag)) {
        return Some(ImageKeep::Tag(tag.tag.clone()));
    }
    // A clock that was set back makes an image young again, and so does another tag.
    let since = image.first_seen.map(|seen| image.tagged_at.map_or(seen, |tagged| tagged.max(seen)));
    let seen_for = since.map(|since| (now - since).to_std().unwrap_or_default());
    let is_old = seen_for.is_some_and(|seen_for| seen_for > policy.unused_after);
    (!is_old).then_some(ImageKeep::Young { seen_for })
}

fn steps(
    facts: &ImageFacts,
    family: &Family<'_>,
    order: &[usize],
    newer: &BTreeMap<usize, usize>,
    now: DateTime<Utc>,
) -> Vec<ImageStep> {
    let going: HashSet<usize> = order.iter().copied().collect();
    let parts = family.needed(order.iter().copied().filter(|&place| facts.images[place].is_index));
    let stays = facts.images.iter().enumerate().filter(|(place, _)| !going.contains(place));
    let mut held: HashSet<&str> =
        stays.flat_map(|(_, image)| &image.layers).map(|layer| layer.digest.as_str()).collect();
    // A layer is freed by the last step that has it.
    let mut steps: Vec<ImageStep> = order
        .iter()
        .rev()
        .map(|&place| {
            let image = &facts.images[place];
            let freed = image.layers.iter().filter(|layer| held.insert(&layer.digest));
            let bytes = freed.fold(0u64, |bytes, layer| bytes.saturating_add(layer.bytes));
            let reason = match (newer.get(&place), parts.get(&place)) {
                (Some(&newer), _) => ImageReason::OldVersion { newer },
                (None, _) if !image.tags.is_empty() => ImageReason::Tagged,
                (None, Some(&of)) => ImageReason::Part { of: facts.images[of].to_string() },
                (None, None) => ImageReason::Untagged,
            };
            let seen_for =
                image.first_seen.map_or(Duration::ZERO, |seen| (now - seen).to_std().unwrap_or_default());
            ImageStep { image: image.clone(), reason, seen_for, bytes }
        })
        .collect();
    steps.reverse();
    steps
}

impl ImagePlan {
    /// What all steps free.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.steps.iter().fold(0, |bytes, step| bytes.saturating_add(step.bytes))
    }
}

impl ChorePlan for ImagePlan {
    fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    fn obstacles(&self) -> Vec<String> {
        self.obstacles.clone()
    }
}

impl fmt::Display for ImagePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            f.write_str("no image to remove")?;
        } else {
            write!(f, "remove {} images, which frees {} bytes", self.steps.len(), self.bytes())?;
        }
        for ImageStep { image, reason, seen_for, bytes } in &self.steps {
            let hours = hours(*seen_for);
            write!(f, "\nremove {image}, {bytes} bytes: {reason}, unused, first seen {hours} h ago")?;
        }
        if self.more > 0 {
            write!(f, "\nleave {} more to the next run", self.more)?;
        }
        // Before what stays: a record keeps the beginning of a plan.
        self.obstacles.iter().try_for_each(|obstacle| write!(f, "\nobstacle: {obstacle}"))?;
        self.kept.iter().try_for_each(|(image, reason)| write!(f, "\nkeep {image}: {reason}"))
    }
}
