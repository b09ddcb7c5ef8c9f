//! The engine as a service of a supervisor.

use alfred_ops_core::{Activation, Job, JobContext, JobReport, Result};
use async_trait::async_trait;

use super::AlertEngine;

/// A service: it runs until the supervisor stops. The engine keeps its own clock.
#[async_trait]
impl Job for AlertEngine {
    fn name(&self) -> &str {
        "alerts"
    }

    fn activation(&self) -> Activation {
        Activation::Service
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        self.set_fence(context.fence.clone());
        AlertEngine::run(self, context.cancel.clone()).await?;
        Ok(JobReport::default())
    }
}
