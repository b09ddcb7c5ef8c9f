//! Rollouts of a service on Cloud Run, against a server that keeps state.
//!
//! `ALFRED_OPS_ROLLOUT_CRASHES` says how many hosts die; without it, 100.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::{
    Document, EntropyExt as _, Error, ErrorKind, Expected, Fence, JobContext, MemoryStateStore, Result,
    Retry, SeededEntropy, SimulatedClock, StateStore, Write,
};
use alfred_ops_maintenance::{
    ClosureAnalysis, CloudRunRollout, Readiness, Release, Rollout, RolloutBook, RolloutEnd, RolloutPhase,
    RolloutPolicy, RolloutTarget, TargetView, TrafficSplit, Verdict,
};
use alfred_ops_scaling::CloudRunOptions;
use alfred_ops_scaling::testing::servers::{CloudRunServer, Fault};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use serde_json::{Value, json};

const SERVICE: &str = "projects/alfred/locations/europe-west1/services/api";
const CANDIDATE: &str = "api-2";
/// What the platform calls the first revision.
const STABLE: &str = "api-00001-aab";

fn image(version: u32) -> String {
    format!("gcr.io/alfred/api@sha256:{version:064}")
}

fn release() -> Release {
    Release::new(CANDIDATE, image(2)).unwrap()
}

fn policy() -> RolloutPolicy {
    let mut policy = RolloutPolicy::default();
    (policy.steps, policy.passes) = (vec![10, 50, 100], 2);
    (policy.interval, policy.silence) = (Duration::from_secs(20), Duration::from_secs(120));
    policy
}

fn template() -> Value {
    json!({
        "containers": [
            { "image": image(1), "ports": [{ "containerPort": 8080 }], "env": [{ "name": "MODE", "value": "live" }] },
            { "image": "gcr.io/alfred/proxy@sha256:1" },
        ],
        "scaling": { "minInstanceCount": 2, "maxInstanceCount": 20 },
        "labels": { "team": "agents" },
        "annotations": { "owner": "platform" },
        "serviceAccount": "bot@alfred",
        "timeout": "300s",
        "maxInstanceRequestConcurrency": 40,
    })
}

async fn server(traffic: Value) -> CloudRunServer {
    let server = CloudRunServer::start().await.unwrap();
    let body = json!({
        "template": template(),
        "traffic": traffic,
        "scaling": { "minInstanceCount": 3 },
        "labels": { "cost": "bots" },
        "annotations": { "note": "mine" },
        "client": "gcloud",
        "clientVersion": "540.0.0",
    });
    server.add(SERVICE, &body);
    assert_eq!(server.revision_names(SERVICE), [STABLE]);
    server
}

