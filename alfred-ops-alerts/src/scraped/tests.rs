use std::time::Duration;

use alfred_ops_core::exposition::{Limits, parse};
use alfred_ops_core::{Labels, Sample};
use proptest::prelude::*;

use super::{ScrapeFigures, ScrapedSamples, process_samples};
use crate::job::{ScrapeJob, TargetGroup};
use crate::relabel::{NameScheme, RelabelAction, RelabelRule, RelabelSpec};
use crate::targets::{ResolvedTarget, resolve};

fn job() -> ScrapeJob {
    ScrapeJob::new("j")
}

fn target(labels: &[(&str, &str)]) -> ResolvedTarget {
    let group = TargetGroup::of_addresses("0", ["a:1"]);
    let group = labels.iter().fold(group, |group, (name, value)| group.with_label(*name, *value));
    resolve(&job(), &[group]).active.remove(0)
}

fn process(job: &ScrapeJob, labels: &[(&str, &str)], page: &str) -> ScrapedSamples {
    process_samples(job, &target(labels), parse(page, &Limits::default()).unwrap().samples)
}

fn shown(samples: &[Sample]) -> Vec<String> {
    samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect()
}

#[track_caller]
fn check(job: &ScrapeJob, labels: &[(&str, &str)], page: &str, expected: &[&str]) {
    assert_eq!(shown(&process(job, labels, page).outcome.unwrap()), expected);
}

#[track_caller]
fn check_failed(job: &ScrapeJob, page: &str, message: &str, figures: (usize, usize)) {
    let processed = process(job, &[], page);
    assert_eq!(processed.outcome.unwrap_err().to_string(), message);
    assert_eq!((processed.scraped, processed.kept), figures);
}

#[test]
fn the_targets_label_wins_and_the_pages_is_kept() {
    check(&job(), &[], "m{x=\"1\"} 1\n", &["m{instance=\"a:1\",job=\"j\",x=\"1\"} 1"]);
    check(
        &job(),
        &[],
        "m{job=\"mine\",instance=\"i\"} 1\n",
        &["m{exported_instance=\"i\",exported_job=\"mine\",instance=\"a:1\",job=\"j\"} 1"],
    );
    // The longer name may be taken too, by the page or by the target.
    check(
        &job(),
        &[],
        "m{job=\"1\",exported_job=\"2\"} 1\n",
        &["m{exported_exported_job=\"1\",exported_job=\"2\",instance=\"a:1\",job=\"j\"} 1"],
    );
    check(
        &job(),
        &[("foo", "t1"), ("exported_foo", "t2")],
        "m{foo=\"1\",exported_foo=\"2\"} 1\n",
        &[
            "m{exported_exported_exported_foo=\"2\",exported_exported_foo=\"1\",exported_foo=\"t2\",foo=\"t1\",\
           instance=\"a:1\",job=\"j\"} 1",
        ],
    );
}

#[test]
fn the_pages_label_wins_where_it_is_honoured() {
    let mut job = job();
    job.honor_labels = true;
    check(&job, &[], "m{job=\"mine\"} 1\n", &["m{instance=\"a:1\",job=\"mine\"} 1"]);
}

#[test]
fn rules_drop_and_rename() {
    let rule = |spec: RelabelSpec| RelabelRule::new(spec).unwrap();
    let drop =
        rule(RelabelSpec::new(RelabelAction::Drop).with_source_labels(["__name__"]).with_regex("go_.*"));
    let short = rule(RelabelSpec::new(RelabelAction::LabelDrop).with_regex("instance"));
    let job = job().with_metric_relabel_rule(drop).with_metric_relabel_rule(short);
    let processed = process(&job, &[], "go_info 1\nm 2\n");
    assert_eq!((processed.scraped, processed.kept), (2, 1));
    assert_eq!(shown(&processed.outcome.unwrap()), ["m{job=\"j\"} 2"]);
    let nameless = ScrapeJob::new("j")
        .with_metric_relabel_rule(rule(RelabelSpec::new(RelabelAction::LabelDrop).with_regex("__name__")));
    check_failed(
        &nameless,
        "m 1\n",
        "scrape: {instance=\"a:1\",job=\"j\"} has no metric name after relabelling; \
         correct metric_relabel_configs so that `__name__` stays",
        (1, 0),
    );
    // Without any label nothing is left, which is no mistake.
    let bare = ScrapeJob::new("j")
        .with_metric_relabel_rule(rule(RelabelSpec::new(RelabelAction::LabelDrop).with_regex(".*")));
    check(&bare, &[], "m 1\n", &[]);
}

