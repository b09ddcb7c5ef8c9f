//! The long-running archiver.

use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_ops_core::{
    Activation, ErrorKind, Id, Job, JobContext, JobReport, Lsn, PostgresOptions, Result, SharedClock,
};
use async_trait::async_trait;

use super::{
    Positions, Slot, SlotLook, StoredWal, StreamEnd, TimelineHistory, Timelines, WalArchiveOptions,
    WalReport, WalRequest, WalStatus, stream_wal,
};
use crate::postgres::PostgresProbe;
use crate::postgres::facts::ClusterFacts;
use crate::postgres::identity::bytes_of;
use crate::postgres::wire::Connection;
use crate::{LogState, Repository, StoredLog};

/// The lag that rings the alarm where neither the host nor the server has a bound.
const LAG_ALARM_BYTES: u64 = 1 << 30;
/// How often, and after which time, a slot is looked at again that a connection of ours has just left.
const SLOT_LOOKS: u32 = 50;
const SLOT_LOOK: Duration = Duration::from_millis(100);

/// Streams a server's WAL into a repository, without a gap, for as long as the host lives.
///
/// The server keeps WAL in a replication slot until the store has confirmed it, so that neither a crash of
/// the host nor an outage of the store opens a gap: the next run goes on where the store ends. While
/// nothing is stored the slot holds WAL on the server's disk: an alarm rings before that is much, and
/// [`status`](Self::status) tells how much it is.
///
/// When a standby is promoted, or the server's name comes to lead to one, archiving goes on along the new
/// timeline, and backups from before the switch restore across it.
///
/// Before Postgres 15 only a view tells what a slot keeps: there the role also needs a line in `pg_hba.conf` for
/// the database of `server`, or for `postgres`.
#[derive(Debug)]
pub struct WalArchiver {
    server: PostgresOptions,
    repository: Repository,
    options: WalArchiveOptions,
    positions: Positions,
    gap: Mutex<Option<Range<Lsn>>>,
    /// The clock of the latest run.
    clock: Mutex<Option<SharedClock>>,
}

impl WalArchiver {
    /// An archiver of `server` into `repository`. Nothing happens before it [runs](Self::run).
    #[must_use]
    pub fn new(server: PostgresOptions, repository: Repository, options: WalArchiveOptions) -> Self {
        // By this name `synchronous_standby_names` knows it.
        let server = server.with_application_name(&options.slot);
        Self {
            server,
            repository,
            options,
            positions: Positions::new(),
            gap: Mutex::new(None),
            clock: Mutex::new(None),
        }
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
        *lock(&self.clock) = Some(Arc::clone(&context.clock));
        let outcome = self.stream(context).await;
        self.positions.set_ended(&outcome, context.clock.monotonic());
        outcome
    }

    async fn stream(&self, context: &JobContext) -> Result<()> {
        let mut connection = Connection::open(&self.server, context).await?;
        let probe = PostgresProbe::ask(&mut connection).await?;
        let look = SlotLook::new(&self.server, probe.dialect(), context);
        let kept = Slot::new(&self.options.slot)
            .ensure(&mut connection, &look)
            .await?
            .segment_start(probe.segment_bytes);
        let lag_alarm = lag_alarm(&self.options, &mut connection).await?;
        let timelines = Timelines::new(self.repository.clone(), &probe.system_id);
        let history = keep_history(&timelines, probe.timeline, &mut connection).await?;
        if self.options.synchronous {
            self.note_synchronous(&mut connection).await?;
        }
        self.positions.set_written(probe.flushed, lag_alarm);
        // The slot may lag behind the store (its last status got lost), never lead it.
        let go_on =
            StoredWal::find(&timelines, &history, history.at(kept), kept.0, probe.segment_bytes).await?;
        let request = |from: &StoredWal| WalRequest {
            server: self.server.clone(),
            timeline: from.timeline(),
            start: from.end(),
            log: timelines.log(from.timeline()),
            options: self.options.clone(),
            lag_alarm,
        };
        self.set_gap(None);
        tracing::info!(start = %go_on.end(), timeline = go_on.timeline(), "archiving WAL");
        let follow =
            |connection, request| self.follow(connection, request, &timelines, probe.segment_bytes, context);
        let earlier = self.after_backups(&timelines, &history).await?.map(|(_, stored)| stored);
        let Some(earlier) = earlier.filter(|earlier| earlier.end() < kept) else {
            return follow(connection, request(&go_on)).await;
        };
        // The slot is younger than the last backup's log. The server may still have what lies between; that
        // it has not shows at the first byte.
        match follow(connection, request(&earlier)).await {
            Err(error) if error.kind() == ErrorKind::NotFound && self.positions.stored() == earlier.end() => {
                tracing::error!(
                    from = %earlier.end(), until = %kept, error = %error.full(),
                    "the log has a gap: take a new full backup, older ones restore only up to it"
                );
                self.set_gap(Some(earlier.end()..kept));
            }
            outcome => return outcome,
        }
        self.follow_when_free(&request(&go_on), &timelines, probe.segment_bytes, context).await
    }

