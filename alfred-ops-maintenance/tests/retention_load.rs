//! Retention beside pgbench: what it costs those who share the server, and how fast it is.
//!
//! Windows with and without the chore alternate while pgbench commits 300 times a second. CI has 60,000 rows and only
//! looks at what is left; `scripts/soak retention` has 30,000,000 and its figures are worth reading.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{JobContext, MemoryStateStore};
use alfred_ops_maintenance::{Budget, ChoreOutcome, Retention, RetentionPolicy, Stop};
use chrono::{DateTime, TimeDelta, Utc};

/// Long enough that the slowest hundredth is 45 transactions.
const WINDOW: Duration = Duration::from_secs(15);
const HOUR: u64 = 3600;

/// A stretch of time and what was deleted in it.
#[derive(Debug)]
struct Phase {
    from: DateTime<Utc>,
    to: DateTime<Utc>,
    rows: u64,
    longest_lock: Duration,
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

async fn filled(rows: u64) -> PostgresServer {
    let server = PostgresServer::builder_of(PostgresBinaries::of_version(17).unwrap())
        .setting("shared_buffers", "512MB")
        .setting("max_wal_size", "4GB")
        .start()
        .await
        .unwrap();
    let order = std::env::var("ALFRED_OPS_RETENTION_ORDER").unwrap_or_else(|_| "g".to_owned());
    for statement in [
        "CREATE TABLE processed_msgs (message_id text NOT NULL, processed_at timestamptz NOT NULL)"
            .to_owned(),
        // The oldest is of 72 hours ago.
        format!(
            "INSERT INTO processed_msgs SELECT 'message-' || g, now() - interval '72 h' + g * interval '72 h' / {rows} \
             FROM generate_series(1, {rows}) g ORDER BY {order}"
        ),
        "ALTER TABLE processed_msgs ADD PRIMARY KEY (message_id)".to_owned(),
        "CREATE INDEX by_age ON processed_msgs (processed_at)".to_owned(),
        "VACUUM (ANALYZE) processed_msgs".to_owned(),
        "CHECKPOINT".to_owned(),
    ] {
        server.psql(&statement).unwrap();
    }
    server
}

fn pgbench(server: &PostgresServer, arguments: &[&str], folder: &Path) -> Command {
    let mut command = Command::new(server.binaries().program("pgbench"));
    command.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &server.options().port.to_string()]);
    command.args(arguments).arg("postgres").current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// A workload that ends with its owner.
struct Workload(Child);

impl Drop for Workload {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs of the chore, each as long as a window, with as long a rest before each, until all is gone.
async fn phases(
    server: &PostgresServer,
    keep_hours: u64,
    context: &JobContext,
    rest: Duration,
) -> Vec<Phase> {
    let mut policy = RetentionPolicy::processed_msgs();
    policy.keep = Duration::from_secs(keep_hours * HOUR);
    let retention = Retention::new(server.options(), policy)
        .caretaker(Arc::new(MemoryStateStore::default()))
        .budget(Budget::default().with_time(WINDOW))
        .build()
        .unwrap();
    println!("plan: {}", retention.plan(context).await.unwrap());
    let mut phases = Vec::new();
    loop {
        context.clock.sleep(rest).await;
        let run = retention.run(context).await.unwrap();
        let record = run.record().unwrap();
        println!("{record}; {:?}", record.figures.notes);
        let (from, to) = (record.started_at, record.ended_at);
        let figures = &record.figures;
        phases.push(Phase { from, to, rows: figures.work, longest_lock: figures.longest_lock });
        match &record.outcome {
            ChoreOutcome::Stopped(Stop::TimeSpent) => {}
            ChoreOutcome::Finished => return phases,
            other => panic!("{other}"),
        }
    }
}

/// The end and the latency in microseconds of each transaction in pgbench's logs.
fn latencies(folder: &Path) -> Vec<(DateTime<Utc>, u64)> {
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        for line in std::fs::read_to_string(file.unwrap().path()).unwrap().lines() {
            let words: Vec<i64> = line.split(' ').filter_map(|word| word.parse().ok()).collect();
            if let [_, _, latency, _, seconds, micros, ..] = words[..] {
                let end = DateTime::from_timestamp(seconds, 0).unwrap() + TimeDelta::microseconds(micros);
                all.push((end, latency.unsigned_abs()));
            }
        }
    }
    all
}

fn within(latencies: &[(DateTime<Utc>, u64)], from: DateTime<Utc>, to: DateTime<Utc>) -> Vec<u64> {
    latencies.iter().filter(|(end, _)| (from..to).contains(end)).map(|(_, latency)| *latency).collect()
}

