//! Who gets which share, as Cloud Run writes it.

use std::collections::BTreeMap;

use google_cloud_run_v2::model::condition::State;

use super::resource::{Entry, Resource, To};
use super::revision::reason_of;
use crate::rollout::{TrafficSplit, UnderWay};

/// The last part of a full name.
pub(super) fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// The configured split. `LATEST` is the revision that it means, and a resource that says nothing is on `LATEST`.
///
/// None if nobody can tell: while a newer revision starts, or after one has failed, `LATEST` is what it was and may be another
/// at any moment.
pub(super) fn split_of<R: Resource>(resource: &R) -> Option<TrafficSplit> {
    split_among(resource, resource.entries())
}

/// That Cloud Run does not make the configured split yet, as far as it tells.
pub(super) fn under_way<R: Resource>(resource: &R) -> Option<UnderWay> {
    let wanted = split_of(resource)?;
    let served = resource.served();
    // Without a word of it, a resource would be one that says nothing rather than one on `LATEST`.
    let split = if served.is_empty() { None } else { split_among(resource, &served) };
    let mut rest = match split {
        Some(split) if split != wanted => format!("Cloud Run still gives {split}"),
        None if resource.reconciling() => "Cloud Run does not say yet whom it gives what".to_owned(),
        _ => return None,
    };
    let failed = resource.terminal().filter(|condition| condition.state == State::ConditionFailed);
    if let Some(condition) = failed {
        rest = format!("{rest}: {}", reason_of(condition));
    }
    Some(UnderWay::Starts(rest))
}

fn split_among<R: Resource>(resource: &R, entries: &[R::Entry]) -> Option<TrafficSplit> {
    let latest = (resource.latest_ready() == resource.latest_created())
        .then(|| short(resource.latest_ready()))
        .filter(|name| !name.is_empty());
    if entries.is_empty() {
        return latest.map(TrafficSplit::all);
    }
    let mut shares: BTreeMap<String, u8> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.percent() != 0) {
        let revision = match entry.to() {
            To::Latest => latest?,
            To::Revision(name) => name,
            To::Unknown => return None,
        };
        let share = shares.entry(revision.to_owned()).or_default();
        *share = share.checked_add(u8::try_from(entry.percent()).ok()?)?;
    }
    TrafficSplit::new(shares).ok()
}

/// The entries that split so. Every tag stays with what it names: that of `LATEST` follows the newest revision, and
/// gets no traffic but by its own address.
pub(super) fn entries<E: Entry>(current: &[E], split: &TrafficSplit) -> Vec<E> {
    let mut left: BTreeMap<&str, u8> = split.shares().collect();
    let mut entries = Vec::new();
    for entry in current {
        let share = if let To::Revision(name) = entry.to() { left.remove(name) } else { None };
        if share.is_some() || !entry.tag().is_empty() {
            entries.push(entry.clone().with_percent(i32::from(share.unwrap_or(0))));
        }
    }
    entries.extend(left.into_iter().map(|(revision, percent)| E::of(revision, i32::from(percent))));
    entries
}

#[cfg(test)]
mod tests {
    use google_cloud_run_v2::model::{
        InstanceSplit, InstanceSplitAllocationType, Service, TrafficTarget,
        TrafficTargetAllocationType as To, WorkerPool,
    };

    use super::*;

    fn entry(text: &str) -> TrafficTarget {
        let mut words = text.split(' ');
        let (revision, percent) = (words.next().unwrap(), words.next().unwrap().parse::<i32>().unwrap());
        let target = TrafficTarget::new().set_percent(percent).set_tag(words.next().unwrap_or_default());
        match revision {
            "LATEST" => target.set_type(To::Latest),
            "?" => target,
            revision => target.set_type(To::Revision).set_revision(revision),
        }
    }

    /// The same entry of a worker pool, which has no tags.
    fn of_pool(entry: &TrafficTarget) -> InstanceSplit {
        let split = InstanceSplit::new().set_percent(entry.percent);
        match entry.r#type {
            To::Latest => split.set_type(InstanceSplitAllocationType::Latest),
            To::Revision => {
                split.set_type(InstanceSplitAllocationType::Revision).set_revision(&entry.revision)
            }
            _ => split,
        }
    }

    fn text(entry: &TrafficTarget) -> String {
        let revision = if entry.r#type == To::Latest { "LATEST" } else { &entry.revision };
        format!("{revision} {} {}", entry.percent, entry.tag).trim_end().to_owned()
    }

    fn reads(created: &str, entries: &[&str], split: Option<&str>) {
        let service = Service::new()
            .set_latest_ready_revision("projects/p/locations/l/services/api/revisions/api-1")
            .set_latest_created_revision(format!("projects/p/locations/l/services/api/revisions/{created}"))
            .set_traffic(entries.iter().map(|text| entry(text)));
        let found = split_of(&service).map(|split| split.to_string());
        assert_eq!(found.as_deref(), split, "{created} {entries:?}");
        let pool = WorkerPool::new()
            .set_latest_ready_revision(&service.latest_ready_revision)
            .set_latest_created_revision(&service.latest_created_revision)
            .set_instance_splits(service.traffic.iter().map(of_pool));
        let found = split_of(&pool).map(|split| split.to_string());
        assert_eq!(found.as_deref(), split, "{created} {entries:?} of a pool");
    }

    #[test]
    fn the_split_is_of_named_revisions_where_anybody_can_tell() {
        reads("api-1", &[], Some("100 % to api-1"));
        reads("api-2", &[], None);
        reads("api-1", &["LATEST 100"], Some("100 % to api-1"));
        reads("api-2", &["LATEST 100"], None);
        reads("api-2", &["LATEST 0 next", "api-1 100"], Some("100 % to api-1"));
        reads("api-1", &["LATEST 60", "api-1 20", "api-0 20 old"], Some("20 % to api-0, 80 % to api-1"));
        reads("api-1", &["api-1 90"], None);
        reads("api-1", &["api-1 -1", "api-0 101"], None);
        reads("api-1", &["api-1 200", "api-1 156"], None);
        reads("api-1", &["? 100"], None);
    }

    fn writes(current: &[&str], split: &TrafficSplit, expected: &[&str]) {
        let current: Vec<_> = current.iter().map(|text| entry(text)).collect();
        let written: Vec<String> = entries(&current, split).iter().map(text).collect();
        assert_eq!(written, expected, "{current:?} {split}");
    }

    #[test]
    fn tags_stay_where_they_are() {
        let (all, canary) = (TrafficSplit::all("api-1"), TrafficSplit::canary("api-1", "api-2", 5));
        writes(&[], &all, &["api-1 100"]);
        writes(&["LATEST 100"], &all, &["api-1 100"]);
        writes(&["LATEST 100 next"], &all, &["LATEST 0 next", "api-1 100"]);
        writes(&["api-1 100 blue"], &canary, &["api-1 95 blue", "api-2 5"]);
        writes(
            &["api-1 0 blue", "api-1 100", "api-0 0 old"],
            &canary,
            &["api-1 95 blue", "api-0 0 old", "api-2 5"],
        );
        writes(&["api-1 50", "api-2 50"], &TrafficSplit::all("api-2"), &["api-2 100"]);
    }
}
