//! Answers, ours and the server's, in one form, and whether they are the same.

use std::collections::{BTreeMap, BTreeSet};

use alfred_ops_alerts::promql::{Answer, QueryError, SampleValue, Value};
use alfred_ops_core::Labels;

use crate::annotations::same_annotations;
use crate::expression::{Expression, Shape};

/// What answers may differ by: the order in which numbers are added is not the same.
const TOLERANCE: f64 = 1e-9;
/// What small differences of greater numbers may differ by.
const TOLERANCE_ABSOLUTE: f64 = 1e-11;
/// A sample's value.
#[derive(Debug, Clone)]
pub(crate) enum Point {
    Float(f64),
    Histogram { count: f64, sum: f64, buckets: Vec<[f64; 3]> },
}

pub(crate) type Series = Vec<(Labels, Vec<(i64, Point)>)>;

/// An answer.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) kind: &'static str,
    pub(crate) text: String,
    pub(crate) series: Series,
    pub(crate) warnings: BTreeSet<String>,
    pub(crate) infos: BTreeSet<String>,
}

/// An answer or why there is none.
pub(crate) type Outcome = Result<Reply, String>;

pub(crate) fn ours(answer: Result<Answer, QueryError>, at: i64) -> Outcome {
    let answer = answer.map_err(|error| error.to_string())?;
    let one = |labels: Labels, value: &SampleValue| (labels, vec![(at, point(value))]);
    let (kind, series, text) = match answer.value {
        Value::Scalar(value) => ("scalar", vec![one(Labels::empty(), &value.into())], String::new()),
        Value::Text(text) => ("string", Vec::new(), text),
        Value::Vector(samples) => {
            let series = samples.into_iter().map(|sample| one(sample.labels, &sample.value)).collect();
            ("vector", series, String::new())
        }
        Value::Matrix(series) => {
            let points = |points: Vec<(i64, SampleValue)>| {
                points.iter().map(|(at, value)| (*at, point(value))).collect()
            };
            let series = series.into_iter().map(|series| (series.labels, points(series.points))).collect();
            ("matrix", series, String::new())
        }
    };
    let texts = |texts: &mut dyn Iterator<Item = &str>| texts.map(str::to_owned).collect();
    let warnings = texts(&mut answer.annotations.warnings());
    let infos = texts(&mut answer.annotations.infos());
    Ok(Reply { kind, text, series, warnings, infos })
}

fn point(value: &SampleValue) -> Point {
    match value {
        SampleValue::Float(value) => Point::Float(*value),
        SampleValue::Histogram(histogram) => Point::Histogram {
            count: histogram.count,
            sum: histogram.sum,
            buckets: histogram
                .buckets()
                .iter()
                .map(|bucket| [bucket.lower, bucket.upper, bucket.count])
                .collect(),
        },
    }
}

pub(crate) fn theirs(answer: &serde_json::Value) -> Outcome {
    if answer["status"] != "success" {
        return Err(answer["error"].as_str().unwrap_or("no message").to_owned());
    }
    let data = &answer["data"];
    let result = &data["result"];
    let kinds = ["scalar", "string", "vector", "matrix"];
    let kind = kinds.into_iter().find(|kind| data["resultType"] == *kind).unwrap();
    let texts = |name: &str| -> BTreeSet<String> {
        let all = answer[name].as_array().into_iter().flatten();
        all.map(|text| text.as_str().unwrap().to_owned()).collect()
    };
    let mut reply = Reply {
        kind,
        text: String::new(),
        series: Vec::new(),
        warnings: texts("warnings"),
        infos: texts("infos"),
    };
    match kind {
        "scalar" => reply.series.push((Labels::empty(), vec![sample(result)])),
        "string" => result[1].as_str().unwrap().clone_into(&mut reply.text),
        _ => reply.series = result.as_array().unwrap().iter().map(one_series).collect(),
    }
    Ok(reply)
}

