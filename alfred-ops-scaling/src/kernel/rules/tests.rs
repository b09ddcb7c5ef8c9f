use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{Restart, Rules, RulesBasis, TriggerStatus};
use crate::kernel::{
    Basis, Bound, Decision, DecisionRecord, HoldReason, Inputs, Policy, Reading, Signal, State, Verdict, step,
};

const PERIOD: TimeDelta = TimeDelta::seconds(15);

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// All four signals, read at one time: queued, in flight, processors, memory.
fn inputs(instances: u32, values: [Option<f64>; 4], at: DateTime<Utc>) -> Inputs {
    let [queued, in_flight, cpu, memory] = values.map(|value| value.map(|value| Reading { value, at }));
    Inputs { instances, queued, in_flight, cpu, memory, ..Inputs::default() }
}

fn basis(decision: &Decision) -> RulesBasis {
    match decision.basis {
        Basis::Rules(basis) => basis,
        _ => panic!("another strategy"),
    }
}

/// Plays one block of `timelines.txt`.
#[derive(Debug)]
struct Timeline {
    state: State,
    now: DateTime<Utc>,
    instances: u32,
    changes: Vec<String>,
    last: String,
}

impl Timeline {
    fn look(&mut self, values: [Option<f64>; 4]) {
        let inputs = inputs(self.instances, values, self.now);
        let decision = step(&mut self.state, &inputs, &Policy::default(), self.now);
        self.last = decision.to_string();
        if decision.desired != self.instances {
            let elapsed = (self.now - start()).num_seconds();
            self.changes.push(format!("{}:{:02}>{}", elapsed / 60, elapsed % 60, decision.desired));
            self.instances = decision.desired;
        }
        self.now += PERIOD;
    }

    fn play(&mut self, line: &str) {
        let (minutes, what) = line.split_once(' ').unwrap();
        let minutes: i32 = minutes.parse().unwrap();
        if what == "nobody looks" {
            self.now += TimeDelta::minutes(minutes.into());
            return;
        }
        let values: Vec<Option<f64>> =
            what.split(' ').map(|value| (value != "-").then(|| value.parse().unwrap())).collect();
        for _ in 0..minutes * 4 {
            self.look(values.clone().try_into().unwrap());
        }
    }
}

#[test]
fn timelines() {
    let mut told = 0;
    for block in include_str!("timelines.txt").split("\n\n").skip(1) {
        let mut title = "";
        let (state, now, changes) = (State::default(), start(), Vec::new());
        let mut timeline = Timeline { state, now, instances: 0, changes, last: String::new() };
        for line in block.lines().filter(|line| !line.starts_with('#')) {
            match line.split_once(' ').unwrap() {
                ("title", text) => title = text,
                ("from" | "set", number) => timeline.instances = number.parse().unwrap(),
                ("=>", wanted) => {
                    let happened = timeline.changes.join(" ");
                    assert_eq!(if happened.is_empty() { "none" } else { &happened }, wanted, "{title}");
                    told += 1;
                }
                ("last", wanted) => assert_eq!(timeline.last, wanted, "{title}"),
                _ => timeline.play(line),
            }
        }
    }
    assert!(told > 30, "only {told} timelines were read");
}

#[test]
fn the_reason_says_what_is_still_missing() {
    let (mut state, policy, now) = (State::default(), Policy::default(), start());
    let mut inputs = inputs(3, [Some(0.0), Some(0.0), Some(0.9), Some(0.1)], now);
    inputs.memory = Some(Reading { value: 0.1, at: now - TimeDelta::minutes(2) });
    let decision = step(&mut state, &inputs, &policy, now);
    assert_eq!(decision.verdict, Verdict::Hold(HoldReason::Missing(Signal::Memory)));
    assert_eq!(
        basis(&decision).triggers.memory,
        TriggerStatus::Blind(Signal::Memory),
        "two minutes old is stale"
    );
    assert_eq!(
        basis(&decision).triggers.cpu,
        TriggerStatus::Waiting { since: now, remaining: Rules::default().cpu.hold }
    );
    assert_eq!(decision.to_string(), "3 instances: held, since memory cannot be believed");
    let narrow = policy.with_bounds(5, 8).unwrap();
    let decision = step(&mut state, &inputs, &narrow, now);
    assert_eq!((decision.desired, decision.bound), (5, Some(Bound::Min)));
    assert_eq!(decision.to_string(), "5 instances: back within the bounds, kept at the minimum");
}

