//! The alerts that every installation of the platform needs.

use std::time::Duration;

use super::Rule;
use crate::expr::{Aggregation, Arithmetic, Expr, Selector};

/// Where a label tells one process, host or database server from another.
const INSTANCE: [&str; 2] = ["job", "instance"];
/// Over what counters are looked at: twenty scrapes at the usual fifteen seconds.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Tasks that failed for good are rare: look further back for them.
const FAILURE_WINDOW: Duration = Duration::from_secs(15 * 60);
/// An agent that does not answer is known to be down after this long.
const DOWN_FOR: Duration = Duration::from_secs(2 * 60);

/// The limits of [`brief_rules_with`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct BriefThresholds {
    /// The share of tasks that may fail.
    pub failure_ratio: f64,
    /// How many tasks of one agent may fail within fifteen minutes.
    pub failures: f64,
    /// The share of a host's or container's processors that may be in use.
    pub cpu_ratio: f64,
    /// The share of a host's or container's memory that may be in use.
    pub memory_ratio: f64,
    /// How long the slowest one of twenty tasks may take.
    pub processing_time: Duration,
    /// The share of a database server's connections that may be in use.
    pub connections_ratio: f64,
    /// How long a limit must be passed before an alert fires.
    pub hold: Duration,
}

impl Default for BriefThresholds {
    /// The limits of the operations guide and of the platform's own rule files.
    fn default() -> Self {
        Self {
            failure_ratio: 0.1,
            failures: 5.0,
            cpu_ratio: 0.8,
            memory_ratio: 0.8,
            processing_time: Duration::from_secs(30),
            connections_ratio: 0.8,
            hold: Duration::from_secs(5 * 60),
        }
    }
}

/// The alerts that every installation of the platform needs, with the limits of the operations guide: failing
/// tasks, high CPU or memory use, slow tasks, database connections over 80 %, and agents that do not answer,
/// without which the others would fall silent unnoticed.
///
/// ```
/// let rules = alfred_ops_alerts::brief_rules();
/// assert!(rules.iter().any(|rule| rule.name == "DatabaseConnectionsHigh"));
/// ```
#[must_use]
pub fn brief_rules() -> Vec<Rule> {
    brief_rules_with(&BriefThresholds::default())
}

/// [`brief_rules`] with other limits.
#[must_use]
pub fn brief_rules_with(thresholds: &BriefThresholds) -> Vec<Rule> {
    let mut rules = task_rules(thresholds);
    rules.extend(resource_rules(thresholds));
    rules.push(connections_rule(thresholds));
    rules.push(
        Rule::new("AgentDown", Expr::from(Selector::metric("up")).equal_to(0.0))
            .with_for(DOWN_FOR)
            .with_label("severity", "critical")
            .with_annotation("summary", "{{ $labels.job }} on {{ $labels.instance }} does not answer")
            .with_annotation(
                "description",
                "Its metrics could not be read for 2 minutes; its other alerts are blind.",
            ),
    );
    rules
}

fn metric(name: &str) -> Expr {
    Selector::metric(name).into()
}

fn task_rules(thresholds: &BriefThresholds) -> Vec<Rule> {
    let rate = |name| Expr::rate(Selector::metric(name), WINDOW).sum_by(INSTANCE);
    let failed = Expr::increase(Selector::metric("tasks_errors_total"), FAILURE_WINDOW).sum_by(INSTANCE);
    let buckets = Expr::rate(Selector::metric("task_processing_duration_seconds_bucket"), WINDOW)
        .sum_by(["job", "instance", "le"]);
    let processing_time = thresholds.processing_time.as_secs_f64();
    vec![
        // With nothing processed the ratio is +Inf while tasks fail, which is above any limit as it should be.
        Rule::new(
            "TaskFailureRatioHigh",
            rate("tasks_errors_total")
                .divided_by(rate("tasks_processed_total"))
                .above(thresholds.failure_ratio),
        )
        .with_for(thresholds.hold)
        .with_label("severity", "critical")
        .with_annotation("summary", "{{ $value | humanizePercentage }} of tasks fail on {{ $labels.instance }}")
        .with_annotation(
            "description",
            "Tasks of {{ $labels.job }} on {{ $labels.instance }} fail after their retries. Check the agent's \
             logs, Pub/Sub and the database connection.",
        ),
        // Without `for`: these tasks are lost already. It also sees agents that count no processed tasks.
        Rule::new("TaskFailures", failed.above(thresholds.failures))
            .with_label("severity", "warning")
            .with_annotation("summary", "Tasks fail after retries on {{ $labels.instance }}")
            .with_annotation("description", "{{ $value }} tasks of {{ $labels.job }} failed in 15 minutes."),
        Rule::new("TaskProcessingSlow", buckets.histogram_quantile(0.95).above(processing_time))
            .with_for(thresholds.hold)
            .with_label("severity", "warning")
            .with_annotation("summary", "Tasks take long on {{ $labels.instance }}")
            .with_annotation(
                "description",
                format!("The 95th percentile is {{{{ $value }}}} s, above {processing_time} s."),
            ),
    ]
}

