//! Asks a source for groups of rules.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, SharedClock};
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use tokio::sync::Semaphore;

use super::SourceStatus;
use crate::evaluation::Answers;
use crate::promql::Answer;
use crate::query_source::QuerySource;

const OPERATION: &str = "ask query source";
/// How many queries of one group are asked at once: groups share a source.
const PER_GROUP_AT_ONCE_MAX: usize = 4;
/// How many queries of all groups are asked of a source at once: a Prometheus answers twenty, and people ask it too.
const AT_ONCE_MAX: usize = 16;

/// A source that groups of rules are asked of.
#[derive(Debug)]
pub(super) struct Remote {
    source: Arc<dyn QuerySource>,
    at_once: Semaphore,
    status: Mutex<SourceStatus>,
}

/// As of when a source is asked, and until when, by the clock's steady time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Term {
    pub(super) at: DateTime<Utc>,
    pub(super) deadline: Duration,
}

impl Remote {
    pub(super) fn new(source: Arc<dyn QuerySource>) -> Self {
        let status = SourceStatus { name: source.name().to_owned(), ..SourceStatus::default() };
        Self { source, at_once: Semaphore::new(AT_ONCE_MAX), status: Mutex::new(status) }
    }

    pub(super) fn name(&self) -> &str {
        self.source.name()
    }

    /// Whether both are the same source, not only of one name.
    pub(super) fn is(&self, source: &Arc<dyn QuerySource>) -> bool {
        Arc::ptr_eq(&self.source, source)
    }

    /// Puts an answer to each query, or why there is none, into `answers`.
    pub(super) async fn ask_all(
        &self,
        queries: Vec<String>,
        term: Term,
        clock: &SharedClock,
        answers: &mut Answers,
    ) {
        let asked = futures::stream::iter(queries).map(|query| async move {
            let answer = self.ask(&query, term, clock).await;
            (query, answer)
        });
        let mut asked = asked.buffer_unordered(PER_GROUP_AT_ONCE_MAX);
        while let Some((query, answer)) = asked.next().await {
            answers.put(query, answer);
        }
    }

    async fn ask(&self, query: &str, term: Term, clock: &SharedClock) -> Result<Answer> {
        let left = term.deadline.saturating_sub(clock.monotonic());
        let exchange = async {
            let Ok(_permit) = self.at_once.acquire().await else {
                return Err(Error::new(ErrorKind::Internal, OPERATION, "the semaphore is closed"));
            };
            self.source.instant(query, term.at).await
        };
        let answer = if left.is_zero() {
            Err(Error::new(ErrorKind::Timeout, OPERATION, "the interval of the group is over"))
        } else {
            clock.timeout(left, OPERATION, exchange).await.flatten()
        };
        let answer = answer.map_err(|error| match error.kind() {
            ErrorKind::Timeout if error.remedy().is_none() => {
                error.with_target(self.name()).with_remedy("give the group a longer interval or fewer rules")
            }
            _ => error,
        });
        self.note(&answer, clock.now());
        answer
    }

    fn note(&self, answer: &Result<Answer>, now: DateTime<Utc>) {
        let mut status = self.desk();
        status.asked += 1;
        match answer {
            Ok(_) => (status.last_answer, status.last_error) = (Some(now), None),
            Err(error) => {
                status.failed += 1;
                status.last_error = Some(error.full());
            }
        }
    }

    pub(super) fn status(&self) -> SourceStatus {
        self.desk().clone()
    }

    fn desk(&self) -> MutexGuard<'_, SourceStatus> {
        self.status.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
