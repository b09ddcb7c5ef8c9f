//! The latest points of the series of one query.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use google_cloud_api::model::metric_descriptor::MetricKind;
use google_cloud_monitoring_v3::model::{ListTimeSeriesResponse, Point, TimeSeries};
use google_cloud_wkt::Timestamp;

use super::failure::OPERATION;
use super::{MetricQuery, naming, value};
use crate::{Error, ErrorKind, Labels, Result, Retry, Sample};

/// How many samples one query may give: a distribution gives as many as it has buckets.
const SAMPLES_MAX: usize = 200_000;

/// The latest points of the series of one query, gathered from its pages. Pure.
#[derive(Debug)]
pub(super) struct Readout<'q> {
    query: &'q MetricQuery,
    project: &'q str,
    series: BTreeMap<Labels, Latest>,
}

/// The latest point of a series.
#[derive(Debug)]
struct Latest {
    /// What Cloud Monitoring tells the series by.
    identity: Labels,
    point: Point,
    at: DateTime<Utc>,
}

impl<'q> Readout<'q> {
    pub(super) const fn new(query: &'q MetricQuery, project: &'q str) -> Self {
        Self { query, project, series: BTreeMap::new() }
    }

    /// Adds a page. The points of a series may lie on several.
    pub(super) fn add(&mut self, page: ListTimeSeriesResponse) -> Result<()> {
        if let Some(first) = page.execution_errors.first() {
            let count = page.execution_errors.len();
            let what = format!("the answer is incomplete, {count} errors; the first: {}", first.message);
            return Err(self.error(ErrorKind::Unavailable, what).with_retry(Retry::After(None)));
        }
        page.time_series.into_iter().try_for_each(|series| self.add_series(series))
    }

    fn add_series(&mut self, series: TimeSeries) -> Result<()> {
        if series.metric_kind == MetricKind::Delta && self.query.alignment.is_none() {
            let what =
                "it counts what came since the point before, which cannot be read by looks at the last";
            return Err(self.error(ErrorKind::InvalidInput, what).with_remedy(
                "let Cloud Monitoring count, with_alignment(Aligner::Rate, …), or Aligner::Delta for distributions",
            ));
        }
        let identity = identity(&series);
        let labels = self.labels(&series);
        let timed = series.points.into_iter().filter_map(|point| Some((end(&point)?, point)));
        // They come in descending order, but of a split series the later page says less.
        let Some((at, point)) = timed.max_by_key(|(at, _)| *at) else { return Ok(()) };
        match self.series.get_mut(&labels) {
            Some(known) if known.identity != identity => {
                let what = format!("two of its series are both {labels}");
                return Err(self
                    .error(ErrorKind::InvalidInput, what)
                    .with_remedy("name one of them in the filter, such as by resource.type"));
            }
            Some(known) if known.at >= at => {}
            _ => {
                self.series.insert(labels, Latest { identity, point, at });
            }
        }
        Ok(())
    }

    fn labels(&self, series: &TimeSeries) -> Labels {
        let resource = series.resource.iter().flat_map(|resource| &resource.labels);
        let metric = series.metric.iter().flat_map(|metric| &metric.labels);
        naming::labels(
            self.project,
            resource.map(|(name, value)| (name.as_str(), value.as_str())),
            metric.map(|(name, value)| (name.as_str(), value.as_str())),
        )
    }

    /// When the newest of all points was true.
    pub(super) fn newest(&self) -> Option<DateTime<Utc>> {
        self.series.values().map(|latest| latest.at).max()
    }

    /// All samples, with the ends of their points.
    pub(super) fn samples(&self) -> Result<Vec<Sample>> {
        let name = self.query.metric_name();
        let mut samples = Vec::with_capacity(self.series.len());
        for (labels, latest) in &self.series {
            let values = value::samples(&name, labels, latest.point.value.as_ref())
                .map_err(|problem| self.error(ErrorKind::Unsupported, problem))?;
            samples
                .extend(values.into_iter().map(|(labels, value)| Sample::new(labels, value).at(latest.at)));
            if samples.len() > SAMPLES_MAX {
                let what = format!("it gives more than {SAMPLES_MAX} samples");
                return Err(self
                    .error(ErrorKind::ResourceExhausted, what)
                    .with_remedy("narrow the filter, or reduce the series"));
            }
        }
        Ok(samples)
    }

    fn error(&self, kind: ErrorKind, what: impl Into<String>) -> Error {
        Error::new(kind, OPERATION, what).with_target(&self.query.metric_type)
    }
}

/// What tells a series from all others of its metric.
fn identity(series: &TimeSeries) -> Labels {
    let resource_type = series.resource.iter().map(|resource| ("type".to_owned(), &resource.r#type));
    let resource = series.resource.iter().flat_map(|resource| &resource.labels);
    let metric = series.metric.iter().flat_map(|metric| &metric.labels);
    let resource = resource.map(|(name, value)| (format!("resource.{name}"), value));
    let metric = metric.map(|(name, value)| (format!("metric.{name}"), value));
    Labels::from_pairs(resource_type.chain(resource).chain(metric))
}

/// When a point was true.
fn end(point: &Point) -> Option<DateTime<Utc>> {
    let end: Timestamp = point.interval.as_ref()?.end_time?;
    DateTime::from_timestamp(end.seconds(), u32::try_from(end.nanos()).ok()?)
}
