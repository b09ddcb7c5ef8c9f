//! The end of a log.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::{io, time::Duration};

use super::shared::Shared;
use super::{keeper, shared};

/// Flushes the log when dropped. Keep it until the program ends.
///
/// Dropping waits for the log's two threads, [`flush_wait_max`](crate::LogOptions::flush_wait_max) for each at most:
/// then everything queued before is with the kernel. What is written later goes there directly. Compression stops
/// where it is and goes on at the next opening.
#[must_use = "dropping it closes the log"]
pub struct LogGuard {
    shared: Arc<Shared>,
    writer: Worker,
    keeper: Worker,
}

impl LogGuard {
    pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Self> {
        let keeper = Worker::start("log-keeper", shared, keeper::run)?;
        match Worker::start("log-writer", shared, shared::Shared::run) {
            Ok(writer) => Ok(Self { shared: Arc::clone(shared), writer, keeper }),
            Err(error) => {
                shared.bell.end();
                Err(error)
            }
        }
    }
}

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.shared.queue.close();
        self.writer.join(self.shared.options.flush_wait_max);
        self.shared.bell.end();
        self.keeper.join(self.shared.options.flush_wait_max);
    }
}

impl fmt::Debug for LogGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogGuard").field("path", &self.shared.path).finish_non_exhaustive()
    }
}

/// A thread that can be waited for within a bound.
struct Worker {
    thread: Option<JoinHandle<()>>,
    /// Nothing is ever sent: it disconnects when the thread ends.
    ended: Receiver<()>,
}

impl Worker {
    fn start(name: &str, shared: &Arc<Shared>, work: fn(&Shared)) -> io::Result<Self> {
        let (running, ended) = mpsc::channel();
        let shared = Arc::clone(shared);
        let thread = thread::Builder::new().name(name.to_owned()).spawn(move || {
            let _running = running;
            work(&shared);
        })?;
        Ok(Self { thread: Some(thread), ended })
    }

    /// Waits for the end of the thread. A disk that hangs must not hang the host, so it may be left behind.
    fn join(&mut self, wait_max: Duration) {
        if self.ended.recv_timeout(wait_max) == Err(RecvTimeoutError::Disconnected)
            && let Some(thread) = self.thread.take()
        {
            // A panic was reported by the thread itself.
            let _ = thread.join();
        }
    }
}
