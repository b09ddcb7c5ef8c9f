//! Prometheus' text format.

use super::super::{FamilyKind, Format, Limits, page_text, parse, parse_bytes};
use crate::ErrorKind;

fn samples(text: &str) -> Vec<(String, String)> {
    let page = parse(text, &Limits::default()).unwrap();
    page.samples.iter().map(|sample| (sample.labels.to_string(), sample.value.to_string())).collect()
}

fn check(line: &str, series: &str, value: &str) {
    assert_eq!(samples(line), [(series.to_owned(), value.to_owned())], "{line}");
}

fn refused(text: &str, says: &str) {
    super::refused(Format::Text, text, says);
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
    // Commas between labels may be missing, quotes may hold line breaks, and a value need not be set apart.
    check(r#"m{a="1"b="2" "c"="3"} 1"#, r#"m{a="1",b="2",c="3"}"#, "1");
    check("m{a=\"x\ny\"} 1", r#"m{a="x\ny"}"#, "1");
    check("m-1", "m", "-1");
    check(r#"{a="b","m n"} 1"#, r#"{"m n",a="b"}"#, "1");
    check(r#"{"m"} 1"#, "m", "1");
    check(r#"{"m",} 1"#, "m", "1");
    check(r#"{"a\"b\\","c\nd"="e"} 1"#, r#"{"a\"b\\","c\nd"="e"}"#, "1");
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
    refused("m -nan", "\"-nan\" is not a decimal number");
    refused("m {count:1,sum:2} 1", "expected `=` after a label name, found ':'");
    refused("m +NaN", "\"+NaN\" is not a decimal number");
    refused("m", "expected a value, found the end of the line");
    refused("m 1 2 3", "expected the end of the line, found '3'");
    refused("m 1 12.5", "\"12.5\" is not a timestamp in whole milliseconds");
    refused("m{a=\"x} 1", "the value of label \"a\" has no closing quote");
    refused("m{a=x} 1", "expected a quoted label value, found 'x'");
    refused("m{a} 1", "expected `=` after a label name, found '}'");
    refused("m{,} 1", "expected a label name or `}`, found ','");
    refused("m{a=\"1\"", "expected `,` or `}`, found the end of the line");
    refused("m{a=\"1\",a=\"2\"} 1", "the label \"a\" occurs twice");
    refused("m{a=\"\",a=\"2\"} 1", "the label \"a\" occurs twice");
    refused("m{__name__=\"n\"} 1", "the label __name__ is reserved");
    refused("{a=\"1\"} 1", "the sample has no metric name");
    refused("m{\"n\"} 1", "a second metric name \"n\"");
    refused("{\"n 1", "a quoted name has no closing quote");
    refused("{\"n\",\"o\"} 1", "a second metric name \"o\"");
    refused("{\"\"} 1", "the sample has no metric name");
    refused("m{\"\"=\"x\"} 1", "a label has an empty name");
    refused("m{\"__name__\"=\"x\"} 1", "the label __name__ is reserved");
    refused("{\"n\" a=\"1\"} 1", "expected `=` after a label name, found 'a'");
    refused("m{a=\"1\",,b=\"2\"} 1", "expected a label name or `}`, found ','");
    refused("m{a=\"1\"b} 1", "expected `=` after a label name, found '}'");
    refused("m{a=\"x\\\ny\"} 1", "the value of label \"a\" has no closing quote");
    refused("m{a='1'} 1", "expected a quoted label value, found '\\''");
    refused("http.status 1", "\".status\" is not a decimal number");
    refused("m 1 # {a=\"b\"} 1", "\"#\" is not a timestamp in whole milliseconds");
    refused("m 1 +5", "\"+5\" is not a timestamp in whole milliseconds");
    refused("m 1 99999999999999999999", "is not a timestamp in whole milliseconds");
    refused("1m 1", "expected a metric name, found '1'");
    refused("# TYPE m histogramm", "\"histogramm\" is not a metric type");
    refused("# TYPE m  counter", "\" counter\" is not a metric type");
    refused("# TYPE m counter ", "\"counter \" is not a metric type");
    refused("# TYPE m info", "\"info\" is not a metric type (counter, gauge, histogram, summary, untyped)");
    refused("# HELP \n", "expected a metric name, found the end of the line");
    refused("# HELP mé", "expected a blank after the metric name");
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

#[test]
fn carriage_returns_are_refused_where_they_matter() {
    for text in ["m 1\r\n", "m 1 5\r\n", "\r\n", "m\r\n", "m{a=\"1\"}\r\n", "# TYPE m counter\r\n"] {
        refused(text, "the line ends with a carriage return");
    }
    let page = parse("# comment\r\n# HELP m text\r\nm 1\n", &Limits::default()).unwrap();
    assert_eq!(page.families[0].help, "text\r");
}

#[test]
fn zero_bytes_are_text_in_quotes_help_and_comments_and_end_the_page_where_an_entry_would_begin() {
    check("# c\0d\nm{a=\"b\0\"} 1", "m{a=\"b\0\"}", "1");
    assert_eq!(parse("# HELP m a\0b", &Limits::default()).unwrap().families[0].help, "a\0b");
    check("m 1\n\0n 2", "m", "1");
    check("m 1\n#c\0\nn 2", "m", "1");
    refused("{\"m\0\"} 1", "a quoted name holds a zero byte");
    refused("# TYPE \"m\0\" gauge", "a quoted name holds a zero byte");
    refused("m{a=\0\"x\"} 1", "expected a quoted label value, found '\\0'");
    refused("m{a\0=\"x\"} 1", "expected `=` after a label name, found '\\0'");
    refused("m\0{a=\"x\"} 1", "is not a decimal number");
    refused("m 0 1\0", "is not a timestamp");
}

#[test]
fn a_page_begins_with_no_byte_order_mark_and_ends_as_it_likes() {
    refused("\u{feff}m 1\n", "line 1: expected a metric name, found '\\u{feff}'");
    for text in ["m 1", "m 1\n", "m 1\n\n \t\n", "m 1\n#", "m 1\n# HELP n"] {
        check(text, "m", "1");
    }
    assert_eq!(samples(""), []);
}

#[test]
fn bytes_that_are_not_utf_8_are_forgiven_in_plain_comments_only() {
    let read =
        |bytes: &[u8]| page_text(bytes, Format::Text, &Limits::default()).map(std::borrow::Cow::into_owned);
    assert_eq!(
        read(b"m 1\n # Caf\xe9\n#HELP \xff\n# HELPFUL \xff\nn 2").unwrap(),
        "m 1\n # Caf\u{fffd}\n#HELP \u{fffd}\n# HELPFUL \u{fffd}\nn 2"
    );
    for bytes in
        [&b"up 1\n# HELP m \xff"[..], b"up 1\n#\tTYPE \"\xff\" gauge", b"up 1\nm{a=\"\xff\"} 1", b"# x\n\xff"]
    {
        let error = parse_bytes(bytes, &Limits::default()).unwrap_err().to_string();
        assert!(error.contains("line 2: the text is not UTF-8"), "{error}");
    }
    let error = page_text(b"# Caf\xe9\n# EOF\n", Format::OpenMetrics, &Limits::default()).unwrap_err();
    assert!(error.to_string().contains("line 1: the text is not UTF-8"), "{error}");
    let error = page_text(b"\xff\xff\xff", Format::Text, &Limits::default().with_bytes_max(2)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
}

#[test]
fn errors_stay_short() {
    let long = format!("m {}", "9".repeat(100_000));
    let error = parse(&format!("{long}x"), &Limits::default()).unwrap_err().to_string();
    assert!(error.len() < 600, "{}", error.len());
    assert!(parse(&long, &Limits::default()).is_err(), "too large for a float");
}
