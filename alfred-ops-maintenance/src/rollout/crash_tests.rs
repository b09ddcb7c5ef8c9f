//! Hosts that die before or after any call while people change things, with everything watched at every call.

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
    person: Person,
    entropy: Arc<SeededEntropy>,
    seen: Arc<Mutex<Seen>>,
}

/// Whether somebody changes the target by hand, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Person {
    Nobody,
    BetweenRuns,
    /// Between a look and what is decided on it, too.
    AtAnyCall,
}

#[derive(Debug, Default)]
struct Seen {
    /// The current revision.
    current: Option<String>,
    /// The target's version after the last change by hand.
    by_hand: Option<String>,
}

impl World {
    fn new(seed: u64, entropy: &Arc<SeededEntropy>, clock: &SimulatedClock) -> Self {
        Self {
            target: MemoryRolloutTarget::new("v1", "app:1"),
            store: MemoryStateStore::new(clock.shared()),
            person: match seed % 5 {
                0 => Person::BetweenRuns,
                1 => Person::AtAnyCall,
                _ => Person::Nobody,
            },
            entropy: Arc::clone(entropy),
            seen: Arc::default(),
        }
    }

    /// A person may change something. The current revision stays: whoever removes it strands the service himself.
    async fn meddle(&self) {
        let view = self.target.view();
        let has = |revision: &str| view.revisions.contains_key(revision);
        let is_idle = |revision: &str| has(revision) && view.split.as_ref().unwrap().percent(revision) == 0;
        let is_current = |revision: &str| self.seen.lock().unwrap().current.as_deref() == Some(revision);
        let split = match self.entropy.below(6) {
            0 if has("v1") => TrafficSplit::all("v1"),
            1 if has("v1") && has("v2") => TrafficSplit::canary("v1", "v2", 30),
            2 if has("v2") => TrafficSplit::all("v2"),
            3 if has("v9") => TrafficSplit::all("v9"),
            4 if !has("v9") => {
                let beside = view.revisions.keys().next().unwrap();
                let release = Release::new("v9", "app:9").unwrap();
                self.target.create_candidate(&view.version, beside, &release).await.unwrap();
                // It has no traffic, which is nothing to end a rollout for.
                if self.is_unseen(&view) {
                    self.changed();
                }
                return;
            }
            5 if is_idle("v2") && !is_current("v2") => {
                self.target.retire(&view.version, "v2").await.unwrap();
                self.changed();
                return;
            }
            _ => return,
        };
        self.target.set_traffic(&view.version, &split).await.unwrap();
        self.changed();
    }

    fn changed(&self) {
        self.seen.lock().unwrap().by_hand = Some(self.target.view().version);
    }

    /// Whether somebody may have changed the target behind the back of a host that has looked already.
    fn is_unseen(&self, view: &TargetView) -> bool {
        self.person == Person::AtAnyCall && self.seen.lock().unwrap().by_hand.as_ref() == Some(&view.version)
    }
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
        let known = self.seen.lock().unwrap().current.replace(current.clone());
        if known.as_ref() != Some(&current) && !self.is_unseen(&view) {
            assert_eq!(split.only(), Some(current.as_str()), "it became current without all traffic");
        }
        let state = record.rollout.unwrap();
        let promoted =
            matches!(state.phase, RolloutPhase::Promoted | RolloutPhase::Ended(RolloutEnd::Promoted { .. }));
        // Who changes the target after the promotion ends the rollout where it stands.
        let kept = current == state.release.revision
            && matches!(state.phase, RolloutPhase::Ended(RolloutEnd::HandedBack { .. }));
        assert_eq!(current == state.release.revision, promoted || kept, "two are current");
        let stays = promoted || kept || view.revisions.contains_key(&state.stable);
        assert!(stays, "there is no way back");
        if self.person == Person::AtAnyCall && self.entropy.below(200) == 0 {
            self.meddle().await;
        }
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
    let world = World::new(seed, &entropy, &clock);
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
            stays_untouched(&world, &context).await;
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
        if world.person == Person::BetweenRuns && entropy.below(8) == 0 {
            world.meddle().await;
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
    // What somebody deployed by hand stays.
    let names: Vec<&str> = view.revisions.keys().map(String::as_str).filter(|name| *name != "v9").collect();
    let ended = match end {
        RolloutEnd::Promoted { left } => {
            assert_eq!(left, "");
            assert!(passes >= 6 && fare != Fare::Silent, "promoted after {passes} passes");
            "v2"
        }
        RolloutEnd::RolledBack { .. } | RolloutEnd::Refused { .. } => "v1",
        RolloutEnd::HandedBack { reason } => {
            let by_hand = world.seen.lock().unwrap().by_hand.is_some();
            assert!(by_hand, "nobody changed anything, and yet: {reason}");
            return;
        }
    };
    if !world.is_unseen(&view) {
        assert_eq!((only, names), (Some(ended), vec![ended]), "{end:?}");
    }
}

/// A rollout that is over touches nothing more.
async fn stays_untouched(world: &World, context: &JobContext) {
    let left = world.target.view();
    let rollout = Rollout::builder("api", world.target.clone(), Arc::new(world.store.clone()))
        .policy(policy())
        .analysis(ClosureAnalysis::new("well", |_| async { Ok(Verdict::Pass) }))
        .build()
        .unwrap();
    for _ in 0..3 {
        assert_eq!(rollout.run(context).await.unwrap(), None);
    }
    assert_eq!(world.target.view(), left);
}

#[tokio::test]
async fn a_rollout_survives_the_death_of_its_host_at_any_call() {
    let seeds =
        std::env::var("ALFRED_OPS_ROLLOUT_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(1_000);
    let (mut deaths, mut promoted, mut back, mut handed, mut seed) = (0, 0, 0, 0, 0);
    while deaths < seeds {
        let (end, died) = live(seed).await;
        deaths += died;
        promoted += u64::from(matches!(end, RolloutEnd::Promoted { .. }));
        back += u64::from(matches!(end, RolloutEnd::RolledBack { .. }));
        handed += u64::from(matches!(end, RolloutEnd::HandedBack { .. }));
        seed += 1;
    }
    println!("{deaths} deaths in {seed} rollouts: {promoted} promoted, {back} back, {handed} handed back");
    assert!(promoted > seed / 10 && back > seed / 10, "{promoted} promoted, {back} back of {seed}");
    assert!(handed > seed / 20, "{handed} handed back of {seed}");
}
