//! Tells one Alertmanager.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, SharedClock};
use chrono::{DateTime, Utc};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::AlertmanagerStatus;
use crate::alertmanager::{Alertmanager, AlertmanagerPolicy, PostQueue, PostedAlert};

/// Tells one Alertmanager what waits for it, batch by batch.
#[derive(Debug)]
pub(super) struct Post {
    alertmanager: Arc<dyn Alertmanager>,
    batch_max: usize,
    desk: Mutex<Desk>,
    /// Held while a batch is on its way: an older state of an alert must not arrive behind a newer one.
    turn: tokio::sync::Mutex<()>,
    /// Says that something waits.
    put: Notify,
}

#[derive(Debug)]
struct Desk {
    queue: PostQueue,
    in_flight: usize,
    sent: u64,
    failed: u64,
    last_error: Option<String>,
    last_success: Option<DateTime<Utc>>,
}

impl Post {
    pub(super) fn new(alertmanager: Arc<dyn Alertmanager>, policy: &AlertmanagerPolicy) -> Self {
        let desk = Desk {
            queue: PostQueue::new(policy.waiting_max),
            in_flight: 0,
            sent: 0,
            failed: 0,
            last_error: None,
            last_success: None,
        };
        Self {
            alertmanager,
            batch_max: policy.batch_max,
            desk: Mutex::new(desk),
            turn: tokio::sync::Mutex::default(),
            put: Notify::new(),
        }
    }

    /// Lets alerts wait; the oldest give way if there are too many.
    pub(super) fn put(&self, alerts: &[PostedAlert]) {
        let mut desk = self.desk();
        let before = desk.queue.dropped();
        alerts.iter().for_each(|alert| desk.queue.put(alert.clone()));
        let dropped = desk.queue.dropped() - before;
        drop(desk);
        if dropped > 0 {
            let alertmanager = self.alertmanager.name();
            tracing::warn!(alertmanager, dropped, "too many alerts wait, the oldest gave way");
        }
        self.put.notify_one();
    }

    /// Sends all that waits, each batch once.
    pub(super) async fn send_waiting(&self, now: DateTime<Utc>, clock: &SharedClock) {
        while self.send_batch(now, clock).await {}
    }

    /// Sends one batch; false if nothing waits. If the future is dropped the batch counts as failed.
    async fn send_batch(&self, now: DateTime<Utc>, clock: &SharedClock) -> bool {
        let _turn = self.turn.lock().await;
        let batch = self.desk().queue.take(self.batch_max);
        if batch.is_empty() {
            return false;
        }
        let mut flight = Flight::start(self, batch.len());
        let outcome = self.alertmanager.post(&batch).await;
        // In a simulation time may have moved on meanwhile.
        flight.end(outcome.err(), now.max(clock.now()));
        true
    }

    /// Sends what waits until `cancel` is cancelled, then for at most `drain_max` what still waits.
    pub(super) async fn run(&self, clock: &SharedClock, cancel: &CancellationToken, drain_max: Duration) {
        let sending = async {
            loop {
                self.send_waiting(clock.now(), clock).await;
                if cancel.is_cancelled() {
                    return;
                }
                tokio::select! {
                    biased;
                    () = cancel.cancelled() => {}
                    () = self.put.notified() => {}
                }
            }
        };
        tokio::pin!(sending);
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            () = &mut sending => return,
        }
        // A batch that is on its way goes on.
        if clock.timeout(drain_max, "drain", sending).await.is_err() {
            let (alertmanager, waiting) = (self.alertmanager.name(), self.status().waiting);
            tracing::error!(alertmanager, waiting, "alerts are left unsent");
        }
    }

    pub(super) fn status(&self) -> AlertmanagerStatus {
        let desk = self.desk();
        AlertmanagerStatus {
            name: self.alertmanager.name().to_owned(),
            waiting: desk.queue.len() + desk.in_flight,
            sent: desk.sent,
            failed: desk.failed,
            dropped: desk.queue.dropped(),
            last_error: desk.last_error.clone(),
            last_success: desk.last_success,
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A batch that is on its way.
struct Flight<'a> {
    post: &'a Post,
    alerts: usize,
    ended: bool,
}

impl<'a> Flight<'a> {
    fn start(post: &'a Post, alerts: usize) -> Self {
        post.desk().in_flight = alerts;
        Self { post, alerts, ended: false }
    }

    fn end(&mut self, failure: Option<Error>, answered: DateTime<Utc>) {
        self.ended = true;
        let (alertmanager, alerts) = (self.post.alertmanager.name(), self.alerts);
        let count = u64::try_from(alerts).unwrap_or(u64::MAX);
        let mut desk = self.post.desk();
        desk.in_flight = 0;
        let failed_before = desk.last_error.is_some();
        desk.last_error = failure.as_ref().map(Error::full);
        let Some(error) = failure else {
            desk.sent += count;
            desk.last_success = Some(answered);
            drop(desk);
            tracing::debug!(alertmanager, alerts, "alerts sent");
            return;
        };
        desk.failed += count;
        drop(desk);
        // One that is away fails at every evaluation.
        if failed_before {
            tracing::debug!(alertmanager, alerts, error = error.full(), "alerts could not be sent");
        } else {
            tracing::warn!(alertmanager, alerts, error = error.full(), "alerts could not be sent");
        }
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        if !self.ended {
            let mut desk = self.post.desk();
            desk.in_flight = 0;
            desk.failed += u64::try_from(self.alerts).unwrap_or(u64::MAX);
        }
    }
}
