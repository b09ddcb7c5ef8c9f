//! Stores of secrets, and rotations whose hosts die at every call.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod secret_faults;

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::{Fuse, Mortal};
use alfred_ops_core::{
    Clock as _, ErrorKind, JobContext, MemoryStateStore, Secret, SimulatedClock, StateStore, SystemClock,
};
use alfred_ops_maintenance::testing::conformance;
use alfred_ops_maintenance::{
    ActiveSecret, ApiKeyIssuer as _, ApiKeys, Caretaker, ChoreOutcome, ChoreRun, FileSecrets, MemorySecrets,
    Phase, Refusal, RotationBook, RotationPolicy, SecretCare, SecretStore, VersionState,
};
use chrono::DateTime;
use secret_faults::issuer::Issuer;
use secret_faults::{SECRET, World, die_at, stall_at};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn world(issuer: &Issuer) -> World<MemorySecrets, ApiKeys> {
    let kind = ApiKeys::new(Arc::new(issuer.clone()));
    World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::api_keys())
}

#[tokio::test]
async fn every_store_keeps_the_contract() {
    conformance::secret_store(&MemorySecrets::new(SystemClock::shared())).await;
    let folder = tempfile::tempdir().unwrap();
    let files = FileSecrets::open(folder.path().join("secrets"), SystemClock::shared()).unwrap();
    conformance::secret_store(&files).await;
    conformance::secret_store(&Arc::new(MemorySecrets::new(SystemClock::shared()))).await;
}

#[tokio::test]
async fn files_are_private_and_what_others_may_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("secrets");
    let open = || FileSecrets::open(&root, SystemClock::shared());
    let secrets = open().unwrap();
    let number = secrets.add("db", &Secret::new("hunter2")).await.unwrap();
    secrets.point("db", number, "").await.unwrap();
    assert_eq!(
        std::fs::read_to_string(root.join("db/active")).unwrap(),
        "hunter2",
        "programs follow the link"
    );
    let mode = |path: &str| std::fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o777;
    assert_eq!(
        (mode("."), mode("db"), mode("db/v1"), mode("db/versions.json")),
        (0o700, 0o700, 0o600, 0o600)
    );

    let set = |path: &str, mode| {
        std::fs::set_permissions(root.join(path), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    for (path, good, bad, remedy) in [
        ("db/v1", 0o600, 0o640, "chmod 600"),
        ("db", 0o700, 0o705, "chmod 700"),
        ("db/versions.json", 0o600, 0o604, "chmod 600"),
    ] {
        set(path, bad);
        let error = secrets.read("db", 1).await.unwrap_err();
        let text = error.full();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{path}");
        assert!(text.contains(remedy) && !text.contains("hunter2"), "{text}");
        set(path, good);
        assert_eq!(secrets.read("db", 1).await.unwrap().expose(), "hunter2", "{path}");
    }
    set(".", 0o750);
    assert_eq!(open().unwrap_err().kind(), ErrorKind::PermissionDenied);
    set(".", 0o700);

    // A link in the place of a value leads somewhere that nobody looked at.
    std::fs::rename(root.join("db/v1"), folder.path().join("elsewhere")).unwrap();
    symlink(folder.path().join("elsewhere"), root.join("db/v1")).unwrap();
    assert!(secrets.read("db", 1).await.unwrap_err().full().contains("it is a link"));
}

#[tokio::test]
async fn what_a_crash_leaves_of_files_is_never_half_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("secrets");
    let secrets = FileSecrets::open(&root, SystemClock::shared()).unwrap();
    secrets.add("db", &Secret::new("one")).await.unwrap();
    let put = |name: &str, text: &str| {
        std::fs::write(root.join("db").join(name), text).unwrap();
        std::fs::set_permissions(root.join("db").join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    };
    // Died while it wrote a value, and after it had, before the index knew; and between a link and its renaming.
    put("v2.draft", "half");
    put("v2", "never told");
    put("versions.json.draft", "{");
    symlink("v9", root.join("db/active.draft")).unwrap();
    let view = secrets.look("db").await.unwrap();
    assert_eq!((view.versions.len(), view.active), (1, None));
    assert_eq!(secrets.add("db", &Secret::new("two")).await.unwrap(), 2);
    assert_eq!(secrets.read("db", 2).await.unwrap().expose(), "two");
    secrets.point("db", 2, "").await.unwrap();
    // Died while it destroyed one: the index says so already.
    secrets.set_state("db", 1, VersionState::Disabled).await.unwrap();
    secrets.set_state("db", 1, VersionState::Destroyed).await.unwrap();
    put("v1", "one");
    secrets.look("db").await.unwrap();
    assert!(!root.join("db/v1").exists(), "what is destroyed goes at the next look");
    put("versions.json", "not json");
    assert_eq!(secrets.look("db").await.unwrap_err().kind(), ErrorKind::Corrupt);
}

/// One rotation with a host that dies at one call; tells whether it came to that call.
async fn rotate_and_die_at(point: u64) -> bool {
    let issuer = Issuer::default();
    let world = world(&issuer);
    world.run().await.unwrap();
    let first = world.check("first").await;
    world.clock.advance(world.policy.every + Duration::from_secs(1));
    die_at(&world.fuse, point);
    let mut deaths = 0;
    for _ in 0..400 {
        deaths += u32::from(world.run().await.is_err());
        world.check(&format!("point {point}")).await;
        let record = RotationBook::new(Arc::new(world.state.clone()), SECRET).record().await.unwrap();
        let quiet = record.doing.is_none() && record.generations.len() == 1;
        if quiet && record.begun >= 2 && record.past.len() == 1 {
            assert_eq!(record.begun, 2, "point {point}: one rotation, however often it was begun");
            assert_eq!(record.past[0].handle, "key-1");
            break;
        }
        // The last step waits for days, the others for minutes.
        let revoked = record.in_phase(Phase::Revoked).is_some();
        world.clock.advance(if revoked { DAY } else { world.policy.look_every() });
    }
    assert!(deaths <= 1, "point {point}: {deaths} deaths");
    let second = world.check(&format!("point {point}, at the end")).await;
    assert_ne!(first.expose(), second.expose(), "point {point}: it was rotated");
    assert_eq!(issuer.working(), [second.expose()], "point {point}: no other key works");
    let view = world.secrets.look(SECRET).await.unwrap();
    let enabled: Vec<u64> = view
        .versions
        .iter()
        .filter(|version| version.state == VersionState::Enabled)
        .map(|version| version.number)
        .collect();
    assert_eq!(enabled, [view.active.unwrap()], "point {point}: no other version can be read");
    assert_eq!(view.state_of(1), Some(VersionState::Destroyed), "point {point}");
    let told = format!("{}{}{world:?}", world.told(), world.state_text().await);
    assert!(!told.contains("hunter2"), "point {point}: a value was told: {told}");
    world.fuse.deaths() > 0
}

impl std::fmt::Debug for World<MemorySecrets, ApiKeys> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {:?} {:?}", self.secrets, self.kind, self.care())
    }
}

