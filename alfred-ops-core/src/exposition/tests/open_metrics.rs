//! `OpenMetrics`.

use super::super::{FamilyKind, Format, Limits, Page};
use crate::ErrorKind;

fn page(lines: &str) -> Page {
    Page::read(&format!("{lines}\n# EOF\n"), Format::OpenMetrics, &Limits::default()).unwrap()
}

fn check(line: &str, series: &str, value: &str) {
    let page = page(line);
    let samples: Vec<_> =
        page.samples.iter().map(|sample| (sample.labels.to_string(), sample.value.to_string())).collect();
    assert_eq!(samples, [(series.to_owned(), value.to_owned())], "{line}");
}

/// Checks that a line before a proper end is refused.
fn refused(line: &str, says: &str) {
    super::refused(Format::OpenMetrics, &format!("{line}\n# EOF\n"), says);
}

/// The types, units, exemplars and created series of the standard.
const EVERYTHING: &str = r#"# TYPE acme_http_router_request_seconds summary
# UNIT acme_http_router_request_seconds seconds
# HELP acme_http_router_request_seconds Latency though all of ACME's "HTTP" \"router\".
acme_http_router_request_seconds_sum{path="/api/v1",method="GET"} 9036.32
acme_http_router_request_seconds_count{path="/api/v1",method="GET"} 807283.0
acme_http_router_request_seconds_created{path="/api/v1",method="GET"} 1605281325.0
# TYPE go_goroutines gauge
go_goroutines 69
# TYPE process_cpu_seconds counter
# UNIT process_cpu_seconds seconds
process_cpu_seconds_total 4.20072246e+06 1520879607.789 # {trace_id="KOO5S4vxi0o"} 0.67 1520879606.5
process_cpu_seconds_created 1.5
# TYPE build info
build_info{version="8.2.7"} 1
# TYPE feature stateset
feature{feature="a"} 1
feature{feature="b"} 0
# TYPE queue gaugehistogram
queue_bucket{le="1.0"} 2
queue_bucket{le="+Inf"} 3 # {} 7
queue_gcount 3
queue_gsum 9.5
# TYPE foo histogram
foo_bucket{le="+Inf"} 17
# TYPE odd unknown
odd -3
# EOF
"#;

#[test]
fn reads_every_kind_with_units_and_exemplars() {
    let page = Page::read(EVERYTHING, Format::OpenMetrics, &Limits::default()).unwrap();
    let kinds: Vec<_> = page.families.iter().map(|family| family.kind).collect();
    assert_eq!(
        kinds,
        [
            FamilyKind::Summary,
            FamilyKind::Gauge,
            FamilyKind::Counter,
            FamilyKind::Info,
            FamilyKind::StateSet,
            FamilyKind::GaugeHistogram,
            FamilyKind::Histogram,
            FamilyKind::Untyped
        ]
    );
    assert_eq!(page.families[0].unit, "seconds");
    assert_eq!(page.families[0].help, "Latency though all of ACME's \"HTTP\" \"router\".");
    assert_eq!(page.samples.len(), 15);
    let cpu = &page.samples[4];
    assert_eq!(cpu.timestamp.unwrap().timestamp_millis(), 1_520_879_607_789);
    assert!((cpu.value - 4_200_722.46).abs() < f64::EPSILON);
    let [first, second] = &page.exemplars[..] else { panic!("{:?}", page.exemplars) };
    assert_eq!((first.sample, first.labels.get("trace_id")), (4, Some("KOO5S4vxi0o")));
    assert_eq!(first.timestamp.unwrap().timestamp_millis(), 1_520_879_606_500);
    assert_eq!((second.sample, second.labels.is_empty(), second.timestamp), (10, true, None));
    assert!((second.value - 7.0).abs() < f64::EPSILON);
}

#[test]
fn reads_what_prometheus_reads() {
    check("m 1", "m", "1");
    check("m{} 1", "m", "1");
    check("m{a=\"1\",} 1", "m{a=\"1\"}", "1");
    check("m{a=\"\\\\\\\"\\n\\x\",b=\"\"} 1 1.5", "m{a=\"\\\\\\\"\\n\\\\x\"}", "1");
    check("{\"http.status\",\"a.b\"=\"c\"} 1", "{\"http.status\",\"a.b\"=\"c\"}", "1");
    check("m{a=\"b\0\"} NaN", "m{a=\"b\0\"}", "NaN");
    check("m 1 # {a.b=\"c\"} 1".replace("a.b", "\"a.b\"").as_str(), "m", "1");
    assert_eq!(page("# HELP \"a b\" \n# UNIT m \n# TYPE \"a b\" gauge").families.len(), 2);
    for end in ["# EOF", "# EOF\n", "m 1\n# EOF"] {
        Page::read(end, Format::OpenMetrics, &Limits::default()).unwrap();
    }
}

#[test]
fn a_page_must_end_and_nothing_may_follow() {
    let refused = |text: &str, says: &str| super::refused(Format::OpenMetrics, text, says);
    for text in ["", "m 1\n", "m 1", "m 1 5", "m 1 # {} 1", "# HELP m x", "# TYPE m gauge\n"] {
        refused(text, "the page does not end with `# EOF`");
    }
    for text in ["# EOF\n\n", "# EOF\nm 1\n", "# EOFm 1", "# EOF \n", "# EOF\n# EOF\n", "# EOF\r\n"] {
        let error = Page::read(text, Format::OpenMetrics, &Limits::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}");
    }
    refused("# EOF\nm 1\n", "line 1: something follows `# EOF`");
    let error = Page::read("m 1\n", Format::OpenMetrics, &Limits::default()).unwrap_err();
    assert!(error.remedy().unwrap().contains("cut off"), "{error}");
}

