//! `opsctl rules query`.

use alfred_ops_alerts::promql::{Answer, Query, QueryOptions, SeriesPoints, Value};
use alfred_ops_core::{Error, JobContext, Result};
use serde_json::json;

use super::command::SeriesArguments;
use super::explanation::Explainer;
use super::series_file::{SeriesFile, Untimed, show_time};
use crate::opsctl::report::Report;

/// Samples that are printed for a person. A program gets all.
pub(super) const PRINTED_MAX: usize = 1000;

pub(super) fn run(expr: &str, arguments: &SeriesArguments, context: &JobContext) -> Result<Report> {
    let query = Query::parse(expr).map_err(|error| Error::from(error).with_target(expr))?;
    let file = SeriesFile::load(arguments, Untimed::Once, context.now())?;
    let options = QueryOptions::default();
    let answer = query
        .instant(&file.series, file.at, &options)
        .map_err(|error| Error::from(error).with_target(expr))?;
    let mut lines: Vec<String> = file.notes.iter().map(|note| format!("note: {note}")).collect();
    lines.extend(annotations(&answer));
    let shown = lines_of(&answer.value);
    let mut why = Vec::new();
    if shown.is_empty() {
        lines.push(format!("nothing at {}", show_time(file.at)));
        why = Explainer { source: &file.series, at: file.at, options: &options }.why_empty(&query);
        lines.extend(why.iter().map(|reason| format!("  {reason}")));
    }
    let more = shown.len().saturating_sub(PRINTED_MAX);
    lines.extend(shown.into_iter().take(PRINTED_MAX));
    if more > 0 {
        lines.push(format!("and {more} more lines; --json prints all"));
    }
    let json = json!({
        "expr": expr, "at": show_time(file.at), "type": query.value_type().name(),
        "result": json_of(&answer.value), "warnings": annotations(&answer), "notes": file.notes,
        "why_empty": why,
    });
    Ok(Report::new(lines.join("\n"), json))
}

fn annotations(answer: &Answer) -> Vec<String> {
    answer.annotations.warnings().chain(answer.annotations.infos()).map(ToOwned::to_owned).collect()
}

fn lines_of(value: &Value) -> Vec<String> {
    let of_series = |series: &SeriesPoints| {
        let points = series.points.iter();
        let points: Vec<String> =
            points.map(|(at, value)| format!("\n  {value} at {}", show_time(*at))).collect();
        format!("{}{}", series.labels, points.concat())
    };
    match value {
        Value::Scalar(value) => vec![value.to_string()],
        Value::Text(text) => vec![text.clone()],
        Value::Vector(samples) => {
            samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect()
        }
        Value::Matrix(series) => series.iter().map(of_series).collect(),
    }
}

/// Numbers as text, which has infinities and what is no number.
fn json_of(value: &Value) -> serde_json::Value {
    match value {
        Value::Scalar(value) => json!(value.to_string()),
        Value::Text(text) => json!(text),
        Value::Vector(samples) => samples
            .iter()
            .map(|sample| json!({ "labels": sample.labels, "value": sample.value.to_string() }))
            .collect(),
        Value::Matrix(series) => series
            .iter()
            .map(|series| {
                let points = series.points.iter().map(|(at, value)| json!([at, value.to_string()]));
                json!({ "labels": series.labels, "points": points.collect::<Vec<_>>() })
            })
            .collect(),
    }
}
