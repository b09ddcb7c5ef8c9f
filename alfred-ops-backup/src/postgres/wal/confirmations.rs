//! How long WAL took to be stored.

use std::collections::VecDeque;
use std::time::Duration;

/// So many are remembered: the newest.
const REMEMBERED: usize = 1_000;

/// How long the latest chunks took, from the arrival of their first byte until the store had confirmed it.
#[derive(Debug, Default)]
pub(super) struct Confirmations(VecDeque<Duration>);

impl Confirmations {
    pub(super) fn add(&mut self, took: Duration) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(took);
    }

    /// The value that `percent` of the remembered ones do not exceed (nearest rank).
    pub(super) fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.saturating_sub(1)).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_newest() {
        let mut confirmations = Confirmations::default();
        assert_eq!(confirmations.percentile(99), None);
        for milliseconds in (1..=1_100).rev() {
            confirmations.add(Duration::from_millis(milliseconds));
        }
        assert_eq!(confirmations.percentile(99), Some(Duration::from_millis(990)));
        assert_eq!(confirmations.percentile(50), Some(Duration::from_millis(500)));
    }
}
