//! Backup under load, loss, and restore to the moment before it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::testing::servers::S3Server;
use alfred_ops_backup::{
    BackupRecord, BackupRequest, PostgresBackend, RecoveryTarget, Repository, RepositoryKey,
    RepositoryOptions, RestoreRequest, S3BlobStore, WalArchiveOptions, WalArchiver, WalSource,
};
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_core::{JobContext, Lsn, Result, TaskSet};

use crate::console::Console;
use crate::platform::{Census, Database, Writers};
use crate::proof::Proofs;

const POINT: &str = "proof";
const MARK_BEFORE: &str = "commit-M";
const MARK_AFTER: &str = "commit-N";
const BUCKET: &str = "alfred-backups";
const PROMOTION_POLL: Duration = Duration::from_millis(20);

/// What is known when the last good moment is stored.
struct Insured {
    repository: Repository,
    backend: PostgresBackend,
    record: BackupRecord,
    census: Census,
}

/// Backs `server` up under load, loses a table, and brings it back in a new cluster, which is returned.
///
/// # Errors
/// If a step fails; a proof that does not hold is no error.
pub async fn recovery(
    server: &PostgresServer,
    database: &Database,
    home: &Path,
    context: &JobContext,
    console: &Console,
    proofs: &mut Proofs,
) -> Result<PostgresServer> {
    console.chapter("Backup under load, loss, and restore");
    let s3 = S3Server::start(&[BUCKET]).await?;
    console.step(&format!("an S3 server listens at {}", s3.endpoint()));
    let insured = insure(server, database, &s3, context, console, proofs).await?;
    console.step("DROP TABLE tasks, and the platform is down");
    database.run("DROP TABLE tasks CASCADE").await?;
    let restored = bring_back(server, &insured, home, context, console, proofs).await?;
    s3.stop().await;
    Ok(restored)
}

async fn insure(
    server: &PostgresServer,
    database: &Database,
    s3: &S3Server,
    context: &JobContext,
    console: &Console,
    proofs: &mut Proofs,
) -> Result<Insured> {
    let store = Arc::new(S3BlobStore::connect(s3.options(BUCKET)).await?);
    let key = RepositoryKey::generate(&*context.entropy);
    let options = RepositoryOptions::default().with_key(key);
    let repository = Repository::open_or_create(store, options, context).await?;
    let tasks = TaskSet::new(&context.cancel);
    let writers = Writers::start(database, tasks.cancel_token());
    let options = WalArchiveOptions::new("alfred_ops")?;
    let archiver = Arc::new(WalArchiver::new(server.options(), repository.clone(), options));
    let archiving = tasks.spawn({
        let (archiver, context) =
            (Arc::clone(&archiver), context.clone().with_cancel(tasks.cancel_token().clone()));
        async move { archiver.run(&context).await }
    });

    let backend = PostgresBackend::new(server.options()).with_wal(WalSource::Archiver(Arc::clone(&archiver)));
    let commits_before = writers.commits();
    let started = context.clock.monotonic();
    let backup = repository.run_backup(&backend, BackupRequest::full(), context);
    let record = console.watch(&context.progress, backup).await?;
    let seconds = (context.clock.monotonic() - started).as_secs_f64();
    let stats = record.stats;
    console.step(&format!(
        "full backup {} in {seconds:.1} s while writers committed {} transactions",
        record.id,
        writers.commits() - commits_before
    ));
    proofs.add(
        "full backup under load",
        format!(
            "{} MB in {seconds:.1} s ({:.0} MB/s)",
            stats.raw_bytes / 1_000_000,
            megabytes(stats.raw_bytes) / seconds
        ),
        format!("stored encrypted in {} MB, listed as the only backup", stats.stored_bytes / 1_000_000),
        repository.backups().await?.len() == 1,
    );
    let next = repository.run_backup(&backend, BackupRequest::incremental(), context);
    let next = console.watch(&context.progress, next).await?;
    proofs.add(
        "incremental backup",
        format!("{} MB differ", next.stats.new_bytes / 1_000_000),
        format!("stored in {} kB more", next.stats.stored_bytes / 1000),
        next.base == Some(record.id) && next.stats.new_bytes < stats.new_bytes / 2,
    );

    let pause = writers.pause().await;
    database.add_task(MARK_BEFORE).await?;
    let census = database.census().await?;
    let point: String = database.value(&format!("SELECT pg_create_restore_point('{POINT}')::text")).await?;
    let point: Lsn = point.parse()?;
    drop(pause);
    console.step(&format!("writers paused; {MARK_BEFORE} committed; restore point {POINT:?} at {point}"));
    let waiting = context.clock.monotonic();
    archiver.wait_until_stored(point, context).await?;
    let waited = context.clock.monotonic() - waiting;
    proofs.add(
        "WAL past the restore point stored",
        format!("after {} ms", waited.as_millis()),
        format!("{} >= {point}", archiver.stored()),
        archiver.stored() >= point,
    );
    database.add_task(MARK_AFTER).await?;
    let commits = writers.stop().await?;
    console.step(&format!("{MARK_AFTER} committed; writers stopped after {commits} transactions"));
    tasks.shutdown().await;
    archiving.await??;
    Ok(Insured { repository, backend, record, census })
}