#[tokio::test]
async fn a_host_that_dies_at_any_call_leaves_a_valid_secret_and_the_next_one_goes_on() {
    let mut point = 1;
    while rotate_and_die_at(point).await {
        point += 1;
    }
    assert!(point > 60, "only {point} points were tried");
}

/// Runs until the rotation of this generation is over.
async fn rotate(world: &World<MemorySecrets, ApiKeys>, generation: u64, about: &str) {
    for _ in 0..100 {
        world.run().await.unwrap();
        world.check(about).await;
        let record = RotationBook::new(Arc::new(world.state.clone()), SECRET).record().await.unwrap();
        if record.begun >= generation && record.generations.len() == 1 && record.doing.is_none() {
            return;
        }
        let revoked = record.in_phase(Phase::Revoked).is_some();
        world.clock.advance(if revoked { DAY } else { world.policy.look_every() });
    }
    panic!("{about}: the rotation of generation {generation} does not end");
}

/// One rotation whose host stalls at one call while another takes over and goes on; then the call arrives. Tells whether it
/// came to that call.
async fn rotate_and_stall_at(point: u64) -> bool {
    let about = format!("point {point}");
    let issuer = Issuer::default();
    let world = world(&issuer);
    world.run().await.unwrap();
    world.clock.advance(world.policy.every + Duration::from_secs(1));
    let fuse = Fuse::default();
    stall_at(&fuse, point);
    // The clock of a host that is stalled stands.
    let clock = SimulatedClock::starting_at(world.clock.now());
    let context = JobContext::system().with_clock(clock.shared());
    let mut stalled = false;
    for _ in 0..6 {
        let mut late = std::pin::pin!(world.run_with(&fuse, &context));
        tokio::select! {
            biased;
            () = fuse.ended() => stalled = true,
            ran = &mut late => { ran.unwrap(); }
        }
        if stalled {
            world.clock.advance(Duration::from_secs(60));
            rotate(&world, 2, &about).await;
            fuse.revive();
            let _ = late.await;
            break;
        }
        for clock in [&clock, &world.clock] {
            clock.advance(world.policy.disabled_for);
        }
    }
    world.check(&about).await;
    // Nothing that came late keeps the next rotation from its end, or is left behind by it.
    world.clock.advance(world.policy.every * 2);
    rotate(&world, 3, &about).await;
    let value = world.check(&about).await;
    assert_eq!(issuer.working(), [value.expose()], "{about}: no other key works");
    let view = world.secrets.look(SECRET).await.unwrap();
    let enabled = view.versions.iter().filter(|version| version.state == VersionState::Enabled);
    let enabled: Vec<u64> = enabled.map(|version| version.number).collect();
    assert_eq!(enabled, [view.active.unwrap()], "{about}: no other version can be read");
    stalled
}

