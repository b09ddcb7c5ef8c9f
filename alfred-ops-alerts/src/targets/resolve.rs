//! Resolves targets.

use std::collections::{BTreeMap, HashSet};
use std::time::Duration;

use alfred_ops_core::Labels;

use super::{DropReason, DroppedTarget, Resolution, ResolvedTarget};
use crate::job::{ScrapeJob, TargetGroup, duration};
use crate::relabel::apply;

const ADDRESS: &str = "__address__";
const INSTANCE: &str = "instance";
const INTERVAL: &str = "__scrape_interval__";
const META_PREFIX: &str = "__meta_";
const PARAM_PREFIX: &str = "__param_";
const TIMEOUT: &str = "__scrape_timeout__";

/// What becomes of the targets that were found for a job, as in Prometheus 3.
///
/// A target gets the job's name, address parts and rhythm as labels where it brings none, passes the job's
/// rules, loses what begins with `__meta_`, and is called by its address where nothing else is said. Of targets
/// that come out equal one is scraped. A port is never added.
#[must_use]
pub fn resolve(job: &ScrapeJob, groups: &[TargetGroup]) -> Resolution {
    let mut resolution = Resolution::default();
    let mut known = HashSet::new();
    for group in groups {
        for target in &group.targets {
            let discovered = discovered(job, group, target);
            match resolve_one(job, &discovered) {
                Ok(target) => {
                    if known.insert(target.internal.clone()) {
                        resolution.active.push(target);
                    }
                }
                Err(reason) => resolution.dropped.push(DroppedTarget { discovered, reason }),
            }
        }
    }
    let count = u64::try_from(resolution.active.len()).unwrap_or(u64::MAX);
    resolution.over_limit = job.limits.targets_max.filter(|limit| count > *limit).map(|limit| {
        format!(
            "target_limit exceeded (number of targets: {count}, limit: {limit}); raise it or drop targets"
        )
    });
    resolution
}

fn discovered(job: &ScrapeJob, group: &TargetGroup, target: &BTreeMap<String, String>) -> Labels {
    let (interval, timeout) = (duration::format(job.interval), duration::format(job.timeout));
    let defaults = [
        ("job".to_owned(), &job.name),
        (INTERVAL.to_owned(), &interval),
        (TIMEOUT.to_owned(), &timeout),
        ("__metrics_path__".to_owned(), &job.metrics_path),
    ];
    let scheme = job.scheme.name().to_owned();
    let params = job
        .params
        .iter()
        .filter_map(|(name, values)| Some((format!("{PARAM_PREFIX}{name}"), values.first()?)));
    let mut labels: BTreeMap<String, &str> = BTreeMap::new();
    // A target's own label wins even if it is empty; a default fills whatever is empty then.
    for (name, value) in group.labels.iter().chain(target) {
        labels.insert(name.clone(), value);
    }
    for (name, value) in defaults.into_iter().chain([("__scheme__".to_owned(), &scheme)]).chain(params) {
        let label = labels.entry(name).or_default();
        if label.is_empty() {
            *label = value;
        }
    }
    Labels::from_pairs(labels)
}

fn resolve_one(job: &ScrapeJob, discovered: &Labels) -> Result<ResolvedTarget, DropReason> {
    let rules = &*job.relabel_rules;
    let Some(labels) = apply(rules, discovered.clone()) else {
        // Which rule it was is asked only for targets that are dropped.
        let dropping = (0..rules.len())
            .find(|index| apply(rules.get(..=*index).unwrap_or_default(), discovered.clone()).is_none());
        return Err(DropReason::Rule { index: dropping.unwrap_or(0) });
    };
    let Some(address) = labels.get(ADDRESS).map(str::to_owned) else { return Err(DropReason::NoAddress) };
    if address.contains('/') {
        return Err(DropReason::Address { address });
    }
    let (interval, timeout) = rhythm(&labels)?;
    let mut internal = labels.without(|name| name.starts_with(META_PREFIX));
    if internal.get(INSTANCE).is_none() {
        internal = internal.with(INSTANCE, &address);
    }
    let labels = internal.without(|name| name.starts_with("__"));
    let params = params(job, &internal);
    Ok(ResolvedTarget { discovered: discovered.clone(), labels, interval, timeout, internal, params })
}

fn rhythm(labels: &Labels) -> Result<(Duration, Duration), DropReason> {
    let read = |name, what| {
        let text = labels.get(name).unwrap_or_default();
        match duration::parse(text) {
            Some(duration) if !duration.is_zero() => Ok(duration),
            Some(_) => Err(DropReason::Rhythm { what: format!("{what} cannot be 0; set `{name}`") }),
            None => {
                let what = format!("{what} {text:?} is no duration; set `{name}` to one such as 15s");
                Err(DropReason::Rhythm { what })
            }
        }
    };
    let (interval, timeout) = (read(INTERVAL, "scrape interval")?, read(TIMEOUT, "scrape timeout")?);
    if timeout > interval {
        let (timeout, interval) = (duration::format(timeout), duration::format(interval));
        let what = format!("scrape timeout cannot be greater than scrape interval ({timeout} > {interval})");
        return Err(DropReason::Rhythm { what });
    }
    Ok((interval, timeout))
}

/// The job's parameters; the first value of each is the label's.
fn params(job: &ScrapeJob, internal: &Labels) -> BTreeMap<String, Vec<String>> {
    let mut params = job.params.clone();
    for (name, value) in internal.iter() {
        let Some(name) = name.strip_prefix(PARAM_PREFIX) else { continue };
        let values = params.entry(name.to_owned()).or_default();
        match values.first_mut() {
            Some(first) => value.clone_into(first),
            None => values.push(value.to_owned()),
        }
    }
    params
}
