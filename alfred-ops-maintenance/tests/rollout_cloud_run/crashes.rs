//! Hosts that die at any call, of services and of worker pools, with leases and without.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::testing::{Fuse, Mortal, Witness};
use alfred_ops_core::{
    EntropyExt as _, ErrorKind, JobContext, MemoryStateStore, SeededEntropy, SimulatedClock, StateStore,
};
use alfred_ops_maintenance::{
    ClosureAnalysis, Rollout, RolloutBook, RolloutEnd, RolloutPhase, RolloutTarget, Verdict,
};
use alfred_ops_scaling::DrainLeases;
use alfred_ops_scaling::testing::servers::{CloudRunServer, Fault};
use async_trait::async_trait;
use chrono::DateTime;

use super::fleet::Fleet;
use super::house::{CANDIDATE, Kind, STABLE, image, policy, pool, release, shares};

/// All that outlives a host.
#[derive(Debug)]
struct World {
    kind: Kind,
    server: CloudRunServer,
    store: MemoryStateStore,
    book: RolloutBook,
    /// The current revision when somebody last looked.
    current: Mutex<Option<String>>,
}

#[async_trait]
impl Witness for World {
    /// What holds at every moment.
    async fn watch(&self) {
        let shares = self.server.shares(self.kind.name());
        assert_eq!(shares.values().sum::<i64>(), 100, "{shares:?}");
        let Some(state) = self.book.state().await.unwrap() else { return };
        let current = self.book.current().await.unwrap().unwrap();
        assert!(
            self.server.revision(self.kind.name(), &current).is_some(),
            "the current revision {current} is gone"
        );
        let mut known = self.current.lock().unwrap();
        if known.as_ref() != Some(&current) {
            assert_eq!(shares.get(&current), Some(&100), "it became current without all traffic");
            *known = Some(current.clone());
        }
        let promoted =
            matches!(state.phase, RolloutPhase::Promoted | RolloutPhase::Ended(RolloutEnd::Promoted { .. }));
        // Who changes the traffic after the promotion ends the rollout where it stands.
        let kept =
            current == CANDIDATE && matches!(state.phase, RolloutPhase::Ended(RolloutEnd::HandedBack { .. }));
        assert_eq!(current == CANDIDATE, promoted || kept, "{current} is current in {:?}", state.phase);
        let stays = promoted || kept || self.server.revision(self.kind.name(), STABLE).is_some();
        assert!(stays, "there is no way back");
        if matches!(state.phase, RolloutPhase::Checking | RolloutPhase::Gated | RolloutPhase::Creating) {
            assert_eq!(shares.get(STABLE), Some(&100), "the candidate got traffic by being made");
        }
    }
}

/// How the candidate fares in one history: it passes until this minute.
fn fare(entropy: &SeededEntropy) -> i64 {
    [i64::MAX, i64::MAX, 0, 1][usize::try_from(entropy.below(4)).unwrap()]
}

async fn world(kind: Kind, seed: u64, clock: &SimulatedClock) -> Arc<World> {
    let split = if seed.is_multiple_of(2) { kind.latest() } else { kind.to(&[(STABLE, 100)]) };
    let server = kind.server(split).await;
    server.start_after(u32::try_from(seed % 3).unwrap());
    let store = MemoryStateStore::new(clock.shared());
    Arc::new(World {
        kind,
        server,
        book: RolloutBook::new(Arc::new(store.clone()), "api", clock.shared()),
        store,
        current: Mutex::default(),
    })
}

/// A pool that respects leases, over whose book the host may die, too; and the fleet that takes them.
async fn with_leases(
    world: &World,
    fuse: &Fuse,
    clock: &SimulatedClock,
    seed: u64,
) -> (Arc<dyn RolloutTarget>, Fleet) {
    let leases = |store: Arc<dyn StateStore>| DrainLeases::new(store, "drain/api", clock.shared());
    let target = pool(&world.server).await;
    let target = target.with_leases(leases(Arc::new(Mortal::new(world.store.clone(), fuse))));
    let workers = leases(Arc::new(world.store.clone()));
    (Arc::new(target), Fleet::new(workers, clock, seed, !seed.is_multiple_of(4)))
}

