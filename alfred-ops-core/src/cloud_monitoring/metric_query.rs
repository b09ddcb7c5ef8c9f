//! What is asked of Cloud Monitoring.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use google_cloud_monitoring_v3::model::{Aggregation, TimeInterval};
use google_cloud_wkt as wkt;

use super::{Aligner, Reducer, naming};

/// Points of a minute that become visible after four minutes are found, and those of a series that has just ended for not
/// much longer.
const WINDOW: Duration = Duration::from_secs(600);
/// Cloud Monitoring keeps points of shorter periods no longer than this.
const WINDOW_MAX: Duration = Duration::from_secs(25 * 3600);
/// The shortest period that Cloud Monitoring aligns to.
const PERIOD_MIN: Duration = Duration::from_secs(60);
/// Longer filters are refused there.
const FILTER_BYTES_MAX: usize = 2048;

/// Which series of one metric are read, and what is made of them before.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct MetricQuery {
    /// The metric's type, such as `pubsub.googleapis.com/subscription/num_undelivered_messages`.
    pub metric_type: String,
    /// What series must meet besides, in Cloud Monitoring's filter language; all of the metric if empty.
    pub filter: String,
    /// What samples are called; after the type if not given.
    pub name: Option<String>,
    /// How far back a series' latest point may lie; 10 minutes if not set.
    pub window: Duration,
    /// How long before the present the window ends.
    pub offset: Duration,
    /// What is made of the points within each period before the window's end.
    pub alignment: Option<(Aligner, Duration)>,
    /// What is made of several series, and the fields by which they stay apart.
    pub reduction: Option<(Reducer, Vec<String>)>,
}

impl MetricQuery {
    /// The latest points of all series of the metric of this type.
    #[must_use]
    pub fn new(metric_type: impl Into<String>) -> Self {
        Self {
            metric_type: metric_type.into(),
            filter: String::new(),
            name: None,
            window: WINDOW,
            offset: Duration::ZERO,
            alignment: None,
            reduction: None,
        }
    }

    /// Only series that meet a filter, such as `resource.labels.subscription_id = "tasks"`.
    #[must_use]
    pub fn with_filter(mut self, filter: impl Into<String>) -> Self {
        self.filter = filter.into();
        self
    }

    /// Another name for the samples, such as `backlog` or `requests_total`.
    #[must_use]
    pub fn with_name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// How far back a series' latest point may lie: longer than Cloud Monitoring takes to show one.
    #[must_use]
    pub const fn with_window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Ends the window so long before the present. Of an alignment the last period ends there: one that ends now is half
    /// empty as long as its points are not visible yet.
    #[must_use]
    pub const fn with_offset(mut self, offset: Duration) -> Self {
        self.offset = offset;
        self
    }

    /// Has Cloud Monitoring make one value of the points within each period, which is at least a minute.
    #[must_use]
    pub const fn with_alignment(mut self, aligner: Aligner, period: Duration) -> Self {
        self.alignment = Some((aligner, period));
        self
    }

    /// Has Cloud Monitoring make one series of all that agree in `fields`, such as `resource.labels.location`. Needs an
    /// alignment.
    #[must_use]
    pub fn with_reduction<F: Into<String>>(
        mut self,
        reducer: Reducer,
        fields: impl IntoIterator<Item = F>,
    ) -> Self {
        self.reduction = Some((reducer, fields.into_iter().map(Into::into).collect()));
        self
    }

    /// What samples are called.
    #[must_use]
    pub fn metric_name(&self) -> String {
        self.name.clone().unwrap_or_else(|| naming::metric_name(&self.metric_type))
    }

    /// Whether a series that meets both filters is the same in the answers to both.
    pub(super) fn differs_in_filter_only(&self, other: &Self) -> bool {
        Self { filter: String::new(), ..self.clone() } == Self { filter: String::new(), ..other.clone() }
    }

    /// Adds what is wrong with it.
    pub(super) fn check(&self, problems: &mut Vec<String>) {
        let metric_type = &self.metric_type;
        let mut add = |what: String| problems.push(format!("metric {metric_type:?}: {what}"));
        let (domain, path) = metric_type.split_once('/').unwrap_or_default();
        let odd =
            |letter: char| letter == '"' || letter == '\\' || letter.is_control() || letter.is_whitespace();
        if domain.is_empty() || path.is_empty() || metric_type.contains(odd) {
            add("it is no metric type such as pubsub.googleapis.com/subscription/num_undelivered_messages"
                .to_owned());
        }
        if let Some(name) = self.name.as_ref().filter(|name| !naming::is_metric_name(name)) {
            add(format!("name: {name:?} is no metric name; use letters, digits, _ and :"));
        }
        if self.whole_filter().len() > FILTER_BYTES_MAX {
            add(format!("filter: it has more than {FILTER_BYTES_MAX} bytes; split the query"));
        }
        if self.window < PERIOD_MIN || self.window > WINDOW_MAX {
            add(format!("window: {:?} is not within {PERIOD_MIN:?} and {WINDOW_MAX:?}", self.window));
        }
        if self.offset > WINDOW_MAX {
            add(format!("offset: {:?} is more than {WINDOW_MAX:?}", self.offset));
        }
        if let Some((_, period)) = self.alignment
            && (period < PERIOD_MIN || period > self.window)
        {
            add(format!(
                "alignment: the period {period:?} is not within {PERIOD_MIN:?} and the window {:?}",
                self.window
            ));
        }
        if self.reduction.is_some() && self.alignment.is_none() {
            add("reduction: Cloud Monitoring needs an alignment before it; add with_alignment".to_owned());
        }
    }

    /// The filter that is sent.
    pub(super) fn whole_filter(&self) -> String {
        let metric_type = &self.metric_type;
        match self.filter.trim() {
            "" => format!("metric.type = \"{metric_type}\""),
            filter => format!("metric.type = \"{metric_type}\" AND ({filter})"),
        }
    }

    /// The window at `now`.
    pub(super) fn interval(&self, now: DateTime<Utc>) -> TimeInterval {
        let before = |time: DateTime<Utc>, by: Duration| {
            time.checked_sub_signed(TimeDelta::from_std(by).unwrap_or_default()).unwrap_or(time)
        };
        let end = before(now, self.offset);
        TimeInterval::new().set_start_time(timestamp(before(end, self.window))).set_end_time(timestamp(end))
    }

    /// What is to be made of the points.
    pub(super) fn aggregation(&self) -> Option<Aggregation> {
        let (aligner, period) = self.alignment?;
        let seconds = i64::try_from(period.as_secs()).unwrap_or(i64::MAX);
        let aligned = Aggregation::new()
            .set_per_series_aligner(aligner.wire())
            .set_alignment_period(wkt::Duration::clamp(seconds, 0));
        Some(match &self.reduction {
            Some((reducer, fields)) => {
                aligned.set_cross_series_reducer(reducer.wire()).set_group_by_fields(fields)
            }
            None => aligned,
        })
    }
}

fn timestamp(time: DateTime<Utc>) -> wkt::Timestamp {
    let nanos = i32::try_from(time.timestamp_subsec_nanos()).unwrap_or(0);
    wkt::Timestamp::clamp(time.timestamp(), nanos)
}
