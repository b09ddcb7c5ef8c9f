//! What is read, what is refused, and that nothing is lost.

use chrono::DateTime;
use proptest::prelude::*;

use super::{Family, FamilyKind, Limits, Page, parse, parse_bytes, render};
use crate::{ErrorKind, Labels, Sample};

fn samples(text: &str) -> Vec<(String, String)> {
    let page = parse(text, &Limits::default()).unwrap();
    page.samples.iter().map(|sample| (sample.labels.to_string(), sample.value.to_string())).collect()
}

fn check(line: &str, series: &str, value: &str) {
    assert_eq!(samples(line), [(series.to_owned(), value.to_owned())], "{line}");
}

fn refused(text: &str, says: &str) {
    let error = parse(text, &Limits::default()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    assert!(error.to_string().contains(says), "{text:?} is refused with {error}, not {says:?}");
}

#[test]
fn reads_what_prometheus_reads() {
    check("m 1", "m", "1");
    check(" \t m\t1 \t", "m", "1");
    check("m{} 1", "m", "1");
    check("job:errors:rate5m 0.5", "job:errors:rate5m", "0.5");
    check(r#"m{q="a,b"} 1"#, r#"m{q="a,b"}"#, "1");
    check(r#"m{q="a=b",r="}"} 1"#, r#"m{q="a=b",r="}"}"#, "1");
    check(r#"m{path="/x/{id}"}1"#, r#"m{path="/x/{id}"}"#, "1");
    check(r#"m { b = "2" , a = "1" , } 1"#, r#"m{a="1",b="2"}"#, "1");
    check(r#"m{a="\\\"\n\x"} 1"#, r#"m{a="\\\"\n\\x"}"#, "1");
    check(r#"m{a="ends with \\"} 1"#, r#"m{a="ends with \\"}"#, "1");
    check(r#"m{a="",b="x"} 1"#, r#"m{b="x"}"#, "1");
    check(r#"{"http.status","a.b"="c"} 1"#, r#"{"http.status","a.b"="c"}"#, "1");
    check("m NaN", "m", "NaN");
    check("m +Inf", "m", "inf");
    check("m -inf", "m", "-inf");
    check("m 1e3", "m", "1000");
    check("m .5", "m", "0.5");
    check("m{a=\"Größe ✓\"} 1", "m{a=\"Größe ✓\"}", "1");
    assert_eq!(samples("#HELP m x\n#plain\n# other text\n# HELP\n\n"), []);
}

#[test]
fn timestamps_are_milliseconds_and_may_be_negative() {
    let page = parse("a 1 1395066363000\nb +Inf -3982045\nc 1\n", &Limits::default()).unwrap();
    let times: Vec<_> =
        page.samples.iter().map(|sample| sample.timestamp.map(|time| time.timestamp_millis())).collect();
    assert_eq!(times, [Some(1_395_066_363_000), Some(-3_982_045), None]);
}

#[test]
fn help_and_type_are_kept() {
    let text = "# HELP m Two\\nlines, a \\\\ and \"quotes\"\n# TYPE m counter\n# TYPE other histogram\nm 1\n";
    let page = parse(text, &Limits::default()).unwrap();
    assert_eq!(page.families.len(), 2);
    assert_eq!(page.families[0].help, "Two\nlines, a \\ and \"quotes\"");
    assert_eq!(page.families[0].kind, FamilyKind::Counter);
    assert_eq!(page.families[1].kind, FamilyKind::Histogram);
}

/// The example of the format's own documentation.
#[test]
fn reads_the_documented_example() {
    let page = r#"
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000

# Escaping in label values:
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9

# Minimalistic line:
metric_without_timestamp_and_labels 12.47

# A weird metric from before the epoch:
something_weird{problem="division by zero"} +Inf -3982045

# TYPE http_request_duration_seconds histogram
http_request_duration_seconds_bucket{le="0.05"} 24054
http_request_duration_seconds_bucket{le="+Inf"} 144320
http_request_duration_seconds_sum 53423
http_request_duration_seconds_count 144320

# TYPE rpc_duration_seconds summary
rpc_duration_seconds{quantile="0.99"} 76656
rpc_duration_seconds_sum 1.7560473e+07
rpc_duration_seconds_count 2693
"#;
    let page = parse(page, &Limits::default()).unwrap();
    assert_eq!((page.samples.len(), page.families.len()), (12, 3));
    let file = &page.samples[2];
    assert_eq!(file.labels.get("path"), Some("C:\\DIR\\FILE.TXT"));
    assert_eq!(file.labels.get("error"), Some("Cannot find file:\n\"FILE.TXT\""));
    assert!((page.samples[10].value - 17_560_473.0).abs() < f64::EPSILON);
}

#[test]
fn of_duplicates_the_first_is_kept_and_counted() {
    let page = parse("m{a=\"1\",b=\"\"} 1\nm{a=\"1\"} 2\n", &Limits::default()).unwrap();
    assert_eq!(page.samples.len(), 1);
    assert!((page.samples[0].value - 1.0).abs() < f64::EPSILON);
    assert_eq!(page.duplicates, 1);
}

#[test]
fn refuses_what_prometheus_refuses() {
    refused("m 0x1p4", "\"0x1p4\" is not a decimal number");
    refused("m 1_000", "\"1_000\" is not a decimal number");
    refused("m 1e400", "\"1e400\" is not a decimal number");
    refused("m +NaN", "\"+NaN\" is not a decimal number");
    refused("m", "expected a value, found the end of the line");
    refused("m 1 2 3", "expected the end of the line, found '3'");
    refused("m 1 12.5", "\"12.5\" is not a timestamp in whole milliseconds");
    refused("m{a=\"x} 1", "the value of label \"a\" has no closing quote");
    refused("m{a=x} 1", "expected a quoted label value, found 'x'");
    refused("m{a} 1", "expected `=` after a label name, found '}'");
    refused("m{a=\"1\" b=\"2\"} 1", "expected `,` or `}`, found 'b'");
    refused("m{,} 1", "expected a label name or `}`, found ','");
    refused("m{a=\"1\"", "expected `,` or `}`, found the end of the line");
    refused("m{a=\"1\",a=\"2\"} 1", "the label \"a\" occurs twice");
    refused("m{__name__=\"n\"} 1", "the label __name__ is reserved");
    refused("{a=\"1\"} 1", "the sample has no metric name");
    refused("m{\"n\"} 1", "a second metric name \"n\"");
    refused("{\"n 1", "a quoted name has no closing quote");
    refused("1m 1", "expected a metric name, found '1'");
    refused("m 1\r\n", "the line ends with a carriage return");
    refused("# TYPE m histogramm", "\"histogramm\" is not a metric type");
    refused("# TYPE 1 counter", "expected a metric name, found '1'");
    refused("<html>", "expected a metric name, found '<'");
}

#[test]
fn an_error_says_where() {
    let long = format!("up 1\n\nm{{path=\"{}\n", "x".repeat(200));
    let error = parse(&long, &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("line 3: the value of label \"path\""), "{error}");
    assert!(error.contains(&format!("in `m{{path=\"{}…`", "x".repeat(72))), "{error}");
    let error = parse_bytes(b"up 1\nm{a=\"\xff\"} 1\nz 1", &Limits::default()).unwrap_err().to_string();
    assert!(error.contains("line 2: the text is not UTF-8, in `m{a=\"\u{fffd}\"} 1`"), "{error}");
}

#[test]
fn every_limit_is_enforced_and_named() {
    let limits =
        Limits::default().with_bytes_max(40).with_samples_max(2).with_labels_max(1).with_label_bytes_max(5);
    for (text, says) in [
        ("m 1\n".repeat(11), "page longer than 40 bytes"),
        ("a 1\nb 1\nc 1\n".to_owned(), "line 3: more than 2 samples"),
        ("m{a=\"1\",b=\"2\"} 1".to_owned(), "more than 1 labels"),
        ("m{a=\"123456\"} 1".to_owned(), "label name or value longer than 5 bytes"),
    ] {
        let error = parse(&text, &limits).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.remedy().unwrap().contains("raise Limits::"), "{error}");
    }
}

prop_compose! {
    fn any_sample()(
        name in "[a-z:_][a-z0-9:_]{0,8}|\\PC{1,8}",
        labels in prop::collection::btree_map("[a-z_][a-z0-9_]{0,6}|\\PC{1,6}", "(\\PC|\n|\"|\\\\){0,8}", 0..5),
        value in prop::num::f64::ANY,
        millis in prop::option::of(-1_000_000_000_000_i64..4_000_000_000_000),
    ) -> Sample {
        let pairs = labels.into_iter().filter(|(label, _)| label != Labels::NAME);
        let labels = Labels::from_pairs(pairs.chain([(Labels::NAME.to_owned(), name)]));
        Sample { labels, value, timestamp: millis.and_then(DateTime::from_timestamp_millis) }
    }
}

/// Bits, so that NaN equals NaN; all NaNs are one in this format.
fn key(sample: &Sample) -> (Labels, u64, Option<i64>) {
    let value = if sample.value.is_nan() { f64::NAN } else { sample.value };
    (sample.labels.clone(), value.to_bits(), sample.timestamp.map(|time| time.timestamp_millis()))
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "(\\PC|[\n\t {}\"\\\\=,#0-9a-z]){0,120}") {
        let _ = parse(&text, &Limits::default());
    }

    #[test]
    fn any_near_page_is_read_or_refused(
        text in "(# (HELP|TYPE) [a-z\"]{0,3} ?(counter)?|[a-z:]{0,2} ?(\\{([a-z\"]{0,3}=?\"?(\\\\.|[^\"])?\"?,?){0,3}\\}?)? ?(1|NaN|-)? ?[0-9]{0,3}\n?){0,6}"
    ) {
        if let Ok(page) = parse(&text, &Limits::default()) {
            let again = parse(&render(&page), &Limits::default()).unwrap();
            prop_assert_eq!(
                page.samples.iter().map(key).collect::<Vec<_>>(),
                again.samples.iter().map(key).collect::<Vec<_>>()
            );
            prop_assert_eq!(page.families, again.families);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = parse_bytes(&bytes, &Limits::default());
    }

    #[test]
    fn what_is_written_is_read_back(
        samples in prop::collection::vec(any_sample(), 0..12),
        help in "(\\PC|\n|\\\\){0,12}",
    ) {
        let mut seen = std::collections::HashSet::new();
        let samples = samples.into_iter().filter(|sample| seen.insert(sample.labels.clone())).collect();
        let families = vec![Family { name: "m".to_owned(), kind: FamilyKind::Gauge, help }];
        let page = Page { samples, families, duplicates: 0 };
        let back = parse(&render(&page), &Limits::default()).unwrap();
        prop_assert_eq!(&back.families, &page.families);
        prop_assert_eq!(
            back.samples.iter().map(key).collect::<Vec<_>>(),
            page.samples.iter().map(key).collect::<Vec<_>>()
        );
    }
}
