//! Secrets in Google Secret Manager, against a server that keeps state.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod secret_faults;

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ErrorKind, Secret};
use alfred_ops_maintenance::testing::{SecretManagerServer, conformance};
use alfred_ops_maintenance::{
    ApiKeys, GoogleSecrets, Phase, RotationBook, RotationPolicy, SecretStore as _, VersionState,
};
use secret_faults::issuer::Issuer;
use secret_faults::{SECRET, World, die_at};

#[tokio::test]
async fn the_contract_is_kept() {
    let server = SecretManagerServer::start().await.unwrap();
    let secrets = GoogleSecrets::connect_to("alfred", server.endpoint()).await.unwrap();
    conformance::secret_store(&secrets).await;
    server.stop().await;
}

#[tokio::test]
async fn errors_name_what_is_wrong_and_no_value() {
    for project in ["", "a/b"] {
        let error = GoogleSecrets::connect_to(project, "http://127.0.0.1:1").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{project:?}");
    }
    let secrets = GoogleSecrets::connect_to("alfred", "http://127.0.0.1:1").await.unwrap();
    let error = secrets.add("db", &Secret::new("hunter2")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.full());
    let told = format!("{} {error:?} {secrets:?}", error.full());
    assert!(told.contains("projects/alfred/secrets/db") && !told.contains("hunter2"), "{told}");
}

/// One rotation over Secret Manager whose host dies at one call; tells whether it came to that call.
async fn rotate_and_die_at(point: u64) -> bool {
    let server = SecretManagerServer::start().await.unwrap();
    let secrets = Arc::new(GoogleSecrets::connect_to("alfred", server.endpoint()).await.unwrap());
    let issuer = Issuer::default();
    let kind = ApiKeys::new(Arc::new(issuer.clone()));
    let world = World::new(|_| secrets, kind, RotationPolicy::api_keys());
    world.run().await.unwrap();
    let first = world.check("first").await;
    world.clock.advance(world.policy.every + Duration::from_secs(1));
    die_at(&world.fuse, point);
    let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
    let mut deaths = 0;
    for _ in 0..60 {
        deaths += u32::from(world.run().await.is_err());
        world.check(&format!("point {point}")).await;
        let record = book.record().await.unwrap();
        if record.doing.is_none() && record.generations.len() == 1 && record.past.len() == 1 {
            break;
        }
        let revoked = record.in_phase(Phase::Revoked).is_some();
        world.clock.advance(if revoked { world.policy.disabled_for } else { world.policy.publish_for() });
    }
    let second = world.check(&format!("point {point}, at the end")).await;
    assert!(first.expose() != second.expose() && deaths <= 1, "point {point}: {deaths} deaths");
    assert_eq!(issuer.working(), [second.expose()], "point {point}: no other key works");
    let view = world.secrets.look(SECRET).await.unwrap();
    let enabled = view.versions.iter().filter(|version| version.state == VersionState::Enabled);
    assert_eq!(enabled.count(), 1, "point {point}: no other version can be read");
    assert_eq!(view.state_of(1), Some(VersionState::Destroyed), "point {point}");
    server.stop().await;
    world.fuse.deaths() > 0
}

#[tokio::test]
async fn a_host_that_dies_at_any_call_leaves_a_valid_secret_in_secret_manager() {
    let mut point = 1;
    while rotate_and_die_at(point).await {
        point += 1;
    }
    assert!(point > 60, "only {point} points were tried");
}
