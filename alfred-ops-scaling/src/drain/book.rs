//! What is written down of a fleet: who works, and who is to begin nothing more.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::stored_book::StoredBook;

/// The leases of a fleet, and the notices that scaling has given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredBook", into = "StoredBook")]
pub(super) struct Book {
    /// By worker what it works on, and by when each of that ends. What is over does not count although it may go on: its
    /// end must not take another's lease away.
    pub(super) works: BTreeMap<String, BTreeMap<WorkId, DateTime<Utc>>>,
    /// By the name of what falls: several scalers may share a fleet's leases, as those of two revisions do, and each takes back
    /// its own.
    pub(super) notices: BTreeMap<String, Notice>,
    /// By name. They are apart from notices, which scaling gives and takes at every step.
    pub(super) pauses: BTreeMap<String, Pause>,
}

/// Tells works of one worker apart: when each was begun, in milliseconds, or a little later.
pub(super) type WorkId = i64;

/// Who is to begin nothing more, for a time: whoever gave the notice may have died.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Notice {
    pub(super) closing: Closing,
    pub(super) until: DateTime<Utc>,
}

/// Everybody begins nothing more for a time, but for the spared groups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pause {
    pub(super) spared: BTreeSet<String>,
    pub(super) until: DateTime<Utc>,
    /// Since when its end is put off instead of it being given anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) put_off_since: Option<DateTime<Utc>>,
}

/// Who is to begin nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Closing {
    Everybody,
    /// Those whose names end with this number or a higher one.
    From(u32),
    Named(BTreeSet<String>),
}

/// Why a worker may not begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refusal {
    /// It is to go.
    Closing,
    /// There is a pause until then, and it may have to go.
    Paused(DateTime<Utc>),
    /// There are as many leases as the book holds.
    Full,
}

/// The longest name of a worker, a group or a pause.
pub(super) const NAME_BYTES_MAX: usize = 512;
/// More than any fleet works on at once.
const WORKS_MAX: usize = 10_000;
/// What works, and those who are told to go, may take of the document: a store keeps no more than 1 MiB. Notices are in it twice.
const WORKS_BYTES_MAX: usize = 640 * 1024;
const NOTICES_BYTES_MAX: usize = 128 * 1024;
/// What one work takes beside the name: its number and its end.
const WORK_BYTES: usize = 56;
/// More than scalers share a fleet.
const NOTICES_MAX: usize = 64;
/// More than anybody has reasons to pause a fleet at once.
const PAUSES_MAX: usize = 16;
/// A pause that nobody took back is remembered for so long, so that whoever goes on where its host died knows what was begun.
const REMEMBERED: TimeDelta = TimeDelta::days(1);
/// A pause is put off for no longer, so that a platform that never settles does not have work rest for ever.
const PUT_OFF_MAX: TimeDelta = TimeDelta::minutes(15);

impl Book {
    /// Gives up what is over.
    pub(super) fn sweep(&mut self, now: DateTime<Utc>) {
        self.works.retain(|_, works| {
            works.retain(|_, until| *until > now);
            !works.is_empty()
        });
        self.notices.retain(|_, notice| notice.until > now);
        self.pauses.retain(|_, pause| pause.until > now - REMEMBERED);
    }

