//! Migrations from many replicas on a real Postgres.
//!
//! CI plays 3 rounds; `scripts/soak migrations` plays 50.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{EntropyExt as _, ErrorKind, JobContext, SeededEntropy, TaskSet};
use alfred_ops_maintenance::MigrationRunner;
use sqlx::migrate::{Migration, MigrationType, Migrator};
use tokio_util::sync::CancellationToken;

const REPLICAS: usize = 8;

async fn server() -> PostgresServer {
    PostgresServer::builder().unwrap().start().await.unwrap()
}

/// Migrations from their texts, numbered from 1.
fn migrator(texts: &[String]) -> Arc<Migrator> {
    let migrations = texts.iter().zip(1..).map(|(text, version)| {
        let no_tx = text.starts_with("-- no-transaction");
        let sql = sqlx::AssertSqlSafe(text.clone());
        let sql = sqlx::SqlSafeStr::into_sql_str(sql);
        Migration::new(version, Cow::Owned(format!("step {version}")), MigrationType::Simple, sql, no_tx)
    });
    Arc::new(Migrator::with_migrations(migrations.collect()))
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn runner(server: &PostgresServer, texts: &[String]) -> MigrationRunner {
    MigrationRunner::new(server.options(), migrator(texts)).giving_way(Duration::from_millis(300), 60)
}

const UNFINISHED: &str = "SELECT (SELECT count(*) FROM pg_index WHERE NOT indisvalid) + \
                          (SELECT count(*) FROM pg_constraint WHERE NOT convalidated)";

/// What a release brings: a table, two indexes that are built concurrently, a constraint in two steps.
fn release(round: usize) -> Vec<String> {
    vec![
        format!(
            "CREATE TABLE t{round} (id bigint PRIMARY KEY, a int, b text); \
                 INSERT INTO t{round} SELECT g, g % 97, g::text FROM generate_series(1, 20000) g"
        ),
        format!("-- no-transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS t{round}_a ON t{round} (a)"),
        format!("ALTER TABLE t{round} ADD CONSTRAINT t{round}_positive CHECK (a >= 0) NOT VALID"),
        format!("ALTER TABLE t{round} VALIDATE CONSTRAINT t{round}_positive"),
        format!("-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY t{round}_b ON t{round} (b)"),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_that_start_together_and_die_leave_nothing_half_built() {
    let rounds: usize =
        std::env::var("ALFRED_OPS_MIGRATIONS_ROUNDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3);
    let server = server().await;
    let random = SeededEntropy::new(7);
    let context = JobContext::system();
    let mut all = Vec::new();
    for round in 0..rounds {
        all.extend(release(round));
        let tasks = TaskSet::new(&CancellationToken::new());
        let start = |_| {
            let (runner, context) = (runner(&server, &all), context.clone());
            // Some are killed at any moment; those that stay bring it to its end.
            let patience = (random.below(3) == 0).then(|| Duration::from_millis(random.below(400)));
            tasks.spawn(async move {
                let run = runner.run(&context);
                match patience {
                    None => run.await.map(|report| Some(report.applied.len())),
                    Some(patience) => tokio::select! {
                        done = run => done.map(|report| Some(report.applied.len())),
                        () = context.clock.sleep(patience) => Ok(None),
                    },
                }
            })
        };
        let replicas: Vec<_> = (0..REPLICAS).map(start).collect();
        for replica in replicas {
            replica.await.unwrap().unwrap();
        }
        runner(&server, &all).run(&context).await.unwrap();
        assert_eq!(server.psql(UNFINISHED).unwrap(), "0", "round {round}");
        let applied = server.psql("SELECT count(*) FROM _sqlx_migrations WHERE success").unwrap();
        assert_eq!(applied, all.len().to_string());
        let indexes = format!("SELECT count(*) FROM pg_indexes WHERE tablename = 't{round}'");
        assert_eq!(server.psql(&indexes).unwrap(), "3", "round {round}");
    }
    assert_eq!(server.log().matches("deadlock detected").count(), 0);
    let again = runner(&server, &all).run(&context).await.unwrap();
    assert_eq!((again.applied.len(), again.finished.len(), again.removed.len()), (0, 0, 0));
}

#[tokio::test]
async fn a_half_built_index_is_begun_anew_and_a_recorded_one_finished() {
    let server = server().await;
    let all = texts(&[
        "CREATE TABLE t (id int, a int); INSERT INTO t VALUES (1, 1), (2, 1)",
        "-- no-transaction\nCREATE UNIQUE INDEX CONCURRENTLY t_a ON t (a)",
    ]);
    let context = JobContext::system();
    let error = runner(&server, &all).run(&context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{}", error.full());
    assert!(error.to_string().contains("migration 2: could not create unique index"), "{error}");
    assert_eq!(server.psql(UNFINISHED).unwrap(), "0", "what Postgres left behind is removed");

    // A crash would have left it.
    server.psql("CREATE INDEX t_a ON t (a)").unwrap();
    server.psql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_a'::regclass").unwrap();
    server.psql("UPDATE t SET a = id").unwrap();
    let report = runner(&server, &all).run(&context).await.unwrap();
    assert_eq!((report.applied, report.removed), (vec![2], vec!["t_a".to_owned()]));
    assert_eq!(server.psql(UNFINISHED).unwrap(), "0");

    // Somebody else's migrator believes an index that is there to be whole.
    server.psql("UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_a'::regclass").unwrap();
    let plan = runner(&server, &all).plan().await.unwrap();
    assert_eq!(plan.to_string(), "finish t_a");
    let report = runner(&server, &all).run(&context).await.unwrap();
    assert_eq!(report.finished, ["t_a"]);
    assert_eq!(server.psql(UNFINISHED).unwrap(), "0");
    assert_eq!(runner(&server, &all).plan().await.unwrap().to_string(), "nothing to migrate");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plan_changes_nothing_and_who_finds_the_table_needs_no_right_to_make_one() {
    let server = server().await;
    let all = texts(&["CREATE TABLE public.t (id int)"]);
    let role = server.options().with_user("reader", None);
    server.psql("CREATE ROLE reader LOGIN").unwrap();
    let reader = MigrationRunner::new(role, migrator(&all));
    assert!(reader.plan().await.unwrap().to_string().contains("step 1"));
    assert_eq!(server.psql("SELECT to_regclass('_sqlx_migrations') IS NULL").unwrap(), "t");
    let error = reader.run(&JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(!error.to_string().contains("migration 0"), "{error}");
    runner(&server, &all).run(&JobContext::system()).await.unwrap();
    server.psql("GRANT SELECT ON _sqlx_migrations TO reader").unwrap();
    assert_eq!(reader.plan().await.unwrap().to_string(), "nothing to migrate");
    assert!(reader.run(&JobContext::system()).await.unwrap().applied.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_gives_way_to_who_holds_a_lock_and_tries_again() {
    let server = server().await;
    let context = JobContext::system();
    let first = texts(&["CREATE TABLE t (id int)"]);
    runner(&server, &first).run(&context).await.unwrap();
    let pool = sqlx::PgPool::connect(server.options().to_url().expose()).await.unwrap();
    let mut reader = pool.begin().await.unwrap();
    sqlx::query("SELECT * FROM t").execute(&mut *reader).await.unwrap();

    let both = texts(&["CREATE TABLE t (id int)", "ALTER TABLE t ADD COLUMN a int"]);
    let stubborn = runner(&server, &both).giving_way(Duration::from_millis(20), 1);
    let error = stubborn.run(&context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{}", error.full());
    assert!(error.to_string().contains("migration 2: canceling statement due to lock timeout"), "{error}");

    let so_far = server.log().matches("due to lock timeout").count();
    let patient = runner(&server, &both).giving_way(Duration::from_millis(20), 60);
    let run = patient.run(&context);
    let let_go = async {
        while server.log().matches("due to lock timeout").count() == so_far {
            context.clock.sleep(Duration::from_millis(5)).await;
        }
        reader.rollback().await.unwrap();
    };
    let (report, ()) = tokio::join!(run, let_go);
    let report = report.unwrap();
    assert_eq!(report.applied, [2]);
    assert!(report.retries >= 1, "{report}");
}

#[tokio::test]
async fn each_mistake_is_named_before_anything_is_done() {
    let server = server().await;
    let context = JobContext::system();
    let run = async |list: &[&str]| runner(&server, &texts(list)).run(&context).await;
    run(&["CREATE TABLE t (id int)", "CREATE TABLE u (id int)"]).await.unwrap();

    let error = run(&["CREATE TABLE t (id bigint)", "CREATE TABLE u (id int)"]).await.unwrap_err();
    assert!(error.to_string().contains("migration 1 was changed after it was applied"), "{error}");
    let error = run(&[
        "CREATE TABLE t (id int)",
        "CREATE TABLE u (id int)",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY ON t (id)",
    ])
    .await
    .unwrap_err();
    assert!(error.to_string().contains("gives it no name"), "{error}");
    let error = run(&[
        "CREATE TABLE t (id int)",
        "CREATE TABLE u (id int)",
        "CREATE INDEX CONCURRENTLY t_id ON t (id)",
    ])
    .await
    .unwrap_err();
    assert!(error.to_string().contains("begins with `-- no-transaction`"), "{error}");
    // An older release beside a newer one finds nothing to do.
    let report = run(&["CREATE TABLE t (id int)"]).await.unwrap();
    assert_eq!(report.applied, Vec::<i64>::new());
    assert_eq!(runner(&server, &texts(&["CREATE TABLE t (id int)"])).plan().await.unwrap().newer, [2]);
}

#[tokio::test]
async fn an_old_history_is_taken_over_as_it_is() {
    let server = server().await;
    let context = JobContext::system();
    let pool = sqlx::PgPool::connect(server.options().to_url().expose()).await.unwrap();
    let old = [
        "CREATE TABLE t (id int)",
        "-- no-transaction\nCREATE INDEX CONCURRENTLY ON t (id)",
        "CREATE TABLE u (id int) -- later: CREATE INDEX CONCURRENTLY ON u (id)",
    ];
    migrator(&texts(&old)).run(&pool).await.unwrap();
    let more = [&old[..], &["-- CREATE INDEX CONCURRENTLY ON t (id)\nCREATE TABLE v (id int)"]].concat();
    let report = runner(&server, &texts(&more)).run(&context).await.unwrap();
    assert_eq!(report.applied, [4]);

    // The table of migrations has the name that the migrator gives it.
    let named = |list: &[&str]| {
        let mut named = Migrator::with_migrations(migrator(&texts(list)).iter().cloned().collect());
        named.create_schema("ops");
        named.dangerous_set_table_name("ops.history");
        Arc::new(named)
    };
    let list = ["CREATE TABLE ops.a (id int)", "CREATE TABLE ops.b (id int)"];
    let first = MigrationRunner::new(server.options(), named(&list[..1])).run(&context).await.unwrap();
    assert_eq!(first.applied, [1]);
    named(&list[..1]).run(&pool).await.unwrap();
    let second = MigrationRunner::new(server.options(), named(&list)).run(&context).await.unwrap();
    assert_eq!(second.applied, [2]);
    assert_eq!(server.psql("SELECT count(*) FROM ops.history").unwrap(), "2");
    assert_eq!(server.psql("SELECT count(*) FROM _sqlx_migrations").unwrap(), "4");
}
