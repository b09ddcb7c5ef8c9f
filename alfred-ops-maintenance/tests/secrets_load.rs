//! Rotation under load: tokens are verified by who asks for keys over HTTP, and connections made with the login in use, while
//! both are rotated by hosts that die at every call of every step.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod secret_faults;
mod secret_load;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::SystemClock;
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_maintenance::{
    DatabaseLogins, JwtKeys, KeyAlgorithm, MemorySecrets, Phase, RotationBook, RotationPolicy, RotationStep,
    SecretKind,
};
use secret_faults::{SECRET, World, die_at};
use secret_load::{Clients, Issuers, Load, Round};

const HOUR: Duration = Duration::from_secs(3600);
/// A quarter of the time that caches have.
const TICK: Duration = Duration::from_secs(75);
/// The first call of a step: the look before it comes to two calls, each of which passes two points.
const FIRST: u64 = 5;
/// Of a step's points every third is tried in a rotation, and the others in the next ones.
const STRIDE: u64 = 3;
/// A rotation takes about so many rounds.
const ROUNDS: u64 = 140;

/// A secret whose hosts die, one call after the other.
struct Rotated<K> {
    world: World<MemorySecrets, K>,
    book: RotationBook,
    /// Where a host dies that begins with a step.
    points: BTreeMap<&'static str, u64>,
    deaths: u64,
    /// The steps within which a host died.
    died_in: BTreeSet<&'static str>,
}

impl<K: SecretKind + Clone> Rotated<K> {
    async fn new(kind: K, policy: RotationPolicy) -> Self {
        let world = World::new(|clock| MemorySecrets::new(clock.shared()), kind, policy);
        world.run().await.unwrap();
        let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
        Self { world, book, points: BTreeMap::new(), deaths: 0, died_in: BTreeSet::new() }
    }

    /// A host looks once, and dies within its first step or the next if it has one.
    async fn run(&mut self) {
        self.world.fuse.put_out();
        self.world.fuse.revive();
        let planned = self.world.care().caretaker().build().unwrap().plan(&self.world.context).await.unwrap();
        let Some((step, _)) = planned.steps.first() else { return };
        let rotations = self.rotations().await;
        let point = self.points.entry(name_of(*step)).or_insert(FIRST);
        die_at(&self.world.fuse, *point);
        let died = self.world.run().await.is_err();
        // It has been through the whole of it: the next rotation begins at its start, in other places.
        *point = if died { *point + STRIDE } else { FIRST + rotations % STRIDE };
        if died {
            self.deaths += 1;
            if let Some((step, _)) = self.book.record().await.unwrap().doing {
                self.died_in.insert(name_of(step));
            }
        }
        self.world.check("under load").await;
    }

    async fn is_quiet(&self) -> bool {
        let record = self.book.record().await.unwrap();
        record.generations.len() == 1 && record.in_phase(Phase::Active).is_some()
    }

    async fn rotations(&self) -> u64 {
        self.book.record().await.unwrap().begun - 1
    }

    fn report(&self, of: &str) {
        println!("{of}: {} hosts died, within {:?}", self.deaths, self.died_in);
        let steps = ["activate", "destroy", "publish", "restage", "revoke", "stage"];
        assert_eq!(self.died_in, BTreeSet::from(steps), "{of}: hosts died within each step");
    }
}

fn name_of(step: RotationStep) -> &'static str {
    match step {
        RotationStep::Adopt { .. } => "adopt",
        RotationStep::Stage { .. } => "stage",
        RotationStep::Restage { .. } => "restage",
        RotationStep::Publish { .. } => "publish",
        RotationStep::Activate { .. } => "activate",
        RotationStep::Revoke { .. } => "revoke",
        RotationStep::Destroy { .. } => "destroy",
        other => panic!("a step that the test does not know: {other:?}"),
    }
}

fn counted(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

async fn postgres() -> PostgresServer {
    let hba = "host all postgres 127.0.0.1/32 trust\nhost all ops 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    let server = PostgresServer::builder().unwrap().hba(hba).start().await.unwrap();
    let sql = "CREATE ROLE ops LOGIN CREATEROLE; CREATE ROLE app NOLOGIN; GRANT app TO ops WITH ADMIN OPTION; \
               CREATE TABLE t AS SELECT 7 AS x; GRANT SELECT ON t TO app";
    server.psql(sql).unwrap();
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_fails_under_load_while_keys_and_logins_are_rotated_by_hosts_that_die() {
    let verifications = counted("ALFRED_OPS_SECRETS_VERIFICATIONS", 5_000);
    let rotations = counted("ALFRED_OPS_SECRETS_ROTATIONS", 2);
    let connections = counted("ALFRED_OPS_SECRETS_CONNECTIONS", verifications / 25);
    let round = Round {
        verifications: verifications.div_ceil(rotations * ROUNDS),
        connections: connections.div_ceil(rotations * ROUNDS),
    };
    let policy = RotationPolicy::jwt_keys().with_disabled_for(HOUR);
    let server = postgres().await;
    let admin = server.options().with_user("ops", None);
    let logins = DatabaseLogins::new(admin, "app", ["app_a", "app_b"]).unwrap();
    let mut keys = Rotated::new(JwtKeys::new(KeyAlgorithm::Ed25519).unwrap(), policy.clone()).await;
    let mut logins = Rotated::new(logins, policy.clone()).await;

    let issuers = Issuers::start(&keys.world, &keys.book).await;
    let clients = Arc::new(Clients::new(&issuers, &keys.world.clock, &logins.world, &server.options()));
    let mut load = Load::default();
    let clock = SystemClock::shared();
    let began = clock.monotonic();
    while load.verified < verifications || keys.rotations().await.min(logins.rotations().await) < rotations {
        issuers.sign(&mut load).await;
        // The clock stands meanwhile: no token expires between its choice and its verification.
        tokio::join!(clients.work(&mut load, round), keys.run(), logins.run());
        let quiet = keys.is_quiet().await && logins.is_quiet().await;
        let tick = if quiet { policy.every / 8 } else { TICK };
        keys.world.clock.advance(tick);
        logins.world.clock.advance(tick);
    }
    let seconds = (clock.monotonic() - began).as_secs_f64();
    load.report(seconds, keys.rotations().await, logins.rotations().await, issuers.fetches());
    keys.report("keys");
    logins.report("logins");
    assert_eq!(load.failures, Vec::<String>::new());
    assert!(issuers.fetches() > 0 && load.connected > 0);
    issuers.stop().await;
}
