//! Reads a job.

use std::collections::BTreeMap;

use super::form::{Form, scalar};
use super::read_discovery::read_discoveries;
use super::read_global::{
    Defaults, ignore_histograms, interval, read_limits, read_protocols, read_scheme, refuse_timeout,
};
use super::read_http::read_http;
use super::read_relabel::read_rules;
use crate::job::{DiscoveryConfig, Scheme, ScrapeJob, ScrapeProtocol};
use crate::yaml::Value;

pub(super) fn read_job(form: Form<'_>, defaults: &Defaults) -> ScrapeJob {
    let mut job = ScrapeJob::new(form.text("job_name").unwrap_or_default());
    if job.name.is_empty() {
        form.refuse("job_name", "the job has no name", "set `job_name`");
    }
    read_rhythm(&form, defaults, &mut job);
    read_page(&form, defaults, &mut job);
    job.limits = read_limits(&form, &defaults.limits);
    job.name_scheme = read_scheme(&form).unwrap_or(defaults.name_scheme);
    job.http = read_http(&form);
    job.relabel_rules = read_rules(&form, "relabel_configs", job.name_scheme);
    job.metric_relabel_rules = read_rules(&form, "metric_relabel_configs", job.name_scheme);
    for discovery in read_discoveries(&form) {
        job = job.with_discovery(discovery);
    }
    check_static_targets(&form, &job);
    form.ignore(
        &[
            "keep_dropped_targets",
            "native_histogram_bucket_limit",
            "native_histogram_min_bucket_factor",
            "scrape_failure_log_file",
        ],
        "it belongs to Prometheus' own server",
    );
    ignore_histograms(&form);
    form.close();
    job
}

fn read_rhythm(form: &Form<'_>, defaults: &Defaults, job: &mut ScrapeJob) {
    job.interval = interval(form, "scrape_interval").unwrap_or(defaults.global.scrape_interval);
    let default = defaults.global.scrape_timeout.min(job.interval);
    job.timeout = interval(form, "scrape_timeout").unwrap_or(default);
    if job.timeout > job.interval {
        refuse_timeout(form, job.timeout, job.interval);
    }
}

fn read_page(form: &Form<'_>, defaults: &Defaults, job: &mut ScrapeJob) {
    job.metrics_path = form.text("metrics_path").unwrap_or(std::mem::take(&mut job.metrics_path));
    job.scheme = form.word("scheme", &[("http", Scheme::Http), ("https", Scheme::Https)]).unwrap_or_default();
    job.params = read_params(form);
    job.honor_labels = form.flag("honor_labels").unwrap_or(false);
    job.honor_timestamps = form.flag("honor_timestamps").unwrap_or(true);
    job.track_timestamps_staleness = form.flag("track_timestamps_staleness").unwrap_or(false);
    job.enable_compression = form.flag("enable_compression").unwrap_or(true);
    job.extra_scrape_metrics = form.flag("extra_scrape_metrics").unwrap_or(defaults.extra_scrape_metrics);
    if let Some(protocols) = read_protocols(form).or_else(|| defaults.protocols.clone()) {
        job.protocols = protocols;
    }
    let words = ScrapeProtocol::ALL.map(|protocol| (protocol.name(), protocol));
    job.fallback_protocol = form.word("fallback_scrape_protocol", &words);
}

fn read_params(form: &Form<'_>) -> BTreeMap<String, Vec<String>> {
    let mut params = BTreeMap::new();
    for (name, path, node) in form.open_entries("params") {
        let Value::List(items) = &node.value else {
            form.report.refuse(node.place, &path, format!("this is {}", node.kind()), "write a list");
            continue;
        };
        params.insert(name, items.iter().filter_map(|item| scalar(form.report, item, &path)).collect());
    }
    params
}

/// Whoever writes a URL where host and port belong wants to hear of it before the first scrape. With rules the
/// address may still become something else.
fn check_static_targets(form: &Form<'_>, job: &ScrapeJob) {
    let discoveries = if job.relabel_rules.is_empty() { &*job.discoveries } else { &[] };
    for discovery in discoveries {
        let DiscoveryConfig::Static(groups) = discovery else { continue };
        let targets = groups.iter().flat_map(|group| &group.targets);
        for address in
            targets.filter_map(|target| target.get("__address__")).filter(|text| text.contains('/'))
        {
            let what = format!("{address:?} is not a valid hostname");
            form.refuse("static_configs", what, "write host and port, without scheme and path");
        }
    }
}
