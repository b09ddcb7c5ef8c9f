use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta};

use super::*;
use crate::promql::RecordedSeries;
use crate::promql::notation::parse_series;
use crate::{Rule, RuleGroup, brief_rules};

/// Series sampled every 15 s for twenty minutes, each line in promtool's notation.
fn series(lines: &[&str]) -> RecordedSeries {
    let mut recorded = RecordedSeries::new();
    for line in lines {
        let (labels, entries) = parse_series(line).unwrap();
        recorded.push_entries(&labels, 0, 15_000, &entries);
    }
    recorded
}

const WELL: [&str; 16] = [
    "up{job=\"agents\",instance=\"a:1\"} 1x80",
    "up{job=\"node\",instance=\"n:9100\"} 1x80",
    "http_requests_total{job=\"agents\",instance=\"a:1\",status=\"200\"} 0+30x80",
    "pg_stat_database_numbackends{job=\"pg\",instance=\"p:1\",datname=\"a\"} 5x80",
    "pg_stat_database_numbackends{job=\"pg\",instance=\"p:1\",datname=\"b\"} 7x80",
    "pg_settings_max_connections{job=\"pg\",instance=\"p:1\",server=\"x\"} 100x80",
    "container_memory_usage_bytes{job=\"c\",instance=\"c:1\",container_name=\"a\"} 5e8x80",
    "container_memory_usage_bytes{job=\"c\",instance=\"c:1\",container_name=\"b\"} 5e8x80",
    "container_spec_memory_limit_bytes{job=\"c\",instance=\"c:1\",container_name=\"a\"} 1e9x80",
    "container_spec_memory_limit_bytes{job=\"c\",instance=\"c:1\",container_name=\"b\"} 0x80",
    "queue{job=\"agents\",instance=\"a:1\"} 5 9 4 8 3 9 5 8 7 6 5 9 4 8 3 9 5 8 7 6 5 9 4 8 3 9 5 8 7 6 5 9 4 8 3 9 5 8 7 6 5 9 4 8 3 9 5 8 7 6 5 9 4 8 3 9 5 8 7 6 5 9 4 8 3 9 5 8 7 6 5 9 4 8 3 9 5 8 7 6 5",
    "task_processing_duration_seconds_bucket{job=\"agents\",instance=\"a:1\",le=\"30\"} 0+3x80",
    "task_processing_duration_seconds_bucket{job=\"agents\",instance=\"a:1\",le=\"+Inf\"} 0+4x80",
    "pubsub_subscription_num_undelivered_messages{job=\"gcp\",subscription=\"s\"} 3x80",
    "node_filesystem_avail_bytes{job=\"node\",instance=\"n:9100\",mountpoint=\"/\"} 5e10x80",
    "node_filesystem_size_bytes{job=\"node\",instance=\"n:9100\",mountpoint=\"/\"} 1e11x80",
];

fn examine(rule: Rule, lines: &[&str]) -> Diagnosis {
    let recorded = series(lines);
    let doctor = Doctor::new(&recorded, DateTime::UNIX_EPOCH + TimeDelta::minutes(20));
    doctor.examine(&RuleGroup::new("g").with_rules([rule])).remove(0)
}

fn check(rule: Rule, kind: FindingKind, severity: Severity, corrected: Option<&str>) {
    let diagnosis = examine(rule, &WELL);
    let found = diagnosis.findings.iter().find(|finding| finding.kind == kind);
    let finding = found.unwrap_or_else(|| panic!("{diagnosis:#?}"));
    assert_eq!((finding.severity, finding.corrected.as_deref()), (severity, corrected), "{finding}");
    if let Some(corrected) = corrected {
        let again = examine(Rule::new("A", corrected), &WELL);
        assert_eq!(again.verdict(), Verdict::CanFire, "{again:#?}");
    }
}

