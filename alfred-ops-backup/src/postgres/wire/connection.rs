//! One connection.

use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, ErrorKind, JobContext, PostgresOptions, Result};
use bytes::{Buf as _, Bytes, BytesMut};
use postgres_protocol::message::backend::{DataRowBody, Message};
use postgres_protocol::message::frontend;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use super::handshake::{self, Purpose};
use super::server_error::{self, OPERATION};

/// Reaching the server and logging in must be done within this time.
const CONNECT_LIMIT: Duration = Duration::from_secs(15);
/// The longest message that is believed. A walsender's own are under 200 KiB.
const MESSAGE_BYTES_MAX: usize = 16 << 20;
/// Room for reading: several messages of a base backup by one system call.
const READ_BYTES: usize = 256 << 10;
/// Warnings that are remembered, at most.
const WARNINGS_MAX: usize = 50;
/// The message that postgres-protocol does not know: the start of a copy in both directions.
const COPY_BOTH_TAG: u8 = b'W';

/// A byte stream to a server: TCP, TLS or a Unix socket.
pub(in crate::postgres) trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// One connection, to a walsender unless it says otherwise. After an error it must be dropped.
pub(in crate::postgres) struct Connection {
    stream: Box<dyn Transport>,
    inbox: BytesMut,
    target: String,
    user: String,
    warnings: Vec<String>,
}

/// One row as the simple protocol sends it: text or null.
pub(in crate::postgres) type Row = Vec<Option<String>>;

/// What the server says, without what no caller needs.
pub(in crate::postgres) enum Reply {
    Row(Row),
    CopyOut,
    CopyIn,
    CopyBoth,
    CopyData(Bytes),
    CopyDone,
    /// One command of the query is done.
    Complete,
    /// The query is done.
    Ready,
}

impl Connection {
    /// Logs in to a physical walsender.
    pub(in crate::postgres) async fn open(options: &PostgresOptions, context: &JobContext) -> Result<Self> {
        Self::open_for(Purpose::Replication, options, context).await
    }

    /// Logs in to the options' database, for SQL.
    pub(in crate::postgres) async fn open_database(
        options: &PostgresOptions,
        context: &JobContext,
    ) -> Result<Self> {
        Self::open_for(Purpose::Sql, options, context).await
    }

    async fn open_for(purpose: Purpose, options: &PostgresOptions, context: &JobContext) -> Result<Self> {
        let login = async {
            let (stream, binding) = handshake::reach(options).await?;
            let mut connection = Self::over(stream, options);
            handshake::log_in(&mut connection, purpose, options, binding).await?;
            Ok(connection)
        };
        tokio::select! {
            biased;
            () = context.cancel.cancelled() => {
                Err(Error::new(ErrorKind::Cancelled, "connect to Postgres", "the caller asked to stop"))
            }
            connection = context.clock.timeout(CONNECT_LIMIT, "connect to Postgres", login) => {
                connection.flatten().map_err(|error| error.with_target(options.to_string()))
            }
        }
    }

    pub(in crate::postgres) fn over(stream: Box<dyn Transport>, options: &PostgresOptions) -> Self {
        let (target, user) = (options.to_string(), options.user.clone());
        Self { stream, inbox: BytesMut::with_capacity(READ_BYTES), target, user, warnings: Vec::new() }
    }

    /// The server, without credentials.
    pub(in crate::postgres) fn target(&self) -> &str {
        &self.target
    }

    /// What the server has warned of so far: the first fifty.
    pub(in crate::postgres) fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Sends a command and leaves its replies to [`next`](Self::next).
    pub(in crate::postgres) async fn start(&mut self, command: &str) -> Result<()> {
        let mut message = BytesMut::new();
        frontend::query(command, &mut message)
            .map_err(|error| self.broken("the command has a zero byte", error))?;
        self.send(&message).await
    }

    /// Runs a command and returns its rows.
    pub(in crate::postgres) async fn query(&mut self, command: &str) -> Result<Vec<Row>> {
        self.start(command).await?;
        let mut rows = Vec::new();
        loop {
            match self.next().await? {
                Reply::Row(row) => rows.push(row),
                Reply::Ready => return Ok(rows),
                _ => {}
            }
        }
    }

    /// Runs a command that answers with one row, and returns its first column.
    pub(in crate::postgres) async fn query_value(&mut self, command: &str) -> Result<String> {
        let rows = self.query(command).await?;
        let value = rows.into_iter().next().and_then(|row| row.into_iter().next().flatten());
        value.ok_or_else(|| self.unexpected(&format!("no value for {command:?}")))
    }

