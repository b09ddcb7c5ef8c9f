//! How fast a restore is.

use alfred_ops_backup::{BackupRequest, RestoreRequest};
use alfred_ops_core::Result;

use crate::cluster::{Cluster, Figures, megabytes_per_second, peak_rss_mib};

pub(crate) async fn measure(cluster: &Cluster) -> Result<Figures> {
    let repository = cluster.local_repository("backup").await?;
    let backend = cluster.backend();
    let record = repository.run_backup(&backend, BackupRequest::full(), &cluster.context).await?;
    let request = RestoreRequest::new(cluster.home.path().join("restored"));
    let restore = repository.run_restore(&record, &backend, &request, &cluster.context);
    let (restored, time) = cluster.time(restore).await?;
    Ok(vec![
        ("restore.mb_per_s", megabytes_per_second(restored.bytes, time)),
        ("restore.peak_rss_mib", peak_rss_mib()?),
    ])
}
