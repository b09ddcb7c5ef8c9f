//! One policy on one trace.

use std::collections::VecDeque;
use std::time::Duration;

use alfred_ops_core::Result;
use chrono::{DateTime, TimeDelta, Utc};

use super::fleet::Fleet;
use super::score::Reversals;
use super::{Contestant, Score, Service, Trace};
use crate::{Inputs, Reading, State, step};

/// What processors are averaged over, as Kubernetes' metrics server does.
const USAGE_WINDOW: usize = 30;

/// What a policy did with a trace.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Run {
    /// What it came to.
    pub score: Score,
    /// What happened in each second.
    pub seconds: Vec<Second>,
}

/// What happened in a second.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Second {
    /// Requests that came.
    pub arrivals: f32,
    /// Instances that work or start.
    pub instances: u16,
    /// For how many seconds the first in the queue has waited.
    pub wait: u32,
}

/// Plays the trace against a policy. The same input gives the same run.
///
/// # Errors
/// [`InvalidInput`](alfred_ops_core::ErrorKind::InvalidInput) for a service or policy that makes no sense.
pub fn simulate(trace: &Trace, service: &Service, contestant: &Contestant) -> Result<Run> {
    service.check()?;
    contestant.policy.check()?;
    let (mut fleet, mut state, mut meters) = (Fleet::new(service), State::default(), Meters::default());
    let (mut score, mut reversals) = (Score::default(), Reversals::default());
    let (mut total, mut late, mut least) = (0.0, 0.0, 0.0);
    let mut seconds = Vec::with_capacity(trace.arrivals().len());
    let wait = service.wait.as_secs_f64();
    let period = contestant.period.as_secs().max(1);
    for (second, arrivals) in (0_u64..).zip(trace.arrivals()) {
        let worked = fleet.work(second, *arrivals, wait);
        total += arrivals;
        late += worked.late;
        least += (arrivals / service.rate).ceil().clamp(f64::from(service.min), f64::from(service.max));
        let count = fleet.count();
        score.instance_seconds += f64::from(count);
        score.instances_max = score.instances_max.max(count);
        meters
            .note(Shown { queued: fleet.queued(), served: worked.served, busy: worked.busy, total }, service);
        seconds.push(Second {
            arrivals: single(*arrivals),
            instances: u16::try_from(count).unwrap_or(u16::MAX),
            wait: u32::try_from(fleet.oldest(second)).unwrap_or(u32::MAX),
        });
        if second % period == 0 {
            let now = at(second);
            let inputs = meters.inputs(&fleet, contestant.in_process, service, now);
            let desired = step(&mut state, &inputs, &contestant.policy, now).desired;
            reversals.note(count, desired, Duration::from_secs(second));
            fleet.scale(desired, second);
        }
    }
    if total > 0.0 {
        score.violations_percent = 100.0 * (late + fleet.queued()) / total;
    }
    score.cost_ratio = if least > 0.0 { score.instance_seconds / least } else { 0.0 };
    score.reversals = reversals.count;
    Ok(Run { score, seconds })
}

/// What meters show of one second.
#[derive(Debug, Clone, Copy, Default)]
struct Shown {
    queued: f64,
    served: f64,
    busy: f64,
    total: f64,
}

/// What meters show, and showed a while ago.
#[derive(Debug, Default)]
struct Meters {
    past: VecDeque<Shown>,
    usage: VecDeque<f64>,
}

impl Meters {
    fn note(&mut self, shown: Shown, service: &Service) {
        self.usage.push_back(shown.busy);
        if self.usage.len() > USAGE_WINDOW {
            self.usage.pop_front();
        }
        let busy = self.usage.iter().sum::<f64>() / f64::from(u32::try_from(self.usage.len()).unwrap_or(1));
        self.past.push_back(Shown { busy, ..shown });
        if self.past.len() > usize::try_from(service.metric_delay.as_secs()).unwrap_or(0) + 1 {
            self.past.pop_front();
        }
    }

    fn inputs(&self, fleet: &Fleet, in_process: bool, service: &Service, now: DateTime<Utc>) -> Inputs {
        let shown = if in_process { self.past.back() } else { self.past.front() };
        let delay = if in_process { Duration::ZERO } else { service.metric_delay };
        let at = now - TimeDelta::from_std(delay).unwrap_or_default();
        let Shown { queued, served, busy, total } = shown.copied().unwrap_or_default();
        let reading = |value| Some(Reading { value, at });
        Inputs {
            instances: fleet.count(),
            ready: Some(fleet.ready()),
            queued: reading(queued),
            in_flight: reading(served),
            arrivals: reading(total),
            cpu: reading(busy),
            // Nothing here takes memory.
            memory: reading(0.0),
            ..Inputs::default()
        }
    }
}

fn at(second: u64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(i64::try_from(second).unwrap_or(i64::MAX / 1000))
}

#[expect(clippy::cast_possible_truncation, reason = "for a picture")]
const fn single(value: f64) -> f32 {
    value as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steady(rate: f64, seconds: usize) -> Trace {
        Trace::new(vec![rate; seconds]).unwrap()
    }

    fn named(name: &str, service: &Service) -> Contestant {
        Contestant::all(service).into_iter().find(|contestant| contestant.name() == name).unwrap()
    }

    #[test]
    fn what_waits_too_long_is_late_and_all_is_paid_for() {
        // One instance that never gets help: one request a second is done of the two that come.
        let service = Service::new(1.0).with_bounds(1, 1);
        let run = simulate(&steady(2.0, 100), &service, &named("slo", &service)).unwrap();
        // What came in second n is done by 2n + 1: in time up to second 10, of which 22 requests are done by then.
        assert!((run.score.violations_percent - 89.5).abs() < 1.0, "{:?}", run.score);
        assert!((run.score.instance_seconds - 100.0).abs() < f64::EPSILON);
        assert!((run.score.cost_ratio - 1.0).abs() < f64::EPSILON);
        assert_eq!(run.seconds.len(), 100);
    }

    #[test]
    fn each_serves_a_steady_load() {
        let service = Service::new(10.0).with_bounds(1, 20);
        for contestant in Contestant::all(&service) {
            let run = simulate(&steady(50.0, 7200), &service, &contestant).unwrap();
            let last = run.seconds.last().unwrap();
            assert_eq!(last.wait, 0, "{}: {:?}", contestant.name(), run.score);
            assert!((5..=11).contains(&last.instances), "{}: {last:?}", contestant.name());
        }
    }

    #[test]
    fn nonsense_is_refused() {
        let service = Service::new(0.0).with_bounds(3, 2);
        let error = simulate(&steady(1.0, 1), &service, &named("rules", &Service::new(1.0))).unwrap_err();
        assert!(error.to_string().contains("rate: 0 is not above 0; min: 3 and max: 2"), "{error}");
    }
}
