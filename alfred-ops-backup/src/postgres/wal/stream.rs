//! Streaming WAL from a walsender into a log.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, Lsn, PostgresOptions, Result, TaskHandle, TaskSet};
use bytes::{Bytes, BytesMut};
use tokio_util::sync::CancellationToken;

use super::message::{self, WalMessage};
use super::{Positions, WalArchiveOptions};
use crate::LogArchive;
use crate::postgres::PostgresProbe;
use crate::postgres::wire::{Connection, Reply, Row};

/// Received and not yet stored, at most: beyond it the server has to wait.
const BUFFER_BYTES_MAX: usize = 16 << 20;
/// Bytes of one chunk, at most, which is what a log takes.
const CHUNK_BYTES_MAX: usize = 4 << 20;
/// How often the server is told how far we are and asked for a sign of life.
const STATUS_INTERVAL: Duration = Duration::from_secs(10);
/// Without any message for so long the connection is taken for dead.
const SILENCE_LIMIT: Duration = Duration::from_secs(60);

/// What to stream, and where to.
#[derive(Debug, Clone)]
pub(in crate::postgres) struct WalRequest {
    pub(in crate::postgres) server: PostgresOptions,
    pub(in crate::postgres) timeline: u32,
    pub(in crate::postgres) start: Lsn,
    pub(in crate::postgres) log: LogArchive,
    pub(in crate::postgres) options: WalArchiveOptions,
    /// The lag in bytes that rings the alarm.
    pub(in crate::postgres) lag_alarm: u64,
}

/// How a stream ended.
#[derive(Debug)]
pub(in crate::postgres) enum StreamEnd {
    /// The caller asked to stop.
    Stopped,
    /// The timeline was left, and all that it wrote is stored. The connection takes commands again.
    Left { connection: Connection, next: u32 },
}

/// A WAL connection with its slot.
struct WalStream<'a> {
    connection: Connection,
    request: WalRequest,
    context: &'a JobContext,
    positions: &'a Positions,
    tasks: TaskSet,
    /// Received and not yet on its way to the store.
    buffer: BytesMut,
    buffer_start: u64,
    /// When the oldest byte of the buffer came, on the monotonic clock.
    oldest: Duration,
    upload: Option<Upload>,
    /// A look at the server beside the stream, while the stream is not read.
    look: Option<TaskHandle<Result<Lsn>>>,
    /// Whether the server has ended its side: everything of this timeline was received.
    left: bool,
    last_heard: Duration,
    last_status: Duration,
}

/// A chunk on its way to the store.
struct Upload {
    task: TaskHandle<Result<u64>>,
    /// When its oldest byte came.
    oldest: Duration,
}

enum Event {
    Stop,
    Reply(Reply),
    Stored(u64),
    Seen(Result<Lsn>),
    Tick,
}

/// Streams until the context is cancelled or the timeline ends, then stores what was received and returns.
pub(in crate::postgres) async fn stream_wal(
    mut connection: Connection,
    request: WalRequest,
    positions: &Positions,
    context: &JobContext,
) -> Result<StreamEnd> {
    let WalRequest { timeline, start, options, .. } = &request;
    let command = format!("START_REPLICATION SLOT {} PHYSICAL {start} TIMELINE {timeline}", options.slot);
    connection.start(&command).await?;
    let reply = connection.next().await?;
    positions.begin(*timeline, *start);
    match reply {
        Reply::CopyBoth => WalStream::new(connection, request, positions, context).run().await,
        // The timeline was left right where it is asked for.
        Reply::Row(row) => left(connection, *timeline, Some(row)).await,
        _ => Err(connection.unexpected("no WAL after START_REPLICATION")),
    }
}

/// Learns which timeline goes on, from the row that says so.
async fn left(mut connection: Connection, timeline: u32, row: Option<Row>) -> Result<StreamEnd> {
    let mut next = row;
    loop {
        match connection.next().await? {
            Reply::Row(row) => next = Some(row),
            Reply::Ready => break,
            _ => {}
        }
    }
    let next = next.and_then(|row| row.into_iter().next().flatten()?.parse().ok());
    match next {
        Some(next) if next > timeline => Ok(StreamEnd::Left { connection, next }),
        _ => Err(connection.unexpected("the end of a timeline without the next")),
    }
}

impl<'a> WalStream<'a> {
    fn new(
        connection: Connection,
        request: WalRequest,
        positions: &'a Positions,
        context: &'a JobContext,
    ) -> Self {
        let now = context.clock.monotonic();
        let buffer_start = request.start.0;
        Self {
            connection,
            request,
            context,
            positions,
            // Not a child of the caller's token: what is on its way when it is cancelled still arrives.
            tasks: TaskSet::new(&CancellationToken::new()),
            buffer: BytesMut::new(),
            buffer_start,
            oldest: now,
            upload: None,
            look: None,
            left: false,
            last_heard: now,
            last_status: now,
        }
    }

