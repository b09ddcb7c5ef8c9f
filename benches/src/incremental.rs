//! What an incremental backup sends and stores, beside Postgres' own and pgBackRest's.

use std::path::Path;
use std::process::Command;

use alfred_ops_backup::{BackupMode, BackupRecord, BackupRequest};
use alfred_ops_core::testing::servers::PostgresBinaries;
use alfred_ops_core::{Error, ErrorKind, Result};

use crate::cluster::{Cluster, Figures, folder_bytes, ratio, run};
use crate::pgbackrest::PgBackRest;

/// pgbench's scale and the transactions between two backups.
const SCALE: u32 = 50;
const TRANSACTIONS: u32 = 10_000;

pub(crate) async fn measure(quick: bool) -> Result<Figures> {
    let (scale, transactions) = if quick { (5, 1000) } else { (SCALE, TRANSACTIONS) };
    let (native, sent) = beside_native(scale, transactions).await?;
    let pgbackrest = beside_pgbackrest(scale, transactions).await?;
    Ok(vec![
        ("incremental.stored_vs_native_zstd3", native),
        ("incremental.sent_vs_full", sent),
        ("incremental.stored_vs_pgbackrest", pgbackrest),
    ])
}

async fn beside_native(scale: u32, transactions: u32) -> Result<(f64, f64)> {
    let cluster = Cluster::with_scale(PostgresBinaries::of_version(17)?, scale).await?;
    let [full, changes] = ["native-full", "native-changes"].map(|name| cluster.home.path().join(name));
    native(&cluster, &full, None).await?;
    let record = ours(&cluster, transactions).await?;
    if record.mode != BackupMode::Incremental {
        let note = record.note.unwrap_or_default();
        return Err(Error::new(ErrorKind::Internal, "measure", format!("no incremental backup: {note}")));
    }
    native(&cluster, &changes, Some(&full.join("backup_manifest"))).await?;
    let theirs = folder_bytes(&changes)?;
    println!("stored {} bytes, Postgres' own backup {theirs}", record.stats.stored_bytes);
    let stored = ratio(record.stats.stored_bytes, theirs);
    Ok((stored, ratio(record.stats.received_bytes, record.stats.raw_bytes)))
}

async fn beside_pgbackrest(scale: u32, transactions: u32) -> Result<f64> {
    let cluster = Cluster::with_scale(PostgresBinaries::of_version(15)?, scale).await?;
    let peer = PgBackRest::set_up(&cluster).await?;
    peer.back_up(&cluster, "full").await?;
    let before = folder_bytes(&peer.repository())?;
    let record = ours(&cluster, transactions).await?;
    peer.back_up(&cluster, "incr").await?;
    let theirs = folder_bytes(&peer.repository())? - before;
    println!("stored {} bytes, pgBackRest {theirs}", record.stats.stored_bytes);
    Ok(ratio(record.stats.stored_bytes, theirs))
}

/// A full backup, transactions, an incremental backup.
async fn ours(cluster: &Cluster, transactions: u32) -> Result<BackupRecord> {
    let repository = cluster.local_repository("ours").await?;
    let backend = cluster.backend();
    repository.run_backup(&backend, BackupRequest::full(), &cluster.context).await?;
    cluster.pgbench(&["-n", "-c", "2", "-t", &(transactions / 2).to_string()]).await?;
    repository.run_backup(&backend, BackupRequest::incremental(), &cluster.context).await
}

/// Postgres' own backup, compressed with zstd 3: without WAL, as ours is counted.
async fn native(cluster: &Cluster, into: &Path, since: Option<&Path>) -> Result<()> {
    let mut peer = Command::new(cluster.server.binaries().program("pg_basebackup"));
    peer.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &cluster.server.options().port.to_string()]);
    peer.args(["-F", "tar", "-X", "none", "-c", "fast", "--compress=client-zstd:3", "-D"]).arg(into);
    if let Some(manifest) = since {
        peer.arg("--incremental").arg(manifest);
    }
    run(peer).await
}
