//! Work that is paused, so that a platform may stop whomever it likes.

use std::collections::BTreeSet;
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Result};
use chrono::{DateTime, Utc};

use super::DrainLeases;
use super::book::{Book, NAME_BYTES_MAX, Pause};
use super::drain_leases::later;

/// A pause is given again and again by whoever needs it. One that died keeps nobody from work for longer than this.
const TERM_MAX: Duration = Duration::from_secs(600);
/// The most groups that a pause spares: the document stays small.
const SPARED_MAX: usize = 64;

/// A pause: some workers begin nothing more, whatever they have under way goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DrainPause {
    /// Until when nobody whom it is for begins anything.
    pub until: DateTime<Utc>,
    /// Whether it has ended by itself: workers may begin. It is remembered for a day if nobody took it back.
    pub is_over: bool,
    /// Those whom it is for and who still work, and when their leases end at the latest. Without any, whoever it is for may be
    /// stopped until then.
    pub working: Vec<(String, DateTime<Utc>)>,
}

impl DrainPause {
    pub(super) fn of(book: &Book, pause: &Pause, now: DateTime<Utc>) -> Self {
        let working = book.working(pause).map(|(worker, until)| (worker.to_owned(), until)).collect();
        Self { until: pause.until, is_over: pause.until <= now, working }
    }

    /// When the last of those who still work is done at the latest.
    #[must_use]
    pub fn held_until(&self) -> Option<DateTime<Utc>> {
        self.working.iter().map(|(_, until)| *until).max()
    }
}

impl DrainLeases {
    /// Has everybody begin nothing more for `term`, but for the workers of the groups `spared`: for a platform that stops
    /// whichever instances it likes, such as those of a revision of a Cloud Run worker pool whose share falls.
    ///
    /// A worker is of a group by its [name](Self::worker_of). One whose name has no group, or another than those that are
    /// spared, may be anybody, and the pause is for it.
    ///
    /// After `Ok` nobody whom the pause is for gets a lease before its end, or [`resume`](Self::resume); a later call with the
    /// same `name` puts another in its place, with its own end. Whoever waits for those in [`DrainPause::working`] calls again well before
    /// the end, and for as long as it takes: work waits as long as the longest lease, and leases may be put off. Pauses with other names, and what
    /// [`DrainingScaler`](super::DrainingScaler) tells, stand beside it. After an error or a dropped future it may stand, until its
    /// end at most.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an empty or long name, more than 64 groups or a long one, or a term that is zero or more than ten
    /// minutes; [`ErrorKind::ResourceExhausted`] for more than 16 pauses at once; the store's.
    pub async fn pause(&self, name: &str, spared: &BTreeSet<String>, term: Duration) -> Result<DrainPause> {
        const OPERATION: &str = "pause work";
        check(OPERATION, name, term)?;
        if spared.len() > SPARED_MAX || spared.iter().any(|group| group.len() > NAME_BYTES_MAX) {
            let fault = format!(
                "spared: {} groups are more than {SPARED_MAX}, or a name is longer than {NAME_BYTES_MAX} bytes",
                spared.len()
            );
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, fault)
                .with_target(name)
                .with_remedy("spare fewer groups, by their names"));
        }
        self.change(OPERATION, |book, now| {
            let pause = Pause { spared: spared.clone(), until: later(now, term), put_off_since: None };
            let paused = DrainPause::of(book, &pause, now);
            if book.pause(name, pause, now) {
                return Ok(paused);
            }
            Err(Error::new(ErrorKind::ResourceExhausted, OPERATION, "too many pauses stand at once")
                .with_target(name)
                .with_remedy("wait until one of them ends"))
        })
        .await
    }

    /// Puts the end of a pause off to `term` from now, and leaves whom it spares. False if it is over, so that workers may have
    /// begun, or was put off for 15 minutes, so that it ends when it was to: work does not rest for ever.
    ///
    /// # Errors
    /// As of [`pause`](Self::pause); its end stands then.
    pub async fn prolong_pause(&self, name: &str, term: Duration) -> Result<bool> {
        const OPERATION: &str = "prolong pause";
        check(OPERATION, name, term)?;
        self.change(OPERATION, |book, now| Ok(book.prolong(name, now, later(now, term)))).await
    }

    /// Ends a pause, if it stands: everybody may begin again.
    ///
    /// # Errors
    /// The store's. The pause then ends by itself.
    pub async fn resume(&self, name: &str) -> Result<()> {
        self.change("resume work", |book, _| {
            book.resume(name);
            Ok(())
        })
        .await
    }
}

fn check(operation: &'static str, name: &str, term: Duration) -> Result<()> {
    let (fault, remedy) = if name.is_empty() || name.len() > NAME_BYTES_MAX {
        let fault = format!("name: it has {} bytes, not 1 to {NAME_BYTES_MAX}", name.len());
        (fault, "name what the pause is for")
    } else if term.is_zero() || term > TERM_MAX {
        let fault = format!("term: {term:?} is not within {TERM_MAX:?}");
        (fault, "give a short term, and call again")
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::InvalidInput, operation, fault).with_remedy(remedy))
}
