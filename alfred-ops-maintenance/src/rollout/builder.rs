//! How a rollout is put together.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Metrics, Result, StateStore};

use super::gauges::Gauges;
use super::{Analysis, Rollout, RolloutPolicy, RolloutTarget};
use crate::Gate;

/// Puts a [`Rollout`] together.
#[derive(Debug)]
pub struct RolloutBuilder<T> {
    name: String,
    target: T,
    store: Arc<dyn StateStore>,
    policy: RolloutPolicy,
    staging: Vec<Arc<dyn Gate>>,
    gates: Vec<Arc<dyn Gate>>,
    analyses: Vec<Arc<dyn Analysis>>,
    metrics: Option<Metrics>,
}

impl<T: RolloutTarget> RolloutBuilder<T> {
    pub(super) fn new(name: String, target: T, store: Arc<dyn StateStore>) -> Self {
        Self {
            name,
            target,
            store,
            policy: RolloutPolicy::default(),
            staging: Vec::new(),
            gates: Vec::new(),
            analyses: Vec::new(),
            metrics: None,
        }
    }

    /// Another policy.
    #[must_use]
    pub fn policy(mut self, policy: RolloutPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// A check of the release in staging: closed refuses the release. It is asked once.
    #[must_use]
    pub fn staging(mut self, check: impl Gate) -> Self {
        self.staging.push(Arc::new(check));
        self
    }

    /// What must be true before the target is touched, such as a fresh and verified backup. A closed one is waited for.
    #[must_use]
    pub fn gate(mut self, gate: impl Gate) -> Self {
        self.gates.push(Arc::new(gate));
        self
    }

    /// How the candidate is judged. Of several the worst verdict counts; at least one is needed.
    #[must_use]
    pub fn analysis(mut self, analysis: impl Analysis) -> Self {
        self.analyses.push(Arc::new(analysis));
        self
    }

    /// Where it shows its figures.
    #[must_use]
    pub fn metrics(mut self, metrics: &Metrics) -> Self {
        self.metrics = Some(metrics.clone());
        self
    }

    /// The rollout.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a bad name or policy, or without an analysis; the metrics'.
    pub fn build(self) -> Result<Rollout<T>> {
        self.policy.check()?;
        let name = &self.name;
        let good = !name.is_empty()
            && name.len() <= 200
            && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/');
        if !good {
            let fault = format!("name: {name:?} is not of visible ASCII without /, 1 to 200 bytes");
            return Err(Error::new(ErrorKind::InvalidInput, "build rollout", fault));
        }
        if self.analyses.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "build rollout", "analysis: there is none")
                .with_remedy("add one: nothing is promoted without data"));
        }
        Ok(Rollout {
            gauges: self.metrics.as_ref().map(Gauges::register).transpose()?,
            name: self.name,
            target: self.target,
            store: self.store,
            policy: self.policy,
            staging: self.staging,
            gates: self.gates,
            analyses: self.analyses,
        })
    }
}
