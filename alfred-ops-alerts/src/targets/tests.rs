use std::collections::BTreeMap;
use std::time::Duration;

use alfred_ops_core::Labels;

use super::resolve;
use crate::job::{Scheme, ScrapeJob, TargetGroup};
use crate::relabel::{RelabelAction, RelabelRule, RelabelSpec};

fn group(target: &[(&str, &str)]) -> Vec<TargetGroup> {
    let target = target.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    vec![TargetGroup::new("0", vec![target]).with_label("group", "g")]
}

fn replace(source: &str, regex: &str, target: &str, replacement: &str) -> RelabelRule {
    let spec = RelabelSpec::default().with_source_labels([source]).with_regex(regex);
    RelabelRule::new(spec.with_target_label(target).with_replacement(replacement)).unwrap()
}

fn labels(pairs: &[(&str, &str)]) -> Labels {
    Labels::from_pairs(pairs.iter().copied())
}

#[track_caller]
fn check(job: &ScrapeJob, target: &[(&str, &str)], expected: &[(&str, &str)], url: &str) {
    let resolution = resolve(job, &group(target));
    assert_eq!(resolution.dropped, []);
    assert_eq!((&resolution.active[0].labels, &*resolution.active[0].url()), (&labels(expected), url));
}

#[track_caller]
fn check_dropped(job: &ScrapeJob, target: &[(&str, &str)], reason: &str, mistake: bool) {
    let resolution = resolve(job, &group(target));
    assert_eq!(resolution.active, []);
    let found = &resolution.dropped[0].reason;
    assert_eq!((found.to_string(), found.is_mistake()), (reason.to_owned(), mistake));
}

#[test]
fn a_target_gets_what_it_does_not_bring() {
    let job = ScrapeJob::new("agents");
    check(
        &job,
        &[("__address__", "a:1")],
        &[("job", "agents"), ("instance", "a:1"), ("group", "g")],
        "http://a:1/metrics",
    );
    // No port is added, and what the target brings stays.
    check(
        &job,
        &[
            ("__address__", "a"),
            ("__scheme__", "https"),
            ("__metrics_path__", "probe"),
            ("job", "mine"),
            ("instance", "me"),
            ("group", ""),
            ("__meta_x", "y"),
            ("__tmp", "z"),
        ],
        &[("job", "mine"), ("instance", "me")],
        "https://a/probe",
    );
    let found = resolve(&job, &group(&[("__address__", "a:1")]));
    assert_eq!(
        found.active[0].discovered,
        labels(&[
            ("__address__", "a:1"),
            ("__metrics_path__", "/metrics"),
            ("__scheme__", "http"),
            ("__scrape_interval__", "1m"),
            ("__scrape_timeout__", "10s"),
            ("group", "g"),
            ("job", "agents"),
        ])
    );
}

#[test]
fn rules_rewrite_address_path_scheme_and_rhythm() {
    let rules = [
        replace("__address__", "(.*)", "__param_target", "$1"),
        replace("__param_target", "(.*)", "instance", "$1"),
        replace("group", "g", "__address__", "probe:9115"),
        replace("group", "g", "__scrape_interval__", "5s"),
        replace("group", "g", "__scrape_timeout__", "2s"),
        replace("__meta_name", "(.+)", "name", "$1"),
    ];
    let mut job = rules.into_iter().fold(ScrapeJob::new("blackbox"), ScrapeJob::with_relabel_rule);
    job.params = BTreeMap::from([
        ("module".to_owned(), vec!["http 2xx".to_owned(), "b&c".to_owned()]),
        ("target".to_owned(), vec!["none".to_owned(), "second".to_owned()]),
    ]);
    job.metrics_path = "/probe x?".to_owned();
    job.scheme = Scheme::Https;
    check(
        &job,
        &[("__address__", "https://x/y"), ("__meta_name", "n")],
        &[("job", "blackbox"), ("instance", "https://x/y"), ("group", "g"), ("name", "n")],
        "https://probe:9115/probe%20x%3F?module=http+2xx&module=b%26c&target=https%3A%2F%2Fx%2Fy&target=second",
    );
    let target = &resolve(&job, &group(&[("__address__", "a:1")])).active[0];
    assert_eq!((target.interval, target.timeout), (Duration::from_secs(5), Duration::from_secs(2)));
}

#[test]
fn what_cannot_be_scraped_is_dropped_with_its_reason() {
    let keep = RelabelSpec::new(RelabelAction::Keep).with_source_labels(["keep"]).with_regex("yes");
    let job = ScrapeJob::new("j")
        .with_relabel_rule(replace("group", "(.*)", "x", "$1"))
        .with_relabel_rule(RelabelRule::new(keep).unwrap());
    check_dropped(&job, &[("__address__", "a:1")], "relabel_configs[1] drops it", false);
    let job = ScrapeJob::new("j");
    check_dropped(&job, &[("x", "y")], "it has no address; set `__address__`", true);
    check_dropped(
        &job,
        &[("__address__", "http://a")],
        "\"http://a\" is not a valid hostname; give host and port, without scheme and path",
        true,
    );
    check_dropped(
        &job,
        &[("__address__", "a"), ("__scrape_interval__", "soon")],
        "scrape interval \"soon\" is no duration; set `__scrape_interval__` to one such as 15s",
        true,
    );
    check_dropped(
        &job,
        &[("__address__", "a"), ("__scrape_timeout__", "0s")],
        "scrape timeout cannot be 0; set `__scrape_timeout__`",
        true,
    );
    check_dropped(
        &job,
        &[("__address__", "a"), ("__scrape_timeout__", "2m")],
        "scrape timeout cannot be greater than scrape interval (2m > 1m)",
        true,
    );
}

#[test]
fn equal_targets_are_scraped_once_and_too_many_are_told() {
    let mut job = ScrapeJob::new("j").with_targets(["a:1", "b:1", "a:1"]);
    job.limits.targets_max = Some(2);
    let resolution = resolve(&job, &job.static_groups());
    assert_eq!((resolution.active.len(), resolution.over_limit), (2, None));
    let job = job.with_targets(["c:1"]);
    let resolution = resolve(&job, &job.static_groups());
    assert_eq!(
        resolution.over_limit.as_deref(),
        Some("target_limit exceeded (number of targets: 3, limit: 2); raise it or drop targets")
    );
    // Found twice with different meta labels, they are one target still.
    let groups =
        [group(&[("__address__", "a:1"), ("__meta_x", "1")]), group(&[("__address__", "a:1")])].concat();
    assert_eq!(resolve(&ScrapeJob::new("j"), &groups).active.len(), 1);
}
