//! A rollout under a clock that the test drives.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{JobContext, MemoryStateStore, SimulatedClock};
use alfred_ops_maintenance::{
    ClosureAnalysis, CloudRunRollout, CloudRunWorkerPoolRollout, Release, Rollout, RolloutEnd, RolloutPolicy,
    RolloutTarget, Verdict,
};
use alfred_ops_scaling::CloudRunOptions;
use alfred_ops_scaling::testing::servers::CloudRunServer;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

pub(crate) const CANDIDATE: &str = "api-2";
/// What the platform calls the first revision.
pub(crate) const STABLE: &str = "api-00001-aab";
/// How many instances a pool has unless a test says otherwise: every share of the policy is a whole number of them.
pub(crate) const INSTANCES: u32 = 20;

/// What is rolled out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Service,
    Pool,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Service, Kind::Pool];

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Service => "projects/alfred/locations/europe-west1/services/api",
            Self::Pool => "projects/alfred/locations/europe-west1/workerPools/api",
        }
    }

    /// The field of the split.
    pub(crate) fn split(self) -> &'static str {
        match self {
            Self::Service => "traffic",
            Self::Pool => "instanceSplits",
        }
    }

    fn allocation(self, to: &str) -> String {
        match self {
            Self::Service => format!("TRAFFIC_TARGET_ALLOCATION_TYPE_{to}"),
            Self::Pool => format!("INSTANCE_SPLIT_ALLOCATION_TYPE_{to}"),
        }
    }

    pub(crate) fn latest(self) -> Value {
        json!([{ "type": self.allocation("LATEST"), "percent": 100 }])
    }

    pub(crate) fn to(self, shares: &[(&str, u32)]) -> Value {
        let entry = |(revision, percent): &(&str, u32)| json!({ "type": self.allocation("REVISION"), "revision": revision, "percent": percent });
        shares.iter().map(entry).collect()
    }

    pub(crate) fn template(self) -> Value {
        let mut template = json!({
            "containers": [
                { "image": image(1), "env": [{ "name": "MODE", "value": "live" }] },
                { "image": "gcr.io/alfred/proxy@sha256:1" },
            ],
            "labels": { "team": "agents" },
            "annotations": { "owner": "platform" },
            "serviceAccount": "bot@alfred",
        });
        if self == Self::Service {
            template["containers"][0]["ports"] = json!([{ "containerPort": 8080 }]);
            template["scaling"] = json!({ "minInstanceCount": 2, "maxInstanceCount": 20 });
            template["timeout"] = json!("300s");
            template["maxInstanceRequestConcurrency"] = json!(40);
        }
        template
    }

    pub(crate) async fn server(self, split: Value) -> CloudRunServer {
        let server = CloudRunServer::start().await.unwrap();
        let scaling = match self {
            Self::Service => json!({ "minInstanceCount": 3 }),
            Self::Pool => json!({ "manualInstanceCount": INSTANCES }),
        };
        let body = json!({
            "template": self.template(),
            self.split(): split,
            "scaling": scaling,
            "labels": { "cost": "bots" },
            "annotations": { "note": "mine" },
            "client": "gcloud",
            "clientVersion": "540.0.0",
        });
        server.add(self.name(), &body);
        assert_eq!(server.revision_names(self.name()), [STABLE]);
        server
    }

    pub(crate) async fn target(self, server: &CloudRunServer) -> Arc<dyn RolloutTarget> {
        match self {
            Self::Service => {
                let options = CloudRunOptions::new("alfred", "europe-west1", "api").unwrap();
                Arc::new(CloudRunRollout::connect(at(options, server)).await.unwrap())
            }
            Self::Pool => Arc::new(pool(server).await),
        }
    }

    pub(crate) fn change_split(self, server: &CloudRunServer, split: &Value) {
        server.change(self.name(), &json!({ self.split(): split }), self.split());
    }
}

fn at(options: CloudRunOptions, server: &CloudRunServer) -> CloudRunOptions {
    options.with_endpoint(server.endpoint()).with_poll_after(Duration::from_millis(1))
}

