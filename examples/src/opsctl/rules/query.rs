//! `opsctl rules query`.

use std::sync::Arc;

use alfred_ops_alerts::promql::{Answer, Query, QueryOptions, SeriesPoints, Value};
use alfred_ops_alerts::{PrometheusApi, QuerySource, Rule, RuleGroup};
use alfred_ops_core::{Error, JobContext, Result};
use serde_json::json;

use super::asked_reasons::why_empty;
use super::explanation::Explainer;
use super::past_source::{PastSource, Window};
use super::series_file::{SeriesFile, Untimed, show_time};
use super::server::{Server, time};
use super::source_arguments::SourceArguments;
use crate::opsctl::report::Report;

/// Samples that are printed for a person. A program gets all.
pub(super) const PRINTED_MAX: usize = 1000;

/// What a query is called as a rule.
const QUERY: &str = "query";

/// On series of a file.
pub(super) fn run(expr: &str, arguments: &SourceArguments, context: &JobContext) -> Result<Report> {
    let query = parsed(expr)?;
    let file = SeriesFile::load(arguments.place.file()?, &arguments.reading, Untimed::Once, context.now())?;
    let options = QueryOptions::default();
    let answer = query
        .instant(&file.series, file.at, &options)
        .map_err(|error| Error::from(error).with_target(expr))?;
    let mut why = Vec::new();
    if lines_of(&answer.value).is_empty() {
        why = Explainer { source: &file.series, at: file.at, options: &options }.why_empty(&query);
    }
    Ok(report(&query, file.at, &answer, &file.notes, &why))
}

/// By asking a server.
pub(super) async fn ask(expr: &str, server: &Server) -> Result<Report> {
    let query = parsed(expr)?;
    let api: Arc<dyn QuerySource> = Arc::<PrometheusApi>::clone(&server.api);
    let source = Arc::new(PastSource::new(api, Window::moment(server.at)));
    let answer = source.instant(expr, time(server.at)).await?;
    let mut why = Vec::new();
    if lines_of(&answer.value).is_empty() {
        let group = RuleGroup::new(QUERY).with_rules([Rule::new(QUERY, expr)]);
        // Not every query can be a rule; the others are left unexplained.
        if let Ok(engine) = server.engine(&source, group) {
            why = why_empty(&engine, QUERY, server.at).await;
        }
    }
    let mut report = report(&query, server.at, &answer, &[], &why);
    report.json["source"] = json!(server.api.name());
    Ok(report)
}

fn parsed(expr: &str) -> Result<Query> {
    Query::parse(expr).map_err(|error| Error::from(error).with_target(expr))
}

fn report(query: &Query, at: i64, answer: &Answer, notes: &[String], why: &[String]) -> Report {
    let mut lines: Vec<String> = notes.iter().map(|note| format!("note: {note}")).collect();
    lines.extend(annotations(answer));
    let shown = lines_of(&answer.value);
    if shown.is_empty() {
        lines.push(format!("nothing at {}", show_time(at)));
        lines.extend(why.iter().map(|reason| format!("  {reason}")));
    }
    let more = shown.len().saturating_sub(PRINTED_MAX);
    lines.extend(shown.into_iter().take(PRINTED_MAX));
    if more > 0 {
        lines.push(format!("and {more} more lines; --json prints all"));
    }
    let json = json!({
        "expr": query.text(), "at": show_time(at), "type": query.value_type().name(),
        "result": json_of(&answer.value), "warnings": annotations(answer), "notes": notes,
        "why_empty": why,
    });
    Report::new(lines.join("\n"), json)
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