#[test]
fn timestamps_count_only_where_they_are_honoured() {
    let times = |job: &ScrapeJob| {
        let samples = process(job, &[], "m 1 1000\nn 1\n").outcome.unwrap();
        samples.iter().map(|sample| sample.timestamp.map(|at| at.timestamp())).collect::<Vec<_>>()
    };
    assert_eq!(times(&job()), [Some(1), None]);
    let mut deaf = job();
    deaf.honor_timestamps = false;
    assert_eq!(times(&deaf), [None, None]);
}

#[test]
fn one_sample_over_a_limit_fails_the_scrape() {
    let limited = |set: fn(&mut ScrapeJob)| {
        let mut job = job();
        set(&mut job);
        job
    };
    let two = limited(|job| job.limits.samples_max = Some(2));
    check_failed(
        &two,
        "a 1\nb 1\nc 1\n",
        "scrape: the page has 3 samples after relabelling, more than 2; raise sample_limit or correct the exporter",
        (3, 3),
    );
    assert!(process(&two, &[], "a 1\nb 1\n").outcome.is_ok());
    let labels = limited(|job| job.limits.labels_max = Some(4));
    check_failed(
        &labels,
        "a{x=\"1\"} 1\nb{x=\"1\",y=\"2\"} 1\nc 1\n",
        "scrape: b has 5 labels, more than 4; raise label_limit or correct the exporter",
        (2, 1),
    );
    check_failed(
        &limited(|job| job.limits.label_name_bytes_max = Some(8)),
        "a{long_name=\"1\"} 1\n",
        "scrape: a: the name long_name has 9 bytes, more than 8; raise label_name_length_limit or correct the exporter",
        (1, 0),
    );
    check_failed(
        &limited(|job| job.limits.label_value_bytes_max = Some(5)),
        "a{x=\"123456\"} 1\n",
        "scrape: a: the value of x has 6 bytes, more than 5; raise label_value_length_limit or correct the exporter",
        (1, 0),
    );
    check_failed(
        &limited(|job| job.name_scheme = NameScheme::Legacy),
        "{\"a.b\"} 1\n",
        "scrape: {\"a.b\",instance=\"a:1\",job=\"j\"} has a name that is not valid; \
         rename it or set metric_name_validation_scheme to utf8",
        (1, 0),
    );
}

#[test]
fn a_scrape_leaves_series_about_itself() {
    let figures = ScrapeFigures {
        up: true,
        duration: Duration::from_millis(20),
        scraped: 5,
        kept: 4,
        series_added: 3,
        body_bytes: Some(100),
    };
    let labels = "{instance=\"a:1\",job=\"j\"}";
    let usual = [
        format!("up{labels} 1"),
        format!("scrape_duration_seconds{labels} 0.02"),
        format!("scrape_samples_scraped{labels} 5"),
        format!("scrape_samples_post_metric_relabeling{labels} 4"),
        format!("scrape_series_added{labels} 3"),
    ];
    assert_eq!(shown(&figures.samples(&job(), &target(&[]))), usual);
    let mut job = job();
    job.extra_scrape_metrics = true;
    job.limits.samples_max = Some(9);
    let extra = [
        format!("scrape_timeout_seconds{labels} 10"),
        format!("scrape_sample_limit{labels} 9"),
        format!("scrape_body_size_bytes{labels} -1"),
    ];
    let failed = ScrapeFigures { up: false, body_bytes: None, ..figures };
    let samples = shown(&failed.samples(&job, &target(&[])));
    assert_eq!((&samples[0], &samples[5..]), (&format!("up{labels} 0"), &extra[..]));
}

proptest! {
    #[test]
    fn no_value_of_page_or_target_is_lost(
        page in prop::collection::btree_map("(exported_){0,2}[ab]", "p[0-9]", 0..5),
        target in prop::collection::btree_map("(exported_){0,2}[ab]", "t[0-9]", 0..5),
    ) {
        let (page, target) = (Labels::from_pairs(&page), Labels::from_pairs(&target));
        let merged = super::merge::merge(&page, &target, false);
        prop_assert_eq!(merged.len(), page.len() + target.len());
        let mut values: Vec<&str> = merged.iter().map(|(_, value)| value).collect();
        let mut expected: Vec<&str> = page.iter().chain(target.iter()).map(|(_, value)| value).collect();
        values.sort_unstable();
        expected.sort_unstable();
        prop_assert_eq!(values, expected);
        for (name, value) in target.iter() {
            prop_assert_eq!(merged.get(name), Some(value));
        }
    }
}