#[test]
fn rules_that_cannot_fire_are_told_why() {
    check(
        Rule::new("A", "pg_stat_database_numbackends / pg_settings_max_connections > 0.8"),
        FindingKind::SidesNeverMatch,
        Severity::Fatal,
        Some(
            "sum by (instance, job) (pg_stat_database_numbackends) / max by (instance, job) (pg_settings_max_connections) > 0.8",
        ),
    );
    check(
        Rule::new("A", "sum(up == 0) > 2"),
        FindingKind::SumOfZeros,
        Severity::Fatal,
        Some("count(up == 0) > 2"),
    );
    check(
        Rule::new("A", "up{job=~\"alfred-bot|social-intel\"} == 0"),
        FindingKind::MissingValue,
        Severity::Fatal,
        None,
    );
    check(
        Rule::new("A", "up{job=~\"agents|social-intel\"} == 0"),
        FindingKind::MissingValue,
        Severity::Misleading,
        None,
    );
    check(Rule::new("A", "queue{zone=\"x\"} > 5"), FindingKind::MissingLabel, Severity::Fatal, None);
    check(Rule::new("A", "queue_length > 5"), FindingKind::MissingMetric, Severity::Fatal, None);
    check(
        Rule::new("A", "rate(http_requests_total[15s]) > 5"),
        FindingKind::RangeTooShort,
        Severity::Fatal,
        None,
    );
    check(
        Rule::new("A", "histogram_quantile(95, rate(task_processing_duration_seconds_bucket[5m])) > 30"),
        FindingKind::QuantileOutOfRange,
        Severity::Fatal,
        Some("histogram_quantile(0.95, rate(task_processing_duration_seconds_bucket[5m])) > 30"),
    );
    check(
        Rule::new(
            "A",
            "histogram_quantile(0.9, sum by (job) (rate(task_processing_duration_seconds_bucket[5m]))) > 3",
        ),
        FindingKind::BoundsLost,
        Severity::Fatal,
        Some(
            "histogram_quantile(0.9, sum by (job, le) (rate(task_processing_duration_seconds_bucket[5m]))) > 3",
        ),
    );
    check(
        Rule::new("A", "queue / on (job) group_left () sum by (instance) (http_requests_total) > 1"),
        FindingKind::SidesNeverMatch,
        Severity::Fatal,
        Some("sum by (instance) (queue) / max by (instance) (sum by (instance) (http_requests_total)) > 1"),
    );
}

#[test]
fn rules_that_mislead_are_told_how() {
    check(
        Rule::new("A", "container_memory_usage_bytes / container_spec_memory_limit_bytes > 0.8"),
        FindingKind::InfiniteRatio,
        Severity::Misleading,
        Some("container_memory_usage_bytes / (container_spec_memory_limit_bytes > 0) > 0.8"),
    );
    check(
        Rule::new("A", "rate(queue[5m]) > 5"),
        FindingKind::RateOfGauge,
        Severity::Misleading,
        Some("deriv(queue[5m]) > 5"),
    );
    check(
        Rule::new("A", "rate(http_requests_total{status=~\"5..\"}[5m]) > 0.1")
            .with_annotation("description", "Error rate is above 10% for 5 minutes"),
        FindingKind::PercentageOfRate,
        Severity::Misleading,
        Some(
            "sum by (job, instance) (rate(http_requests_total{status=~\"5..\"}[5m])) / sum by (job, instance) \
             (rate(http_requests_total[5m])) > 0.1",
        ),
    );
}

#[test]
fn series_that_live_too_shortly_are_told_of() {
    let lines: Vec<String> = (0..4)
        .map(|run| format!("job_failed{{job=\"batch\",run=\"{run}\"}} {} 1x4 stale", "_ ".repeat(run * 8)))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let rule = |seconds| Rule::new("A", "job_failed == 1").with_for(Duration::from_secs(seconds));
    let diagnosis = examine(rule(3600), &lines);
    assert_eq!(diagnosis.findings[0].kind, FindingKind::ForTooLong, "{diagnosis:#?}");
    assert_eq!(examine(rule(60), &lines).verdict(), Verdict::CanFire);
}

