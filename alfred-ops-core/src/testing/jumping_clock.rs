//! A clock that somebody sets.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use crate::{Clock, SharedClock};

/// A clock whose wall time is another clock's, ahead or behind by what it was told. What passes, passes as
/// there: only the wall time jumps. Clones share one time.
#[derive(Debug, Clone)]
pub struct JumpingClock {
    clock: SharedClock,
    ahead_millis: Arc<AtomicI64>,
}

impl JumpingClock {
    /// A clock that agrees with `clock` until it jumps.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { clock, ahead_millis: Arc::default() }
    }

    /// Sets the wall time forward, or back for a negative span. Jumps add up.
    pub fn jump(&self, by: TimeDelta) {
        self.ahead_millis.fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }
}

#[async_trait]
impl Clock for JumpingClock {
    fn now(&self) -> DateTime<Utc> {
        let ahead = TimeDelta::milliseconds(self.ahead_millis.load(Ordering::SeqCst));
        self.clock.now().checked_add_signed(ahead).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.clock.sleep(duration).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SimulatedClock;

    #[test]
    fn only_the_wall_time_jumps() {
        let start = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let clock = JumpingClock::new(SimulatedClock::starting_at(start).shared());
        let passed = clock.monotonic();
        clock.jump(TimeDelta::hours(5));
        clock.clone().jump(TimeDelta::hours(-8));
        assert_eq!((clock.now(), clock.monotonic()), (start - TimeDelta::hours(3), passed));
    }
}
