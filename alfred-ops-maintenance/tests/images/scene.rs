//! A clock that the test drives, and what a host keeps of images.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, MemoryStateStore, Result, SimulatedClock, StateStore};
use alfred_ops_maintenance::{ChoreRecord, ClosureUse, ImageCare, ImagePolicy, ImageRef, ImageStore};
use chrono::{DateTime, TimeDelta};

/// A little more than images without use stay.
const AGE: Duration = Duration::from_secs(169 * 3600);

pub(crate) struct Scene {
    clock: SimulatedClock,
    state: Arc<dyn StateStore>,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        Self { state: Arc::new(MemoryStateStore::new(clock.shared())), clock }
    }

    /// Time passes, so that what was young is old.
    pub(crate) fn age(&self) {
        self.clock.advance(AGE);
    }

    /// Looks after a store whose images nobody else uses.
    pub(crate) async fn run<S: ImageStore>(&self, store: S) -> Result<ChoreRecord> {
        self.run_with(store, |care| care).await
    }

    /// Looks after a store of whose images a cluster uses some.
    pub(crate) async fn run_used<S: ImageStore>(&self, store: S, used: &[String]) -> Result<ChoreRecord> {
        let used: Vec<ImageRef> = used.iter().map(|name| name.parse().unwrap()).collect();
        let uses = ClosureUse::new("cluster", move || {
            let used = used.clone();
            async move { Ok(used) }
        });
        self.run_with(store, |care| care.with_use(uses)).await
    }

    pub(crate) async fn run_with<S: ImageStore>(
        &self,
        store: S,
        edit: impl FnOnce(ImageCare<S>) -> ImageCare<S>,
    ) -> Result<ChoreRecord> {
        let policy = ImagePolicy::default().with_versions(2);
        let care = edit(ImageCare::new(store, policy, Arc::clone(&self.state)));
        let context = JobContext::system().with_clock(self.clock.shared());
        Ok(care.caretaker().build().unwrap().run(&context).await?.record().unwrap().clone())
    }
}
