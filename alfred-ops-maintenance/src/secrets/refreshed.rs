//! Something that is read anew from time to time.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result, Retry, SharedClock};
use tokio::sync::Mutex as Turn;

/// After a read that failed, or that its caller gave up, the next one comes no sooner: whoever does not answer is not
/// asked by every call, and no call waits for him.
const RETRY_AFTER: Duration = Duration::from_secs(10);

/// Something that is read anew from time to time, by one caller at a time.
///
/// While there is a value, that one caller alone waits for the read: the others get the last value at once, and so do all
/// for a while after a read that failed. Without a value all wait for the one read, and share its error.
pub(super) struct Refreshed<T> {
    clock: SharedClock,
    state: Mutex<State<T>>,
    turn: Turn<()>,
}

/// What was read, and for how long it may be used.
pub(super) struct Reading<T> {
    pub(super) value: T,
    /// Until then it is not read anew.
    pub(super) fresh_for: Duration,
    /// Until then it is used while nobody answers.
    pub(super) good_for: Duration,
}

struct State<T> {
    last: Option<(Arc<T>, Times)>,
    /// When the last read began or, if it failed, ended.
    tried_at: Option<Duration>,
    /// The last read brought nothing, or has not yet.
    unanswered: bool,
    /// So many reads have failed; and the last of them.
    failures: u64,
    failure: Option<Failure>,
}

#[derive(Clone, Copy)]
struct Times {
    read_at: Duration,
    fresh_for: Duration,
    good_for: Duration,
}

#[derive(Clone)]
struct Failure {
    kind: ErrorKind,
    retry: Retry,
    text: String,
}

enum Known<T> {
    /// There is nothing to do.
    Good(Arc<T>),
    /// It is time to read anew.
    Old(Arc<T>),
    /// So many reads have failed by now.
    Nothing(u64),
}

impl<T: Send + Sync> Refreshed<T> {
    pub(super) fn new(clock: SharedClock) -> Self {
        let state = State { last: None, tried_at: None, unanswered: false, failures: 0, failure: None };
        Self { clock, state: Mutex::new(state), turn: Turn::new(()) }
    }

    /// The value, read by `read` if it is time. Dropping the future counts as a read that failed.
    ///
    /// # Errors
    /// Those of `read`, if there is no value that is still good.
    pub(super) async fn get(&self, read: impl Future<Output = Result<Reading<T>>> + Send) -> Result<Arc<T>> {
        let failures = match self.known() {
            Known::Good(value) => return Ok(value),
            Known::Old(value) => {
                let Ok(_turn) = self.turn.try_lock() else { return Ok(value) };
                // Another may have been faster.
                return match self.known() {
                    Known::Good(value) => Ok(value),
                    Known::Old(_) | Known::Nothing(_) => Ok(self.read_or(value, read).await),
                };
            }
            Known::Nothing(failures) => failures,
        };
        let _turn = self.turn.lock().await;
        match self.known() {
            Known::Good(value) | Known::Old(value) => Ok(value),
            Known::Nothing(now) if now > failures => Err(self.failure()),
            Known::Nothing(_) => self.read(read).await,
        }
    }

    /// A value that was read after `known`, or the last one if somebody tried to read one within `every`, or if that
    /// fails.
    pub(super) async fn newer_than(
        &self,
        known: &Arc<T>,
        every: Duration,
        read: impl Future<Output = Result<Reading<T>>> + Send,
    ) -> Arc<T> {
        let _turn = self.turn.lock().await;
        let (last, tried_at) = {
            let state = self.state();
            (state.last.as_ref().map(|(value, _)| Arc::clone(value)), state.tried_at)
        };
        let last = last.unwrap_or_else(|| Arc::clone(known));
        let now = self.clock.monotonic();
        if !Arc::ptr_eq(&last, known) || tried_at.is_some_and(|at| now.saturating_sub(at) < every) {
            return last;
        }
        self.read_or(last, read).await
    }

    async fn read_or(&self, last: Arc<T>, read: impl Future<Output = Result<Reading<T>>> + Send) -> Arc<T> {
        self.read(read).await.unwrap_or_else(|error| {
            tracing::warn!(error = %error.full(), "the last value is used on");
            last
        })
    }

    async fn read(&self, read: impl Future<Output = Result<Reading<T>>> + Send) -> Result<Arc<T>> {
        let read_at = self.clock.monotonic();
        {
            let mut state = self.state();
            (state.tried_at, state.unanswered) = (Some(read_at), true);
        }
        let answer = read.await;
        let mut state = self.state();
        match answer {
            Ok(Reading { value, fresh_for, good_for }) => {
                let value = Arc::new(value);
                state.last = Some((Arc::clone(&value), Times { read_at, fresh_for, good_for }));
                (state.unanswered, state.failure) = (false, None);
                Ok(value)
            }
            Err(error) => {
                state.tried_at = Some(self.clock.monotonic());
                state.failures += 1;
                let (kind, retry) = (error.kind(), error.retry());
                state.failure = Some(Failure { kind, retry, text: error.full() });
                Err(error)
            }
        }
    }

