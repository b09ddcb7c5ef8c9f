//! Alerts flap and a far side fails as it likes; once both are quiet, it knows what is true.

use std::collections::BTreeSet;

use alfred_ops_core::{Error, ErrorKind, Labels};
use chrono::{DateTime, TimeDelta};
use proptest::prelude::*;

use super::{Ledger, Notification, NotificationStatus, NotifyPolicy, Outbox, plan_notifications};
use crate::promql::QueryOptions;
use crate::{AlertState, Expr, Rule, RuleEvaluator, RuleSet, SampleStore, Selector};

/// What happens to one attempt.
#[derive(Debug, Clone, Copy)]
enum Fate {
    Delivered,
    Unavailable,
    Throttled,
    LostBefore,
    LostAfter,
}

/// What whoever is on call believes to be firing.
#[derive(Debug, Default)]
struct FarSide {
    firing: BTreeSet<Labels>,
}

impl FarSide {
    fn hears(&mut self, notification: &Notification, fate: Fate) -> Option<Error> {
        if matches!(fate, Fate::Delivered | Fate::LostAfter) {
            for alert in &notification.alerts {
                match alert.status {
                    NotificationStatus::Firing => self.firing.insert(alert.labels.clone()),
                    NotificationStatus::Resolved => self.firing.remove(&alert.labels),
                };
            }
        }
        let error = |kind| Some(Error::new(kind, "deliver", "on purpose"));
        match fate {
            Fate::Delivered => None,
            Fate::Unavailable => error(ErrorKind::Unavailable),
            Fate::Throttled => error(ErrorKind::Unavailable).map(|error| {
                error.with_retry(alfred_ops_core::Retry::After(Some(std::time::Duration::from_secs(90))))
            }),
            Fate::LostBefore | Fate::LostAfter => error(ErrorKind::Timeout),
        }
    }
}

fn fate() -> impl Strategy<Value = Fate> {
    prop_oneof![
        Just(Fate::Delivered),
        Just(Fate::Unavailable),
        Just(Fate::Throttled),
        Just(Fate::LostBefore),
        Just(Fate::LostAfter)
    ]
}

proptest! {
    #[test]
    fn a_far_side_that_comes_back_learns_what_is_true(
        steps in prop::collection::vec((prop::array::uniform3(any::<bool>()), fate()), 1..60),
    ) {
        let down = Expr::from(Selector::metric("up")).equal_to(0.0);
        let odd = Expr::from(Selector::metric("up").one_of("i", ["1"])).equal_to(0.0);
        let rules = RuleSet::new([Rule::new("Down", down), Rule::new("Odd", odd)]).unwrap();
        let samples = std::sync::RwLock::new(SampleStore::default());
        let mut evaluator = RuleEvaluator::new(&rules, &QueryOptions::default());
        let (mut ledger, mut outbox) = (Ledger::default(), Outbox::default());
        let mut far_side = FarSide::default();
        let mut now = DateTime::UNIX_EPOCH;
        let last = steps[steps.len() - 1].0;
        // An hour and a half of peace at the end: longer than any back-off.
        let peace = std::iter::repeat_n((last, Fate::Delivered), 360);
        for (up, fate) in steps.into_iter().chain(peace) {
            now += TimeDelta::seconds(15);
            for (instance, up) in ["0", "1", "2"].iter().zip(up) {
                let series = Labels::metric("up").with("i", instance);
                samples.write().unwrap().append(&series, now, f64::from(u8::from(up)));
            }
            evaluator.evaluate(&samples, now);
            for planned in plan_notifications(&evaluator.book(), &ledger, &NotifyPolicy::default(), now) {
                ledger.record(&planned);
                outbox.put(planned.notification, now);
            }
            while let Some(delivery) = outbox.take_due(now) {
                let failure = far_side.hears(delivery.notification(), fate);
                outbox.complete(delivery, failure.as_ref(), now);
            }
            prop_assert!(outbox.len() <= 2);
        }
        let firing: BTreeSet<Labels> =
            evaluator.book().in_state(AlertState::Firing).map(|alert| alert.labels.clone()).collect();
        prop_assert_eq!(far_side.firing, firing);
        prop_assert!(outbox.is_empty());
    }
}
