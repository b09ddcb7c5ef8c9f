//! Changes that are only pretended.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;

use super::{Current, Limits, Observed, Outcome, Precondition, Scaler};

/// So many pretended changes are remembered.
const STEPS_MAX: usize = 100;

/// A scaler that has every change checked and makes none.
///
/// What it was told to set is what it says is configured from then on, until somebody changes the service itself: an
/// [`Autoscaler`](crate::Autoscaler) then decides as if it had acted. (One in
/// [shadow mode](crate::Autoscaler::in_shadow) decides each time on what is.)
#[derive(Debug)]
pub struct DryRunScaler {
    service: Arc<dyn Scaler>,
    pretended: Mutex<Pretended>,
}

#[derive(Debug, Default)]
struct Pretended {
    /// The number, and the service's own precondition at the time.
    number: Option<(u32, Precondition)>,
    changes: u64,
    steps: VecDeque<DryRunStep>,
}

/// A change that would have been made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DryRunStep {
    /// To this number.
    pub target: u32,
    /// What the service's own scaler says of it.
    pub plan: String,
}

impl DryRunScaler {
    /// Pretends to scale `service`.
    #[must_use]
    pub fn new(service: Arc<dyn Scaler>) -> Self {
        Self { service, pretended: Mutex::default() }
    }

    /// The newest changes that would have been made, at most a hundred, oldest first.
    #[must_use]
    pub fn steps(&self) -> Vec<DryRunStep> {
        self.pretended().steps.iter().cloned().collect()
    }

    fn pretended(&self) -> MutexGuard<'_, Pretended> {
        self.pretended.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conflict(&self) -> Error {
        Error::new(ErrorKind::Conflict, "scale", "the service was changed meanwhile").with_target(self.name())
    }
}

impl Pretended {
    /// What stands on top of the service's own precondition.
    fn precondition(&self, own: &Precondition) -> Precondition {
        Precondition::new(format!("{} {}", self.changes, own.token()))
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Scaler for DryRunScaler {
    fn name(&self) -> &str {
        self.service.name()
    }

    fn limits(&self) -> Limits {
        self.service.limits()
    }

    async fn current(&self) -> Result<Current> {
        let own = self.service.current().await?;
        let mut pretended = self.pretended();
        pretended.number = pretended.number.take().filter(|(_, at)| *at == own.precondition);
        let precondition = pretended.precondition(&own.precondition);
        Ok(match &pretended.number {
            Some((number, _)) => Current { configured: *number, running: Some(*number), precondition },
            None => Current { precondition, ..own },
        })
    }

    /// What the service is like, not what is pretended.
    async fn observe(&self) -> Result<Observed> {
        self.service.observe().await
    }

    async fn plan(&self, target: u32) -> Result<String> {
        self.service.plan(target).await
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome> {
        let plan = self.service.plan(target).await?;
        let own = self.service.current().await?.precondition;
        let mut pretended = self.pretended();
        if *precondition != pretended.precondition(&own) {
            return Err(self.conflict());
        }
        pretended.changes += 1;
        if pretended.steps.len() == STEPS_MAX {
            pretended.steps.pop_front();
        }
        pretended.steps.push_back(DryRunStep { target, plan });
        let precondition = pretended.precondition(&own);
        pretended.number = Some((target, own));
        Ok(Outcome { configured: target, precondition })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryScaler;

    #[tokio::test]
    async fn it_keeps_the_contract_and_changes_nothing() {
        let service = Arc::new(MemoryScaler::new("agents", 3));
        let dry = DryRunScaler::new(Arc::<MemoryScaler>::clone(&service));
        crate::testing::conformance::scaler(&dry).await;
        assert_eq!(service.current().await.unwrap().configured, 3);
        let targets: Vec<u32> = dry.steps().iter().map(|step| step.target).collect();
        assert_eq!(targets.len(), 4, "five, one of three rivals, two, and two again: {targets:?}");
        assert!(dry.steps()[0].plan.contains("3 to 5"), "{:?}", dry.steps());
    }

    #[tokio::test]
    async fn a_real_change_ends_the_pretence() {
        let service = Arc::new(MemoryScaler::new("agents", 3));
        let dry = DryRunScaler::new(Arc::<MemoryScaler>::clone(&service));
        let before = dry.current().await.unwrap();
        dry.scale(9, &before.precondition).await.unwrap();
        let own = service.current().await.unwrap();
        service.scale(4, &own.precondition).await.unwrap();
        assert_eq!(dry.current().await.unwrap().configured, 4);
        let error = dry.scale(5, &before.precondition).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
    }
}
