use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{Slo, SloBasis};
use crate::kernel::{
    Basis, Decision, DecisionRecord, HoldReason, Inputs, Policy, Reading, Signal, State, Verdict, step,
};

/// A service looked at every 2 s whose instances finish 10 messages a second each and start in 30 s.
struct Service {
    policy: Policy,
    state: State,
    now: DateTime<Utc>,
    instances: u32,
    starting: Vec<DateTime<Utc>>,
    arrivals: f64,
    queued: f64,
}

impl Service {
    fn new(instances: u32) -> Self {
        Self {
            policy: Policy::new(Slo::default().with_service_rate(10.0)),
            state: State::default(),
            now: DateTime::UNIX_EPOCH + TimeDelta::days(20_000),
            instances,
            starting: Vec::new(),
            arrivals: 0.0,
            queued: 0.0,
        }
    }

    fn inputs(&self) -> Inputs {
        let reading = |value| Some(Reading { value, at: self.now });
        let starting = self.starting.iter().filter(|ready_at| **ready_at > self.now).count();
        Inputs {
            instances: self.instances,
            ready: Some(self.instances - u32::try_from(starting).unwrap().min(self.instances)),
            queued: reading(self.queued),
            arrivals: reading(self.arrivals),
            ..Inputs::default()
        }
    }

    /// Two seconds in which so many messages come.
    fn pass(&mut self, messages: f64) -> Decision {
        self.now += TimeDelta::seconds(2);
        self.arrivals += messages;
        let ready = f64::from(self.inputs().ready.unwrap());
        self.queued = (self.queued + messages - 20.0 * ready).max(0.0);
        let inputs = self.inputs();
        let decision = step(&mut self.state, &inputs, &self.policy, self.now);
        for _ in self.instances..decision.desired {
            self.starting.push(self.now + TimeDelta::seconds(30));
        }
        self.starting.retain(|ready_at| *ready_at > self.now);
        self.instances = decision.desired;
        decision
    }

    fn pass_for(&mut self, seconds: u32, per_second: f64) -> u32 {
        for _ in 0..seconds / 2 {
            self.pass(2.0 * per_second);
        }
        self.instances
    }
}

fn basis(decision: &Decision) -> SloBasis {
    match decision.basis {
        Basis::Slo(basis) => basis,
        _ => panic!("another strategy"),
    }
}

#[test]
fn a_constant_load_gets_what_it_takes_and_keeps_it() {
    let mut service = Service::new(1);
    service.pass_for(600, 45.0);
    let settled = service.pass_for(1200, 45.0);
    assert_eq!(settled, 5);
    for _ in 0..1800 {
        assert_eq!(service.pass(90.0).desired, settled);
    }
    assert!(service.queued <= 0.0);
}

#[test]
fn a_service_without_work_goes_to_zero_and_wakes_at_the_first_message() {
    let mut service = Service::new(3);
    assert_eq!(service.pass_for(1200, 0.0), 0);
    let decision = service.pass(1.0);
    assert_eq!((decision.desired, decision.verdict), (1, Verdict::Wake));
    assert_eq!(decision.to_string(), "1 instance: work waits and nothing runs");
    assert_eq!(service.pass(0.0).desired, 1, "it stays as long as its message waits");
}

#[test]
fn a_jump_counts_at_once_and_its_backlog_is_worked_off() {
    let mut service = Service::new(2);
    service.pass_for(1200, 15.0);
    let before = service.instances;
    let decision = service.pass(160.0);
    assert!(decision.desired > before, "{decision}");
    let mut longest = 0.0_f64;
    for _ in 0..60 {
        let decision = service.pass(160.0);
        longest = longest.max(basis(&decision).backlog);
    }
    assert!(longest > 1000.0, "80 a second come and 20 are done: {longest}");
    assert!(service.queued <= 0.0, "{} wait two minutes later", service.queued);
}

#[test]
fn the_service_rate_is_learnt_while_messages_wait() {
    let mut service = Service::new(1);
    service.policy = Policy::new(Slo::default());
    let decision = service.pass(0.0);
    assert_eq!(decision.verdict, Verdict::Hold(HoldReason::Learning));
    for _ in 0..30 {
        service.pass(60.0);
    }
    let learnt = basis(&service.pass(60.0)).service_rate;
    assert!((learnt - 10.0).abs() < 1.0, "{learnt}");
    assert!(service.instances >= 3);
}

