//! The labels under which a target's samples are stored.

use alfred_ops_core::{Labels, Result};

use super::limit;
use super::merge::merge;
use crate::job::ScrapeJob;
use crate::relabel::apply;

/// Says under which labels a target's samples are stored, as Prometheus 3 does: its own labels beside the target's, then the
/// job's rules for metrics, then the job's limits.
#[derive(Debug)]
pub(crate) struct Labeller {
    job: ScrapeJob,
    target: Labels,
}

impl Labeller {
    pub(crate) fn new(job: &ScrapeJob, target: Labels) -> Self {
        Self { job: job.clone(), target }
    }

    /// The stored labels of a page's series; `None` if the job's rules drop it.
    pub(crate) fn stored(&self, page: &Labels) -> Result<Option<Labels>> {
        let labels = merge(page, &self.target, self.job.honor_labels);
        let kept = apply(&self.job.metric_relabel_rules, labels).filter(|labels| !labels.is_empty());
        if let Some(labels) = &kept {
            limit::check(&self.job, labels)?;
        }
        Ok(kept)
    }

    pub(crate) const fn honors_timestamps(&self) -> bool {
        self.job.honor_timestamps
    }

    /// Refuses a page with more samples than the job allows.
    pub(crate) fn check_count(&self, kept: usize) -> Result<()> {
        match self.job.limits.samples_max.filter(|limit| limit::over(kept, *limit)) {
            Some(limit) => Err(limit::too_many_samples(kept, limit)),
            None => Ok(()),
        }
    }
}
