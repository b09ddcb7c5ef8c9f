//! How a caretaker is put together.

use std::sync::Arc;

use alfred_ops_core::{Criticality, Error, ErrorKind, Health, HealthReporter, Metrics, Result, StateStore};

use super::gauges::Gauges;
use super::{Budget, Cadence, Caretaker, Chore, Gate};

/// Puts a [`Caretaker`] together.
#[derive(Debug)]
pub struct CaretakerBuilder<C> {
    chore: C,
    store: Arc<dyn StateStore>,
    cadence: Cadence,
    budget: Budget,
    gates: Vec<Arc<dyn Gate>>,
    metrics: Option<Metrics>,
    health: Option<Health>,
}

impl<C: Chore> CaretakerBuilder<C> {
    pub(super) fn new(chore: C, store: Arc<dyn StateStore>) -> Self {
        Self {
            chore,
            store,
            cadence: Cadence::weekly(),
            budget: Budget::default(),
            gates: Vec::new(),
            metrics: None,
            health: None,
        }
    }

    /// How often; weekly without it.
    #[must_use]
    pub fn cadence(mut self, cadence: Cadence) -> Self {
        self.cadence = cadence;
        self
    }

    /// What a run may take.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = budget;
        self
    }

    /// Adds what must be true for it to run.
    #[must_use]
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.gates.push(Arc::new(gate));
        self
    }

    /// Where it counts.
    #[must_use]
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// Where it says that it is overdue, ineffective or failing, as the component `chore NAME`.
    #[must_use]
    pub fn health(mut self, health: &Health) -> Self {
        self.health = Some(health.clone());
        self
    }

    /// The caretaker.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a name or a target that no state store takes.
    pub fn build(self) -> Result<Caretaker<C>> {
        for (field, text) in [("name", self.chore.name()), ("target", self.chore.target())] {
            let good =
                !text.is_empty() && text.len() <= 400 && text.bytes().all(|byte| byte.is_ascii_graphic());
            if !good || field == "name" && text.contains('/') {
                let fault =
                    format!("{field}: {text:?} is not of visible ASCII, 1 to 400 bytes, no / in names");
                return Err(Error::new(ErrorKind::InvalidInput, "build caretaker", fault));
            }
        }
        let health = match &self.health {
            Some(health) => Some(self.reporter(health)?),
            None => None,
        };
        Ok(Caretaker {
            gauges: self.metrics.as_ref().map(Gauges::register).transpose()?,
            health,
            chore: self.chore,
            store: self.store,
            cadence: self.cadence,
            budget: self.budget,
            gates: self.gates,
        })
    }

    fn reporter(&self, health: &Health) -> Result<HealthReporter> {
        health.register(format!("chore {}", self.chore.name()), Criticality::NonCritical, None)
    }
}
