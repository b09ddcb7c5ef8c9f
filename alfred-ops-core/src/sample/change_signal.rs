//! Tells of changes as they happen.

use tokio::sync::watch;

/// Says that what a source would answer has changed: whoever changes it calls [`notify`](Self::notify) afterwards.
///
/// Clones are one signal. It carries no value and costs little, so that it may stand beside every count.
#[derive(Debug, Clone)]
pub struct ChangeSignal(watch::Sender<()>);

/// One watcher's view of a [`ChangeSignal`].
#[derive(Debug)]
pub struct Changes(watch::Receiver<()>);

impl ChangeSignal {
    /// A signal that has said nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self(watch::Sender::new(()))
    }

    /// Says that something has changed. Never blocks; with nobody watching nothing happens.
    pub fn notify(&self) {
        self.0.send_replace(());
    }

    /// What is said from now on.
    #[must_use]
    pub fn watch(&self) -> Changes {
        Changes(self.0.subscribe())
    }
}

impl Default for ChangeSignal {
    fn default() -> Self {
        Self::new()
    }
}

impl Changes {
    /// Returns once something has changed since this returned last. Changes that nobody waited for count as one. Never
    /// returns once the signal and all its clones are gone. May be dropped at any time without losing a change.
    pub async fn next(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::task::{Context, Waker};

    use super::*;

    fn heard(changes: &mut Changes) -> bool {
        pin!(changes.next()).poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn each_watcher_hears_of_changes_once() {
        let signal = ChangeSignal::new();
        signal.notify();
        let (mut first, mut second) = (signal.watch(), signal.watch());
        assert!(!heard(&mut first));
        signal.clone().notify();
        signal.notify();
        for changes in [&mut first, &mut second] {
            assert!(heard(changes));
            assert!(!heard(changes));
        }
        drop(signal);
        assert!(!heard(&mut first));
    }
}
