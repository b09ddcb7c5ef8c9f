//! How fast a backup is, beside pgBackRest and beside what the server can send at all.

use std::process::{Command, Stdio};
use std::sync::Arc;

use alfred_ops_backup::testing::servers::S3Server;
use alfred_ops_backup::{BackupRequest, S3BlobStore};
use alfred_ops_core::Result;

use crate::cluster::{
    Cluster, Figures, best, folder_bytes, megabytes_per_second, peak_rss_mib, ratio, remove, run,
};
use crate::pgbackrest::PgBackRest;

const BUCKET: &str = "bench";

pub(crate) async fn measure(cluster: &Cluster) -> Result<Figures> {
    let backend = cluster.backend();
    let full = BackupRequest::full();
    let (mut nowhere, mut peers, mut ours, mut to_s3) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut raw_bytes = 0;
    let mut stored = (0, 0);
    // In turns, and each result removed at once, so that neither works on memory that the other has warmed.
    for _ in 0..3 {
        nowhere.push(cluster.time(base_backup_to_nowhere(cluster)).await?.1);

        let peer = PgBackRest::set_up(cluster).await?;
        peers.push(cluster.time(peer.back_up(cluster, "full")).await?.1);
        stored.1 = folder_bytes(&peer.repository())?;
        peer.remove()?;

        let repository = cluster.local_repository("backup").await?;
        let (record, time) = cluster.time(repository.run_backup(&backend, full, &cluster.context)).await?;
        ours.push(time);
        raw_bytes = record.stats.raw_bytes;
        stored.0 = record.stats.stored_bytes;
        remove(&cluster.home.path().join("backup"))?;
    }
    let rss = peak_rss_mib()?;
    for _ in 0..2 {
        let server = S3Server::start(&[BUCKET]).await?;
        let store = Arc::new(S3BlobStore::connect(server.options(BUCKET)).await?);
        let remote = cluster.repository(store).await?;
        to_s3.push(cluster.time(remote.run_backup(&backend, full, &cluster.context)).await?.1);
        server.stop().await;
    }
    let (nowhere, peers, ours, to_s3) = (best(nowhere), best(peers), best(ours), best(to_s3));
    let bytes = raw_bytes;
    Ok(vec![
        ("backup.mb_per_s", megabytes_per_second(bytes, ours)),
        ("backup.s3_mb_per_s", megabytes_per_second(bytes, to_s3)),
        ("backup.pgbackrest_mb_per_s", megabytes_per_second(bytes, peers)),
        ("backup.basebackup_null_mb_per_s", megabytes_per_second(bytes, nowhere)),
        ("backup.throughput_vs_pgbackrest", peers.as_secs_f64() / ours.as_secs_f64()),
        ("backup.throughput_vs_basebackup_null", nowhere.as_secs_f64() / ours.as_secs_f64()),
        ("backup.stored_vs_pgbackrest", ratio(stored.0, stored.1)),
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
