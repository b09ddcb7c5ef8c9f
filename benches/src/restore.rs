//! How fast a restore is, beside pgBackRest.

use alfred_ops_backup::{BackupRequest, RestoreRequest};
use alfred_ops_core::Result;

use crate::cluster::{Cluster, Figures, best, megabytes_per_second, peak_rss_mib, remove};
use crate::pgbackrest::PgBackRest;

pub(crate) async fn measure(cluster: &Cluster) -> Result<Figures> {
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
        ("restore.peak_rss_mib", peak_rss_mib()?),
    ])
}
