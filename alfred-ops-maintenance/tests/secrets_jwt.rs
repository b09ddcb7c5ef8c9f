//! Tokens are verified without a failure while their keys are rotated by hosts that die.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod secret_faults;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use alfred_ops_core::testing::Python;
use alfred_ops_core::{Error, ErrorKind, Result, Secret, SimulatedClock, blocking};
use alfred_ops_maintenance::{
    JwksDocument, JwksSource, JwtKeys, KeyAlgorithm, MemorySecrets, Phase, RotationBook, RotationPolicy,
    SecretStore as _, SigningKeys, TokenRules, Verifier, VersionState,
};
use async_trait::async_trait;
use secret_faults::{SECRET, World, die_at};
use serde_json::{Value, json};

const ALGORITHMS: [KeyAlgorithm; 3] = [KeyAlgorithm::Ed25519, KeyAlgorithm::Es256, KeyAlgorithm::Rs256];
const HOUR: Duration = Duration::from_secs(3600);
/// A quarter of the time that caches have.
const TICK: Duration = Duration::from_secs(75);

#[tokio::test]
async fn no_token_fails_before_it_expires_while_hosts_die_at_every_call() {
    let verifications: u64 =
        std::env::var("ALFRED_OPS_SECRETS_VERIFICATIONS").map_or(20_000, |text| text.parse().unwrap());
    let rotations: u64 =
        std::env::var("ALFRED_OPS_SECRETS_ROTATIONS").map_or(3, |text| text.parse().unwrap());
    let policy = RotationPolicy::jwt_keys().with_disabled_for(HOUR);
    let kind = JwtKeys::new(KeyAlgorithm::Ed25519).unwrap();
    let world = World::new(|clock| MemorySecrets::new(clock.shared()), kind, policy);
    world.run().await.unwrap();
    let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
    let keys = || {
        let store = Arc::new(world.secrets.clone());
        Arc::new(SigningKeys::new(SECRET, store, book.clone(), &world.policy, world.clock.shared()))
    };
    // Two replicas sign, and each is verified by who asks the other.
    let replicas = [keys(), keys()];
    let verifier = |index: usize| {
        let source = Arc::clone(&replicas[index]);
        Verifier::new(source, TokenRules::default().with_leeway(Duration::ZERO), world.clock.shared())
    };
    let verifiers = [verifier(1), verifier(0)];
    let (mut done, mut deaths, mut point) = (0_u64, 0_u64, 1_u64);
    let mut held: std::collections::VecDeque<(i64, Secret)> = std::collections::VecDeque::new();
    while done < verifications || book.record().await.unwrap().begun <= rotations {
        let now = world.clock.now_seconds();
        for signer in &replicas {
            let expires = now + 3600;
            held.push_back((expires, signer.sign(&json!({ "sub": "agent", "exp": expires })).await.unwrap()));
        }
        held.retain(|(expires, _)| *expires >= now);
        for (number, (_, token)) in held.iter().enumerate() {
            let claims = verifiers[number % 2].verify::<Value>(token.expose()).await;
            claims.unwrap_or_else(|error| panic!("{done} verifications: {}", error.full()));
            done += 1;
        }
        if !world.fuse.is_lit() {
            point += 1;
            die_at(&world.fuse, point);
        }
        deaths += u64::from(world.run().await.is_err());
        world.check("under load").await;
        let record = book.record().await.unwrap();
        let quiet = record.generations.len() == 1 && record.in_phase(Phase::Active).is_some();
        world.clock.advance(if quiet { world.policy.every / 8 } else { TICK });
    }
    println!(
        "{done} verifications, {} rotations, {deaths} deaths, 0 failures",
        book.record().await.unwrap().begun - 1
    );
    assert!(deaths > 0);
    let told = format!("{}{}{replicas:?}{verifiers:?}", world.told(), world.state_text().await);
    assert!(!told.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn bad_tokens_are_refused_and_the_document_is_fit_to_be_published() {
    for algorithm in ALGORITHMS {
        let kind = JwtKeys::new(algorithm).unwrap();
        let world = World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::jwt_keys());
        let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
        let store = Arc::new(world.secrets.clone());
        let keys = Arc::new(SigningKeys::new(SECRET, store, book, &world.policy, world.clock.shared()));
        assert_eq!(keys.jwks().await.unwrap_err().kind(), ErrorKind::NotFound);
        world.run().await.unwrap();
        let document = keys.jwks().await.unwrap();
        assert_eq!(document.cache_control(), "public, max-age=150");
        let parsed: Value = serde_json::from_str(&document.body).unwrap();
        assert_eq!(parsed["keys"].as_array().unwrap().len(), 1);
        assert_eq!((&parsed["keys"][0]["use"], parsed["keys"][0].get("d")), (&json!("sig"), None));
        let rules = TokenRules::default().with_issuer("alfred").with_audience("agents");
        let rules = rules.with_leeway(Duration::ZERO).with_algorithms(ALGORITHMS);
        let source = Arc::clone(&keys);
        let verifier = Verifier::new(source, rules, world.clock.shared());
        let now = world.clock.now_seconds();
        for (claims, fault) in [
            (json!({"iss": "alfred", "aud": ["x", "agents"], "exp": now + 9}), None),
            (json!({"iss": "alfred", "aud": "agents"}), Some("does not say when it expires")),
            (json!({"iss": "alfred", "aud": "agents", "exp": now - 1}), Some("has expired")),
            (json!({"iss": "alfred", "aud": "agents", "exp": now + 9, "nbf": now + 5}), Some("not good yet")),
            (json!({"iss": "eve", "aud": "agents", "exp": now + 9}), Some("another issuer")),
            (json!({"iss": "alfred", "aud": "x", "exp": now + 9}), Some("somebody else")),
        ] {
            let token = keys.sign(&claims).await.unwrap();
            let verified = verifier.verify::<Value>(token.expose()).await;
            match fault {
                None => assert_eq!(verified.unwrap(), claims),
                Some(fault) => assert!(verified.unwrap_err().to_string().contains(fault), "{fault}"),
            }
        }
        let token = keys.sign(&json!({"iss": "alfred", "aud": "agents", "exp": now + 9})).await.unwrap();
        let (body, _) = token.expose().rsplit_once('.').unwrap();
        for bad in [format!("{body}."), format!("{body}.AAAA"), "x".to_owned(), "a.b.c".to_owned()] {
            assert_eq!(
                verifier.verify::<Value>(&bad).await.unwrap_err().kind(),
                ErrorKind::PermissionDenied,
                "{bad}"
            );
        }
        let stranger =
            World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::jwt_keys());
        stranger.run().await.unwrap();
        let book = RotationBook::new(Arc::new(stranger.state.clone()), SECRET);
        let theirs = SigningKeys::new(
            SECRET,
            Arc::new(stranger.secrets.clone()),
            book,
            &world.policy,
            world.clock.shared(),
        );
        let token = theirs.sign(&json!({"iss": "alfred", "aud": "agents", "exp": now + 9})).await.unwrap();
        let error = verifier.verify::<Value>(token.expose()).await.unwrap_err().to_string();
        assert!(error.contains("its key is not published"), "{error}");
    }
}

