//! The long-running archiver.

use alfred_ops_core::{Activation, Job, JobContext, JobReport, Lsn, PostgresOptions, Result};
use async_trait::async_trait;

use super::{Positions, Slot, WalArchiveOptions, WalRequest, WalStream};
use crate::Repository;
use crate::postgres::PostgresProbe;
use crate::postgres::wire::Connection;

/// Streams a server's WAL into a repository, without a gap, for as long as the host lives.
///
/// The server keeps WAL in a replication slot until the store has confirmed it, so that neither a crash of
/// the host nor an outage of the store opens a gap: the next run goes on where the store ends. While
/// nothing is stored the slot holds WAL on the server's disk.
#[derive(Debug)]
pub struct WalArchiver {
    server: PostgresOptions,
    repository: Repository,
    options: WalArchiveOptions,
    positions: Positions,
}

impl WalArchiver {
    /// An archiver of `server` into `repository`. Nothing happens before it [runs](Self::run).
    #[must_use]
    pub fn new(server: PostgresOptions, repository: Repository, options: WalArchiveOptions) -> Self {
        Self { server, repository, options, positions: Positions::new() }
    }

    /// Archives until the context is cancelled; what was received by then is stored before it returns.
    ///
    /// One run is one connection: after an error whose class allows it, run again. At most one run at a
    /// time; another finds the slot in use ([`Conflict`](alfred_ops_core::ErrorKind::Conflict)).
    ///
    /// # Errors
    /// The server's and the store's. Whatever was confirmed stays confirmed.
    #[tracing::instrument(skip_all, fields(server = %self.server, slot = self.options.slot))]
    pub async fn run(&self, context: &JobContext) -> Result<()> {
        let outcome = self.stream(context).await;
        self.positions.set_ended(&outcome);
        outcome
    }

    async fn stream(&self, context: &JobContext) -> Result<()> {
        let mut connection = Connection::open(&self.server, context).await?;
        let probe = PostgresProbe::ask(&mut connection).await?;
        let slot = Slot::Permanent(self.options.slot.clone());
        let kept = slot.ensure(&mut connection).await?.segment_start(probe.segment_bytes);
        let log = self.repository.log(probe.log_name());
        // The slot may lag behind the store (its last status got lost), never lead it.
        let start = Lsn(log.stored_until(kept.0).await?);
        tracing::info!(%start, log = log.name(), "archiving WAL");
        let request = WalRequest { timeline: probe.timeline, start, log, options: self.options.clone() };
        WalStream::start(connection, request, &self.positions, context).await?.run().await
    }

    /// How far WAL is stored; zero before the first run has begun.
    #[must_use]
    pub fn stored(&self) -> Lsn {
        self.positions.stored()
    }

    /// Has everything before `position` stored at once and waits until it is. A wait may begin before the
    /// first run.
    ///
    /// # Errors
    /// [`Unavailable`](alfred_ops_core::ErrorKind::Unavailable) with the reason if the run ends earlier or
    /// has ended; [`Cancelled`](alfred_ops_core::ErrorKind::Cancelled).
    pub async fn wait_until_stored(&self, position: Lsn, context: &JobContext) -> Result<()> {
        self.positions.wait_until_stored(position, context).await
    }
}

/// A service of a supervisor: it is started again when its connection ends.
#[async_trait]
impl Job for WalArchiver {
    fn name(&self) -> &str {
        "wal-archiver"
    }

    fn activation(&self) -> Activation {
        Activation::Service
    }

    async fn run(&self, context: &JobContext) -> Result<JobReport> {
        WalArchiver::run(self, context).await?;
        Ok(JobReport::new(format!("stored until {}", self.stored())))
    }
}
