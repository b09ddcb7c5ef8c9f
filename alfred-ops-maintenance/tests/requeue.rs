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
    EntropyExt as _, JobContext, MemoryStateStore, PostgresOptions, SeededEntropy, TaskSet,
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
    CREATE TABLE agent_registry (id serial PRIMARY KEY, name text UNIQUE, last_heartbeat timestamptz)";

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
                 INSERT INTO tasks (error_message, status, assigned_to, started_at, retry_count) VALUES \
                 ('again', 'processing', 'dead', now() - interval '10 min', 2), \
                 ('fails', 'processing', 'dead', now() - interval '10 min', 3), \
                 ('unknown', 'processing', 'nobody knows', now() - interval '10 min', 0), \
                 ('never begun', 'processing', NULL, NULL, 0), \
                 ('within its time', 'processing', 'dead', now() - interval '1 min', 0), \
                 ('alive', 'processing', 'alive', now() - interval '10 hours', 0), \
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
             the worker gave failed dead 3, unknown pending 1, within its time processing dead 0",
            "{version}"
        );
        assert_eq!(outcome(&caretaker).await.1, 0, "once is enough");
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
    counts: Arc<Counts>,
    context: JobContext,
}

impl Worker {
    /// Works until nothing is left to do.
    async fn work(mut self) {
        let mut name = self.name();
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
                    continue;
                }
            }
            for (id, epoch) in claimed {
                self.complete(&name, &id, epoch).await;
            }
        }
    }

    fn name(&self) -> String {
        format!("worker-{}-{}", self.number, self.lives)
    }

    async fn beat(&mut self, name: &str) {
        let beat = "INSERT INTO agent_registry (name, last_heartbeat) VALUES ($1, now()) \
            ON CONFLICT (name) DO UPDATE SET last_heartbeat = now()";
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
            counts: Arc::clone(&counts),
            context: context.clone(),
        };
        workers.push(set.spawn(worker.work()));
    }
    // Two hosts that know nothing of one another.
    for _ in 0..2 {
        let mut policy = RequeuePolicy::platform();
        policy.silence = Duration::from_millis(1_000);
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
