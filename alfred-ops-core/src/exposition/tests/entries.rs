//! Entry by entry.

use super::super::{Entries, Entry, Format, LabelReader, Limits};
use crate::{ErrorKind, Labels};

fn entries(text: &str, format: Format) -> Entries<'_> {
    Entries::new(text, format, &Limits::default()).unwrap()
}

/// Checks that the series on `line` is cut out exactly.
fn check(line: &str, series: &str) {
    for format in [Format::Text, Format::OpenMetrics] {
        let text = format!("{line}\n# EOF\n");
        match entries(&text, format).next().unwrap().unwrap() {
            Entry::Sample(sample) => assert_eq!(sample.series.text(), series, "{line}"),
            other => panic!("{line}: {other:?}"),
        }
    }
}

#[test]
fn a_series_is_the_text_of_the_page() {
    check("m 1", "m");
    check("m{} 1", "m{}");
    check("m{b=\"2\",a=\"1\",} 1 5", "m{b=\"2\",a=\"1\",}");
    check("m{a=\"} 1\",b=\"\\\\\"} 2", "m{a=\"} 1\",b=\"\\\\\"}");
    check("m{a=\"\\\"}\"} 2", "m{a=\"\\\"}\"}");
    check("{\"a}b\",c=\"# {\"} 2", "{\"a}b\",c=\"# {\"}");
    let text = " \tm { a = \"1\" , }\t1";
    match entries(text, Format::Text).next().unwrap().unwrap() {
        Entry::Sample(sample) => assert_eq!(sample.series.text(), "m { a = \"1\" , }"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn entries_come_in_the_order_of_the_page() {
    let text = "# TYPE a_s counter\n# UNIT a_s s\n# HELP \"a_s\" x\\\"y\\\\\na_s_total{b=\"c\"} 2 -1.5 # {d=\"e\"} 3 4\n# EOF\n";
    let mut entries = entries(text, Format::OpenMetrics);
    let mut found = Vec::new();
    while let Some(entry) = entries.next() {
        let line = entries.line();
        found.push(match entry.unwrap() {
            Entry::Kind { name, kind } => format!("{line} {name} {}", kind.name(Format::OpenMetrics)),
            Entry::Unit { name, unit } => format!("{line} {name} unit {unit}"),
            Entry::Help { name, help } => format!("{line} {name} help {help}"),
            Entry::Sample(sample) => {
                assert_eq!(sample.series.line(), line);
                assert_eq!(sample.series.labels().unwrap(), Labels::metric("a_s_total").with("b", "c"));
                let exemplar = sample.exemplar.unwrap();
                assert_eq!(exemplar.labels.labels().unwrap(), Labels::from_pairs([("d", "e")]));
                let (value, time) = (sample.value, sample.timestamp_ms);
                format!(
                    "{line} {} {value} {time:?} {} {:?}",
                    sample.series, exemplar.value, exemplar.timestamp_ms
                )
            }
        });
    }
    assert_eq!(
        found,
        [
            "1 a_s counter",
            "2 a_s unit s",
            "3 a_s help x\"y\\",
            "4 a_s_total{b=\"c\"} 2 Some(-1500) 3 Some(4000)",
        ]
    );
    assert!(entries.next().is_none());
}

#[test]
fn duplicates_are_for_the_caller() {
    let values: Vec<f64> = entries("m 1\nm 2\n", Format::Text)
        .map(|entry| match entry.unwrap() {
            Entry::Sample(sample) => sample.value,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(values, [1.0, 2.0]);
}

#[test]
fn after_an_error_nothing_comes() {
    let mut entries = entries("a 1\nb x\nc 1\n", Format::Text);
    assert!(entries.next().unwrap().is_ok());
    let error = entries.next().unwrap().unwrap_err();
    assert!(error.to_string().contains("line 2: \"x\" is not a decimal number"), "{error}");
    assert!(entries.next().is_none());
}

#[test]
fn what_only_decoding_shows_is_told_with_its_line() {
    let text = "a 1\n\n# c\nb{x=\"1\",\"x\"=\"2\"} 1\n";
    let bad = entries(text, Format::Text).map(Result::unwrap).last();
    let Some(Entry::Sample(sample)) = bad else { panic!("{bad:?}") };
    let mut reader = LabelReader::new();
    let error = reader.read(&sample.series).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(error.to_string().contains("line 4: the label \"x\" occurs twice, in `b{x="), "{error}");
    let Entry::Sample(first) = entries(text, Format::Text).next().unwrap().unwrap() else { panic!() };
    assert_eq!(reader.read(&first.series).unwrap(), Labels::metric("a"));
}

#[test]
fn limits_hold_while_streaming() {
    let limits = Limits::default().with_samples_max(1).with_labels_max(1).with_label_bytes_max(3);
    let read = |text| {
        Entries::new(text, Format::Text, &limits).and_then(|entries| entries.collect::<Result<Vec<_>, _>>())
    };
    // Escapes count as what they stand for.
    assert!(read("m{a=\"\\n\\n\\n\"} 1").is_ok());
    for (text, says) in [
        ("a 1\nb 1", "line 2: more than 1 samples"),
        ("m{a=\"1\",b=\"2\"} 1", "more than 1 labels"),
        ("m{a=\"1234\"} 1", "label name or value longer than 3 bytes"),
        ("m{abcd=\"1\"} 1", "label name or value longer than 3 bytes"),
        ("abcd 1", "label name or value longer than 3 bytes"),
    ] {
        let error = read(text).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
        assert!(error.to_string().contains(says), "{error}");
    }
    let error = Entries::new("m 1", Format::Text, &limits.with_bytes_max(2)).unwrap_err();
    assert!(error.to_string().contains("page longer than 2 bytes"), "{error}");
}
