//! Reads a whole file and its global section.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use super::form::Form;
use super::read_job::read_job;
use super::report::Report;
use super::{GlobalConfig, PrometheusConfig};
use crate::job::{JobLimits, ScrapeJob, ScrapeProtocol, duration};
use crate::relabel::NameScheme;
use crate::yaml::{Place, read};

/// What jobs take from the global section where they say nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    pub(super) global: GlobalConfig,
    pub(super) limits: JobLimits,
    pub(super) protocols: Option<Vec<ScrapeProtocol>>,
    pub(super) name_scheme: NameScheme,
    pub(super) extra_scrape_metrics: bool,
}

pub(super) fn read_file(report: &Report<'_>, text: &str) -> PrometheusConfig {
    let mut config = PrometheusConfig::default();
    let document = match read(text) {
        Ok(document) => document,
        Err(fault) => {
            report.refuse(fault.place, "", format!("this is not YAML: {}", fault.what), "correct it");
            return config;
        }
    };
    let Some(form) = document.as_ref().and_then(|node| Form::open(report, node, String::new())) else {
        return config;
    };
    let defaults = form.form("global").map_or_else(Defaults::default, read_global);
    config.rule_files = rule_files(&form);
    config.jobs = read_jobs(&form, &defaults);
    config.global = defaults.global;
    form.ignore(
        &["alerting", "remote_write", "remote_read", "storage", "tracing", "otlp", "runtime"],
        "the section is not used here",
    );
    form.unsupported(&["scrape_config_files"], "write the jobs into `scrape_configs`");
    form.close();
    config
}

fn read_global(form: Form<'_>) -> Defaults {
    let mut global = GlobalConfig::default();
    global.scrape_interval = interval(&form, "scrape_interval").unwrap_or(global.scrape_interval);
    let default = global.scrape_timeout.min(global.scrape_interval);
    global.scrape_timeout = interval(&form, "scrape_timeout").unwrap_or(default);
    if global.scrape_timeout > global.scrape_interval {
        refuse_timeout(&form, global.scrape_timeout, global.scrape_interval);
    }
    global.evaluation_interval = interval(&form, "evaluation_interval").unwrap_or(global.evaluation_interval);
    global.external_labels = form.text_map("external_labels");
    for name in global.external_labels.keys().filter(|name| name.is_empty() || *name == "__name__") {
        form.refuse("external_labels", format!("{name:?} is not a valid label name"), "rename the label");
    }
    let defaults = Defaults {
        global,
        limits: read_limits(&form, &JobLimits::default()),
        protocols: read_protocols(&form),
        name_scheme: read_scheme(&form).unwrap_or_default(),
        extra_scrape_metrics: form.flag("extra_scrape_metrics").unwrap_or(false),
    };
    form.ignore(
        &["rule_query_offset", "query_log_file", "scrape_failure_log_file", "keep_dropped_targets"],
        "it belongs to Prometheus' own server",
    );
    ignore_histograms(&form);
    form.close();
    defaults
}

/// A duration for which zero means that nothing is said.
pub(super) fn interval(form: &Form<'_>, key: &'static str) -> Option<Duration> {
    form.duration(key).filter(|duration| !duration.is_zero())
}

pub(super) fn refuse_timeout(form: &Form<'_>, timeout: Duration, interval: Duration) {
    let (timeout, interval) = (duration::format(timeout), duration::format(interval));
    let what = format!("the timeout {timeout} is longer than the interval {interval}");
    form.refuse("scrape_timeout", what, "shorten the timeout or lengthen the interval");
}

pub(super) fn read_limits(form: &Form<'_>, default: &JobLimits) -> JobLimits {
    JobLimits {
        body_bytes_max: form.bytes("body_size_limit").or(default.body_bytes_max),
        samples_max: form.limit("sample_limit").or(default.samples_max),
        labels_max: form.limit("label_limit").or(default.labels_max),
        label_name_bytes_max: form.limit("label_name_length_limit").or(default.label_name_bytes_max),
        label_value_bytes_max: form.limit("label_value_length_limit").or(default.label_value_bytes_max),
        targets_max: form.limit("target_limit").or(default.targets_max),
    }
}

pub(super) fn read_protocols(form: &Form<'_>) -> Option<Vec<ScrapeProtocol>> {
    let mut protocols = Vec::new();
    for (word, place) in form.texts("scrape_protocols") {
        let protocol = ScrapeProtocol::ALL.into_iter().find(|protocol| protocol.name() == word);
        let path = format!("{}.scrape_protocols", form.path);
        match protocol {
            Some(protocol) if protocols.contains(&protocol) => {
                form.report.refuse(place, &path, format!("{word} stands twice"), "remove one of the two");
            }
            Some(protocol) => protocols.push(protocol),
            None => {
                let known = ScrapeProtocol::ALL.map(ScrapeProtocol::name).join(", ");
                let what = format!("{word:?} is not a known format");
                form.report.refuse(place, &path, what, &format!("write one of {known}"));
            }
        }
    }
    (!protocols.is_empty()).then_some(protocols)
}

pub(super) fn read_scheme(form: &Form<'_>) -> Option<NameScheme> {
    // An exporter that is not asked to escape names otherwise writes underscores.
    let escaping = [("allow-utf-8", false), ("underscores", false), ("dots", true), ("values", true)];
    if form.word("metric_name_escaping_scheme", &escaping) == Some(true) {
        form.ignore(&["metric_name_escaping_scheme"], "names are read as they come");
    }
    form.word("metric_name_validation_scheme", &[("utf8", NameScheme::Utf8), ("legacy", NameScheme::Legacy)])
}

pub(super) fn ignore_histograms(form: &Form<'_>) {
    form.ignore(
        &[
            "always_scrape_classic_histograms",
            "convert_classic_histograms_to_nhcb",
            "scrape_classic_histograms",
            "scrape_native_histograms",
        ],
        "histograms are kept as the page has them",
    );
}

fn rule_files(form: &Form<'_>) -> Vec<PathBuf> {
    let files = form.texts("rule_files").into_iter();
    files
        .map(|(text, place)| {
            let folder_has_stars = text.rsplit_once('/').is_some_and(|(folder, _)| folder.contains('*'));
            if text.is_empty() || folder_has_stars {
                let what = format!("{text:?} is not a path whose last part alone may hold `*`");
                form.report.refuse(place, "rule_files", what, "name each folder");
            }
            form.report.resolved(&text)
        })
        .collect()
}

fn read_jobs(form: &Form<'_>, defaults: &Defaults) -> Vec<ScrapeJob> {
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut jobs = Vec::new();
    for (path, node) in form.items("scrape_configs") {
        let Some(job) = Form::open(form.report, node, path.clone()).map(|form| read_job(form, defaults))
        else {
            continue;
        };
        if !job.name.is_empty() && !names.insert(job.name.clone()) {
            let what = format!("a job named {:?} stands above", job.name);
            let place = Place { ..node.place };
            form.report.refuse(place, &format!("{path}.job_name"), what, "give each job its own name");
        }
        jobs.push(job);
    }
    jobs
}
