//! What a server holds.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::SecondsFormat;
use serde_json::{Value, json};

use super::api_error::ApiError;
use super::enums::{KINDS, VALUES, told};
use super::question::Question;
use super::{MonitoredSeries, MonitoringFault, alignment};

/// What a server holds.
#[derive(Debug, Default)]
pub(super) struct State {
    /// By project.
    pub(super) series: BTreeMap<String, Vec<MonitoredSeries>>,
    /// Metrics that exist although no series does.
    pub(super) known: BTreeSet<String>,
    pub(super) faults: VecDeque<MonitoringFault>,
    pub(super) requests: usize,
}

impl State {
    /// The answer to `projects.timeSeries.list`.
    pub(super) fn list(&self, project: &str, question: &Question) -> Result<Value, ApiError> {
        let metric_type = question.filter.metric_type()?;
        let all = self.series.get(project).map(Vec::as_slice).unwrap_or_default();
        if !self.known.contains(metric_type) && !all.iter().any(|series| series.metric_type == metric_type) {
            return Err(ApiError::no_metric(metric_type));
        }
        let mut found = Vec::new();
        for series in all.iter().filter(|series| question.filter.meets(series)) {
            let mut series = series.clone();
            series.points.retain(|(at, _)| *at > question.start && *at <= question.end);
            if question.aligner != "ALIGN_NONE" {
                series = alignment::align(&series, question)?;
            }
            if !series.points.is_empty() {
                found.push(series);
            }
        }
        if question.reducer != "REDUCE_NONE" {
            found = alignment::reduce(&found, question);
        }
        Ok(page(&found, question))
    }
}

/// One page: as many points as asked for, a series being told again where its points lie on several.
fn page(found: &[MonitoredSeries], question: &Question) -> Value {
    let (mut before, mut left, mut more) = (question.offset, question.page_size, false);
    let mut told = Vec::new();
    for series in found {
        let points: Vec<_> = series.points.iter().rev().skip(before).take(left).collect();
        more |= series.points.len().saturating_sub(before) > left;
        before = before.saturating_sub(series.points.len());
        left -= points.len();
        if !points.is_empty() {
            told.push(one(series, &points, question));
        }
    }
    let mut answer = json!({});
    if !told.is_empty() {
        answer["timeSeries"] = json!(told);
        answer["unit"] = json!("1");
    }
    if more {
        answer["nextPageToken"] = json!((question.offset + question.page_size - left).to_string());
    }
    answer
}

fn one(
    series: &MonitoredSeries,
    points: &[&(chrono::DateTime<chrono::Utc>, Value)],
    question: &Question,
) -> Value {
    let text = |time: chrono::DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    let points: Vec<Value> = points
        .iter()
        .map(|(end, value)| {
            let interval = json!({ "startTime": text(series.start(*end)), "endTime": text(*end) });
            json!({ "interval": interval, "value": value })
        })
        .collect();
    let mut told = json!({
        "metric": { "type": series.metric_type, "labels": series.metric_labels },
        "resource": { "type": series.resource_type, "labels": series.resource_labels },
        "metricKind": told(KINDS, series.kind, question.enums_as_numbers),
        "valueType": told(VALUES, series.value_type, question.enums_as_numbers),
    });
    if !question.headers_only {
        told["points"] = json!(points);
    }
    told
}
