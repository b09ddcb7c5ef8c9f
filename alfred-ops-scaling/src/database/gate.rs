//! So many at once, as many as are let.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_ops_core::SharedClock;
use tokio::sync::Notify;

/// Lets so many through at once, and can be made wider and narrower while it is in use.
///
/// Who waits is let through in the order of arrival. When it becomes narrower nobody is thrown out: it narrows as they leave.
/// Dropping a future that waits gives up its place. Clones are one gate.
#[derive(Debug, Clone)]
pub struct Gate {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    clock: SharedClock,
    state: Mutex<State>,
    /// Woken when somebody may come through. One waits on it at a time.
    freed: Notify,
    /// Held by who is first in the queue.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    width: u32,
    /// How often the width was set.
    generation: u64,
    within: u32,
    waiting: u32,
    passed: u64,
    waited: Duration,
    held: Duration,
    left: u64,
}

/// What went through a gate since it was made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct GateLoad {
    /// How many may be within.
    pub width: u32,
    /// How many are.
    pub within: u32,
    /// How many wait.
    pub waiting: u32,
    /// How often somebody came through.
    pub passed: u64,
    /// For how long they had waited, all together.
    pub waited: Duration,
    /// How often somebody left.
    pub left: u64,
    /// For how long they had been within, all together.
    pub held: Duration,
}

/// The right to be within; it ends when this is dropped.
#[derive(Debug)]
pub struct Pass {
    inner: Arc<Inner>,
    since: Duration,
}

impl Gate {
    /// A gate for `width` at once.
    #[must_use]
    pub fn new(width: u32, clock: SharedClock) -> Self {
        let state = Mutex::new(State { width, ..State::default() });
        Self {
            inner: Arc::new(Inner { clock, state, freed: Notify::new(), turn: tokio::sync::Mutex::new(()) }),
        }
    }

    /// Waits until there is room.
    pub async fn pass(&self) -> Pass {
        let asked = self.inner.clock.monotonic();
        let waiting = Waiting::new(&self.inner);
        let turn = self.inner.turn.lock().await;
        loop {
            let freed = self.inner.freed.notified();
            {
                let mut state = self.inner.lock();
                if state.within < state.width {
                    let since = self.inner.clock.monotonic();
                    state.within += 1;
                    state.passed += 1;
                    state.waited += since.saturating_sub(asked);
                    drop(state);
                    drop((turn, waiting));
                    return Pass { inner: Arc::clone(&self.inner), since };
                }
            }
            freed.await;
        }
    }

    /// Makes it as wide as this.
    pub fn set_width(&self, width: u32) {
        self.inner.lock().set(width);
        self.inner.freed.notify_one();
    }

    /// How often the width was set.
    #[cfg(feature = "postgres")]
    pub(super) fn generation(&self) -> u64 {
        self.inner.lock().generation
    }

    /// Makes it as wide as this, unless the width was set since it had been so often. Says whether it was done.
    #[cfg(feature = "postgres")]
    pub(super) fn set_width_if(&self, width: u32, generation: &str) -> bool {
        let mut state = self.inner.lock();
        let unchanged = state.generation.to_string() == generation;
        if unchanged {
            state.set(width);
        }
        drop(state);
        self.inner.freed.notify_one();
        unchanged
    }

    /// What went through so far.
    #[must_use]
    pub fn load(&self) -> GateLoad {
        let State { width, within, waiting, passed, waited, held, left, .. } = *self.inner.lock();
        GateLoad { width, within, waiting, passed, waited, left, held }
    }
}

impl State {
    fn set(&mut self, width: u32) {
        self.width = width;
        self.generation += 1;
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let held = self.inner.clock.monotonic().saturating_sub(self.since);
        let mut state = self.inner.lock();
        state.within -= 1;
        state.left += 1;
        state.held += held;
        drop(state);
        self.inner.freed.notify_one();
    }
}

/// Somebody who waits, counted as long as this lives.
struct Waiting<'g>(&'g Inner);

impl<'g> Waiting<'g> {
    fn new(inner: &'g Inner) -> Self {
        inner.lock().waiting += 1;
        Self(inner)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.lock().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use alfred_ops_core::SimulatedClock;
    use chrono::DateTime;

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[tokio::test]
    async fn it_narrows_as_they_leave_and_widens_at_once() {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let gate = Gate::new(2, clock.shared());
        let (first, second) = (gate.pass().await, gate.pass().await);
        let mut third = pin!(gate.pass());
        assert!(poll(third.as_mut()).is_pending());
        gate.set_width(1);
        clock.advance(Duration::from_secs(3));
        drop(first);
        assert!(poll(third.as_mut()).is_pending(), "one is within, and one may be");
        gate.set_width(2);
        let Poll::Ready(third) = poll(third.as_mut()) else { panic!("there is room") };
        assert_eq!((gate.load().within, gate.load().waiting), (2, 0));
        assert_eq!((gate.load().waited, gate.load().held), (Duration::from_secs(3), Duration::from_secs(3)));
        drop((second, third));
        assert_eq!((gate.load().within, gate.load().left), (0, 3));
    }

    #[tokio::test]
    async fn who_gives_up_leaves_no_hole() {
        let gate = Gate::new(1, alfred_ops_core::SystemClock::shared());
        let within = gate.pass().await;
        {
            let mut gone = pin!(gate.pass());
            assert!(poll(gone.as_mut()).is_pending());
            drop(within);
            // It is woken, and goes without coming through.
        }
        assert_eq!(gate.load().waiting, 0);
        let mut next = pin!(gate.pass());
        assert!(poll(next.as_mut()).is_ready());
    }

    #[tokio::test]
    async fn never_more_than_the_width_are_within() {
        let gate = Gate::new(3, alfred_ops_core::SystemClock::shared());
        let one = |number: u32| {
            let gate = gate.clone();
            async move {
                let pass = gate.pass().await;
                assert!(gate.load().within <= 5);
                tokio::task::yield_now().await;
                if number.is_multiple_of(7) {
                    gate.set_width(1 + number % 5);
                }
                drop(pass);
            }
        };
        futures::future::join_all((0..200).map(one)).await;
        assert_eq!((gate.load().passed, gate.load().left, gate.load().within), (200, 200, 0));
    }
}