/// A change that somebody makes, or a fault of the network, now and then. Tells whether it was a person.
fn meddle(world: &World, entropy: &SeededEntropy) -> bool {
    let faults = [Fault::LoseAnswer, Fault::Unavailable, Fault::Conflict];
    match entropy.below(60) {
        0 => {
            world.kind.change_split(&world.server, &world.kind.to(&[(STABLE, 100)]));
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
async fn live(kind: Kind, leased: bool, seed: u64) -> (RolloutEnd, u64) {
    let entropy = Arc::new(SeededEntropy::new(seed));
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let world = world(kind, seed, &clock).await;
    let fuse = Fuse::watched_by(Arc::clone(&world) as Arc<dyn Witness>);
    let (target, mut fleet) = if leased {
        let (target, fleet) = with_leases(&world, &fuse, &clock, seed).await;
        (target, Some(fleet))
    } else {
        (kind.target(&world.server).await, None)
    };
    let context = JobContext::system()
        .with_clock(clock.shared())
        .with_entropy(Arc::new(SeededEntropy::new(seed ^ 0x5eed)));
    let (bad_from, now) = (fare(&entropy), clock.shared());
    let analysis = ClosureAnalysis::new("seeded", move |_| {
        let bad = now.now().timestamp() / 60 >= bad_from;
        async move { Ok(if bad { Verdict::Fail("errors".to_owned()) } else { Verdict::Pass }) }
    });
    let store = Arc::new(Mortal::new(world.store.clone(), &fuse));
    let rollout = Rollout::builder("api", Mortal::new(target, &fuse), store)
        .policy(policy())
        .analysis(analysis)
        .build()
        .unwrap();
    rollout.begin(&context, release()).await.unwrap();
    let (mut crashes, mut person, mut away) = (2 + entropy.below(3), false, 0);
    for _ in 0..1_000 {
        let state = world.book.state().await.unwrap().unwrap();
        if let Some(end) = state.end() {
            check_end(&world, end, bad_from, person);
            world.server.heal();
            return (end.clone(), fuse.deaths());
        }
        if crashes > 0 && !fuse.is_lit() {
            crashes -= 1;
            fuse.light_within(60, &*entropy);
        }
        let meddled = meddle(&world, &entropy);
        person |= meddled;
        if let Some(fleet) = &mut fleet {
            fleet.follow(&world.server, meddled);
            fleet.work().await;
        }
        if away == 0 {
            away = run(&rollout, &context, &fuse, seed, &entropy).await;
        } else {
            away -= 1;
        }
        if let Some(fleet) = &mut fleet {
            fleet.work().await;
        }
        clock.advance(Duration::from_secs(10));
    }
    panic!("seed {seed} of {kind:?}: it does not end");
}

/// One run of a host. For how many rounds there is no other if it dies: long enough for any pause to end.
async fn run(
    rollout: &Rollout<Mortal<Arc<dyn RolloutTarget>>>,
    context: &JobContext,
    fuse: &Fuse,
    seed: u64,
    entropy: &SeededEntropy,
) -> u64 {
    let done = rollout.run(context).await;
    if fuse.revive() {
        return entropy.below(3) * entropy.below(5);
    }
    if let Err(error) = done {
        assert!(
            matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Timeout),
            "seed {seed}: {}",
            error.full()
        );
    }
    0
}

fn check_end(world: &World, end: &RolloutEnd, bad_from: i64, person: bool) {
    let (served, names) =
        (world.server.shares(world.kind.name()), world.server.revision_names(world.kind.name()));
    let image_of = |revision: &str| {
        world.server.revision(world.kind.name(), revision).map(|view| view["containers"][0]["image"].clone())
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
                world.server.document(world.kind.name()).unwrap()["template"]["containers"][0]["image"],
                image(1)
            );
        }
        RolloutEnd::HandedBack { reason } => assert!(person, "nobody changed anything, and yet: {reason}"),
        other => panic!("{other:?}"),
    }
}

async fn survives(kind: Kind, leased: bool) {
    let share = if leased { 50 } else { 100 };
    let wanted =
        std::env::var("ALFRED_OPS_ROLLOUT_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(share);
    let (mut deaths, mut promoted, mut back, mut seed) = (0, 0, 0, 0);
    while deaths < wanted {
        let (end, died) = live(kind, leased, seed).await;
        deaths += died;
        promoted += u64::from(matches!(end, RolloutEnd::Promoted { .. }));
        back += u64::from(matches!(end, RolloutEnd::RolledBack { .. }));
        seed += 1;
    }
    println!("{kind:?}: {deaths} deaths in {seed} rollouts: {promoted} promoted, {back} back");
    assert!(
        wanted < share || (promoted > seed / 20 && back > seed / 10),
        "{promoted} promoted, {back} back of {seed}"
    );
}

#[tokio::test]
async fn a_rollout_survives_the_death_of_its_host_at_any_call() {
    survives(Kind::Service, false).await;
}

#[tokio::test]
async fn a_rollout_of_a_pool_survives_the_death_of_its_host_at_any_call() {
    survives(Kind::Pool, false).await;
}

#[tokio::test]
async fn a_rollout_of_a_pool_with_leases_survives_the_death_of_its_host_at_any_call() {
    survives(Kind::Pool, true).await;
}