#[test]
fn a_restart_of_the_times_is_told() {
    let (mut state, policy, now) = (State::default(), Policy::default(), start());
    let look = |instances, now| inputs(instances, [Some(0.0), Some(1.0), Some(0.9), Some(0.5)], now);
    assert_eq!(basis(&step(&mut state, &look(4, now), &policy, now)).restarted, None);
    let later = now + TimeDelta::minutes(1);
    assert_eq!(basis(&step(&mut state, &look(4, later), &policy, later)).restarted, None);
    let much_later = later + TimeDelta::seconds(61);
    let decision = step(&mut state, &look(4, much_later), &policy, much_later);
    assert_eq!(basis(&decision).restarted, Some(Restart::Gap { since: later }));
    let decision = step(&mut state, &look(5, much_later), &policy, much_later);
    assert_eq!(basis(&decision).restarted, Some(Restart::Changed { from: 4 }));
    let decision = step(&mut state, &look(5, later), &policy, later);
    assert_eq!(basis(&decision).restarted, Some(Restart::Gap { since: much_later }), "the clock went back");
}

#[test]
fn a_policy_that_makes_no_sense_is_refused_with_every_mistake() {
    Policy::default().check().unwrap();
    let mut rules = Rules { target: 0.9, step_down_ratio: 1.0, ..Rules::default() };
    rules.queue.limit = f64::NAN;
    let error = Policy::new(rules).with_bounds(5, 2).unwrap_err().to_string();
    assert_eq!(
        error,
        "check scaling policy: min: 5 exceeds max: 2; queue.limit: NaN is not above 0; \
         target: 0.9 is not between idle.limit: 0.4 and cpu and memory: 0.8; \
         step_down_ratio: 1 is not within 0 and 1"
    );
    assert!(Policy::default().with_bounds(0, 0).unwrap_err().to_string().contains("max: 0"));
}

/// What one look finds, with an age in seconds for each signal.
type Found = [Option<(f64, i64)>; 4];

fn any_signals() -> impl Strategy<Value = Found> {
    let value = prop_oneof![
        4 => 0.0..0.4f64,
        3 => 0.8..2.0f64,
        2 => 0.0..5000.0f64,
        1 => any::<f64>(),
        1 => prop::sample::select(vec![f64::NAN, f64::INFINITY, -1.0, 0.0, f64::MAX]),
    ];
    prop::array::uniform4(prop::option::weighted(0.9, (value, -10i64..70)))
}

/// A reading that may count as evidence, told without the kernel's help.
fn believable(reading: Option<Reading>, now: DateTime<Utc>) -> bool {
    reading.is_some_and(|Reading { value, at }| {
        let age = (now - at).num_seconds();
        value.is_finite() && value >= 0.0 && (-5..=60).contains(&age)
    })
}

/// Looks as they come: what is found, for how many looks, and the pause before each.
fn any_looks() -> impl Strategy<Value = Vec<(Found, usize, i64)>> {
    let pause = prop_oneof![8 => Just(15i64), 1 => -100i64..200];
    prop::collection::vec((any_signals(), 1usize..60, pause), 1..12)
}

fn at(now: DateTime<Utc>, instances: u32, signals: Found) -> Inputs {
    let [queued, in_flight, cpu, memory] =
        signals.map(|signal| signal.map(|(value, age)| Reading { value, at: now - TimeDelta::seconds(age) }));
    Inputs { instances, queued, in_flight, cpu, memory, ..Inputs::default() }
}

