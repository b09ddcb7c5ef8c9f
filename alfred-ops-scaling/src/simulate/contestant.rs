//! Who is simulated.

use std::time::Duration;

use super::Service;
use crate::{HpaMetric, HpaV2, Kpa, Policy, Rules, Slo, Strategy, TargetTracking};

/// A policy, how often it looks, and what it sees.
#[derive(Debug, Clone, PartialEq)]
pub struct Contestant {
    name: String,
    pub(super) policy: Policy,
    pub(super) period: Duration,
    /// Whether it counts in the process, and so sees what is; others see what a monitoring system shows.
    pub(super) in_process: bool,
}

impl Contestant {
    /// A policy that looks every `period`, on metrics of the service's delay.
    #[must_use]
    pub fn new(name: impl Into<String>, policy: Policy, period: Duration) -> Self {
        Self { name: name.into(), policy, period, in_process: false }
    }

    /// The same on what is counted in the process.
    #[must_use]
    pub const fn in_process(mut self) -> Self {
        self.in_process = true;
        self
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All that are to be had for this service:
    ///
    /// - `rules`: the brief's thresholds, every 15 s.
    /// - `hpa`: Kubernetes' autoscaler on processors at 70 %, with its default behaviour, every 15 s.
    /// - `keda`: the same, and messages waiting for each instance, at most as many as it works off within the wait.
    /// - `kpa`: Knative's autoscaler with its defaults, in process, every 2 s; an instance works for a second on each of the
    ///   requests that it finishes in one.
    /// - `cloud-run`: processors at 60 % averaged over a minute, every 5 s.
    /// - `slo`: [`Slo`] with its defaults and the service's start-up, wait and rate, in process, every 2 s.
    ///
    /// None of them but `rules` and `slo` goes to zero.
    #[must_use]
    pub fn all(service: &Service) -> Vec<Self> {
        let seconds = Duration::from_secs;
        let at_least_one = Service { min: service.min.max(1), ..*service };
        let hpa = HpaV2::new([HpaMetric::Cpu(0.7)]);
        let each = HpaMetric::QueuedEach((service.rate * service.wait.as_secs_f64()).max(f64::MIN_POSITIVE));
        let keda = HpaV2::new([HpaMetric::Cpu(0.7), each]);
        let slo = Slo::default()
            .with_start_up(service.start_up.max(seconds(1)))
            .with_wait(service.wait.max(seconds(1)))
            .with_service_rate(service.rate);
        vec![
            Self::new("rules", policy(Rules::default(), service), seconds(15)),
            Self::new("hpa", policy(hpa, &at_least_one), seconds(15)),
            Self::new("keda", policy(keda, &at_least_one), seconds(15)),
            Self::new("kpa", policy(Kpa::new(service.rate), &at_least_one), seconds(2)).in_process(),
            Self::new("cloud-run", policy(TargetTracking::new(0.6), &at_least_one), seconds(5)),
            Self::new("slo", policy(slo, service), seconds(2)).in_process(),
        ]
    }
}

fn policy(strategy: impl Into<Strategy>, service: &Service) -> Policy {
    let mut policy = Policy::new(strategy);
    (policy.min, policy.max) = (service.min, service.max);
    // Who believes in metrics through a monitoring system has to believe in their age.
    policy.stale_after += service.metric_delay;
    policy
}
