//! A cluster, a clock that the test drives, and one rollout.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::http::KubernetesApiServer;
use alfred_ops_core::{JobContext, MemoryStateStore, SimulatedClock, StateStore};
use alfred_ops_maintenance::{
    ClosureAnalysis, KubernetesRollout, Release, Rollout, RolloutBook, RolloutEnd, RolloutPolicy, Verdict,
};
use alfred_ops_scaling::KubernetesCluster;
use alfred_ops_scaling::testing::servers::KubernetesServer;
use chrono::{DateTime, Utc};
use serde_json::Value;

pub(crate) const SPACE: &str = "agents";

type Judge = Arc<Mutex<Box<dyn FnMut(DateTime<Utc>) -> Verdict + Send>>>;

pub(crate) struct House {
    pub(crate) server: KubernetesServer,
    pub(crate) clock: SimulatedClock,
    pub(crate) context: JobContext,
    pub(crate) store: MemoryStateStore,
    judge: Judge,
    pub(crate) total: u32,
}

impl House {
    /// A Service `api` before one plain Deployment `api-1` of `total` replicas, none of which is missing.
    pub(crate) async fn new(
        total: u32,
        judge: impl FnMut(DateTime<Utc>) -> Verdict + Send + 'static,
    ) -> Self {
        let server = KubernetesServer::start().await.unwrap();
        server.add("Deployment", SPACE, "api-1", total);
        server.add_service(SPACE, "api", ("app", "api-1"));
        server.reconcile();
        server.start_slowly();
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        Self {
            context: JobContext::system().with_clock(clock.shared()),
            store: MemoryStateStore::new(clock.shared()),
            judge: Arc::new(Mutex::new(Box::new(judge))),
            server,
            clock,
            total,
        }
    }

    pub(crate) fn cluster(&self) -> Arc<KubernetesCluster> {
        let server = KubernetesApiServer::new(self.server.url());
        Arc::new(KubernetesCluster::new(server, self.clock.shared()).unwrap())
    }

    pub(crate) fn target(&self) -> KubernetesRollout {
        KubernetesRollout::service(self.cluster(), SPACE, "api").unwrap()
    }

    pub(crate) fn rollout_of(
        &self,
        target: KubernetesRollout,
        store: Arc<dyn StateStore>,
    ) -> Rollout<KubernetesRollout> {
        let (judge, clock) = (Arc::clone(&self.judge), self.clock.shared());
        let analysis = ClosureAnalysis::new("errors", move |_| {
            let verdict = (judge.lock().unwrap())(clock.now());
            async move { Ok(verdict) }
        });
        Rollout::builder("api", target, store).policy(policy()).analysis(analysis).build().unwrap()
    }

    pub(crate) fn rollout(&self) -> Rollout<KubernetesRollout> {
        self.rollout_of(self.target(), Arc::new(self.store.clone()))
    }

    pub(crate) async fn begun(&self) -> Rollout<KubernetesRollout> {
        let rollout = self.rollout();
        rollout.begin(&self.context, release()).await.unwrap();
        rollout
    }

    pub(crate) fn book(&self) -> RolloutBook {
        RolloutBook::new(Arc::new(self.store.clone()), "api", self.clock.shared())
    }

    pub(crate) async fn end(&self) -> Option<RolloutEnd> {
        self.book().state().await.unwrap().unwrap().end().cloned()
    }

    /// Ten seconds pass, in which controllers take a step.
    pub(crate) fn pass(&self) {
        self.server.reconcile();
        self.clock.advance(Duration::from_secs(10));
    }

    /// Runs to the end. Never do fewer pods serve than before.
    pub(crate) async fn finish(&self, rollout: &Rollout<KubernetesRollout>) -> RolloutEnd {
        for _ in 0..500 {
            rollout.run(&self.context).await.unwrap();
            self.check_serving();
            if let Some(end) = self.end().await {
                return end;
            }
            self.pass();
            self.check_serving();
        }
        panic!("it does not end: {:?}", self.book().state().await.unwrap());
    }

    /// Runs until the candidate has this many replicas that serve.
    pub(crate) async fn until_candidate_has(&self, rollout: &Rollout<KubernetesRollout>, count: usize) {
        for _ in 0..100 {
            rollout.run(&self.context).await.unwrap();
            if self.ready("api-2-").len() == count {
                rollout.run(&self.context).await.unwrap();
                return;
            }
            self.pass();
        }
        panic!("the candidate never has {count}");
    }

    pub(crate) fn check_serving(&self) {
        let ready = self.ready("api-").len();
        assert!(ready >= usize::try_from(self.total).unwrap(), "only {ready} of {} serve", self.total);
    }

    /// The pods that serve and whose names start so.
    pub(crate) fn ready(&self, prefix: &str) -> Vec<String> {
        let is_ready = |name: &String| {
            let pod = self.server.object("Pod", SPACE, name).unwrap();
            name.starts_with(prefix) && pod["status"]["conditions"][0]["status"] == "True"
        };
        self.server.pods(SPACE).into_iter().filter(is_ready).collect()
    }

    /// The Deployments and how many replicas each asks for.
    pub(crate) fn deployments(&self) -> Vec<(String, u32)> {
        let names = self.server.names("Deployment", SPACE).into_iter();
        names.map(|name| (name.clone(), self.server.replicas("Deployment", SPACE, &name).unwrap())).collect()
    }

    /// What the Service has written on it.
    pub(crate) fn shares(&self) -> Value {
        let service = self.server.object("Service", SPACE, "api").unwrap();
        serde_json::from_str(service["metadata"]["annotations"]["alfred-ops/shares"].as_str().unwrap())
            .unwrap()
    }
}

pub(crate) fn release() -> Release {
    Release::new("api-2", "alfred/bot:2").unwrap()
}

pub(crate) fn only(name: &str, replicas: u32) -> Vec<(String, u32)> {
    vec![(name.to_owned(), replicas)]
}

pub(crate) fn policy() -> RolloutPolicy {
    let mut policy = RolloutPolicy::default();
    policy.steps = vec![5, 50, 100];
    policy.passes = 2;
    (policy.interval, policy.silence) = (Duration::from_secs(20), Duration::from_secs(120));
    policy
}
