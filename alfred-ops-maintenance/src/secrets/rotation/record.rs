//! What is known of a secret's rotation. Pure.

use std::collections::VecDeque;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::{Generation, PastGeneration, Phase, RotationStep};

/// Decades of yearly rotations.
const PAST_MAX: usize = 32;

/// What is known of a secret's rotation, as the state store keeps it: numbers, names and times, never a value.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RotationRecord {
    /// Those alive, in the order in which they were begun: the active one, at most one that will be, and those before, of
    /// which there is mostly one.
    pub generations: Vec<Generation>,
    /// The number of the last one that was begun.
    pub begun: u64,
    /// The step that was about to be done, and since when.
    pub doing: Option<(RotationStep, DateTime<Utc>)>,
    /// Why somebody wants a new one before its time.
    pub wanted: Option<String>,
    /// Those whose values are destroyed, oldest first, at most 32.
    pub past: VecDeque<PastGeneration>,
}

impl RotationRecord {
    /// The one that is used.
    #[must_use]
    pub fn active(&self) -> Option<&Generation> {
        self.in_phase(Phase::Active)
    }

    /// The one in this phase, if there is one.
    #[must_use]
    pub fn in_phase(&self, phase: Phase) -> Option<&Generation> {
        self.generations.iter().find(|generation| generation.phase == phase)
    }

    /// The one of this number, if it is alive.
    #[must_use]
    pub fn generation(&self, number: u64) -> Option<&Generation> {
        self.generations.iter().find(|generation| generation.number == number)
    }

    /// A generation is about to be made; a former attempt at the same one is forgotten.
    pub(super) fn stage(&mut self, number: u64, id: String, above: u64, now: DateTime<Utc>) {
        self.generations.retain(|generation| generation.number != number);
        self.begun = self.begun.max(number);
        self.generations.push(Generation {
            number,
            id,
            above,
            version: None,
            handle: String::new(),
            phase: Phase::Staged,
            since: now,
            active_at: None,
        });
    }

    /// Its value is in the secret store.
    pub(super) fn keep(&mut self, number: u64, version: u64, handle: String) {
        for generation in self.generations.iter_mut().filter(|generation| generation.number == number) {
            generation.version = Some(version);
            generation.handle.clone_from(&handle);
        }
    }

    /// A version that was there before. How old it is counts from when it was added.
    pub(super) fn adopt(
        &mut self,
        version: u64,
        handle: String,
        added_at: DateTime<Utc>,
        now: DateTime<Utc>,
    ) {
        let number = self.begun + 1;
        self.stage(number, String::new(), version, now);
        self.keep(number, version, handle);
        for generation in self.generations.iter_mut().filter(|generation| generation.number == number) {
            generation.active_at = Some(added_at.min(now));
        }
        self.activate(number, now);
    }

    /// Whether something names this generation alone: what is done to a name is done to all who have it.
    pub(super) fn is_named_alone(&self, generation: &Generation) -> bool {
        let mut others = self.generations.iter().filter(|other| other.number != generation.number);
        !generation.handle.is_empty() && others.all(|other| other.handle != generation.handle)
    }

    pub(super) fn enter(&mut self, number: u64, phase: Phase, now: DateTime<Utc>) {
        for generation in self.generations.iter_mut().filter(|generation| generation.number == number) {
            (generation.phase, generation.since) = (phase, now);
        }
    }

    /// It is used from now on, and the one before is not. One that is used again is as old as it was.
    pub(super) fn activate(&mut self, number: u64, now: DateTime<Utc>) {
        if let Some(before) = self.active().map(|generation| generation.number) {
            self.enter(before, Phase::Retiring, now);
        }
        self.enter(number, Phase::Active, now);
        for generation in self.generations.iter_mut().filter(|generation| generation.number == number) {
            generation.active_at.get_or_insert(now);
        }
    }

    pub(super) fn destroy(&mut self, number: u64, now: DateTime<Utc>) {
        let Some(place) = self.generations.iter().position(|generation| generation.number == number) else {
            return;
        };
        let gone = self.generations.remove(place);
        self.past.push_back(PastGeneration {
            number,
            version: gone.version.unwrap_or(0),
            handle: gone.handle,
            active_at: gone.active_at,
            destroyed_at: now,
        });
        while self.past.len() > PAST_MAX {
            self.past.pop_front();
        }
    }
}
