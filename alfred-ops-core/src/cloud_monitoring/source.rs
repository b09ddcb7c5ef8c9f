//! The source itself.

use std::collections::HashSet;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use futures::{FutureExt as _, StreamExt as _, TryStreamExt as _};
use google_cloud_monitoring_v3::builder::metric_service::ListTimeSeries;
use google_cloud_monitoring_v3::client::MetricService;
use google_cloud_monitoring_v3::model::list_time_series_request::TimeSeriesView;

use super::failure::{OPERATION, classify};
use super::readout::Readout;
use super::{CloudMonitoringBuilder, MetricQuery};
use crate::{ClockExt as _, Error, ErrorKind, Labels, MetricSource, Result, Retry, Sample, SharedClock};

/// How old the newest point of a query was, where samples do not tell.
const AGE_METRIC: &str = "cloud_monitoring_newest_point_age_seconds";
const TYPE_LABEL: &str = "metric_type";

/// The latest points of some series of a project in Google Cloud Monitoring.
///
/// Every collection asks anew; nothing is kept and nothing repeated: the next collection is the next attempt. Several
/// queries are asked at once, within one deadline. Where one fails, or Cloud Monitoring says that an answer is incomplete,
/// the collection fails. See the [module](super) for what samples look like.
pub struct CloudMonitoringSource {
    pub(super) client: MetricService,
    pub(super) name: String,
    pub(super) project: String,
    pub(super) queries: Vec<MetricQuery>,
    pub(super) limits: Limits,
    pub(super) timed: bool,
    pub(super) clock: SharedClock,
}

/// How much is asked, and how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) deadline: Duration,
    pub(super) concurrency_max: usize,
    pub(super) page_size: i32,
    pub(super) pages_max: usize,
}

impl CloudMonitoringSource {
    /// A source of a project's metrics that has no query yet.
    #[must_use]
    pub fn builder(project: impl Into<String>) -> CloudMonitoringBuilder {
        CloudMonitoringBuilder::new(project.into())
    }

    async fn read_all(&self) -> Result<Vec<Sample>> {
        let now = self.clock.now();
        let questions: Vec<_> = self.queries.iter().map(|query| self.read(query, now).boxed()).collect();
        let answers = futures::stream::iter(questions).buffered(self.limits.concurrency_max);
        let mut samples = answers.try_concat().await?;
        // Filters may overlap.
        let mut seen = HashSet::new();
        samples.retain(|sample| seen.insert(sample.labels.clone()));
        Ok(samples)
    }

    async fn read(&self, query: &MetricQuery, now: DateTime<Utc>) -> Result<Vec<Sample>> {
        let mut readout = Readout::new(query, &self.project);
        let mut token = String::new();
        for _ in 0..self.limits.pages_max {
            let answer = self.request(query, now).set_page_token(token).send().await;
            let mut page = answer.map_err(|error| classify(&query.metric_type, error))?;
            token = std::mem::take(&mut page.next_page_token);
            readout.add(page)?;
            if token.is_empty() {
                return self.told(query, &readout, now);
            }
        }
        let Limits { pages_max, page_size, .. } = self.limits;
        let what = format!("the answer has more than {pages_max} pages of {page_size} points");
        Err(Error::new(ErrorKind::ResourceExhausted, OPERATION, what)
            .with_target(&query.metric_type)
            .with_remedy("narrow the filter, shorten the window or reduce the series; or raise pages_max"))
    }

    fn request(&self, query: &MetricQuery, now: DateTime<Utc>) -> ListTimeSeries {
        self.client
            .list_time_series()
            .set_name(format!("projects/{}", self.project))
            .set_filter(query.whole_filter())
            .set_interval(query.interval(now))
            .set_or_clear_aggregation(query.aggregation())
            .set_view(TimeSeriesView::Full)
            .set_page_size(self.limits.page_size)
    }

    fn told(&self, query: &MetricQuery, readout: &Readout<'_>, now: DateTime<Utc>) -> Result<Vec<Sample>> {
        let mut samples = readout.samples()?;
        if self.timed {
            return Ok(samples);
        }
        samples.iter_mut().for_each(|sample| sample.timestamp = None);
        if let Some(newest) = readout.newest() {
            let labels = Labels::metric(AGE_METRIC)
                .with("project_id", &self.project)
                .with("name", &query.metric_name())
                .with("filter", &query.filter)
                .with(TYPE_LABEL, &query.metric_type);
            samples.push(Sample::new(labels, (now - newest).max(TimeDelta::zero()).as_seconds_f64()));
        }
        Ok(samples)
    }
}

#[async_trait]
impl MetricSource for CloudMonitoringSource {
    fn name(&self) -> &str {
        &self.name
    }

    async fn collect(&self) -> Result<Vec<Sample>> {
        let answer = self.clock.timeout(self.limits.deadline, OPERATION, self.read_all()).await;
        // Reading changes nothing, so that it may be repeated after all.
        answer.map_err(|late| late.with_target(&self.name).with_retry(Retry::After(None))).flatten()
    }
}

impl fmt::Debug for CloudMonitoringSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CloudMonitoringSource");
        shown.field("project", &self.project).field("queries", &self.queries).finish_non_exhaustive()
    }
}
