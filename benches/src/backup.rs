//! How fast a backup is, beside pgBackRest and beside what the server can send at all.

use std::process::{Command, Stdio};
use std::sync::Arc;

use alfred_ops_backup::testing::servers::S3Server;
use alfred_ops_backup::{BackupRequest, S3BlobStore};
use alfred_ops_core::Result;

use crate::cluster::{Cluster, Figures, megabytes_per_second, peak_rss_mib, run};
use crate::pgbackrest::PgBackRest;

const BUCKET: &str = "bench";

pub(crate) async fn measure(cluster: &Cluster) -> Result<Figures> {
    // Once to warm the caches of all sides.
    base_backup_to_nowhere(cluster).await?;
    let ((), nowhere) = cluster.time(base_backup_to_nowhere(cluster)).await?;
    let peer = PgBackRest::set_up(cluster).await?;
    let ((), peers) = cluster.time(peer.back_up(cluster, "full")).await?;

    let repository = cluster.local_repository("backup").await?;
    let backend = cluster.backend();
    let full = BackupRequest::full();
    let (record, ours) = cluster.time(repository.run_backup(&backend, full, &cluster.context)).await?;
    let rss = peak_rss_mib()?;

    let server = S3Server::start(&[BUCKET]).await?;
    let store = Arc::new(S3BlobStore::connect(server.options(BUCKET)).await?);
    let remote = cluster.repository(store).await?;
    let (_, to_s3) = cluster.time(remote.run_backup(&backend, full, &cluster.context)).await?;
    server.stop().await;

    let bytes = record.stats.raw_bytes;
    Ok(vec![
        ("backup.mb_per_s", megabytes_per_second(bytes, ours)),
        ("backup.s3_mb_per_s", megabytes_per_second(bytes, to_s3)),
        ("backup.pgbackrest_mb_per_s", megabytes_per_second(bytes, peers)),
        ("backup.basebackup_null_mb_per_s", megabytes_per_second(bytes, nowhere)),
        ("backup.throughput_vs_pgbackrest", peers.as_secs_f64() / ours.as_secs_f64()),
        ("backup.throughput_vs_basebackup_null", nowhere.as_secs_f64() / ours.as_secs_f64()),
        ("backup.peak_rss_mib", rss),
    ])
}

/// What one walsender can send to a client that does nothing with it.
async fn base_backup_to_nowhere(cluster: &Cluster) -> Result<()> {
    let mut peer = Command::new(cluster.server.binaries().program("pg_basebackup"));
    peer.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &cluster.server.options().port.to_string()]);
    peer.args(["-D", "-", "-F", "tar", "-X", "none", "-c", "fast"]);
    peer.stdout(Stdio::null()).stderr(Stdio::null());
    run(peer).await
}
