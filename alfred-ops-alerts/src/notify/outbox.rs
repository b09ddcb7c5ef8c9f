//! What waits for one sink. Pure.

use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::{Error, Retry};
use chrono::{DateTime, TimeDelta, Utc};

use super::{Notification, NotificationStatus};

/// The first wait after a failed attempt; each further one doubles it.
const BACKOFF_MIN: Duration = Duration::from_secs(1);
/// A sink that was away is tried again at least this often.
const BACKOFF_MAX: Duration = Duration::from_secs(60);
/// A longer wait that the far side asks for is cut to this: an alert must not sleep longer than it is worth.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(10 * 60);
/// A notification older than this is given up. What still fires is told anew long before, and takes the older
/// one's place; this ends only what resolved a day ago.
const AGE_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// Groups that may wait at once. One group is one rule; beyond it the oldest gives way and is counted.
const GROUPS_MAX: usize = 1_000;

/// What waits for one sink: at most one notification for each group.
///
/// A newer notification of a group takes the place of an older one that was not delivered yet and tells of
/// its resolved alerts too, so that a sink that was away hears the present state and not its history.
#[derive(Debug, Default)]
pub struct Outbox {
    waiting: BTreeMap<String, Waiting>,
    /// Until then the far side has asked to be left alone, whatever the group.
    quiet_until: Option<DateTime<Utc>>,
    counters: OutboxCounters,
}

#[derive(Debug)]
struct Waiting {
    notification: Notification,
    attempts: u32,
    not_before: DateTime<Utc>,
}

/// A notification on its way to a sink.
#[derive(Debug)]
pub struct Delivery {
    waiting: Waiting,
}

impl Delivery {
    /// What is to be delivered.
    #[must_use]
    pub const fn notification(&self) -> &Notification {
        &self.waiting.notification
    }
}

/// What an outbox has seen since it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct OutboxCounters {
    /// Notifications delivered.
    pub delivered: u64,
    /// Attempts that failed and were or will be repeated.
    pub retried: u64,
    /// Notifications given up: refused by the far side, too old, or too many.
    pub given_up: u64,
    /// Notifications replaced by a newer one of their group.
    pub superseded: u64,
}

/// What becomes of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The far side has it.
    Delivered,
    /// It is tried again then, with the same dedup key. An attempt whose outcome is unknown is repeated too:
    /// a page that comes twice is better than one that never comes.
    RetryAt(DateTime<Utc>),
    /// A newer notification of its group tells the same and more.
    Superseded,
    /// The far side will never take it.
    Refused,
    /// It has been tried for too long.
    TooOld,
}

impl Outbox {
    /// Lets `notification` wait for its delivery.
    pub fn put(&mut self, mut notification: Notification, now: DateTime<Utc>) {
        let key = notification.group_key.clone();
        let mut waiting_from = (0, now);
        if let Some(older) = self.waiting.remove(&key) {
            carry_resolved(&older.notification, &mut notification);
            self.counters.superseded += 1;
            // News do not shorten the back-off from a far side that is away.
            waiting_from = (older.attempts, older.not_before);
        } else if self.waiting.len() >= GROUPS_MAX {
            self.drop_oldest();
        }
        let (attempts, not_before) = waiting_from;
        self.waiting.insert(key, Waiting { notification, attempts, not_before });
    }

    fn drop_oldest(&mut self) {
        let oldest = self.waiting.iter().min_by_key(|(_, waiting)| waiting.notification.made_at);
        if let Some(key) = oldest.map(|(key, _)| key.clone()) {
            self.waiting.remove(&key);
            self.counters.given_up += 1;
        }
    }

    /// The next notification whose time has come.
    pub fn take_due(&mut self, now: DateTime<Utc>) -> Option<Delivery> {
        if self.quiet_until.is_some_and(|until| now < until) {
            return None;
        }
        let due = self.waiting.iter().filter(|(_, waiting)| waiting.not_before <= now);
        let key = due.min_by_key(|(_, waiting)| waiting.not_before)?.0.clone();
        self.waiting.remove(&key).map(|waiting| Delivery { waiting })
    }

