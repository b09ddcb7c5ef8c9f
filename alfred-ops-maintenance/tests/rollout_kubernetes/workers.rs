//! Workers with leases.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use alfred_ops_core::{EntropyExt as _, ErrorKind, SeededEntropy};
use alfred_ops_maintenance::{KubernetesRollout, Rollout, RolloutEnd, Verdict};
use alfred_ops_scaling::{DrainLeases, Work};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;

use super::house::{House, SPACE, only, release};

/// Workers that hold leases while they work, and everybody who was stopped at it.
struct Pool {
    house: House,
    leases: DrainLeases,
    working: BTreeMap<String, (Work, DateTime<Utc>)>,
}

impl Pool {
    async fn new(total: u32, judge: impl FnMut(DateTime<Utc>) -> Verdict + Send + 'static) -> Self {
        let house = House::new(total, judge).await;
        let leases = DrainLeases::new(Arc::new(house.store.clone()), "drain/bots", house.clock.shared());
        Self { house, leases, working: BTreeMap::new() }
    }

    async fn begun(&self) -> Rollout<KubernetesRollout> {
        let labels = [("app".to_owned(), "api-1".to_owned())];
        let target = KubernetesRollout::workers(self.house.cluster(), SPACE, "bots", labels).unwrap();
        let target = target.with_leases(self.leases.clone());
        let rollout = self.house.rollout_of(target, Arc::new(self.house.store.clone()));
        rollout.begin(&self.house.context, release()).await.unwrap();
        rollout
    }

    /// A worker begins work if it may.
    async fn work(&mut self, pod: &str, seconds: u64) -> bool {
        match self.leases.worker(pod).begin(Duration::from_secs(seconds)).await {
            Ok(work) => {
                let until =
                    self.house.clock.shared().now() + TimeDelta::seconds(i64::try_from(seconds).unwrap());
                self.working.insert(pod.to_owned(), (work, until));
                true
            }
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
                false
            }
        }
    }

    /// All who serve begin to work for half an hour.
    async fn hold(&mut self, prefix: &str) {
        for pod in self.house.ready(prefix) {
            assert!(self.work(&pod, 1_800).await);
        }
    }

    async fn end(&mut self, pod: &str) {
        if let Some((work, _)) = self.working.remove(pod) {
            work.end().await.unwrap();
        }
    }

    /// Ten seconds pass. Nobody who works is gone afterwards.
    fn pass(&mut self) {
        self.house.pass();
        let (pods, now) = (self.house.server.pods(SPACE), self.house.clock.shared().now());
        self.working.retain(|_, (_, until)| *until > now);
        for pod in self.working.keys() {
            assert!(pods.contains(pod), "{pod} worked and was stopped");
        }
    }

    /// A look at the rollout, and ten seconds.
    async fn look(&mut self, rollout: &Rollout<KubernetesRollout>) {
        rollout.run(&self.house.context).await.unwrap();
        self.pass();
    }

    /// Looks to the end. How often is told with it.
    async fn finish(&mut self, rollout: &Rollout<KubernetesRollout>) -> (RolloutEnd, u32) {
        for looks in 0..400 {
            if let Some(end) = self.house.end().await {
                return (end, looks);
            }
            self.look(rollout).await;
        }
        panic!("it does not end: {:?}", self.house.book().state().await);
    }
}

async fn live(seed: u64) -> (RolloutEnd, usize) {
    let random = Arc::new(SeededEntropy::new(seed));
    let turns_bad = DateTime::from_timestamp(i64::try_from(random.below(400)).unwrap(), 0).unwrap();
    let bad = random.below(2) == 0;
    let mut pool = Pool::new(6, move |now| match bad && now > turns_bad {
        true => Verdict::Fail("errors".to_owned()),
        false => Verdict::Pass,
    })
    .await;
    let rollout = pool.begun().await;
    let mut done = 0;
    for _ in 0..2_000 {
        for pod in pool.house.ready("api-") {
            match (pool.working.contains_key(&pod), random.below(6)) {
                (false, 0..3) => done += usize::from(pool.work(&pod, 10 + random.below(200)).await),
                (true, 0) => pool.end(&pod).await,
                _ => {}
            }
        }
        rollout.run(&pool.house.context).await.unwrap();
        pool.house.check_serving();
        // Whoever is not told to go begins before the controllers have done anything.
        for pod in pool.house.ready("api-") {
            if !pool.working.contains_key(&pod) && random.below(3) == 0 {
                done += usize::from(pool.work(&pod, 10 + random.below(200)).await);
            }
        }
        if let Some(end) = pool.house.end().await {
            let left = if matches!(end, RolloutEnd::Promoted { .. }) { "api-2" } else { "api-1" };
            assert_eq!(pool.house.deployments(), only(left, 6), "seed {seed}: {end:?}");
            pool.house.server.stop().await;
            return (end, done);
        }
        pool.pass();
    }
    panic!("seed {seed}: it does not end");
}

