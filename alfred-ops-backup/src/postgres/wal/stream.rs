//! Streaming WAL from a walsender into a log.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, Lsn, Result, TaskHandle, TaskSet};
use bytes::{Buf as _, Bytes, BytesMut};
use chrono::{DateTime, TimeDelta, Utc};
use tokio_util::sync::CancellationToken;

use super::{Positions, WalArchiveOptions};
use crate::LogArchive;
use crate::postgres::wire::{Connection, Reply};

/// Received and not yet stored, at most: beyond it the server has to wait.
const BUFFER_BYTES_MAX: usize = 16 << 20;
/// Bytes of one chunk, at most, which is what a log takes.
const CHUNK_BYTES_MAX: usize = 4 << 20;
/// How often the server is told how far we are and asked for a sign of life.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);
/// Without any message for so long the connection is taken for dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);
/// Postgres counts time from here.
const EPOCH_2000: i64 = 946_684_800;

/// The replication slot that keeps WAL on the server until it is stored.
#[derive(Debug, Clone)]
pub(in crate::postgres) enum Slot {
    /// Stays when the connection ends.
    Permanent(String),
    /// Ends with the connection that made it.
    Temporary(String),
}

/// What to stream, and where to.
#[derive(Debug)]
pub(in crate::postgres) struct WalRequest {
    pub(in crate::postgres) timeline: u32,
    pub(in crate::postgres) start: Lsn,
    pub(in crate::postgres) log: LogArchive,
    pub(in crate::postgres) options: WalArchiveOptions,
}

/// A WAL connection with its slot.
pub(in crate::postgres) struct WalStream<'a> {
    connection: Connection,
    log: LogArchive,
    context: &'a JobContext,
    options: WalArchiveOptions,
    positions: &'a Positions,
    tasks: TaskSet,
    /// Received and not yet on its way to the store.
    buffer: BytesMut,
    buffer_start: u64,
    /// When the oldest byte of the buffer came, on the monotonic clock.
    oldest: Duration,
    upload: Option<TaskHandle<Result<u64>>>,
    last_heard: Duration,
    last_status: Duration,
}

enum Event {
    Stop,
    Reply(Reply),
    Stored(u64),
    Tick,
}

impl Slot {
    fn name(&self) -> &str {
        match self {
            Self::Permanent(name) | Self::Temporary(name) => name,
        }
    }

    /// Makes the slot unless it exists, and returns the position from which it keeps WAL.
    pub(in crate::postgres) async fn ensure(&self, connection: &mut Connection) -> Result<Lsn> {
        if let Some(position) = self.kept_from(connection).await? {
            return Ok(position);
        }
        let temporary = if matches!(self, Self::Temporary(_)) { "TEMPORARY " } else { "" };
        let command = format!("CREATE_REPLICATION_SLOT {} {temporary}PHYSICAL (RESERVE_WAL)", self.name());
        connection.query(&command).await?;
        self.kept_from(connection)
            .await?
            .ok_or_else(|| connection.unexpected("a slot that does not exist once it was made"))
    }

    async fn kept_from(&self, connection: &mut Connection) -> Result<Option<Lsn>> {
        let rows = connection.query(&format!("READ_REPLICATION_SLOT {}", self.name())).await?;
        let position = rows.into_iter().next().and_then(|row| row.into_iter().nth(1).flatten());
        position.map(|position| position.parse()).transpose()
    }
}

impl<'a> WalStream<'a> {
    /// Asks the server for WAL.
    pub(in crate::postgres) async fn start(
        mut connection: Connection,
        request: WalRequest,
        positions: &'a Positions,
        context: &'a JobContext,
    ) -> Result<Self> {
        let WalRequest { timeline, start, log, options } = request;
        let name = &options.slot;
        connection
            .start(&format!("START_REPLICATION SLOT {name} PHYSICAL {start} TIMELINE {timeline}"))
            .await?;
        if !matches!(connection.next().await?, Reply::CopyBoth) {
            return Err(connection.unexpected("no WAL after START_REPLICATION"));
        }
        positions.set_stored(start);
        let now = context.clock.monotonic();
        Ok(Self {
            connection,
            log,
            context,
            options,
            positions,
            // Not a child of the caller's token: what is on its way when it is cancelled still arrives.
            tasks: TaskSet::new(&CancellationToken::new()),
            buffer: BytesMut::new(),
            buffer_start: start.0,
            oldest: now,
            upload: None,
            last_heard: now,
            last_status: now,
        })
    }

