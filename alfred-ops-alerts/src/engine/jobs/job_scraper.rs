//! Scrapes the targets of one job.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use alfred_ops_core::http::Endpoint;
use alfred_ops_core::{Labels, Result, SharedClock, SystemClock};
use chrono::{DateTime, TimeDelta, Utc};
use futures::stream::FuturesUnordered;
use futures::{FutureExt as _, StreamExt as _};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::discovery::JobTargets;
use crate::job::{DiscoveryConfig, ScrapeJob};
use crate::page::PageIntake;
use crate::scrape::{TargetHealth, TargetStatus, next_run};
use crate::scraped::ScrapeFigures;
use crate::scraper::HttpScraper;
use crate::store::SampleStore;
use crate::targets::ResolvedTarget;

/// How many targets of a job are asked at once: bounds sockets and pages in memory.
const SCRAPES_AT_ONCE_MAX: usize = 32;
/// With no target and nothing to ask, looking again costs nothing.
const IDLE: TimeDelta = TimeDelta::seconds(60);

/// Finds and scrapes the targets of one job.
pub(super) struct JobScraper {
    scraper: HttpScraper,
    targets: tokio::sync::Mutex<JobTargets>,
    /// By their labels.
    probes: Mutex<BTreeMap<Labels, Arc<JobProbe>>>,
    changed: Notify,
    clock: SharedClock,
}

/// One target, and what is known of it.
struct JobProbe {
    target: ResolvedTarget,
    /// What gives the target its place within the interval.
    seed: u64,
    state: Mutex<ProbeState>,
}

struct ProbeState {
    intake: PageIntake,
    status: TargetStatus,
}

impl fmt::Debug for JobScraper {
    /// Queries of targets may hold tokens.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobScraper").field("job", &self.scraper.job().name).finish_non_exhaustive()
    }
}

impl JobScraper {
    pub(super) fn new(job: &ScrapeJob, clock: SharedClock) -> Result<Self> {
        // What other processes take for their answers passes on the machine's clock, in simulated time too.
        let scraper = HttpScraper::new(job, SystemClock::shared())?;
        let mut targets = JobTargets::new(job.clone(), SharedClock::clone(&clock))?;
        let mut probes = BTreeMap::new();
        // Targets that the job itself names are known, and shown, before anything runs.
        let only_named = job.discoveries.iter().all(|place| matches!(place, DiscoveryConfig::Static(_)));
        if only_named && targets.refresh().now_or_never() == Some(true) {
            let known = targets.resolution().active.iter();
            probes.extend(
                known.map(|target| (target.labels.clone(), Arc::new(JobProbe::new(job, &scraper, target)))),
            );
        }
        Ok(Self {
            scraper,
            targets: tokio::sync::Mutex::new(targets),
            probes: Mutex::new(probes),
            changed: Notify::new(),
            clock,
        })
    }

    fn probes(&self) -> MutexGuard<'_, BTreeMap<Labels, Arc<JobProbe>>> {
        self.probes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn status(&self) -> Vec<TargetStatus> {
        self.probes().values().map(|probe| probe.state().status.clone()).collect()
    }

    /// Looks for targets, and scrapes all of them as of `now`.
    pub(super) async fn scrape_once(&self, now: DateTime<Utc>, store: &RwLock<SampleStore>) {
        self.refresh(store).await;
        let probes: Vec<Arc<JobProbe>> = self.probes().values().map(Arc::clone).collect();
        let scrapes = futures::stream::iter(&probes);
        scrapes.for_each_concurrent(SCRAPES_AT_ONCE_MAX, |probe| self.scrape(probe, now, store)).await;
    }