#[tokio::test]
async fn nobody_who_works_is_stopped_during_a_rollout() {
    let (mut promoted, mut back, mut works) = (0, 0, 0);
    for seed in 0..12 {
        let (end, done) = live(seed).await;
        works += done;
        match end {
            RolloutEnd::Promoted { .. } => promoted += 1,
            RolloutEnd::RolledBack { .. } => back += 1,
            other => panic!("seed {seed}: {other:?}"),
        }
    }
    assert!(promoted > 1 && back > 1 && works > 200, "{promoted} promoted, {back} back, {works} works");
}

#[tokio::test]
async fn the_former_revision_goes_when_its_last_lease_ends() {
    let mut pool = Pool::new(4, |_| Verdict::Pass).await;
    let rollout = pool.begun().await;
    let busy = pool.house.ready("api-1")[2].clone();
    // Longer than anything may take to start.
    assert!(pool.work(&busy, 3_000).await);
    for _ in 0..200 {
        pool.look(&rollout).await;
    }
    assert_eq!(pool.house.end().await, None, "{:?}", pool.house.book().state().await);
    assert_eq!(pool.house.ready("api-1"), std::slice::from_ref(&busy));
    assert_eq!(pool.house.ready("api-2").len(), 4);
    rollout.run(&pool.house.context).await.unwrap();
    let explained = rollout.explain(&pool.house.context).await.unwrap().unwrap();
    assert!(explained.reason.contains("api-1 has 1 replicas, of which 0 stay"), "{explained}");
    pool.end(&busy).await;
    assert!(!pool.work(&busy, 10).await, "it was told to begin nothing more");
    let (end, _) = pool.finish(&rollout).await;
    assert_eq!(end, RolloutEnd::Promoted { left: String::new() });
    assert_eq!(pool.house.deployments(), only("api-2", 4));
    pool.house.server.stop().await;
}

#[tokio::test]
async fn long_leases_hold_a_release_up_and_do_not_turn_it_back() {
    let mut pool = Pool::new(8, |_| Verdict::Pass).await;
    let rollout = pool.begun().await;
    pool.house.until_candidate_has(&rollout, 1).await;
    pool.pass();
    pool.hold("api-1").await;
    let (end, looks) = pool.finish(&rollout).await;
    assert_eq!(end, RolloutEnd::Promoted { left: String::new() });
    assert!(looks > 170, "it waited for nobody: {looks}");
    pool.house.server.stop().await;
}

#[tokio::test]
async fn a_way_back_waits_for_the_candidates_leases() {
    let bad = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&bad);
    let mut pool = Pool::new(8, move |_| match seen.load(Ordering::Relaxed) {
        true => Verdict::Fail("errors".to_owned()),
        false => Verdict::Pass,
    })
    .await;
    let rollout = pool.begun().await;
    while !pool.house.ready("api-1").is_empty() {
        pool.look(&rollout).await;
    }
    pool.hold("api-2").await;
    bad.store(true, Ordering::Relaxed);
    let (end, looks) = pool.finish(&rollout).await;
    assert!(matches!(&end, RolloutEnd::RolledBack { .. }), "{end:?}");
    assert_eq!(pool.house.deployments(), only("api-1", 8));
    assert!(looks > 170, "it waited for nobody: {looks}");
    pool.house.server.stop().await;
}

#[tokio::test]
async fn who_works_and_is_not_ready_is_not_stopped_in_place_of_others() {
    let mut pool = Pool::new(4, |_| Verdict::Pass).await;
    let rollout = pool.begun().await;
    pool.house.until_candidate_has(&rollout, 1).await;
    pool.pass();
    let busy = pool.house.ready("api-1")[1].clone();
    assert!(pool.work(&busy, 600).await);
    pool.house.server.modify("Pod", SPACE, &busy, |pod| {
        pod["status"]["conditions"] = json!([{ "type": "Ready", "status": "False" }]);
    });
    let (end, _) = pool.finish(&rollout).await;
    assert_eq!(end, RolloutEnd::Promoted { left: String::new() });
    pool.house.server.stop().await;
}
