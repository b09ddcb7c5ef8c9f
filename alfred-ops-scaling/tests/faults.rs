//! Autoscalers on a platform that fails in every way, by schedules drawn from a seed: refusals, answers that are lost before or
//! after the change was made, processes killed at any await, and two controllers at once. No change is made twice or on a number
//! that is no longer there, none leads out of bounds, and three looks after the last fault all is as decided.
//!
//! CI plays 500 schedules; `scripts/soak scaling-faults` plays 10,000.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, MemoryStateStore, Result, SimulatedClock};
use alfred_ops_scaling::{
    Autoscaler, Current, Limits, MemoryScaler, Outcome, Policy, Precondition, Scaler, Slo, Workload,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};

const MIN: u32 = 1;
const MAX: u32 = 15;
/// Looks of a schedule in which faults happen.
const FAULTY_LOOKS: u32 = 60;

/// Numbers by chance.
#[derive(Debug, Clone)]
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// A platform whose answers fail by chance, and which notes what was really done to it.
#[derive(Debug)]
struct Platform {
    service: MemoryScaler,
    chance: Mutex<Chance>,
    faulty: Mutex<bool>,
    /// Every change that was made: on which knowledge, from what, to what.
    changes: Mutex<Vec<(String, u32, u32)>>,
}

impl Platform {
    fn fault(&self) -> u64 {
        if *self.faulty.lock().unwrap() { self.chance.lock().unwrap().below(12) } else { 11 }
    }

    /// Lets others run, so that a process can be killed here.
    async fn pause(&self) {
        tokio::task::yield_now().await;
    }
}

#[async_trait]
impl Scaler for Platform {
    fn name(&self) -> &str {
        "agents"
    }

    fn limits(&self) -> Limits {
        Limits { min: 0, max: 100 }
    }

    async fn current(&self) -> Result<Current> {
        self.pause().await;
        match self.fault() {
            0 => Err(Error::new(ErrorKind::Unavailable, "read service", "503")),
            1 => Err(Error::new(ErrorKind::Timeout, "read service", "no answer")),
            _ => self.service.current().await,
        }
    }

    async fn plan(&self, target: u32) -> Result<String> {
        self.service.plan(target).await
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome> {
        self.pause().await;
        let fault = self.fault();
        match fault {
            0 => return Err(Error::new(ErrorKind::Conflict, "scale", "409")),
            1 => return Err(Error::new(ErrorKind::ResourceExhausted, "scale", "429")),
            2 => return Err(Error::new(ErrorKind::Unavailable, "scale", "503")),
            3 => return Err(Error::new(ErrorKind::Timeout, "scale", "the request was lost")),
            _ => {}
        }
        let before = self.service.current().await?.configured;
        let outcome = self.service.scale(target, precondition).await?;
        self.changes.lock().unwrap().push((precondition.token().to_owned(), before, target));
        self.pause().await;
        match fault {
            4 => Err(Error::new(ErrorKind::Timeout, "scale", "the answer was lost")),
            5 => Err(Error::new(ErrorKind::Timeout, "scale", "the operation was lost")),
            _ => Ok(outcome),
        }
    }
}

/// One controller, started anew when it was killed.
struct Controller {
    autoscaler: Autoscaler,
    kept: bool,
}

fn controller(
    platform: &Arc<Platform>,
    load: &Arc<Workload>,
    store: &Arc<MemoryStateStore>,
    name: u32,
    kept: bool,
) -> Controller {
    let policy = Policy::new(Slo::default().with_service_rate(10.0)).with_bounds(MIN, MAX).unwrap();
    let (scaler, signals) = (Arc::<Platform>::clone(platform), Arc::<Workload>::clone(load));
    let mut autoscaler = Autoscaler::new(scaler, signals, policy);
    if kept {
        autoscaler = autoscaler.with_state(Arc::<MemoryStateStore>::clone(store), format!("scaling/{name}"));
    }
    Controller { autoscaler, kept }
}

/// Polls a tick so many times and then drops it, as a process that is killed. `None` if it was.
fn tick(autoscaler: &Autoscaler, context: &JobContext, polls_max: u64) -> Option<Result<u32>> {
    let mut ticking = pin!(autoscaler.tick(context));
    for _ in 0..polls_max {
        if let Poll::Ready(outcome) = ticking.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            return Some(outcome.map(|decision| decision.desired));
        }
    }
    None
}

fn play(seed: u64) {
    let mut chance = Chance(seed);
    let platform = Arc::new(Platform {
        service: MemoryScaler::new("agents", 1 + u32::try_from(chance.below(14)).unwrap()),
        chance: Mutex::new(Chance(seed.wrapping_mul(31))),
        faulty: Mutex::new(true),
        changes: Mutex::default(),
    });
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    let context = JobContext::system().with_clock(clock.shared());
    let (load, store) = (Arc::new(Workload::new()), Arc::new(MemoryStateStore::default()));
    let controllers = 1 + u32::try_from(chance.below(2)).unwrap();
    let kept = chance.below(2) == 0;
    let mut controllers: Vec<Controller> =
        (0..controllers).map(|name| controller(&platform, &load, &store, name, kept)).collect();
    load.arrived(0);
    let mut settled = 0;
    let mut quiet = 0;
    for look in 0..FAULTY_LOOKS + 40 {
        if look == FAULTY_LOOKS {
            *platform.faulty.lock().unwrap() = false;
        }
        let faulty = look < FAULTY_LOOKS;
        // The load changes as long as faults do.
        let coming = if faulty { u32::try_from(chance.below(200)).unwrap() } else { 100 };
        load.arrived(coming);
        load.started(coming);
        load.completed(coming);
        let mut agreed = true;
        for (name, one) in (0..).zip(&mut controllers) {
            let polls_max = if faulty && chance.below(6) == 0 { chance.below(5) } else { u64::MAX };
            match tick(&one.autoscaler, &context, polls_max) {
                None => *one = controller(&platform, &load, &store, name, one.kept),
                Some(Err(error)) if !faulty => {
                    assert_eq!(error.kind(), ErrorKind::Conflict, "seed {seed}: {}", error.full());
                    agreed = false;
                }
                Some(Err(_)) => {}
                Some(Ok(desired)) => {
                    let there = platform.changes.lock().unwrap().last().map(|(_, _, to)| *to);
                    agreed &= there.is_none_or(|there| there == desired) || faulty;
                }
            }
        }
        if !faulty {
            quiet += 1;
            settled = if agreed { settled + 1 } else { 0 };
            assert!(
                quiet < 3 || settled > 0,
                "seed {seed}: not as decided {quiet} looks after the last fault"
            );
        }
        clock.advance(Duration::from_secs(2));
    }
    let changes = platform.changes.lock().unwrap();
    for (number, (token, from, to)) in changes.iter().enumerate() {
        assert!((MIN..=MAX).contains(to), "seed {seed}: {to} is out of bounds");
        assert_ne!(from, to, "seed {seed}: a change that changes nothing");
        let earlier = changes[..number].iter().any(|(other, ..)| other == token);
        assert!(!earlier, "seed {seed}: two changes on one knowledge");
    }
}

#[test]
fn faults_do_no_harm_and_pass() {
    let read = |name: &str, default: u64| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
    };
    let (first, runs) = (read("ALFRED_OPS_FAULTS_SEED", 1), read("ALFRED_OPS_FAULTS_RUNS", 500));
    for seed in first..first + runs {
        play(seed);
    }
    println!("{runs} schedules from seed {first}");
}
