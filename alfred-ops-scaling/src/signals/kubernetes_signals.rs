//! Processors and memory of pods, as the Metrics API of a cluster says.

use std::collections::BTreeMap;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde::Deserialize;

use super::{SignalSource, Signals};
use crate::Reading;
use crate::kubernetes::{KubernetesCluster, Pod, Request, Resource, check_name, quantity};

/// Of ten working pods two may be without a sample, as those are that have just become ready.
const MEASURED_MIN: f64 = 0.8;

/// Processors and memory that the pods of a label selector use, as shares of what they request, out of the Metrics API
/// (`metrics.k8s.io`, which metrics-server serves).
///
/// The share is what all measured pods use of what all measured pods request, as the HorizontalPodAutoscaler has it. Pods
/// that work but have no sample are missing and not idle: with more than a fifth of them missing nothing is known, and the
/// kernel holds. Pods that start, are not ready or are on their way out do not count. A pod without a request leaves its
/// resource unknown. A reading is as old as the oldest sample in it: samples are averages over some 30 s and come every 15
/// to 60 s, and the kernel believes none that is older than [`Policy::stale_after`](crate::Policy::stale_after).
///
/// The role needs `list` on `pods` and on `pods` of `metrics.k8s.io`.
#[derive(Debug)]
pub struct KubernetesSignals {
    cluster: Arc<KubernetesCluster>,
    namespace: String,
    selector: String,
    measured_min: f64,
}

/// What is known of the pods at one moment.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct PodUsage {
    /// Pods that work and were measured.
    pub measured: Vec<MeasuredPod>,
    /// Pods that work and were not.
    pub missing: Vec<String>,
    /// Pods that start, are not ready or leave.
    pub idle: usize,
}

/// What one pod uses.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct MeasuredPod {
    /// Its name.
    pub name: String,
    /// The end of the time that was averaged over.
    pub at: DateTime<Utc>,
    /// How long that was, as Kubernetes writes it, such as `30s`.
    pub window: String,
    /// Processors in use, and requested if it requests any.
    pub cpu: (f64, Option<f64>),
    /// Bytes in use, and requested if it requests any.
    pub memory: (f64, Option<f64>),
}

#[derive(Debug, Deserialize)]
struct PodMetrics {
    metadata: Named,
    timestamp: DateTime<Utc>,
    #[serde(default)]
    window: String,
    #[serde(default)]
    containers: Vec<ContainerMetrics>,
}

#[derive(Debug, Deserialize)]
struct Named {
    name: String,
}

#[derive(Debug, Deserialize)]
struct ContainerMetrics {
    #[serde(default)]
    usage: BTreeMap<String, String>,
}

impl PodMetrics {
    /// What all containers use. None if one of them does not say: a part is not the whole.
    fn usage(&self, resource: &str) -> Option<f64> {
        if self.containers.is_empty() {
            return None;
        }
        let used =
            |container: &ContainerMetrics| container.usage.get(resource).and_then(|text| quantity(text));
        self.containers.iter().map(used).sum()
    }
}

impl KubernetesSignals {
    /// The pods of a namespace that meet a label selector, such as `app=social-intel`. Nothing is asked yet.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a namespace that is no name.
    pub fn new(
        cluster: Arc<KubernetesCluster>,
        namespace: impl Into<String>,
        selector: impl Into<String>,
    ) -> Result<Self> {
        let namespace = namespace.into();
        check_name("namespace", &namespace)?;
        Ok(Self { cluster, namespace, selector: selector.into(), measured_min: MEASURED_MIN })
    }

    /// The least share of working pods that must have a sample; 0.8 if not set.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is not more than 0 and at most 1.
    pub fn with_measured_min(mut self, share: f64) -> Result<Self> {
        if !(share > 0.0 && share <= 1.0) {
            let what = format!("measured_min: {share} is not more than 0 and at most 1");
            return Err(Error::new(ErrorKind::InvalidInput, "set up Kubernetes signals", what)
                .with_remedy("leave it out for 0.8"));
        }
        self.measured_min = share;
        Ok(self)
    }