#[tokio::test]
async fn what_a_stalled_host_does_late_is_refused_or_does_no_harm() {
    let mut point = 1;
    while rotate_and_stall_at(point).await {
        point += 1;
    }
    assert!(point > 60, "only {point} points were tried");
}

#[tokio::test]
async fn waits_are_kept_and_told() {
    let issuer = Issuer::default();
    let world = world(&issuer);
    world.run().await.unwrap();
    let plan = |world: &World<MemorySecrets, ApiKeys>| {
        let caretaker = world.care().caretaker().build().unwrap();
        let context = world.context.clone();
        async move { caretaker.plan(&context).await.unwrap().to_string() }
    };
    assert_eq!(plan(&world).await, "nothing to do\nwait until 2025-01-03 00:00 for the next rotation");
    let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
    book.want("a laptop was stolen").await.unwrap();
    assert_eq!(
        plan(&world).await,
        "make generation 2: wanted: a laptop was stolen\n\
         publish and verify generation 2: the step before is done\n\
         wait until 2024-10-04 00:06 for caches to read it"
    );
    world.run().await.unwrap();
    let phases = || async {
        let record = book.record().await.unwrap();
        record.generations.iter().map(|generation| (generation.number, generation.phase)).collect::<Vec<_>>()
    };
    let step = |seconds: u64| {
        let world = &world;
        async move {
            world.clock.advance(Duration::from_secs(seconds));
            world.run().await.unwrap();
        }
    };
    assert_eq!(phases().await, [(1, Phase::Active), (2, Phase::Published)]);
    step(359).await;
    assert_eq!(phases().await, [(1, Phase::Active), (2, Phase::Published)]);
    step(1).await;
    assert_eq!(phases().await, [(1, Phase::Retiring), (2, Phase::Active)]);
    step(359).await;
    assert_eq!(phases().await, [(1, Phase::Retiring), (2, Phase::Active)]);
    step(1).await;
    assert_eq!(phases().await, [(1, Phase::Revoked), (2, Phase::Active)]);
    assert_eq!(issuer.working().len(), 2, "it is only disabled, and could be brought back");
    step(7 * 24 * 3600).await;
    assert_eq!(phases().await, [(2, Phase::Active)]);
    assert_eq!(issuer.working().len(), 1);
}

#[tokio::test]
async fn what_somebody_else_does_is_told_and_never_undone() {
    let issuer = Issuer::default();
    let world = world(&issuer);
    world.run().await.unwrap();
    // Somebody adds a version and makes it the active one.
    let stranger = world.secrets.add(SECRET, &Secret::new("theirs")).await.unwrap();
    let told = |run: ChoreRun| run.record().unwrap().clone();
    let record = told(world.run().await.unwrap());
    assert!(record.plan.contains("leave versions [2]: somebody else added them"), "{}", record.plan);
    let view = world.secrets.look(SECRET).await.unwrap();
    world.secrets.point(SECRET, stranger, &view.revision).await.unwrap();
    world.clock.advance(world.policy.every * 2);
    let record = told(world.run().await.unwrap());
    let ChoreOutcome::Ineffective { reason } = &record.outcome else { panic!("{record:?}") };
    assert!(
        reason.contains("somebody else changed the active version to 2; make 1 the active one again"),
        "{reason}"
    );
    assert!(reason.contains("days old, which is overdue"), "{reason}");
    assert_eq!(world.secrets.look(SECRET).await.unwrap().active, Some(2));
    let view = world.secrets.look(SECRET).await.unwrap();
    world.secrets.point(SECRET, 1, &view.revision).await.unwrap();
    let record = told(world.run().await.unwrap());
    assert!(record.plan.starts_with("make generation 2: the active one is 182 days old"), "{}", record.plan);
}

