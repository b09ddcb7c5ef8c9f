//! Rules over scraped pages, beside Prometheus on the same pages and the same rules.

mod latency;
mod pages;
mod peer;
mod rule_set;

use std::path::PathBuf;
use std::sync::RwLock;
use std::time::Duration;

use alfred_ops_alerts::promql::QueryOptions;
use alfred_ops_alerts::{Interest, PageIntake, RuleEvaluator, RuleSet, SampleStore, ScrapeJob, StoreLimits};
use alfred_ops_core::exposition::{Format, Limits};
use alfred_ops_core::{Error, ErrorKind, Labels, Result};
use chrono::{DateTime, TimeDelta, Utc};
use rustix::time::{ClockId, clock_gettime};

use crate::cluster::Figures;

const TARGETS: usize = 12;
const RULES: usize = 1000;
const INTERVAL: TimeDelta = TimeDelta::seconds(5);
/// The retention at which series are weighed: 15 min at 15 s.
const WEIGHED_SAMPLES: usize = 60;

/// What ours took.
struct Ours {
    evaluations_per_cpu_second: f64,
    ingest_micros: f64,
    resident_mib: f64,
}

/// Runs ours in this process, pages and rules in turn on one thread, and Prometheus as a process of its own that scrapes the
/// same pages over loopback. Processor time counts on both sides; ours has no HTTP within it, which Prometheus' has.
pub(crate) async fn measure(quick: bool) -> Result<Figures> {
    let rules = rule_set::groups(RULES);
    let bytes_per_series = weigh()?;
    let ours = ours(&rules, if quick { 40 } else { 120 })?;
    println!(
        "ours: {:.0} evaluations per CPU second, {:.3} us per sample, {:.0} MiB resident",
        ours.evaluations_per_cpu_second, ours.ingest_micros, ours.resident_mib
    );
    let sample_to_sink = latency::measure(&rules, if quick { 200 } else { 1000 }).await?;
    println!("ours: p99 from a change to the sink {sample_to_sink:.1} ms");
    let peer = peer::measure(&rules, Duration::from_secs(if quick { 45 } else { 120 })).await?;
    println!(
        "Prometheus: {:.0} evaluations per CPU second, {:.3} us per sample, {:.0} MiB resident",
        peer.evaluations_per_cpu_second, peer.ingest_micros, peer.resident_mib
    );
    Ok(vec![
        ("rules.evals_per_cpu_second", ours.evaluations_per_cpu_second),
        ("rules.vs_prometheus", ours.evaluations_per_cpu_second / peer.evaluations_per_cpu_second),
        ("rules.ingest_us_per_sample", ours.ingest_micros),
        ("rules.ingest_vs_prometheus", ours.ingest_micros / peer.ingest_micros),
        ("rules.rss_vs_prometheus", ours.resident_mib / peer.resident_mib),
        ("rules.bytes_per_series", bytes_per_series),
        ("rules.sample_to_sink_p99_ms", sample_to_sink),
    ])
}

fn target(index: usize) -> Labels {
    Labels::from_pairs([("job", format!("job{index}")), ("instance", format!("127.0.0.1:{}", 9000 + index))])
}

fn intakes() -> Vec<PageIntake> {
    (0..TARGETS)
        .map(|index| PageIntake::new(&ScrapeJob::new("bench"), target(index), Limits::default(), 1))
        .collect()
}

/// The processor time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

fn ours(groups: &[alfred_ops_alerts::RuleGroup], steps: usize) -> Result<Ours> {
    let rules = RuleSet::of_groups(groups.iter().cloned())?;
    let options = QueryOptions::default();
    // Series that no rule looks at are kept as well here, for Prometheus keeps them too.
    let interest = rules.interest(&options).with_everything(5 * 60 * 1000);
    let limits = StoreLimits::default().with_series_max(1_000_000).with_bytes_max(1 << 30);
    let store = RwLock::new(SampleStore::new(limits, interest));
    let mut evaluator = RuleEvaluator::new(&rules, &options);
    let mut intakes = intakes();
    let mut now: DateTime<Utc> = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
    let (mut ingest, mut evaluate) = (Duration::ZERO, Duration::ZERO);
    let (mut samples, mut evaluations) = (0, 0);
    for step in 0..steps {
        // In the first quarter windows fill up and series become known.
        let counts = step >= steps / 4;
        for (index, intake) in intakes.iter_mut().enumerate() {
            let page = pages::page(index, step);
            let begun = thread_time();
            let taken = intake.take(&page, Format::Text, now.timestamp_millis(), &store)?;
            if counts {
                ingest += thread_time() - begun;
                samples += taken.scraped;
            }
        }
        let begun = thread_time();
        let evaluation = evaluator.evaluate(&store, now);
        if counts {
            evaluate += thread_time() - begun;
            evaluations += evaluation.reports.len();
        }
        if step % 12 == 0 {
            store.write().map_err(|_| failed("a writer panicked"))?.expire(now);
        }
        now += INTERVAL;
    }
    let counters = store.read().map_err(|_| failed("a writer panicked"))?.counters();
    println!("{} series, {} samples held in {} bytes", counters.series, counters.samples, counters.bytes);
    Ok(Ours {
        evaluations_per_cpu_second: evaluations as f64 / evaluate.as_secs_f64(),
        ingest_micros: ingest.as_secs_f64() * 1e6 / samples as f64,
        resident_mib: peer::resident_mib(std::process::id())?,
    })
}

/// What a series takes that is kept for 15 min at 15 s.
fn weigh() -> Result<f64> {
    let interest = Interest::everything(15 * 60 * 1000);
    let limits = StoreLimits::default().with_series_max(1_000_000).with_bytes_max(1 << 30);
    let store = RwLock::new(SampleStore::new(limits, interest));
    let mut intake = intakes().remove(0);
    for step in 0..WEIGHED_SAMPLES {
        let millis = 15_000 * i64::try_from(step).unwrap_or(0);
        intake.take(&pages::page(0, step), Format::Text, millis, &store)?;
    }
    let counters = store.read().map_err(|_| failed("a writer panicked"))?.counters();
    Ok(counters.bytes as f64 / counters.series as f64)
}

fn failed(message: &str) -> Error {
    Error::new(ErrorKind::Internal, "measure rules", message.to_owned())
}

/// The folder with Prometheus' programs, or those of the system.
fn binary(name: &str) -> PathBuf {
    match std::env::var_os("ALFRED_OPS_PROMETHEUS_BIN") {
        Some(folder) => PathBuf::from(folder).join(name),
        None => PathBuf::from(name),
    }
}
