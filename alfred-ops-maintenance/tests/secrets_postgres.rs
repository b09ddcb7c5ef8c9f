//! Passwords of a real Postgres server, rotated by hosts that die, while others log in without a pause.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod secret_faults;

use std::sync::Arc;

use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{ErrorKind, PostgresOptions, Secret};
use alfred_ops_maintenance::{
    ActiveSecret, DatabaseLogin, DatabaseLogins, MemorySecrets, Phase, RotationBook, RotationPolicy,
    SecretKind as _, SecretStore as _,
};
use secret_faults::{SECRET, World, die_at};
use sqlx::{Connection as _, Executor as _, PgConnection};

type LoginWorld = World<MemorySecrets, DatabaseLogins>;

fn logins(admin: PostgresOptions) -> DatabaseLogins {
    DatabaseLogins::new(admin, "app", ["app_a", "app_b"]).unwrap()
}

fn world_of(logins: DatabaseLogins) -> LoginWorld {
    World::new(|clock| MemorySecrets::new(clock.shared()), logins, RotationPolicy::database_logins())
}

/// A server with the role whose logins take turns.
async fn scene() -> (PostgresServer, LoginWorld) {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    server.psql("CREATE ROLE app NOLOGIN").unwrap();
    let world = world_of(logins(server.options()));
    (server, world)
}

fn book_of(world: &LoginWorld) -> RotationBook {
    RotationBook::new(Arc::new(world.state.clone()), SECRET)
}

/// Waits until no session of `app_a` is left.
fn until_unused(server: &PostgresServer) {
    while server.psql("SELECT count(*) FROM pg_stat_activity WHERE usename = 'app_a'").unwrap() != "0" {}
}

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
    let world = world_of(logins(server.options().with_user("ops", None)));
    world.run().await.unwrap();
    let store = Arc::new(world.secrets.clone());
    let active = ActiveSecret::new(store, SECRET, world.policy.cache_ttl, world.clock.shared());
    let book = book_of(&world);
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
    let kind = logins(PostgresOptions::new("127.0.0.1", "ops"));
    for (in_use, next) in
        [(None, "app_a"), (Some("app_a"), "app_b"), (Some("app_b"), "app_a"), (Some("x"), "app_a")]
    {
        assert_eq!(kind.make("id", in_use).await.unwrap().handle, next, "{in_use:?}");
    }
}

#[tokio::test]
async fn an_old_login_with_a_session_is_not_locked() {
    let (server, world) = scene().await;
    world.run().await.unwrap();
    let login = DatabaseLogin::parse(&world.check("first").await).unwrap();
    let mut old = PgConnection::connect(login.at(&server.options()).to_url().expose()).await.unwrap();
    world.clock.advance(world.policy.every);
    for _ in 0..6 {
        world.run().await.unwrap();
        world.clock.advance(world.policy.publish_for());
    }
    let record = book_of(&world).record().await.unwrap();
    assert_eq!(record.in_phase(Phase::Retiring).unwrap().handle, "app_a");
    old.execute("SELECT 1").await.unwrap();
    world.clock.advance(world.policy.users_patience);
    let run = world.run().await.unwrap().to_string();
    assert!(run.contains("still waiting for 1 to stop using \"app_a\""), "{run}");
    old.close().await.unwrap();
    until_unused(&server);
    world.run().await.unwrap();
    assert_eq!(server.psql("SELECT rolcanlogin FROM pg_roles WHERE rolname = 'app_a'").unwrap(), "f");
}

#[tokio::test]
async fn a_login_that_somebody_uses_keeps_its_password() {
    let hba = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
    let server = PostgresServer::builder().unwrap().hba(hba).start().await.unwrap();
    server.psql("CREATE ROLE app NOLOGIN; CREATE ROLE app_a LOGIN PASSWORD 'old' IN ROLE app").unwrap();
    let error = DatabaseLogins::new(server.options(), "app", ["app_a", "postgres"]).unwrap_err();
    assert!(error.to_string().contains("\"postgres\" is the login that administers them"), "{error}");
    let world = world_of(logins(server.options()));
    let old = DatabaseLogin::new("app_a", Secret::new("old"));
    let connect = || async { PgConnection::connect(old.at(&server.options()).to_url().expose()).await };

    // A value that does not say whose it is may be that of app_a.
    world.secrets.add(SECRET, &Secret::new("hunter2")).await.unwrap();
    world.secrets.point(SECRET, 1, "").await.unwrap();
    let error = world.run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.full().contains("\"password\"") && !error.full().contains("hunter2"), "{}", error.full());

    // Nobody has told that app_a is in use.
    let world = world_of(world.kind);
    let session = connect().await.unwrap();
    let error = world.run().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.full().contains("1 sessions that no rotation knows of"), "{}", error.full());
    connect().await.unwrap().close().await.unwrap();
    session.close().await.unwrap();
    until_unused(&server);
    world.run().await.unwrap();
    connect().await.unwrap_err();
}

#[tokio::test]
async fn a_login_that_is_unlocked_and_used_again_is_not_revoked() {
    let (server, world) = scene().await;
    world.run().await.unwrap();
    let first = DatabaseLogin::parse(&world.check("first").await).unwrap();
    world.clock.advance(world.policy.every);
    let book = book_of(&world);
    while book.record().await.unwrap().in_phase(Phase::Revoked).is_none() {
        world.run().await.unwrap();
        world.clock.advance(world.policy.publish_for());
    }
    let asked =
        |what: &str| server.psql(&format!("SELECT {what} FROM pg_authid WHERE rolname = 'app_a'")).unwrap();
    server.psql("ALTER ROLE app_a LOGIN").unwrap();
    let session = PgConnection::connect(first.at(&server.options()).to_url().expose()).await.unwrap();
    world.clock.advance(world.policy.disabled_for);
    let run = world.run().await.unwrap().to_string();
    assert!(run.contains("1 use \"app_a\" again, although it was locked"), "{run}");
    assert_eq!((asked("rolcanlogin"), asked("rolpassword IS NULL")), ("t".to_owned(), "f".to_owned()));

    // A host that died between a lock and its undoing left it locked: the next one undoes it.
    server.psql("ALTER ROLE app_a NOLOGIN").unwrap();
    assert_eq!(world.kind.lock("app_a").await.unwrap_err().kind(), ErrorKind::Conflict);
    assert_eq!(asked("rolcanlogin"), "t");
    session.close().await.unwrap();
    until_unused(&server);
    world.run().await.unwrap();
    assert_eq!((asked("rolcanlogin"), asked("rolpassword IS NULL")), ("f".to_owned(), "t".to_owned()));
}

#[tokio::test]
async fn a_wish_beside_a_locked_login_gives_it_to_the_next_generation() {
    let (_server, world) = scene().await;
    let book = book_of(&world);
    for wish in 0..3 {
        book.want("a leak").await.unwrap();
        for _ in 0..4 {
            world.run().await.unwrap();
            world.check(&format!("wish {wish}")).await;
            world.clock.advance(world.policy.publish_for());
        }
    }
    let record = book.record().await.unwrap();
    assert_eq!((record.begun, record.generations.len()), (3, 3), "no wish waited for days: {record:?}");
    for _ in 0..4 {
        world.clock.advance(world.policy.disabled_for);
        world.run().await.unwrap();
        world.check("while those before are destroyed").await;
    }
    assert_eq!(book.record().await.unwrap().generations.len(), 1);
}
