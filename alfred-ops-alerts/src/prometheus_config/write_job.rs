//! Writes a job.

use std::collections::BTreeMap;

use super::write_http::http_entries;
use crate::job::{
    DiscoveryConfig, DnsDiscoveryConfig, FileDiscoveryConfig, HttpDiscoveryConfig, JobLimits,
    KubernetesDiscoveryConfig, Scheme, ScrapeJob, ScrapeProtocol, TargetGroup, duration,
};
use crate::relabel::{NameScheme, RelabelRule, RelabelSpec};
use crate::yaml::Node;

type Entry = (&'static str, Option<Node>);

/// A job with all that differs from Prometheus' defaults.
pub(super) fn write_job(job: &ScrapeJob) -> Node {
    let flag = |value: bool, default: bool| (value != default).then(|| Node::plain(value));
    let protocols = job.protocols.iter().map(|protocol| Node::text(protocol.name()));
    let params = job.params.iter().map(|(name, values)| (name, Some(texts(values))));
    let mut entries: Vec<Entry> = vec![
        ("job_name", Some(Node::text(&job.name))),
        ("scrape_interval", Some(Node::plain(duration::format(job.interval)))),
        ("scrape_timeout", Some(Node::plain(duration::format(job.timeout)))),
        ("metrics_path", (job.metrics_path != "/metrics").then(|| Node::text(&job.metrics_path))),
        ("scheme", (job.scheme != Scheme::Http).then(|| Node::text(job.scheme.name()))),
        ("params", (!job.params.is_empty()).then(|| Node::map(params))),
        ("honor_labels", flag(job.honor_labels, false)),
        ("honor_timestamps", flag(job.honor_timestamps, true)),
        ("track_timestamps_staleness", flag(job.track_timestamps_staleness, false)),
        ("enable_compression", flag(job.enable_compression, true)),
        ("extra_scrape_metrics", flag(job.extra_scrape_metrics, false)),
        ("scrape_protocols", (job.protocols != ScrapeProtocol::DEFAULT).then(|| Node::list(protocols))),
        ("fallback_scrape_protocol", job.fallback_protocol.map(|protocol| Node::text(protocol.name()))),
        (
            "metric_name_validation_scheme",
            (job.name_scheme != NameScheme::Utf8).then(|| Node::text(job.name_scheme.name())),
        ),
        // Prometheus' default for all jobs does not go with such names.
        (
            "metric_name_escaping_scheme",
            (job.name_scheme != NameScheme::Utf8).then(|| Node::text("underscores")),
        ),
    ];
    entries.extend(limit_entries(&job.limits));
    entries.extend(http_entries(&job.http));
    entries.extend(discovery_entries(&job.discoveries));
    entries.push(("relabel_configs", rules(&job.relabel_rules)));
    entries.push(("metric_relabel_configs", rules(&job.metric_relabel_rules)));
    Node::map(entries)
}

fn texts<T: AsRef<str>>(texts: &[T]) -> Node {
    Node::list(texts.iter().map(|text| Node::text(text.as_ref())))
}

fn labels(labels: &BTreeMap<String, String>) -> Option<Node> {
    let entries = labels.iter().map(|(name, value)| (name, Some(Node::text(value))));
    (!labels.is_empty()).then(|| Node::map(entries))
}

fn limit_entries(limits: &JobLimits) -> [Entry; 6] {
    [
        ("body_size_limit", limits.body_bytes_max.map(|bytes| Node::plain(format!("{bytes}B")))),
        ("sample_limit", limits.samples_max.map(Node::plain)),
        ("label_limit", limits.labels_max.map(Node::plain)),
        ("label_name_length_limit", limits.label_name_bytes_max.map(Node::plain)),
        ("label_value_length_limit", limits.label_value_bytes_max.map(Node::plain)),
        ("target_limit", limits.targets_max.map(Node::plain)),
    ]
}

fn discovery_entries(discoveries: &[DiscoveryConfig]) -> [Entry; 5] {
    let list = |pick: fn(&DiscoveryConfig) -> Vec<Node>| {
        let nodes: Vec<Node> = discoveries.iter().flat_map(pick).collect();
        (!nodes.is_empty()).then(|| Node::list(nodes))
    };
    [
        (
            "static_configs",
            list(|discovery| match discovery {
                DiscoveryConfig::Static(groups) => groups.iter().flat_map(write_group).collect(),
                _ => Vec::new(),
            }),
        ),
        (
            "file_sd_configs",
            list(|discovery| match discovery {
                DiscoveryConfig::File(config) => vec![write_files(config)],
                _ => Vec::new(),
            }),
        ),
        (
            "http_sd_configs",
            list(|discovery| match discovery {
                DiscoveryConfig::Http(config) => vec![write_url(config)],
                _ => Vec::new(),
            }),
        ),
        (
            "dns_sd_configs",
            list(|discovery| match discovery {
                DiscoveryConfig::Dns(config) => vec![write_dns(config)],
                _ => Vec::new(),
            }),
        ),
        (
            "kubernetes_sd_configs",
            list(|discovery| match discovery {
                DiscoveryConfig::Kubernetes(config) => vec![write_kubernetes(config)],
                _ => Vec::new(),
            }),
        ),
    ]
}

/// A file has addresses only: a target with labels of its own becomes a group of its own.
fn write_group(group: &TargetGroup) -> Vec<Node> {
    let address = |target: &BTreeMap<String, String>| target.get("__address__").cloned().unwrap_or_default();
    let write = |addresses: &[String], common: &BTreeMap<String, String>| {
        Node::map([("targets", Some(texts(addresses))), ("labels", labels(common))])
    };
    if group.targets.iter().all(|target| target.keys().all(|name| name == "__address__")) {
        return vec![write(&group.targets.iter().map(address).collect::<Vec<_>>(), &group.labels)];
    }
    let split = group.targets.iter().map(|target| {
        let mut common = group.labels.clone();
        common.extend(target.iter().map(|(name, value)| (name.clone(), value.clone())));
        common.remove("__address__");
        write(&[address(target)], &common)
    });
    split.collect()
}

fn write_files(config: &FileDiscoveryConfig) -> Node {
    let files: Vec<String> = config.files.iter().map(|path| path.display().to_string()).collect();
    Node::map([
        ("files", Some(texts(&files))),
        ("refresh_interval", Some(Node::plain(duration::format(config.refresh_interval)))),
    ])
}

fn write_url(config: &HttpDiscoveryConfig) -> Node {
    let mut entries: Vec<Entry> = vec![
        ("url", Some(Node::text(&config.url))),
        ("refresh_interval", Some(Node::plain(duration::format(config.refresh_interval)))),
    ];
    entries.extend(http_entries(&config.http));
    Node::map(entries)
}

fn write_dns(config: &DnsDiscoveryConfig) -> Node {
    Node::map([
        ("names", Some(texts(&config.names))),
        ("type", Some(Node::text(config.record.name()))),
        ("port", (config.port != 0).then(|| Node::plain(config.port))),
        ("refresh_interval", Some(Node::plain(duration::format(config.refresh_interval)))),
    ])
}

fn write_kubernetes(config: &KubernetesDiscoveryConfig) -> Node {
    let namespaces = Node::map([
        ("own_namespace", config.own_namespace.then(|| Node::plain(true))),
        ("names", (!config.namespaces.is_empty()).then(|| texts(&config.namespaces))),
    ]);
    let selected = config.label_selector.is_some() || config.field_selector.is_some();
    let selector = Node::map([
        ("role", Some(Node::text("pod"))),
        ("label", config.label_selector.as_deref().map(Node::text)),
        ("field", config.field_selector.as_deref().map(Node::text)),
    ]);
    let mut entries: Vec<Entry> = vec![
        ("role", Some(Node::text("pod"))),
        ("api_server", config.api_server.as_deref().map(Node::text)),
        ("namespaces", (config.own_namespace || !config.namespaces.is_empty()).then_some(namespaces)),
        ("selectors", selected.then(|| Node::list([selector]))),
    ];
    entries.extend(http_entries(&config.http));
    Node::map(entries)
}

fn rules(rules: &[RelabelRule]) -> Option<Node> {
    (!rules.is_empty()).then(|| Node::list(rules.iter().map(|rule| write_rule(rule.spec()))))
}

fn write_rule(spec: &RelabelSpec) -> Node {
    let default = RelabelSpec::default();
    let text = |value: &String, default: &String| (value != default).then(|| Node::text(value));
    Node::map([
        ("action", Some(Node::text(spec.action.name()))),
        ("source_labels", (!spec.source_labels.is_empty()).then(|| texts(&spec.source_labels))),
        ("separator", text(&spec.separator, &default.separator)),
        ("regex", text(&spec.regex, &default.regex)),
        ("modulus", (spec.modulus != 0).then(|| Node::plain(spec.modulus))),
        ("target_label", text(&spec.target_label, &default.target_label)),
        ("replacement", text(&spec.replacement, &default.replacement)),
    ])
}