/// In milliseconds.
#[expect(clippy::cast_precision_loss, reason = "a figure")]
fn p99(latencies: &[u64]) -> Option<f64> {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() * 99 / 100).map(|latency| *latency as f64 / 1e3)
}

#[expect(clippy::cast_precision_loss, reason = "a figure")]
fn speed(phases: &[Phase]) -> f64 {
    let rows: u64 = phases.iter().map(|phase| phase.rows).sum();
    let seconds: f64 = phases.iter().map(|phase| (phase.to - phase.from).as_seconds_f64()).sum();
    rows as f64 / seconds
}

fn median(ratios: &mut [f64]) -> Option<f64> {
    ratios.sort_by(f64::total_cmp);
    ratios.get(ratios.len() / 2).copied()
}

fn left(server: &PostgresServer, keep_hours: u64) -> u64 {
    let expired =
        format!("SELECT count(*) FROM processed_msgs WHERE processed_at < now() - interval '{keep_hours} h'");
    server.psql(&expired).unwrap().parse().unwrap()
}

/// How much longer transactions took in windows with the chore than in those before them.
fn report_latencies(latencies: &[(DateTime<Utc>, u64)], phases: &[Phase]) {
    let window = TimeDelta::from_std(WINDOW).unwrap();
    let (mut ratios, mut quiet) = (Vec::new(), Vec::new());
    let mut last_before = None;
    let (mut all_before, mut all_during) = (Vec::new(), Vec::new());
    for phase in phases {
        let before = within(latencies, phase.from - window, phase.from);
        let during = within(latencies, phase.from, phase.to);
        if let (Some(before), Some(during)) = (p99(&before), p99(&during)) {
            println!("p99: {before:.2} ms without, {during:.2} ms with");
            ratios.push(during / before);
            quiet.extend(last_before.map(|last| before / last));
            last_before = Some(before);
        }
        all_before.extend(before);
        all_during.extend(during);
    }
    if let (Some(median), Some(before), Some(during)) =
        (median(&mut ratios), p99(&all_before), p99(&all_during))
    {
        println!("figure: purge.workload_p99_ratio = {median:.3}");
        // How far windows without the chore lie apart says what the figure above is worth.
        quiet.sort_by(f64::total_cmp);
        println!("ratios of windows without the chore: {quiet:.2?}");
        println!("ratios with it: {ratios:.2?}");
        println!("figure: purge.workload_p99_ratio_of_all = {:.3}", during / before);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_go_beside_a_workload_and_under_a_held_snapshot() {
    let rows = number("ALFRED_OPS_RETENTION_ROWS", 60_000);
    let rest = if rows > 60_000 { WINDOW } else { Duration::ZERO };
    let server = filled(rows).await;
    let folder = server.account().private_folder("alfred-ops-pgbench-").unwrap();
    assert!(pgbench(&server, &["-i", "-q", "-s", "10"], folder.path()).status().unwrap().success());
    let arguments = ["-c", "4", "-j", "1", "-R", "300", "-T", "3600", "-l"];
    let workload = Workload(pgbench(&server, &arguments, folder.path()).spawn().unwrap());
    let context = JobContext::system();

    let free = phases(&server, 48, &context, rest).await;
    println!("figure: purge.rows = {rows}");
    println!("figure: purge.rows_per_s = {:.0}", speed(&free));
    report_latencies(&latencies(folder.path()), &free);

    let mut holder = pgbench(&server, &[], folder.path());
    holder = {
        let mut psql = Command::new(server.binaries().program("psql"));
        psql.args(holder.get_args()).stdin(Stdio::null()).stdout(Stdio::null());
        psql.args([
            "-c",
            "BEGIN ISOLATION LEVEL REPEATABLE READ",
            "-c",
            "SELECT 1",
            "-c",
            "SELECT pg_sleep(3600)",
        ]);
        psql
    };
    let holder = Workload(holder.spawn().unwrap());
    while server.psql("SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(3600)' AND backend_xmin IS NOT NULL").unwrap() != "1" {
        tokio::task::yield_now().await;
    }
    let held = phases(&server, 24, &context, rest).await;
    drop(holder);
    println!("figure: purge.held_snapshot_ratio = {:.3}", speed(&held) / speed(&free));
    let lock = free.iter().chain(&held).map(|phase| phase.longest_lock).max().unwrap();
    println!("figure: purge.longest_lock_ms = {:.1}", lock.as_secs_f64() * 1e3);
    drop(workload);

    // Some rows grew old meanwhile.
    let aged = |hours: u64| left(&server, hours) * 50 <= rows;
    assert!(aged(48) && aged(24), "{} and {} of {rows} are left", left(&server, 48), left(&server, 24));
}
