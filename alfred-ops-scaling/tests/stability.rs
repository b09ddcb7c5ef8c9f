//! The kernel under every sequence of a small alphabet of looks, and under long random ones, for each strategy: always within
//! the bounds, never down on bad data, opposite changes apart, turns within the budget, and at rest soon after the load is.
//!
//! CI goes as deep as takes a few seconds; `scripts/soak stability` goes to the full count.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::time::Duration;

use alfred_ops_scaling::{
    Guard, HpaMetric, HpaV2, Inputs, Kpa, Policy, Reading, Rules, Slo, State, TargetTracking, step,
};
use chrono::{DateTime, TimeDelta, Utc};

/// No instance goes for so long after one came.
const HOLD: TimeDelta = TimeDelta::seconds(60);
const TURNS: u8 = 3;
const TURNS_WITHIN: TimeDelta = TimeDelta::minutes(20);
const MIN: u32 = 1;
const MAX: u32 = 12;

/// What one look finds.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Found {
    /// Messages a second; an instance finishes ten.
    Load(f64),
    /// No signal at all.
    Nothing,
    /// Signals that are no numbers.
    Nonsense,
    /// Signals of long ago.
    Stale,
}

const ALPHABET: [Found; 6] =
    [Found::Load(0.0), Found::Load(25.0), Found::Load(100.0), Found::Nothing, Found::Nonsense, Found::Stale];

fn policies() -> Vec<(&'static str, Policy)> {
    let guard = Guard::default()
        .with_hold(HOLD.to_std().unwrap())
        .with_flap_budget(TURNS, TURNS_WITHIN.to_std().unwrap());
    let bounded = |policy: Policy| policy.with_guard(guard).with_bounds(MIN, MAX).unwrap();
    vec![
        ("rules", bounded(Policy::new(Rules::default()))),
        ("hpa", bounded(Policy::new(HpaV2::new([HpaMetric::Cpu(0.7), HpaMetric::QueuedEach(100.0)])))),
        ("kpa", bounded(Policy::new(Kpa::new(10.0)))),
        ("tracking", bounded(Policy::new(TargetTracking::new(0.6)))),
        ("slo", bounded(Policy::new(Slo::default().with_service_rate(10.0)))),
    ]
}

/// A service under a policy, each decision obeyed at once, and what must be true of it.
#[derive(Debug, Clone)]
struct Watched<'p> {
    policy: &'p Policy,
    state: State,
    now: DateTime<Utc>,
    instances: u32,
    arrivals: f64,
    queued: f64,
    last_up: Option<DateTime<Utc>>,
    up_last: bool,
    turns: Vec<DateTime<Utc>>,
}

impl<'p> Watched<'p> {
    fn new(policy: &'p Policy, instances: u32) -> Self {
        Self {
            policy,
            state: State::default(),
            now: DateTime::UNIX_EPOCH + TimeDelta::days(20_000),
            instances,
            arrivals: 0.0,
            queued: 0.0,
            last_up: None,
            up_last: false,
            turns: Vec::new(),
        }
    }

    fn inputs(&mut self, found: Found, seconds: f64) -> Inputs {
        let rate = if let Found::Load(rate) = found { rate } else { 25.0 };
        let capacity = 10.0 * f64::from(self.instances);
        let done = (self.queued + rate * seconds).min(capacity * seconds);
        self.arrivals += rate * seconds;
        self.queued = self.queued + rate * seconds - done;
        let age = if found == Found::Stale { TimeDelta::minutes(10) } else { TimeDelta::zero() };
        let reading = |value: f64| match found {
            Found::Nothing => None,
            Found::Nonsense => Some(Reading { value: f64::NAN, at: self.now }),
            Found::Load(_) | Found::Stale => Some(Reading { value, at: self.now - age }),
        };
        Inputs {
            instances: self.instances,
            ready: Some(self.instances),
            queued: reading(self.queued),
            in_flight: reading(done / seconds),
            arrivals: reading(self.arrivals),
            cpu: reading(if capacity > 0.0 { done / seconds / capacity } else { 0.0 }),
            memory: reading(0.3),
            ..Inputs::default()
        }
    }