#[test]
fn well_made_rules_are_left_alone() {
    for expr in [
        "up == 0",
        "absent(up{job=\"gone\"})",
        "rate(http_requests_total{status=~\"5..\"}[5m]) > 1",
        "sum by (job) (rate(http_requests_total{status=~\"5..\"}[5m])) / sum by (job) (rate(http_requests_total[5m])) > 0.05",
        "node_filesystem_avail_bytes / node_filesystem_size_bytes < 0.2",
        "count(up == 0) > 2",
        "histogram_quantile(0.95, rate(task_processing_duration_seconds_bucket[5m])) > 30",
        "pubsub_subscription_num_undelivered_messages > 1000 and on () up{job=\"node\"} == 1",
        "max_over_time(queue[10m]) > 100",
        "predict_linear(node_filesystem_avail_bytes[15m], 4 * 3600) < 0",
        "changes(queue[5m]) > 100 unless on (instance) up == 0",
    ] {
        let diagnosis = examine(Rule::new("A", expr), &WELL);
        assert_eq!(diagnosis.verdict(), Verdict::CanFire, "{diagnosis:#?}");
    }
}

#[test]
fn the_packs_rules_can_all_fire_where_their_metrics_are() {
    let recorded = series(&WELL);
    let doctor = Doctor::new(&recorded, DateTime::UNIX_EPOCH + TimeDelta::minutes(20));
    for diagnosis in doctor.examine(&RuleGroup::new("g").with_rules(brief_rules())) {
        let kinds = diagnosis.findings.iter().filter(|finding| finding.severity > Severity::Note);
        let other: Vec<&Finding> =
            kinds.filter(|finding| finding.kind != FindingKind::MissingMetric).collect();
        assert!(other.is_empty(), "{diagnosis:#?}");
    }
}

#[test]
fn the_faults_of_the_platforms_own_rules_are_found() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/platform/basic.yml");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!(
            "SKIPPED: the_faults_of_the_platforms_own_rules_are_found (no ../shared/platform/basic.yml)"
        );
        return;
    };
    let expected = [
        ("HighErrorRate", Verdict::Misleading, FindingKind::PercentageOfRate),
        ("AgentDown", Verdict::CannotFire, FindingKind::MissingValue),
        ("HighMemoryUsage", Verdict::Misleading, FindingKind::InfiniteRatio),
        ("DatabaseConnectionsHigh", Verdict::CannotFire, FindingKind::SidesNeverMatch),
    ];
    let recorded = series(&WELL);
    let doctor = Doctor::new(&recorded, DateTime::UNIX_EPOCH + TimeDelta::minutes(20));
    let rules = parse_rules(&text);
    let diagnoses = doctor.examine(&rules);
    for (name, verdict, kind) in expected {
        let diagnosis = diagnoses.iter().find(|diagnosis| diagnosis.rule == name).unwrap();
        assert_eq!((diagnosis.verdict(), diagnosis.findings[0].kind), (verdict, kind), "{diagnosis:#?}");
    }
    for name in ["PubSubBacklog", "TaskProcessingLatency"] {
        let diagnosis = diagnoses.iter().find(|diagnosis| diagnosis.rule == name).unwrap();
        assert_eq!(diagnosis.verdict(), Verdict::CanFire, "{diagnosis:#?}");
    }
}

#[cfg(feature = "config")]
fn parse_rules(text: &str) -> RuleGroup {
    crate::RuleFile::parse(text, &crate::ReadOptions::default()).unwrap().groups.remove(0)
}

/// Without a reader of YAML the rules are written down again.
#[cfg(not(feature = "config"))]
fn parse_rules(_: &str) -> RuleGroup {
    let latency = "histogram_quantile(0.95, rate(task_processing_duration_seconds_bucket[5m])) > 30";
    RuleGroup::new("g").with_rules([
        Rule::new("HighErrorRate", "rate(http_requests_total{status=~\"5..\"}[5m]) > 0.1")
            .with_annotation("description", "Error rate is above 10% for 5 minutes"),
        Rule::new("AgentDown", "up{job=~\"alfred-bot|social-intel|financial-tax|legal-compliance\"} == 0"),
        Rule::new(
            "HighMemoryUsage",
            "container_memory_usage_bytes / container_spec_memory_limit_bytes > 0.8",
        ),
        Rule::new("PubSubBacklog", "pubsub_subscription_num_undelivered_messages > 1000"),
        Rule::new(
            "DatabaseConnectionsHigh",
            "pg_stat_database_numbackends / pg_settings_max_connections > 0.8",
        ),
        Rule::new("TaskProcessingLatency", latency),
    ])
}