    /// [Follows](Self::follow) on a new connection, once the server has noticed that the former one is over.
    async fn follow_when_free(
        &self,
        request: &WalRequest,
        timelines: &Timelines,
        segment_bytes: u64,
        context: &JobContext,
    ) -> Result<()> {
        let mut looks = 0;
        loop {
            let connection = Connection::open(&self.server, context).await?;
            match self.follow(connection, request.clone(), timelines, segment_bytes, context).await {
                Err(error) if error.kind() == ErrorKind::Conflict && looks < SLOT_LOOKS => looks += 1,
                outcome => return outcome,
            }
            tokio::select! {
                () = context.cancel.cancelled() => return Ok(()),
                () = context.clock.sleep(SLOT_LOOK) => {}
            }
        }
    }

    /// Streams, and goes on with the next timeline wherever one is left.
    async fn follow(
        &self,
        connection: Connection,
        request: WalRequest,
        timelines: &Timelines,
        segment_bytes: u64,
        context: &JobContext,
    ) -> Result<()> {
        let (mut connection, mut request) = (connection, request);
        loop {
            let end = stream_wal(connection, request.clone(), &self.positions, context).await?;
            let StreamEnd::Left { connection: mut free, next } = end else { return Ok(()) };
            let history = keep_history(timelines, next, &mut free).await?;
            let (left, _) = history
                .left(request.timeline)
                .ok_or_else(|| free.unexpected("a history without the timeline that was left"))?;
            tracing::warn!(from = request.timeline, to = next, at = %left, "the server moved to another timeline");
            request.timeline = next;
            // The server copied what the segment held before: so each timeline's segments are whole.
            request.start = left.segment_start(segment_bytes);
            request.log = timelines.log(next);
            request.start = Lsn(request.log.stored_until(request.start.0).await?);
            connection = free;
        }
    }

    /// What is stored after the newest backup that the server's history includes.
    async fn after_backups(
        &self,
        timelines: &Timelines,
        history: &TimelineHistory,
    ) -> Result<Option<(Id, StoredWal)>> {
        for record in self.repository.catalog().await?.backups.iter().rev() {
            let (Ok(facts), Some(log)) = (ClusterFacts::read(&record.facts), &record.log) else { continue };
            if facts.system_id == timelines.system_id() && history.includes(facts.timeline, facts.end) {
                let (timeline, start) = (facts.timeline, log.positions.start);
                let stored =
                    StoredWal::find(timelines, history, timeline, start, facts.segment_bytes).await?;
                return Ok(Some((record.id, stored)));
            }
        }
        Ok(None)
    }

    /// Tells whether commits wait for this archive.
    async fn note_synchronous(&self, connection: &mut Connection) -> Result<()> {
        let names = connection.query_value("SHOW synchronous_standby_names").await?;
        let slot = &self.options.slot;
        let listed =
            names.split(|byte: char| !byte.is_ascii_alphanumeric() && byte != '_').any(|name| name == slot);
        if !listed && names != "*" {
            tracing::warn!(
                synchronous_standby_names = names,
                "no commit waits for this archive yet: run ALTER SYSTEM SET synchronous_standby_names = '{slot}' \
                 and SELECT pg_reload_conf()"
            );
        }
        Ok(())
    }

    fn set_gap(&self, gap: Option<Range<Lsn>>) {
        *lock(&self.gap) = gap;
    }

