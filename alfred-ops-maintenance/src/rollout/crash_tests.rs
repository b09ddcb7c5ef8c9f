//! Hosts that die before or after any call, with everything watched at every write.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::testing::{Fuse, Mortal, Witness};
use alfred_ops_core::{
    EntropyExt as _, JobContext, MemoryStateStore, SeededEntropy, SharedClock, SimulatedClock,
    StateStore as _,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta};

use super::*;

const KEY: &str = "rollout/api";

/// All that outlives a host.
#[derive(Debug, Clone)]
struct World {
    target: MemoryRolloutTarget,
    store: MemoryStateStore,
    /// The current revision when somebody last looked.
    current: Arc<Mutex<Option<String>>>,
}

#[async_trait]
impl Witness for World {
    /// What holds at every moment.
    async fn watch(&self) {
        let view = self.target.view();
        let split = view.split.clone().unwrap();
        assert_eq!(split.shares().map(|(_, percent)| u32::from(percent)).sum::<u32>(), 100);
        for (revision, _) in split.shares() {
            assert!(view.is_ready(revision), "{revision} has traffic and is not ready");
        }
        let Some(document) = self.store.get(KEY).await.unwrap() else { return };
        let record: book::Record = document.parse().unwrap();
        let current = record.current.unwrap();
        assert!(view.is_ready(&current), "the current revision {current} is gone");
        let mut known = self.current.lock().unwrap();
        if known.as_ref() != Some(&current) {
            assert_eq!(split.only(), Some(current.as_str()), "it became current without all traffic");
            *known = Some(current.clone());
        }
        let state = record.rollout.unwrap();
        let promoted =
            matches!(state.phase, RolloutPhase::Promoted | RolloutPhase::Ended(RolloutEnd::Promoted { .. }));
        assert_eq!(current == state.release.revision, promoted, "two are current");
        assert!(promoted || view.revisions.contains_key(&state.stable), "there is no way back");
    }
}

/// What the analyses say in one history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fare {
    Well,
    Badly(u64),
    Silent,
    Any,
}

fn policy() -> RolloutPolicy {
    let (interval, silence) = (Duration::from_secs(20), Duration::from_secs(120));
    RolloutPolicy { steps: vec![10, 50, 100], passes: 2, interval, silence, ..RolloutPolicy::default() }
}

fn judge(
    fare: Fare,
    entropy: Arc<SeededEntropy>,
    passes: Arc<Mutex<u64>>,
    clock: SharedClock,
) -> impl Analysis {
    let start = clock.now();
    ClosureAnalysis::new("seeded", move |_| {
        let minutes = u64::try_from((clock.now() - start).num_minutes()).unwrap();
        let verdict = match (fare, entropy.below(10)) {
            (Fare::Silent, _) | (Fare::Any, 0..2) => Verdict::NoData("nothing".to_owned()),
            (Fare::Any, 2) => Verdict::Inconclusive("both".to_owned()),
            (Fare::Any, 3) => Verdict::Fail("slow".to_owned()),
            (Fare::Badly(from), _) if minutes >= from => Verdict::Fail("errors".to_owned()),
            _ => Verdict::Pass,
        };
        *passes.lock().unwrap() += u64::from(verdict == Verdict::Pass);
        async move { Ok(verdict) }
    })
}

/// One history, to its end. Returns how it ended and how many hosts died.
async fn live(seed: u64) -> (RolloutEnd, u64) {
    let entropy = Arc::new(SeededEntropy::new(seed));
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
    let target = MemoryRolloutTarget::new("v1", "app:1");
    let world = World { target, store: MemoryStateStore::new(clock.shared()), current: Arc::default() };
    let fuse = Fuse::watched_by(Arc::new(world.clone()));
    let context = JobContext::system()
        .with_clock(clock.shared())
        .with_entropy(Arc::new(SeededEntropy::new(seed ^ 0x5eed)));
    let fare = [Fare::Well, Fare::Badly(entropy.below(4)), Fare::Silent, Fare::Any]
        [usize::try_from(entropy.below(4)).unwrap()];
    let passes = Arc::new(Mutex::new(0));
    let analysis = judge(fare, Arc::clone(&entropy), Arc::clone(&passes), clock.shared());
    let (target, store) = (Mortal::new(world.target.clone(), &fuse), Mortal::new(world.store.clone(), &fuse));
    let rollout =
        Rollout::builder("api", target, Arc::new(store)).policy(policy()).analysis(analysis).build().unwrap();
    rollout.begin(&context, Release::new("v2", "app:2").unwrap()).await.unwrap();
    let book = RolloutBook::new(Arc::new(world.store.clone()), "api", clock.shared());
    let mut crashes = 1 + entropy.below(3);
    for _ in 0..3_000 {
        let state = book.state().await.unwrap().unwrap();
        if let Some(end) = state.end() {
            check_end(&world, end, fare, *passes.lock().unwrap());
            return (end.clone(), fuse.deaths());
        }
        if crashes > 0 && !fuse.is_lit() {
            crashes -= 1;
            fuse.light_within(80, &*entropy);
        }
        match entropy.below(400) {
            0 => assert!(book.abort("seeded").await.unwrap()),
            1 | 2 => assert!(book.pause("seeded").await.unwrap()),
            3..30 => assert!(book.resume().await.unwrap()),
            _ => {}
        }
        let done = rollout.run(&context).await;
        if !fuse.revive() {
            done.unwrap();
        }
        clock.advance(Duration::from_secs(10));
    }
    panic!("seed {seed}: it does not end");
}

fn check_end(world: &World, end: &RolloutEnd, fare: Fare, passes: u64) {
    let view = world.target.view();
    let only = view.split.as_ref().and_then(TrafficSplit::only);
    match end {
        RolloutEnd::Promoted { left } => {
            assert_eq!((only, left.as_str(), view.revisions.len()), (Some("v2"), "", 1));
            assert!(passes >= 6 && fare != Fare::Silent, "promoted after {passes} passes");
        }
        RolloutEnd::RolledBack { .. } => assert_eq!((only, view.revisions.len()), (Some("v1"), 1)),
        RolloutEnd::Refused { .. } => assert_eq!((only, view.revisions.len()), (Some("v1"), 1)),
        RolloutEnd::HandedBack { reason } => panic!("nobody changed anything, and yet: {reason}"),
    }
}

#[tokio::test]
async fn a_rollout_survives_the_death_of_its_host_at_any_call() {
    let seeds =
        std::env::var("ALFRED_OPS_ROLLOUT_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let (mut deaths, mut promoted, mut back, mut seed) = (0, 0, 0, 0);
    while deaths < seeds {
        let (end, died) = live(seed).await;
        deaths += died;
        promoted += u64::from(matches!(end, RolloutEnd::Promoted { .. }));
        back += u64::from(matches!(end, RolloutEnd::RolledBack { .. }));
        seed += 1;
    }
    assert!(promoted > seed / 10 && back > seed / 10, "{promoted} promoted, {back} back of {seed}");
}