#[tokio::test]
async fn rs256_is_verified_only_by_who_takes_it() {
    let kind = JwtKeys::new(KeyAlgorithm::Rs256).unwrap();
    let world = World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::jwt_keys());
    world.run().await.unwrap();
    let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
    let store = Arc::new(world.secrets.clone());
    let keys = Arc::new(SigningKeys::new(SECRET, store, book, &world.policy, world.clock.shared()));
    let token = keys.sign(&json!({ "exp": world.clock.now_seconds() + 9 })).await.unwrap();
    let verifier = Verifier::new(keys, TokenRules::default(), world.clock.shared());
    let error = verifier.verify::<Value>(token.expose()).await.unwrap_err().to_string();
    assert!(error.contains("its algorithm is not allowed"), "{error}");
}

#[tokio::test]
async fn a_key_that_cannot_be_read_costs_the_others_nothing() {
    let kind = JwtKeys::new(KeyAlgorithm::Ed25519).unwrap();
    let world = World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::jwt_keys());
    world.run().await.unwrap();
    let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
    book.want("a test").await.unwrap();
    world.run().await.unwrap();
    let keys = || {
        let store = Arc::new(world.secrets.clone());
        SigningKeys::new(SECRET, store, book.clone(), &world.policy, world.clock.shared())
    };
    let published = || async {
        let document: Value = serde_json::from_str(&keys().jwks().await.unwrap().body).unwrap();
        document["keys"].as_array().unwrap().len()
    };
    assert_eq!(published().await, 2);
    world.secrets.set_state(SECRET, 2, VersionState::Disabled).await.unwrap();
    assert_eq!(published().await, 1);
    keys().sign(&json!({ "exp": 4_000_000_000_u64 })).await.unwrap();
}

#[tokio::test]
async fn what_is_no_key_is_not_taken_into_care() {
    let kind = JwtKeys::new(KeyAlgorithm::Ed25519).unwrap();
    let world = World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::jwt_keys());
    world.secrets.add(SECRET, &Secret::new("hunter2")).await.unwrap();
    world.secrets.point(SECRET, 1, "").await.unwrap();
    let error = world.run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.full().contains("PKCS#8") && !error.full().contains("hunter2"), "{}", error.full());
}

/// Answers with a document, or not, and counts how often it is asked.
#[derive(Debug, Default)]
struct Publisher {
    body: String,
    is_down: AtomicBool,
    asked: AtomicU64,
}

