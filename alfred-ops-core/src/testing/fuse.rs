//! Deaths of hosts at chosen calls.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::watch;

use crate::{Entropy, EntropyExt as _, Error, ErrorKind, Result};

/// What becomes of a host at one of its calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Fate {
    /// The call is made and answered.
    #[default]
    Lives,
    /// The host dies before the call has any effect. This call and all later ones fail.
    DiesBefore,
    /// The call is made, and the host dies before it hears the answer. This call and all later ones fail.
    DiesAfter,
    /// The host stands still before the call has any effect, and so does whatever else it calls.
    HangsBefore,
    /// The call is made, and the host stands still before it hears the answer, and so does whatever else it calls.
    HangsAfter,
}

/// Somebody who looks at everything after each call that may have changed something, to find what must never be.
#[async_trait]
pub trait Witness: fmt::Debug + Send + Sync + 'static {
    /// Looks, and panics at what must never be. Called by the host's calls, so it looks past the fuse.
    async fn watch(&self);
}

/// Burns down with every call of one host and ends it at a chosen one, as a crash or a stop does.
///
/// What a host calls is wrapped in [`Mortal`](super::Mortal)s that share one fuse; clones are the same fuse. It does
/// nothing until [`light`](Self::light). A host that died stays dead, and one that hangs goes on hanging, until
/// [`revive`](Self::revive): between the two a test sees what the host left behind.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use alfred_ops_core::testing::{Fate, Fuse, Mortal};
/// use alfred_ops_core::{MemoryStateStore, StateStore, Write};
///
/// let (store, fuse) = (MemoryStateStore::default(), Fuse::default());
/// let mortal = Mortal::new(store.clone(), &fuse);
/// fuse.light(0, Fate::DiesAfter);
/// assert!(mortal.put(&Write::create("key", 1.into())).await.is_err());
/// assert!(mortal.get("key").await.is_err(), "the host is dead");
/// assert!(store.get("key").await?.is_some(), "and yet it wrote");
/// # Ok::<(), alfred_ops_core::Error>(())
/// # }).unwrap();
/// ```
#[derive(Debug, Clone, Default)]
pub struct Fuse {
    burning: Arc<watch::Sender<Burning>>,
    witness: Option<Arc<dyn Witness>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Burning {
    /// Calls that are still answered, and what becomes of the next.
    lit: Option<(u64, Fate)>,
    host: Host,
    deaths: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Host {
    #[default]
    Lives,
    Dead,
    Hangs,
}

impl Burning {
    /// Counts one call.
    fn burn(&mut self) -> Fate {
        match (self.host, self.lit.as_mut()) {
            (Host::Dead, _) => return Fate::DiesBefore,
            (Host::Hangs, _) => return Fate::HangsBefore,
            (Host::Lives, None) => return Fate::Lives,
            (Host::Lives, Some((0, _))) => {}
            (Host::Lives, Some((left, _))) => {
                *left -= 1;
                return Fate::Lives;
            }
        }
        let fate = self.lit.take().map(|(_, fate)| fate).unwrap_or_default();
        self.host = match fate {
            Fate::Lives => Host::Lives,
            Fate::DiesBefore | Fate::DiesAfter => Host::Dead,
            Fate::HangsBefore | Fate::HangsAfter => Host::Hangs,
        };
        self.deaths += u64::from(self.host != Host::Lives);
        fate
    }
}

impl Fuse {
    /// A fuse that has `witness` look after every call that was made.
    #[must_use]
    pub fn watched_by(witness: Arc<dyn Witness>) -> Self {
        Self { witness: Some(witness), ..Self::default() }
    }

    /// From here on `calls` calls are made and answered, and the one after them has this fate. Instead of what it was
    /// lit for before, if that has not come yet.
    pub fn light(&self, calls: u64, fate: Fate) {
        self.burning.send_modify(|burning| burning.lit = Some((calls, fate)));
    }

    /// Lights it for a death at one of the next `calls` calls, before or after.
    pub fn light_within(&self, calls: u64, entropy: &dyn Entropy) {
        let left = entropy.below(calls);
        self.light(left, if entropy.below(2) == 1 { Fate::DiesAfter } else { Fate::DiesBefore });
    }

    /// Takes back what it was lit for, if that has not come yet.
    pub fn put_out(&self) {
        self.burning.send_modify(|burning| burning.lit = None);
    }

    /// Whether what it was lit for is still to come.
    #[must_use]
    pub fn is_lit(&self) -> bool {
        self.burning.borrow().lit.is_some()
    }

    /// How many hosts died or hung so far.
    #[must_use]
    pub fn deaths(&self) -> u64 {
        self.burning.borrow().deaths
    }

    /// Another host, whose calls are made; one that hangs goes on, and what it had called is made or answered now. Tells
    /// whether the host was dead or hung.
    pub fn revive(&self) -> bool {
        let mut was_ended = false;
        self.burning.send_modify(|burning| {
            was_ended = std::mem::take(&mut burning.host) != Host::Lives;
        });
        was_ended
    }

    /// Returns once the host is dead or hangs.
    pub async fn ended(&self) {
        self.wait_for(|host| host != Host::Lives).await;
    }

    /// Makes one call of the host, or as much of it as the host lives to see.
    ///
    /// # Errors
    /// The call's, or [`ErrorKind::Unavailable`] if the host is dead.
    pub async fn call<A>(&self, call: impl Future<Output = Result<A>> + Send) -> Result<A> {
        let mut fate = Fate::Lives;
        self.burning.send_modify(|burning| fate = burning.burn());
        match fate {
            Fate::DiesBefore => return Err(dead()),
            Fate::HangsBefore => self.wait_for(|host| host != Host::Hangs).await,
            _ => {}
        }
        let answer = call.await;
        if let Some(witness) = &self.witness {
            witness.watch().await;
        }
        if fate == Fate::DiesAfter {
            return Err(dead());
        }
        // Another call of this host may be the one at which it stands still.
        self.wait_for(|host| host != Host::Hangs).await;
        answer
    }

    async fn wait_for(&self, is_so: fn(Host) -> bool) {
        // It cannot fail: the sender is this very fuse.
        let _ = self.burning.subscribe().wait_for(|burning| is_so(burning.host)).await;
    }
}

fn dead() -> Error {
    Error::new(ErrorKind::Unavailable, "call", "the host is dead")
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::{Context, Poll, Waker};

    use super::*;
    use crate::SeededEntropy;

    /// What a future comes to without waiting.
    fn at_once<A>(future: impl Future<Output = A>) -> Option<A> {
        match std::pin::pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        }
    }

    #[derive(Debug, Default)]
    struct Counter {
        made: AtomicU64,
        seen: AtomicU64,
    }

    #[async_trait]
    impl Witness for Counter {
        async fn watch(&self) {
            self.seen.store(self.made.load(Ordering::SeqCst), Ordering::SeqCst);
        }
    }

    impl Counter {
        /// One call that has an effect; tells whether the host heard of it, or nothing where it hangs.
        fn call(&self, fuse: &Fuse) -> Option<bool> {
            let effect = async {
                self.made.fetch_add(1, Ordering::SeqCst);
                Ok(())
            };
            at_once(fuse.call(effect)).map(|answer| answer.is_ok())
        }
    }

    #[test]
    fn the_chosen_call_ends_the_host_and_a_revival_begins_another() {
        let check = |fate, made: u64, answer| {
            let counter = Arc::new(Counter::default());
            let fuse = Fuse::watched_by(Arc::clone(&counter) as Arc<dyn Witness>);
            let number = || counter.made.load(Ordering::SeqCst);
            assert_eq!((counter.call(&fuse), fuse.is_lit()), (Some(true), false));
            fuse.light(2, fate);
            assert_eq!((counter.call(&fuse), counter.call(&fuse)), (Some(true), Some(true)));
            assert!(fuse.is_lit() && at_once(fuse.ended()).is_none());
            assert_eq!((counter.call(&fuse), number()), (answer, 3 + made), "{fate:?}");
            assert_eq!(counter.seen.load(Ordering::SeqCst), number(), "{fate:?}: seen after its effect");
            assert!(!fuse.is_lit(), "{fate:?}");
            let ends = fate != Fate::Lives;
            assert_eq!(at_once(fuse.ended()).is_some(), ends, "{fate:?}");
            assert_eq!((counter.call(&fuse), number()), (answer, 3 + made + u64::from(!ends)), "{fate:?}");
            assert_eq!((fuse.deaths(), fuse.revive(), fuse.revive()), (u64::from(ends), ends, false));
            assert_eq!(counter.call(&fuse), Some(true), "{fate:?}");
        };
        check(Fate::Lives, 1, Some(true));
        check(Fate::DiesBefore, 0, Some(false));
        check(Fate::DiesAfter, 1, Some(false));
        check(Fate::HangsBefore, 0, None);
        check(Fate::HangsAfter, 1, None);
    }

    #[test]
    fn a_host_that_hangs_is_late_with_its_call() {
        for (fate, early) in [(Fate::HangsBefore, 0), (Fate::HangsAfter, 1)] {
            let (fuse, made) = (Fuse::default(), AtomicU64::new(0));
            fuse.light(0, fate);
            let mut late = Box::pin(fuse.call(async { Ok(made.fetch_add(1, Ordering::SeqCst)) }));
            assert!(at_once(&mut late).is_none());
            assert_eq!(made.load(Ordering::SeqCst), early, "{fate:?}");
            assert!(fuse.revive());
            assert_eq!(at_once(late).map(Result::unwrap), Some(0), "{fate:?}");
            assert_eq!(made.load(Ordering::SeqCst), 1, "{fate:?}: it is made once");
        }
    }

    #[test]
    fn chance_chooses_among_the_next_calls() {
        let entropy = SeededEntropy::new(7);
        let mut calls = std::collections::BTreeSet::new();
        for _ in 0..100 {
            let (fuse, counter) = (Fuse::default(), Counter::default());
            fuse.light_within(3, &entropy);
            let answered = (0..3).take_while(|_| counter.call(&fuse) == Some(true)).count();
            calls.insert((answered, counter.made.load(Ordering::SeqCst)));
        }
        assert_eq!(Vec::from_iter(calls), [(0, 0), (0, 1), (1, 1), (1, 2), (2, 2), (2, 3)]);
        let (fuse, counter) = (Fuse::default(), Counter::default());
        fuse.light(0, Fate::DiesBefore);
        fuse.put_out();
        assert_eq!((counter.call(&fuse), fuse.is_lit(), fuse.deaths()), (Some(true), false, 0));
    }
}
