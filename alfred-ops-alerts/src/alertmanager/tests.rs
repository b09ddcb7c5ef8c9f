//! When alerts are sent, at the boundaries; what waits.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::Labels;
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;

use super::{AlertmanagerPolicy, PostQueue, PostReason, PostedAlert};
use crate::alert::{Alert, AlertState, Reason};

fn at(millis: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::milliseconds(millis)
}

fn alert(state: AlertState, last_sent: Option<i64>) -> Alert {
    Alert {
        labels: Labels::from_pairs([("alertname", "A")]),
        annotations: BTreeMap::new(),
        value: 1.0,
        state,
        reason: Reason::Cleared,
        active_at: at(0),
        fired_at: (state != AlertState::Pending).then_some(at(1_000)),
        keep_firing_since: None,
        resolved_at: (state == AlertState::Resolved).then_some(at(100_000)),
        last_sent_at: last_sent.map(at),
    }
}

#[test]
fn due_at_the_boundaries() {
    use AlertState::{Firing, Pending, Resolved};
    let policy = AlertmanagerPolicy::default();
    let end = 100_000 + 15 * 60_000;
    for (state, last_sent, now, expected) in [
        (Pending, None, 5_000, None),
        (Firing, None, 1_000, Some(PostReason::Firing)),
        (Firing, Some(1_000), 60_999, None),
        (Firing, Some(1_000), 61_000, Some(PostReason::Again)),
        // The clock may be set back.
        (Firing, Some(61_000), 1_000, None),
        (Resolved, None, 100_000, Some(PostReason::Resolved)),
        (Resolved, Some(99_999), 100_000, Some(PostReason::Resolved)),
        (Resolved, Some(100_000), 159_999, None),
        (Resolved, Some(100_000), 160_000, Some(PostReason::Again)),
        (Resolved, Some(100_000), end - 1, Some(PostReason::Again)),
        (Resolved, Some(100_000), end, None),
        (Resolved, None, end, None),
    ] {
        assert_eq!(policy.due(&alert(state, last_sent), at(now)), expected, "{state} {last_sent:?} {now}");
    }
}

#[test]
fn durations_of_any_length_are_taken() {
    let policy = AlertmanagerPolicy::default().with_resend_delay(Duration::MAX);
    let firing = alert(AlertState::Firing, Some(1_000));
    assert_eq!(policy.due(&firing, at(i64::from(i32::MAX))), None);
    assert_eq!(policy.post(&firing, "x", Duration::MAX, at(0)).unwrap().ends_at, DateTime::<Utc>::MAX_UTC);
}

proptest! {
    /// However evaluations fall, an alert that fires is believed without a gap as long as each of its posts arrives, even
    /// if two in a row do not.
    #[test]
    fn what_fires_is_believed(delay in 1_u64..300, interval in 1_u64..300, count in 2_usize..200) {
        let policy = AlertmanagerPolicy::default().with_resend_delay(Duration::from_secs(delay));
        let mut one = alert(AlertState::Firing, None);
        let mut sent: Vec<PostedAlert> = Vec::new();
        let mut times = Vec::new();
        for step in 0..count {
            let now = at(i64::try_from(u64::try_from(step).unwrap() * interval * 1000).unwrap());
            if policy.due(&one, now).is_some() {
                one.last_sent_at = Some(now);
                times.push(now);
                sent.extend(policy.post(&one, "x", Duration::from_secs(interval), now));
            }
        }
        let round = interval * delay.div_ceil(interval);
        for (first, second) in times.iter().zip(times.iter().skip(1)) {
            prop_assert_eq!((*second - *first).num_seconds(), i64::try_from(round).unwrap());
        }
        for (alert, next) in sent.iter().zip(times.iter().skip(2)) {
            prop_assert!(alert.ends_at >= *next, "{} {next}", alert.ends_at);
        }
    }

    /// A queue holds the newest of what was put, in its order, and counts the rest.
    #[test]
    fn the_oldest_give_way(max in 1_usize..20, batch in 1_usize..8, count in 0_usize..60) {
        let mut queue = PostQueue::new(max);
        let policy = AlertmanagerPolicy::default();
        for index in 0..count {
            let now = at(i64::try_from(index).unwrap());
            queue.put(policy.post(&alert(AlertState::Firing, None), "x", Duration::ZERO, now).unwrap());
        }
        prop_assert_eq!(queue.dropped(), u64::try_from(count.saturating_sub(max)).unwrap());
        let mut ends = Vec::new();
        while queue.len() > 0 {
            let taken = queue.take(batch);
            prop_assert!(taken.len() <= batch);
            ends.extend(taken.iter().map(|alert| alert.ends_at));
        }
        let expected: Vec<_> =
            (count.saturating_sub(max)..count).map(|index| at(i64::try_from(index).unwrap() + 240_000)).collect();
        prop_assert_eq!(ends, expected);
    }
}
