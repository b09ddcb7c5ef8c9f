//! What rules write in their annotations.

use alfred_ops_core::{Classify as _, ErrorKind, Labels};

use super::agreed::{AGREED, DRAWN, FAILING, UNREADABLE};
use super::{check, expand, now};
use crate::promql::Position;
use crate::template::{Environment, MissingKey, Structure, Template, TemplateSet, Value};

#[test]
fn texts_are_those_of_prometheus() {
    let differing: Vec<_> = AGREED
        .iter()
        .chain(DRAWN)
        .map(|(text, expected)| {
            (*text, *expected, expand(text).unwrap_or_else(|error| format!("error: {error}")))
        })
        .filter(|(_, expected, ours)| expected != ours)
        .collect();
    assert!(differing.is_empty(), "template, Prometheus', ours: {differing:#?}");
}

#[test]
fn what_prometheus_cannot_render_fails() {
    let rendered: Vec<_> =
        FAILING.iter().filter_map(|text| expand(text).ok().map(|ours| (*text, ours))).collect();
    assert!(rendered.is_empty(), "{rendered:#?}");
}

#[test]
fn what_prometheus_cannot_read_is_refused() {
    let read: Vec<_> = UNREADABLE.iter().filter(|text| Template::parse(text).is_ok()).collect();
    assert!(read.is_empty(), "{read:#?}");
}

/// These are younger than the Prometheus that the table is from, or need a server.
#[test]
fn functions_of_the_environment() {
    check("{{ externalURL }} {{ pathPrefix }}", "http://prom.example:9090/path/to /path/to");
    check("{{ now }} {{ now | humanizeTimestamp }}", "1.70978796912e+09 2024-03-07 05:06:09.12 +0000 UTC");
    check("{{ (toTime now).Format `15:04` }}", "05:06");
    check("{{ toDuration 90.5 }} {{ (toDuration `3600`).Hours }} {{ toDuration -0.001 }}", "1m30.5s 1 -1ms");
    check("{{ urlQueryEscape `a b&c` }}", "a+b%26c");
    check("{{ define `x` }}<{{ . }}>{{ end }}{{ tmpl `x` 5 | toUpper }}", "<5>");
    check("{{ query `up` | first }}", "{map[__name__:up instance:host-2.example.com:9100 job:b] 1}");
    check("{{ range query `up` | sortByLabel `job` }}{{ .Value }} {{ end }}", "0 1 2.5 ");
}

#[test]
fn zeros_pad_all_but_what_stands_left() {
    check("{{ printf `%07t|%-07t|%07v|%07s` true true nil `a` }}", "000true|true   |00<nil>|000000a");
}

#[test]
fn patterns_are_read_as_in_go() {
    check(r"{{ reReplaceAll `[[]x[]]` `y` `a[x]` }}", "ay");
    check(r"{{ reReplaceAll `[\w.]+@` `@` `a.é.b@c` }}", "a.é@c");
    check(r"{{ match `^\s$` `\u00a0` }}{{ match `^[^\S]$` ` ` }}", "falsetrue");
    check(r"{{ reReplaceAll `\Qa.b\E+` `x` `a.bbb a+b` }}", "xb a+b".replace("xb", "x").as_str());
    check(r"{{ reReplaceAll `[[:alpha:]&&~]+` `-` `1ab&2` }}", "1-2");
}

#[test]
fn a_sample_without_a_float_is_shown_as_it_is_given() {
    let template = Template::parse("{{ $value }}").unwrap();
    let text = template.expand(&Labels::empty(), "{count:3, sum:2}", &Environment::new(now())).unwrap();
    assert_eq!(text, "{count:3, sum:2}");
}

#[test]
fn errors_say_where_and_what_to_write() {
    for (text, line, column, message, hint) in [
        ("a\n {{ humanise 1 }}", 2, 5, "function \"humanise\" is not defined", "did you mean humanize?"),
        ("{{ $label.job }}", 1, 4, "the variable $label is not defined", "did you mean $labels?"),
        ("{{ if true }}x", 1, 4, "the if is not closed", "close it with `{{end}}`"),
        (
            "é {{ trimSpace `x` }}",
            1,
            7,
            "function \"trimSpace\" is not defined",
            "trimSpace is there in notification templates only",
        ),
        ("{{ \n$value", 1, 1, "the action is not closed", "end it with `}}`"),
        (
            "{{ gt $value 80 }}",
            1,
            4,
            "gt: cannot compare float64 with int; write the whole number with a fraction, such as 80.0",
            "",
        ),
        (
            "{{ template `heade` }}{{ define `header` }}x{{ end }}",
            1,
            4,
            "template \"heade\" is not defined",
            "did you mean \"header\"?",
        ),
        ("{{ with $x := .Lables }}{{ end }}", 1, 15, "template.AlertData has no field or method Lables", ""),
        ("{{ query `up{` }}", 1, 4, "query: parse query: unexpected end", ""),
    ] {
        let error = expand(text).unwrap_err();
        assert_eq!(error.message(), message, "{text}");
        assert_eq!(error.position(), Some(Position { line, column }), "{text}");
        assert_eq!(error.hint().unwrap_or_default(), hint, "{text}");
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text}");
        assert_eq!(error.remedy().unwrap_or_default(), hint, "{text}");
    }
}

#[test]
fn a_missing_name_means_what_was_chosen() {
    let labels = Labels::from_pairs([("job", "agents")]);
    for (missing_key, expected) in [
        (MissingKey::Zero, Some("<>")),
        (MissingKey::NoValue, Some("<<no value>>")),
        (MissingKey::Error, None),
    ] {
        let set = TemplateSet::new(Default::default()).with_missing_key(missing_key);
        let text = set.parse("<{{ $labels.nope }}>").unwrap().expand(&labels, 1.0, &Environment::new(now()));
        assert_eq!(text.ok().as_deref(), expected);
    }
}

#[test]
fn other_data_may_lack_the_fields_of_rules() {
    let template = Template::parse("{{ .Name }} {{ $value }} {{ $labels }}").unwrap();
    let data = Value::from(Structure::new("Thing").with("Name", "x").with("Value", 3_i64));
    assert_eq!(template.render(&data, &Environment::new(now())).unwrap(), "x 3 <no value>");
}