fn one_series(series: &serde_json::Value) -> (Labels, Vec<(i64, Point)>) {
    let labels = series["metric"].as_object().unwrap();
    let labels = labels.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    let mut points: Vec<(i64, Point)> = ["value", "histogram"]
        .iter()
        .filter_map(|name| series.get(name))
        .chain(["values", "histograms"].iter().filter_map(|name| series.get(name)?.as_array()).flatten())
        .map(sample)
        .collect();
    points.sort_by_key(|(at, _)| *at);
    (labels, points)
}

fn sample(pair: &serde_json::Value) -> (i64, Point) {
    let number = |value: &serde_json::Value| value.as_str().unwrap().parse::<f64>().unwrap();
    #[expect(clippy::cast_possible_truncation, reason = "a time in milliseconds")]
    let at = (pair[0].as_f64().unwrap() * 1000.0).round() as i64;
    let value = &pair[1];
    if value.is_string() {
        return (at, Point::Float(number(value)));
    }
    let buckets = value["buckets"].as_array().into_iter().flatten();
    let buckets = buckets.map(|bucket| [number(&bucket[1]), number(&bucket[2]), number(&bucket[3])]);
    (
        at,
        Point::Histogram {
            count: number(&value["count"]),
            sum: number(&value["sum"]),
            buckets: buckets.collect(),
        },
    )
}

fn same_float(left: f64, right: f64) -> bool {
    left == right
        || left.is_nan() && right.is_nan()
        || (left - right).abs() <= TOLERANCE_ABSOLUTE
        || (left - right).abs() <= TOLERANCE * left.abs().max(right.abs()).min(f64::MAX)
}

fn same_point(left: &Point, right: &Point) -> bool {
    match (left, right) {
        (Point::Float(left), Point::Float(right)) => same_float(*left, *right),
        (
            Point::Histogram { count, sum, buckets },
            Point::Histogram { count: other_count, sum: other_sum, buckets: other_buckets },
        ) => {
            // Which empty buckets the server keeps, to become NaN, depends on the samples before; and what adds up to
            // nothing may be off by a last digit.
            let counting = |buckets: &[[f64; 3]]| -> Vec<[f64; 3]> {
                buckets.iter().filter(|bucket| bucket[2].abs() > TOLERANCE_ABSOLUTE).copied().collect()
            };
            let (left, right) = (counting(buckets), counting(other_buckets));
            let mut pairs = left.iter().flatten().zip(right.iter().flatten());
            same_float(*count, *other_count)
                && same_float(*sum, *other_sum)
                && left.len() == right.len()
                && pairs.all(|(left, right)| same_float(*left, *right))
        }
        _ => false,
    }
}

fn same_points(left: &[(i64, Point)], right: &[(i64, Point)]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| left.0 == right.0 && same_point(&left.1, &right.1))
}

/// The floats at each time, ascending.
fn by_time(series: &Series) -> BTreeMap<i64, Vec<f64>> {
    let mut times: BTreeMap<i64, Vec<f64>> = BTreeMap::new();
    for (at, point) in series.iter().flat_map(|(_, points)| points) {
        // One NaN for all, because they are told apart below.
        let value = if let Point::Float(value) = point { *value } else { f64::NAN };
        let value = if value.is_nan() { f64::NAN } else { value };
        times.entry(*at).or_default().push(value);
    }
    for values in times.values_mut() {
        values.sort_by(f64::total_cmp);
    }
    times
}

