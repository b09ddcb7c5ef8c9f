//! Answers from series in memory.

use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, Labels, Result};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::QuerySource;
use crate::promql::{Answer, Query, QueryOptions, RecordedSeries, SampleValue};

const OPERATION: &str = "ask query source";

/// Answers from series in memory: for tests and demonstrations of what a server would answer.
pub struct MemoryQuerySource {
    name: String,
    series: RwLock<RecordedSeries>,
    options: QueryOptions,
}

impl MemoryQuerySource {
    /// A source without series.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), series: RwLock::default(), options: QueryOptions::default() }
    }

    /// Sets how queries are evaluated.
    #[must_use]
    pub fn with_options(mut self, options: QueryOptions) -> Self {
        self.options = options;
        self
    }

    /// Adds a sample, or the mark that the series ended; whether it was later than those before. Others are left out.
    pub fn push(&self, labels: &Labels, at: DateTime<Utc>, value: Option<SampleValue>) -> bool {
        let mut series = self.series.write().unwrap_or_else(PoisonError::into_inner);
        series.push(labels, at.timestamp_millis(), value)
    }
}

impl fmt::Debug for MemoryQuerySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQuerySource").field("name", &self.name).finish_non_exhaustive()
    }
}

#[async_trait]
impl QuerySource for MemoryQuerySource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn instant(&self, query: &str, at: DateTime<Utc>) -> Result<Answer> {
        let query = Query::parse(query)?;
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        Ok(query.instant(&*series, at.timestamp_millis(), &self.options)?)
    }

    async fn range(
        &self,
        query: &str,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        step: Duration,
    ) -> Result<Answer> {
        check_range(start, end, step)?;
        let query = Query::parse(query)?;
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        let range = (start.timestamp_millis(), end.timestamp_millis(), step);
        let series = self.series.read().unwrap_or_else(PoisonError::into_inner);
        Ok(query.range(&*series, range, &self.options)?)
    }
}

/// Whether a range can be asked for.
pub(super) fn check_range(start: DateTime<Utc>, end: DateTime<Utc>, step: Duration) -> Result<()> {
    let refuse = |message: String, remedy: &'static str| {
        Err(Error::new(ErrorKind::InvalidInput, OPERATION, message).with_remedy(remedy))
    };
    if end < start {
        return refuse(format!("the range ends at {end}, before its start {start}"), "swap the two");
    }
    if step.as_millis() == 0 {
        return refuse(format!("the step is {step:?}"), "give at least a millisecond");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_keeps_the_promises_of_a_query_source() {
        crate::testing::conformance::query_source(&MemoryQuerySource::new("memory")).await;
    }
}
