//! How far WAL is stored, and how far somebody waits for.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, Lsn, Result};
use tokio::sync::watch;

use super::WalStatus;
use super::confirmations::Confirmations;

/// How far WAL is stored, and how far somebody waits for.
#[derive(Debug)]
pub(in crate::postgres) struct Positions {
    stored: watch::Sender<Stored>,
    wanted: watch::Sender<Lsn>,
    heard: Mutex<Heard>,
}

/// How far WAL is stored, and why it goes no further.
#[derive(Debug, Default, Clone)]
struct Stored {
    timeline: u32,
    until: Lsn,
    /// Why the last run ended, in words. Cleared by the next.
    ended: Option<String>,
}

/// What is known of the server.
#[derive(Debug, Default)]
struct Heard {
    written: Lsn,
    lagging: bool,
    /// The arrival of the oldest byte that is not stored, or, between runs, when all was last known to be.
    unstored_since: Option<Duration>,
    confirmations: Confirmations,
}

impl Positions {
    pub(in crate::postgres) fn new() -> Self {
        Self {
            stored: watch::Sender::new(Stored::default()),
            wanted: watch::Sender::new(Lsn::default()),
            heard: Mutex::default(),
        }
    }

    pub(in crate::postgres) fn stored(&self) -> Lsn {
        self.stored.borrow().until
    }

    pub(in crate::postgres) fn timeline(&self) -> u32 {
        self.stored.borrow().timeline
    }

    pub(super) fn status(&self, now: Duration) -> WalStatus {
        let (Stored { timeline, until, .. }, heard) = (self.stored.borrow().clone(), self.heard());
        WalStatus {
            timeline,
            stored: until,
            written: heard.written.max(until),
            lag_bytes: heard.written.0.saturating_sub(until.0),
            lagging: heard.lagging,
            unstored_for: heard.unstored_since.map_or(Duration::ZERO, |since| now.saturating_sub(since)),
            confirmed_p50: heard.confirmations.percentile(50),
            confirmed_p99: heard.confirmations.percentile(99),
            gap: None,
        }
    }

    /// A run goes on from `until`.
    pub(super) fn begin(&self, timeline: u32, until: Lsn) {
        self.stored.send_replace(Stored { timeline, until, ended: None });
    }

    pub(super) fn set_stored(&self, until: Lsn) {
        self.stored.send_modify(|stored| stored.until = until);
    }

    /// Tells those who wait that nothing more will be stored in this run.
    pub(in crate::postgres) fn set_ended(&self, outcome: &Result<()>, now: Duration) {
        let why = outcome.as_ref().map_or_else(Error::full, |()| "it was stopped".to_owned());
        self.heard().unstored_since.get_or_insert(now);
        self.stored.send_modify(|stored| stored.ended = Some(why));
    }

    /// Notes how far the server has written, and tells whether the lag has just passed `bound`.
    pub(super) fn set_written(&self, written: Lsn, bound: u64) -> bool {
        let lag = written.0.saturating_sub(self.stored().0);
        let mut heard = self.heard();
        heard.written = written;
        let was_lagging = heard.lagging;
        heard.lagging = if was_lagging { lag > bound / 2 } else { lag > bound };
        heard.lagging && !was_lagging
    }

    /// Notes since when something is not stored; `None` if all is that was received until `received`. What
    /// the server has written and not sent is older than what comes.
    pub(super) fn set_unstored_since(&self, since: Option<Duration>, received: Lsn) {
        let mut heard = self.heard();
        if received >= heard.written {
            heard.unstored_since = since;
        } else {
            heard.unstored_since = heard.unstored_since.or(since);
        }
    }

    pub(super) fn add_confirmation(&self, took: Duration) {
        self.heard().confirmations.add(took);
    }

    pub(super) fn wanted(&self) -> watch::Receiver<Lsn> {
        self.wanted.subscribe()
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks for everything before `position` to be stored without waiting for company, and waits until it
    /// is or the run ends.
    pub(in crate::postgres) async fn wait_until_stored(
        &self,
        position: Lsn,
        context: &JobContext,
    ) -> Result<()> {
        self.wanted.send_if_modified(|wanted| {
            let later = position > *wanted;
            *wanted = position.max(*wanted);
            later
        });
        let mut stored = self.stored.subscribe();
        let settled = stored.wait_for(|stored| stored.until >= position || stored.ended.is_some());
        tokio::select! {
            () = context.cancel.cancelled() => {
                Err(Error::new(ErrorKind::Cancelled, "wait for WAL", "the caller asked to stop"))
            }
            settled = settled => match settled {
                Ok(stored) if stored.until >= position => Ok(()),
                Ok(stored) => Err(Error::new(
                    ErrorKind::Unavailable,
                    "wait for WAL",
                    format!(
                        "archiving ended at {} before {position}: {}",
                        stored.until,
                        stored.ended.as_deref().unwrap_or_default(),
                    ),
                )
                .with_remedy("run the archiver again")),
                Err(_) => Err(Error::new(ErrorKind::Internal, "wait for WAL", "the archiver is gone")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_alarm_rings_once_until_the_lag_has_halved() {
        let positions = Positions::new();
        positions.begin(1, Lsn(100));
        let rings: Vec<bool> = [100, 200, 201, 300, 151, 250, 150, 201]
            .into_iter()
            .map(|written| positions.set_written(Lsn(written), 100))
            .collect();
        assert_eq!(rings, [false, false, true, false, false, false, false, true]);
        assert_eq!(positions.status(Duration::ZERO).lag_bytes, 101);
    }

    #[test]
    fn the_recovery_point_ages_while_nobody_archives() {
        let positions = Positions::new();
        let seconds = Duration::from_secs;
        positions.set_ended(&Ok(()), seconds(10));
        positions.set_ended(&Ok(()), seconds(20));
        assert_eq!(positions.status(seconds(25)).unstored_for, seconds(15));
        positions.set_written(Lsn(9), u64::MAX);
        positions.set_unstored_since(Some(seconds(25)), Lsn(8));
        assert_eq!(positions.status(seconds(26)).unstored_for, seconds(16), "it is still catching up");
        positions.set_unstored_since(None, Lsn(9));
        assert_eq!(positions.status(seconds(30)).unstored_for, Duration::ZERO);
    }
}
