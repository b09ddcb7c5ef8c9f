//! The decision.

use super::quantile::normal_quantile;
use super::state::SloState;
use super::{Slo, SloBasis};
use crate::kernel::look::Look;
use crate::kernel::number::ceil;
use crate::kernel::proposal::Proposal;
use crate::kernel::{Basis, HoldReason, Reading, Signal, Verdict};

/// What the newest measurement of the service rate counts.
const LEARNING: f64 = 0.1;
/// A backlog that takes this share of the wait counts as one that makes messages late.
const LATE_SHARE: f64 = 0.2;

/// See [`Slo`].
pub(in crate::kernel) fn propose(state: &mut SloState, slo: &Slo, look: &Look<'_>) -> Proposal {
    let current = look.current();
    if state.last.is_none_or(|last| look.is_cut_off_from_moment(last)) {
        state.start_over(look);
    }
    let (Some(arrivals), Some(queued)) = (look.reading(Signal::Arrivals), look.reading(Signal::Queued))
    else {
        return without_signals(look);
    };
    let now = look.moment;
    state.last = Some(now);
    state.see(arrivals, queued.value, slo, look);
    let Some(service_rate) =
        slo.service_rate.or((state.service_rate > 0.0).then(|| state.service_rate.into()))
    else {
        return without_service_rate(queued.value, look);
    };
    let needs = state.needs(queued, service_rate, slo, look);
    let scale = slo.scale();
    state.dips.follow(needs.for_arrivals, current, now, scale);
    state.for_arrivals.note(now, needs.for_arrivals);
    state.for_all.note(now, needs.for_all);
    let hold = state.dips.hold(slo.restart_cost(), scale);
    let kept = state.for_arrivals.most(now, hold).max(state.for_all.most(now, 2.0 * scale));
    let basis = SloBasis { hold_seconds: hold, ..needs };
    let (wanted, verdict) = if needs.for_all > current {
        let signal = if needs.for_all > needs.for_arrivals { Signal::Queued } else { Signal::Arrivals };
        (needs.for_all, if current == 0 { Verdict::Wake } else { Verdict::Up(signal) })
    } else if kept < current {
        state.dips.note_departure(current, now);
        (kept, Verdict::Down)
    } else if current == 0 {
        (0, Verdict::Hold(HoldReason::Asleep))
    } else {
        (current, Verdict::Hold(HoldReason::Steady))
    };
    Proposal { wanted, verdict, stepped: false, blind: None, basis: Basis::Slo(basis) }
}

impl SloState {
    /// Begins anew, and keeps what time does not change. As many instances as there are count as needed until now.
    fn start_over(&mut self, look: &Look<'_>) {
        let (service_rate, dips) = (self.service_rate, self.dips.without_times());
        *self = Self { service_rate, dips, last_arrival: look.moment, ..Self::default() };
        self.for_arrivals.note(look.moment, look.current());
    }

    /// Takes a count of arrivals into the rates, and learns how fast instances work.
    fn see(&mut self, arrivals: Reading, queued: f64, slo: &Slo, look: &Look<'_>) {
        let at = look.moment.earlier_by(look.age(arrivals).as_secs_f64());
        let waited = f64::from(std::mem::replace(&mut self.queued, single(queued)));
        let Some((before, before_at)) = self.arrivals else {
            self.arrivals = Some((arrivals.value, at));
            return;
        };
        let step = at.since(before_at);
        if step <= 0.0 {
            return;
        }
        self.arrivals = Some((arrivals.value, at));
        let came = arrivals.value - before;
        if came < 0.0 {
            // Whoever counts has started over.
            return;
        }
        if came > 0.0 {
            self.last_arrival = at;
        }
        self.seen = single(f64::from(self.seen) + step);
        self.rates.add(came / step, step, self.seen.into(), slo.scale());
        let ready = f64::from(look.ready());
        // Only who always has something to do shows how fast it works.
        if waited > 0.0 && queued > 0.0 && ready > 0.0 {
            let done = (came + waited - queued) / step / ready;
            if done > 0.0 {
                let known = f64::from(self.service_rate);
                let learnt = if known > 0.0 { known + LEARNING * (done - known) } else { done };
                self.service_rate = single(learnt);
            }
        }
    }

