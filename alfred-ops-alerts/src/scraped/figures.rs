//! What a scrape says about itself.

use std::time::Duration;

use alfred_ops_core::{Labels, Sample};

use crate::job::ScrapeJob;
use crate::targets::ResolvedTarget;

/// What is known about one scrape, apart from its samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ScrapeFigures {
    /// Whether the page was read and stored.
    pub up: bool,
    /// How long the scrape took in all.
    pub duration: Duration,
    /// How many samples the page had.
    pub scraped: usize,
    /// How many of them the job's rules left.
    pub kept: usize,
    /// How many of these belong to series that the scrape before did not have.
    pub series_added: usize,
    /// How many bytes the page has, uncompressed; nothing if it is longer than allowed.
    pub body_bytes: Option<usize>,
}

impl ScrapeFigures {
    /// The series that a scrape leaves about itself: `up` and its like, with the target's labels.
    ///
    /// The job's rules for metrics do not touch them. Timeout, limit and size are among them only with
    /// [`ScrapeJob::extra_scrape_metrics`].
    #[must_use]
    pub fn samples(&self, job: &ScrapeJob, target: &ResolvedTarget) -> Vec<Sample> {
        let usual = [
            ("up", if self.up { 1.0 } else { 0.0 }),
            ("scrape_duration_seconds", self.duration.as_secs_f64()),
            ("scrape_samples_scraped", count(self.scraped)),
            ("scrape_samples_post_metric_relabeling", count(self.kept)),
            ("scrape_series_added", count(self.series_added)),
        ];
        let limit = job.limits.samples_max.unwrap_or(0);
        let extra = [
            ("scrape_timeout_seconds", target.timeout.as_secs_f64()),
            ("scrape_sample_limit", count(usize::try_from(limit).unwrap_or(usize::MAX))),
            ("scrape_body_size_bytes", self.body_bytes.map_or(-1.0, count)),
        ];
        let extra = extra.into_iter().filter(|_| job.extra_scrape_metrics);
        let named = |(name, value)| Sample::new(target.labels.with(Labels::NAME, name), value);
        usual.into_iter().chain(extra).map(named).collect()
    }
}

#[expect(clippy::cast_precision_loss, reason = "a page has far fewer than 2^53 samples and bytes")]
const fn count(number: usize) -> f64 {
    number as f64
}
