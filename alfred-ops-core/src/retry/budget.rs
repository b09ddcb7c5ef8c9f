//! How much trying again is affordable.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tokens that one retry costs, in units of what one success earns: a tenth of the calls may be retries.
const RETRY_COST: u64 = 10;
/// A success earns this.
const SUCCESS_GAIN: u64 = 1;

/// A bound on retries for all callers of one far side together.
///
/// A limit for each call is not enough: when the far side is down, every caller's retries multiply the load
/// that keeps it down. Here successes earn tokens and retries spend them, ten successes for one retry, with
/// a reserve for quiet times. Clone an `Arc` of it into everything that calls the same far side.
#[derive(Debug)]
pub struct RetryBudget {
    tokens: AtomicU64,
    tokens_max: u64,
}

impl RetryBudget {
    /// A full budget that allows so many retries before any success.
    #[must_use]
    pub const fn new(reserve: u32) -> Self {
        let tokens_max = reserve as u64 * RETRY_COST;
        Self { tokens: AtomicU64::new(tokens_max), tokens_max }
    }

    pub(super) fn earn(&self) {
        let more = |tokens: u64| Some((tokens + SUCCESS_GAIN).min(self.tokens_max));
        let _ = self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more);
    }

    /// Takes the tokens of one retry, if there are enough.
    pub(super) fn spend(&self) -> bool {
        let less = |tokens: u64| tokens.checked_sub(RETRY_COST);
        self.tokens.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }
}

impl Default for RetryBudget {
    /// A reserve of ten retries.
    fn default() -> Self {
        Self::new(10)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_successes_pay_for_one_retry() {
        let budget = RetryBudget::new(2);
        assert!(budget.spend() && budget.spend() && !budget.spend());
        for _ in 0..9 {
            budget.earn();
        }
        assert!(!budget.spend());
        budget.earn();
        assert!(budget.spend());
        for _ in 0..1000 {
            budget.earn();
        }
        assert!(budget.spend() && budget.spend() && !budget.spend(), "it never holds more than its reserve");
    }
}
