//! Several sources as one.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{SignalSource, Signals};

/// Several sources as one: each signal comes from the first that knows it. Put what counts in the process first and what looks
/// from outside behind it.
#[derive(Debug)]
pub struct FirstKnown(Vec<Arc<dyn SignalSource>>);

impl FirstKnown {
    /// These sources, the best first.
    #[must_use]
    pub fn new(sources: impl IntoIterator<Item = Arc<dyn SignalSource>>) -> Self {
        Self(sources.into_iter().collect())
    }
}

#[async_trait]
impl SignalSource for FirstKnown {
    /// Asks all at once. A source that fails knows nothing; it is an error if all do.
    async fn read(&self, now: DateTime<Utc>) -> Result<Signals> {
        let answers = futures::future::join_all(self.0.iter().map(|source| source.read(now))).await;
        let (mut known, mut failed) = (Signals::default(), None);
        let mut answered = false;
        for answer in answers {
            match answer {
                Ok(signals) => {
                    answered = true;
                    known = known.or(&signals);
                }
                Err(error) => {
                    tracing::warn!(error = error.full(), "a source of signals fails");
                    failed = Some(error);
                }
            }
        }
        match failed {
            Some(error) if !answered => Err(error),
            None if !answered => {
                Err(Error::new(ErrorKind::InvalidInput, "read signals", "there is no source"))
            }
            _ => Ok(known),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MockSignalSource, Reading};

    fn knows(queued: Option<f64>, cpu: Option<f64>) -> Arc<dyn SignalSource> {
        let mut source = MockSignalSource::new();
        source.expect_read().returning(move |now| {
            let reading = |value: Option<f64>| value.map(|value| Reading { value, at: now });
            Ok(Signals { queued: reading(queued), cpu: reading(cpu), ..Signals::default() })
        });
        Arc::new(source)
    }

    fn fails() -> Arc<dyn SignalSource> {
        let mut source = MockSignalSource::new();
        source.expect_read().returning(|_| Err(Error::new(ErrorKind::Unavailable, "read", "away")));
        Arc::new(source)
    }

    #[tokio::test]
    async fn the_first_that_knows_a_signal_counts() {
        let now = DateTime::UNIX_EPOCH;
        let both = FirstKnown::new([knows(Some(1.0), None), fails(), knows(Some(2.0), Some(0.5))]);
        let signals = both.read(now).await.unwrap();
        assert_eq!(signals.queued.map(|reading| reading.value), Some(1.0));
        assert_eq!(signals.cpu.map(|reading| reading.value), Some(0.5));
        assert_eq!(FirstKnown::new([fails()]).read(now).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(FirstKnown::new([]).read(now).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    }
}
