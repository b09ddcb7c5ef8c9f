//! How fast a restore is, beside pgBackRest.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::testing::FaultyBlobStore;
use alfred_ops_backup::testing::servers::S3Server;
use alfred_ops_backup::{BackupRequest, RecoveryTarget, RestoreRequest, S3BlobStore};
use alfred_ops_core::Result;
use alfred_ops_core::testing::servers::PostgresBinaries;

use crate::cluster::{Cluster, Figures, best, megabytes_per_second, peak_rss_mib, remove};
use crate::pgbackrest::PgBackRest;

/// Incremental backups of a chain, and transactions before each.
const CHAIN: usize = 24;
const TRANSACTIONS: u32 = 1000;
/// Relations of the many small ones, and how late each answer of their store is.
const RELATIONS: u32 = 4000;
const DELAY: Duration = Duration::from_millis(30);
const BUCKET: &str = "bench";

pub(crate) async fn measure(cluster: &Cluster, quick: bool) -> Result<Figures> {
    let mut figures = beside_pgbackrest(cluster).await?;
    // Before a server of S3 shares this process.
    figures.push(("restore.peak_rss_mib", peak_rss_mib()?));
    figures.push(("restore.chain25_vs_full", chain(if quick { 5 } else { 50 }).await?));
    figures.push(("restore.small_relations_seconds", small_relations().await?));
    Ok(figures)
}

/// A full backup and 24 incremental ones on top, over one full backup of the same state.
async fn chain(scale: u32) -> Result<f64> {
    let cluster = Cluster::with_scale(PostgresBinaries::of_version(17)?, scale).await?;
    let (repository, backend) = (cluster.local_repository("chain").await?, cluster.backend());
    let back_up = |request| repository.run_backup(&backend, request, &cluster.context);
    let mut last = back_up(BackupRequest::full()).await?;
    for _ in 0..CHAIN {
        cluster.pgbench(&["-n", "-c", "2", "-t", &(TRANSACTIONS / 2).to_string()]).await?;
        last = back_up(BackupRequest::incremental()).await?;
    }
    let full = back_up(BackupRequest::full().independent()).await?;
    let folder = cluster.home.path().join("restored");
    let request = RestoreRequest::new(&folder).with_target(RecoveryTarget::Immediate);
    let (mut of_chain, mut of_full) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        for (record, times) in [(&last, &mut of_chain), (&full, &mut of_full)] {
            let restore = repository.run_restore(record, &backend, &request, &cluster.context);
            times.push(cluster.time(restore).await?.1);
            remove(&folder)?;
        }
    }
    Ok(best(of_chain).as_secs_f64() / best(of_full).as_secs_f64())
}

/// A database of small relations, from an S3 server whose every answer is late.
async fn small_relations() -> Result<f64> {
    let cluster = Cluster::with_scale(PostgresBinaries::find()?, 1).await?;
    for part in 0..RELATIONS / 500 {
        cluster.server.psql(&format!(
            "DO $$ BEGIN FOR n IN {part} * 500 + 1 .. ({part} + 1) * 500 LOOP EXECUTE format('CREATE TABLE \
             small_%s AS SELECT %s AS x', n, n); END LOOP; END $$"
        ))?;
    }
    let server = S3Server::start(&[BUCKET]).await?;
    let store = S3BlobStore::connect(server.options(BUCKET)).await?;
    let late = Arc::new(FaultyBlobStore::new(store).with_delay(DELAY));
    let (repository, backend) = (cluster.repository(late).await?, cluster.backend());
    let record = repository.run_backup(&backend, BackupRequest::full(), &cluster.context).await?;
    let request = RestoreRequest::new(cluster.home.path().join("restored"));
    let restore = repository.run_restore(&record, &backend, &request, &cluster.context);
    let (restored, time) = cluster.time(restore).await?;
    println!("{} files, {} bytes in {time:.2?}", restored.files, restored.bytes);
    server.stop().await;
    Ok(time.as_secs_f64())
}

async fn beside_pgbackrest(cluster: &Cluster) -> Result<Figures> {
    let peer = PgBackRest::set_up(cluster).await?;
    peer.back_up(cluster, "full").await?;
    let repository = cluster.local_repository("backup").await?;
    let backend = cluster.backend();
    let record = repository.run_backup(&backend, BackupRequest::full(), &cluster.context).await?;

    let folder = cluster.home.path().join("restored");
    let request = RestoreRequest::new(&folder);
    let (mut peers, mut ours) = (Vec::new(), Vec::new());
    // In turns, and each result removed at once, so that neither works on memory that the other has warmed.
    for _ in 0..3 {
        peers.push(cluster.time(peer.restore(cluster, &folder)).await?.1);
        remove(&folder)?;
        let restore = repository.run_restore(&record, &backend, &request, &cluster.context);
        ours.push(cluster.time(restore).await?.1);
        remove(&folder)?;
    }
    let (peers, ours) = (best(peers), best(ours));
    let bytes = record.stats.raw_bytes;
    Ok(vec![
        ("restore.mb_per_s", megabytes_per_second(bytes, ours)),
        ("restore.pgbackrest_mb_per_s", megabytes_per_second(bytes, peers)),
        ("restore.throughput_vs_pgbackrest", peers.as_secs_f64() / ours.as_secs_f64()),
    ])
}
