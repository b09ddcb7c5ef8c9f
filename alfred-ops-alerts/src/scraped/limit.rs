//! What a job allows its samples.

use alfred_ops_core::{Error, ErrorKind, Labels};

use crate::job::{JobLimits, ScrapeJob};

/// How much of a name or value an error shows: enough to find it on the page.
const SHOWN_CHARS: usize = 50;

/// Checks a sample's labels after relabelling.
pub(super) fn check(job: &ScrapeJob, labels: &Labels) -> Result<(), Error> {
    let Some(metric) = labels.name() else {
        let message = format!("{labels} has no metric name after relabelling");
        return Err(Error::new(ErrorKind::InvalidInput, "scrape", message)
            .with_remedy("correct metric_relabel_configs so that `__name__` stays"));
    };
    let scheme = job.name_scheme;
    let named = labels.iter().all(|(name, _)| name == Labels::NAME || scheme.allows_label(name));
    if !scheme.allows_metric(metric) || !named {
        let message = format!("{} has a name that is not valid", shown(&labels.to_string()));
        return Err(Error::new(ErrorKind::InvalidInput, "scrape", message)
            .with_remedy("rename it or set metric_name_validation_scheme to utf8"));
    }
    check_limits(&job.limits, metric, labels)
}

fn check_limits(limits: &JobLimits, metric: &str, labels: &Labels) -> Result<(), Error> {
    let metric = shown(metric);
    if let Some(limit) = limits.labels_max {
        let count = labels.len();
        if over(count, limit) {
            let what = format!("{metric} has {count} labels, more than {limit}");
            return Err(exceeded(what, "label_limit"));
        }
    }
    if limits.label_name_bytes_max.is_none() && limits.label_value_bytes_max.is_none() {
        return Ok(());
    }
    for (name, value) in labels.iter() {
        if let Some(limit) = limits.label_name_bytes_max.filter(|limit| over(name.len(), *limit)) {
            let what =
                format!("{metric}: the name {} has {} bytes, more than {limit}", shown(name), name.len());
            return Err(exceeded(what, "label_name_length_limit"));
        }
        if let Some(limit) = limits.label_value_bytes_max.filter(|limit| over(value.len(), *limit)) {
            let what = format!(
                "{metric}: the value of {} has {} bytes, more than {limit}",
                shown(name),
                value.len()
            );
            return Err(exceeded(what, "label_value_length_limit"));
        }
    }
    Ok(())
}

/// The error of a page with too many samples.
pub(super) fn too_many_samples(count: usize, limit: u64) -> Error {
    exceeded(format!("the page has {count} samples after relabelling, more than {limit}"), "sample_limit")
}

pub(super) fn over(count: usize, limit: u64) -> bool {
    u64::try_from(count).unwrap_or(u64::MAX) > limit
}

fn exceeded(what: String, field: &str) -> Error {
    Error::new(ErrorKind::ResourceExhausted, "scrape", what)
        .with_remedy(format!("raise {field} or correct the exporter"))
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}
