//! Whatever a process traces while secrets are rotated, no value is in it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod secret_faults;

use std::fmt::{Debug, Write as _};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::Clock as _;
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_maintenance::testing::SecretManagerServer;
use alfred_ops_maintenance::{
    ActiveSecret, ApiKeys, DatabaseLogin, DatabaseLogins, FileSecrets, GoogleSecrets, JwtKeys, KeyAlgorithm,
    MemorySecrets, RotationBook, RotationPolicy, SecretKind, SecretStore, SigningKeys, TokenRules, Verifier,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secret_faults::issuer::Issuer;
use secret_faults::{SECRET, World, die_at};
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

/// Takes in every span and event of every crate, at every level.
#[derive(Debug, Clone, Default)]
struct Ear {
    heard: Arc<Mutex<String>>,
    spans: Arc<AtomicU64>,
}

struct Writer<'a>(&'a mut String);

impl Visit for Writer<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value}", field.name()).unwrap();
    }
}

impl Ear {
    fn hear(&self, metadata: &Metadata<'_>, record: impl FnOnce(&mut Writer<'_>)) {
        let mut heard = self.heard.lock().unwrap();
        write!(heard, "\n{} {}", metadata.level(), metadata.target()).unwrap();
        record(&mut Writer(&mut heard));
    }
}

impl Subscriber for Ear {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.hear(span.metadata(), |writer| span.record(writer));
        Id::from_u64(self.spans.fetch_add(1, Ordering::SeqCst) + 1)
    }

    fn record(&self, _: &Id, values: &Record<'_>) {
        values.record(&mut Writer(&mut self.heard.lock().unwrap()));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        self.hear(event.metadata(), |writer| event.record(writer));
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// The values that a whole rotation uses, in the forms in which they travel. Hosts die at every seventh call on the way.
async fn rotate<S: SecretStore + Clone, K: SecretKind + Clone>(world: &World<S, K>) -> Vec<String> {
    let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
    let mut values = Vec::new();
    world.run().await.unwrap();
    world.clock.advance(world.policy.every);
    let mut point = 1;
    for _ in 0..60 {
        values.push(world.check("silence").await.expose().to_owned());
        if book.record().await.unwrap().past.len() == 1 {
            break;
        }
        point += 7;
        die_at(&world.fuse, point);
        let _ = world.run().await;
        world.clock.advance(world.policy.disabled_for);
    }
    values.dedup();
    assert_eq!(values.len(), 2, "one rotation");
    let encoded: Vec<String> = values.iter().map(|value| STANDARD.encode(value)).collect();
    [values, encoded].concat()
}

async fn logins(told: &mut Vec<String>) {
    let hba = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    let server = PostgresServer::builder().unwrap().hba(hba).start().await.unwrap();
    server.psql("CREATE ROLE app NOLOGIN").unwrap();
    let kind = DatabaseLogins::new(server.options(), "app", ["app_a", "app_b"]).unwrap();
    let world =
        World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::database_logins());
    for value in rotate(&world).await {
        if let Ok(login) = DatabaseLogin::parse(&alfred_ops_core::Secret::new(value.clone())) {
            told.push(login.password.expose().to_owned());
        }
        told.push(value);
    }
    let store = Arc::new(world.secrets.clone());
    let active = ActiveSecret::new(store, SECRET, Duration::ZERO, world.clock.shared());
    let login = DatabaseLogin::parse(&active.get().await.unwrap().1).unwrap();
    let session = PgConnection::connect(login.at(&server.options()).to_url().expose()).await.unwrap();
    session.close().await.unwrap();
}

async fn keys(told: &mut Vec<String>) {
    let server = SecretManagerServer::start().await.unwrap();
    for algorithm in [KeyAlgorithm::Ed25519, KeyAlgorithm::Es256, KeyAlgorithm::Rs256] {
        let name = format!("alfred-{algorithm:?}").to_lowercase();
        let secrets = Arc::new(GoogleSecrets::connect_to(&name, server.endpoint()).await.unwrap());
        let world = World::new(|_| secrets, JwtKeys::new(algorithm).unwrap(), RotationPolicy::jwt_keys());
        for value in rotate(&world).await {
            // A line of a key is as good a sign of it as the whole, which may be told in pieces.
            let lines = value.lines().filter(|line| line.len() > 40 && !line.starts_with("--"));
            told.extend(lines.map(str::to_owned));
        }
        let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
        let store: Arc<dyn SecretStore> = Arc::new(Arc::clone(&world.secrets));
        let keys = Arc::new(SigningKeys::new(SECRET, store, book, &world.policy, world.clock.shared()));
        let token = keys.sign(&json!({ "exp": world.clock.now().timestamp() + 9 })).await.unwrap();
        let rules = TokenRules::default().with_algorithms([algorithm]);
        let verifier = Verifier::new(keys, rules, world.clock.shared());
        verifier.verify::<Value>(token.expose()).await.unwrap();
        let changed = format!("{}A", token.expose());
        verifier.verify::<Value>(&changed).await.unwrap_err();
        told.extend([token.expose().to_owned(), changed]);
    }
    server.stop().await;
}

#[tokio::test]
async fn nothing_that_is_traced_holds_a_value() {
    let ear = Ear::default();
    tracing::subscriber::set_global_default(ear.clone()).unwrap();
    let mut told = Vec::new();
    let folder = tempfile::tempdir().unwrap();
    let files = |clock: &alfred_ops_core::SimulatedClock| {
        Arc::new(FileSecrets::open(folder.path().join("secrets"), clock.shared()).unwrap())
    };
    let kind = ApiKeys::new(Arc::new(Issuer::default()));
    told.extend(rotate(&World::new(files, kind, RotationPolicy::api_keys())).await);
    keys(&mut told).await;
    logins(&mut told).await;
    let heard = ear.heard.lock().unwrap();
    for crate_name in ["alfred_ops_maintenance", "sqlx", "hyper"] {
        assert!(heard.contains(crate_name), "nothing was heard of {crate_name}");
    }
    assert!(heard.contains("TRACE") && told.len() > 20, "{} values", told.len());
    for value in told {
        assert!(!heard.contains(&value), "a value was traced: {value}");
    }
}