    /// WAL that the server no longer had when the present run began, so that backups from before it restore
    /// only up to its start: the slot was made or lost after the newest backup. A new full backup is the
    /// remedy.
    #[must_use]
    pub fn gap(&self) -> Option<Range<Lsn>> {
        lock(&self.gap).clone()
    }

    /// Looks at the server and the repository, whether somebody archives or not. Changes nothing on the server.
    ///
    /// # Errors
    /// The server's and the store's.
    pub async fn inspect(&self, context: &JobContext) -> Result<WalReport> {
        let mut connection = Connection::open(&self.server, context).await?;
        let probe = PostgresProbe::ask(&mut connection).await?;
        let look = SlotLook::new(&self.server, probe.dialect(), context);
        let kept = Slot::new(&self.options.slot).kept_from(&mut connection, &look).await?;
        let slot_limit_bytes = bytes_of(&connection.query_value("SHOW max_slot_wal_keep_size").await?);
        let timelines = Timelines::new(self.repository.clone(), &probe.system_id);
        let history = history_of(probe.timeline, &mut connection).await?.0;
        let after = self.after_backups(&timelines, &history).await?;
        let newest_backup = after.as_ref().map(|(backup, _)| *backup);
        let stored = match (after, kept) {
            (Some((_, stored)), _) => stored.end(),
            (None, None) => Lsn(0),
            (None, Some(kept)) => {
                let start = kept.segment_start(probe.segment_bytes);
                let (on, size) = (history.at(start), probe.segment_bytes);
                StoredWal::find(&timelines, &history, on, start.0, size).await?.end()
            }
        };
        let gap = kept.map_or(stored..probe.flushed, |kept| stored..kept.segment_start(probe.segment_bytes));
        Ok(WalReport {
            system_id: probe.system_id,
            timeline: probe.timeline,
            written: probe.flushed,
            stored,
            lag_bytes: probe.flushed.0.saturating_sub(stored.0),
            slot_keeps_from: kept,
            slot_limit_bytes,
            newest_backup,
            gap: (!gap.is_empty()).then_some(gap),
        })
    }

    /// How archiving goes.
    #[must_use]
    pub fn status(&self) -> WalStatus {
        let now = lock(&self.clock).as_ref().map_or(Duration::ZERO, |clock| clock.monotonic());
        WalStatus { gap: self.gap(), ..self.positions.status(now) }
    }

    /// The timeline that is archived; zero before the first run.
    pub(in crate::postgres) fn timeline(&self) -> u32 {
        self.positions.timeline()
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The lag that rings the alarm, where the host has not said.
async fn lag_alarm(options: &WalArchiveOptions, connection: &mut Connection) -> Result<u64> {
    if let Some(bytes) = options.lag_alarm_bytes {
        return Ok(bytes);
    }
    // -1 where the server keeps as much as it must.
    let limit = bytes_of(&connection.query_value("SHOW max_slot_wal_keep_size").await?);
    Ok(limit.map_or(LAG_ALARM_BYTES, |limit| limit / 2))
}

/// The server's history of a timeline, which is then kept in the repository.
async fn keep_history(
    timelines: &Timelines,
    timeline: u32,
    connection: &mut Connection,
) -> Result<TimelineHistory> {
    let (history, text) = history_of(timeline, connection).await?;
    if let Some(text) = text {
        timelines.keep(timeline, text.into()).await?;
    }
    Ok(history)
}

/// The server's history of a timeline, and the file it comes from. The first has none.
async fn history_of(timeline: u32, connection: &mut Connection) -> Result<(TimelineHistory, Option<String>)> {
    if timeline == 1 {
        return Ok((TimelineHistory::without_ancestors(1), None));
    }
    // The columns are the file's name and its content.
    let rows = connection.query(&format!("TIMELINE_HISTORY {timeline}")).await?;
    let text = rows.into_iter().next().and_then(|row| row.into_iter().nth(1).flatten());
    let text = text.ok_or_else(|| connection.unexpected("no content for TIMELINE_HISTORY"))?;
    Ok((TimelineHistory::parse(timeline, &text)?, Some(text)))
}

impl StoredLog for WalArchiver {
    fn state(&self) -> Option<LogState> {
        let status = self.status();
        (status.timeline > 0).then(|| LogState {
            stored: status.stored.0,
            unstored_for: status.unstored_for,
            whole_since: status.gap.map_or(0, |gap| gap.end.0),
        })
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
