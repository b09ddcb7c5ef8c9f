//! Which slots to run now.

use chrono::{DateTime, TimeDelta, Utc};

use super::{MissedRuns, Schedule};

/// Slots that one decision may look at. A longer outage takes several.
const SLOTS_MAX: usize = 10_000;

/// Which slots to run now, and why others are not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DueSlots {
    /// To run, oldest first.
    pub run: Vec<DateTime<Utc>>,
    /// Not to run, oldest first.
    pub passed_over: Vec<PassedSlot>,
    /// The newest slot that this decision settles: run it or not, it does not come up again.
    pub handled: Option<DateTime<Utc>>,
}

/// A slot that is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PassedSlot {
    /// When it was.
    pub slot: DateTime<Utc>,
    /// Why it is not run.
    pub why: PassedOver,
}

/// Why a slot is not run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PassedOver {
    /// It lies outside of the maintenance windows or inside a blackout.
    Window,
    /// It is too old.
    TooLate,
    /// A newer slot runs in its place.
    Superseded,
}

pub(super) fn decide(
    schedule: &Schedule,
    missed: MissedRuns,
    handled: DateTime<Utc>,
    now: DateTime<Utc>,
) -> DueSlots {
    let mut slots: Vec<DateTime<Utc>> = Vec::new();
    let mut due = DueSlots::default();
    for slot in schedule.slots_after(handled).take_while(|slot| *slot <= now).take(SLOTS_MAX) {
        due.handled = Some(slot);
        if schedule.allows(slot) {
            slots.push(slot);
        } else {
            due.passed_over.push(PassedSlot { slot, why: PassedOver::Window });
        }
    }
    let age = |slot: DateTime<Utc>| now - slot;
    let limit = |span| TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    let newest = slots.last().copied();
    for slot in slots {
        let why = match missed {
            MissedRuns::Skip { grace } if age(slot) > limit(grace) => Some(PassedOver::TooLate),
            MissedRuns::Skip { .. } | MissedRuns::FireOnce if Some(slot) != newest => {
                Some(PassedOver::Superseded)
            }
            MissedRuns::CatchUp { window, .. } if age(slot) > limit(window) => Some(PassedOver::TooLate),
            _ => None,
        };
        match why {
            Some(why) => due.passed_over.push(PassedSlot { slot, why }),
            None => due.run.push(slot),
        }
    }
    if let MissedRuns::CatchUp { max, .. } = missed {
        let surplus = due.run.len().saturating_sub(max);
        let given_up = due.run.drain(..surplus).map(|slot| PassedSlot { slot, why: PassedOver::Superseded });
        due.passed_over.extend(given_up);
    }
    due.passed_over.sort_by_key(|passed| passed.slot);
    due
}