proptest! {
    #[test]
    fn bounds_hold_bad_data_never_takes_away_and_a_record_replays(
        looks in any_looks(),
        (min, max) in (0u32..10, 10u32..25),
        mut instances in 0u32..30,
    ) {
        let policy = Policy::default().with_bounds(min, max).unwrap();
        let (mut state, mut now) = (State::default(), start());
        for (signals, times, pause) in looks {
            for _ in 0..times {
                now += TimeDelta::seconds(pause);
                let inputs = at(now, instances, signals);
                let record = DecisionRecord::decide(&mut state, &inputs, &policy, now);
                let decision = record.decision;
                prop_assert!((min..=max).contains(&decision.desired));
                let within = instances.clamp(min, max);
                if decision.desired < within {
                    let needed = [inputs.queued, inputs.cpu, inputs.memory];
                    prop_assert!(needed.into_iter().all(|reading| believable(reading, now)));
                    prop_assert!(decision.desired * 2 >= within || within == 1, "too large a step down");
                }
                if decision.desired == 0 && within > 0 {
                    for reading in [inputs.queued, inputs.in_flight] {
                        prop_assert!(believable(reading, now) && reading.unwrap().value == 0.0);
                    }
                }
                if decision.desired > within {
                    prop_assert!(decision.desired - within <= within.max(Rules::default().step_up_min));
                }
                prop_assert_eq!(record.replay(), decision);
                let written = serde_json::to_string(&record).unwrap();
                let read: DecisionRecord = serde_json::from_str(&written).unwrap();
                prop_assert_eq!(read.decision, decision);
                prop_assert_eq!(read.replay(), decision);
                instances = decision.desired;
            }
        }
    }

    #[test]
    fn a_trigger_fires_at_its_time_and_not_before(hold in 1u64..900, period in 1u64..=60) {
        let mut rules = Rules::default();
        rules.cpu.hold = Duration::from_secs(hold);
        let policy = Policy::new(rules);
        let (mut state, mut elapsed) = (State::default(), 0);
        loop {
            let now = start() + TimeDelta::from_std(Duration::from_secs(elapsed)).unwrap();
            let inputs = inputs(4, [Some(0.0), Some(1.0), Some(0.9), Some(0.5)], now);
            let decision = step(&mut state, &inputs, &policy, now);
            if elapsed >= hold {
                prop_assert_eq!(decision.verdict, Verdict::Up(Signal::Cpu));
                break;
            }
            let remaining = Duration::from_secs(hold - elapsed);
            prop_assert_eq!(basis(&decision).triggers.cpu, TriggerStatus::Waiting { since: start(), remaining });
            prop_assert_eq!(decision.desired, 4);
            elapsed += period;
        }
    }

    #[test]
    fn a_trigger_fires_only_on_what_was_seen_without_a_break(
        looks in prop::collection::vec((prop_oneof![9 => 1i64..61, 1 => -300i64..300], prop::bool::weighted(0.95)), 1..200),
    ) {
        let policy = Policy::default().with_bounds(0, 4).unwrap();
        let (mut state, mut now) = (State::default(), start());
        let mut seen = Vec::new();
        for (pause, busy) in looks {
            now += TimeDelta::seconds(pause);
            seen.push((now, busy));
            let cpu = if busy { 0.9 } else { 0.5 };
            let decision =
                step(&mut state, &inputs(4, [Some(0.0), Some(1.0), Some(cpu), Some(0.5)], now), &policy, now);
            let TriggerStatus::Fired { since } = basis(&decision).triggers.cpu else { continue };
            prop_assert!((now - since).to_std().unwrap() >= Rules::default().cpu.hold);
            let first = seen.iter().rposition(|(at, _)| *at == since).unwrap();
            prop_assert!(seen[first..].iter().all(|(_, busy)| *busy));
            let mut pauses = seen[first..].windows(2).map(|pair| (pair[1].0 - pair[0].0).to_std());
            let unbroken = pauses.all(|pause| pause.is_ok_and(|pause| pause <= policy.stale_after));
            prop_assert!(unbroken, "fired over a break");
        }
    }
}
