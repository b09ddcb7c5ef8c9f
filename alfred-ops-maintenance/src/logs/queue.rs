//! Lines on their way to the thread that writes.

use std::mem;
use std::ops::Range;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::journal::Journal;
use super::options::WhenFull;

/// So many bytes are worth a system call at once; fewer wait for the flush interval.
const WORTH_WRITING: usize = 64 << 10;

/// How often the thread looks at its file's age while nothing comes.
const IDLE: Duration = Duration::from_secs(1);

/// Bytes of whole lines, at most `bytes_max` of them: one copy in, one system call for many out. They wait in memory, or in a
/// journal that outlives the process.
pub(super) struct Queue {
    state: Mutex<State>,
    /// The writing thread waits here.
    work: Condvar,
    /// Who has a line and no room waits here.
    room: Condvar,
    /// Who flushes waits here.
    handed: Condvar,
    bytes_max: usize,
    worth_writing: usize,
}

struct State {
    waiting: Waiting,
    /// Bytes ever taken in, ever given to the writing thread, and ever written or dropped by it.
    bytes_in: u64,
    bytes_given: u64,
    bytes_out: u64,
    is_urgent: bool,
    phase: Phase,
}

/// Where lines wait.
enum Waiting {
    Memory(Vec<u8>),
    Journal(Arc<Journal>),
}

impl State {
    /// Bytes that the writing thread has not got yet.
    fn pending(&self) -> usize {
        usize::try_from(self.bytes_in - self.bytes_given).unwrap_or(usize::MAX)
    }

    /// Bytes that take up room. Those of a journal do until the log's file has them.
    fn used(&self) -> usize {
        match self.waiting {
            Waiting::Memory(_) => self.pending(),
            Waiting::Journal(_) => usize::try_from(self.bytes_in - self.bytes_out).unwrap_or(usize::MAX),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Open,
    Closing,
    Closed,
}

/// What became of lines given to the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Pushed {
    Queued,
    Full,
    /// Nobody takes lines from the queue: the writing thread has ended, and everything before is written.
    Closed,
}

/// What the writing thread does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Taken {
    /// It writes the lines, which have these positions in the journal if there is one.
    Lines(Range<u64>),
    Nothing,
    End,
}

impl Queue {
    /// A queue in `journal`, which has begun with what waits there, or in memory.
    pub(super) fn new(bytes_max: usize, journal: Option<Arc<Journal>>) -> Self {
        let (bytes_max, left, waiting) = match journal {
            Some(journal) => (journal.capacity(), journal.waiting(), Waiting::Journal(journal)),
            None => (bytes_max, 0..0, Waiting::Memory(Vec::new())),
        };
        Self {
            state: Mutex::new(State {
                waiting,
                bytes_in: left.end,
                bytes_given: left.start,
                bytes_out: left.start,
                is_urgent: false,
                phase: Phase::Open,
            }),
            work: Condvar::new(),
            room: Condvar::new(),
            handed: Condvar::new(),
            bytes_max,
            worth_writing: WORTH_WRITING.min(bytes_max / 2),
        }
    }

    /// Takes whole lines in, all or none. While the queue is closing, waits at most `closing_wait_max` for its end.
    pub(super) fn push(&self, lines: &[u8], when_full: WhenFull, closing_wait_max: Duration) -> Pushed {
        let mut state = self.lock();
        loop {
            match state.phase {
                Phase::Closed => return Pushed::Closed,
                Phase::Closing => {
                    let waited = self
                        .room
                        .wait_timeout_while(state, closing_wait_max, |state| state.phase == Phase::Closing);
                    let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
                    drop(state);
                    return if timeout.timed_out() { Pushed::Full } else { Pushed::Closed };
                }
                Phase::Open if state.used() + lines.len() <= self.bytes_max => break,
                Phase::Open if when_full == WhenFull::Drop => return Pushed::Full,
                Phase::Open => {
                    state.is_urgent = true;
                    self.work.notify_one();
                    state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        let (before, at) = (state.pending(), state.bytes_in);
        match &mut state.waiting {
            Waiting::Memory(pending) => pending.extend_from_slice(lines),
            Waiting::Journal(journal) => {
                if journal.take_in(at, lines).is_err() {
                    return Pushed::Closed;
                }
            }
        }
        state.bytes_in += lines.len() as u64;
        let after = state.pending();
        drop(state);
        // The thread is woken for the first line, which starts the interval, and once it is worth writing.
        if before == 0 || before < self.worth_writing && after >= self.worth_writing {
            self.work.notify_one();
        }
        Pushed::Queued
    }

    /// Puts what is there into `lines`, which is empty; waits `linger` for more if it is little.
    pub(super) fn take(&self, lines: &mut Vec<u8>, linger: Duration) -> Taken {
        let mut state = self.lock();
        if state.pending() == 0 && state.phase == Phase::Open {
            let waited = self
                .work
                .wait_timeout_while(state, IDLE, |state| state.pending() == 0 && state.phase == Phase::Open);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if state.pending() == 0 {
            if state.phase == Phase::Open {
                return Taken::Nothing;
            }
            state.phase = Phase::Closed;
            drop(state);
            self.room.notify_all();
            return Taken::End;
        }
        let waited = self.work.wait_timeout_while(state, linger, |state| {
            state.pending() < self.worth_writing && !state.is_urgent && state.phase == Phase::Open
        });
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
        let positions = state.bytes_given..state.bytes_in;
        state.bytes_given = state.bytes_in;
        state.is_urgent = false;
        match &mut state.waiting {
            Waiting::Memory(pending) => {
                mem::swap(pending, lines);
                drop(state);
                self.room.notify_all();
            }
            Waiting::Journal(journal) => {
                let journal = Arc::clone(journal);
                drop(state);
                // Nobody writes there until they are handed over. The mapping has every position, so it cannot fail.
                let _ = journal.read(positions.clone(), lines);
            }
        }
        Taken::Lines(positions)
    }

    /// Notes that what was given was written or dropped.
    pub(super) fn note_handed(&self) {
        let mut state = self.lock();
        state.bytes_out = state.bytes_given;
        drop(state);
        self.handed.notify_all();
        self.room.notify_all();
    }

    /// Waits until what is there now was handed over, `wait_max` at most. Whether it was.
    pub(super) fn flush(&self, wait_max: Duration) -> bool {
        let mut state = self.lock();
        let until = state.bytes_in;
        state.is_urgent = true;
        self.work.notify_one();
        let waited = self.handed.wait_timeout_while(state, wait_max, |state| state.bytes_out < until);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    /// Takes no more lines in. The writing thread ends once it has written what is there.
    pub(super) fn close(&self) {
        self.lock().phase = Phase::Closing;
        self.work.notify_all();
        self.room.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
