use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::Guard;
use crate::kernel::{
    Bound, Ceiling, Decision, Inputs, Policy, Rate, Reading, Resource, ScheduledBounds, State,
    TargetTracking, step,
};

/// A service whose processors ask for a number, looked at every 10 s. Each decision is obeyed.
struct Service {
    policy: Policy,
    state: State,
    now: DateTime<Utc>,
    instances: u32,
}

impl Service {
    fn new(guard: Guard, instances: u32) -> Self {
        let mut tracking = TargetTracking::new(0.5);
        // Without a memory of its own each look asks for exactly what it sees.
        tracking.window = Duration::from_nanos(1);
        let policy = Policy::new(tracking).with_guard(guard);
        let now = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let mut service = Self { policy, state: State::default(), now, instances };
        service.ask(instances);
        service
    }

    fn look(&mut self, inputs: Inputs) -> Decision {
        let decision = step(&mut self.state, &inputs, &self.policy, self.now);
        self.instances = decision.desired;
        self.now += TimeDelta::seconds(10);
        decision
    }

    fn asking(&self, wanted: u32) -> Inputs {
        let cpu = 0.5 * f64::from(wanted) / f64::from(self.instances.max(1));
        let reading = |value| Some(Reading { value, at: self.now });
        Inputs {
            instances: self.instances,
            cpu: reading(cpu),
            queued: reading(f64::from(wanted)),
            ..Inputs::default()
        }
    }

    fn ask(&mut self, wanted: u32) -> (u32, Option<Bound>) {
        let decision = self.look(self.asking(wanted));
        (decision.desired, decision.bound)
    }
}

#[test]
fn on_the_way_down_the_most_of_the_window_counts() {
    let mut service = Service::new(Guard::default().with_stabilise(Duration::from_secs(30)), 8);
    assert_eq!(service.ask(6), (8, Some(Bound::Stabilised)));
    assert_eq!(service.ask(2), (8, Some(Bound::Stabilised)));
    assert_eq!(service.ask(2), (8, Some(Bound::Stabilised)), "8 was wanted 30 s ago");
    assert_eq!(service.ask(2), (6, Some(Bound::Stabilised)));
    assert_eq!(service.ask(9), (9, None), "up at once");
}

#[test]
fn rates_bound_what_comes_and_what_goes() {
    let rate = |instances| Some(Rate { instances, period: Duration::from_secs(60) });
    let mut service = Service::new(Guard::default().with_rates(rate(6), rate(3)), 4);
    let asked = [20, 20, 20, 1, 1, 1, 1].map(|wanted| service.ask(wanted).0);
    // A change is seen at the next look; six in a minute are one in ten seconds, three are one in twenty.
    assert_eq!(asked, [10, 10, 11, 8, 8, 8, 7]);
}

#[test]
fn after_instances_came_none_goes_for_a_while() {
    let mut service = Service::new(Guard::default().with_hold(Duration::from_secs(30)), 4);
    service.ask(6);
    // The change is seen at the next look.
    assert_eq!(service.ask(2), (6, Some(Bound::Hold)));
    assert_eq!(service.ask(2), (6, Some(Bound::Hold)));
    assert_eq!(service.ask(2), (6, Some(Bound::Hold)));
    assert_eq!(service.ask(2), (2, None));
}

#[test]
fn a_direction_that_turns_too_often_stays_up() {
    let mut service = Service::new(Guard::default().with_flap_budget(2, Duration::from_secs(600)), 4);
    for _ in 0..2 {
        assert_eq!(service.ask(6).0, 6);
        assert_eq!(service.ask(4).0, 4);
    }
    assert_eq!(service.ask(6).0, 6);
    assert_eq!(service.ask(4), (6, Some(Bound::FlapBudget)));
    assert_eq!(service.ask(7), (7, None), "up it may go");
    for _ in 0..60 {
        service.ask(7);
    }
    assert_eq!(service.ask(4), (4, None), "turns are forgotten");
}

