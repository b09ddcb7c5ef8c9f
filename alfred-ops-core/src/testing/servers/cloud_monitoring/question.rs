//! What a request asks for.

use chrono::{DateTime, TimeDelta, Utc};

use super::MonitoredSeries;
use super::api_error::ApiError;
use super::enums::{ALIGNERS, REDUCERS, VIEWS, name};
use super::filter::Filter;

const PERIOD_MIN_SECONDS: i64 = 60;
const PAGE_SIZE_MAX: usize = 100_000;

/// What a request asks for.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) filter: Filter,
    /// After this, and not after the end.
    pub(super) start: DateTime<Utc>,
    pub(super) end: DateTime<Utc>,
    pub(super) aligner: &'static str,
    pub(super) period: TimeDelta,
    pub(super) reducer: &'static str,
    pub(super) group_by: Vec<String>,
    pub(super) headers_only: bool,
    pub(super) page_size: usize,
    /// How many points earlier pages had.
    pub(super) offset: usize,
    pub(super) enums_as_numbers: bool,
}

impl Question {
    pub(super) fn read(query: &[(String, String)]) -> Result<Self, ApiError> {
        let all = |field: &'static str| query.iter().filter(move |(name, _)| name == field);
        let text = |field| all(field).map(|(_, value)| value.as_str()).next_back().unwrap_or_default();
        let time = |field| {
            let time = DateTime::parse_from_rfc3339(text(field)).map(DateTime::<Utc>::from);
            time.map_err(|_| ApiError::invalid(format!("Field {field} is not a timestamp.")))
        };
        let one_of = |names, field| match text(field) {
            "" => Ok(None),
            told => match name(names, told) {
                Some(name) => Ok(Some(name)),
                None => Err(ApiError::invalid(format!("Invalid value at '{field}': {told}"))),
            },
        };
        let number = |field| match text(field) {
            "" => Ok(0),
            told => {
                told.parse::<usize>().map_err(|_| ApiError::invalid(format!("Invalid value at '{field}'")))
            }
        };
        let group_by: Vec<String> =
            all("aggregation.groupByFields").map(|(_, field)| field.clone()).collect();
        if let Some(field) = group_by.iter().find(|field| !MonitoredSeries::is_field(field)) {
            return Err(ApiError::invalid(format!("Field {field} cannot be grouped by.")));
        }
        let page_size = Some(number("pageSize")?).filter(|size| (1..=PAGE_SIZE_MAX).contains(size));
        let question = Self {
            filter: Filter::read(text("filter"))?,
            start: time("interval.startTime")?,
            end: time("interval.endTime")?,
            aligner: one_of(ALIGNERS, "aggregation.perSeriesAligner")?.unwrap_or("ALIGN_NONE"),
            period: period(text("aggregation.alignmentPeriod"))?,
            reducer: one_of(REDUCERS, "aggregation.crossSeriesReducer")?.unwrap_or("REDUCE_NONE"),
            group_by,
            headers_only: one_of(VIEWS, "view")? == Some("HEADERS"),
            page_size: page_size.unwrap_or(PAGE_SIZE_MAX),
            offset: number("pageToken")?,
            enums_as_numbers: text("$alt").contains("enum-encoding=int"),
        };
        question.check()?;
        Ok(question)
    }

    fn check(&self) -> Result<(), ApiError> {
        if self.start >= self.end {
            return Err(ApiError::invalid("The start time must be before the end time."));
        }
        let aligns = self.aligner != "ALIGN_NONE";
        if aligns && self.period.num_seconds() < PERIOD_MIN_SECONDS {
            return Err(ApiError::invalid("The alignment period must be at least 60 seconds."));
        }
        if self.reducer != "REDUCE_NONE" && !aligns {
            return Err(ApiError::invalid("A reducer needs a per-series aligner."));
        }
        Ok(())
    }
}

fn period(text: &str) -> Result<TimeDelta, ApiError> {
    if text.is_empty() {
        return Ok(TimeDelta::zero());
    }
    let seconds = text.strip_suffix('s').and_then(|seconds| seconds.parse::<f64>().ok());
    let millis =
        seconds.map(|seconds| format!("{:.0}", seconds * 1000.0)).and_then(|millis| millis.parse().ok());
    millis
        .map(TimeDelta::milliseconds)
        .ok_or_else(|| ApiError::invalid("The alignment period is not a duration."))
}
