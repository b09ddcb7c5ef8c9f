use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{PrometheusConfig, ReadOptions};
use crate::job::{Authentication, DiscoveryConfig};
use crate::relabel::RelabelAction;

const EVERYTHING: &str = include_str!("../../tests/config/everything.yml");

fn options() -> ReadOptions {
    ReadOptions::new("p.yml")
}

#[track_caller]
fn check_refused(text: &str, expected: &[&str]) {
    let problems = PrometheusConfig::from_yaml(text, &options()).unwrap_err();
    assert_eq!(problems.0.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
}

/// Checks what is wrong with the second line of a job.
#[track_caller]
fn check_field(field: &str, expected: &str) {
    let text = format!("scrape_configs:\n  - job_name: j\n    {field}\n");
    let problems = PrometheusConfig::from_yaml(&text, &options()).unwrap_err();
    let found = problems.0[0].to_string();
    assert!(found.contains(expected), "{found}");
}

#[test]
fn what_is_written_reads_back_equal() {
    let (config, warnings) = PrometheusConfig::from_yaml(EVERYTHING, &options()).unwrap();
    assert_eq!(warnings, []);
    let text = config.to_yaml();
    let (back, warnings) = PrometheusConfig::from_yaml(text.expose(), &options()).unwrap();
    assert_eq!((&back, warnings), (&config, Vec::new()), "{}", text.expose());
    assert_eq!(back.to_yaml().expose(), text.expose());
}

#[test]
fn fields_have_their_meaning() {
    let (config, _) = PrometheusConfig::from_yaml(EVERYTHING, &options()).unwrap();
    let [everything, number, legacy] = &*config.jobs else { panic!("three jobs") };
    assert_eq!((everything.interval, everything.timeout), (Duration::from_secs(90), Duration::from_secs(60)));
    assert_eq!((number.interval, number.timeout), (Duration::from_secs(30), Duration::from_secs(5)));
    assert_eq!((&*number.name, number.limits.samples_max), ("1e3", Some(9000)));
    assert_eq!(everything.limits.body_bytes_max, Some(10 << 20));
    assert_eq!(everything.relabel_rules[1].spec().action, RelabelAction::HashMod);
    assert_eq!(everything.discoveries.len(), 7);
    assert!(matches!(&everything.discoveries[1], DiscoveryConfig::File(file) if file.files.len() == 2));
    assert!(matches!(&legacy.http.authentication, Authentication::Header { kind, .. } if kind == "Bearer"));
    assert!(!legacy.name_scheme.allows_label("a.b"));
}

#[test]
fn secrets_do_not_show() {
    let (config, _) = PrometheusConfig::from_yaml(EVERYTHING, &options()).unwrap();
    assert!(!format!("{config:?} {:?}", config.to_yaml()).contains("hunter"));
    let variables = [("PASSWORD".to_owned(), "hunter7".to_owned())];
    assert!(!format!("{:?}", options().with_variables(variables)).contains("hunter"));
}

#[test]
fn all_mistakes_are_told_at_once_with_their_place() {
    check_refused(
        "global:\n  scrape_intervall: 15s\n  scrape_timeout: soon\nscrape_configs:\n- metrics_path: [x]\n- job_name: a\n  \
         scrape_timeout: 2m\n  relabel_configs:\n  - action: relace\n  - {source_labels: [a], regex: '('}\n- job_name: a\n",
        &[
            "p.yml:2:3: global.scrape_intervall: the field is unknown (did you mean `scrape_interval`?)",
            "p.yml:3:19: global.scrape_timeout: \"soon\" is not a duration such as 15s, 5m or 1h30m \
             (write a duration such as 15s, 5m or 1h30m)",
            "p.yml:5:3: scrape_configs[0].job_name: the job has no name (set `job_name`)",
            "p.yml:5:17: scrape_configs[0].metrics_path: this is a list (write a single value)",
            "p.yml:7:19: scrape_configs[1].scrape_timeout: the timeout 2m is longer than the interval 1m \
             (shorten the timeout or lengthen the interval)",
            "p.yml:9:13: scrape_configs[1].relabel_configs[0].action: \"relace\" is not a known action (write one of \
             replace, keep, drop, keepequal, dropequal, hashmod, labelmap, labeldrop, labelkeep, lowercase, uppercase)",
            "p.yml:10:5: scrape_configs[1].relabel_configs[1].target_label: the action replace needs a label to act on \
             (set `target_label`)",
            "p.yml:10:33: scrape_configs[1].relabel_configs[1].regex: \"(\" is no regular expression: unclosed group \
             (write it in RE2's syntax)",
            "p.yml:11:3: scrape_configs[2].job_name: a job named \"a\" stands above (give each job its own name)",
        ],
    );
    check_refused("a: [", &["p.yml:1:4: this is not YAML: unclosed bracket '[' (correct it)"]);
    check_refused("- a\n", &["p.yml:1:1: this is a list (write a map)"]);
}

#[test]
fn what_prometheus_refuses_is_refused() {
    check_field("honor_labels: 1", "\"1\" is not true or false");
    check_field("sample_limit: -1", "\"-1\" is not a whole number");
    check_field("body_size_limit: 10", "\"10\" is not a size");
    check_field("scheme: ftp", "\"ftp\" is not one of http, https");
    check_field("scrape_protocols: [Text]", "\"Text\" is not a known format");
    check_field("scrape_protocols: [PrometheusProto, PrometheusProto]", "stands twice");
    check_field("job_name: k", "the field stands twice");
    check_field("static_configs: [{targets: ['http://a']}]", "\"http://a\" is not a valid hostname");
    check_field("file_sd_configs: [{files: [a.txt]}]", "not valid for file discovery");
    check_field("file_sd_configs: [{files: ['*/a.json']}]", "not valid for file discovery");
    check_field("file_sd_configs: [{}]", "no file is named");
    check_field("http_sd_configs: [{url: 'ftp://a'}]", "scheme is not http or https");
    check_field("http_sd_configs: [{url: 'http:///x'}]", "names no host");
    check_field("http_sd_configs: [{}]", "no URL is given");
    check_field("dns_sd_configs: [{names: [a], type: A}]", "records of type A bring no port");
    check_field("dns_sd_configs: [{names: [a], type: TXT}]", "\"TXT\" is not a known record");
    check_field("dns_sd_configs: [{type: SRV}]", "no name is given");
    check_field("kubernetes_sd_configs: [{role: node}]", "role \"node\" is not supported");
    check_field(
        "kubernetes_sd_configs: [{role: pod, basic_auth: {username: u}}]",
        "need to know of which server",
    );
    check_field(
        "kubernetes_sd_configs: [{role: pod, api_server: 'http://a', namespaces: {own_namespace: true}}]",
        "may be another cluster's",
    );
    check_field("consul_sd_configs: [{server: a}]", "the field is not supported");
    check_field("oauth2: {client_id: a}", "the field is not supported");
    check_field("basic_auth: {username: a, password: b, password_file: c}", "exclude each other");
    check_field("{bearer_token: a, authorization: {credentials: b}}", "");
    check_field("authorization: {type: basic, credentials: x}", "names and passwords stand elsewhere");
    check_field("tls_config: {cert_file: a}", "a certificate and its key go together");
    check_field("http_headers: {Authorization: {values: [x]}}", "set by the request itself");
    check_field("params: {a: b}", "this is a single value");
    check_field("metric_name_validation_scheme: ascii", "not one of utf8, legacy");
    let both = "scrape_configs:\n  - job_name: j\n    bearer_token: a\n    authorization: {credentials: b}\n";
    assert!(
        PrometheusConfig::from_yaml(both, &options()).unwrap_err().to_string().contains("exclude each other")
    );
}

#[test]
fn what_is_not_used_is_told() {
    let text = "alerting: {alertmanagers: []}\nremote_write: [{url: x}]\nscrape_configs:\n- job_name: j\n  \
                keep_dropped_targets: 5\n";
    let (config, warnings) = PrometheusConfig::from_yaml(text, &options()).unwrap();
    assert_eq!(config.jobs.len(), 1);
    assert_eq!(
        warnings.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "p.yml:1:11: alerting: the field is ignored: the section is not used here",
            "p.yml:2:15: remote_write: the field is ignored: the section is not used here",
            "p.yml:5:25: scrape_configs[0].keep_dropped_targets: the field is ignored: it belongs to Prometheus' own \
             server",
        ]
    );
    assert_eq!(PrometheusConfig::from_yaml("", &options()).unwrap().0, PrometheusConfig::default());
}

