//! What is made of points before they are told.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::MonitoredSeries;
use super::api_error::ApiError;
use super::question::Question;

/// A series with one point for each period that has points, the last period ending where the question does.
pub(super) fn align(series: &MonitoredSeries, question: &Question) -> Result<MonitoredSeries, ApiError> {
    if series.value_type != "INT64" && series.value_type != "DOUBLE" {
        return Err(ApiError::invalid("This server aligns numbers only."));
    }
    let mut aligned = MonitoredSeries { points: Vec::new(), ..series.clone() };
    (aligned.kind, aligned.value_type) = match (question.aligner, series.value_type) {
        ("ALIGN_RATE" | "ALIGN_MEAN", _) => ("GAUGE", "DOUBLE"),
        ("ALIGN_COUNT", _) => ("GAUGE", "INT64"),
        ("ALIGN_DELTA", value_type) => ("DELTA", value_type),
        (_, value_type) => ("GAUGE", value_type),
    };
    if matches!(question.aligner, "ALIGN_RATE" | "ALIGN_DELTA") && series.kind != "DELTA" {
        return Err(ApiError::invalid("This server makes rates of deltas only."));
    }
    let mut end = question.end;
    while end - question.period >= question.start {
        let start = end - question.period;
        let within = series.points.iter().filter(|(at, _)| *at > start && *at <= end);
        let numbers: Vec<f64> = within.filter_map(|(_, value)| MonitoredSeries::number(value)).collect();
        if let Some(value) = one_of(&numbers, question) {
            aligned.points.push((end, aligned.value(value)));
        }
        end = start;
    }
    aligned.points.reverse();
    Ok(aligned)
}

fn one_of(numbers: &[f64], question: &Question) -> Option<f64> {
    let last = *numbers.last()?;
    let sum: f64 = numbers.iter().sum();
    let count = f64::from(u32::try_from(numbers.len()).unwrap_or(u32::MAX));
    let seconds = question.period.as_seconds_f64();
    Some(match question.aligner {
        "ALIGN_RATE" => sum / seconds,
        "ALIGN_MEAN" => sum / count,
        "ALIGN_COUNT" => count,
        "ALIGN_MIN" => numbers.iter().copied().fold(f64::INFINITY, f64::min),
        "ALIGN_MAX" => numbers.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        "ALIGN_NEXT_OLDER" => last,
        _ => sum,
    })
}

/// One series for all that agree in the fields that are grouped by.
pub(super) fn reduce(all: &[MonitoredSeries], question: &Question) -> Vec<MonitoredSeries> {
    let key = |series: &MonitoredSeries| -> Vec<String> {
        let fields = question.group_by.iter().map(|field| series.field(field).unwrap_or_default().to_owned());
        fields.chain([series.resource_type.clone()]).collect()
    };
    let mut groups: BTreeMap<Vec<String>, Vec<&MonitoredSeries>> = BTreeMap::new();
    for series in all {
        groups.entry(key(series)).or_default().push(series);
    }
    groups.into_values().filter_map(|group| one_series(&group, question)).collect()
}

fn one_series(group: &[&MonitoredSeries], question: &Question) -> Option<MonitoredSeries> {
    let mut reduced = MonitoredSeries { points: Vec::new(), ..MonitoredSeries::clone(group.first()?) };
    let kept = |of: &str, label: &String| {
        question
            .group_by
            .iter()
            .any(|field| *field == format!("{of}.labels.{label}") || *field == format!("{of}.label.{label}"))
    };
    reduced.metric_labels.retain(|label, _| kept("metric", label));
    reduced.resource_labels.retain(|label, _| label == "project_id" || kept("resource", label));
    if matches!(question.reducer, "REDUCE_MEAN") {
        reduced.value_type = "DOUBLE";
    }
    let mut points: BTreeMap<DateTime<Utc>, Vec<f64>> = BTreeMap::new();
    for (at, value) in group.iter().flat_map(|series| &series.points) {
        points.entry(*at).or_default().extend(MonitoredSeries::number(value));
    }
    let value = |numbers: Vec<f64>| -> Value {
        let sum: f64 = numbers.iter().sum();
        let count = f64::from(u32::try_from(numbers.len()).unwrap_or(u32::MAX));
        reduced.value(match question.reducer {
            "REDUCE_MEAN" => sum / count,
            "REDUCE_COUNT" => count,
            "REDUCE_MIN" => numbers.into_iter().fold(f64::INFINITY, f64::min),
            "REDUCE_MAX" => numbers.into_iter().fold(f64::NEG_INFINITY, f64::max),
            _ => sum,
        })
    };
    let points = points.into_iter().map(|(at, numbers)| (at, value(numbers))).collect();
    Some(MonitoredSeries { points, ..reduced })
}