async fn bring_back(
    server: &PostgresServer,
    insured: &Insured,
    home: &Path,
    context: &JobContext,
    console: &Console,
    proofs: &mut Proofs,
) -> Result<PostgresServer> {
    let verify = insured.repository.verify(&insured.record, context);
    let report = console.watch(&context.progress, verify).await?;
    proofs.add(
        "every stored byte verified",
        format!("{} files, {} MB", report.files, report.raw_bytes / 1_000_000),
        "all hashes match".to_owned(),
        report.raw_bytes == insured.record.stats.raw_bytes,
    );

    let data = home.join("restored");
    let request = RestoreRequest::new(&data).with_target(RecoveryTarget::Name(POINT.to_owned()));
    let started = context.clock.monotonic();
    let restore = insured.repository.run_restore(&insured.record, &insured.backend, &request, context);
    let restored = console.watch(&context.progress, restore).await?;
    let written = context.clock.monotonic() - started;
    let running = PostgresServer::start_in(data, server.binaries().clone(), Vec::new()).await?;
    let database = Database::connect(&running.options()).await?;
    while database.value::<bool>("SELECT pg_is_in_recovery()").await? {
        context.clock.sleep(PROMOTION_POLL).await;
    }
    let usable = context.clock.monotonic() - started;
    console.step(&format!(
        "restored {} files in {:.1} s; the new cluster accepts writes after {:.1} s",
        restored.files,
        written.as_secs_f64(),
        usable.as_secs_f64()
    ));
    proofs.add(
        "restored to the restore point",
        format!(
            "{} MB and {} MB of WAL in {:.1} s",
            restored.bytes / 1_000_000,
            restored.log_bytes / 1_000_000,
            written.as_secs_f64()
        ),
        format!("new cluster writable after {:.1} s", usable.as_secs_f64()),
        true,
    );
    let census = database.census().await?;
    proofs.add(
        "every table equal",
        format!("{} tables", census.len()),
        "row counts and checksums, tables listed above",
        census == insured.census,
    );
    for (table, sum) in &census {
        console.step(&format!("{table}: {sum}"));
    }
    let (before, after) = (database.has_task(MARK_BEFORE).await?, database.has_task(MARK_AFTER).await?);
    proofs.add(
        "to the very commit",
        format!("{MARK_BEFORE} {}, {MARK_AFTER} {}", presence(before), presence(after)),
        "as the restore point lies between them",
        before && !after,
    );
    Ok(running)
}

fn presence(present: bool) -> &'static str {
    if present { "present" } else { "absent" }
}

#[expect(clippy::cast_precision_loss, reason = "a figure for people")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
