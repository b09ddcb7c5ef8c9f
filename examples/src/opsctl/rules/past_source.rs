//! A server's answers over some time, each query asked for once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_alerts::QuerySource;
use alfred_ops_alerts::promql::{Answer, SeriesPoints, Value, VectorSample};
use alfred_ops_core::{Error, ErrorKind, Result};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use tokio::sync::Mutex;

use super::server::time;

const OPERATION: &str = "ask query source";
/// How many times a rule is evaluated. A longer time is walked in larger steps.
const STEPS_MAX: i64 = 500;
/// How many queries are asked for their past: those of a rule are few, those of its templates may be any number.
const PASTS_MAX: usize = 50;

/// Times at even distances, in milliseconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Window {
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) step: i64,
}

impl Window {
    /// The time `last` alone.
    pub(super) const fn moment(last: i64) -> Self {
        Self { first: last, last, step: 1 }
    }

    /// From more than `length` before `last` on, every `step` or so that there are at most some hundred times.
    pub(super) fn before(last: i64, length: Duration, step: i64) -> Self {
        if length.is_zero() {
            return Self::moment(last);
        }
        let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let rounded_up = |length: i64, by: i64| length / by + i64::from(length % by > 0);
        let step = step.max(1).max(rounded_up(length, STEPS_MAX - 1));
        // One more: what holds at the very first time may have held longer.
        let steps = rounded_up(length, step).saturating_add(1);
        Self { first: last.saturating_sub(steps.saturating_mul(step)), last, step }
    }

    /// All times.
    pub(super) fn times(self) -> impl Iterator<Item = i64> {
        let next = move |at: &i64| at.checked_add(self.step).filter(|next| *next <= self.last);
        std::iter::successors(Some(self.first), next)
    }

    /// The same, `offset` earlier.
    pub(super) const fn earlier(self, offset: i64) -> Self {
        let (first, last) = (self.first.saturating_sub(offset), self.last.saturating_sub(offset));
        Self { first, last, step: self.step }
    }
}

/// A source's answers at the times of a window. For times before the last a query is asked once for all of them; where the
/// source does not answer that, it is still asked for the last one.
#[derive(Debug)]
pub(super) struct PastSource {
    source: Arc<dyn QuerySource>,
    window: Window,
    answers: Mutex<Answers>,
}

#[derive(Debug, Default)]
struct Answers {
    pasts: HashMap<String, Result<Answer, Arc<Error>>>,
    last: HashMap<String, Answer>,
    failure: Option<Arc<Error>>,
}

impl PastSource {
    pub(super) fn new(source: Arc<dyn QuerySource>, window: Window) -> Self {
        Self { source, window, answers: Mutex::default() }
    }

    /// Why a query has no past, if one has none.
    pub(super) async fn failure(&self) -> Option<String> {
        self.answers.lock().await.failure.as_ref().map(|error| error.full())
    }

    async fn past(&self, query: &str) -> Result<Answer, Arc<Error>> {
        let Window { first, last, step } = self.window;
        let step = Duration::from_millis(u64::try_from(step).unwrap_or(1));
        let past = self.source.range(query, time(first), time(last), step).await;
        past.map_err(Arc::new)
    }
}

#[async_trait]
impl QuerySource for PastSource {
    fn name(&self) -> &str {
        self.source.name()
    }

    async fn instant(&self, query: &str, at: DateTime<Utc>) -> Result<Answer> {
        // Held while the source is asked: the questions of one rule are few.
        let mut answers = self.answers.lock().await;
        let millis = at.timestamp_millis();
        let is_past = millis < self.window.last;
        if is_past && !answers.pasts.contains_key(query) {
            if answers.pasts.len() >= PASTS_MAX {
                let message = format!("more than {PASTS_MAX} queries are not asked for their past");
                return Err(Error::new(ErrorKind::ResourceExhausted, OPERATION, message));
            }
            let past = self.past(query).await;
            if let Err(error) = &past {
                answers.failure.get_or_insert(Arc::clone(error));
            }
            answers.pasts.insert(query.to_owned(), past);
        }
        match answers.pasts.get(query) {
            Some(Ok(past)) => return Ok(at_time(past, millis)),
            Some(Err(error)) if is_past => {
                let failed = Error::new(error.kind(), OPERATION, "the past has no answer");
                return Err(failed.with_retry(error.retry()).with_source(Arc::clone(error)));
            }
            _ => {}
        }
        if let Some(answer) = answers.last.get(query) {
            return Ok(answer.clone());
        }
        let answer = self.source.instant(query, at).await?;
        answers.last.insert(query.to_owned(), answer.clone());
        Ok(answer)
    }

    async fn range(
        &self,
        query: &str,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        step: Duration,
    ) -> Result<Answer> {
        self.source.range(query, start, end, step).await
    }
}

/// Of an answer over a time what there is at one moment of it.
fn at_time(past: &Answer, millis: i64) -> Answer {
    let sample = |series: &SeriesPoints| {
        let place = series.points.binary_search_by_key(&millis, |(at, _)| *at).ok()?;
        let (_, value) = series.points.get(place)?;
        Some(VectorSample { labels: series.labels.clone(), value: value.clone() })
    };
    let samples = match &past.value {
        Value::Matrix(all) => all.iter().filter_map(sample).collect(),
        _ => Vec::new(),
    };
    Answer { value: Value::Vector(samples), annotations: past.annotations.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reaches_further_back_than_it_must_and_has_few_times() {
        let check = |seconds: u64, step: i64, times: &[i64]| {
            let window = Window::before(1_000_000, Duration::from_secs(seconds), step * 1000);
            let found: Vec<i64> = window.times().map(|at| (at - 1_000_000) / 1000).collect();
            assert_eq!(found, times, "{seconds} {step}");
        };
        check(0, 60, &[0]);
        check(120, 60, &[-180, -120, -60, 0]);
        check(90, 60, &[-180, -120, -60, 0]);
        check(10, 60, &[-120, -60, 0]);
        let long = Window::before(0, Duration::from_secs(7 * 86_400), 15_000);
        assert!(long.times().count() <= 501 && long.first <= -7 * 86_400_000, "{long:?}");
        assert_eq!(long.times().last(), Some(0));
        let endless = Window::before(0, Duration::MAX, 1);
        assert!(endless.times().take(1000).count() <= 501, "{endless:?}");
    }
}