    /// Sends a message of the copy under way.
    pub(in crate::postgres) async fn send_copy_data(&mut self, payload: &[u8]) -> Result<()> {
        let mut message = BytesMut::new();
        frontend::CopyData::new(payload)
            .map_err(|error| self.broken("the message is too long", error))?
            .write(&mut message);
        self.send(&message).await
    }

    /// Ends what is sent of the copy under way.
    pub(in crate::postgres) async fn send_copy_done(&mut self) -> Result<()> {
        let mut message = BytesMut::new();
        frontend::copy_done(&mut message);
        self.send(&message).await
    }

    pub(super) async fn send(&mut self, message: &[u8]) -> Result<()> {
        let sent = async {
            self.stream.write_all(message).await?;
            self.stream.flush().await
        };
        sent.await.map_err(|error| self.broken("the connection broke", error))
    }

    /// The next reply. An error of the server becomes an error here. Dropping the future loses nothing.
    pub(in crate::postgres) async fn next(&mut self) -> Result<Reply> {
        loop {
            let length = self.whole_message().await?;
            // The one message that the codec does not know is recognised by its tag.
            if self.inbox.first() == Some(&COPY_BOTH_TAG) {
                self.inbox.advance(length);
                return Ok(Reply::CopyBoth);
            }
            match self.next_message().await? {
                Message::DataRow(row) => return self.read_row(&row).map(Reply::Row),
                Message::CopyOutResponse(_) => return Ok(Reply::CopyOut),
                Message::CopyInResponse(_) => return Ok(Reply::CopyIn),
                Message::CopyData(data) => return Ok(Reply::CopyData(data.into_bytes())),
                Message::CopyDone => return Ok(Reply::CopyDone),
                Message::CommandComplete(_) => return Ok(Reply::Complete),
                Message::ReadyForQuery(_) => return Ok(Reply::Ready),
                Message::ErrorResponse(body) => {
                    return Err(server_error::classify(&body, &self.user).with_target(self.target.clone()));
                }
                Message::NoticeResponse(body) => {
                    let text = server_error::text(body.fields());
                    tracing::debug!(server = self.target, notice = text);
                    if server_error::is_warning(body.fields()) && self.warnings.len() < WARNINGS_MAX {
                        self.warnings.push(text);
                    }
                }
                _ => {}
            }
        }
    }

    /// The next message as the codec reads it. Also used while logging in.
    pub(super) async fn next_message(&mut self) -> Result<Message> {
        self.whole_message().await?;
        Message::parse(&mut self.inbox)
            .map_err(|error| self.broken("a message could not be read", error))?
            .ok_or_else(|| self.unexpected("a message shorter than announced"))
    }

    /// Waits until the inbox holds a whole message and returns its length.
    async fn whole_message(&mut self) -> Result<usize> {
        loop {
            if let Some([_, length @ ..]) = self.inbox.first_chunk::<5>() {
                let length =
                    usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX).saturating_add(1);
                if length > MESSAGE_BYTES_MAX {
                    return Err(self.unexpected(&format!("a message of {length} bytes")));
                }
                if self.inbox.len() >= length {
                    return Ok(length);
                }
                self.inbox.reserve(length - self.inbox.len());
            }
            if self.inbox.capacity() - self.inbox.len() < READ_BYTES / 8 {
                self.inbox.reserve(READ_BYTES);
            }
            let read = self.stream.read_buf(&mut self.inbox).await;
            if read.map_err(|error| self.broken("the connection broke", error))? == 0 {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    OPERATION,
                    "the server closed the connection",
                )
                .with_target(self.target.clone()));
            }
        }
    }

    fn read_row(&self, row: &DataRowBody) -> Result<Row> {
        use postgres_protocol::message::backend::DataRowRanges;
        let buffer = row.buffer();
        let mut ranges: DataRowRanges<'_> = row.ranges();
        let mut values = Vec::new();
        use fallible_iterator::FallibleIterator as _;
        while let Some(range) =
            ranges.next().map_err(|error| self.broken("a row could not be read", error))?
        {
            values.push(range.map(|range| String::from_utf8_lossy(&buffer[range]).into_owned()));
        }
        Ok(values)
    }

    fn broken(&self, what: &str, error: std::io::Error) -> Error {
        Error::new(ErrorKind::Unavailable, OPERATION, what)
            .with_target(self.target.clone())
            .with_source(error)
    }

    /// The error for an answer that the protocol does not allow here.
    pub(in crate::postgres) fn unexpected(&self, what: &str) -> Error {
        Error::new(ErrorKind::Internal, OPERATION, format!("unexpected: {what}"))
            .with_target(self.target.clone())
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("target", &self.target).finish_non_exhaustive()
    }
}
