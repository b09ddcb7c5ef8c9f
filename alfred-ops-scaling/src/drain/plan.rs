//! How far a number may fall.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::RankedInstance;
use super::book::{Book, Closing, ordinal};

/// What a platform does with a smaller number, and which instances it has if it is to be told whom to stop.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reach<'i> {
    Anybody { pausing: bool },
    HighestOrdinals,
    Chosen(&'i [RankedInstance]),
}

/// How far a number may fall now, and who begins nothing more so that it may fall further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DrainPlan {
    /// The number that may be set. Not above the present one.
    pub(super) allowed: u32,
    pub(super) closing: Option<Closing>,
    /// Who is to be stopped, where that can be said.
    pub(super) victims: Vec<String>,
    /// The leases that hold the number up, and when the last of them ends.
    pub(super) held_by: usize,
    pub(super) held_until: Option<DateTime<Utc>>,
}

/// Plans a step down from `current` to `target`. Pure: of the leases that the book holds, all count.
///
/// Nobody whom the plan stops has a lease, and nobody of them gets one while its notice stands.
pub(super) fn plan(book: &Book, current: u32, target: u32, reach: Reach<'_>) -> DrainPlan {
    let leased: Vec<(&str, DateTime<Utc>)> = book.leased().collect();
    let (allowed, closing, victims) = match reach {
        Reach::Anybody { .. } if leased.is_empty() => (target, Some(Closing::Everybody), Vec::new()),
        Reach::Anybody { pausing } => (current, pausing.then_some(Closing::Everybody), Vec::new()),
        Reach::HighestOrdinals => {
            // A lease of nobody's ordinal may be anybody's.
            let last = leased.iter().map(|(worker, _)| ordinal(worker).unwrap_or(u32::MAX)).max();
            let floor = last.map_or(0, |last| last.saturating_add(1));
            (target.max(floor).min(current), Some(Closing::From(target)), Vec::new())
        }
        Reach::Chosen(instances) => chosen(&leased, current, target, instances),
    };
    let holding = if allowed > target { leased.as_slice() } else { &[] };
    DrainPlan {
        allowed,
        closing,
        victims,
        held_by: holding.len(),
        held_until: holding.iter().map(|(_, until)| *until).max(),
    }
}

/// Nobody is told to go beyond these at once: the rest is for the next step, and the document of leases stays small.
const VICTIMS_MAX: usize = 1_000;

/// Idle instances go, in the order that the platform has whoever is chosen, up to the first rank in which somebody works: the next
/// to go would be that one. Of those that work the ones that are free soonest begin nothing more.
fn chosen(
    leased: &[(&str, DateTime<Utc>)],
    current: u32,
    target: u32,
    instances: &[RankedInstance],
) -> (u32, Option<Closing>, Vec<String>) {
    // More than the present number are there while those of the last step are on their way out: they count as well, or the
    // platform would stop somebody in their place.
    let present = u32::try_from(instances.len()).unwrap_or(u32::MAX).max(current);
    let wanted = usize::try_from(present - target).unwrap_or(usize::MAX).min(VICTIMS_MAX);
    let until: BTreeMap<&str, DateTime<Utc>> = leased.iter().copied().collect();
    let is_leased = |one: &&RankedInstance| until.contains_key(one.name.as_str());
    let last_rank = instances.iter().filter(is_leased).map(|one| one.rank).min().unwrap_or(u8::MAX);
    let mut idle: Vec<&RankedInstance> =
        instances.iter().filter(|one| one.rank <= last_rank && !is_leased(one)).collect();
    idle.sort_by_key(|one| one.rank);
    let victims: Vec<String> = idle.iter().take(wanted).map(|one| one.name.clone()).collect();
    // Whoever stands in the way: first those of the lowest rank, then those that are free soonest.
    let working =
        instances.iter().filter_map(|one| Some((one.rank, until.get(one.name.as_str())?, &one.name)));
    let mut soonest: Vec<_> = working.map(|(rank, until, name)| (rank, *until, name.as_str())).collect();
    soonest.sort_unstable();
    let next = soonest.iter().take(wanted - victims.len()).map(|(.., name)| (*name).to_owned());
    let closing: BTreeSet<String> = victims.iter().cloned().chain(next).collect();
    let allowed = present - u32::try_from(victims.len()).unwrap_or(present).min(present);
    let allowed = allowed.min(current);
    (allowed, Some(Closing::Named(closing)), victims)
}
