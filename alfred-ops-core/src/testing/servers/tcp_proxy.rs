//! A bad network in front of a server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::{Error, ErrorKind, Result, TaskSet};

/// Bytes that are passed on at once.
const PIECE_BYTES: usize = 16 << 10;

/// A proxy in front of a server on loopback whose connections are cut when a test says so. It ends with its
/// owner.
#[derive(Debug)]
pub struct TcpProxy {
    port: u16,
    line: Arc<Line>,
    _tasks: TaskSet,
}

/// What all connections go through.
#[derive(Debug)]
struct Line {
    state: Mutex<State>,
    /// Somebody said [`TcpProxy::up`].
    opened: Notify,
}

/// What happens when enough bytes have passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Cut,
    Stall,
}

#[derive(Debug)]
struct State {
    /// Ends the connections that exist.
    cut: CancellationToken,
    /// Bytes that still pass, of all connections together, and what happens then.
    passes: Option<(u64, End)>,
    /// Whether new connections are refused.
    down: bool,
    passed: u64,
}

impl TcpProxy {
    /// A proxy in front of the server on `port`, on a free port of its own.
    ///
    /// # Errors
    /// [`ErrorKind::Unavailable`] if there is no free port.
    pub async fn start(port: u16) -> Result<Self> {
        let failed = |source| {
            Error::new(ErrorKind::Unavailable, "start a proxy", "the system refused").with_source(source)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let own = listener.local_addr().map_err(failed)?.port();
        let state = State { cut: CancellationToken::new(), passes: None, down: false, passed: 0 };
        let line = Arc::new(Line { state: Mutex::new(state), opened: Notify::new() });
        let tasks = TaskSet::new(&CancellationToken::new());
        tasks.spawn(serve(listener, port, Arc::clone(&line), tasks.cancel_token().clone()));
        Ok(Self { port: own, line, _tasks: tasks })
    }

    /// Where it listens.
    #[must_use]
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// How many bytes have passed so far, both ways.
    #[must_use]
    pub fn passed(&self) -> u64 {
        self.line.lock().passed
    }

    /// Cuts all connections now; new ones are served.
    pub fn cut(&self) {
        self.line.lock().cut_all();
    }

    /// Cuts all connections after so many more bytes, both ways together; new ones are served.
    pub fn cut_after(&self, bytes: u64) {
        self.line.lock().passes = Some((bytes, End::Cut));
    }

    /// After so many more bytes, both ways together, lets nothing pass until [`up`](Self::up): connections stay
    /// and are silent.
    pub fn stall_after(&self, bytes: u64) {
        self.line.lock().passes = Some((bytes, End::Stall));
    }

    /// Whether bytes wait for [`up`](Self::up).
    #[must_use]
    pub fn is_stalled(&self) -> bool {
        self.line.lock().passes == Some((0, End::Stall))
    }

    /// Cuts all connections and serves no new ones until [`up`](Self::up).
    pub fn down(&self) {
        let mut state = self.line.lock();
        state.down = true;
        state.cut_all();
    }

    /// Serves new connections again, lets pass what waits, and no cut is due.
    pub fn up(&self) {
        let mut state = self.line.lock();
        (state.down, state.passes) = (false, None);
        self.line.opened.notify_waiters();
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn cut_all(&mut self) {
        std::mem::take(&mut self.cut).cancel();
    }

    /// How many of so many bytes pass now, and whether that is the end.
    fn pass(&mut self, bytes: usize) -> (usize, Option<End>) {
        let Some((left, end)) = &mut self.passes else {
            self.passed += bytes as u64;
            return (bytes, None);
        };
        let allowed = usize::try_from(*left).unwrap_or(bytes).min(bytes);
        *left -= allowed as u64;
        self.passed += allowed as u64;
        let end = (*left == 0).then_some(*end);
        if end == Some(End::Cut) {
            self.passes = None;
            self.cut_all();
        }
        (allowed, end)
    }
}

async fn serve(listener: TcpListener, port: u16, line: Arc<Line>, end: CancellationToken) {
    let connections = TaskSet::new(&end);
    loop {
        let accepted = tokio::select! {
            () = end.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((client, _)) = accepted else { continue };
        let cut = {
            let state = line.lock();
            if state.down {
                continue;
            }
            state.cut.clone()
        };
        let (line, end) = (Arc::clone(&line), end.clone());
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            let both = async {
                tokio::join!(pump(from_client, to_server, &line), pump(from_server, to_client, &line))
            };
            tokio::select! {
                () = end.cancelled() => {}
                () = cut.cancelled() => {}
                _ = both => {}
            }
        });
    }
    connections.shutdown().await;
}

/// Passes on what comes until one side ends.
async fn pump(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, line: &Line) {
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(read @ 1..) = from.read(&mut piece).await {
        let mut rest = piece.get(..read).unwrap_or_default();
        while !rest.is_empty() {
            let opened = line.opened.notified();
            let (passes, end) = line.lock().pass(rest.len());
            let (now, later) = rest.split_at(passes);
            if to.write_all(now).await.is_err() || end == Some(End::Cut) {
                return;
            }
            rest = later;
            if end == Some(End::Stall) && !rest.is_empty() {
                opened.await;
            }
        }
    }
    let _ = to.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A server that sends back what it gets.
    async fn echo() -> (u16, TaskSet) {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let tasks = TaskSet::new(&CancellationToken::new());
        tasks.spawn(async move {
            while let Ok((mut socket, _)) = listener.accept().await {
                let (mut from, mut to) = socket.split();
                let _ = tokio::io::copy(&mut from, &mut to).await;
            }
        });
        (port, tasks)
    }

    async fn says(proxy: &TcpProxy, bytes: usize) -> usize {
        let Ok(mut socket) = TcpStream::connect(("127.0.0.1", proxy.port())).await else { return 0 };
        let _ = socket.write_all(&vec![7; bytes]).await;
        let _ = socket.shutdown().await;
        let mut answer = Vec::new();
        let _ = socket.read_to_end(&mut answer).await;
        answer.len()
    }

    #[tokio::test]
    async fn a_line_is_cut_when_told_and_heals() {
        let (port, _tasks) = echo().await;
        let proxy = TcpProxy::start(port).await.unwrap();
        assert_eq!(says(&proxy, 5000).await, 5000);
        assert_eq!(proxy.passed(), 10_000);
        proxy.cut_after(6000);
        assert!(says(&proxy, 5000).await <= 1000);
        assert_eq!(says(&proxy, 5000).await, 5000, "only what was there is cut");
        proxy.stall_after(700);
        let (said, ()) = tokio::join!(says(&proxy, 500), async {
            while !proxy.is_stalled() {
                tokio::task::yield_now().await;
            }
            proxy.up();
        });
        assert_eq!(said, 500);
        proxy.down();
        assert_eq!(says(&proxy, 1).await, 0);
        proxy.up();
        assert_eq!(says(&proxy, 1).await, 1);
    }
}
