use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{
    Bound, Decision, HoldReason, Inputs, Policy, Reading, Signal, State, TriggerStatus, Verdict, step,
};

fn start() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000)
}

/// One line of a timeline: `queued in_flight cpu memory`, `-` for a missing signal, lasting some minutes.
/// Every 15 s a decision is taken and followed; the changes are recorded as `minute.second>instances`.
fn timeline(instances: u32, lines: &[(&str, i64)]) -> String {
    let (mut state, policy, mut now, mut instances) =
        (State::default(), Policy::default(), start(), instances);
    let mut changes = Vec::new();
    for (values, minutes) in lines {
        let read: Vec<Option<f64>> = values.split(' ').map(|value| value.parse().ok()).collect();
        for _ in 0..minutes * 4 {
            let at = |value: Option<f64>| value.map(|value| Reading { value, at: now });
            let inputs = Inputs {
                instances,
                queued: at(read[0]),
                in_flight: at(read[1]),
                cpu: at(read[2]),
                memory: at(read[3]),
            };
            let decision = step(&mut state, &inputs, &policy, now);
            if decision.desired != instances {
                let elapsed = (now - start()).num_seconds();
                changes.push(format!("{}.{:02}>{}", elapsed / 60, elapsed % 60, decision.desired));
                instances = decision.desired;
            }
            now += TimeDelta::seconds(15);
        }
    }
    changes.join(" ")
}

#[test]
fn the_briefs_triggers_fire_at_their_times() {
    for (what, instances, lines, wanted) in [
        ("a queue over 1,000 for 5 minutes", 2, vec![("3000 1 0.5 0.5", 6)], "5.00>6"),
        ("a queue at 1,000 is not over it", 2, vec![("1000 1 0.5 0.5", 20)], ""),
        (
            "a queue that dips starts over",
            2,
            vec![("3000 1 0.5 0.5", 4), ("900 1 0.5 0.5", 1), ("3000 1 0.5 0.5", 4)],
            "",
        ),
        ("processors over 80 % for 2 minutes", 4, vec![("0 1 0.9 0.5", 3)], "2.00>6"),
        ("memory over 80 % for 2 minutes", 4, vec![("0 1 0.5 0.9", 3)], "2.00>6"),
        ("the signal that asks for most", 4, vec![("0 1 0.9 1.2", 3)], "2.00>8"),
        ("below 40 % for 10 minutes", 10, vec![("0 1 0.3 0.3", 11)], "10.00>5"),
        ("memory in use keeps all", 10, vec![("0 1 0.1 0.5", 30)], ""),
        ("processors in use keep all", 10, vec![("0 1 0.5 0.1", 30)], ""),
        ("a long queue keeps all", 10, vec![("1001 1 0.1 0.1", 4)], ""),
        ("from zero at once", 0, vec![("0 0 - -", 2), ("1 0 - -", 1)], "2.00>1"),
        ("to zero with nothing left", 1, vec![("0 0 0.1 0.1", 11)], "10.00>0"),
        ("not to zero with work in flight", 1, vec![("0 1 0.1 0.1", 30)], ""),
        ("not to zero with work queued", 1, vec![("5 0 0.1 0.1", 30)], ""),
        ("never above the maximum", 18, vec![("90000 1 0.9 0.9", 6)], "2.00>20"),
        ("a whole day", 0, vec![("2000 5 0.7 0.3", 8), ("0 0 0.1 0.1", 42)], "0.00>1 5.15>2 18.00>1 28.15>0"),
    ] {
        assert_eq!(timeline(instances, &lines), wanted, "{what}");
    }
}

#[test]
fn missing_signals_hold_whatever_the_others_say() {
    for lines in [
        "- 0 0.1 0.1",
        "0 0 - 0.1",
        "0 0 0.1 -",
        "0 0 NaN 0.1",
        "0 0 -0.5 0.1",
        "0 0 1e9 0.1",
        "-3 0 0.1 0.1",
    ] {
        assert_eq!(timeline(6, &[(lines, 60)]), "", "{lines}");
    }
    assert_eq!(timeline(1, &[("0 - 0.1 0.1", 60)]), "", "nobody knows what is in flight");
    assert_eq!(timeline(0, &[("- - - -", 60)]), "");
    // Blindness in one signal does not hide another's load.
    assert_eq!(timeline(4, &[("0 1 0.9 -", 3)]), "2.00>6");
}