    /// Streams until the context is cancelled, then stores what was received and returns.
    pub(in crate::postgres) async fn run(mut self) -> Result<()> {
        let mut wanted = self.positions.wanted();
        let mut stopping = false;
        loop {
            let wanted_now = *wanted.borrow_and_update();
            self.upload_if_due(stopping || wanted_now.0 > self.positions.stored().0);
            if stopping && self.upload.is_none() {
                return Ok(());
            }
            let pause = self.pause();
            let event = tokio::select! {
                () = self.context.cancel.cancelled(), if !stopping => Event::Stop,
                end = async { match &mut self.upload {
                    Some(upload) => upload.await,
                    None => std::future::pending().await,
                } } => Event::Stored(end??),
                reply = self.connection.next(), if !stopping && self.buffer.len() < BUFFER_BYTES_MAX => {
                    Event::Reply(reply?)
                }
                _ = wanted.changed() => Event::Tick,
                () = self.context.clock.sleep(pause) => Event::Tick,
            };
            match event {
                Event::Stop => stopping = true,
                Event::Stored(end) => {
                    self.upload = None;
                    self.positions.set_stored(Lsn(end));
                    if !stopping {
                        self.send_status(false).await?;
                    }
                }
                Event::Reply(reply) => self.take(reply).await?,
                Event::Tick if stopping => {}
                Event::Tick => self.keep_alive().await?,
            }
        }
    }

    async fn take(&mut self, reply: Reply) -> Result<()> {
        self.last_heard = self.context.clock.monotonic();
        let mut payload = match reply {
            Reply::CopyData(payload) => payload,
            Reply::CopyDone => {
                return Err(Error::new(
                    ErrorKind::Conflict,
                    "stream WAL",
                    "the server moved to another timeline",
                )
                .with_target(self.connection.target())
                .with_remedy("a standby was promoted: take a new full backup of the new primary"));
            }
            _ => return Err(self.connection.unexpected("something else than WAL")),
        };
        match payload.first() {
            Some(b'w') if payload.len() >= 25 => {
                payload.advance(1);
                let start = payload.get_u64();
                payload.advance(16);
                self.append(start, &payload)
            }
            Some(b'k') if payload.len() >= 18 => {
                let reply_requested = payload[17] != 0;
                if reply_requested { self.send_status(false).await } else { Ok(()) }
            }
            _ => Err(self.connection.unexpected("an unknown message within WAL")),
        }
    }

    fn append(&mut self, start: u64, data: &[u8]) -> Result<()> {
        let next = self.buffer_start + self.buffer.len() as u64;
        if start != next {
            return Err(self.connection.unexpected(&format!(
                "WAL at {} instead of {}",
                Lsn(start),
                Lsn(next)
            )));
        }
        if self.buffer.is_empty() {
            self.oldest = self.context.clock.monotonic();
        }
        self.buffer.extend_from_slice(data);
        Ok(())
    }

    fn upload_if_due(&mut self, at_once: bool) {
        if self.upload.is_some() || self.buffer.is_empty() {
            return;
        }
        let age = self.context.clock.monotonic().saturating_sub(self.oldest);
        if !at_once && self.buffer.len() < self.options.seal_bytes && age < self.options.seal_after {
            return;
        }
        let chunk: Bytes = self.buffer.split_to(self.buffer.len().min(CHUNK_BYTES_MAX)).freeze();
        let (log, start) = (self.log.clone(), self.buffer_start);
        let end = start + chunk.len() as u64;
        self.buffer_start = end;
        self.upload = Some(self.tasks.spawn(async move { log.append(start, chunk).await.map(|()| end) }));
    }

    /// How long nothing needs to be done unless something happens.
    fn pause(&self) -> Duration {
        let now = self.context.clock.monotonic();
        let status = (self.last_status + STATUS_INTERVAL).saturating_sub(now);
        if self.buffer.is_empty() || self.upload.is_some() {
            return status;
        }
        status.min((self.oldest + self.options.seal_after).saturating_sub(now))
    }

    async fn keep_alive(&mut self) -> Result<()> {
        let now = self.context.clock.monotonic();
        if now.saturating_sub(self.last_heard) > SILENCE_LIMIT {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "stream WAL",
                format!("the server was silent for {SILENCE_LIMIT:?}"),
            )
            .with_target(self.connection.target()));
        }
        if now.saturating_sub(self.last_status) >= STATUS_INTERVAL {
            // While the buffer is full nothing is read, and silence proves nothing.
            if self.buffer.len() >= BUFFER_BYTES_MAX {
                self.last_heard = now;
            }
            self.send_status(true).await?;
        }
        Ok(())
    }

    /// Tells the server how far WAL is stored. It may then remove what lies before.
    async fn send_status(&mut self, ask_for_reply: bool) -> Result<()> {
        self.last_status = self.context.clock.monotonic();
        let stored = self.positions.stored().0;
        let received = self.buffer_start + self.buffer.len() as u64;
        let mut message = vec![b'r'];
        for position in [received, stored, stored] {
            message.extend_from_slice(&position.to_be_bytes());
        }
        message.extend_from_slice(&microseconds_since_2000(self.context.now()).to_be_bytes());
        message.push(u8::from(ask_for_reply));
        self.connection.send_copy_data(&message).await
    }
}

fn microseconds_since_2000(now: DateTime<Utc>) -> i64 {
    let epoch = DateTime::<Utc>::from_timestamp(EPOCH_2000, 0).unwrap_or_default();
    TimeDelta::num_microseconds(&(now - epoch)).unwrap_or(0)
}
