//! Shares of whole instances.

use std::collections::{BTreeMap, HashMap};

use google_cloud_run_v2::model::WorkerPool;
use serde::{Deserialize, Serialize};

use super::split::split_of;
use crate::rollout::TrafficSplit;

/// The annotation of a worker pool that says which split was meant, where another had to be given.
pub(super) const SPLIT: &str = "alfred-ops/split";

/// A split, and the one that gives everybody with a share an instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RoundedSplit {
    /// What is meant.
    pub(super) wanted: TrafficSplit,
    /// What Cloud Run is told.
    pub(super) given: TrafficSplit,
}

impl RoundedSplit {
    /// The split nearest to `wanted` in which each share is one of `instances` at least.
    ///
    /// # Errors
    /// There are too few, as a sentence.
    pub(super) fn of(wanted: &TrafficSplit, instances: u32) -> Result<Self, String> {
        let mut shares: Vec<(&str, u8)> = wanted.shares().collect();
        let (sharers, rounded) = (shares.len(), |given| Ok(Self { wanted: wanted.clone(), given }));
        if sharers == 1 {
            return rounded(wanted.clone());
        }
        let few = || format!("instances: {instances} are too few for {sharers} revisions");
        let least = 100_u32.checked_div(instances).ok_or_else(few)?;
        let least = if least * instances == 100 { least } else { least + 1 };
        let least = u8::try_from(least).map_err(|_| few())?;
        if usize::from(least) * sharers > 100 {
            return Err(few());
        }
        // What one lacks, whoever has most gives.
        while let Some(place) = shares.iter().position(|(_, share)| *share < least) {
            let lacks = least - shares[place].1;
            let Some(most) = shares.iter_mut().max_by_key(|(_, share)| *share) else { return Err(few()) };
            let spare = lacks.min(most.1.saturating_sub(least));
            if spare == 0 {
                return Err(few());
            }
            most.1 -= spare;
            shares[place].1 += spare;
        }
        let shares = shares.into_iter().map(|(revision, share)| (revision.to_owned(), share));
        TrafficSplit::new(shares).map_err(|error| error.to_string()).and_then(rounded)
    }

    /// The split that is meant, given what the pool shows: the one that is written on it, if nobody has changed the split since.
    /// None if nobody can tell.
    pub(super) fn meant(pool: &WorkerPool) -> Option<TrafficSplit> {
        let given = split_of(pool)?;
        let noted = pool.annotations.get(SPLIT).and_then(|text| serde_json::from_str::<Self>(text).ok());
        Some(noted.filter(|noted| noted.given == given).map_or(given, |noted| noted.wanted))
    }

    /// The pool's annotations with a note of this one, or without if there is nothing to note.
    pub(super) fn noted(&self, pool: &WorkerPool) -> serde_json::Result<HashMap<String, String>> {
        let mut annotations = pool.annotations.clone();
        if self.wanted == self.given {
            annotations.remove(SPLIT);
        } else {
            annotations.insert(SPLIT.to_owned(), serde_json::to_string(self)?);
        }
        Ok(annotations)
    }

    /// About how many of `instances` each has: the whole part of its share, and one more for the largest fractions. For people:
    /// what Cloud Run makes of fractions is its own business.
    pub(super) fn shown(&self, instances: u32) -> String {
        let exact = |percent: u8| u64::from(instances) * u64::from(percent);
        let mut parts: Vec<(&str, u8, u64)> = self
            .given
            .shares()
            .map(|(revision, percent)| (revision, percent, exact(percent) / 100))
            .collect();
        let left = u64::from(instances) - parts.iter().map(|(.., count)| *count).sum::<u64>();
        parts.sort_by_key(|(_, percent, _)| std::cmp::Reverse(exact(*percent) % 100));
        for (.., count) in parts.iter_mut().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            *count += 1;
        }
        let counts: BTreeMap<&str, (u64, u8)> =
            parts.into_iter().map(|(revision, percent, count)| (revision, (count, percent))).collect();
        let one = |(revision, (count, percent)): (&&str, &(u64, u8))| {
            format!("{count} of {revision} ({percent} %)")
        };
        counts.iter().map(one).collect::<Vec<_>>().join(", ")
    }
}