    fn known(&self) -> Known<T> {
        let now = self.clock.monotonic();
        let state = self.state();
        let Some((value, times)) = &state.last else { return Known::Nothing(state.failures) };
        let age = now.saturating_sub(times.read_at);
        if age >= times.good_for && age >= times.fresh_for {
            return Known::Nothing(state.failures);
        }
        let rests = state.unanswered && state.tried_at.is_some_and(|at| now.saturating_sub(at) < RETRY_AFTER);
        let value = Arc::clone(value);
        if age < times.fresh_for || rests { Known::Good(value) } else { Known::Old(value) }
    }

    fn failure(&self) -> Error {
        let failure = self.state().failure.clone();
        let failure = failure.unwrap_or(Failure {
            kind: ErrorKind::Unavailable,
            retry: Retry::After(None),
            text: String::new(),
        });
        Error::new(failure.kind, "read anew", format!("the read of another caller failed: {}", failure.text))
            .with_retry(failure.retry)
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Refreshed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refreshed").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use alfred_ops_core::SimulatedClock;
    use chrono::DateTime;

    use super::*;

    const FRESH: Duration = Duration::from_secs(60);
    const GOOD: Duration = Duration::from_secs(600);

    fn answer(value: u32) -> Result<Reading<u32>> {
        Ok(Reading { value, fresh_for: FRESH, good_for: GOOD })
    }

    fn silence() -> Result<Reading<u32>> {
        Err(Error::new(ErrorKind::Unavailable, "ask", "nobody answers"))
    }

    fn unasked() -> impl Future<Output = Result<Reading<u32>>> {
        std::future::poll_fn(|_| panic!("it was asked"))
    }

    fn world() -> (SimulatedClock, Refreshed<u32>) {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let refreshed = Refreshed::new(clock.shared());
        (clock, refreshed)
    }

    #[tokio::test]
    async fn who_does_not_answer_is_waited_for_by_one_caller_and_not_asked_by_each() {
        let (clock, refreshed) = world();
        assert_eq!(*refreshed.get(ready(answer(1))).await.unwrap(), 1);
        clock.advance(FRESH);
        {
            let mut hanging = std::pin::pin!(refreshed.get(pending()));
            assert!(poll_once(hanging.as_mut()).await.is_none());
            assert_eq!(*refreshed.get(unasked()).await.unwrap(), 1, "while it hangs");
        }
        assert_eq!(*refreshed.get(unasked()).await.unwrap(), 1, "it was given up");
        clock.advance(RETRY_AFTER);
        assert_eq!(*refreshed.get(ready(silence())).await.unwrap(), 1);
        assert_eq!(*refreshed.get(unasked()).await.unwrap(), 1, "it failed");
        clock.advance(RETRY_AFTER);
        assert_eq!(*refreshed.get(ready(answer(2))).await.unwrap(), 2);
        clock.advance(GOOD);
        assert_eq!(refreshed.get(ready(silence())).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn without_a_value_all_share_one_read_and_its_error() {
        let (_, refreshed) = world();
        let slowly = async {
            tokio::task::yield_now().await;
            silence()
        };
        let (first, second) = tokio::join!(refreshed.get(slowly), refreshed.get(unasked()));
        for error in [first.unwrap_err(), second.unwrap_err()] {
            assert_eq!(error.kind(), ErrorKind::Unavailable);
            assert!(error.full().contains("nobody answers"), "{}", error.full());
        }
        assert_eq!(*refreshed.get(ready(answer(1))).await.unwrap(), 1, "who comes later asks anew");
    }

    #[tokio::test]
    async fn a_newer_one_is_asked_for_now_and_then_whether_or_not_anybody_answers() {
        let (clock, refreshed) = world();
        let every = Duration::from_secs(10);
        let known = refreshed.get(ready(answer(1))).await.unwrap();
        assert_eq!(*refreshed.newer_than(&known, every, unasked()).await, 1);
        clock.advance(every);
        assert_eq!(*refreshed.newer_than(&known, every, ready(silence())).await, 1);
        assert_eq!(*refreshed.newer_than(&known, every, unasked()).await, 1, "it has just failed");
        clock.advance(every);
        assert_eq!(*refreshed.newer_than(&known, every, ready(answer(2))).await, 2);
        assert_eq!(*refreshed.newer_than(&known, every, unasked()).await, 2, "there is one");
    }

    /// Polls once.
    async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(match future.as_mut().poll(context) {
                std::task::Poll::Ready(output) => Some(output),
                std::task::Poll::Pending => None,
            })
        })
        .await
    }
}
