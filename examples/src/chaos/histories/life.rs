//! A database that lives through statements while it is backed up.

use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::Arc;

use alfred_ops_backup::{
    BackupRequest, PostgresBackend, Repository, WalArchiveOptions, WalArchiver, WalSource,
};
use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};
use alfred_ops_core::{JobContext, Lsn, Result, SeededEntropy, TaskSet};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::statements::{Moment, statements};
use crate::chaos::host::SLOT;
use crate::chaos::surroundings::{archive, repository, session, system};

/// Backups of a life. The third reads everything again.
const BACKUPS: u32 = 4;
/// Clients that write without a pause.
const WRITERS: u32 = 2;
/// Statements of such a client, far more than it gets to.
const WRITES: u64 = 200_000;

/// A primary, the standby that the official client made of it, and the repository.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) primary: PostgresServer,
    /// Stopped: it keeps what it copied in the beginning.
    pub(super) replica: PostgresServer,
    pub(super) repository: Repository,
    pub(super) folder: TempDir,
    /// Where the second tablespace lies.
    pub(super) space: PathBuf,
}

impl Life {
    pub(super) async fn begin(binaries: PostgresBinaries) -> Result<Self> {
        let builder = PostgresServer::builder_of(binaries)
            .setting("max_wal_senders", "10")
            .setting("wal_keep_size", "8GB")
            .setting("autovacuum_naptime", "1s")
            .setting("fsync", "off");
        let builder =
            Self::settings().into_iter().fold(builder, |builder, (name, value)| builder.setting(name, value));
        let summarizes = builder.version()? >= 17;
        let builder = if summarizes { builder.setting("summarize_wal", "on") } else { builder };
        let primary = builder.start().await?;
        let folder = primary.account().private_folder("alfred-ops-histories-")?;
        let place = |name: &str| {
            let place = folder.path().join(name);
            std::fs::create_dir(&place).map_err(system("make a folder"))?;
            primary.account().own(&place).map(|()| place)
        };
        let (space, space_of_replica) = (place("space")?, place("space-of-replica")?);
        primary.psql(&format!("CREATE TABLESPACE side LOCATION '{}'", space.display()))?;
        primary.psql("CREATE EXTENSION amcheck")?;
        primary.psql("CREATE TABLE busy (id bigserial PRIMARY KEY, a int, b text)")?;
        let mut replica = primary.start_standby(&[(&space, &space_of_replica)]).await?;
        replica.stop();
        let repository = repository(&folder.path().join("repository"), &JobContext::system()).await?;
        Ok(Self { primary, replica, repository, folder, space })
    }

    /// What every server of this cluster needs.
    pub(super) fn settings() -> Vec<(String, String)> {
        vec![("max_prepared_transactions".to_owned(), "20".to_owned())]
    }

    /// Lets it happen, archived and backed up throughout, and returns the moments that passed.
    pub(super) async fn live(&mut self, entropy: &SeededEntropy) -> Result<Vec<Moment>> {
        let context = JobContext::system();
        let options = WalArchiveOptions::new(SLOT)?;
        let archiver = Arc::new(WalArchiver::new(self.primary.options(), self.repository.clone(), options));
        let tasks = TaskSet::new(&CancellationToken::new());
        let archiving = archive(&archiver, &context, &tasks);
        let backend =
            PostgresBackend::new(self.primary.options()).with_wal(WalSource::Archiver(Arc::clone(&archiver)));
        let mut writers = (0..WRITERS).map(|_| self.writer()).collect::<Result<Vec<_>>>()?;
        let mut passed = Vec::new();
        for backup in 0..BACKUPS {
            let request = if backup == 2 { BackupRequest::full() } else { BackupRequest::incremental() };
            // A backup lies within the life: statements go on meanwhile.
            let (backup, statements) = tokio::join!(
                self.repository.run_backup(&backend, request, &context),
                statements(&self.primary, entropy)
            );
            backup?;
            passed.extend(statements?);
        }
        for writer in &mut writers {
            writer.kill().and_then(|()| writer.wait()).map_err(system("stop a client"))?;
        }
        let end: Lsn = self.primary.psql("SELECT pg_current_wal_insert_lsn()")?.parse()?;
        self.primary.psql("SELECT pg_switch_wal()")?;
        archiver.wait_until_stored(end, &context).await?;
        tasks.shutdown().await;
        archiving.await??;
        Ok(passed)
    }

    /// A client that writes until it is killed.
    fn writer(&self) -> Result<Child> {
        let statements = (0..WRITES).map(|id| match id % 3 {
            0 => format!("UPDATE busy SET b = md5('{id}') WHERE id = {};\n", id / 7),
            _ => format!("INSERT INTO busy (a, b) VALUES ({id}, md5('{id}'));\n"),
        });
        session(&self.primary, statements, Stdio::null())
    }
}