#[cfg(test)]
mod tests {
    use google_cloud_run_v2::model::{InstanceSplit, InstanceSplitAllocationType};
    use proptest::prelude::*;

    use super::*;

    fn check(percent: u8, instances: u32, given: Option<u8>) {
        let wanted = TrafficSplit::canary("a", "b", percent);
        let rounded = RoundedSplit::of(&wanted, instances).ok().map(|rounded| rounded.given.percent("b"));
        assert_eq!(rounded, given, "{percent} % of {instances}");
    }

    #[test]
    fn whoever_has_a_share_has_an_instance() {
        check(5, 20, Some(5));
        check(5, 19, Some(6));
        check(5, 4, Some(25));
        check(5, 3, Some(34));
        check(5, 2, Some(50));
        check(95, 2, Some(50));
        check(50, 3, Some(50));
        check(99, 4, Some(75));
        check(5, 1, None);
        check(5, 0, None);
        check(100, 0, Some(100));
        check(100, 1, Some(100));
        check(1, 1_000, Some(1));
    }

    #[test]
    fn what_was_meant_is_read_as_long_as_nobody_changes_what_was_given() {
        let wanted = TrafficSplit::canary("a", "b", 5);
        let rounded = RoundedSplit::of(&wanted, 4).unwrap();
        let entry = |(revision, percent): (&str, u8)| {
            let to = InstanceSplitAllocationType::Revision;
            InstanceSplit::new().set_type(to).set_revision(revision).set_percent(percent)
        };
        let given = rounded.given.shares().map(entry);
        let pool = WorkerPool::new().set_annotations([("owner", "me")]).set_instance_splits(given);
        assert_eq!(RoundedSplit::meant(&pool), Some(rounded.given.clone()), "there is no note");
        let annotations = rounded.noted(&pool).unwrap();
        let noted = pool.set_annotations(annotations);
        assert_eq!(RoundedSplit::meant(&noted), Some(wanted.clone()));
        assert_eq!(noted.annotations["owner"], "me");
        let other = TrafficSplit::canary("a", "b", 40);
        let changed = noted.clone().set_instance_splits(other.shares().map(entry));
        assert_eq!(RoundedSplit::meant(&changed), Some(other));
        let spoilt = noted.clone().set_annotations([(SPLIT, "{}")]);
        assert_eq!(RoundedSplit::meant(&spoilt), Some(rounded.given.clone()));
        let whole = RoundedSplit::of(&wanted, 100).unwrap();
        assert_eq!(whole.noted(&noted).unwrap().len(), 1, "a note that is not needed goes");
        assert_eq!(rounded.shown(4), "3 of a (75 %), 1 of b (25 %)");
        assert_eq!(RoundedSplit::of(&wanted, 3).unwrap().shown(3), "2 of a (66 %), 1 of b (34 %)");
    }

    proptest! {
        #[test]
        fn each_share_is_an_instance_and_no_larger_than_it_must_be(
            parts in prop::collection::vec(1_u8..100, 1..6),
            instances in 0_u32..1_200,
        ) {
            let sum: u32 = parts.iter().map(|part| u32::from(*part)).sum();
            let mut shares: Vec<(String, u8)> = parts
                .iter()
                .enumerate()
                .map(|(place, part)| {
                    (format!("r-{place}"), u8::try_from((u32::from(*part) * 100 / sum).max(1)).unwrap())
                })
                .collect();
            let rest = 100 - i32::from(shares.iter().skip(1).map(|(_, share)| *share).sum::<u8>());
            shares[0].1 = u8::try_from(rest).unwrap();
            let wanted = TrafficSplit::new(shares).unwrap();
            let Ok(rounded) = RoundedSplit::of(&wanted, instances) else {
                let least = 100_u32.checked_div(instances).unwrap_or(100);
                prop_assert!((least + 1) * u32::try_from(parts.len()).unwrap() > 100);
                return Ok(());
            };
            if rounded.given.only().is_some() {
                return Ok(());
            }
            let least = 100_u32.div_ceil(instances);
            for (revision, share) in wanted.shares() {
                let given = u32::from(rounded.given.percent(revision));
                prop_assert!(given * instances >= 100, "{} has no instance", revision);
                prop_assert!(given <= u32::from(share).max(least), "{} has too much", revision);
            }
        }
    }
}