    async fn run(mut self) -> Result<StreamEnd> {
        let mut wanted = self.positions.wanted();
        let mut stopping = false;
        loop {
            let wanted_now = *wanted.borrow_and_update();
            let hurry = stopping || self.left || self.request.options.synchronous;
            self.upload_if_due(hurry || wanted_now.0 > self.positions.stored().0);
            if self.upload.is_none() && stopping {
                return Ok(StreamEnd::Stopped);
            }
            if self.upload.is_none() && self.left {
                self.connection.send_copy_done().await?;
                return left(self.connection, self.request.timeline, None).await;
            }
            let pause = self.pause();
            let reading = !stopping && !self.left && self.buffer.len() < BUFFER_BYTES_MAX;
            let event = tokio::select! {
                () = self.context.cancel.cancelled(), if !stopping => Event::Stop,
                end = async { match &mut self.upload {
                    Some(upload) => (&mut upload.task).await,
                    None => std::future::pending().await,
                } } => Event::Stored(end??),
                seen = async { match &mut self.look {
                    Some(look) => look.await,
                    None => std::future::pending().await,
                } } => Event::Seen(seen.flatten()),
                reply = self.connection.next(), if reading => Event::Reply(reply?),
                _ = wanted.changed() => Event::Tick,
                () = self.context.clock.sleep(pause) => Event::Tick,
            };
            match event {
                Event::Stop => stopping = true,
                Event::Stored(end) => {
                    self.confirmed(end);
                    if !stopping && !self.left {
                        self.send_status(false).await?;
                    }
                }
                Event::Reply(reply) => self.take(reply).await?,
                Event::Seen(seen) => {
                    self.look = None;
                    match seen {
                        Ok(written) => self.heard_of(written),
                        Err(error) => tracing::debug!(error = %error.full(), "no look at the server"),
                    }
                }
                Event::Tick if stopping || self.left => {}
                Event::Tick => self.keep_alive().await?,
            }
        }
    }

    async fn take(&mut self, reply: Reply) -> Result<()> {
        self.last_heard = self.context.clock.monotonic();
        let payload = match reply {
            Reply::CopyData(payload) => payload,
            Reply::CopyDone => {
                self.left = true;
                return Ok(());
            }
            _ => return Err(self.connection.unexpected("something else than WAL")),
        };
        match WalMessage::parse(payload) {
            Some(WalMessage::Data { start, written, data }) => {
                self.append(start, &data)?;
                self.heard_of(written);
                Ok(())
            }
            Some(WalMessage::KeepAlive { written, reply_requested }) => {
                self.heard_of(written);
                if reply_requested { self.send_status(false).await } else { Ok(()) }
            }
            None => Err(self.connection.unexpected("an unknown message within WAL")),
        }
    }

    fn append(&mut self, start: Lsn, data: &[u8]) -> Result<()> {
        let next = self.received();
        if start != next {
            return Err(self.connection.unexpected(&format!("WAL at {start} instead of {next}")));
        }
        if self.buffer.is_empty() {
            self.oldest = self.context.clock.monotonic();
        }
        self.buffer.extend_from_slice(data);
        Ok(())
    }

    fn received(&self) -> Lsn {
        Lsn(self.buffer_start + self.buffer.len() as u64)
    }

    fn upload_if_due(&mut self, at_once: bool) {
        if self.upload.is_some() || self.buffer.is_empty() {
            return;
        }
        let age = self.context.clock.monotonic().saturating_sub(self.oldest);
        let options = &self.request.options;
        if !at_once && self.buffer.len() < options.seal_bytes && age < options.seal_after {
            return;
        }
        let chunk: Bytes = self.buffer.split_to(self.buffer.len().min(CHUNK_BYTES_MAX)).freeze();
        let (log, start) = (self.request.log.clone(), self.buffer_start);
        let end = start + chunk.len() as u64;
        self.buffer_start = end;
        let task = self.tasks.spawn(async move { log.append(start, chunk).await.map(|()| end) });
        self.upload = Some(Upload { task, oldest: self.oldest });
    }

    /// A chunk that ends at `end` is stored.
    fn confirmed(&mut self, end: u64) {
        if let Some(upload) = self.upload.take() {
            let took = self.context.clock.monotonic().saturating_sub(upload.oldest);
            self.positions.add_confirmation(took);
        }
        self.positions.set_stored(Lsn(end));
        self.note_unstored();
    }

    /// The server has written up to there.
    fn heard_of(&mut self, written: Lsn) {
        if self.positions.set_written(written, self.request.lag_alarm) {
            let stored = self.positions.stored();
            tracing::error!(
                slot = self.request.options.slot, %stored, %written, alarm_bytes = self.request.lag_alarm,
                "WAL piles up on the server's disk because it is not stored: check the store, and set \
                 max_slot_wal_keep_size so that the disk cannot fill up"
            );
        }
        self.note_unstored();
    }

    fn note_unstored(&self) {
        let since = self.upload.as_ref().map(|upload| upload.oldest);
        let since = since.or((!self.buffer.is_empty()).then_some(self.oldest));
        self.positions.set_unstored_since(since, self.received());
    }

    /// How long nothing needs to be done unless something happens.
    fn pause(&self) -> Duration {
        let now = self.context.clock.monotonic();
        let status = (self.last_status + STATUS_INTERVAL).saturating_sub(now);
        if self.buffer.is_empty() || self.upload.is_some() {
            return status;
        }
        status.min((self.oldest + self.request.options.seal_after).saturating_sub(now))
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
                self.look_beside();
            }
            self.send_status(true).await?;
        }
        Ok(())
    }

    /// Asks on another connection how far the server has written.
    fn look_beside(&mut self) {
        if self.look.is_none() {
            let (server, context) = (self.request.server.clone(), self.context.clone());
            self.look = Some(self.tasks.spawn(async move {
                let mut connection = Connection::open(&server, &context).await?;
                PostgresProbe::ask(&mut connection).await.map(|probe| probe.flushed)
            }));
        }
    }

    /// Tells the server how far WAL is stored. It may then remove what lies before.
    async fn send_status(&mut self, ask_for_reply: bool) -> Result<()> {
        self.last_status = self.context.clock.monotonic();
        let (received, stored) = (self.received(), self.positions.stored());
        let message = message::status(received, stored, self.context.now(), ask_for_reply);
        self.connection.send_copy_data(&message).await
    }
}