#[test]
fn bounds_of_the_time_lie_within_the_policys_and_a_pause_stops_all() {
    let mut service = Service::new(Guard::default(), 4);
    let scheduled = |min, max| Some(ScheduledBounds { min, max });
    let decision = service.look(Inputs { scheduled: scheduled(6, 40), ..service.asking(4) });
    assert_eq!((decision.desired, decision.bound), (6, Some(Bound::Schedule)));
    let decision = service.look(Inputs { scheduled: scheduled(0, 3), ..service.asking(9) });
    assert_eq!((decision.desired, decision.bound), (3, Some(Bound::Schedule)));
    let decision = service.look(Inputs { scheduled: scheduled(30, 40), ..service.asking(9) });
    assert_eq!((decision.desired, decision.bound), (20, Some(Bound::Schedule)), "the policy allows 20");
    let decision = service.look(Inputs { paused: true, ..service.asking(1) });
    assert_eq!((decision.desired, decision.bound), (20, Some(Bound::Paused)));
    assert_eq!(decision.to_string(), "20 instances: held, scaling is paused");
}

#[test]
fn what_is_shared_keeps_from_growing_and_takes_nothing_away() {
    let mut service = Service::new(Guard::default(), 4);
    let ceiling = |max, resource| Some(Ceiling { max, resource });
    let decision = service.look(Inputs { ceiling: ceiling(6, Resource::Connections), ..service.asking(9) });
    assert_eq!((decision.desired, decision.bound), (6, Some(Bound::Ceiling(Resource::Connections))));
    let decision = service.look(Inputs { ceiling: ceiling(2, Resource::Postgres), ..service.asking(9) });
    assert_eq!(decision.to_string(), "6 instances: more, for cpu, held since Postgres is the bottleneck");
    let decision = service.look(Inputs { ceiling: ceiling(2, Resource::Postgres), ..service.asking(3) });
    assert_eq!((decision.desired, decision.bound), (3, None));
}

#[test]
fn when_nothing_is_known_it_holds_and_then_falls_back_upwards_only() {
    let fallback = |instances| Guard::default().with_fallback(instances, Duration::from_secs(60));
    let blind = |service: &Service| Inputs { instances: service.instances, ..Inputs::default() };
    let mut service = Service::new(fallback(7), 4);
    for _ in 0..6 {
        let decision = service.look(blind(&service));
        assert_eq!(decision.desired, 4);
    }
    let decision = service.look(blind(&service));
    assert_eq!((decision.desired, decision.bound), (7, Some(Bound::Fallback)));
    let mut service = Service::new(fallback(2), 4);
    for _ in 0..20 {
        assert_eq!(service.look(blind(&service)).desired, 4, "never down");
    }
}

#[test]
fn safeguards_that_make_no_sense_are_refused() {
    let none = Some(Rate { instances: 0, period: Duration::ZERO });
    let guard = Guard::default().with_rates(none, None).with_flap_budget(9, Duration::from_secs(60));
    let error = Policy::default().with_guard(guard).check().unwrap_err().to_string();
    assert_eq!(
        error,
        "check scaling policy: guard.rate_up: 0 in 0ns; use at least 1 in more than nothing and within a day; \
         guard.flaps: 9 within 60s; use 1 to 4 within a day at most"
    );
}

proptest! {
    #[test]
    fn opposite_changes_are_apart_and_turns_within_the_budget(
        asked in prop::collection::vec(0u32..30, 1..300),
        hold in 0u64..120,
        turns in 1u8..=4,
        within in 1u64..2000,
    ) {
        let guard = Guard::default()
            .with_hold(Duration::from_secs(hold))
            .with_flap_budget(turns, Duration::from_secs(within));
        let mut service = Service::new(guard, 5);
        let (mut last_up, mut up_last, mut turned) = (None, false, Vec::new());
        for wanted in asked {
            let (before, at) = (service.instances, service.now);
            service.ask(wanted);
            if service.instances > before {
                (last_up, up_last) = (Some(at), true);
            } else if service.instances < before {
                if let Some(up) = last_up {
                    prop_assert!(at - up >= TimeDelta::seconds(i64::try_from(hold).unwrap()), "{at} after {up}");
                }
                if up_last {
                    turned.push(at);
                }
                up_last = false;
            }
            let recent = |at: &&DateTime<Utc>| service.now - **at < TimeDelta::seconds(i64::try_from(within).unwrap());
            prop_assert!(turned.iter().filter(recent).count() <= usize::from(turns));
        }
    }
}