#[test]
fn blanks_are_single_spaces_in_their_places() {
    refused("", "expected a metric name, found the end of the line");
    refused(" m 1", "expected a metric name, found ' '");
    refused("m  1", "\"\" is not a decimal number");
    refused("m\t1", "expected a space before the value, found '\\t'");
    refused("m 1 ", "\"\" is not a timestamp in seconds");
    refused("m 1\t2", "expected the end of the line, found '\\t'");
    refused("m 1 2 ", "expected the end of the line, found ' '");
    refused("m{a=\"1\"}1", "expected a space before the value, found '1'");
    refused("m {a=\"1\"} 1", "is not a decimal number");
    refused("m{ a=\"1\"} 1", "expected a label name or `}`, found ' '");
    refused("m{a =\"1\"} 1", "expected `=` after a label name, found ' '");
    refused("m{a= \"1\"} 1", "expected a quoted label value, found ' '");
    refused("m{a=\"1\" } 1", "expected `,` or `}`, found ' '");
    refused("m{a=\"1\", b=\"2\"} 1", "expected a label name or `}`, found ' '");
    refused("#\tTYPE m counter", "expected HELP, TYPE, UNIT or EOF after `# `");
    refused("# TYPE m  counter", "\" counter\" is not a metric type");
    refused("# TYPE m", "expected a space after the metric name, found the end of the line");
    refused("m 1\r", "the line ends with a carriage return");
    refused("\u{feff}m 1", "expected a metric name, found '\\u{feff}'");
}

#[test]
fn refuses_what_prometheus_refuses() {
    refused("# a comment", "expected HELP, TYPE, UNIT or EOF after `# `");
    refused("#", "expected HELP, TYPE, UNIT or EOF");
    refused(
        "# TYPE m untyped",
        "\"untyped\" is not a metric type (counter, gauge, histogram, gaugehistogram",
    );
    refused("# UNIT m_seconds ms", "the unit \"ms\" is not the last part of the name \"m_seconds\"");
    refused("# UNIT seconds seconds", "the unit \"seconds\" is not the last part of the name \"seconds\"");
    refused("m{a=\"1\"b=\"2\"} 1", "expected `,` or `}`, found 'b'");
    refused("m{,a=\"1\"} 1", "expected a label name or `}`, found ','");
    refused("m{a} 1", "expected `=` after a label name, found '}'");
    refused("m{a=\"x", "the value of label \"a\" has no closing quote");
    refused("{a=\"1\"} 1", "the sample has no metric name");
    refused("m{\"n\"} 1", "a second metric name \"n\"");
    refused("m{a=\"1\",a=\"2\"} 1", "the label \"a\" occurs twice");
    refused("m 0x1p4", "\"0x1p4\" is not a decimal number");
    refused("m 1_2", "\"1_2\" is not a decimal number");
    refused("m 1 NaN", "\"NaN\" is not a timestamp in seconds");
    refused("m 1 -Inf", "\"-Inf\" is not a timestamp in seconds");
    refused("m 1 1z", "\"1z\" is not a timestamp in seconds");
    refused("m 1 1 1", "expected the end of the line, found ' '");
    refused("m\0 1", "expected a space before the value, found '\\0'");
    refused("\0", "expected a metric name, found '\\0'");
    refused("m {count:1,sum:2}", "is not a decimal number");
}

#[test]
fn refuses_malformed_exemplars() {
    refused("m 1 #", "expected the end of the line, found ' '");
    refused("m 1 # x", "expected `{` of an exemplar, found 'x'");
    refused("m 1 #{a=\"b\"} 1", "expected the end of the line");
    refused("m 1 # {a=\"b\"}", "expected a value, found the end of the line");
    refused("m 1 # {a=\"b\"} x", "\"x\" is not a decimal number");
    refused("m 1 # {a=\"b\"} 1 NaN", "\"NaN\" is not a timestamp in seconds");
    refused("m 1 # {a=b} 1", "expected a quoted label value, found 'b'");
    refused("m 1 # {\"n\"} 1", "expected `=` after a label name, found '}'");
    refused("m 1 # {a=\"b\",,c=\"d\"} 1", "expected a label name or `}`, found ','");
    refused("m 1 # {a=\"b\"} 1 2 # {} 1", "expected the end of the line, found ' '");
}

#[test]
fn an_exemplar_that_cannot_be_decoded_says_nothing_against_its_sample() {
    for exemplar in ["{a=\"b\",a=\"c\"}", "{__name__=\"b\"}"] {
        let page = page(&format!("m 1 # {exemplar} 1"));
        assert_eq!((page.samples.len(), page.exemplars.len()), (1, 0), "{exemplar}");
    }
}

#[test]
fn an_exemplar_stays_with_the_first_of_duplicates() {
    let page = page("a 1\na 2 # {t=\"x\"} 1\nb 1 # {t=\"y\"} 1");
    assert_eq!((page.samples.len(), page.duplicates), (2, 1));
    assert_eq!(page.exemplars.len(), 1);
    assert_eq!(page.samples[page.exemplars[0].sample].labels.name(), Some("b"));
}