    /// When the next notification's time comes.
    #[must_use]
    pub fn next_due(&self) -> Option<DateTime<Utc>> {
        let first = self.waiting.values().map(|waiting| waiting.not_before).min()?;
        Some(self.quiet_until.map_or(first, |until| first.max(until)))
    }

    /// Decides about a delivery that was attempted; `failure` is why it failed, if it did.
    pub fn complete(&mut self, delivery: Delivery, failure: Option<&Error>, now: DateTime<Utc>) -> Verdict {
        let mut waiting = delivery.waiting;
        let Some(error) = failure else {
            self.counters.delivered += 1;
            self.quiet_until = None;
            return Verdict::Delivered;
        };
        let asked = match error.retry() {
            Retry::Never => {
                self.counters.given_up += 1;
                return Verdict::Refused;
            }
            Retry::After(Some(asked)) => {
                let asked = asked.min(RETRY_AFTER_MAX);
                self.quiet_until = Some(later(now, asked));
                asked
            }
            Retry::After(None) | Retry::Unknown => Duration::ZERO,
        };
        let backoff = BACKOFF_MIN.saturating_mul(1 << waiting.attempts.min(16)).min(BACKOFF_MAX);
        let not_before = later(now, asked.max(backoff));
        if let Some(newer) = self.waiting.get_mut(&waiting.notification.group_key) {
            carry_resolved(&waiting.notification, &mut newer.notification);
            newer.not_before = newer.not_before.max(not_before);
            self.counters.superseded += 1;
            return Verdict::Superseded;
        }
        if not_before >= later(waiting.notification.made_at, AGE_MAX) {
            self.counters.given_up += 1;
            return Verdict::TooOld;
        }
        waiting.attempts += 1;
        waiting.not_before = not_before;
        self.waiting.insert(waiting.notification.group_key.clone(), waiting);
        self.counters.retried += 1;
        Verdict::RetryAt(not_before)
    }

    /// Makes everything due at `now`: for a last attempt before the process ends.
    pub fn hurry(&mut self, now: DateTime<Utc>) {
        self.quiet_until = None;
        for waiting in self.waiting.values_mut() {
            waiting.not_before = waiting.not_before.min(now);
        }
    }

    /// The keys of the groups whose notifications wait.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &String> {
        self.waiting.keys()
    }

    /// How many notifications wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether none waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// What the outbox has seen.
    #[must_use]
    pub const fn counters(&self) -> OutboxCounters {
        self.counters
    }
}

/// Adds the resolved alerts of `older` that `newer` does not mention.
fn carry_resolved(older: &Notification, newer: &mut Notification) {
    for alert in &older.alerts {
        let mentioned = newer.alerts.iter().any(|other| other.labels == alert.labels);
        if alert.status == NotificationStatus::Resolved && !mentioned {
            newer.alerts.push(alert.clone());
        }
    }
}

