//! Passwords of a real Postgres server, rotated by hosts that die, while others log in without a pause.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod secret_faults;

use std::sync::Arc;

use alfred_ops_core::ErrorKind;
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_maintenance::{
    ActiveSecret, DatabaseLogin, DatabaseLogins, MemorySecrets, Phase, RotationBook, RotationPolicy,
    SecretKind as _,
};
use secret_faults::{SECRET, World, die_at};
use sqlx::{Connection as _, Executor as _, PgConnection};

#[tokio::test]
async fn no_connection_fails_while_passwords_are_rotated_by_hosts_that_die() {
    for version in [15, 17, 18] {
        rotate_on(version).await;
    }
}

async fn rotate_on(version: u32) {
    let server = PostgresServer::builder_of(PostgresBinaries::of_version(version).unwrap())
        .hba("host all postgres 127.0.0.1/32 trust\nhost all ops 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        .setting("log_statement", "all")
        .setting("log_min_duration_statement", "0")
        .setting("log_parameter_max_length_on_error", "-1")
        .setting("shared_preload_libraries", "pg_stat_statements")
        .setting("pg_stat_statements.track", "all")
        .start()
        .await
        .unwrap();
    server
        .psql("CREATE ROLE ops LOGIN CREATEROLE; CREATE ROLE app NOLOGIN; GRANT app TO ops WITH ADMIN OPTION; CREATE TABLE t AS SELECT 7 AS x; GRANT SELECT ON t TO app; CREATE EXTENSION pg_stat_statements")
        .unwrap();
    let admin = server.options().with_user("ops", None);
    let kind = DatabaseLogins::new(admin, "app", ["app_a", "app_b"]).unwrap();
    let world =
        World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::database_logins());
    world.run().await.unwrap();
    let store = Arc::new(world.secrets.clone());
    let active = ActiveSecret::new(store, SECRET, world.policy.cache_ttl, world.clock.shared());
    let book = RotationBook::new(Arc::new(world.state.clone()), SECRET);
    let mut passwords = std::collections::BTreeSet::new();
    let (mut connections, mut deaths, mut point) = (0, 0, 1);
    while book.record().await.unwrap().begun < 5 {
        for _ in 0..2 {
            let login = DatabaseLogin::parse(&active.get().await.unwrap().1).unwrap();
            passwords.insert(login.password.expose().to_owned());
            let url = login.at(&server.options()).to_url();
            let mut session = PgConnection::connect(url.expose()).await.unwrap();
            session.execute("SELECT x FROM t").await.unwrap();
            session.close().await.unwrap();
            connections += 1;
        }
        if !world.fuse.is_lit() {
            point += 3;
            die_at(&world.fuse, point);
        }
        deaths += u32::from(world.run().await.is_err());
        let record = book.record().await.unwrap();
        world.clock.advance(match record.generations.as_slice() {
            [_] => world.policy.every / 4,
            [first, _] if first.phase == Phase::Revoked => world.policy.disabled_for / 4,
            _ => world.policy.cache_ttl / 4,
        });
    }
    println!("Postgres {version}: {connections} connections, {deaths} deaths, 0 failures");
    assert!(passwords.len() >= 4 && deaths > 0, "{} passwords, {deaths} deaths", passwords.len());
    // A statement that fails is logged again, with what it was given.
    server.psql("ALTER ROLE ops NOCREATEROLE").unwrap();
    let login = DatabaseLogin::parse(&active.get().await.unwrap().1).unwrap();
    let error = world.kind.publish(&login.user, &login.to_secret()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{}", error.full());
    let statements = server.psql("SELECT string_agg(query, E'\\n') FROM pg_stat_statements").unwrap();
    let log = server.log();
    for (place, text) in [("statistics", &statements), ("log", &log)] {
        assert!(
            text.contains("ALTER ROLE") && text.contains("SCRAM-SHA-256$"),
            "{place}: the statements are there"
        );
    }
    let told =
        format!("{log}{statements}{}{}{active:?}{}", world.told(), world.state_text().await, error.full());
    for password in &passwords {
        assert!(!told.contains(password.as_str()), "a password was told");
    }
}

#[tokio::test]
async fn the_login_in_use_is_never_the_next_one() {
    let server = alfred_ops_core::PostgresOptions::new("127.0.0.1", "ops");
    let kind = DatabaseLogins::new(server, "app", ["app_a", "app_b"]).unwrap();
    for (in_use, next) in
        [(None, "app_a"), (Some("app_a"), "app_b"), (Some("app_b"), "app_a"), (Some("x"), "app_a")]
    {
        assert_eq!(kind.make("id", in_use).await.unwrap().handle, next, "{in_use:?}");
    }
}

#[tokio::test]
async fn an_old_login_with_a_session_is_not_locked() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    server.psql("CREATE ROLE app NOLOGIN").unwrap();
    let kind = DatabaseLogins::new(server.options(), "app", ["app_a", "app_b"]).unwrap();
    let world =
        World::new(|clock| MemorySecrets::new(clock.shared()), kind, RotationPolicy::database_logins());
    world.run().await.unwrap();
    let login = DatabaseLogin::parse(&world.check("first").await).unwrap();
    let mut old = PgConnection::connect(login.at(&server.options()).to_url().expose()).await.unwrap();
    world.clock.advance(world.policy.every);
    for _ in 0..6 {
        world.run().await.unwrap();
        world.clock.advance(world.policy.publish_for());
    }
    let record = RotationBook::new(Arc::new(world.state.clone()), SECRET).record().await.unwrap();
    assert_eq!(record.in_phase(Phase::Retiring).unwrap().handle, "app_a");
    old.execute("SELECT 1").await.unwrap();
    world.clock.advance(world.policy.users_patience);
    let run = world.run().await.unwrap().to_string();
    assert!(run.contains("still waiting for 1 to stop using \"app_a\""), "{run}");
    old.close().await.unwrap();
    while server.psql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app_a'").unwrap() != "0" {}
    world.run().await.unwrap();
    assert_eq!(server.psql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'app_a'").unwrap(), "f");
}
