//! Hosts that die before or after any request to the cluster or the store.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::{Fate, Fuse, Mortal};
use alfred_ops_core::{EntropyExt as _, JobContext, SeededEntropy};
use alfred_ops_maintenance::{RolloutEnd, RolloutPhase, Verdict};
use alfred_ops_scaling::testing::servers::Fault;

use super::house::{House, only, release};

fn judge(seed: u64, random: Arc<SeededEntropy>) -> impl FnMut(chrono::DateTime<chrono::Utc>) -> Verdict {
    let bad_from = i64::try_from(random.below(400)).unwrap();
    move |now| match (seed % 4, random.below(10)) {
        (0, _) => Verdict::NoData("nothing".to_owned()),
        (1, _) if now.timestamp() >= bad_from => Verdict::Fail("errors".to_owned()),
        (2, 0) => Verdict::Fail("slow".to_owned()),
        (2, 1) => Verdict::NoData("nothing".to_owned()),
        _ => Verdict::Pass,
    }
}

/// What holds at every moment: all that served before do, and one revision is current, which is there.
async fn watch(house: &House) {
    house.check_serving();
    let (book, names) = (house.book(), house.server.names("Deployment", super::house::SPACE));
    let (current, state) = (book.current().await.unwrap().unwrap(), book.state().await.unwrap().unwrap());
    assert!(names.contains(&current), "the current revision {current} is gone: {names:?}");
    let promoted =
        matches!(state.phase, RolloutPhase::Promoted | RolloutPhase::Ended(RolloutEnd::Promoted { .. }));
    assert_eq!(current == "api-2", promoted, "two are current");
    assert!(promoted || names.contains(&"api-1".to_owned()), "there is no way back");
}

/// One history, to its end. Returns how it ended and how many hosts died.
async fn live(seed: u64) -> (RolloutEnd, u64) {
    let random = Arc::new(SeededEntropy::new(seed));
    let total = 1 + u32::try_from(random.below(9)).unwrap();
    let house = House::new(total, judge(seed, Arc::clone(&random))).await;
    let fuse = Fuse::default();
    let store = Mortal::new(house.store.clone(), &fuse);
    let context = JobContext::system()
        .with_clock(house.clock.shared())
        .with_entropy(Arc::new(SeededEntropy::new(seed ^ 0x5eed)));
    let rollout = house.rollout_of(house.target(), Arc::new(store));
    rollout.begin(&context, release()).await.unwrap();
    let (mut deaths, mut crashes) = (0, 3 + random.below(6));
    for _ in 0..2_000 {
        if let Some(end) = house.end().await {
            house.server.heal();
            check_end(&house, &end, seed);
            house.server.stop().await;
            return (end, deaths);
        }
        let dies = crashes > 0 && random.below(3) == 0;
        let requests = house.server.requests();
        let after = random.below(24);
        if dies && random.below(3) == 0 {
            let fate = if random.below(2) == 1 { Fate::DiesAfter } else { Fate::DiesBefore };
            fuse.light(after, fate);
        } else if dies {
            let fault = [Fault::Unavailable, Fault::LoseAnswer][usize::try_from(random.below(2)).unwrap()];
            let lives = std::iter::repeat_n(Fault::Pass, usize::try_from(after).unwrap());
            house.server.fail_next(lives.chain([fault]));
        }
        let done = rollout.run(&context).await;
        fuse.put_out();
        let died = fuse.revive() || (dies && house.server.requests() > requests + after && done.is_err());
        house.server.heal();
        if died {
            (deaths, crashes) = (deaths + 1, crashes - 1);
        } else {
            done.unwrap();
        }
        watch(&house).await;
        if random.below(3) > 0 {
            house.server.reconcile();
        }
        house.clock.advance(Duration::from_secs(10));
        watch(&house).await;
    }
    panic!("seed {seed}: it does not end: {:?}", house.book().state().await);
}

fn check_end(house: &House, end: &RolloutEnd, seed: u64) {
    let left = match end {
        RolloutEnd::Promoted { left } => {
            assert!(!seed.is_multiple_of(4) && left.is_empty(), "promoted without data, or {left}");
            "api-2"
        }
        RolloutEnd::RolledBack { .. } => "api-1",
        other => panic!("seed {seed}: nobody changed anything, and yet: {other:?}"),
    };
    assert_eq!(house.deployments(), only(left, house.total), "seed {seed}: {end:?}");
}

/// CI has 150 hosts die; `ALFRED_OPS_ROLLOUT_CRASHES` says how many do.
#[tokio::test]
async fn a_rollout_survives_the_death_of_its_host_at_any_request() {
    let wanted =
        std::env::var("ALFRED_OPS_ROLLOUT_CRASHES").ok().and_then(|text| text.parse().ok()).unwrap_or(150);
    let (mut deaths, mut promoted, mut back, mut seed) = (0, 0, 0, 0);
    while deaths < wanted {
        let (end, died) = live(seed).await;
        deaths += died;
        promoted += u64::from(matches!(end, RolloutEnd::Promoted { .. }));
        back += u64::from(matches!(end, RolloutEnd::RolledBack { .. }));
        seed += 1;
    }
    assert!(promoted > seed / 10 && back > seed / 10, "{promoted} promoted, {back} back of {seed}");
}