fn resource_rules(thresholds: &BriefThresholds) -> Vec<Rule> {
    let one_minus = |share: Expr| Expr::from(1.0).combined(Arithmetic::Subtract, share);
    let idle = Expr::rate(Selector::metric("node_cpu_seconds_total").with("mode", "idle"), WINDOW)
        .aggregated(Aggregation::Avg, INSTANCE);
    let host_memory =
        metric("node_memory_MemAvailable_bytes").divided_by(metric("node_memory_MemTotal_bytes"));
    let container = ["job", "instance", "container_name", "name", "pod", "container"];
    let by_container = |expr: Expr| expr.sum_by(container);
    let container_cpu =
        by_container(Expr::rate(Selector::metric("container_cpu_usage_seconds_total"), WINDOW));
    let processors = by_container(metric("container_spec_cpu_quota").above(0.0))
        .divided_by(by_container(metric("container_spec_cpu_period").above(0.0)));
    // A limit of zero means that there is none; dividing by it would be +Inf, a false alarm for ever.
    let limit = by_container(metric("container_spec_memory_limit_bytes").above(0.0));
    let container_memory = by_container(metric("container_memory_usage_bytes")).divided_by(limit);
    [
        ("HostCpuHigh", one_minus(idle).above(thresholds.cpu_ratio), "of the processors"),
        ("HostMemoryHigh", one_minus(host_memory).above(thresholds.memory_ratio), "of the memory"),
        (
            "ContainerCpuHigh",
            container_cpu.divided_by(processors).above(thresholds.cpu_ratio),
            "of the processors of container {{ $labels.container_name }}{{ $labels.name }}{{ $labels.pod }}",
        ),
        (
            "ContainerMemoryHigh",
            container_memory.above(thresholds.memory_ratio),
            "of the memory of container {{ $labels.container_name }}{{ $labels.name }}{{ $labels.pod }}",
        ),
    ]
    .into_iter()
    .map(|(name, expr, what)| {
        Rule::new(name, expr).with_for(thresholds.hold).with_label("severity", "warning").with_annotation(
            "summary",
            format!("{{{{ $value | humanizePercentage }}}} {what} in use on {{{{ $labels.instance }}}}"),
        )
    })
    .collect()
}

fn connections_rule(thresholds: &BriefThresholds) -> Rule {
    // Connections are counted for each database, the limit holds for the server: without the sums the two
    // sides never meet and the rule never fires. The limit may be exported once for each configuration.
    let used = metric("pg_stat_database_numbackends").sum_by(INSTANCE);
    let limit = metric("pg_settings_max_connections").above(0.0).aggregated(Aggregation::Max, INSTANCE);
    Rule::new("DatabaseConnectionsHigh", used.divided_by(limit).above(thresholds.connections_ratio))
        .with_for(thresholds.hold)
        .with_label("severity", "warning")
        .with_annotation(
            "summary",
            "{{ $value | humanizePercentage }} of connections in use on {{ $labels.instance }}",
        )
        .with_annotation(
            "description",
            "New connections will soon be refused. Check pool sizes and end idle or blocking sessions.",
        )
}
