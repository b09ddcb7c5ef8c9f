//! From a change in the process to the call of the sink, while everything else goes on.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use alfred_ops_alerts::{
    AlertEngine, AlertSink, Notification, NotifyPolicy, Receipt, Rule, RuleGroup, ScrapeConfig, StoreLimits,
    Target,
};
use alfred_ops_core::exposition::Limits;
use alfred_ops_core::{
    ChangeSignal, ClosureSource, Labels, Result, Sample, SharedClock, SystemClock, TaskSet,
};
use async_trait::async_trait;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{TARGETS, failed, peer};

const INTERVAL: Duration = Duration::from_secs(5);
/// All targets have been scraped and the windows of the shortest rules filled by then.
const WARM_UP: Duration = Duration::from_secs(15);
/// What the host's own target tells beside the gauge that is watched.
const OTHER_SERIES: usize = 200;
const GAUGE: &str = "bench_failures";
const ALERT: &str = "BenchFailed";

/// A sink that notes when the newest trial arrived.
#[derive(Debug)]
struct Watch {
    clock: SharedClock,
    newest: Mutex<(usize, Duration)>,
    arrived: Notify,
}

#[async_trait]
impl AlertSink for Watch {
    fn name(&self) -> &str {
        "watch"
    }

    async fn deliver(&self, notification: &Notification) -> Result<Receipt> {
        let trials = notification.alerts.iter().filter_map(|alert| alert.labels.get("trial")?.parse().ok());
        if let Some(trial) = trials.max() {
            let mut newest = self.newest.lock().unwrap_or_else(PoisonError::into_inner);
            if trial > newest.0 {
                *newest = (trial, self.clock.monotonic());
                self.arrived.notify_one();
            }
        }
        Ok(Receipt::accepted())
    }
}

/// The 99th percentile in milliseconds over `trials` changes at odd moments, with all targets scraped over loopback and
/// all rules evaluated every 5 s in the same process.
pub(super) async fn measure(groups: &[RuleGroup], trials: usize) -> Result<f64> {
    let (tasks, pages) = (TaskSet::new(&CancellationToken::new()), TaskSet::new(&CancellationToken::new()));
    let clock = SystemClock::shared();
    let (trial, signal) = (Arc::new(AtomicUsize::new(0)), ChangeSignal::new());
    let watch = Arc::new(Watch {
        clock: SharedClock::clone(&clock),
        newest: Mutex::default(),
        arrived: Notify::new(),
    });
    let elsewhere = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let elsewhere = elsewhere.map_err(peer::io("start a runtime"))?;
    let addresses = serve(&elsewhere, &pages)?;
    let engine = engine(groups, &trial, &signal, Arc::<Watch>::clone(&watch), &addresses)?;
    let cancel = tasks.cancel_token().clone();
    let run = tasks.spawn(async move { engine.run(cancel).await });
    clock.sleep(WARM_UP).await;
    let mut took = Vec::with_capacity(trials);
    for number in 1..=trials {
        // Odd moments within the intervals of scrapes and evaluations, the same in every run.
        clock.sleep(Duration::from_millis(u64::try_from(25 + number * 37 % 83).unwrap_or(25))).await;
        let changed_at = clock.monotonic();
        trial.store(number, Ordering::Release);
        signal.notify();
        loop {
            watch.arrived.notified().await;
            let (arrived, at) = *watch.newest.lock().unwrap_or_else(PoisonError::into_inner);
            if arrived == number {
                took.push(at.saturating_sub(changed_at));
                break;
            }
        }
        if run.is_finished() {
            return Err(failed("the engine has stopped"));
        }
    }
    tasks.shutdown().await;
    elsewhere.shutdown_background();
    took.sort_unstable();
    let place = (took.len() * 99).div_ceil(100).saturating_sub(1);
    Ok(took.get(place).ok_or_else(|| failed("nothing was measured"))?.as_secs_f64() * 1e3)
}

/// Serves the pages beside the runtime that is measured, as other processes would; the addresses of the targets.
fn serve(elsewhere: &Runtime, pages: &TaskSet) -> Result<Vec<String>> {
    let _entered = elsewhere.enter();
    let mut addresses = Vec::with_capacity(TARGETS);
    for index in 0..TARGETS {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(peer::io("listen"))?;
        addresses.push(listener.local_addr().map_err(peer::io("listen"))?.to_string());
        listener.set_nonblocking(true).map_err(peer::io("listen"))?;
        let listener = TcpListener::from_std(listener).map_err(peer::io("listen"))?;
        pages.spawn(peer::serve(listener, index, Arc::default()));
    }
    Ok(addresses)
}

fn engine(
    groups: &[RuleGroup],
    trial: &Arc<AtomicUsize>,
    signal: &ChangeSignal,
    watch: Arc<Watch>,
    addresses: &[String],
) -> Result<AlertEngine> {
    let current = Arc::clone(trial);
    let own = ClosureSource::new("host", move || {
        let number = current.load(Ordering::Acquire).to_string();
        let other =
            |index: usize| Sample::new(Labels::metric("bench_other").with("i", &index.to_string()), 1.0);
        let failing = Sample::new(Labels::metric(GAUGE).with("trial", &number), 1.0);
        Ok((0..OTHER_SERIES).map(other).chain([failing]).collect())
    })
    .with_changes(signal);
    let rule = Rule::new(ALERT, format!("{GAUGE} > 0")).evaluated_on_change();
    let config =
        ScrapeConfig::default().with_interval(INTERVAL).with_timeout(INTERVAL).with_limits(Limits::default());
    let mut builder = AlertEngine::builder()
        .target(Target::in_process("host", "bench", Arc::new(own)).with_config(config.clone()))
        .rule_groups(groups.iter().cloned().chain([RuleGroup::new("on change").with_rules([rule])]))
        .evaluation_interval(INTERVAL)
        .store_limits(StoreLimits::default().with_series_max(1_000_000).with_bytes_max(1 << 30))
        .notify_policy(NotifyPolicy::default().with_alerts_max(usize::MAX))
        .sink(watch);
    for (index, address) in addresses.iter().enumerate() {
        builder =
            builder.target(Target::new(format!("job{index}"), address.clone()).with_config(config.clone()));
    }
    builder.build()
}