fn later(time: DateTime<Utc>, by: Duration) -> DateTime<Utc> {
    TimeDelta::from_std(by)
        .ok()
        .and_then(|by| time.checked_add_signed(by))
        .unwrap_or(DateTime::<Utc>::MAX_UTC)
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::{ErrorKind, Labels};

    use super::*;
    use crate::notify::NotifiedAlert;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
    }

    fn notification(instance: &str, status: NotificationStatus, made: i64) -> Notification {
        let alert = NotifiedAlert {
            status,
            labels: Labels::from_pairs([("alertname", "Down"), ("instance", instance)]),
            annotations: BTreeMap::new(),
            value: 0.0,
            starts_at: at(0),
            ends_at: None,
        };
        Notification::new(Labels::from_pairs([("alertname", "Down")]), vec![alert], 10, at(made))
    }

    fn unavailable() -> Error {
        Error::new(ErrorKind::Unavailable, "deliver", "503")
    }

    #[test]
    fn failures_are_retried_with_the_same_key_at_growing_intervals() {
        let mut outbox = Outbox::default();
        outbox.put(notification("a", NotificationStatus::Firing, 0), at(0));
        let mut now = at(0);
        let mut waits = Vec::new();
        let key = loop {
            let delivery = outbox.take_due(now).unwrap();
            let key = delivery.notification().dedup_key.clone();
            assert!(outbox.take_due(now).is_none());
            match outbox.complete(delivery, Some(&unavailable()), now) {
                Verdict::RetryAt(then) => {
                    waits.push((then - now).num_seconds());
                    assert_eq!(outbox.next_due(), Some(then));
                    now = then;
                }
                verdict => {
                    assert_eq!(verdict, Verdict::TooOld);
                    break key;
                }
            }
        };
        assert_eq!(waits[..8], [1, 2, 4, 8, 16, 32, 60, 60]);
        assert!(now <= at(86_400) && now > at(86_300), "{now}");
        assert_eq!(key, notification("a", NotificationStatus::Firing, 0).dedup_key);
        assert!(outbox.is_empty());
    }

    #[test]
    fn a_wait_asked_for_holds_for_all_groups() {
        let mut outbox = Outbox::default();
        for group in ["1", "2"] {
            let mut one = notification("a", NotificationStatus::Firing, 0);
            one.group_key = group.to_owned();
            outbox.put(one, at(0));
        }
        let asked = unavailable().with_retry(Retry::After(Some(Duration::from_secs(30))));
        let delivery = outbox.take_due(at(0)).unwrap();
        outbox.complete(delivery, Some(&asked), at(0));
        assert!(outbox.take_due(at(29)).is_none());
        assert_eq!(outbox.next_due(), Some(at(30)));
        assert!(outbox.take_due(at(30)).is_some() && outbox.take_due(at(30)).is_some());
    }

    #[test]
    fn a_wait_asked_for_is_kept_and_a_refusal_ends_it() {
        let mut outbox = Outbox::default();
        outbox.put(notification("a", NotificationStatus::Firing, 0), at(0));
        let asked = unavailable().with_retry(Retry::After(Some(Duration::from_secs(30))));
        let delivery = outbox.take_due(at(0)).unwrap();
        assert_eq!(outbox.complete(delivery, Some(&asked), at(0)), Verdict::RetryAt(at(30)));
        assert!(outbox.take_due(at(29)).is_none());
        let delivery = outbox.take_due(at(30)).unwrap();
        let refusal = Error::new(ErrorKind::InvalidInput, "deliver", "400");
        assert_eq!(outbox.complete(delivery, Some(&refusal), at(30)), Verdict::Refused);
        assert_eq!((outbox.len(), outbox.counters().given_up), (0, 1));
    }

    #[test]
    fn a_newer_notification_carries_what_the_older_one_would_have_told() {
        let mut outbox = Outbox::default();
        outbox.put(notification("a", NotificationStatus::Resolved, 0), at(0));
        let in_flight = outbox.take_due(at(0)).unwrap();
        outbox.put(notification("b", NotificationStatus::Firing, 15), at(15));
        assert_eq!(outbox.complete(in_flight, Some(&unavailable()), at(20)), Verdict::Superseded);
        let delivery = outbox.take_due(at(21)).unwrap();
        let told: Vec<_> =
            delivery.notification().alerts.iter().map(|a| a.labels.get("instance").unwrap()).collect();
        assert_eq!(told, ["b", "a"]);
        assert_eq!(outbox.counters().superseded, 1);
    }

    #[test]
    fn news_do_not_shorten_the_back_off() {
        let mut outbox = Outbox::default();
        outbox.put(notification("a", NotificationStatus::Firing, 0), at(0));
        for now in [0, 1, 3] {
            let delivery = outbox.take_due(at(now)).unwrap();
            outbox.complete(delivery, Some(&unavailable()), at(now));
        }
        outbox.put(notification("b", NotificationStatus::Firing, 4), at(4));
        assert_eq!(outbox.next_due(), Some(at(7)));
        let delivery = outbox.take_due(at(7)).unwrap();
        assert_eq!(outbox.complete(delivery, Some(&unavailable()), at(7)), Verdict::RetryAt(at(15)));
    }

    #[test]
    fn the_outbox_is_bounded() {
        let mut outbox = Outbox::default();
        for index in 0..GROUPS_MAX + 5 {
            let mut one = notification("a", NotificationStatus::Firing, i64::try_from(index).unwrap());
            one.group_key = index.to_string();
            outbox.put(one, at(0));
        }
        assert_eq!((outbox.len(), outbox.counters().given_up), (GROUPS_MAX, 5));
        assert!(!outbox.waiting.contains_key("4") && outbox.waiting.contains_key("5"));
    }
}
