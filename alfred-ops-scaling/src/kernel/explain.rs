//! A decision in words.

use std::fmt::Write as _;

use super::{Basis, DecisionRecord, Reading, Signal, SloBasis, TriggerStatus};

impl DecisionRecord {
    /// The decision for a person: what was decided, what the strategy saw, what was known and how old it was; a line each.
    #[must_use]
    pub fn explain(&self) -> String {
        let mut text = self.decision.to_string();
        self.describe_basis(&mut text);
        let ready = self.inputs.ready.map(|ready| format!(", {ready} of them work")).unwrap_or_default();
        let _ = write!(
            text,
            "\n  there are {}{ready}; the policy allows {} to {}",
            self.inputs.instances, self.policy.min, self.policy.max
        );
        if let Some(bounds) = self.inputs.scheduled {
            let _ = write!(text, ", this time {} to {}", bounds.min, bounds.max);
        }
        let signals = [Signal::Queued, Signal::InFlight, Signal::Arrivals, Signal::Cpu, Signal::Memory];
        for signal in signals {
            let _ = match self.inputs.reading(signal) {
                Some(Reading { value, at }) => {
                    let age = (self.now - at).as_seconds_f64();
                    write!(text, "\n  {signal}: {value}, {age} s old")
                }
                None => write!(text, "\n  {signal}: not known"),
            };
        }
        text
    }

    fn describe_basis(&self, text: &mut String) {
        let _ = match self.decision.basis {
            Basis::Rules(basis) => {
                let triggers = [
                    ("queue", basis.triggers.queue),
                    ("cpu", basis.triggers.cpu),
                    ("memory", basis.triggers.memory),
                    ("idle", basis.triggers.idle),
                ];
                for (name, status) in triggers {
                    let _ = match status {
                        TriggerStatus::Quiet => write!(text, "\n  trigger {name}: quiet"),
                        TriggerStatus::Waiting { since, remaining } => {
                            write!(
                                text,
                                "\n  trigger {name}: since {since}, {} s to go",
                                remaining.as_secs_f64()
                            )
                        }
                        TriggerStatus::Fired { since } => {
                            write!(text, "\n  trigger {name}: fired, since {since}")
                        }
                        TriggerStatus::Blind(signal) => {
                            write!(text, "\n  trigger {name}: {signal} cannot be believed")
                        }
                    };
                }
                Ok(())
            }
            Basis::Hpa(basis) => write!(
                text,
                "\n  metrics ask for {}, {} after stabilisation, {} after the rates",
                basis.recommended, basis.stabilised, basis.limited
            ),
            Basis::Kpa(basis) => write!(
                text,
                "\n  messages present: {:.1} on average, {:.1} of late{}",
                basis.stable,
                basis.panic,
                if basis.panicking { "; far too few instances until now" } else { "" }
            ),
            Basis::Tracking(basis) => write!(text, "\n  processors of {:.2} instances in use", basis.busy),
            Basis::Slo(SloBasis { service_rate, .. }) if service_rate <= 0.0 => {
                write!(text, "\n  how fast an instance works is not known yet")
            }
            Basis::Slo(basis) => write!(
                text,
                "\n  {:.2} messages a second are expected, an instance finishes {:.2}: {} instances\n  \
                 a backlog of {:.0} would be left once new ones work: {} instances for all\n  \
                 instances that are not needed stay {:.0} s",
                basis.arrivals_per_second,
                basis.service_rate,
                basis.for_arrivals,
                basis.backlog,
                basis.for_all,
                basis.hold_seconds
            ),
        };
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use crate::kernel::{DecisionRecord, Inputs, Policy, Reading, Slo, State};

    #[test]
    fn a_decision_is_told_with_all_that_it_rests_on() {
        let policy = Policy::new(Slo::default().with_service_rate(10.0));
        let (mut state, mut now) = (State::default(), DateTime::UNIX_EPOCH);
        let mut told = String::new();
        for look in 0..3 {
            let reading = |value| Some(Reading { value, at: now });
            let inputs = Inputs {
                instances: 2,
                ready: Some(1),
                arrivals: reading(f64::from(look) * 60.0),
                queued: reading(5.0),
                ..Inputs::default()
            };
            told = DecisionRecord::decide(&mut state, &inputs, &policy, now).explain();
            now += TimeDelta::seconds(2);
        }
        for part in [
            "11 instances: more, for queue",
            "30.00 messages a second are expected, an instance finishes 10.00: 3 instances",
            "a backlog of 605 would be left",
            "there are 2, 1 of them work; the policy allows 0 to 20",
            "queue: 5, 0 s old",
            "cpu: not known",
        ] {
            assert!(told.contains(part), "{part} in {told}");
        }
        let told = DecisionRecord::decide(&mut State::default(), &Inputs::default(), &Policy::default(), now)
            .explain();
        assert!(told.contains("trigger queue: queue cannot be believed"), "{told}");
    }
}
