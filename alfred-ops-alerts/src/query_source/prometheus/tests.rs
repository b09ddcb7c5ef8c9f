//! Replies, read and refused.

use alfred_ops_core::{ErrorKind, Labels, Retry};
use proptest::prelude::*;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER};

use super::failure::refused;
use super::reply::{Reply, ReplyFault, SeriesLimit, read};
use crate::promql::{Answer, SampleValue, Value};

fn answer(text: &str) -> Answer {
    match read(text.as_bytes(), &SeriesLimit::new(10)) {
        Ok(Reply::Answer(answer)) => answer,
        other => panic!("{text}: {other:?}"),
    }
}

/// What a result of a type comes to, in one line.
fn check(result_type: &str, result: &str, expected: &str) {
    let text = format!(r#"{{"status":"success","data":{{"resultType":"{result_type}","result":{result}}}}}"#);
    let shown = |value: &SampleValue| value.to_string();
    let found = match answer(&text).value {
        Value::Scalar(value) => format!("scalar {}", shown(&value.into())),
        Value::Text(text) => format!("text {text}"),
        Value::Vector(samples) => {
            let samples = samples.iter().map(|sample| format!("{} {}", sample.labels, shown(&sample.value)));
            samples.collect::<Vec<_>>().join("; ")
        }
        Value::Matrix(series) => {
            let series = series.iter().map(|series| {
                let points = series.points.iter().map(|(at, value)| format!(" {}@{at}", shown(value)));
                format!("{}{}", series.labels, points.collect::<String>())
            });
            series.collect::<Vec<_>>().join("; ")
        }
    };
    assert_eq!(found, expected, "{text}");
}

#[test]
fn results_of_every_type_are_read() {
    check("scalar", r#"[1435781451.781,"1.5"]"#, "scalar 1.5");
    check("scalar", r#"[1435781451,"NaN"]"#, "scalar NaN");
    check("string", r#"[0,"a text"]"#, "text a text");
    check("vector", "[]", "");
    check("vector", "null", "");
    check("matrix", "[]", "");
    check(
        "vector",
        r#"[{"metric":{"__name__":"up","job":"a","none":""},"value":[1.5,"+Inf"]},{"metric":{},"value":[2,"-Inf"]}]"#,
        r#"up{job="a"} +Inf; {} -Inf"#,
    );
    check(
        "vector",
        r#"[{"metric":{"a":"\"\u00e9\n"},"histogram":[1,{"count":"3","sum":"-1.5","buckets":[[1,"-2","-1","1"],[3,"0","0","1"],[0,"1","2","1"]]}]}]"#,
        "{a=\"\\\"é\\n\"} {count:3, sum:-1.5, [-2,-1):1, [-0,0]:1, (1,2]:1}",
    );
    check("vector", r#"[{"metric":{},"histogram":[1,{"count":"0","sum":"0"}]}]"#, "{} {count:0, sum:0}");
    check(
        "matrix",
        r#"[{"metric":{"a":"b"},"values":[[1.001,"1"],[4,"3"]],"histograms":[[2.5,{"count":"1","sum":"2","buckets":[[0,"1","2","1"]]}]]}]"#,
        r#"{a="b"} 1@1001 {count:1, sum:2, (1,2]:1}@2500 3@4000"#,
    );
}

#[test]
fn the_order_of_fields_and_unknown_ones_do_not_matter() {
    let text = r#" {"stats":{"a":[1,{}]},"data":{"x":1,"result":[{"new":{},"value":[1,"2"],"metric":{"a":"b"}}],
        "resultType":"vector","analysis":null},"infos":["PromQL info: i"],"isPartial":false,
        "warnings":["w"],"trace":null,"status":"success"}"#;
    let answer = answer(text);
    assert_eq!(answer.annotations.warnings().collect::<Vec<_>>(), ["w"]);
    assert_eq!(answer.annotations.infos().collect::<Vec<_>>(), ["PromQL info: i"]);
    let Value::Vector(samples) = answer.value else { panic!("no vector") };
    assert_eq!(samples[0].labels, Labels::from_pairs([("a", "b")]));
}

#[test]
fn other_texts_are_refused_with_what_is_wrong() {
    let data = |data: &str| format!(r#"{{"status":"success","data":{data}}}"#);
    let vector = |series: &str| data(&format!(r#"{{"resultType":"vector","result":[{series}]}}"#));
    for (text, message) in [
        ("<html></html>".to_owned(), "expected value"),
        ("[]".to_owned(), "an object with a status"),
        ("{}".to_owned(), "missing field `status`"),
        (r#"{"status":"fine"}"#.to_owned(), "unknown variant `fine`"),
        (r#"{"status":"success"}"#.to_owned(), "missing field `data`"),
        (data("[]"), "an object with resultType and result"),
        (data(r#"{"result":[]}"#), "missing field `data`"),
        (data(r#"{"resultType":"vector"}"#), "missing field `result`"),
        (data(r#"{"resultType":"streams","result":[]}"#), "\"streams\" is unknown"),
        (data(r#"{"resultType":"vector","result":[1,"1"]}"#), "the result is no vector"),
        (data(r#"{"resultType":"scalar","result":[]}"#), "the result is no scalar"),
        (data(r#"{"resultType":"scalar","result":[1,"x"]}"#), "\"x\" is no number"),
        (data(r#"{"resultType":"scalar","result":[1,"1",2]}"#), "there is more"),
        (data(r#"{"resultType":"scalar","result":[1]}"#), "no text behind it"),
        (vector(r#"{"metric":{}}"#), "has no value"),
        (
            vector(r#"{"metric":{},"value":[1,"1"],"histogram":[1,{"count":"0","sum":"0"}]}"#),
            "and a histogram",
        ),
        (vector(r#"{"metric":{},"value":[1,1]}"#), "expected a string"),
        (vector(r#"{"metric":{},"value":[1,"1","1"]}"#), "trailing characters"),
        (vector(r#"{"metric":{},"value":[1e300,"1"]}"#), "is no time"),
        (vector(r#"{"metric":{"a":1},"value":[1,"1"]}"#), "expected a string"),
        (
            vector(r#"{"metric":{},"histogram":[1,{"count":"1","sum":"1","buckets":[[9,"1","2","1"]]}]}"#),
            "rule is 9",
        ),
        (format!("{} x", data(r#"{"resultType":"vector","result":[]}"#)), "trailing characters"),
    ] {
        match read(text.as_bytes(), &SeriesLimit::new(10)) {
            Err(ReplyFault::Malformed(error)) => {
                assert!(error.to_string().contains(message), "{text}: {error}");
            }
            other => panic!("{text}: {other:?}"),
        }
    }
}

#[test]
fn too_many_series_and_cut_texts_are_told_apart() {
    let series = r#"{"metric":{},"value":[1,"1"]}"#;
    let text = format!(
        r#"{{"status":"success","data":{{"resultType":"vector","result":[{}]}}}}"#,
        [series; 11].join(",")
    );
    let with = |series_max| read(text.as_bytes(), &SeriesLimit::new(series_max));
    assert!(matches!(with(11), Ok(Reply::Answer(_))));
    assert!(matches!(with(10), Err(ReplyFault::TooManySeries)));
    for end in 0..text.len() {
        let cut = read(&text.as_bytes()[..end], &SeriesLimit::new(11));
        assert!(matches!(cut, Err(ReplyFault::EndsTooSoon(_))), "{end}: {cut:?}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in r#"[\[\]{},:"a-z0-9.NIstausdlrv ]{0,80}"#) {
        let _ = read(text.as_bytes(), &SeriesLimit::new(3));
    }
}

/// A refusal and what becomes of it.
#[track_caller]
fn refusal(status: u16, content_type: &'static str, body: &str, kind: ErrorKind, retry: Retry, said: &str) {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(RETRY_AFTER, HeaderValue::from_static("7"));
    let error = refused("http://a", StatusCode::from_u16(status).unwrap(), &headers, body.as_bytes());
    assert_eq!((error.kind(), error.retry()), (kind, retry), "{error}");
    assert!(error.to_string().contains(said), "{error}");
}

#[test]
fn refusals_are_classified_by_type_and_status() {
    use ErrorKind::{InvalidInput, NotFound, PermissionDenied, Timeout, Unavailable, Unsupported};
    let json = |error_type: &str, error: &str| {
        format!(r#"{{"status":"error","errorType":"{error_type}","error":"{error}","data":null}}"#)
    };
    let check = |status, error_type: &str, kind, retry| {
        let said = format!("{error_type}: it is so");
        refusal(status, "application/json", &json(error_type, "it is\\n so"), kind, retry, &said);
    };
    let asked = Retry::After(Some(std::time::Duration::from_secs(7)));
    check(400, "bad_data", InvalidInput, Retry::Never);
    check(422, "execution", InvalidInput, Retry::Never);
    // VictoriaMetrics repeats the status as the type.
    check(422, "422", InvalidInput, Retry::Never);
    check(503, "503", Unavailable, asked);
    check(429, "too_many_requests", Unavailable, asked);
    check(503, "timeout", Timeout, Retry::After(None));
    check(503, "canceled", Unavailable, asked);
    check(500, "internal", Unavailable, asked);
    check(404, "not_found", NotFound, Retry::Never);
    check(401, "bad_data", PermissionDenied, Retry::Never);
    check(200, "strange", InvalidInput, Retry::Never);
    check(200, "unavailable", Unavailable, asked);
    refusal(
        401,
        "text/plain; charset=utf-8",
        "no org id\n",
        PermissionDenied,
        Retry::Never,
        ": no org id; check",
    );
    refusal(
        404,
        "text/html",
        "<p>gone",
        NotFound,
        Retry::Never,
        "404 Not Found; check the base URL: Mimir's",
    );
    refusal(405, "text/plain", "", Unsupported, Retry::Never, "let POST through");
    refusal(502, "text/html", "<p>bad", Unavailable, asked, "answered 502 Bad Gateway");
    refusal(302, "text/html", "<p>there", Unsupported, Retry::Never, "give the URL it redirects to");
    refusal(400, "text/plain", &"x".repeat(600), InvalidInput, Retry::Never, "xx…");
}
