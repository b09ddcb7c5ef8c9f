//! How fast a restore is, beside pgBackRest.

use alfred_ops_backup::{BackupRequest, RestoreRequest};
use alfred_ops_core::Result;

use crate::cluster::{Cluster, Figures, megabytes_per_second, peak_rss_mib};
use crate::pgbackrest::PgBackRest;

pub(crate) async fn measure(cluster: &Cluster) -> Result<Figures> {
    let peer = PgBackRest::set_up(cluster).await?;
    peer.back_up(cluster, "full").await?;
    let ((), peers) =
        cluster.time(peer.restore(cluster, &cluster.home.path().join("pgbackrest-restored"))).await?;

    let repository = cluster.local_repository("backup").await?;
    let backend = cluster.backend();
    let record = repository.run_backup(&backend, BackupRequest::full(), &cluster.context).await?;
    let request = RestoreRequest::new(cluster.home.path().join("restored"));
    let restore = repository.run_restore(&record, &backend, &request, &cluster.context);
    let (restored, ours) = cluster.time(restore).await?;
    Ok(vec![
        ("restore.mb_per_s", megabytes_per_second(restored.bytes, ours)),
        ("restore.pgbackrest_mb_per_s", megabytes_per_second(restored.bytes, peers)),
        ("restore.throughput_vs_pgbackrest", peers.as_secs_f64() / ours.as_secs_f64()),
        ("restore.peak_rss_mib", peak_rss_mib()?),
    ])
}
