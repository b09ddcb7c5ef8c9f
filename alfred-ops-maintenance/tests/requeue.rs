//! Stuck tasks on real Postgres servers.
//!
//! CI has 2,000 tasks worked on while workers die and stall; `scripts/soak requeue` has 100,000.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod postgres;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{
    EntropyExt as _, ErrorKind, JobContext, MemoryStateStore, PostgresOptions, SeededEntropy, TaskSet,
};
use alfred_ops_maintenance::{Caretaker, ChoreOutcome, Heartbeat, Requeue, RequeuePolicy};
use postgres::{VERSIONS, server};
use sqlx::{Connection as _, PgConnection};
use tokio_util::sync::CancellationToken;

/// The platform's tables, as far as they matter here.
const SCHEMA: &str = "CREATE TABLE tasks (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), status text NOT NULL DEFAULT 'pending', \
    assigned_to text, created_at timestamptz DEFAULT now(), updated_at timestamptz DEFAULT now(), started_at timestamptz, \
    completed_at timestamptz, failed_at timestamptz, error_message text, retry_count int DEFAULT 0, max_retries int DEFAULT 3, \
    timeout_seconds int DEFAULT 300); \
    CREATE TABLE agent_registry (id serial PRIMARY KEY, name text UNIQUE, last_heartbeat timestamptz, began timestamptz)";

fn caretaker(server: PostgresOptions, policy: RequeuePolicy) -> Caretaker<Requeue> {
    Requeue::new(server, policy).unwrap().caretaker(Arc::new(MemoryStateStore::default())).build().unwrap()
}

async fn outcome(caretaker: &Caretaker<Requeue>) -> (String, u64) {
    let run = caretaker.run(&JobContext::system()).await.unwrap();
    let record = run.record().unwrap();
    (record.outcome.to_string(), record.figures.work)
}

#[tokio::test]
async fn tasks_of_the_dead_are_tried_again_or_fail_and_the_living_keep_theirs() {
    for version in VERSIONS {
        let server = server(version).await;
        server.psql(SCHEMA).unwrap();
        server
            .psql(
                "INSERT INTO agent_registry (name, last_heartbeat) VALUES ('alive', now()), ('dead', now() - interval '1 hour'); \
                 INSERT INTO tasks (error_message, status, updated_at) VALUES ('never begun', 'processing', now() - interval '1 day'); \
                 INSERT INTO tasks (error_message, status, assigned_to, started_at, retry_count) VALUES \
                 ('again', 'processing', 'dead', now() - interval '10 min', 2), \
                 ('fails', 'processing', 'dead', now() - interval '10 min', 3), \
                 ('unknown', 'processing', 'nobody knows', now() - interval '10 min', 0), \
                 ('who knows', 'processing', NULL, NULL, 0), \
                 ('within its time', 'processing', 'dead', now() - interval '1 min', 0), \
                 ('alive', 'processing', 'alive', now() - interval '14 min', 0), \
                 ('done', 'completed', 'dead', now() - interval '10 hours', 0)",
            )
            .unwrap();
        let caretaker = caretaker(server.options(), RequeuePolicy::platform());
        let plan = caretaker.plan(&JobContext::system()).await.unwrap();
        assert_eq!((plan.again.len(), plan.fail.len(), plan.leave.len()), (3, 1, 1), "{version}: {plan}");
        assert_eq!(outcome(&caretaker).await, (ChoreOutcome::Finished.to_string(), 4), "{version}");
        assert_eq!(
            server
                .psql(
                    "SELECT string_agg(concat_ws(' ', left(error_message, 15), status, assigned_to, retry_count), ', ' \
                     ORDER BY error_message) FROM tasks"
                )
                .unwrap(),
            "again pending 3, alive processing alive 0, done completed dead 0, never begun pending 1, \
             the worker gave failed dead 3, unknown pending 1, who knows processing 0, within its time processing dead 0",
            "{version}"
        );
        assert_eq!(outcome(&caretaker).await.1, 0, "once is enough");
    }
}