fn same_series(shape: Shape, instant: bool, ours: &Series, theirs: &Series) -> bool {
    match shape {
        Shape::Chosen { by_value } => {
            let (ours, theirs) = (by_time(ours), by_time(theirs));
            return ours.len() == theirs.len()
                && ours.iter().zip(&theirs).all(|(left, right)| {
                    let same_values =
                        || left.1.iter().zip(right.1).all(|(left, right)| same_float(*left, *right));
                    left.0 == right.0 && left.1.len() == right.1.len() && (!by_value || same_values())
                });
        }
        Shape::SortedByValue if instant => {
            let in_order =
                ours.iter().zip(theirs).all(|(left, right)| match (left.1.first(), right.1.first()) {
                    (Some(left), Some(right)) => same_point(&left.1, &right.1),
                    _ => false,
                });
            if !in_order {
                return false;
            }
        }
        Shape::SortedByLabel if instant && ours.iter().zip(theirs).any(|(left, right)| left.0 != right.0) => {
            return false;
        }
        _ => {}
    }
    let own: BTreeMap<&Labels, &Vec<(i64, Point)>> =
        ours.iter().map(|(labels, points)| (labels, points)).collect();
    ours.len() == theirs.len()
        && own.len() == ours.len()
        && theirs.iter().all(|(labels, points)| own.get(labels).is_some_and(|own| same_points(own, points)))
}

/// How two answers differ, if they do.
pub(crate) fn difference(
    expression: &Expression,
    annotations: bool,
    ours: &Outcome,
    theirs: &Outcome,
) -> Option<&'static str> {
    let shape = expression.shape;
    match (ours, theirs) {
        (Err(_), Err(_)) => None,
        // 3.5 breaks down over some rates of histograms.
        (Ok(_), Err(error)) if error.contains("unexpected error: runtime error") => None,
        (Ok(_), Err(_)) => Some("only we answer"),
        (Err(_), Ok(_)) => Some("only the server answers"),
        (Ok(ours), Ok(theirs)) if ours.kind != theirs.kind || ours.text != theirs.text => {
            Some("another kind of answer")
        }
        (Ok(ours), Ok(theirs))
            if !same_series(shape, ours.kind == "vector", &ours.series, &theirs.series) =>
        {
            Some("other samples")
        }
        (Ok(ours), Ok(theirs)) if annotations => {
            // Of a range query the server evaluates a subquery at all times between the first and the last step.
            let subquery = expression.text.contains("m:") || expression.text.contains("h:");
            let more = ours.kind == "matrix" && subquery;
            let same = same_annotations(&expression.text, more, &ours.warnings, &theirs.warnings)
                && same_annotations(&expression.text, more, &ours.infos, &theirs.infos);
            (!same).then_some("other warnings or infos")
        }
        _ => None,
    }
}

/// An answer to look at: only what the other one has not.
pub(crate) fn show(shape: Shape, of: &Outcome, beside: &Outcome) -> String {
    use std::fmt::Write as _;
    let reply = match of {
        Ok(reply) => reply,
        Err(error) => return format!("refused: {error}"),
    };
    let mut out = format!("{} {}", reply.kind, reply.text);
    let empty = Vec::new();
    let others = beside.as_ref().map_or(&empty, |reply| &reply.series);
    let mut hidden = 0;
    for (labels, points) in &reply.series {
        let twin = others.iter().find(|(other, _)| other == labels).map(|(_, points)| points);
        if shape == Shape::Plain && twin.is_some_and(|twin| same_points(points, twin)) {
            hidden += 1;
            continue;
        }
        write!(out, "\n        {labels}").unwrap();
        let missing = |(at, value): &&(i64, Point)| {
            !twin.is_some_and(|twin| twin.iter().any(|(other, twin)| other == at && same_point(value, twin)))
        };
        for (at, value) in points.iter().filter(|point| shape != Shape::Plain || missing(point)).take(4) {
            match value {
                Point::Float(value) => write!(out, " {value}@{at}").unwrap(),
                value => write!(out, " {value:?}@{at}").unwrap(),
            }
        }
    }
    if hidden > 0 {
        write!(out, "\n        and {hidden} equal series").unwrap();
    }
    for text in reply.warnings.iter().chain(&reply.infos) {
        write!(out, "\n        {text}").unwrap();
    }
    out
}