    /// What is known of the pods now, one by one.
    ///
    /// # Errors
    /// If either list cannot be read.
    pub async fn usage(&self) -> Result<PodUsage> {
        let (pods, metrics) = (Resource::pods(), Resource::new("metrics.k8s.io", "v1beta1", "pods"));
        let list = |operation, resource| Request {
            operation,
            verb: "list",
            resource,
            namespace: &self.namespace,
            name: None,
            subresource: None,
        };
        let selector = [("labelSelector", self.selector.as_str())];
        let (pods, metrics) = (list("list pods", &pods), list("read pod metrics", &metrics));
        let (pods, metrics) = futures::try_join!(
            self.cluster.list::<Pod>(&pods, &selector),
            self.cluster.list::<PodMetrics>(&metrics, &selector)
        )
        .map_err(|error| match error.kind() {
            ErrorKind::NotFound | ErrorKind::Unavailable if error.operation() == "read pod metrics" => {
                error.with_remedy("install metrics-server, or wait until it is ready")
            }
            _ => error,
        })?;
        Ok(usage(&pods, &metrics))
    }
}

/// Brings pods and samples together. Pure.
fn usage(pods: &[Pod], metrics: &[PodMetrics]) -> PodUsage {
    let samples: BTreeMap<&str, &PodMetrics> =
        metrics.iter().map(|sample| (sample.metadata.name.as_str(), sample)).collect();
    let mut known = PodUsage::default();
    for pod in pods {
        let name = pod.metadata.name.clone();
        if !pod.works() {
            known.idle += 1;
            continue;
        }
        let measured = samples.get(name.as_str()).and_then(|sample| {
            let cpu = (sample.usage("cpu")?, pod.request("cpu"));
            let memory = (sample.usage("memory")?, pod.request("memory"));
            Some(MeasuredPod {
                name: name.clone(),
                at: sample.timestamp,
                window: sample.window.clone(),
                cpu,
                memory,
            })
        });
        match measured {
            Some(measured) => known.measured.push(measured),
            None => known.missing.push(name),
        }
    }
    known
}

impl PodUsage {
    /// The share of what is requested that is in use, and when that was. None if too few are measured or one requests
    /// nothing.
    fn share(&self, measured_min: f64, of: fn(&MeasuredPod) -> (f64, Option<f64>)) -> Option<Reading> {
        let (measured, missing) = (count(self.measured.len()), count(self.missing.len()));
        if measured < measured_min * (measured + missing) {
            return None;
        }
        let requested: f64 = self.measured.iter().map(|pod| of(pod).1).sum::<Option<f64>>()?;
        let used: f64 = self.measured.iter().map(|pod| of(pod).0).sum();
        let at = self.measured.iter().map(|pod| pod.at).min()?;
        Some(Reading { value: used / requested, at })
    }
}

#[expect(clippy::cast_precision_loss, reason = "no cluster has 2^53 pods")]
const fn count(pods: usize) -> f64 {
    pods as f64
}

#[async_trait]
impl SignalSource for KubernetesSignals {
    async fn read(&self, _: DateTime<Utc>) -> Result<Signals> {
        let usage = self.usage().await?;
        let cpu = usage.share(self.measured_min, |pod| pod.cpu);
        let memory = usage.share(self.measured_min, |pod| pod.memory);
        if cpu.is_none() || memory.is_none() {
            let mute = usage.measured.iter().find(|pod| pod.cpu.1.is_none() || pod.memory.1.is_none());
            tracing::debug!(
                missing = usage.missing.len(),
                without_request = mute.map(|pod| pod.name.as_str()),
                "usage of pods is not known"
            );
        }
        Ok(Signals { cpu, memory, ..Signals::default() })
    }
}
