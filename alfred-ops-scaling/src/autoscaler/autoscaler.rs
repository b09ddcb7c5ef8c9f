//! Reads, decides, obeys.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alfred_ops_core::{Activation, ErrorKind, Job, JobContext, JobReport, Result};
use async_trait::async_trait;

use super::{SignalSource, Signals};
use crate::{Decision, Inputs, Policy, Scaler, State, step};

/// As often as Kubernetes looks.
const PERIOD: Duration = Duration::from_secs(15);

/// Reads signals, lets the kernel decide, and has the scaler obey.
///
/// It keeps no number of its own: every tick reads the platform again, so that another writer, a lost
/// answer or a restart is noticed and does no harm.
#[derive(Debug)]
pub struct Autoscaler {
    scaler: Arc<dyn Scaler>,
    signals: Arc<dyn SignalSource>,
    policy: Policy,
    state: Mutex<State>,
    job_name: String,
}

impl Autoscaler {
    /// An autoscaler that knows nothing yet.
    #[must_use]
    pub fn new(scaler: Arc<dyn Scaler>, signals: Arc<dyn SignalSource>, policy: Policy) -> Self {
        let service = scaler.name().rsplit('/').next().unwrap_or_default();
        let job_name = format!("autoscaler-{service}");
        Self { scaler, signals, policy, state: Mutex::new(State::default()), job_name }
    }

    /// Reads, decides and obeys once. Ticks must not overlap.
    ///
    /// A source that fails counts as nothing known, which holds.
    ///
    /// # Errors
    /// The scaler's. After [`ErrorKind::Conflict`] or [`ErrorKind::Timeout`] the next tick reads again.
    #[tracing::instrument(skip_all, fields(scaler = self.scaler.name()))]
    pub async fn tick(&self, context: &JobContext) -> Result<Decision> {
        let current = self.scaler.current().await?;
        let signals = self.signals.read(context.now()).await.unwrap_or_else(|error| {
            tracing::warn!(error = error.full(), "no signals: holding");
            Signals::default()
        });
        let Signals { queued, in_flight, cpu, memory } = signals;
        let inputs = Inputs { instances: current.configured, queued, in_flight, cpu, memory };
        let before = *self.lock();
        let decision = step(&mut self.lock(), &inputs, &self.policy, context.now());
        if decision.desired != current.configured {
            if let Err(error) = self.scaler.scale(decision.desired, &current.precondition).await {
                // What was not obeyed is decided again, from the same state.
                *self.lock() = before;
                return Err(error);
            }
            tracing::info!(from = current.configured, to = decision.desired, %decision, "scaled");
        }
        Ok(decision)
    }

    /// Ticks every 15 s until the context is cancelled. A tick that fails is logged and followed by the
    /// next.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`], [`ErrorKind::NotFound`], [`ErrorKind::Unsupported`] and
    /// [`ErrorKind::InvalidInput`]: a person must act.
    pub async fn run(&self, context: &JobContext) -> Result<()> {
        loop {
            match self.tick(context).await {
                Ok(_) => {}
                Err(error) if hopeless(error.kind()) => return Err(error),
                Err(error) => tracing::warn!(error = error.full(), "tick failed"),
            }
            tokio::select! {
                () = context.cancel.cancelled() => return Ok(()),
                () = context.clock.sleep(PERIOD) => {}
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service of a supervisor, named `autoscaler-SERVICE`.
#[async_trait]
impl Job for Autoscaler {
    fn name(&self) -> &str {
        &self.job_name
    }

    fn activation(&self) -> Activation {
        Activation::Service
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        Autoscaler::run(self, context).await?;
        Ok(JobReport::default())
    }
}

fn hopeless(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::Unsupported | ErrorKind::InvalidInput
    )
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::Error;

    use super::*;
    use crate::scaler::MockScaler;
    use crate::{Current, Limits, Precondition, Workload};

    fn busy() -> Arc<Workload> {
        let workload = Workload::new();
        workload.set_queued(10.0);
        Arc::new(workload)
    }

    #[tokio::test]
    async fn a_conflict_is_followed_by_another_look_and_the_same_step() {
        let mut scaler = MockScaler::new();
        scaler.expect_name().return_const("agents".to_owned());
        scaler.expect_limits().returning(|| Limits { min: 0, max: 20 });
        let mut reads = 0;
        scaler.expect_current().times(2).returning(move || {
            reads += 1;
            Ok(Current { configured: 0, running: None, precondition: Precondition::new(reads.to_string()) })
        });
        scaler
            .expect_scale()
            .withf(|target, precondition| *target == 1 && precondition.token() == "1")
            .times(1)
            .returning(|_, _| Err(Error::new(ErrorKind::Conflict, "scale", "changed meanwhile")));
        scaler
            .expect_scale()
            .withf(|target, precondition| *target == 1 && precondition.token() == "2")
            .times(1)
            .returning(|_, _| Ok(()));
        let autoscaler = Autoscaler::new(Arc::new(scaler), busy(), Policy::default());
        let context = JobContext::system();
        assert_eq!(autoscaler.tick(&context).await.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(autoscaler.tick(&context).await.unwrap().desired, 1);
    }

    #[derive(Debug)]
    struct Broken;

    #[async_trait::async_trait]
    impl SignalSource for Broken {
        async fn read(&self, _now: chrono::DateTime<chrono::Utc>) -> Result<Signals> {
            Err(Error::new(ErrorKind::Unavailable, "read signals", "down"))
        }
    }

    #[tokio::test]
    async fn without_signals_nothing_changes() {
        let scaler = Arc::new(crate::MemoryScaler::new("agents", 7));
        let autoscaler =
            Autoscaler::new(Arc::<crate::MemoryScaler>::clone(&scaler), Arc::new(Broken), Policy::default());
        let decision = autoscaler.tick(&JobContext::system()).await.unwrap();
        assert_eq!(decision.desired, 7);
        assert_eq!(scaler.current().await.unwrap().configured, 7);
    }
}