#[tokio::test]
async fn a_successor_of_the_same_name_does_not_keep_tasks_of_the_dead() {
    for version in VERSIONS {
        let server = server(version).await;
        server.psql(SCHEMA).unwrap();
        server
            .psql(
                "INSERT INTO agent_registry (name, last_heartbeat, began) VALUES ('social', now(), now() - interval '3 min'), \
                 ('legal', now(), now() - interval '1 min'), ('tax', now(), NULL); \
                 INSERT INTO tasks (error_message, status, assigned_to, timeout_seconds, started_at, updated_at) VALUES \
                 ('of the dead', 'processing', 'social', 300, now() - interval '20 min', now()), \
                 ('of the living', 'processing', 'social', 60, now() - interval '2 min', now()), \
                 ('of who may live', 'processing', 'legal', 60, now() - interval '20 min', now()), \
                 ('of whom nobody knows', 'processing', 'tax', 600, now() - interval '20 min', now()), \
                 ('without a beginning', 'processing', 'social', 60, NULL, now() - interval '150 s')",
            )
            .unwrap();
        let states = || {
            let states = "SELECT string_agg(error_message || ' ' || status || retry_count, ', ' ORDER BY error_message) FROM tasks";
            server.psql(states).unwrap()
        };
        let before = states();
        let by_name = caretaker(server.options(), RequeuePolicy::platform());
        let (told, work) = outcome(&by_name).await;
        assert_eq!((work, states()), (0, before), "{version}: a name tells nothing: {told}");
        assert!(
            told.contains("2 tasks of legal, social run for more than 3 times their timeout")
                && told.contains("with_process_start"),
            "{version}: {told}"
        );
        let policy = RequeuePolicy::platform().with_process_start("began");
        let (told, work) = outcome(&caretaker(server.options(), policy)).await;
        assert_eq!(work, 1, "{version}: {told}");
        assert_eq!(
            states(),
            "of the dead pending1, of the living processing0, of who may live processing0, \
             of whom nobody knows processing0, without a beginning processing0",
            "{version}"
        );
        // What the obstacle says to do does it.
        let statement = told.split_once("run UPDATE").unwrap().1;
        server.psql(&format!("UPDATE{statement}")).unwrap();
        assert!(states().contains("of who may live pending1"), "{version}: {told}");
    }
}

#[tokio::test]
async fn processes_that_share_a_name_are_told_apart_by_who_claimed() {
    let server = server(17).await;
    server.psql(SCHEMA).unwrap();
    server
        .psql(
            "ALTER TABLE tasks ADD instance text; \
             INSERT INTO agent_registry (name, last_heartbeat) VALUES ('social-1', now()), ('social-2', now() - interval '1 hour'); \
             INSERT INTO tasks (status, assigned_to, instance, started_at) \
             SELECT 'processing', 'social', 'social-' || g, now() - interval '10 min' FROM generate_series(1, 3) g",
        )
        .unwrap();
    let mut policy = RequeuePolicy::platform();
    let Heartbeat::Worker { claimed_by, .. } = &mut policy.heartbeat else {
        panic!("the platform's are in a table")
    };
    *claimed_by = Some("instance".to_owned());
    assert_eq!(outcome(&caretaker(server.options(), policy)).await.1, 2);
    assert_eq!(
        server
            .psql("SELECT string_agg(status || coalesce(instance, '-'), ' ' ORDER BY status) FROM tasks")
            .unwrap(),
        "pending- pending- processingsocial-1"
    );
}