    /// Looks for targets whenever a place is due, until cancelled.
    pub(super) async fn find_targets(&self, store: &RwLock<SampleStore>, cancel: &CancellationToken) {
        loop {
            let due = self.targets.lock().await.due_at();
            let Some(due) = due else { return cancel.cancelled().await };
            let wait = due.saturating_sub(self.clock.monotonic());
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                () = self.clock.sleep(wait) => {}
            }
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                () = self.refresh(store) => {}
            }
        }
    }

    async fn refresh(&self, store: &RwLock<SampleStore>) {
        let mut targets = self.targets.lock().await;
        if !targets.refresh().await {
            return;
        }
        let gone: Vec<Arc<JobProbe>> = {
            let mut probes = self.probes();
            let mut before = std::mem::take(&mut *probes);
            for target in &targets.resolution().active {
                let kept = before.remove(&target.labels);
                let same = kept.filter(|probe| probe.target == *target);
                let probe =
                    same.unwrap_or_else(|| Arc::new(JobProbe::new(targets.job(), &self.scraper, target)));
                probes.insert(target.labels.clone(), probe);
            }
            before.into_values().collect()
        };
        let now = self.clock.now();
        for probe in gone {
            probe.end(targets.job(), now, store);
        }
        self.changed.notify_one();
    }

    /// Scrapes each target at its times, until cancelled. A target that does not answer holds up no other.
    pub(super) async fn scrape_targets(&self, store: &RwLock<SampleStore>, cancel: &CancellationToken) {
        let mut due: BTreeMap<Labels, DateTime<Utc>> = BTreeMap::new();
        let mut asked: BTreeSet<Labels> = BTreeSet::new();
        let mut scrapes = FuturesUnordered::new();
        loop {
            let now = self.clock.now();
            let probes = self.probes().clone();
            due.retain(|labels, _| probes.contains_key(labels));
            for (labels, probe) in &probes {
                let next = || next_run(now, probe.target.interval, probe.seed);
                let at = due.entry(labels.clone()).or_insert_with(next);
                if *at <= now && scrapes.len() < SCRAPES_AT_ONCE_MAX && asked.insert(labels.clone()) {
                    *at = next();
                    let (labels, probe) = (labels.clone(), Arc::clone(probe));
                    scrapes.push(async move {
                        self.scrape(&probe, now, store).await;
                        labels
                    });
                }
            }
            let waiting = due.iter().filter(|(labels, _)| !asked.contains(*labels));
            let next = waiting.map(|(_, at)| *at).min().unwrap_or(now + IDLE);
            let wait = (next - now).to_std().unwrap_or_default();
            tokio::select! {
                biased;
                () = cancel.cancelled() => return,
                Some(labels) = scrapes.next() => { asked.remove(&labels); }
                () = self.changed.notified() => {}
                () = self.clock.sleep(wait), if scrapes.len() < SCRAPES_AT_ONCE_MAX => {}
            }
        }
    }

    async fn scrape(&self, probe: &JobProbe, now: DateTime<Utc>, store: &RwLock<SampleStore>) {
        let fetched = self.scraper.fetch(&probe.target).await;
        let at = now.timestamp_millis();
        let mut state = probe.state();
        let begun = self.clock.monotonic();
        let mut figures = ScrapeFigures { body_bytes: fetched.body_bytes, ..ScrapeFigures::default() };
        let taken = fetched.page.and_then(|page| {
            let text = page.text(self.scraper.limits())?;
            state.intake.take(&text, page.format, at, store)
        });
        let error = match taken {
            Ok(taken) => {
                figures.up = true;
                (figures.scraped, figures.kept, figures.series_added) =
                    (taken.scraped, taken.kept, taken.added);
                state.status.refused = taken.refused;
                None
            }
            Err(error) => {
                state.intake.fail(at, store);
                Some(error.with_target(fetched.address))
            }
        };
        figures.duration = fetched.duration + self.clock.monotonic().saturating_sub(begun);
        {
            let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
            for sample in figures.samples(self.scraper.job(), &probe.target) {
                store.append(&sample.labels, now, sample.value);
            }
        }
        state.status.last_scrape = Some(now);
        state.status.last_duration = figures.duration;
        state.status.samples = figures.scraped;
        let was_up = state.status.health != TargetHealth::Down;
        state.status.health = if error.is_none() { TargetHealth::Up } else { TargetHealth::Down };
        state.status.failures_in_a_row = error.as_ref().map_or(0, |_| state.status.failures_in_a_row + 1);
        state.status.last_error = error.as_ref().map(alfred_ops_core::Error::full);
        if let (Some(error), true) = (error, was_up) {
            let TargetStatus { job, instance, .. } = &state.status;
            tracing::warn!(job, instance, error = error.full(), "target is down");
        }
    }
}

impl JobProbe {
    fn new(job: &ScrapeJob, scraper: &HttpScraper, target: &ResolvedTarget) -> Self {
        let seed = target.labels.fingerprint();
        let text = |name| target.labels.get(name).unwrap_or_default().to_owned();
        let status = TargetStatus {
            job: text("job"),
            instance: text("instance"),
            address: Endpoint::public(&target.url(), "scrape")
                .map_or_else(|_| String::new(), |endpoint| endpoint.shown().to_owned()),
            ..TargetStatus::default()
        };
        let intake = PageIntake::new(job, target.labels.clone(), scraper.limits().clone(), seed);
        Self { target: target.clone(), seed, state: Mutex::new(ProbeState { intake, status }) }
    }

    fn state(&self) -> MutexGuard<'_, ProbeState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that the target is not one any more: all its series end, those about scraping it among them.
    fn end(&self, job: &ScrapeJob, now: DateTime<Utc>, store: &RwLock<SampleStore>) {
        self.state().intake.fail(now.timestamp_millis(), store);
        let mut store = store.write().unwrap_or_else(PoisonError::into_inner);
        for sample in ScrapeFigures::default().samples(job, &self.target) {
            store.mark_stale(&sample.labels, now);
        }
    }
}
