//! Where the log goes, and from where a side server comes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_backup::{
    BackupRecord, PostgresBackend, RecoveryTarget, Repository, RestoreRequest, WalArchiver,
};
use alfred_ops_core::{ClockExt as _, Error, ErrorKind, JobContext, Lsn, PostgresOptions, Result};

/// How long the log may take to be durable, unless the host says otherwise: an archiver elsewhere seals every few seconds.
pub(super) const DURABLE_WITHIN: Duration = Duration::from_secs(60);
/// An archiver in another process is asked as often as this.
const POLL: Duration = Duration::from_millis(200);

/// The repository that a server's backups and log go to.
#[derive(Debug, Clone)]
pub(super) struct Archive {
    pub(super) repository: Repository,
    pub(super) archiver: Arc<WalArchiver>,
}

impl Archive {
    /// Refuses to begin where no backup could be brought to a point: there must be one, and the log unbroken since. Returns the
    /// system identifier of the cluster that is archived, which must be `own` if that is known.
    pub(super) async fn check(&self, own: Option<&str>, context: &JobContext) -> Result<String> {
        let report = self.archiver.inspect(context).await?;
        if let Some(own) = own
            && own != report.system_id
        {
            let message = format!(
                "the archiver stores the log of cluster {}, and the server is {own}",
                report.system_id
            );
            return Err(Error::new(ErrorKind::InvalidInput, "guard", message)
                .with_target(self.repository.location().to_owned())
                .with_remedy("give the guard the archiver of its own server"));
        }
        if report.newest_backup.is_some() {
            return Ok(report.system_id);
        }
        Err(Error::new(ErrorKind::NotFound, "guard", "the repository holds no backup along the server's log")
            .with_target(self.repository.location().to_owned())
            .with_remedy("take a backup, or choose GuardBuilder::without_point_in_time"))
    }

    /// Waits until everything before `position` is durable in the repository.
    pub(super) async fn wait(&self, position: Lsn, within: Duration, context: &JobContext) -> Result<()> {
        let wait = async {
            loop {
                // Archiving in this process: it is asked to store at once.
                let runs_here = self.archiver.status().timeline > 0;
                if runs_here && self.archiver.wait_until_stored(position, context).await.is_ok() {
                    return Ok(());
                }
                if self.archiver.inspect(context).await?.stored >= position {
                    return Ok(());
                }
                context.check("wait for the log")?;
                context.clock.sleep(POLL).await;
            }
        };
        context.clock.timeout(within, "wait for the log", wait).await.unwrap_or_else(|_| {
            let stored = self.archiver.stored();
            let message =
                format!("{position} is not durable after {within:?}: the log is stored until {stored}");
            Err(Error::new(ErrorKind::Unavailable, "wait for the log", message)
                .with_target(self.repository.location().to_owned())
                .with_remedy("run the WAL archiver, or give it longer with GuardBuilder::durable_within"))
        })
    }

    /// Restores the newest backup of a cluster that reaches the target into `folder`. A repository may hold several clusters,
    /// and a position says nothing of which it lies in.
    pub(super) async fn restore(
        &self,
        server: &PostgresOptions,
        cluster: Option<&str>,
        target: &RecoveryTarget,
        folder: &Path,
        context: &JobContext,
    ) -> Result<BackupRecord> {
        let backend = PostgresBackend::new(server.clone());
        let request = RestoreRequest::new(folder).with_target(target.clone());
        let mut refused = None;
        let backups = self.repository.catalog().await?.backups;
        let is_ours = |record: &BackupRecord| {
            let id = PostgresBackend::system_id_of(record);
            id.is_some() && (cluster.is_none() || id.as_deref() == cluster)
        };
        for record in backups.into_iter().rev().filter(is_ours) {
            match self.repository.run_restore(&record, &backend, &request, context).await {
                Ok(_) => return Ok(record),
                // One that ended behind the target; an older one may reach it.
                Err(error) if [ErrorKind::InvalidInput, ErrorKind::NotFound].contains(&error.kind()) => {
                    refused.get_or_insert(error);
                }
                Err(error) => return Err(error),
            }
        }
        Err(refused.unwrap_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                "restore",
                "the repository holds no backup of the server's cluster",
            )
            .with_target(self.repository.location().to_owned())
        }))
    }
}
