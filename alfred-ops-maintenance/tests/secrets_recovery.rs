//! What people and issuers do to a rotation that is under way, and how it comes to its end all the same.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod secret_faults;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use alfred_ops_maintenance::{
    ApiKeyIssuer as _, ApiKeys, ChoreBook, ChoreOutcome, ChoreRecord, MemorySecrets, Phase, RotationBook,
    RotationPolicy, RotationRecord, SecretStore, SecretView, VersionState,
};
use async_trait::async_trait;
use secret_faults::issuer::Issuer;
use secret_faults::{SECRET, World};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A store beside which somebody has a console: with it the value of any version can be lost, also of the active one.
#[derive(Debug, Clone)]
struct Console {
    store: MemorySecrets,
    lost: Arc<Mutex<BTreeSet<u64>>>,
}

impl Console {
    fn lose(&self, version: u64) {
        self.lost.lock().unwrap().insert(version);
    }
}

#[async_trait]
impl SecretStore for Console {
    fn name(&self) -> &str {
        "console"
    }

    async fn look(&self, secret: &str) -> Result<SecretView> {
        let mut view = self.store.look(secret).await?;
        for version in &mut view.versions {
            if self.lost.lock().unwrap().contains(&version.number) {
                version.state = VersionState::Destroyed;
            }
        }
        Ok(view)
    }

    async fn read(&self, secret: &str, version: u64) -> Result<Secret> {
        if self.lost.lock().unwrap().contains(&version) {
            return Err(Error::new(ErrorKind::Unsupported, "read secret", "it is destroyed"));
        }
        self.store.read(secret, version).await
    }

    async fn add(&self, secret: &str, value: &Secret) -> Result<u64> {
        self.store.add(secret, value).await
    }

    async fn set_state(&self, secret: &str, version: u64, state: VersionState) -> Result<()> {
        self.look(secret).await?.judge("console", secret, version, state)?;
        self.store.set_state(secret, version, state).await
    }

    async fn point(&self, secret: &str, version: u64, revision: &str) -> Result<()> {
        self.store.point(secret, version, revision).await
    }
}

struct House {
    issuer: Issuer,
    world: World<Console, ApiKeys>,
    book: RotationBook,
}

impl House {
    /// With a first generation in use.
    async fn new() -> Self {
        let house = Self::empty();
        house.world.run().await.unwrap();
        house
    }

    fn empty() -> Self {
        let issuer = Issuer::default();
        let kind = ApiKeys::new(Arc::new(issuer.clone()));
        let console = |clock: &alfred_ops_core::SimulatedClock| Console {
            store: MemorySecrets::new(clock.shared()),
            lost: Arc::default(),
        };
        let world = World::new(console, kind, RotationPolicy::api_keys());
        let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
        Self { issuer, world, book }
    }

    /// With a second generation in this phase, or with the first in it and a second in use.
    async fn in_phase(phase: Phase) -> Self {
        let house = Self::new().await;
        if phase != Phase::Active {
            house.book.want("a test").await.unwrap();
            while house.record().await.in_phase(phase).is_none() {
                house.run().await;
                if house.record().await.in_phase(phase).is_none() {
                    house.world.clock.advance(house.world.policy.publish_for());
                }
            }
        }
        house
    }

    async fn run(&self) -> ChoreRecord {
        self.world.run().await.unwrap().record().unwrap().clone()
    }

    async fn record(&self) -> RotationRecord {
        self.book.record().await.unwrap()
    }

    async fn active(&self) -> Option<u64> {
        self.world.secrets.look(SECRET).await.unwrap().active
    }

    async fn point(&self, version: u64) {
        let view = self.world.secrets.look(SECRET).await.unwrap();
        self.world.secrets.point(SECRET, version, &view.revision).await.unwrap();
    }

