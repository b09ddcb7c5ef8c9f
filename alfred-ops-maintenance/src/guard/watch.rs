//! A look at the platform after a change.

use std::fmt;
use std::future::Future;
use std::time::Duration;

use alfred_ops_core::{JobContext, Result};
use futures::future::BoxFuture;

type Probe = dyn Fn() -> BoxFuture<'static, Result<Option<String>>> + Send + Sync;

/// A look at the platform's errors and latency after a change: for so long, so often, and how many bad looks in a row undo the
/// change.
pub struct Watch {
    name: String,
    probe: Box<Probe>,
    lasts: Duration,
    every: Duration,
    bad_max: u32,
}

impl Watch {
    /// Asks `probe` what is wrong, every ten seconds for five minutes. The second bad look in a row undoes the change; an
    /// error counts as bad, for who does not know cannot promise.
    #[must_use]
    pub fn new<F, A>(name: impl Into<String>, probe: F) -> Self
    where
        F: Fn() -> A + Send + Sync + 'static,
        A: Future<Output = Result<Option<String>>> + Send + 'static,
    {
        Self {
            name: name.into(),
            probe: Box::new(move || Box::pin(probe())),
            lasts: Duration::from_secs(300),
            every: Duration::from_secs(10),
            bad_max: 1,
        }
    }

    /// Sets how long it lasts and how often it looks.
    #[must_use]
    pub const fn lasting(mut self, lasts: Duration, every: Duration) -> Self {
        (self.lasts, self.every) = (lasts, every);
        self
    }

    /// Sets how many bad looks in a row are forgiven; one if not given.
    #[must_use]
    pub const fn forgiving(mut self, bad_max: u32) -> Self {
        self.bad_max = bad_max;
        self
    }

    /// Watches to the end, or until it has seen enough; then returns what was wrong.
    pub(super) async fn wrong(&self, context: &JobContext) -> Option<String> {
        let began = context.clock.monotonic();
        let mut bad = 0;
        loop {
            let wrong = match (self.probe)().await {
                Ok(wrong) => wrong,
                Err(error) => Some(format!("nobody can tell: {}", error.full())),
            };
            bad = if wrong.is_some() { bad + 1 } else { 0 };
            if let Some(wrong) = wrong.filter(|_| bad > self.bad_max) {
                return Some(format!("watch {:?}: {wrong}", self.name));
            }
            if context.clock.monotonic().saturating_sub(began) >= self.lasts {
                return None;
            }
            tokio::select! {
                () = context.cancel.cancelled() => return Some("the host was stopped while it watched".to_owned()),
                () = context.clock.sleep(self.every) => {}
            }
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("name", &self.name).finish_non_exhaustive()
    }
}