    fn look(&mut self, found: Found) {
        let pause = self.policy.period();
        self.now += TimeDelta::from_std(pause).unwrap();
        let inputs = self.inputs(found, pause.as_secs_f64());
        let before = self.instances;
        let desired = step(&mut self.state, &inputs, self.policy, self.now).desired;
        assert!((MIN..=MAX).contains(&desired), "{desired} is out of bounds");
        if !matches!(found, Found::Load(_)) {
            assert!(desired >= before.min(MAX), "{before} became {desired} on {found:?}");
        }
        if desired > before {
            (self.last_up, self.up_last) = (Some(self.now), true);
        } else if desired < before {
            if let Some(up) = self.last_up {
                assert!(self.now - up >= HOLD, "down {} after up", self.now - up);
            }
            if std::mem::take(&mut self.up_last) {
                self.turns.push(self.now);
            }
        }
        self.turns.retain(|at| self.now - *at < TURNS_WITHIN);
        assert!(self.turns.len() <= usize::from(TURNS), "{} turns", self.turns.len());
        self.instances = desired;
    }

    /// A constant load comes to rest within an hour, at a number that bears it, and stays there.
    fn come_to_rest(&mut self, rate: f64) {
        let looks = |time: TimeDelta| time.to_std().unwrap().as_millis() / self.policy.period().as_millis();
        let (rest, stay) = (looks(TimeDelta::hours(1)), looks(TimeDelta::minutes(15)));
        for _ in 0..rest {
            self.look(Found::Load(rate));
        }
        let settled = self.instances;
        assert!(f64::from(settled) * 10.0 >= rate, "{settled} for {rate}");
        for _ in 0..stay {
            self.look(Found::Load(rate));
            assert_eq!(self.instances, settled, "a constant load of {rate}");
        }
    }
}

/// Every sequence of looks up to a depth, and a constant load after each.
fn explore(watched: &Watched<'_>, depth: u32, rests: &mut u32) {
    for load in [0.0, 25.0, 100.0] {
        watched.clone().come_to_rest(load);
        *rests += 1;
    }
    if depth == 0 {
        return;
    }
    for found in ALPHABET {
        let mut next = watched.clone();
        // A few looks of a kind, so that short sequences reach far.
        for _ in 0..4 {
            next.look(found);
        }
        explore(&next, depth - 1, rests);
    }
}

fn count(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn every_short_sequence_is_survived_and_comes_to_rest() {
    let depth = u32::try_from(count("ALFRED_OPS_STABILITY_DEPTH", 2)).unwrap();
    for (name, policy) in policies() {
        let mut rests = 0;
        explore(&Watched::new(&policy, 4), depth, &mut rests);
        println!("{name}: {rests} times at rest");
        assert!(rests >= 21);
    }
}

#[test]
fn long_random_sequences_keep_every_promise() {
    let steps = count("ALFRED_OPS_STABILITY_STEPS", 200_000);
    let seed = count("ALFRED_OPS_STABILITY_SEED", 1);
    for (name, policy) in policies() {
        let mut chance = seed;
        let mut watched = Watched::new(&policy, 4);
        let (mut found, mut left) = (Found::Nothing, 0);
        for _ in 0..steps {
            if left == 0 {
                chance =
                    chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let drawn = usize::try_from(chance >> 33).unwrap();
                found = match ALPHABET[drawn % ALPHABET.len()] {
                    Found::Load(_) => Found::Load(f64::from(u32::try_from(drawn % 1301).unwrap()) / 10.0),
                    other => other,
                };
                left = 1 + (drawn / 7) % 200;
            }
            left -= 1;
            watched.look(found);
        }
        println!("{name}: {steps} looks with seed {seed}");
    }
}

#[test]
fn the_brief_is_the_default() {
    assert_eq!(Policy::default(), Policy::new(Rules::default()));
    assert_eq!(Policy::default().period(), Duration::from_secs(15));
}