#[tokio::test]
async fn a_secret_that_was_there_before_is_taken_into_care_and_replaced_in_time() {
    for known in [true, false] {
        let issuer = Issuer::default();
        let world = world(&issuer);
        let old = issuer.issue("by hand").await.unwrap();
        let value = if known { old.value } else { Secret::new("hunter2-unknown") };
        world.secrets.add(SECRET, &value).await.unwrap();
        world.secrets.point(SECRET, 1, "").await.unwrap();
        let record = world.run().await.unwrap().record().unwrap().clone();
        assert!(record.plan.starts_with("take version 1 into care: it is in use"), "{}", record.plan);
        assert_eq!(record.figures.notes.is_empty(), known, "{record:?}");
        world.clock.advance(world.policy.every);
        for _ in 0..12 {
            world.run().await.unwrap();
            world.clock.advance(DAY);
        }
        assert_eq!(world.secrets.look(SECRET).await.unwrap().state_of(1), Some(VersionState::Destroyed));
        assert_eq!(
            issuer.working().len(),
            if known { 1 } else { 2 },
            "what nobody can name stays with its issuer"
        );
        world.check("adopted").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_hosts_one_rotates() {
    let issuer = Issuer { slow: true, ..Issuer::default() };
    let world = world(&issuer);
    for rotation in 1..=5 {
        let (first, second) = tokio::join!(world.run(), world.run());
        let busy = [&first, &second]
            .into_iter()
            .filter(|ran| matches!(ran, Ok(ChoreRun::NotNow(Refusal::Busy))))
            .count();
        assert!(first.is_ok() && second.is_ok() && busy == 1, "{first:?} {second:?}");
        assert_eq!(issuer.keys.lock().unwrap().len(), rotation, "one key was issued");
        for _ in 0..10 {
            world.clock.advance(DAY);
            world.run().await.unwrap();
        }
        world.clock.advance(world.policy.every);
    }
}

#[tokio::test]
async fn users_keep_the_last_value_while_the_store_does_not_answer() {
    let issuer = Issuer::default();
    let world = world(&issuer);
    world.run().await.unwrap();
    let fuse = Fuse::default();
    let store = Arc::new(Mortal::new(world.secrets.clone(), &fuse));
    let keep = Duration::from_secs(300);
    let active = ActiveSecret::new(store, SECRET, keep, world.clock.shared());
    assert_eq!(active.get().await.unwrap().1.expose(), "hunter2-1");
    world.clock.advance(keep);
    die_at(&fuse, 1);
    assert_eq!(active.get().await.unwrap().1.expose(), "hunter2-1", "an old one is better than none");
    assert!(!format!("{active:?}").contains("hunter2"));
    let none = ActiveSecret::new(Arc::new(world.secrets.clone()), "nothing", keep, world.clock.shared());
    assert_eq!(none.get().await.unwrap_err().kind(), ErrorKind::NotFound);
}

#[tokio::test]
async fn policies_that_cannot_be_kept_are_refused() {
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let state: Arc<dyn StateStore> = Arc::new(MemoryStateStore::new(clock.shared()));
    let secrets: Arc<dyn SecretStore> = Arc::new(MemorySecrets::new(clock.shared()));
    let care = |name: &str, policy| {
        let kind = ApiKeys::new(Arc::new(Issuer::default()));
        SecretCare::new(name, Arc::clone(&secrets), kind, policy, Arc::clone(&state))
    };
    let error = care("key", RotationPolicy::api_keys().with_every(DAY)).unwrap_err();
    assert!(error.to_string().contains("every: 86400s is shorter than one rotation"), "{error}");
    assert!(care("a/b", RotationPolicy::api_keys()).unwrap_err().to_string().contains("a/b"));
    let caretaker: Caretaker<_> =
        care("key", RotationPolicy::api_keys()).unwrap().caretaker().build().unwrap();
    assert!(caretaker.plan(&JobContext::system()).await.unwrap().to_string().contains("make generation 1"));
}