#[test]
fn an_old_count_of_the_queue_is_carried_on() {
    let (mut fresh, mut old) = (Service::new(2), Service::new(2));
    for service in [&mut fresh, &mut old] {
        service.policy = Policy::new(Slo::default().with_service_rate(5.0));
        service.pass_for(120, 15.0);
    }
    let decide = |service: &mut Service, age: i64| {
        service.now += TimeDelta::seconds(2);
        service.arrivals += 40.0;
        let mut inputs = Inputs { instances: 2, ready: Some(2), ..service.inputs() };
        inputs.queued = Some(Reading { value: 50.0, at: service.now - TimeDelta::seconds(age) });
        basis(&step(&mut service.state, &inputs, &service.policy, service.now)).backlog
    };
    let (of_now, of_then) = (decide(&mut fresh, 0), decide(&mut old, 20));
    assert!(of_then > of_now + 50.0, "{of_then} after twenty seconds more, {of_now} without");
}

#[test]
fn what_cannot_be_believed_holds_and_wakes() {
    let mut service = Service::new(4);
    service.pass_for(300, 5.0);
    let kept = service.instances;
    let mut inputs = service.inputs();
    inputs.arrivals = None;
    let decision = step(&mut service.state, &inputs, &service.policy, service.now + TimeDelta::seconds(2));
    assert_eq!(decision.desired, kept);
    assert_eq!(decision.verdict, Verdict::Hold(HoldReason::Missing(Signal::Arrivals)));
    let mut asleep = Service::new(0);
    asleep.queued = 3.0;
    let inputs = Inputs { arrivals: None, ..asleep.inputs() };
    assert_eq!(step(&mut asleep.state, &inputs, &asleep.policy, asleep.now).verdict, Verdict::Wake);
}

#[test]
fn a_restart_takes_nothing_away() {
    let mut service = Service::new(12);
    service.pass_for(20, 1.0);
    assert_eq!(service.instances, 12, "nothing is known of what was needed before");
}

#[test]
fn a_state_is_small() {
    let size = size_of::<State>();
    assert!(size <= 256, "{size} bytes");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn bounds_hold_bad_data_never_takes_away_and_a_record_replays(
        looks in prop::collection::vec(
            (1i64..70, prop::option::weighted(0.9, 0.0..500.0f64), prop::option::weighted(0.9, -1.0..5000.0f64), any::<bool>()),
            1..200,
        ),
        (min, max) in (0u32..5, 5u32..25),
        mut instances in 0u32..30,
    ) {
        let policy = Policy::new(Slo::default().with_service_rate(7.0)).with_bounds(min, max).unwrap();
        let (mut state, mut now, mut total) = (State::default(), DateTime::UNIX_EPOCH, 0.0);
        for (pause, arrivals, queued, ready) in looks {
            now += TimeDelta::seconds(pause);
            total += arrivals.unwrap_or(0.0);
            let reading = |value: Option<f64>| value.map(|value| Reading { value, at: now });
            let inputs = Inputs {
                instances,
                ready: ready.then_some(instances),
                arrivals: reading(arrivals.map(|_| total)),
                queued: reading(queued),
                ..Inputs::default()
            };
            let record = DecisionRecord::decide(&mut state, &inputs, &policy, now);
            let desired = record.decision.desired;
            prop_assert!((min..=max).contains(&desired));
            let believed = arrivals.is_some() && queued.is_some_and(|queued| queued >= 0.0);
            prop_assert!(believed || desired >= instances.clamp(min, max));
            prop_assert_eq!(record.replay(), record.decision);
            let written = serde_json::to_string(&record).unwrap();
            let read: DecisionRecord = serde_json::from_str(&written).unwrap();
            prop_assert_eq!(read.replay(), record.decision);
            instances = desired;
        }
    }

    #[test]
    fn a_constant_load_comes_to_rest(rate in 0.5..180.0f64, start in 0u32..20) {
        let mut service = Service::new(start);
        service.pass_for(3600, rate);
        let settled = service.instances;
        let needed = rate / 10.0;
        prop_assert!(f64::from(settled) >= needed && f64::from(settled) < needed + 2.0, "{settled} for {needed}");
        for _ in 0..900 {
            prop_assert_eq!(service.pass(2.0 * rate).desired, settled);
        }
    }
}

#[test]
fn times_that_make_no_sense_are_refused() {
    let slo = Slo { lateness: 0.0, ..Slo::default().with_wait(Duration::ZERO).with_service_rate(-1.0) };
    let error = Policy::new(slo).check().unwrap_err().to_string();
    assert_eq!(
        error,
        "check scaling policy: slo.wait: 0ns is not above 0 and within an hour; slo.service_rate: -1 is not above 0; \
         slo.lateness: 0 is not within 1 and a million"
    );
}
