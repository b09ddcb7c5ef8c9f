//! How fast the kernel of scaling decides.

use std::hint::black_box;
use std::time::Duration;

use alfred_ops_core::{Clock as _, Error, ErrorKind, Result, SystemClock};
use alfred_ops_scaling::{Inputs, Policy, Reading, Slo, State, step};
use chrono::{DateTime, TimeDelta, Utc};

use crate::cluster::Figures;

const SERVICES: u32 = 100_000;
/// Between two looks at a service.
const PERIOD: TimeDelta = TimeDelta::seconds(2);
/// Rounds before any counts: states have to be those of services in use.
const WARM_UP: u32 = 20;

/// A service with its memory and what is known of it.
struct Service {
    state: State,
    inputs: Inputs,
    /// Messages a second.
    rate: f64,
}

/// Decides for 100,000 services with three metrics each, one after the other on one core; the best of all rounds counts.
pub(crate) fn measure(quick: bool) -> Result<Figures> {
    let rounds = if quick { 20 } else { 200 };
    let slo = Policy::new(Slo::default().with_service_rate(10.0));
    let (slo_took, allocations) = play(&slo, rounds)?;
    let (rules_took, _) = play(&Policy::default(), rounds)?;
    println!("{SERVICES} services, {} bytes of state each", size_of::<State>());
    Ok(vec![
        ("kernel.ms_per_100k", slo_took.as_secs_f64() * 1e3),
        ("kernel.rules_ms_per_100k", rules_took.as_secs_f64() * 1e3),
        ("kernel.bytes_per_service", size_of::<State>() as f64),
        ("kernel.allocations", allocations as f64),
    ])
}

/// The best round, and what a round allocates.
fn play(policy: &Policy, rounds: u32) -> Result<(Duration, u64)> {
    let mut now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let mut services: Vec<Service> = (0..SERVICES).map(|number| service(number, now)).collect();
    let clock = SystemClock::new();
    let (mut best, mut changes) = (Duration::MAX, 0);
    for round in 0..WARM_UP + rounds {
        now += PERIOD;
        for (number, service) in (0..SERVICES).zip(&mut services) {
            service.pass(now, number.wrapping_add(round));
        }
        let begun = clock.monotonic();
        changes += decide(&mut services, policy, now);
        let took = clock.monotonic() - begun;
        if round >= WARM_UP {
            best = best.min(took);
        }
    }
    now += PERIOD;
    let allocations = allocation_counter::measure(|| {
        black_box(decide(&mut services, policy, now));
    });
    if changes == 0 {
        return Err(Error::new(ErrorKind::Internal, "measure kernel", "nothing was ever decided"));
    }
    Ok((best, allocations.count_total))
}

/// Decides once for all, and obeys. Returns how many decisions changed something.
fn decide(services: &mut [Service], policy: &Policy, now: DateTime<Utc>) -> u32 {
    let mut changes = 0;
    for service in services {
        let decision = black_box(step(&mut service.state, &service.inputs, policy, now));
        changes += u32::from(decision.desired != service.inputs.instances);
        service.inputs.instances = decision.desired;
    }
    changes
}

fn service(number: u32, now: DateTime<Utc>) -> Service {
    let reading = Some(Reading { value: 0.0, at: now });
    let inputs =
        Inputs { instances: 1 + number % 5, arrivals: reading, queued: reading, ..Inputs::default() };
    Service { state: State::default(), inputs, rate: f64::from(number % 97) }
}

impl Service {
    /// Lets messages come, more or fewer as `chance` says, and the instances work on them.
    fn pass(&mut self, now: DateTime<Utc>, chance: u32) {
        let seconds = PERIOD.as_seconds_f64();
        let came = self.rate * seconds * f64::from(chance % 13) / 6.0;
        let value = |reading: Option<Reading>| reading.map_or(0.0, |reading| reading.value);
        let done = f64::from(self.inputs.instances) * 10.0 * seconds;
        let (all, waiting) = (value(self.inputs.arrivals) + came, value(self.inputs.queued) + came);
        self.inputs.arrivals = Some(Reading { value: all, at: now });
        self.inputs.queued = Some(Reading { value: (waiting - done).max(0.0), at: now });
        self.inputs.cpu = Some(Reading { value: (waiting / done.max(1.0)).min(1.0), at: now });
        self.inputs.memory = Some(Reading { value: 0.5, at: now });
    }
}
