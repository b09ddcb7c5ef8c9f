//! How a supervisor is put together.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use super::slot::{JobSlot, Meters};
use super::{JobOptions, Supervisor};
use crate::{
    Activation, Entropy, Error, ErrorKind, Health, Id, Job, Metrics, Result, SharedClock, StateStore,
    SystemClock, SystemEntropy,
};

const NAME_BYTES_MAX: usize = 100;
/// More runs would make a job's document large, and it is written with every run.
const HISTORY_MAX: usize = 250;
/// How long jobs may take to stop where the host says nothing: the usual grace of container platforms is
/// 30 s, and something must be left for the rest of the host.
const DRAIN_DEFAULT: Duration = Duration::from_secs(25);

/// Collects what a [`Supervisor`] runs and with what.
#[derive(Debug)]
pub struct SupervisorBuilder {
    pub(super) store: Arc<dyn StateStore>,
    pub(super) name: String,
    pub(super) clock: SharedClock,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) lease_ttl: Option<Duration>,
    pub(super) drain: Duration,
    health: Option<Health>,
    metrics: Metrics,
    jobs: Vec<(Arc<dyn Job>, JobOptions)>,
}

impl SupervisorBuilder {
    pub(super) fn new(store: Arc<dyn StateStore>) -> Self {
        Self {
            store,
            name: "alfred-ops".to_owned(),
            clock: SystemClock::shared(),
            entropy: Arc::new(SystemEntropy),
            lease_ttl: None,
            drain: DRAIN_DEFAULT,
            health: None,
            metrics: Metrics::new(),
            jobs: Vec::new(),
        }
    }

    /// The name under which replicas of one supervisor find each other, and different ones in one store
    /// keep apart. It is `alfred-ops` unless set.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Another source of time.
    #[must_use]
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = clock;
        self
    }

    /// Another source of randomness.
    #[must_use]
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// Of all replicas on the same store only the owner of a lease of this term runs jobs; the others
    /// stand by and take over. Without a lease there must be one replica only.
    #[must_use]
    pub fn lease(mut self, ttl: Duration) -> Self {
        self.lease_ttl = Some(ttl);
        self
    }

    /// How long jobs may take to stop at shutdown before they are dropped.
    #[must_use]
    pub fn drain(mut self, limit: Duration) -> Self {
        self.drain = limit;
        self
    }

    /// Where jobs report how they are, if not to the supervisor's own.
    #[must_use]
    pub fn health(mut self, health: Health) -> Self {
        self.health = Some(health);
        self
    }

    /// Where runs are counted, if not in the supervisor's own registry.
    #[must_use]
    pub fn metrics(mut self, metrics: Metrics) -> Self {
        self.metrics = metrics;
        self
    }

    /// Adds a job.
    #[must_use]
    pub fn job(self, job: impl Job) -> Self {
        self.job_with(job, JobOptions::default())
    }

    /// Adds a job that is run in its own way.
    #[must_use]
    pub fn job_with(mut self, job: impl Job, options: JobOptions) -> Self {
        self.jobs.push((Arc::new(job), options));
        self
    }

    /// Puts the supervisor together. Nothing runs yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] with everything that is wrong.
    pub fn build(self) -> Result<Supervisor> {
        let problems = self.problems();
        if !problems.is_empty() {
            return Err(Error::new(ErrorKind::InvalidInput, "build supervisor", problems.join("; "))
                .with_target(self.name));
        }
        let health = self.health.clone().unwrap_or_else(|| Health::new(Arc::clone(&self.clock)));
        let meters = Meters {
            runs: self.metrics.counter("alfred_ops_job_runs", "Ended runs", &["job", "outcome"])?,
            seconds: self.metrics.histogram("alfred_ops_job_run_seconds", "Durations of runs", &["job"])?,
            skipped: self.metrics.counter(
                "alfred_ops_job_slots_skipped",
                "Missed slots that a later one stood for",
                &["job"],
            )?,
        };
        let leads = "Whether this replica runs the jobs";
        let leader = self.metrics.gauge("alfred_ops_leader", leads, &["supervisor"])?.with(&[&self.name]);
        let mut slots = Vec::new();
        for (job, options) in &self.jobs {
            let reporter =
                health.register(format!("job/{}", job.name()), options.criticality, options.silent_after)?;
            // Nothing is expected of a replica that does not lead.
            reporter.idle();
            let key = format!("job/{}/{}", self.name, job.name());
            let slot = JobSlot::new(Arc::clone(job), key, options.clone(), reporter, meters.clone());
            slots.push(Arc::new(slot));
        }
        let holder = Id::new(self.clock.now(), self.entropy.as_ref()).to_string();
        let metrics = self.metrics.clone();
        Ok(Supervisor::new(self, slots, holder, health, metrics, leader))
    }

    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut names = BTreeSet::new();
        if !is_name(&self.name) {
            problems.push(format!("the name {:?} is not {NAME_RULE}", self.name));
        }
        for (job, options) in &self.jobs {
            let name = job.name();
            if !is_name(name) {
                problems.push(format!("the job name {name:?} is not {NAME_RULE}"));
            }
            if !names.insert(name) {
                problems.push(format!("two jobs are named {name:?}"));
            }
            if matches!(job.activation(), Activation::Every(period) if period < Duration::from_millis(1)) {
                problems.push(format!("the period of job {name:?} is below a millisecond"));
            }
            if !(1..=HISTORY_MAX).contains(&options.history_max) {
                let asked = options.history_max;
                problems.push(format!("job {name:?} keeps {asked} runs, which is not 1 to {HISTORY_MAX}"));
            }
        }
        problems
    }
}

const NAME_RULE: &str = "1 to 100 visible ASCII characters without /";

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'/')
}
