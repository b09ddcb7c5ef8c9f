//! What an autoscaler shows of itself.

use alfred_ops_core::{CounterFamily, GaugeFamily, Metrics, Result};

use crate::DecisionRecord;

/// What an autoscaler shows of itself.
#[derive(Debug)]
pub(super) struct Meters {
    instances: GaugeFamily,
    desired: GaugeFamily,
    decisions: CounterFamily,
    failures: CounterFamily,
}

impl Meters {
    pub(super) fn register(metrics: &Metrics) -> Result<Self> {
        Ok(Self {
            instances: metrics.gauge(
                "alfred_ops_scaling_instances",
                "Instances configured at the last look",
                &["scaler"],
            )?,
            desired: metrics.gauge(
                "alfred_ops_scaling_desired_instances",
                "Instances decided on at the last look",
                &["scaler"],
            )?,
            decisions: metrics.counter(
                "alfred_ops_scaling_decisions",
                "Decisions by what they change",
                &["scaler", "change"],
            )?,
            failures: metrics.counter(
                "alfred_ops_scaling_failed_looks",
                "Looks that ended with an error",
                &["scaler"],
            )?,
        })
    }

    pub(super) fn note(&self, scaler: &str, record: &DecisionRecord) {
        let (instances, desired) = (record.inputs.instances, record.decision.desired);
        self.instances.with(&[scaler]).set(f64::from(instances));
        self.desired.with(&[scaler]).set(f64::from(desired));
        let change = match desired {
            _ if desired > instances => "up",
            _ if desired < instances => "down",
            _ => "none",
        };
        self.decisions.with(&[scaler, change]).inc();
    }

    pub(super) fn note_failure(&self, scaler: &str) {
        self.failures.with(&[scaler]).inc();
    }
}
