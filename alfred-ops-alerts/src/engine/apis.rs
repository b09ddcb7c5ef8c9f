//! The answers of Prometheus' two HTTP APIs about rules and alerts.

use serde_json::{Value, json};

use super::AlertEngine;
use crate::alert::Alert;
use crate::api;

impl AlertEngine {
    /// The answer to `GET /api/v1/rules` in exactly the form of Prometheus 3: what a host serves there is read by whatever
    /// reads Prometheus, such as Grafana.
    ///
    /// Expressions, labels and annotations stand as they were written, and alerts without external labels. Times have
    /// milliseconds. A rule's `evaluationTime` is by the engine's clock.
    #[must_use]
    pub fn rules_api(&self) -> Value {
        let groups = self.parts().groups.read();
        let views = groups.iter().filter_map(|group| {
            group.with(|evaluator| api::group(evaluator.group(), evaluator.rules(), group.interval))
        });
        let views: Vec<Value> = views.collect();
        json!({ "status": "success", "data": { "groups": views } })
    }

    /// The answer to `GET /api/v1/alerts` in exactly the form of Prometheus 3: all alerts that are pending or firing.
    #[must_use]
    pub fn alerts_api(&self) -> Value {
        let alerts: Vec<Alert> = self.alerts();
        json!({ "status": "success", "data": { "alerts": api::alerts(alerts.iter()) } })
    }
}
