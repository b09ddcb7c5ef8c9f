//! A number's way through the safeguards.

use super::state::GuardState;
use super::{Fallback, FlapBudget, Guard};
use crate::kernel::look::Look;
use crate::kernel::proposal::Proposal;
use crate::kernel::{Bound, Ceiling};

/// A number on its way, and what changed it last.
struct Passage {
    number: u32,
    bound: Option<Bound>,
}

impl Passage {
    fn at_least(&mut self, number: u32, bound: Bound) {
        if self.number < number {
            (self.number, self.bound) = (number, Some(bound));
        }
    }

    fn at_most(&mut self, number: u32, bound: Bound) {
        if self.number > number {
            (self.number, self.bound) = (number, Some(bound));
        }
    }
}

/// What becomes of a proposal: the number, and what changed it last.
pub(in crate::kernel) fn pass(
    state: &mut GuardState,
    guard: &Guard,
    look: &Look<'_>,
    proposal: &Proposal,
) -> (u32, Option<Bound>) {
    let current = look.current();
    let now = state.see(look, [guard.rate_up, guard.rate_down]);
    let mut passage = Passage { number: proposal.wanted, bound: proposal.stepped.then_some(Bound::Step) };
    state.wanted.note(now, proposal.wanted);
    if !guard.stabilise.is_zero() {
        let most = state.wanted.most(now, guard.stabilise.as_secs_f64());
        passage.at_least(most.min(current), Bound::Stabilised);
    }
    passage.at_most(current.saturating_add(state.may_come(guard.rate_up)), Bound::Rate);
    passage.at_least(current.saturating_sub(state.may_go(guard.rate_down)), Bound::Rate);
    if state.has_grown(guard.hold, now) {
        passage.at_least(current, Bound::Hold);
    }
    if let Some(FlapBudget { turns, within }) = guard.flaps
        && state.turns_within(within, now).is_some_and(|so_far| so_far >= usize::from(turns))
    {
        passage.at_least(current, Bound::FlapBudget);
    }
    passage.at_least(look.min, Bound::Min);
    passage.at_most(look.max, Bound::Max);
    if let Some(bounds) = look.inputs.scheduled {
        passage.at_least(bounds.min.min(look.max), Bound::Schedule);
        passage.at_most(bounds.max.max(bounds.min).max(look.min), Bound::Schedule);
    }
    if let Some(Ceiling { max, resource }) = look.inputs.ceiling {
        passage.at_most(max.max(current).max(look.min), Bound::Ceiling(resource));
    }
    if look.inputs.paused {
        passage.at_least(current, Bound::Paused);
        passage.at_most(current, Bound::Paused);
    }
    let blind_for = state.blind_for(proposal.blind.is_some(), now);
    if proposal.blind.is_some() {
        passage.at_least(current.min(look.max), Bound::Blind);
        if let Some(Fallback { instances, after }) = guard.fallback
            && blind_for >= after.as_secs_f64()
            && !look.inputs.paused
        {
            passage.at_least(instances.clamp(look.min, look.max), Bound::Fallback);
        }
    }
    (passage.number, passage.bound)
}
