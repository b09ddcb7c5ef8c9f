//! A real Prometheus as source.

use std::time::Duration;

use alfred_ops_alerts::promql::notation::parse_labels;
use alfred_ops_alerts::promql::{SampleValue, Value, VectorSample};
use alfred_ops_alerts::testing::conformance;
use alfred_ops_alerts::{PrometheusApiOptions, QuerySource};
use alfred_ops_core::histogram::Histogram;
use alfred_ops_core::{ErrorKind, Labels};
use chrono::{DateTime, TimeDelta, Utc};

use crate::server::Prometheus;

/// When samples begin.
const START: i64 = 1_700_000_100;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(START + seconds, 0).unwrap()
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_query_source() {
    let series = |text: &str, value: f64| {
        let samples = (0..10_u32).map(|step| (at(i64::from(step) * 15), value + f64::from(step)));
        let samples = samples.map(|(at, value)| (at.timestamp_millis(), Some(value.into())));
        (parse_labels(text).unwrap(), samples.collect())
    };
    let server = Prometheus::start(&vec![
        series("queue{instance=\"a:1\",text=\"ü \\\"\\\\\"}", 1.0),
        series("queue{instance=\"b:1\"}", f64::INFINITY),
        series("queue{instance=\"c:1\"}", f64::NAN),
        series("total{instance=\"a:1\"}", 0.0),
    ])
    .await;
    let api = server.api(PrometheusApiOptions::default());
    conformance::query_source(&api).await;

    let vector = |value| match value {
        Value::Vector(samples) => samples,
        other => panic!("no vector: {other:?}"),
    };
    let samples = vector(api.instant("queue", at(20)).await.unwrap().value);
    let shown: Vec<String> =
        samples.iter().map(|VectorSample { labels, value }| format!("{labels} {value}")).collect();
    assert_eq!(
        shown,
        [
            "queue{instance=\"a:1\",text=\"ü \\\"\\\\\"} 2",
            "queue{instance=\"b:1\"} +Inf",
            "queue{instance=\"c:1\"} NaN"
        ]
    );
    let answer = api.instant("rate(total[1m])", at(60)).await.unwrap();
    let infos: Vec<&str> = answer.annotations.infos().collect();
    assert!(
        infos.is_empty() || infos[0].starts_with("PromQL info: metric might not be a counter"),
        "{infos:?}"
    );
    let answer = api.instant("rate(queue[1m])", at(60)).await.unwrap();
    assert!(answer.annotations.infos().any(|info| info.contains("might not be a counter")), "{answer:?}");

    let range = api.range("sum(total)", at(0), at(45), Duration::from_secs(15)).await.unwrap();
    let Value::Matrix(series) = range.value else { panic!("no matrix") };
    let points: Vec<(i64, f64)> =
        series[0].points.iter().map(|(at, value)| (at / 1000 - START, value.float().unwrap())).collect();
    assert_eq!(
        (&series[0].labels, points),
        (&Labels::empty(), vec![(0, 0.0), (15, 1.0), (30, 2.0), (45, 3.0)])
    );

    // What is refused here is refused there, in the server's words.
    let error = api.instant("quantile(2, foo", at(0)).await.unwrap_err();
    assert!(
        error.to_string().contains("bad_data: invalid parameter \"query\": 1:16: parse error"),
        "{error}"
    );
    let error = api.range("up", at(0), at(100_000), Duration::from_secs(1)).await.unwrap_err();
    assert!(error.to_string().contains("exceeded maximum resolution of 11,000 points"), "{error}");
    let few = server.api(PrometheusApiOptions::default().with_series_max(2));
    assert_eq!(few.instant("queue", at(20)).await.unwrap_err().kind(), ErrorKind::ResourceExhausted);
    // The base URL of another service: Prometheus' own pages are no API.
    let base = server.base.replace("/prometheus", "");
    let clock = alfred_ops_core::SystemClock::shared();
    let wrong = alfred_ops_alerts::PrometheusApi::new(&base, PrometheusApiOptions::default(), clock).unwrap();
    let error = wrong.instant("up", at(0) + TimeDelta::seconds(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn native_histograms_come_back_as_they_were_written() {
    let mut exponential = Histogram::exponential(3);
    (exponential.count, exponential.sum) = (14.0, 3.5);
    (exponential.zero_threshold, exponential.zero_count) = (1e-9, 2.0);
    exponential.positive = vec![(-3, 1.0), (0, 2.0), (1, 4.0), (40, 1.0)];
    exponential.negative = vec![(2, 1.0), (9, 3.0)];
    let mut custom = Histogram::custom([0.1, 0.25, 5.0]);
    (custom.count, custom.sum) = (9.0, 2.0);
    custom.positive = vec![(0, 1.0), (1, 3.0), (3, 5.0)];
    let all = [("exponential", exponential), ("custom", custom)];
    let dataset = all.iter().map(|(name, histogram)| {
        let samples =
            (0..3_i64).map(|step| (at(step * 15).timestamp_millis(), Some(histogram.clone().into())));
        (Labels::metric(name), samples.collect())
    });
    let server = Prometheus::start(&dataset.collect()).await;
    let api = server.api(PrometheusApiOptions::default());
    for (name, histogram) in all {
        let answer = api.instant(name, at(30)).await.unwrap();
        let Value::Vector(samples) = answer.value else { panic!("no vector") };
        let found: &SampleValue = &samples[0].value;
        assert_eq!(found.to_string(), SampleValue::from(histogram.clone()).to_string());
        if name == "exponential" {
            assert_eq!(**found.histogram().unwrap(), histogram);
        }
        let range = api.range(name, at(0), at(30), Duration::from_secs(15)).await.unwrap();
        let Value::Matrix(series) = range.value else { panic!("no matrix") };
        let shown: Vec<_> = series[0].points.iter().map(|(at, value)| (*at, value.to_string())).collect();
        let expected = [0, 15, 30].map(|second| (at(second).timestamp_millis(), found.to_string()));
        assert_eq!(shown, expected);
    }
}