#[tokio::test]
async fn what_is_null_counts_as_the_policy_says_and_what_is_odd_is_no_outage() {
    for version in VERSIONS {
        let server = server(version).await;
        server.psql(SCHEMA).unwrap();
        server
            .psql(
                "ALTER TABLE tasks ALTER timeout_seconds TYPE float8; \
                 INSERT INTO tasks (status, started_at, timeout_seconds, retry_count, max_retries) VALUES \
                 ('processing', now() - interval '6 min', NULL, NULL, NULL), \
                 ('processing', now() - interval '4 min', NULL, NULL, NULL), \
                 ('processing', now() - interval '6 min', 300, 3, NULL), \
                 ('processing', '-infinity', 1e300, 0, 3), ('processing', NULL, 300, NULL, 3); \
                 UPDATE tasks SET updated_at = NULL WHERE started_at IS NULL",
            )
            .unwrap();
        let requeue = caretaker(server.options(), RequeuePolicy::platform());
        assert_eq!(outcome(&requeue).await, (ChoreOutcome::Finished.to_string(), 4), "{version}");
        assert_eq!(
            server.psql("SELECT string_agg(n, ', ' ORDER BY n) FROM (SELECT concat_ws(' ', status, retry_count) AS n FROM tasks) s").unwrap(),
            "failed 3, pending 1, pending 1, pending 1, processing",
            "{version}"
        );
    }
    let server = server(17).await;
    server.psql(SCHEMA).unwrap();
    server
        .psql("ALTER TABLE tasks ADD claim numeric DEFAULT 1e30; INSERT INTO tasks (status, started_at) VALUES ('processing', '-infinity')")
        .unwrap();
    let mut policy = RequeuePolicy::platform();
    policy.epoch = "claim".to_owned();
    let error = caretaker(server.options(), policy).run(&JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
}

#[tokio::test]
async fn rows_that_row_security_hides_are_an_obstacle_and_no_silence() {
    for version in VERSIONS {
        let server = server(version).await;
        server.psql(SCHEMA).unwrap();
        server
            .psql(
                "CREATE ROLE ops LOGIN; GRANT SELECT, UPDATE ON tasks TO ops; GRANT SELECT ON agent_registry TO ops; \
                 INSERT INTO agent_registry (name, last_heartbeat) VALUES ('alive', now()); \
                 INSERT INTO tasks (status, assigned_to, started_at) VALUES ('processing', 'alive', now() - interval '10 min')",
            )
            .unwrap();
        let requeue = caretaker(server.options().with_user("ops", None), RequeuePolicy::platform());
        for table in ["tasks", "agent_registry"] {
            server.psql(&format!("ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")).unwrap();
            let (told, work) = outcome(&requeue).await;
            assert_eq!(work, 0, "{version}: {told}");
            let wanted = format!("row security hides rows of \"public\".\"{table}\" from the role");
            assert!(
                told.contains(&wanted) && told.contains("ALTER ROLE \"ops\" BYPASSRLS"),
                "{version}: {told}"
            );
            server.psql(&format!("ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")).unwrap();
        }
        // Behind a view nobody sees it beforehand.
        server
            .psql(
                "ALTER TABLE agent_registry RENAME TO agents; ALTER TABLE agents ENABLE ROW LEVEL SECURITY; \
                 GRANT SELECT ON agents TO ops; \
                 CREATE VIEW agent_registry WITH (security_invoker) AS SELECT * FROM agents; GRANT SELECT ON agent_registry TO ops",
            )
            .unwrap();
        let error = requeue.run(&JobContext::system()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{version}: {error}");
        server.psql("ALTER ROLE ops BYPASSRLS").unwrap();
        let plan = requeue.plan(&JobContext::system()).await.unwrap();
        assert_eq!((plan.leave.len(), plan.obstacles.len()), (1, 0), "{version}: {plan}");
    }
}

#[tokio::test]
async fn what_is_missing_is_told_and_a_task_in_somebody_s_hands_is_left() {
    let server = server(17).await;
    let platform = caretaker(server.options(), RequeuePolicy::platform());
    assert!(outcome(&platform).await.0.contains("there is no table \"public\".\"tasks\""));
    server.psql(SCHEMA).unwrap();
    server.psql("ALTER TABLE tasks DROP COLUMN max_retries; CREATE ROLE guest LOGIN").unwrap();
    let guest = caretaker(server.options().with_user("guest", None), RequeuePolicy::platform());
    let told = outcome(&guest).await.0;
    for part in [
        "run GRANT SELECT, UPDATE ON \"public\".\"tasks\" TO \"guest\"",
        "\"public\".\"tasks\" has no column \"max_retries\"",
        "run GRANT SELECT ON \"public\".\"agent_registry\" TO \"guest\"",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    server.psql("ALTER TABLE tasks ADD max_retries int DEFAULT 3, ADD alive_at timestamptz, ADD claim bigint DEFAULT 7").unwrap();
    server
        .psql("INSERT INTO tasks (status, assigned_to, started_at, alive_at) SELECT 'processing', 'w', now() - interval '1 day', now() - g * interval '1 min' FROM generate_series(0, 9) g")
        .unwrap();
    // Its worker is about to write its result.
    server.psql("BEGIN; UPDATE tasks SET error_message = 'held' WHERE alive_at < now() - interval '8.5 min'; PREPARE TRANSACTION 'held'").unwrap();
    let own = Heartbeat::Task { column: "alive_at".to_owned() };
    let mut policy = RequeuePolicy::platform().with_heartbeat(own, Duration::from_secs(90));
    policy.epoch = "claim".to_owned();
    let own = caretaker(server.options(), policy);
    let (told, work) = outcome(&own).await;
    assert_eq!(work, 7, "{told}");
    assert!(told.contains("requeue 1 of w"), "{told}");
    server.psql("COMMIT PREPARED 'held'").unwrap();
    assert_eq!(outcome(&own).await.1, 1);
    assert_eq!(
        server.psql("SELECT string_agg(n, ', ' ORDER BY n) FROM (SELECT concat_ws(' ', status, claim, count(*)) AS n FROM tasks GROUP BY status, claim) AS s").unwrap(),
        "pending 8 8, processing 7 2"
    );
}

/// What one worker does with a claim.
enum Fate {
    Works,
    Dies,
    /// It is silent for so long that it is taken for dead, and then goes on as if nothing had been.
    Stalls,
}

#[derive(Debug, Default)]
struct Counts {
    deaths: AtomicU64,
    refused: AtomicU64,
    requeued: AtomicU64,
}

struct Worker {
    connection: PgConnection,
    entropy: SeededEntropy,
    number: u64,
    lives: u64,
    /// Whether it comes back under its old name, as after a redeployment.
    keeps_name: bool,
    counts: Arc<Counts>,
    context: JobContext,
}

impl Worker {
    /// Works until nothing is left to do.
    async fn work(mut self) {
        let mut name = self.name();
        self.begin(&name).await;
        loop {
            self.beat(&name).await;
            let claimed = "UPDATE tasks SET status = 'processing', assigned_to = $1, started_at = now() WHERE id IN \
                (SELECT id FROM tasks WHERE status = 'pending' LIMIT 20 FOR UPDATE SKIP LOCKED) RETURNING id::text, retry_count";
            let claimed: Vec<(String, i32)> =
                sqlx::query_as(claimed).bind(&name).fetch_all(&mut self.connection).await.unwrap();
            if claimed.is_empty() {
                let open = "SELECT EXISTS (SELECT FROM tasks WHERE status IN ('pending', 'processing'))";
                if !sqlx::query_scalar::<_, bool>(open).fetch_one(&mut self.connection).await.unwrap() {
                    return;
                }
                self.context.clock.sleep(Duration::from_millis(20)).await;
                continue;
            }
            let fate = match self.entropy.below(20) {
                0 => Fate::Dies,
                1 => Fate::Stalls,
                _ => Fate::Works,
            };
            match fate {
                Fate::Works => {}
                Fate::Stalls => self.context.clock.sleep(Duration::from_millis(1_500)).await,
                Fate::Dies => {
                    self.counts.deaths.fetch_add(1, Ordering::Relaxed);
                    self.lives += 1;
                    name = self.name();
                    self.begin(&name).await;
                    continue;
                }
            }
            for (id, epoch) in claimed {
                self.complete(&name, &id, epoch).await;
            }
        }
    }

    fn name(&self) -> String {
        let lives = if self.keeps_name { 0 } else { self.lives };
        format!("worker-{}-{lives}", self.number)
    }

    async fn begin(&mut self, name: &str) {
        let begin = "INSERT INTO agent_registry (name, last_heartbeat, began) VALUES ($1, now(), now()) \
            ON CONFLICT (name) DO UPDATE SET last_heartbeat = now(), began = now()";
        sqlx::query(begin).bind(name).execute(&mut self.connection).await.unwrap();
    }

    async fn beat(&mut self, name: &str) {
        let beat = "UPDATE agent_registry SET last_heartbeat = now() WHERE name = $1";
        sqlx::query(beat).bind(name).execute(&mut self.connection).await.unwrap();
    }

    /// Its result counts only where the task is still its own at the epoch of the claim.
    async fn complete(&mut self, name: &str, id: &str, epoch: i32) {
        let complete = "WITH own AS (UPDATE tasks SET status = 'completed', completed_at = now() WHERE id = $1::uuid \
            AND status = 'processing' AND assigned_to = $2 AND retry_count = $3 RETURNING id) \
            INSERT INTO results (task, worker, epoch) SELECT id, $2, $3 FROM own";
        let query = sqlx::query(complete).bind(id).bind(name).bind(epoch);
        let done = query.execute(&mut self.connection).await.unwrap();
        if done.rows_affected() == 0 {
            self.counts.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
}

async fn prepared(tasks: u64) -> PostgresServer {
    let server = server(17).await;
    server.psql(SCHEMA).unwrap();
    for statement in [
        "CREATE TABLE results (task uuid, worker text, epoch int)",
        "CREATE INDEX ON tasks (status)",
        "ALTER ROLE postgres SET synchronous_commit = off",
        &format!(
            "INSERT INTO tasks (timeout_seconds, max_retries) SELECT 0, 1000 FROM generate_series(1, {tasks})"
        ),
    ] {
        server.psql(statement).unwrap();
    }
    server
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_is_lost_and_none_has_two_owners_while_workers_die_and_stall() {
    work_through(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_task_is_lost_and_none_has_two_owners_while_workers_die_and_come_back_under_their_names() {
    work_through(true).await;
}

async fn work_through(keeps_name: bool) {
    let number = |name: &str, default: u64| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let tasks = number("ALFRED_OPS_REQUEUE_TASKS", 2_000);
    let seed = number("ALFRED_OPS_REQUEUE_SEED", 1);
    println!("seed {seed}");
    let server = prepared(tasks).await;
    let counts = Arc::new(Counts::default());
    let (set, stop) = (TaskSet::new(&CancellationToken::new()), CancellationToken::new());
    let context = JobContext::system();
    let mut workers = Vec::new();
    for number in 0..8 {
        let worker = Worker {
            connection: PgConnection::connect(server.options().to_url().expose()).await.unwrap(),
            entropy: SeededEntropy::new(seed + number),
            number,
            lives: 0,
            keeps_name,
            counts: Arc::clone(&counts),
            context: context.clone(),
        };
        workers.push(set.spawn(worker.work()));
    }
    // Two hosts that know nothing of one another.
    for _ in 0..2 {
        let mut policy = RequeuePolicy::platform();
        policy.silence = Duration::from_millis(1_000);
        if keeps_name {
            policy = policy.with_process_start("began");
        }
        let caretaker = caretaker(server.options(), policy);
        let (context, counts, stop) = (context.clone(), Arc::clone(&counts), stop.clone());
        set.spawn(async move {
            while !stop.is_cancelled() {
                let run = caretaker.run(&context).await.unwrap();
                counts.requeued.fetch_add(run.record().unwrap().figures.work, Ordering::Relaxed);
                context.clock.sleep(Duration::from_millis(50)).await;
            }
        });
    }
    for worker in workers {
        worker.await.unwrap();
    }
    stop.cancel();
    set.shutdown().await;

    let ask = |sql: &str| server.psql(sql).unwrap();
    let wanted = format!("{tasks} {tasks} {tasks}");
    assert_eq!(
        ask(
            "SELECT (SELECT count(*) FROM tasks WHERE status = 'completed') || ' ' || count(*) || ' ' || count(DISTINCT task) FROM results"
        ),
        wanted,
        "each is done, once"
    );
    let requeued = counts.requeued.load(Ordering::Relaxed).to_string();
    assert_eq!(ask("SELECT sum(retry_count) FROM tasks"), requeued, "each requeueing by one host");
    assert_eq!(
        ask("SELECT count(*) FROM results r JOIN tasks t ON t.id = r.task WHERE r.epoch <> t.retry_count"),
        "0",
        "no claim that was taken away wrote a result"
    );
    let [deaths, refused] = [&counts.deaths, &counts.refused].map(|count| count.load(Ordering::Relaxed));
    assert!(
        deaths > 0 && refused > 0 && requeued != "0",
        "{deaths} deaths, {refused} refused: too few to tell"
    );
    println!(
        "{tasks} tasks, {deaths} deaths, {requeued} requeued, {refused} late results refused, 0 lost, 0 twice"
    );
}