#[async_trait]
impl JwksSource for Publisher {
    async fn fetch(&self) -> Result<JwksDocument> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        if self.is_down.load(Ordering::SeqCst) {
            return Err(Error::new(ErrorKind::Unavailable, "ask", "nobody answers"));
        }
        Ok(JwksDocument::new(self.body.clone(), Duration::from_secs(150)))
    }
}

#[tokio::test]
async fn keys_that_do_not_name_their_algorithm_verify_what_they_fit() {
    for algorithm in ALGORITHMS {
        let (document, token, clock) = one_token(algorithm).await;
        let mut document: Value = serde_json::from_str(&document).unwrap();
        document["keys"][0].as_object_mut().unwrap().remove("alg").unwrap();
        let source = Arc::new(Publisher { body: document.to_string(), ..Publisher::default() });
        let verifier =
            Verifier::new(source, TokenRules::default().with_algorithms(ALGORITHMS), clock.shared());
        verifier.verify::<Value>(token.expose()).await.unwrap();
        let others = ALGORITHMS.into_iter().filter(|other| *other != algorithm).collect::<Vec<_>>();
        let source = Arc::new(Publisher { body: document.to_string(), ..Publisher::default() });
        let verifier = Verifier::new(source, TokenRules::default().with_algorithms(others), clock.shared());
        verifier.verify::<Value>(token.expose()).await.unwrap_err();
    }
}

#[tokio::test]
async fn tokens_of_unknown_keys_do_not_ask_who_does_not_answer_each_time() {
    let (document, token, clock) = one_token(KeyAlgorithm::Ed25519).await;
    let (_, bogus, _) = one_token(KeyAlgorithm::Ed25519).await;
    let source = Arc::new(Publisher { body: document, ..Publisher::default() });
    let verifier = Verifier::new(Arc::clone(&source) as _, TokenRules::default(), clock.shared());
    verifier.verify::<Value>(token.expose()).await.unwrap();
    source.is_down.store(true, Ordering::SeqCst);
    clock.advance(Duration::from_secs(10));
    for _ in 0..20 {
        let error = verifier.verify::<Value>(bogus.expose()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{}", error.full());
    }
    assert_eq!(source.asked.load(Ordering::SeqCst), 2, "the first time, and once in vain");
    clock.advance(HOUR);
    for _ in 0..20 {
        verifier.verify::<Value>(token.expose()).await.unwrap();
    }
    assert_eq!(source.asked.load(Ordering::SeqCst), 3, "the last keys are used without a request each");
}

/// What is published, a token of that, and its time.
async fn one_token(algorithm: KeyAlgorithm) -> (String, Secret, SimulatedClock) {
    let kind = JwtKeys::new(algorithm).unwrap();
    let world = World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::jwt_keys());
    world.run().await.unwrap();
    let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
    let store = Arc::new(world.secrets.clone());
    let keys = SigningKeys::new(SECRET, store, book, &world.policy, world.clock.shared());
    let token = keys.sign(&json!({ "exp": 4_000_000_000_u64 })).await.unwrap();
    (keys.jwks().await.unwrap().body.to_string(), token, world.clock)
}

/// Python's library for tokens, which ours is held against; a newer one is a decision.
const PYJWT: &str = "pyjwt[crypto]==2.10.1";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_tokens.py");

#[tokio::test]
async fn pyjwt_verifies_our_tokens_and_signs_by_our_keys() {
    for algorithm in ALGORITHMS {
        let kind = JwtKeys::new(algorithm).unwrap();
        let world = World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::jwt_keys());
        world.run().await.unwrap();
        let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
        let store = Arc::new(world.secrets.clone());
        let keys = Arc::new(SigningKeys::new(SECRET, store, book, &world.policy, world.clock.shared()));
        let claims = json!({ "sub": "agent", "aud": "agents", "exp": 4_000_000_000_u64 });
        let token = keys.sign(&claims).await.unwrap();
        let (document, key) = (keys.jwks().await.unwrap().body, world.check("pyjwt").await);
        let arguments = [document.to_string(), token.expose().to_owned(), key.expose().to_owned()];
        let python = || Python::with(env!("CARGO_TARGET_TMPDIR"), &[PYJWT]);
        let printed = blocking(move || python().script(SCRIPT, &arguments.each_ref().map(String::as_str)));
        let theirs = printed.await.unwrap();
        let rules = TokenRules::default().with_audience("agents").with_algorithms(ALGORITHMS);
        let verified = Verifier::new(keys, rules, world.clock.shared()).verify::<Value>(theirs.trim()).await;
        assert_eq!(verified.unwrap(), claims, "{algorithm:?}");
    }
}

trait Seconds {
    fn now_seconds(&self) -> i64;
}

impl Seconds for alfred_ops_core::SimulatedClock {
    fn now_seconds(&self) -> i64 {
        use alfred_ops_core::Clock as _;
        self.now().timestamp()
    }
}
