//! Rules of the shapes of the public mixins.

use std::time::Duration;

use alfred_ops_alerts::{GroupRule, RecordingRule, Rule, RuleGroup};

/// So many rules in groups of twenty.
pub(super) fn groups(count: usize) -> Vec<RuleGroup> {
    let rules: Vec<GroupRule> = (0..count).map(rule).collect();
    rules
        .chunks(20)
        .enumerate()
        .map(|(index, rules)| {
            RuleGroup::new(format!("group{index}"))
                .with_interval(Duration::from_secs(5))
                .with_rules(rules.iter().cloned())
        })
        .collect()
}

fn rule(index: usize) -> GroupRule {
    let (job, namespace, handler) = (index % 12, index % 25, index % 200);
    let alert = |name: &str, expr: String| -> GroupRule {
        Rule::new(format!("{name}{index}"), expr)
            .with_for(Duration::from_secs(300))
            .with_label("severity", "warning")
            .with_annotation("summary", "{{ $labels.job }} is at {{ $value | humanize }}")
            .into()
    };
    match index % 10 {
        0 => alert("ErrorsHigh", format!(
            "sum by (job) (rate(http_requests_total{{job=\"job{job}\",code=~\"5..\"}}[5m])) / sum by (job) (rate(http_requests_total{{job=\"job{job}\"}}[5m])) > 0.9"
        )),
        1 => alert("LatencyHigh", format!(
            "histogram_quantile(0.99, sum by (job, le) (rate(http_request_duration_seconds_bucket{{job=\"job{job}\"}}[5m]))) > 100"
        )),
        2 => alert("MemoryNearLimit", format!(
            "sum by (namespace, pod, container) (container_memory_working_set_bytes{{namespace=\"ns{namespace}\"}}) / sum by (namespace, pod, container) (container_spec_memory_limit_bytes{{namespace=\"ns{namespace}\"}} > 0) > 20"
        )),
        3 => alert("PodNotReady", format!(
            "sum by (namespace, pod) (max by (namespace, pod) (kube_pod_status_phase{{namespace=\"ns{namespace}\",phase=~\"Pending|Unknown|Failed\"}})) > 0"
        )),
        4 => alert("CrashLooping", format!(
            "increase(kube_pod_container_status_restarts_total{{namespace=\"ns{namespace}\"}}[10m]) > 5"
        )),
        5 => RecordingRule::new(format!("job_cpu{index}:rate5m"), format!(
            "sum by (job, mode) (rate(node_cpu_seconds_total{{job=\"job{job}\",mode!=\"idle\"}}[5m]))"
        )).into(),
        6 => alert("DiskFilling", format!(
            "node_filesystem_avail_bytes{{job=\"job{job}\",fstype!=\"\"}} / node_filesystem_size_bytes{{job=\"job{job}\",fstype!=\"\"}} * 100 < 15 and predict_linear(node_filesystem_avail_bytes{{job=\"job{job}\",fstype!=\"\"}}[1h], 24 * 60 * 60) < 0"
        )),
        7 => alert("TargetMissing", format!("absent(process_start_time_seconds{{job=\"job{job}\"}}) or changes(process_start_time_seconds{{job=\"job{job}\"}}[15m]) > 2")),
        8 => RecordingRule::new(format!("namespace_cpu{index}:rate5m"), format!(
            "sum by (namespace, pod) (rate(container_cpu_usage_seconds_total{{namespace=\"ns{namespace}\",container!=\"\"}}[5m]))"
        )).into(),
        _ => alert("SlowHandler", format!(
            "histogram_quantile(0.9, rate(http_request_duration_seconds_bucket{{handler=\"/api/v{handler}/{{id}}\"}}[5m])) > 100"
        )),
    }
}
