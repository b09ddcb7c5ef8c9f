//! What waits for one Alertmanager. Pure.

use std::collections::VecDeque;

use super::PostedAlert;

/// What waits for one Alertmanager, oldest first, and at most so much.
#[derive(Debug)]
pub(crate) struct PostQueue {
    waiting: VecDeque<PostedAlert>,
    waiting_max: usize,
    dropped: u64,
}

impl PostQueue {
    pub(crate) const fn new(waiting_max: usize) -> Self {
        Self { waiting: VecDeque::new(), waiting_max, dropped: 0 }
    }

    /// Lets an alert wait behind the others; the oldest gives way if there are too many.
    pub(crate) fn put(&mut self, alert: PostedAlert) {
        if self.waiting.len() >= self.waiting_max {
            self.waiting.pop_front();
            self.dropped += 1;
        }
        self.waiting.push_back(alert);
    }

    /// The oldest ones, at most `batch_max`.
    pub(crate) fn take(&mut self, batch_max: usize) -> Vec<PostedAlert> {
        let count = self.waiting.len().min(batch_max);
        self.waiting.drain(..count).collect()
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// How many gave way.
    pub(crate) const fn dropped(&self) -> u64 {
        self.dropped
    }
}
