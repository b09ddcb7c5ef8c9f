//! How far WAL is stored, and how far somebody waits for.

use alfred_ops_core::{Error, ErrorKind, JobContext, Lsn, Result};
use tokio::sync::watch;

/// How far WAL is stored, and how far somebody waits for.
#[derive(Debug)]
pub(in crate::postgres) struct Positions {
    stored: watch::Sender<Stored>,
    wanted: watch::Sender<Lsn>,
}

/// How far WAL is stored, and why it goes no further.
#[derive(Debug, Default, Clone)]
struct Stored {
    until: Lsn,
    /// Why the last run ended, in words. Cleared by the next.
    ended: Option<String>,
}

impl Positions {
    pub(in crate::postgres) fn new() -> Self {
        Self { stored: watch::Sender::new(Stored::default()), wanted: watch::Sender::new(Lsn::default()) }
    }

    pub(in crate::postgres) fn stored(&self) -> Lsn {
        self.stored.borrow().until
    }

    pub(super) fn set_stored(&self, until: Lsn) {
        self.stored.send_replace(Stored { until, ended: None });
    }

    /// Tells those who wait that nothing more will be stored in this run.
    pub(in crate::postgres) fn set_ended(&self, outcome: &Result<()>) {
        let why = outcome.as_ref().map_or_else(Error::full, |()| "it was stopped".to_owned());
        self.stored.send_modify(|stored| stored.ended = Some(why));
    }

    pub(super) fn wanted(&self) -> watch::Receiver<Lsn> {
        self.wanted.subscribe()
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