fn latest() -> Value {
    json!([{ "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "percent": 100 }])
}

fn to(shares: &[(&str, u32)]) -> Value {
    let entry = |(revision, percent): &(&str, u32)| json!({ "type": "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION", "revision": revision, "percent": percent });
    shares.iter().map(entry).collect()
}

fn shares(shares: &[(&str, i64)]) -> BTreeMap<String, i64> {
    shares.iter().map(|(revision, percent)| ((*revision).to_owned(), *percent)).collect()
}

fn change_traffic(server: &CloudRunServer, traffic: &Value) {
    server.change(SERVICE, &json!({ "traffic": traffic }), "traffic");
}

async fn target(server: &CloudRunServer) -> CloudRunRollout {
    let options = CloudRunOptions::new("alfred", "europe-west1", "api")
        .unwrap()
        .with_endpoint(server.endpoint())
        .with_poll_after(Duration::from_millis(1));
    CloudRunRollout::connect(options).await.unwrap()
}

/// A rollout of the service under a clock that the test drives.
struct House<'a> {
    server: &'a CloudRunServer,
    clock: SimulatedClock,
    context: JobContext,
    rollout: Rollout<CloudRunRollout>,
    /// Every split that was really served, once each time it changed.
    served: Vec<BTreeMap<String, i64>>,
}

impl<'a> House<'a> {
    async fn new(
        server: &'a CloudRunServer,
        verdict: impl Fn(DateTime<Utc>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let now = clock.shared();
        let analysis = ClosureAnalysis::new("errors", move |_| {
            let verdict = verdict(now.now());
            async move { Ok(verdict) }
        });
        let store = Arc::new(MemoryStateStore::new(clock.shared()));
        let rollout = Rollout::builder("api", target(server).await, store)
            .policy(policy())
            .analysis(analysis)
            .build()
            .unwrap();
        let context = JobContext::system().with_clock(clock.shared());
        Self { server, clock, context, rollout, served: Vec::new() }
    }

    async fn begun(
        server: &'a CloudRunServer,
        verdict: impl Fn(DateTime<Utc>) -> Verdict + Send + Sync + 'static,
    ) -> Self {
        let house = Self::new(server, verdict).await;
        house.rollout.begin(&house.context, release()).await.unwrap();
        house
    }

    /// Runs every ten seconds until it is over, or until `done`.
    async fn run_until(&mut self, done: impl Fn(&CloudRunServer) -> bool) -> Option<RolloutEnd> {
        for _ in 0..200 {
            self.rollout.run(&self.context).await.unwrap();
            let served = self.server.shares(SERVICE);
            if self.served.last() != Some(&served) {
                self.served.push(served);
            }
            let state = self.rollout.book(&self.context).state().await.unwrap().unwrap();
            if let Some(end) = state.end() {
                return Some(end.clone());
            }
            if done(self.server) {
                return None;
            }
            self.clock.advance(Duration::from_secs(10));
        }
        panic!("it does not end");
    }

    async fn run(&mut self) -> RolloutEnd {
        self.run_until(|_| false).await.unwrap()
    }
}

#[tokio::test]
async fn a_good_release_goes_out_and_takes_all_but_the_image_along() {
    let explicit = || to(&[(STABLE, 100)]);
    // Most services are on LATEST, in words or without any.
    for traffic in [json!([]), latest(), explicit()] {
        let server = server(traffic.clone()).await;
        if traffic == json!([]) || traffic == latest() {
            assert_eq!(target(&server).await.observe().await.unwrap().split, Some(TrafficSplit::all(STABLE)));
        }
        server.start_after(3);
        server.finish_after(2);
        let before = server.document(SERVICE).unwrap();
        let mut house = House::begun(&server, |_| Verdict::Pass).await;
        assert_eq!(house.run().await, RolloutEnd::Promoted { left: String::new() }, "{traffic}");
        let steps = [
            &[(STABLE, 100)][..],
            &[(STABLE, 90), (CANDIDATE, 10)],
            &[(STABLE, 50), (CANDIDATE, 50)],
            &[(CANDIDATE, 100)],
        ];
        assert_eq!(house.served, steps.map(shares), "{traffic}");
        assert_eq!(server.revision_names(SERVICE), [CANDIDATE]);

        let after = server.document(SERVICE).unwrap();
        let mut wanted = template();
        wanted["containers"][0]["image"] = json!(image(2));
        wanted["revision"] = json!(CANDIDATE);
        assert_eq!(after["template"], wanted);
        assert_eq!(after["traffic"], to(&[(CANDIDATE, 100)]));
        for field in ["scaling", "labels", "annotations", "client", "clientVersion"] {
            assert_eq!(after[field], before[field], "{field}");
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn the_next_release_starts_from_where_the_last_one_ended() {
    let server = server(latest()).await;
    let mut house = House::begun(&server, |_| Verdict::Pass).await;
    house.run().await;
    house.rollout.begin(&house.context, Release::new("api-3", image(3)).unwrap()).await.unwrap();
    assert_eq!(house.run().await, RolloutEnd::Promoted { left: String::new() });
    assert_eq!(
        (server.shares(SERVICE), server.revision_names(SERVICE).len()),
        (shares(&[("api-3", 100)]), 1)
    );
    server.stop().await;
}

#[tokio::test]
async fn a_bad_release_goes_back_at_most_two_intervals_after_the_first_bad_sample() {
    for bad_from in [0, 50, 90] {
        let server = server(latest()).await;
        let first_bad = Arc::new(Mutex::new(None));
        let seen = Arc::clone(&first_bad);
        let mut house = House::begun(&server, move |now| {
            if now.timestamp() < bad_from {
                return Verdict::Pass;
            }
            seen.lock().unwrap().get_or_insert(now);
            Verdict::Fail("errors".to_owned())
        })
        .await;
        let seen = Arc::clone(&first_bad);
        let all = shares(&[(STABLE, 100)]);
        // The traffic was split, and is whole again.
        house.run_until(|server| seen.lock().unwrap().is_some() && server.shares(SERVICE) == all).await;
        let first_bad = first_bad.lock().unwrap().unwrap();
        assert!(house.context.now() - first_bad <= chrono::TimeDelta::seconds(40), "bad from {bad_from}");
        let end = house.run().await;
        assert!(matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains("errors")), "{end:?}");
        assert_eq!(server.shares(SERVICE), shares(&[(STABLE, 100)]));
        // The next deployment by anybody starts from what is good.
        let after = server.document(SERVICE).unwrap();
        assert_eq!(after["template"], template(), "bad from {bad_from}");
        let names = server.revision_names(SERVICE);
        assert!(names.len() == 2 && !names.contains(&CANDIDATE.to_owned()), "{names:?}");
        assert_eq!(server.revision(SERVICE, &names[0]).unwrap()["containers"][0]["image"], image(1));
        server.stop().await;
    }
}

#[tokio::test]
async fn nothing_is_promoted_without_data() {
    let server = server(latest()).await;
    let mut house = House::begun(&server, |_| Verdict::NoData("no series".to_owned())).await;
    let end = house.run().await;
    assert!(matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains("no series")), "{end:?}");
    let served = [&[(STABLE, 90), (CANDIDATE, 10)][..], &[(STABLE, 100)]];
    assert_eq!(house.served, served.map(shares));
    server.stop().await;
}

#[tokio::test]
async fn what_does_not_start_gets_no_traffic() {
    let server = server(latest()).await;
    server.start_after(2);
    server.break_image(&image(2), "The container failed to listen on port 8080.");
    let mut house = House::begun(&server, |_| Verdict::Pass).await;
    let end = house.run().await;
    let said = "api-2 failed: HEALTH_CHECK_CONTAINER_ERROR: The container failed to listen on port 8080.";
    assert!(matches!(&end, RolloutEnd::RolledBack { reason } if reason.starts_with(said)), "{end:?}");
    assert_eq!(house.served, [shares(&[(STABLE, 100)])]);
    let condition = &server.document(SERVICE).unwrap()["terminalCondition"]["state"];
    assert_ne!(condition, "CONDITION_FAILED", "what it leaves behind is whole");
    server.stop().await;
}

#[tokio::test]
async fn a_change_by_hand_ends_the_rollout_and_stays() {
    let hands: [(&str, Value, &str); 3] = [
        (
            "the traffic is 30 % to api-00001-aab, 70 % to api-2",
            to(&[(STABLE, 30), (CANDIDATE, 70)]),
            "traffic",
        ),
        ("the traffic is 100 % to api-2", latest(), "traffic"),
        ("the traffic is 100 % to api-00001-aab", to(&[(STABLE, 100)]), "traffic"),
    ];
    for (said, traffic, mask) in hands {
        let server = server(latest()).await;
        let mut house = House::begun(&server, |_| Verdict::Pass).await;
        let half = shares(&[(STABLE, 50), (CANDIDATE, 50)]);
        assert_eq!(house.run_until(|server| server.shares(SERVICE) == half).await, None);
        server.change(SERVICE, &json!({ "traffic": traffic }), mask);
        // The etag changes with every change.
        let etag = |server: &CloudRunServer| server.document(SERVICE).unwrap()["etag"].clone();
        let left = etag(&server);
        let end = house.run().await;
        assert!(matches!(&end, RolloutEnd::HandedBack { reason } if reason.contains(said)), "{end:?}");
        assert_eq!(etag(&server), left, "it was touched again");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_deployment_by_hand_gets_no_traffic_and_stays() {
    for verdict in [Verdict::Pass, Verdict::Fail("errors".to_owned())] {
        let server = server(latest()).await;
        let good = verdict == Verdict::Pass;
        let mut house = House::begun(&server, move |_| verdict.clone()).await;
        let canary = shares(&[(STABLE, 90), (CANDIDATE, 10)]);
        house.run_until(|server| server.shares(SERVICE) == canary).await;
        let mut other = template();
        other["containers"][0]["image"] = json!(image(9));
        server.change(SERVICE, &json!({ "template": other }), "template");
        house.run().await;
        let winner = if good { CANDIDATE } else { STABLE };
        assert_eq!(server.shares(SERVICE), shares(&[(winner, 100)]));
        assert_eq!(server.document(SERVICE).unwrap()["template"], other);
        assert_eq!(server.revision_names(SERVICE).len(), 2, "the winner and the other's");
        server.stop().await;
    }
}

#[tokio::test]
async fn nobodys_change_is_overwritten_and_no_outcome_is_guessed() {
    let server = server(latest()).await;
    let target = target(&server).await;
    let old = target.observe().await.unwrap().version;
    server.change(SERVICE, &json!({ "labels": { "cost": "others" } }), "labels");
    let left = server.document(SERVICE);
    let split = TrafficSplit::all(STABLE);
    for done in [
        target.create_candidate(&old, STABLE, &release()).await,
        target.set_traffic(&old, &split).await,
        target.retire(&old, STABLE).await,
    ] {
        assert_eq!(done.unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(server.document(SERVICE), left);
    }
    // Somebody comes between the look and the change.
    let version = target.observe().await.unwrap().version;
    let (service, shown) = (server.document(SERVICE).unwrap(), version.clone());
    assert_eq!(service["etag"], json!(shown));
    for (fault, kind, retry) in [
        (Fault::Conflict, ErrorKind::Unavailable, Retry::After(None)),
        (Fault::Denied, ErrorKind::PermissionDenied, Retry::Never),
        (Fault::QuotaExceeded, ErrorKind::Unavailable, Retry::After(None)),
    ] {
        server.fail_next([Fault::Pass, fault]);
        let error = target.set_traffic(&version, &split).await.unwrap_err();
        assert_eq!((error.kind(), error.retry()), (kind, retry), "{}", error.full());
        assert_eq!(server.document(SERVICE).unwrap(), service);
    }
    server.fail_next([Fault::Pass, Fault::LoseAnswer]);
    let error = target.set_traffic(&version, &split).await.unwrap_err();
    assert_eq!(error.retry(), Retry::Unknown, "{}", error.full());
    assert_eq!(server.document(SERVICE).unwrap()["traffic"], to(&[(STABLE, 100)]));
    server.stop().await;
}

#[tokio::test]
async fn what_cannot_be_rolled_out_is_refused_before_anything_is_touched() {
    let server = server(latest()).await;
    let house = House::new(&server, |_| Verdict::Pass).await;
    let left = server.document(SERVICE);
    for (revision, image, said) in [
        ("web-2", image(2), "revision: \"web-2\" does not begin with api-"),
        ("api", image(2), "does not begin with api-"),
        (
            CANDIDATE,
            "gcr.io/alfred/api:v2".to_owned(),
            "image: \"gcr.io/alfred/api:v2\" is not named by digest",
        ),
        (STABLE, image(2), "there is a revision api-00001-aab already"),
    ] {
        let release = Release::new(revision, image).unwrap();
        let error = house.rollout.begin(&house.context, release).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(said) && error.remedy().is_some(), "{error}");
    }
    assert_eq!(server.document(SERVICE), left);
    // LATEST stands still while the newest revision does not start, and nobody knows for how long.
    server.break_image(&image(7), "no");
    let mut other = template();
    other["containers"][0]["image"] = json!(image(7));
    server.change(SERVICE, &json!({ "template": other }), "template");
    let error = house.rollout.begin(&house.context, release()).await.unwrap_err();
    assert!(error.to_string().contains("does not go to named revisions"), "{error}");
    change_traffic(&server, &to(&[(STABLE, 100)]));
    house.rollout.begin(&house.context, release()).await.unwrap();
    server.stop().await;
}

#[tokio::test]
async fn a_tag_keeps_its_revision() {
    let server = server(json!([])).await;
    let mut tagged = to(&[(STABLE, 100)]);
    tagged[0]["tag"] = json!("blue");
    change_traffic(&server, &tagged);
    let target = target(&server).await;
    let version = target.observe().await.unwrap().version;
    target.create_candidate(&version, STABLE, &release()).await.unwrap();
    let view = target.observe().await.unwrap();
    assert_eq!(view.revisions[CANDIDATE].readiness, Readiness::Ready);
    target.set_traffic(&view.version, &TrafficSplit::all(CANDIDATE)).await.unwrap();
    tagged[0]["percent"] = json!(0);
    let entries = server.document(SERVICE).unwrap()["traffic"].clone();
    assert_eq!(
        (entries[0]["tag"].as_str(), entries[1]["revision"].as_str()),
        (Some("blue"), Some(CANDIDATE))
    );
    let version = target.observe().await.unwrap().version;
    let error = target.retire(&version, STABLE).await.unwrap_err();
    assert!(error.to_string().contains("0 % of the traffic, tag \"blue\""), "{error}");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    server.stop().await;
}

#[derive(Debug, Default)]
struct Fuse {
    /// Calls until the host dies.
    left: Option<u64>,
    /// Whether the last call takes effect.
    late: bool,
    dead: bool,
    blown: u64,
    current: Option<String>,
}

/// What the host and everything it calls are made of.
#[derive(Debug, Clone)]
struct World {
    target: Arc<CloudRunRollout>,
    server: Arc<CloudRunServer>,
    store: MemoryStateStore,
    book: RolloutBook,
    fuse: Arc<Mutex<Fuse>>,
}

#[derive(PartialEq)]
enum Fate {
    Lives,
    DiesBefore,
    DiesAfter,
}

fn died() -> Error {
    Error::new(ErrorKind::Unavailable, "call", "the host is dead")
}

impl World {
    fn fate(&self) -> Fate {
        let mut fuse = self.fuse.lock().unwrap();
        if fuse.dead {
            return Fate::DiesBefore;
        }
        match fuse.left.as_mut() {
            Some(0) => {
                (fuse.dead, fuse.blown) = (true, fuse.blown + 1);
                if fuse.late { Fate::DiesAfter } else { Fate::DiesBefore }
            }
            Some(left) => {
                *left -= 1;
                Fate::Lives
            }
            None => Fate::Lives,
        }
    }

    async fn call<A>(&self, call: impl Future<Output = Result<A>> + Send) -> Result<A> {
        let fate = self.fate();
        if fate == Fate::DiesBefore {
            return Err(died());
        }
        let done = call.await;
        self.watch().await;
        if fate == Fate::DiesAfter { Err(died()) } else { done }
    }

    /// What holds at every moment.
    async fn watch(&self) {
        let shares = self.server.shares(SERVICE);
        assert_eq!(shares.values().sum::<i64>(), 100, "{shares:?}");
        let Some(state) = self.book.state().await.unwrap() else { return };
        let current = self.book.current().await.unwrap().unwrap();
        assert!(self.server.revision(SERVICE, &current).is_some(), "the current revision {current} is gone");
        let mut fuse = self.fuse.lock().unwrap();
        if fuse.current.as_ref() != Some(&current) {
            assert_eq!(shares.get(&current), Some(&100), "it became current without all traffic");
            fuse.current = Some(current.clone());
        }
        let promoted =
            matches!(state.phase, RolloutPhase::Promoted | RolloutPhase::Ended(RolloutEnd::Promoted { .. }));
        // Who changes the traffic after the promotion ends the rollout where it stands.
        let kept =
            current == CANDIDATE && matches!(state.phase, RolloutPhase::Ended(RolloutEnd::HandedBack { .. }));
        assert_eq!(current == CANDIDATE, promoted || kept, "{current} is current in {:?}", state.phase);
        let stays = promoted || kept || self.server.revision(SERVICE, STABLE).is_some();
        assert!(stays, "there is no way back");
        if matches!(state.phase, RolloutPhase::Checking | RolloutPhase::Gated | RolloutPhase::Creating) {
            assert_eq!(shares.get(STABLE), Some(&100), "the candidate got traffic by being made");
        }
    }
}

#[async_trait]
impl RolloutTarget for World {
    fn name(&self) -> &str {
        self.target.name()
    }
    fn check(&self, release: &Release) -> Result<()> {
        self.target.check(release)
    }
    async fn observe(&self) -> Result<TargetView> {
        self.call(self.target.observe()).await
    }
    async fn create_candidate(&self, version: &str, stable: &str, release: &Release) -> Result<()> {
        self.call(self.target.create_candidate(version, stable, release)).await
    }
    async fn set_traffic(&self, version: &str, split: &TrafficSplit) -> Result<()> {
        self.call(self.target.set_traffic(version, split)).await
    }
    async fn retire(&self, version: &str, revision: &str) -> Result<()> {
        self.call(self.target.retire(version, revision)).await
    }
}

#[async_trait]
impl StateStore for World {
    async fn get(&self, key: &str) -> Result<Option<Document>> {
        self.call(self.store.get(key)).await
    }
    async fn put(&self, write: &Write) -> Result<u64> {
        self.call(self.store.put(write)).await
    }
    async fn delete(&self, key: &str, expected: Expected, fence: Option<Fence>) -> Result<()> {
        self.call(self.store.delete(key, expected, fence)).await
    }
    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<Document>> {
        self.call(self.store.list(prefix, after, limit)).await
    }
}

/// How the candidate fares in one history: it passes until this minute.
fn fare(entropy: &SeededEntropy) -> i64 {
    [i64::MAX, i64::MAX, 0, 1][usize::try_from(entropy.below(4)).unwrap()]
}

async fn world(seed: u64, clock: &SimulatedClock) -> World {
    let server = server(if seed.is_multiple_of(2) { latest() } else { to(&[(STABLE, 100)]) }).await;
    server.start_after(u32::try_from(seed % 3).unwrap());
    let store = MemoryStateStore::new(clock.shared());
    World {
        target: Arc::new(target(&server).await),
        server: Arc::new(server),
        book: RolloutBook::new(Arc::new(store.clone()), "api", clock.shared()),
        store,
        fuse: Arc::default(),
    }
}

/// A change that somebody makes, or a fault of the network, now and then. Tells whether it was a person.
fn meddle(world: &World, entropy: &SeededEntropy) -> bool {
    let faults = [Fault::LoseAnswer, Fault::Unavailable, Fault::Conflict];
    match entropy.below(60) {
        0 => {
            change_traffic(&world.server, &to(&[(STABLE, 100)]));
            true
        }
        1..6 => {
            let later = usize::try_from(entropy.below(6)).unwrap();
            let fault = faults[usize::try_from(entropy.below(3)).unwrap()];
            world.server.fail_next(std::iter::repeat_n(Fault::Pass, later).chain([fault]));
            false
        }
        _ => false,
    }
}

/// One history, to its end. Returns how it ended and how many hosts died.
async fn live(seed: u64) -> (RolloutEnd, u64) {
    let entropy = Arc::new(SeededEntropy::new(seed));
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let world = world(seed, &clock).await;
    let context = JobContext::system()
        .with_clock(clock.shared())
        .with_entropy(Arc::new(SeededEntropy::new(seed ^ 0x5eed)));
    let (bad_from, now) = (fare(&entropy), clock.shared());
    let analysis = ClosureAnalysis::new("seeded", move |_| {
        let bad = now.now().timestamp() / 60 >= bad_from;
        async move { Ok(if bad { Verdict::Fail("errors".to_owned()) } else { Verdict::Pass }) }
    });
    let rollout = Rollout::builder("api", world.clone(), Arc::new(world.clone()))
        .policy(policy())
        .analysis(analysis)
        .build()
        .unwrap();
    rollout.begin(&context, release()).await.unwrap();
    let (mut crashes, mut person) = (2 + entropy.below(3), false);
    for _ in 0..500 {
        let state = world.book.state().await.unwrap().unwrap();
        if let Some(end) = state.end() {
            check_end(&world, end, bad_from, person);
            let died = world.fuse.lock().unwrap().blown;
            world.server.fail_next([]);
            return (end.clone(), died);
        }
        if crashes > 0 && world.fuse.lock().unwrap().left.is_none() {
            crashes -= 1;
            let mut fuse = world.fuse.lock().unwrap();
            (fuse.left, fuse.late) = (Some(entropy.below(60)), entropy.below(2) == 1);
        }
        person |= meddle(&world, &entropy);
        let done = rollout.run(&context).await;
        let mut fuse = world.fuse.lock().unwrap();
        if std::mem::take(&mut fuse.dead) {
            fuse.left = None;
        } else if let Err(error) = done {
            assert!(
                matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout),
                "seed {seed}: {}",
                error.full()
            );
        }
        drop(fuse);
        clock.advance(Duration::from_secs(10));
    }
    panic!("seed {seed}: it does not end");
}

fn check_end(world: &World, end: &RolloutEnd, bad_from: i64, person: bool) {
    let (served, names) = (world.server.shares(SERVICE), world.server.revision_names(SERVICE));
    let image_of = |revision: &str| {
        world.server.revision(SERVICE, revision).map(|view| view["containers"][0]["image"].clone())
    };
    match end {
        RolloutEnd::Promoted { left } => {
            assert_eq!((served, left.as_str()), (shares(&[(CANDIDATE, 100)]), ""));
            assert_eq!(names, [CANDIDATE]);
            assert_eq!(bad_from, i64::MAX, "a bad one was promoted");
        }
        RolloutEnd::RolledBack { .. } | RolloutEnd::Refused { .. } => {
            assert_eq!(served, shares(&[(STABLE, 100)]));
            assert!(image_of(CANDIDATE).is_none(), "{names:?}");
            assert_eq!(
                world.server.document(SERVICE).unwrap()["template"]["containers"][0]["image"],
                image(1)
            );
        }
        RolloutEnd::HandedBack { reason } => assert!(person, "nobody changed anything, and yet: {reason}"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_rollout_survives_the_death_of_its_host_at_any_call() {
    let wanted =
        std::env::var("ALFRED_OPS_ROLLOUT_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    let (mut deaths, mut promoted, mut back, mut seed) = (0, 0, 0, 0);
    while deaths < wanted {
        let (end, died) = live(seed).await;
        deaths += died;
        promoted += u64::from(matches!(end, RolloutEnd::Promoted { .. }));
        back += u64::from(matches!(end, RolloutEnd::RolledBack { .. }));
        seed += 1;
    }
    println!("{deaths} deaths in {seed} rollouts: {promoted} promoted, {back} back");
    assert!(
        wanted < 100 || (promoted > seed / 20 && back > seed / 10),
        "{promoted} promoted, {back} back of {seed}"
    );
}
