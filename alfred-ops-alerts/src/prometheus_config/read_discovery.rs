//! Reads where targets are found.

use std::time::Duration;

use super::form::Form;
use super::read_http::read_http;
use crate::job::{
    DiscoveryConfig, DnsDiscoveryConfig, DnsRecord, FileDiscoveryConfig, HttpDiscoveryConfig, HttpOptions,
    KubernetesDiscoveryConfig, TargetGroup,
};

/// What Prometheus can ask and we cannot. Silence would leave targets unwatched.
const UNSUPPORTED: [&str; 24] = [
    "azure_sd_configs",
    "consul_sd_configs",
    "digitalocean_sd_configs",
    "docker_sd_configs",
    "dockerswarm_sd_configs",
    "ec2_sd_configs",
    "eureka_sd_configs",
    "gce_sd_configs",
    "hetzner_sd_configs",
    "ionos_sd_configs",
    "kuma_sd_configs",
    "lightsail_sd_configs",
    "linode_sd_configs",
    "marathon_sd_configs",
    "nerve_sd_configs",
    "nomad_sd_configs",
    "openstack_sd_configs",
    "ovhcloud_sd_configs",
    "puppetdb_sd_configs",
    "scaleway_sd_configs",
    "serverset_sd_configs",
    "stackit_sd_configs",
    "triton_sd_configs",
    "uyuni_sd_configs",
];

pub(super) fn read_discoveries(form: &Form<'_>) -> Vec<DiscoveryConfig> {
    form.unsupported(
        &UNSUPPORTED,
        "list the targets in files or by HTTP: `file_sd_configs`, `http_sd_configs`",
    );
    let mut all = Vec::new();
    let groups = form.forms("static_configs");
    if !groups.is_empty() {
        let groups = groups.into_iter().enumerate().map(|(index, form)| read_static(index, form));
        all.push(DiscoveryConfig::Static(groups.collect()));
    }
    all.extend(form.forms("file_sd_configs").into_iter().map(|form| DiscoveryConfig::File(read_files(form))));
    all.extend(form.forms("http_sd_configs").into_iter().map(|form| DiscoveryConfig::Http(read_url(form))));
    all.extend(form.forms("dns_sd_configs").into_iter().map(|form| DiscoveryConfig::Dns(read_dns(form))));
    let clusters = form.forms("kubernetes_sd_configs").into_iter();
    all.extend(clusters.map(|form| DiscoveryConfig::Kubernetes(read_kubernetes(form))));
    all
}

pub(super) fn read_static(index: usize, form: Form<'_>) -> TargetGroup {
    let addresses = form.texts("targets").into_iter().map(|(address, _)| address);
    let mut group = TargetGroup::of_addresses(index.to_string(), addresses);
    group.labels = form.text_map("labels");
    if group.labels.contains_key("") {
        form.refuse("labels", "\"\" is not a valid label name", "name the label");
    }
    form.close();
    group
}

/// A refresh interval; zero would ask without end.
fn refresh_interval(form: &Form<'_>, default: Duration) -> Duration {
    let interval = form.duration("refresh_interval").unwrap_or(default);
    if interval.is_zero() {
        form.refuse("refresh_interval", "0 would ask without end", "write a duration such as 30s");
    }
    interval
}

fn read_files(form: Form<'_>) -> FileDiscoveryConfig {
    let patterns = form.texts("files");
    if patterns.is_empty() {
        form.refuse("files", "no file is named", "name at least one file");
    }
    let mut config = FileDiscoveryConfig::new(patterns.iter().map(|(path, _)| form.report.resolved(path)));
    for (path, place) in patterns {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", &path));
        let known =
            [".json", ".yml", ".yaml", ".JSON", ".YML", ".YAML"].iter().any(|end| name.ends_with(end));
        if folder.contains('*') || name.matches('*').count() > 1 || !known {
            let what = format!("path name {path:?} is not valid for file discovery");
            let remedy = "end it in .json, .yml or .yaml, with at most one `*`, in the last part";
            form.report.refuse(place, &format!("{}.files", form.path), what, remedy);
        }
    }
    config.refresh_interval = refresh_interval(&form, config.refresh_interval);
    form.close();
    config
}

