//! From a page's samples to those that are stored.

use alfred_ops_core::{Error, Result, Sample};

use super::limit;
use super::merge::merge;
use crate::job::ScrapeJob;
use crate::relabel::apply;
use crate::targets::ResolvedTarget;

/// What became of a page's samples.
#[derive(Debug)]
#[non_exhaustive]
pub struct ScrapedSamples {
    /// What is stored: all or nothing. After an error the scrape has failed.
    pub outcome: Result<Vec<Sample>>,
    /// How many samples the page had, counted up to one that breaks a limit of labels.
    pub scraped: usize,
    /// How many of them the job's rules left.
    pub kept: usize,
}

/// Makes of a page's samples those that are stored, as Prometheus 3 does.
///
/// Each sample gets its target's labels ([`ScrapeJob::honor_labels`] says who wins), passes the job's rules for
/// metrics, and is checked against the job's limits; without [`ScrapeJob::honor_timestamps`] its own time does
/// not count. Where one sample breaks a limit, none is stored and the scrape counts as failed.
#[must_use]
pub fn process_samples(job: &ScrapeJob, target: &ResolvedTarget, samples: Vec<Sample>) -> ScrapedSamples {
    let mut scraped = 0;
    let mut kept = Vec::with_capacity(samples.len());
    let mut failure: Option<Error> = None;
    for mut sample in samples {
        scraped += 1;
        let labels = merge(&sample.labels, &target.labels, job.honor_labels);
        let Some(labels) = apply(&job.metric_relabel_rules, labels).filter(|labels| !labels.is_empty())
        else {
            continue;
        };
        if let Err(error) = limit::check(job, &labels) {
            failure = Some(error);
            break;
        }
        sample.labels = labels;
        sample.timestamp = sample.timestamp.filter(|_| job.honor_timestamps);
        kept.push(sample);
    }
    let count = kept.len();
    if failure.is_none() {
        let limit = job.limits.samples_max.filter(|limit| limit::over(count, *limit));
        failure = limit.map(|limit| limit::too_many_samples(count, limit));
    }
    ScrapedSamples { outcome: failure.map_or(Ok(kept), Err), scraped, kept: count }
}
