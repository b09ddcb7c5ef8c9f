//! Delivers to one sink.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{Error, SharedClock};
use chrono::{DateTime, Utc};
use tokio::sync::Notify;

use super::SinkStatus;
use crate::notify::{Delivery, Notification, Outbox, Verdict};
use crate::sink::AlertSink;

/// Delivers to one sink what waits in its outbox.
#[derive(Debug)]
pub(super) struct Dispatch {
    sink: Arc<dyn AlertSink>,
    desk: Mutex<Desk>,
    /// Says that something was put into the outbox.
    pub(super) put: Notify,
}

#[derive(Debug, Default)]
struct Desk {
    outbox: Outbox,
    /// The group whose notification is on its way.
    in_flight: Option<String>,
    last_error: Option<String>,
    last_delivery: Option<DateTime<Utc>>,
}

impl Dispatch {
    pub(super) fn new(sink: Arc<dyn AlertSink>) -> Self {
        Self { sink, desk: Mutex::default(), put: Notify::new() }
    }

    pub(super) fn put(&self, notification: Notification, now: DateTime<Utc>) {
        self.desk().outbox.put(notification, now);
        self.put.notify_one();
    }

    /// Makes one attempt for everything that is due at `now`. What fails waits for a later time.
    pub(super) async fn deliver_due(&self, now: DateTime<Utc>, clock: &SharedClock) {
        loop {
            let Some(delivery) = self.take_due(now) else { return };
            let outcome = self.sink.deliver(delivery.notification()).await;
            // In a simulation time may have moved on meanwhile; a retry counts from the answer.
            let answered = now.max(clock.now());
            let mut desk = self.desk();
            let group = delivery.notification().group_key.clone();
            desk.in_flight = None;
            let verdict = desk.outbox.complete(delivery, outcome.as_ref().err(), answered);
            desk.last_error = outcome.as_ref().err().map(Error::full);
            if outcome.is_ok() {
                desk.last_delivery = Some(answered);
            }
            drop(desk);
            self.log(&group, verdict, outcome.err());
        }
    }

    fn take_due(&self, now: DateTime<Utc>) -> Option<Delivery> {
        let mut desk = self.desk();
        let delivery = desk.outbox.take_due(now)?;
        desk.in_flight = Some(delivery.notification().group_key.clone());
        Some(delivery)
    }

    /// Adds the keys of the groups whose notifications have not arrived.
    pub(super) fn enter_unsettled(&self, groups: &mut BTreeSet<String>) {
        let desk = self.desk();
        groups.extend(desk.outbox.groups().chain(&desk.in_flight).cloned());
    }

    fn log(&self, group: &str, verdict: Verdict, error: Option<Error>) {
        let sink = self.sink.name();
        let error = error.map(|error| error.full()).unwrap_or_default();
        match verdict {
            Verdict::Delivered => tracing::info!(sink, group, "notification delivered"),
            Verdict::RetryAt(at) => {
                tracing::warn!(sink, group, error, %at, "delivery failed, will be repeated");
            }
            Verdict::Superseded => tracing::warn!(sink, group, error, "delivery failed, a newer one waits"),
            Verdict::Refused => tracing::error!(sink, group, error, "notification refused"),
            Verdict::TooOld => tracing::error!(sink, group, error, "notification given up"),
        }
    }

    /// When the next attempt is due.
    pub(super) fn next_due(&self) -> Option<DateTime<Utc>> {
        self.desk().outbox.next_due()
    }

    pub(super) fn hurry(&self, now: DateTime<Utc>) {
        self.desk().outbox.hurry(now);
    }

    pub(super) fn status(&self) -> SinkStatus {
        let desk = self.desk();
        SinkStatus {
            name: self.sink.name().to_owned(),
            waiting: desk.outbox.len(),
            counters: desk.outbox.counters(),
            last_error: desk.last_error.clone(),
            last_delivery: desk.last_delivery,
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