fn read_url(form: Form<'_>) -> HttpDiscoveryConfig {
    let url = form.text("url").unwrap_or_default();
    if url.is_empty() {
        form.refuse("url", "no URL is given", "set `url`");
    } else {
        check_url(&form, "url", &url);
    }
    let mut config = HttpDiscoveryConfig::new(url);
    config.refresh_interval = refresh_interval(&form, config.refresh_interval);
    config.http = read_http(&form);
    form.close();
    config
}

fn check_url(form: &Form<'_>, key: &'static str, url: &str) {
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let host = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    match host {
        None => form.refuse(key, "the URL's scheme is not http or https", "write an absolute URL"),
        Some("") => form.refuse(key, "the URL names no host", "write an absolute URL"),
        Some(_) => {}
    }
}

fn read_dns(form: Form<'_>) -> DnsDiscoveryConfig {
    let names: Vec<String> = form.texts("names").into_iter().map(|(name, _)| name).collect();
    if names.is_empty() {
        form.refuse("names", "no name is given", "name at least one record");
    }
    let kind = form.text("type").unwrap_or_else(|| "SRV".to_owned());
    let records = [DnsRecord::A, DnsRecord::Aaaa, DnsRecord::Mx, DnsRecord::Srv];
    let record = records.into_iter().find(|record| record.name().eq_ignore_ascii_case(&kind));
    if record.is_none() {
        form.refuse("type", format!("{kind:?} is not a known record"), "write one of A, AAAA, MX, SRV");
    }
    let record = record.unwrap_or_default();
    let port = form.number("port").unwrap_or(0);
    if record != DnsRecord::Srv && port == 0 {
        form.refuse("port", format!("records of type {} bring no port", record.name()), "set `port`");
    }
    let port = u16::try_from(port).unwrap_or_else(|_| {
        form.refuse("port", format!("{port} is not a port"), "write a number up to 65535");
        0
    });
    let mut config = DnsDiscoveryConfig::new(names, record, port);
    config.refresh_interval = refresh_interval(&form, config.refresh_interval);
    form.close();
    config
}

fn read_kubernetes(form: Form<'_>) -> KubernetesDiscoveryConfig {
    let role = form.text("role").unwrap_or_default();
    if role != "pod" {
        form.refuse("role", format!("the role {role:?} is not supported"), "use `role: pod`");
    }
    form.unsupported(&["kubeconfig_file"], "set `api_server` and `authorization`");
    let mut config = KubernetesDiscoveryConfig {
        api_server: form.text("api_server").filter(|url| !url.is_empty()),
        http: read_http(&form),
        ..KubernetesDiscoveryConfig::default()
    };
    match &config.api_server {
        Some(url) => check_url(&form, "api_server", url),
        None if config.http != HttpOptions::default() => {
            form.refuse(
                "api_server",
                "options for requests need to know of which server",
                "set `api_server`",
            );
        }
        None => {}
    }
    if let Some(namespaces) = form.form("namespaces") {
        config.own_namespace = namespaces.flag("own_namespace").unwrap_or(false);
        config.namespaces = namespaces.texts("names").into_iter().map(|(name, _)| name).collect();
        if config.own_namespace && config.api_server.is_some() {
            let what = "a server that is named may be another cluster's";
            namespaces.refuse("own_namespace", what, "name the namespace, or remove `api_server`");
        }
        namespaces.close();
    }
    let selectors = form.forms("selectors");
    if selectors.len() > 1 {
        form.refuse("selectors", "there is more than one selector for pods", "join them in one");
    }
    for selector in selectors {
        if selector.text("role").as_deref() != Some("pod") {
            selector.refuse("role", "the selector is not for pods", "use `role: pod`");
        }
        config.label_selector = selector.text("label").filter(|text| !text.is_empty());
        config.field_selector = selector.text("field").filter(|text| !text.is_empty());
        selector.close();
    }
    if let Some(metadata) = form.form("attach_metadata") {
        for key in ["node", "namespace"] {
            if metadata.flag(key) == Some(true) {
                metadata.refuse(key, "the field is not supported", "remove it");
            }
        }
        metadata.close();
    }
    form.close();
    config
}
