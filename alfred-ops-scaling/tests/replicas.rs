//! Reads off a real primary with two streaming standbys, one of them late on purpose.
//!
//! CI writes 300 times; `scripts/soak replicas` writes 10,000 times with ten reads each.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{ErrorKind, SystemClock};
use alfred_ops_scaling::{ReadFrom, ReplicaRouter, RoutedConnection, RoutingPolicy};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

const READERS: u32 = 4;
const READS_EACH: u32 = 10;

fn pool(server: &PostgresServer) -> sqlx::PgPool {
    let options: PgConnectOptions = server.options().to_url().expose().parse().unwrap();
    PgPoolOptions::new()
        .max_connections(READERS + 2)
        .acquire_timeout(Duration::from_secs(20))
        .connect_lazy_with(options)
}

async fn primary() -> PostgresServer {
    let primary = PostgresServer::builder()
        .unwrap()
        .setting("max_wal_senders", "10")
        .setting("hot_standby", "on")
        .start()
        .await
        .unwrap();
    primary.psql("CREATE TABLE counts (reader int PRIMARY KEY, count int NOT NULL)").unwrap();
    primary.psql("INSERT INTO counts SELECT g, 0 FROM generate_series(1, 10) g").unwrap();
    primary
}

fn router(primary: &PostgresServer, standbys: &[&PostgresServer], policy: RoutingPolicy) -> ReplicaRouter {
    let named =
        standbys.iter().enumerate().map(|(number, standby)| (format!("standby{number}"), pool(standby)));
    ReplicaRouter::new(pool(primary), named, policy, SystemClock::shared())
}

async fn count(routed: &mut RoutedConnection, reader: u32) -> u32 {
    let query = sqlx::query_scalar("SELECT count FROM counts WHERE reader = $1");
    let count: i32 = query.bind(i32::try_from(reader).unwrap()).fetch_one(routed.connection()).await.unwrap();
    u32::try_from(count).unwrap()
}

/// Waits until a standby answers readers without a token.
async fn until_replicated(router: &ReplicaRouter, reader: u32, expected: u32) {
    loop {
        let mut routed = router.read(None).await.unwrap();
        if *routed.from() != ReadFrom::Primary && count(&mut routed, reader).await == expected {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Writes and reads back, again and again; every read must see the write.
async fn write_and_read(router: &ReplicaRouter, reader: u32, writes: u32) {
    for written in 1..=writes {
        let mut connection = router.write().await.unwrap();
        sqlx::query("UPDATE counts SET count = $2 WHERE reader = $1")
            .bind(i32::try_from(reader).unwrap())
            .bind(i32::try_from(written).unwrap())
            .execute(&mut *connection)
            .await
            .unwrap();
        let token = router.token(&mut connection).await.unwrap();
        drop(connection);
        for _ in 0..READS_EACH {
            let mut routed = router.read(Some(token)).await.unwrap();
            let seen = count(&mut routed, reader).await;
            assert_eq!(seen, written, "a stale read from {:?}", routed.from());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_see_what_they_have_written_and_spare_the_primary() {
    let writes =
        std::env::var("ALFRED_OPS_REPLICAS_WRITES").ok().and_then(|text| text.parse().ok()).unwrap_or(300);
    let primary = primary().await;
    let (prompt, late) =
        (primary.start_standby(&[]).await.unwrap(), primary.start_standby(&[]).await.unwrap());
    late.psql("ALTER SYSTEM SET recovery_min_apply_delay = '300ms'").unwrap();
    late.psql("SELECT pg_reload_conf()").unwrap();
    let router = router(&primary, &[&prompt, &late], RoutingPolicy::default());
    until_replicated(&router, 1, 0).await;
    let each = writes / READERS;
    let readers = (1..=READERS).map(|reader| write_and_read(&router, reader, each));
    futures::future::join_all(readers).await;
    let load = router.load();
    let off: u64 = load.replicas.values().sum();
    println!("{} reads from the primary, {off} off it: {load:?}", load.primary);
    assert!(off + load.primary >= u64::from(each * READERS * READS_EACH));
    assert!(off * 10 >= (off + load.primary) * 8, "{load:?}");
    assert!(load.unfit["behind"] > 0, "the late one was asked and was late: {load:?}");
}

#[tokio::test]
async fn who_is_late_gone_or_promoted_is_not_read_from() {
    let primary = primary().await;
    let mut standby = primary.start_standby(&[]).await.unwrap();
    let strict = RoutingPolicy::default().with_lag_max(Duration::ZERO);
    let strict_router = router(&primary, &[&standby], strict);
    until_replicated(&strict_router, 1, 0).await;

    // Replay stands still, and what has been written since is not there.
    standby.psql("SELECT pg_wal_replay_pause()").unwrap();
    primary.psql("UPDATE counts SET count = 7 WHERE reader = 1").unwrap();
    let mut connection = strict_router.write().await.unwrap();
    let token = strict_router.token(&mut connection).await.unwrap();
    drop(connection);
    let mut routed = strict_router.read(Some(token)).await.unwrap();
    assert_eq!((count(&mut routed, 1).await, routed.from()), (7, &ReadFrom::Primary));
    standby.psql("SELECT pg_wal_replay_resume()").unwrap();
    until_replicated(&strict_router, 1, 7).await;

    // A token is taken where it was written.
    let mut routed = strict_router.read(None).await.unwrap();
    let error = strict_router.token(routed.connection()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", error.full());
    drop(routed);

    standby.psql("SELECT pg_promote()").unwrap();
    let fresh = router(&primary, &[&standby], RoutingPolicy::default());
    assert_eq!(fresh.read(Some(token)).await.unwrap().from(), &ReadFrom::Primary);
    assert_eq!(fresh.load().unfit["promoted"], 1);

    standby.stop();
    let options: PgConnectOptions = standby.options().to_url().expose().parse().unwrap();
    let gone = PgPoolOptions::new().acquire_timeout(Duration::from_millis(200)).connect_lazy_with(options);
    let gone = ReplicaRouter::new(
        pool(&primary),
        [("gone".to_owned(), gone)],
        RoutingPolicy::default(),
        SystemClock::shared(),
    );
    assert_eq!(gone.read(None).await.unwrap().from(), &ReadFrom::Primary);
    assert_eq!(gone.load().unfit["unreachable"], 1);
}