    pub(super) fn begin(
        &mut self,
        worker: &str,
        now: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> Result<WorkId, Refusal> {
        if self.notices.values().any(|notice| notice.closing.is_for(worker)) {
            return Err(Refusal::Closing);
        }
        let paused = self.pauses.values().filter(|pause| pause.until > now && pause.is_for(worker));
        if let Some(until) = paused.map(|pause| pause.until).max() {
            return Err(Refusal::Paused(until));
        }
        let known = if self.works.contains_key(worker) { 0 } else { written(worker) };
        if self.works.values().map(BTreeMap::len).sum::<usize>() >= WORKS_MAX
            || self.works_bytes() + known + WORK_BYTES > WORKS_BYTES_MAX
        {
            return Err(Refusal::Full);
        }
        let works = self.works.entry(worker.to_owned()).or_default();
        let last = works.last_key_value().map_or(i64::MIN, |(last, _)| last.saturating_add(1));
        let id = now.timestamp_millis().max(last);
        works.insert(id, until);
        Ok(id)
    }

    /// A later end for work whose lease is not over; whether it is not.
    pub(super) fn extend(&mut self, worker: &str, work: WorkId, until: DateTime<Utc>) -> bool {
        let known = self.works.get_mut(worker).and_then(|works| works.get_mut(&work));
        known.map(|known| *known = until.max(*known)).is_some()
    }

    pub(super) fn end(&mut self, worker: &str, work: WorkId) {
        if let Some(works) = self.works.get_mut(worker) {
            works.remove(&work);
            if works.is_empty() {
                self.works.remove(worker);
            }
        }
    }

    /// The workers with leases, and until when at the latest.
    pub(super) fn leased(&self) -> impl Iterator<Item = (&str, DateTime<Utc>)> {
        let last = |works: &BTreeMap<WorkId, DateTime<Utc>>| works.values().max().copied();
        self.works.iter().filter_map(move |(worker, works)| Some((worker.as_str(), last(works)?)))
    }

    fn works_bytes(&self) -> usize {
        self.works.iter().map(|(worker, works)| written(worker) + works.len() * WORK_BYTES).sum()
    }

    /// Until when somebody is to begin nothing more.
    pub(super) fn closing_until(&self) -> Option<DateTime<Utc>> {
        self.notices.values().map(|notice| notice.until).max()
    }

    /// Gives a notice in place of the last one of this scope; whether there is room for it. The last one stands if not.
    pub(super) fn give_notice(&mut self, scope: &str, notice: Notice) -> bool {
        let others = || self.notices.iter().filter(|(known, _)| *known != scope);
        let bytes: usize = others().map(|(known, notice)| written(known) + notice.closing.bytes()).sum();
        let fits = others().count() < NOTICES_MAX
            && bytes + written(scope) + notice.closing.bytes() <= NOTICES_BYTES_MAX;
        if fits {
            self.notices.insert(scope.to_owned(), notice);
        }
        fits
    }

    /// A later end for a notice that stands; whether one does.
    pub(super) fn renew_notice(&mut self, scope: &str, until: DateTime<Utc>) -> bool {
        let known = self.notices.get_mut(scope);
        known.map(|known| known.until = until.max(known.until)).is_some()
    }

    pub(super) fn withdraw_notice(&mut self, scope: &str) {
        self.notices.remove(scope);
    }

    pub(super) const fn pauses(&self) -> &BTreeMap<String, Pause> {
        &self.pauses
    }

    /// Begins a pause, or one of this name anew; whether there is room for it.
    pub(super) fn pause(&mut self, name: &str, pause: Pause, now: DateTime<Utc>) -> bool {
        if self.pauses.len() >= PAUSES_MAX {
            self.pauses.retain(|known, pause| known == name || pause.until > now);
        }
        let fits = self.pauses.len() < PAUSES_MAX || self.pauses.contains_key(name);
        if fits {
            self.pauses.insert(name.to_owned(), pause);
        }
        fits
    }

    /// A later end for a pause that is not over, nor was put off for too long; whether it has one.
    pub(super) fn prolong(&mut self, name: &str, now: DateTime<Utc>, until: DateTime<Utc>) -> bool {
        let Some(known) = self.pauses.get_mut(name).filter(|known| known.until > now) else { return false };
        let since = *known.put_off_since.get_or_insert(now);
        if now - since > PUT_OFF_MAX {
            return false;
        }
        known.until = until.max(known.until);
        true
    }

    pub(super) fn resume(&mut self, name: &str) {
        self.pauses.remove(name);
    }

    /// The workers with leases whom a pause is for, and until when at the latest.
    pub(super) fn working<'b>(&'b self, pause: &'b Pause) -> impl Iterator<Item = (&'b str, DateTime<Utc>)> {
        self.leased().filter(|(worker, _)| pause.is_for(worker))
    }
}

impl Pause {
    pub(super) fn is_for(&self, worker: &str) -> bool {
        // A name without a group, or of one that nobody knows, may be of any group.
        group(worker).is_none_or(|group| !self.spared.contains(group))
    }
}

impl Closing {
    pub(super) fn is_for(&self, worker: &str) -> bool {
        match self {
            Self::Everybody => true,
            // A name without a number is nobody's ordinal: it may be any of them.
            Self::From(first) => ordinal(worker).is_none_or(|ordinal| ordinal >= *first),
            Self::Named(names) => names.contains(worker),
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Named(names) => names.iter().map(|name| written(name)).sum(),
            Self::Everybody | Self::From(_) => 0,
        }
    }

    /// Those of both.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::From(one), Self::From(other)) => Self::From(one.min(other)),
            (Self::Named(one), Self::Named(other)) => Self::Named(one.union(&other).cloned().collect()),
            _ => Self::Everybody,
        }
    }
}

/// The bytes that a name takes in the document.
fn written(name: &str) -> usize {
    let one = |byte| match byte {
        b'"' | b'\\' => 2,
        0..0x20 => 6,
        _ => 1,
    };
    // With quotes, what comes behind it, and braces.
    name.bytes().map(one).sum::<usize>() + 6
}

/// What comes before the first slash of a name.
fn group(worker: &str) -> Option<&str> {
    worker.split_once('/').map(|(group, _)| group)
}

/// The number behind the last hyphen of a name, as those of a StatefulSet's pods.
pub(super) fn ordinal(worker: &str) -> Option<u32> {
    worker.rsplit_once('-')?.1.parse().ok()
}