#[test]
fn variables_are_replaced_only_when_given_and_never_in_rules() {
    let text = "scrape_configs:\n- job_name: a-${NAME}\n  metrics_path: /${1}/${}/$NAME\n  \
                basic_auth: {username: u, password: '${NAME}'}\n  \
                relabel_configs: [{target_label: t, replacement: '${NAME}'}]\n";
    let (plain, _) = PrometheusConfig::from_yaml(text, &options()).unwrap();
    assert_eq!(plain.jobs[0].name, "a-${NAME}");
    let with = |name: &str| options().with_variables([(name.to_owned(), "x: y".to_owned())]);
    let (expanded, _) = PrometheusConfig::from_yaml(text, &with("NAME")).unwrap();
    let job = &expanded.jobs[0];
    assert_eq!((&*job.name, &*job.metrics_path), ("a-x: y", "/${1}/${}/$NAME"));
    assert_eq!(job.relabel_rules[0].spec().replacement, "${NAME}");
    let problems = PrometheusConfig::from_yaml(text, &with("OTHER")).unwrap_err();
    assert_eq!(
        problems.0[0].to_string(),
        "p.yml:2:13: scrape_configs[0].job_name: the variable NAME is not set (set NAME or write the value here)"
    );
}

#[test]
fn relative_paths_start_from_the_files_folder() {
    let text = "rule_files: [r.yml, /abs.yml]\nscrape_configs:\n- job_name: a\n  bearer_token_file: t\n";
    let (config, _) = PrometheusConfig::from_yaml(text, &options().with_base_folder("/etc/p")).unwrap();
    assert_eq!(config.rule_files, [PathBuf::from("/etc/p/r.yml"), PathBuf::from("/abs.yml")]);
    let shown = format!("{:?}", config.jobs[0].http.authentication);
    assert!(shown.contains("/etc/p/t"), "{shown}");
}