#[test]
fn the_reason_says_what_is_still_missing() {
    let (mut state, policy, now) = (State::default(), Policy::default(), start());
    let reading = |value, at| Some(Reading { value, at });
    let inputs = Inputs {
        instances: 3,
        queued: reading(0.0, now),
        in_flight: reading(0.0, now),
        cpu: reading(0.9, now),
        memory: reading(0.1, now - TimeDelta::minutes(2)),
    };
    let decision = step(&mut state, &inputs, &policy, now);
    assert_eq!(decision.verdict, Verdict::Hold(HoldReason::Missing(Signal::Memory)));
    assert_eq!(decision.triggers.memory, TriggerStatus::Blind(Signal::Memory), "two minutes old is stale");
    assert_eq!(decision.triggers.cpu, TriggerStatus::Waiting { since: now, remaining: policy.cpu.hold });
    assert_eq!(decision.to_string(), "3 instances: held, since memory cannot be believed");
    let narrow = policy.with_bounds(5, 8).unwrap();
    assert_eq!(step(&mut state, &inputs, &narrow, now).bound, Some(Bound::Min));
    assert!(policy.with_bounds(5, 2).unwrap_err().to_string().contains("min: 5 exceeds max: 2"));
}

fn any_reading(now: DateTime<Utc>) -> impl Strategy<Value = Option<Reading>> {
    let value = prop_oneof![0.0..2.0f64, 0.0..5000.0f64, any::<f64>()];
    prop::option::of(
        (value, -10i64..200)
            .prop_map(move |(value, age)| Reading { value, at: now - TimeDelta::seconds(age) }),
    )
}

fn any_inputs(now: DateTime<Utc>) -> impl Strategy<Value = Inputs> {
    let signal = || any_reading(now);
    (0u32..30, signal(), signal(), signal(), signal()).prop_map(
        |(instances, queued, in_flight, cpu, memory)| Inputs { instances, queued, in_flight, cpu, memory },
    )
}

proptest! {
    #[test]
    fn bounds_hold_and_a_record_replays(
        steps in prop::collection::vec((1i64..700, any_inputs(start())), 1..40),
        (min, max) in (0u32..10, 10u32..25),
    ) {
        let policy = Policy::default().with_bounds(min, max).unwrap();
        let (mut state, mut now) = (State::default(), start());
        for (pause, mut inputs) in steps {
            now += TimeDelta::seconds(pause);
            let signals = [&mut inputs.queued, &mut inputs.in_flight, &mut inputs.cpu, &mut inputs.memory];
            for reading in signals.into_iter().flatten() {
                reading.at += now - start();
            }
            let before = state;
            let decision = step(&mut state, &inputs, &policy, now);
            prop_assert!((min..=max).contains(&decision.desired));
            let usable = |signal| inputs.usable(signal, now, policy.stale_after).is_some();
            let within = inputs.instances.clamp(min, max);
            if decision.desired < within {
                let needed = [Signal::Queued, Signal::Cpu, Signal::Memory];
                prop_assert!(needed.into_iter().all(usable), "{decision}");
            }
            // Numbers that JSON cannot hold are not in a record; they count as missing either way.
            let finite = |reading: Option<Reading>| reading.filter(|reading| reading.value.is_finite());
            let inputs = Inputs {
                queued: finite(inputs.queued), in_flight: finite(inputs.in_flight),
                cpu: finite(inputs.cpu), memory: finite(inputs.memory), ..inputs
            };
            let record = serde_json::to_string(&(before, inputs, policy, now)).unwrap();
            let (mut replayed, inputs, policy, now): (State, Inputs, Policy, DateTime<Utc>) =
                serde_json::from_str(&record).unwrap();
            let again: Decision = step(&mut replayed, &inputs, &policy, now);
            prop_assert_eq!(again, decision);
            prop_assert_eq!(replayed, state);
        }
    }
}
