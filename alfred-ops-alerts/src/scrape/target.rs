//! What is scraped.

use std::sync::Arc;

use alfred_ops_core::{Labels, MetricSource, Secret};

use super::ScrapeConfig;

/// What is scraped: one process that exposes metrics, over HTTP or within this process.
///
/// Every sample gets the labels `job` and `instance`; a page's own labels of these names become
/// `exported_job` and `exported_instance`.
#[derive(Debug, Clone)]
pub struct Target {
    pub(crate) job: String,
    pub(crate) instance: String,
    pub(crate) origin: Origin,
    pub(crate) config: ScrapeConfig,
}

/// Where a target's samples come from.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// `http://instance/metrics_path`.
    Instance,
    #[cfg_attr(not(feature = "http"), expect(dead_code, reason = "read by those who can connect"))]
    Url(Secret),
    Source(Arc<dyn MetricSource>),
}

impl Target {
    /// The target at `http://INSTANCE/metrics`, `instance` being host and port. Needs the feature `http`.
    #[must_use]
    pub fn new(job: impl Into<String>, instance: impl Into<String>) -> Self {
        Self {
            job: job.into(),
            instance: instance.into(),
            origin: Origin::Instance,
            config: ScrapeConfig::default(),
        }
    }

    /// A target in this process, read through `source`.
    #[must_use]
    pub fn in_process(
        job: impl Into<String>,
        instance: impl Into<String>,
        source: Arc<dyn MetricSource>,
    ) -> Self {
        Self { origin: Origin::Source(source), ..Self::new(job, instance) }
    }

    /// Sets the whole URL of the page. Credentials in it are used and never shown.
    #[must_use]
    pub fn with_url(mut self, url: impl Into<Secret>) -> Self {
        self.origin = Origin::Url(url.into());
        self
    }

    /// Sets how it is scraped.
    #[must_use]
    pub fn with_config(mut self, config: ScrapeConfig) -> Self {
        self.config = config;
        self
    }

    /// The job that the target belongs to.
    #[must_use]
    pub fn job(&self) -> &str {
        &self.job
    }

    /// What tells the target from others of its job.
    #[must_use]
    pub fn instance(&self) -> &str {
        &self.instance
    }

    pub(crate) const fn is_in_process(&self) -> bool {
        matches!(self.origin, Origin::Source(_))
    }

    /// The labels that every sample of the target gets.
    pub(crate) fn labels(&self) -> Labels {
        let own = [("job", &*self.job), ("instance", &*self.instance)];
        let configured = self.config.labels.iter().map(|(name, value)| (&**name, &**value));
        Labels::from_pairs(configured.chain(own))
    }
}
