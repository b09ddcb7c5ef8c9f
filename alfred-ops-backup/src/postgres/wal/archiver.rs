//! The long-running archiver.

use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use alfred_ops_core::{Activation, ErrorKind, Job, JobContext, JobReport, Lsn, PostgresOptions, Result};
use async_trait::async_trait;

use super::{Positions, Slot, WalArchiveOptions, WalRequest, WalStream};
use crate::postgres::PostgresProbe;
use crate::postgres::wire::Connection;
use crate::{LogArchive, Repository};

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
    gap: Mutex<Option<Range<Lsn>>>,
}

impl WalArchiver {
    /// An archiver of `server` into `repository`. Nothing happens before it [runs](Self::run).
    #[must_use]
    pub fn new(server: PostgresOptions, repository: Repository, options: WalArchiveOptions) -> Self {
        Self { server, repository, options, positions: Positions::new(), gap: Mutex::new(None) }
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
        let request = |start| WalRequest {
            timeline: probe.timeline,
            start,
            log: log.clone(),
            options: self.options.clone(),
        };
        self.set_gap(None);
        tracing::info!(%start, log = log.name(), "archiving WAL");
        let Some(end) = self.end_of_backups(&log).await?.filter(|end| *end < kept) else {
            return self.stream_from(connection, request(start), context).await;
        };
        // The slot is younger than the last backup's log. The server may still have what lies between; that
        // it has not shows at the first byte.
        let outcome = self.stream_from(connection, request(end), context).await;
        match outcome {
            Err(error) if error.kind() == ErrorKind::NotFound && self.positions.stored() == end => {
                tracing::error!(
                    from = %end, until = %kept, error = %error.full(),
                    "the log has a gap: take a new full backup, older ones restore only up to it"
                );
                self.set_gap(Some(end..kept));
                let connection = Connection::open(&self.server, context).await?;
                self.stream_from(connection, request(start), context).await
            }
            outcome => outcome,
        }
    }

    async fn stream_from(
        &self,
        connection: Connection,
        request: WalRequest,
        context: &JobContext,
    ) -> Result<()> {
        WalStream::start(connection, request, &self.positions, context).await?.run().await
    }

    /// How far the log of the newest backup is stored, where it is this log.
    async fn end_of_backups(&self, log: &LogArchive) -> Result<Option<Lsn>> {
        let backups = self.repository.backups().await?;
        let newest =
            backups.iter().rev().find_map(|record| record.log.as_ref().filter(|of| of.log == log.name()));
        match newest {
            Some(of) => Ok(Some(Lsn(log.stored_until(of.positions.start).await?))),
            None => Ok(None),
        }
    }

    fn set_gap(&self, gap: Option<Range<Lsn>>) {
        *self.gap.lock().unwrap_or_else(PoisonError::into_inner) = gap;
    }

    /// WAL that the server no longer had when the present run began, so that backups from before it restore
    /// only up to its start: the slot was made or lost after the newest backup. A new full backup is the
    /// remedy.
    #[must_use]
    pub fn gap(&self) -> Option<Range<Lsn>> {
        self.gap.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