pub(crate) async fn pool(server: &CloudRunServer) -> CloudRunWorkerPoolRollout {
    let options = CloudRunOptions::worker_pool("alfred", "europe-west1", "api").unwrap();
    CloudRunWorkerPoolRollout::connect(at(options, server)).await.unwrap()
}

pub(crate) fn image(version: u32) -> String {
    format!("gcr.io/alfred/api@sha256:{version:064}")
}

pub(crate) fn release() -> Release {
    Release::new(CANDIDATE, image(2)).unwrap()
}

pub(crate) fn policy() -> RolloutPolicy {
    let mut policy = RolloutPolicy::default();
    (policy.steps, policy.passes) = (vec![10, 50, 100], 2);
    (policy.interval, policy.silence) = (Duration::from_secs(20), Duration::from_secs(120));
    policy
}

pub(crate) fn shares(shares: &[(&str, i64)]) -> BTreeMap<String, i64> {
    shares.iter().map(|(revision, percent)| ((*revision).to_owned(), *percent)).collect()
}

/// A rollout of one service or pool.
pub(crate) struct House<'a> {
    pub(crate) server: &'a CloudRunServer,
    pub(crate) kind: Kind,
    pub(crate) clock: SimulatedClock,
    pub(crate) context: JobContext,
    pub(crate) store: MemoryStateStore,
    pub(crate) rollout: Rollout<Arc<dyn RolloutTarget>>,
    /// Every split that was really served, once each time it changed.
    pub(crate) served: Vec<BTreeMap<String, i64>>,
}

impl<'a> House<'a> {
    pub(crate) async fn new(
        kind: Kind,
        server: &'a CloudRunServer,
        verdict: impl Fn(DateTime<Utc>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let store = MemoryStateStore::new(clock.shared());
        let target = kind.target(server).await;
        Self::of(kind, server, clock, store, target, verdict)
    }

    pub(crate) fn of(
        kind: Kind,
        server: &'a CloudRunServer,
        clock: SimulatedClock,
        store: MemoryStateStore,
        target: Arc<dyn RolloutTarget>,
        verdict: impl Fn(DateTime<Utc>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let now = clock.shared();
        let analysis = ClosureAnalysis::new("errors", move |_| {
            let verdict = verdict(now.now());
            async move { Ok(verdict) }
        });
        let rollout = Rollout::builder("api", target, Arc::new(store.clone()))
            .policy(policy())
            .analysis(analysis)
            .build()
            .unwrap();
        let context = JobContext::system().with_clock(clock.shared());
        Self { server, kind, clock, context, store, rollout, served: Vec::new() }
    }

    pub(crate) async fn begun(
        kind: Kind,
        server: &'a CloudRunServer,
        verdict: impl Fn(DateTime<Utc>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let house = Self::new(kind, server, verdict).await;
        house.rollout.begin(&house.context, release()).await.unwrap();
        house
    }

    /// One run now, and how the rollout ended if it has.
    pub(crate) async fn run_once(&mut self) -> Option<RolloutEnd> {
        self.rollout.run(&self.context).await.unwrap();
        let served = self.server.shares(self.kind.name());
        if self.served.last() != Some(&served) {
            self.served.push(served);
        }
        let state = self.rollout.book(&self.context).state().await.unwrap().unwrap();
        state.end().cloned()
    }

    /// Runs every ten seconds until it is over, or until `done`.
    pub(crate) async fn run_until(&mut self, done: impl Fn(&CloudRunServer) -> bool) -> Option<RolloutEnd> {
        for _ in 0..200 {
            if let Some(end) = self.run_once().await {
                return Some(end);
            }
            if done(self.server) {
                return None;
            }
            self.clock.advance(Duration::from_secs(10));
        }
        panic!("it does not end");
    }

    pub(crate) async fn run(&mut self) -> RolloutEnd {
        self.run_until(|_| false).await.unwrap()
    }
}