    /// What is needed, all told.
    fn needs(&self, queued: Reading, service_rate: f64, slo: &Slo, look: &Look<'_>) -> SloBasis {
        let (scale, start_up) = (slo.scale(), slo.start_up.as_secs_f64());
        let age = look.age(queued).as_secs_f64();
        let expected = self.rates.expected(self.seen.into(), scale, start_up + age);
        let capacity = f64::from(look.ready()) * service_rate;
        let excess = expected.now - capacity;
        // The count is as old as it is: since then messages came, and went.
        let waiting = if queued.value > 0.0 { (queued.value + excess * age).max(0.0) } else { 0.0 };
        let backlog = waiting + excess.max(0.0) * start_up;
        let chance = normal_quantile(slo.lateness / (1.0 + slo.lateness)) * expected.deviation;
        let bounded = |instances: f64| ceil(instances).clamp(look.min, look.max);
        let for_arrivals = if self.is_idle(queued.value, slo, look) {
            look.min
        } else {
            bounded((expected.ahead + chance) / service_rate).max(1)
        };
        let wait = backlog / (f64::from(look.current()) * service_rate);
        let for_all = if waiting > 0.0 && wait > LATE_SHARE * slo.wait.as_secs_f64() {
            let cheapest = (backlog * scale / (slo.lateness * expected.now.max(f64::MIN_POSITIVE))).sqrt();
            let time = cheapest.clamp(2.0, slo.wait.as_secs_f64().max(2.0));
            bounded((expected.ahead + backlog / time) / service_rate).max(1)
        } else {
            for_arrivals
        };
        SloBasis {
            arrivals_per_second: expected.ahead,
            service_rate,
            backlog,
            for_arrivals,
            for_all: for_all.max(for_arrivals),
            hold_seconds: 0.0,
        }
    }

    /// Whether nothing waits, nothing is known to be in work, and nothing has come for as long as a restart is worth.
    fn is_idle(&self, queued: f64, slo: &Slo, look: &Look<'_>) -> bool {
        let in_work = look.value(Signal::InFlight).unwrap_or(0.0);
        queued <= 0.0 && in_work <= 0.0 && look.moment.since(self.last_arrival) > slo.restart_cost()
    }
}

/// Nothing is known of what comes: whatever waits still wakes a service that sleeps.
fn without_signals(look: &Look<'_>) -> Proposal {
    let missing = [Signal::Queued, Signal::Arrivals].into_iter().find(|signal| look.value(*signal).is_none());
    let waits = look.current() == 0 && look.value(Signal::Queued).is_some_and(|queued| queued > 0.0);
    let (wanted, verdict) = if waits {
        (1, Verdict::Wake)
    } else {
        (look.current(), Verdict::Hold(HoldReason::Missing(missing.unwrap_or(Signal::Arrivals))))
    };
    Proposal { wanted, verdict, stepped: false, blind: missing, basis: Basis::Slo(SloBasis::default()) }
}

/// Twice as many as long as messages wait, which shows soon how fast they work.
fn without_service_rate(queued: f64, look: &Look<'_>) -> Proposal {
    let current = look.current();
    // Those that start have not shown yet what they can do.
    let all_work = look.ready() == current;
    let (wanted, verdict) = match (current, queued > 0.0) {
        (0, true) => (1, Verdict::Wake),
        (_, true) if all_work => {
            (current.saturating_mul(2).min(look.max.max(current)), Verdict::Up(Signal::Queued))
        }
        _ => (current, Verdict::Hold(HoldReason::Learning)),
    };
    Proposal { wanted, verdict, stepped: false, blind: None, basis: Basis::Slo(SloBasis::default()) }
}

#[expect(clippy::cast_possible_truncation, reason = "six digits are enough")]
fn single(value: f64) -> f32 {
    value as f32
}