    /// Runs until there is one generation left.
    async fn settle(&self, about: &str) {
        for _ in 0..40 {
            let record = self.record().await;
            if record.generations.len() == 1 && record.wanted.is_none() {
                self.world.check(about).await;
                assert_eq!(self.issuer.working().len(), 1, "{about}: no other key works");
                return;
            }
            self.run().await;
            self.world.check(about).await;
            let days = record.in_phase(Phase::Revoked).is_some() && record.wanted.is_none();
            self.world.clock.advance(if days { DAY } else { self.world.policy.look_every() });
        }
        panic!("{about}: it does not end: {:?}", self.record().await);
    }
}

fn reason(record: &ChoreRecord) -> &str {
    match &record.outcome {
        ChoreOutcome::Ineffective { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn whatever_value_is_lost_the_next_run_makes_a_valid_one_and_the_rotation_ends() {
    for phase in [Phase::Active, Phase::Published, Phase::Retiring, Phase::Revoked] {
        for version in [1, 2] {
            let about = format!("version {version} is lost, {phase}");
            let house = House::in_phase(phase).await;
            house.world.secrets.lose(version);
            house.run().await;
            house.world.check(&about).await;
            house.settle(&about).await;
        }
    }
}

#[tokio::test]
async fn an_active_one_that_its_issuer_revoked_is_left_for_the_one_before() {
    let house = House::in_phase(Phase::Retiring).await;
    house.issuer.revoke("key-2").await.unwrap();
    let run = house.run().await;
    let expected = "verify generation 1 and return to it: the active one does not work any more";
    assert!(run.plan.starts_with(expected), "{}", run.plan);
    assert_eq!(house.active().await, Some(1));
    house.settle("revoked").await;
    assert_eq!(house.record().await.active().unwrap().number, 3, "a third one followed");

    // If neither works, a third one is made as soon as the first need not be kept any more.
    let house = House::in_phase(Phase::Retiring).await;
    for id in ["key-1", "key-2"] {
        house.issuer.revoke(id).await.unwrap();
    }
    house.world.clock.advance(house.world.policy.retire_for());
    house.run().await;
    house.settle("both revoked").await;
}

#[tokio::test]
async fn who_points_back_is_followed() {
    for (phase, readable) in [(Phase::Retiring, true), (Phase::Revoked, false)] {
        let house = House::in_phase(phase).await;
        if !readable {
            house.world.secrets.set_state(SECRET, 1, VersionState::Enabled).await.unwrap();
        }
        house.point(1).await;
        let run = house.run().await;
        let expected = "verify generation 1 and return to it: it is the active one again";
        assert!(run.plan.starts_with(expected), "{}", run.plan);
        assert_eq!(house.active().await, Some(1));
        house.settle("pointed back").await;
        assert_eq!(house.record().await.active().unwrap().number, 1);
    }
    // And who puts another in the place of one that is lost.
    let house = House::new().await;
    let theirs = house.issuer.issue("by hand").await.unwrap();
    let version = house.world.secrets.add(SECRET, &theirs.value).await.unwrap();
    house.world.secrets.lose(1);
    house.point(version).await;
    let run = house.run().await;
    assert!(run.plan.starts_with("take version 2 into care"), "{}", run.plan);
    house.settle("replaced by hand").await;
}

#[tokio::test]
async fn an_unused_version_that_somebody_disables_is_made_anew() {
    let house = House::in_phase(Phase::Published).await;
    house.world.secrets.set_state(SECRET, 2, VersionState::Disabled).await.unwrap();
    let run = house.run().await;
    let expected =
        "withdraw what is left of generation 2 and make it anew: its version cannot be read any more";
    assert!(run.plan.starts_with(expected), "{}", run.plan);
    house.settle("disabled").await;
    assert_eq!(house.active().await, Some(3));
}

#[tokio::test]
async fn of_a_new_one_that_its_issuer_revoked_it_is_said_how_to_have_another() {
    let house = House::in_phase(Phase::Published).await;
    house.issuer.revoke("key-2").await.unwrap();
    house.world.clock.advance(house.world.policy.publish_for());
    let run = house.world.run().await;
    let error = run.unwrap_err();
    assert_eq!(error.remedy(), Some("if it will never work, disable version 2: another is made then"));
    assert_eq!(house.active().await, Some(1));
    house.world.secrets.set_state(SECRET, 2, VersionState::Disabled).await.unwrap();
    house.settle("revoked before its use").await;
    assert_eq!(house.active().await, Some(3));
}

#[tokio::test]
async fn nothing_is_revoked_that_somebody_enabled_again() {
    let house = House::in_phase(Phase::Revoked).await;
    house.world.clock.advance(3 * DAY);
    house.world.secrets.set_state(SECRET, 1, VersionState::Enabled).await.unwrap();
    for _ in 0..2 {
        let run = house.run().await;
        assert!(reason(&run).contains("somebody enabled the old version 1 again"), "{run:?}");
        assert_eq!(house.issuer.working().len(), 2);
        house.world.clock.advance(7 * DAY);
    }
    house.world.secrets.set_state(SECRET, 1, VersionState::Disabled).await.unwrap();
    house.settle("disabled again").await;
}

#[tokio::test]
async fn nothing_is_revoked_while_the_active_one_does_not_work() {
    let house = House::in_phase(Phase::Revoked).await;
    house.issuer.revoke("key-2").await.unwrap();
    house.world.clock.advance(house.world.policy.disabled_for);
    house.world.run().await.unwrap_err();
    assert_eq!(house.issuer.working(), ["hunter2-1"], "the last one that works stays");
    house.book.want("it was revoked").await.unwrap();
    for _ in 0..3 {
        house.run().await;
        house.world.clock.advance(house.world.policy.publish_for());
    }
    house.settle("after a wish").await;
}

#[tokio::test]
async fn a_wish_is_answered_by_what_is_made_after_it() {
    // While one is made already, another follows; beside one that is only locked it begins at once.
    for phase in [Phase::Active, Phase::Published, Phase::Retiring, Phase::Revoked] {
        let house = House::in_phase(phase).await;
        let begun = house.record().await.begun;
        house.book.want("a leak").await.unwrap();
        for _ in 0..5 {
            house.run().await;
            house.world.clock.advance(house.world.policy.publish_for());
        }
        let record = house.record().await;
        assert_eq!((record.begun, record.wanted), (begun + 1, None), "{phase}");
        house.settle(&format!("{phase}")).await;
    }
    // What was there before is no answer, either.
    let house = House::empty();
    let old = house.issuer.issue("by hand").await.unwrap();
    house.world.secrets.add(SECRET, &old.value).await.unwrap();
    house.point(1).await;
    house.book.want("a leak").await.unwrap();
    let run = house.run().await;
    assert!(run.plan.contains("make generation 2: wanted: a leak"), "{}", run.plan);
}

#[tokio::test]
async fn what_was_there_before_is_as_old_as_it_is_and_stays_an_obstacle_without_a_name() {
    let house = House::empty();
    house.world.secrets.add(SECRET, &Secret::new("hunter2-unknown")).await.unwrap();
    house.point(1).await;
    house.world.clock.advance(200 * DAY);
    let run = house.run().await;
    assert!(run.plan.contains("make generation 2: the active one is 200 days old"), "{}", run.plan);
    let hint = "version 1 names nobody who could be revoked; revoke it by hand";
    let mut told = 0;
    while house.record().await.past.is_empty() {
        house.world.clock.advance(DAY);
        let run = house.run().await;
        told +=
            u32::from(matches!(&run.outcome, ChoreOutcome::Ineffective { reason } if reason.contains(hint)));
    }
    assert_eq!(told, 7, "as long as it could be brought back");
}

#[tokio::test]
async fn what_was_told_once_is_not_lost_among_idle_looks() {
    let house = House::empty();
    house.world.secrets.add(SECRET, &Secret::new("hunter2-unknown")).await.unwrap();
    house.point(1).await;
    for _ in 0..100 {
        house.run().await;
        house.world.clock.advance(house.world.policy.look_every());
    }
    let (store, clock) = (Arc::new(house.world.state.clone()), house.world.clock.shared());
    let history = ChoreBook::new(store, &format!("secret-{SECRET}"), clock).history().await.unwrap();
    assert_eq!(history.len(), 2, "{history:?}");
    assert!(history[0].figures.notes[0].contains("revoke it by hand"), "{:?}", history[0]);
}
