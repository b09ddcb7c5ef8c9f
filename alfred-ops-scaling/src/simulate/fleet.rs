//! Instances before a queue.

use std::collections::VecDeque;

use super::Service;

/// What is less than this is a rounding error.
const EPSILON: f64 = 1e-9;

/// Instances before a queue, second by second.
#[derive(Debug, Clone)]
pub(super) struct Fleet {
    rate: f64,
    start_up: u64,
    ready: u32,
    /// When those that start will work.
    starting: VecDeque<u64>,
    /// What waits: when it came, and how much of it is left.
    queue: VecDeque<(u64, f64)>,
    queued: f64,
}

/// What happened in a second.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Worked {
    pub(super) served: f64,
    /// Of those the ones that had waited longer than they should.
    pub(super) late: f64,
    /// The share of the instances that work which had something to do.
    pub(super) busy: f64,
}

impl Fleet {
    pub(super) fn new(service: &Service) -> Self {
        Self {
            rate: service.rate,
            start_up: service.start_up.as_secs(),
            ready: service.min.max(1),
            starting: VecDeque::new(),
            queue: VecDeque::new(),
            queued: 0.0,
        }
    }

    /// Takes in what arrives in a second, and works on it.
    pub(super) fn work(&mut self, second: u64, arrivals: f64, wait: f64) -> Worked {
        while self.starting.front().is_some_and(|ready_at| *ready_at <= second) {
            self.starting.pop_front();
            self.ready += 1;
        }
        if arrivals > 0.0 {
            self.queue.push_back((second, arrivals));
            self.queued += arrivals;
        }
        let capacity = f64::from(self.ready) * self.rate;
        let mut worked = Worked::default();
        while let Some((came, left)) = self.queue.front_mut() {
            let now = left.min(capacity - worked.served);
            if now <= EPSILON && *left > EPSILON {
                break;
            }
            worked.served += now;
            if whole(second - *came) > wait {
                worked.late += now;
            }
            *left -= now;
            if *left > EPSILON {
                break;
            }
            self.queue.pop_front();
        }
        self.queued = (self.queued - worked.served).max(0.0);
        worked.busy = if capacity > 0.0 { worked.served / capacity } else { 0.0 };
        worked
    }

    /// Orders as many as there should be.
    pub(super) fn scale(&mut self, to: u32, second: u64) {
        while self.count() < to {
            self.starting.push_back(second + self.start_up);
        }
        while self.count() > to {
            if self.starting.pop_back().is_none() {
                self.ready -= 1;
            }
        }
    }

    /// Instances that work or start.
    pub(super) fn count(&self) -> u32 {
        self.ready + u32::try_from(self.starting.len()).unwrap_or(u32::MAX)
    }

    pub(super) const fn ready(&self) -> u32 {
        self.ready
    }

    pub(super) fn queued(&self) -> f64 {
        if self.queued < EPSILON { 0.0 } else { self.queued }
    }

    /// For how long the first in the queue has waited.
    pub(super) fn oldest(&self, second: u64) -> u64 {
        self.queue.front().map_or(0, |(came, _)| second.saturating_sub(*came))
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds of a trace")]
const fn whole(seconds: u64) -> f64 {
    seconds as f64
}