#[test]
fn a_file_that_is_not_there_is_told() {
    let error = PrometheusConfig::load(Path::new("/nowhere/p.yml"), &ReadOptions::default()).unwrap_err();
    assert_eq!(error.kind(), alfred_ops_core::ErrorKind::NotFound);
    assert!(error.to_string().contains("/nowhere/p.yml"), "{error}");
}

/// The platform's own file, where it lies on the machines that have it.
#[test]
fn the_platforms_file_loads() {
    let folder =
        std::env::var("ALFRED_OPS_PLATFORM_DIR").unwrap_or_else(|_| "/work/shared/platform".to_owned());
    let path = Path::new(&folder).join("prometheus.yml");
    if !path.exists() {
        eprintln!("SKIPPED the_platforms_file_loads: {} is not there", path.display());
        return;
    }
    let (config, warnings) = PrometheusConfig::load(&path, &ReadOptions::default()).unwrap();
    let names: Vec<&str> = config.jobs.iter().map(|job| &*job.name).collect();
    assert_eq!(names, ["prometheus", "node-exporter", "redis-exporter", "postgres-exporter", "services"]);
    assert_eq!(config.jobs[4].static_groups()[0].targets.len(), 4);
    assert_eq!(
        (config.global.scrape_interval, config.jobs[0].interval),
        (Duration::from_secs(15), Duration::from_secs(15))
    );
    assert_eq!(warnings.iter().map(|warning| &*warning.path).collect::<Vec<_>>(), ["alerting"]);
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        text in "(scrape_configs|global|job_name|relabel_configs|targets|[a-z]{1,3}|[:{}\\[\\], \n\"'&*!|>#-]){0,30}",
    ) {
        let _ = PrometheusConfig::from_yaml(&text, &options());
    }
}
