//! How much memory a database of very many relations takes.

use alfred_ops_backup::{BackupRequest, RestoreRequest};
use alfred_ops_core::Result;
use alfred_ops_core::testing::servers::PostgresBinaries;

use crate::cluster::{Cluster, Figures, peak_rss_mib};

/// Relations, each with an index.
const RELATIONS: u32 = 20_000;
const PER_STATEMENT: u32 = 500;

pub(crate) async fn measure(quick: bool) -> Result<Figures> {
    let relations = if quick { RELATIONS / 10 } else { RELATIONS };
    println!("making {relations} relations");
    let cluster = Cluster::with_scale(PostgresBinaries::find()?, 1).await?;
    for first in (0..relations).step_by(PER_STATEMENT as usize) {
        cluster.server.psql(&format!(
            "DO $$ BEGIN FOR n IN {first} + 1 .. {first} + {PER_STATEMENT} LOOP EXECUTE format('CREATE TABLE \
             small_%s (x int PRIMARY KEY); INSERT INTO small_%s VALUES (%s)', n, n, n); END LOOP; END $$"
        ))?;
    }
    let (repository, backend) = (cluster.local_repository("backup").await?, cluster.backend());
    let backup = repository.run_backup(&backend, BackupRequest::full(), &cluster.context);
    let (_, full) = cluster.time(backup).await?;
    let backup = repository.run_backup(&backend, BackupRequest::incremental(), &cluster.context);
    let (record, again) = cluster.time(backup).await?;
    let request = RestoreRequest::new(cluster.home.path().join("restored"));
    let restore = repository.run_restore(&record, &backend, &request, &cluster.context);
    let (restored, back) = cluster.time(restore).await?;
    println!("{} files, {} bytes", restored.files, restored.bytes);
    Ok(vec![
        ("relations.files", f64::from(u32::try_from(restored.files).unwrap_or(u32::MAX))),
        ("relations.backup_seconds", full.as_secs_f64()),
        ("relations.second_backup_seconds", again.as_secs_f64()),
        ("relations.restore_seconds", back.as_secs_f64()),
        ("relations.peak_rss_mib", peak_rss_mib()?),
    ])
}
