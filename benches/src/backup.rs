//! How fast a backup is, beside what the server can send at all.

use std::process::{Command, Stdio};
use std::sync::Arc;

use alfred_ops_backup::testing::servers::S3Server;
use alfred_ops_backup::{BackupRequest, S3BlobStore};
use alfred_ops_core::{Error, ErrorKind, Result, blocking};

use crate::cluster::{Cluster, Figures, megabytes_per_second, peak_rss_mib};

const BUCKET: &str = "bench";

pub(crate) async fn measure(cluster: &Cluster) -> Result<Figures> {
    // Once to warm the caches of both sides.
    base_backup_to_nowhere(cluster).await?;
    let ((), peer) = cluster.time(base_backup_to_nowhere(cluster)).await?;
    let repository = cluster.local_repository("backup").await?;
    let backend = cluster.backend();
    let (record, ours) =
        cluster.time(repository.run_backup(&backend, BackupRequest::full(), &cluster.context)).await?;
    let rss = peak_rss_mib()?;

    let server = S3Server::start(&[BUCKET]).await?;
    let store = Arc::new(S3BlobStore::connect(server.options(BUCKET)).await?);
    let remote = cluster.repository(store).await?;
    let (_, to_s3) =
        cluster.time(remote.run_backup(&backend, BackupRequest::full(), &cluster.context)).await?;
    server.stop().await;

    let bytes = record.stats.raw_bytes;
    Ok(vec![
        ("backup.mb_per_s", megabytes_per_second(bytes, ours)),
        ("backup.s3_mb_per_s", megabytes_per_second(bytes, to_s3)),
        ("backup.throughput_vs_basebackup_null", peer.as_secs_f64() / ours.as_secs_f64()),
        ("backup.peak_rss_mib", rss),
    ])
}

/// What one walsender can send to a client that does nothing with it.
async fn base_backup_to_nowhere(cluster: &Cluster) -> Result<()> {
    let mut peer = Command::new(cluster.server.binaries().program("pg_basebackup"));
    peer.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &cluster.server.options().port.to_string()]);
    peer.args(["-D", "-", "-F", "tar", "-X", "none", "-c", "fast"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let status = blocking(move || peer.status()).await?;
    let failed = |what: String| Error::new(ErrorKind::Internal, "run pg_basebackup", what);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(format!("it ended with {status}"))),
        Err(source) => Err(failed("it cannot be started".to_owned()).with_source(source)),
    }
}
