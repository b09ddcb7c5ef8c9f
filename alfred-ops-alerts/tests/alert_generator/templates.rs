//! Variables and functions that labels and annotations may hold: those of Prometheus' reference.

use crate::play;

/// What a text comes to as an annotation and as a label of an alert for `x{job="a.b",url="http://h:1"} 1536.5`.
#[track_caller]
fn check(text: &str, expected: &str) {
    let quoted = text.replace('\'', "''");
    let rules = format!(
        "  - alert: A\n    expr: x\n    labels: {{t: '{quoted}'}}\n    annotations: {{t: '{quoted}'}}\n"
    );
    let moment =
        play(&rules, &[r#"x{job="a.b",url="http://h:1"} 1536.5"#, r#"up{job="z"} 1"#, r#"up{job="b"} 0"#], 1);
    let label = if expected.is_empty() { String::new() } else { format!(",t={expected:?}") };
    let line = format!(r#"firing {{alertname="A",job="a.b"{label},url="http://h:1"}} t={expected} since 0m"#);
    assert_eq!(moment[0].alerts, [line], "{text}");
}

#[test]
fn variables() {
    check("{{ $labels.job }} {{ .Labels.job }} {{ $labels.none }}", "a.b a.b ");
    check("{{ $value }} {{ .Value }}", "1536.5 1536.5");
    check("{{ range $name, $value := $labels }}{{ $name }} {{ end }}", "__name__ job url ");
}

#[test]
fn queries() {
    check(r#"{{ query "up" | len }}"#, "2");
    check(r#"{{ query "up == 1" | first | value }}"#, "1");
    check(r#"{{ query "up == 1" | first | label "job" }}"#, "z");
    check(
        r#"{{ range query "up" | sortByLabel "job" }}{{ .Labels.job }}={{ .Value }} {{ end }}"#,
        "b=0 z=1 ",
    );
}

#[test]
fn numbers() {
    check("{{ humanize $value }} {{ humanize1024 $value }}", "1.536k 1.5ki");
    check("{{ humanizeDuration $value }} {{ humanizePercentage 0.256 }}", "25m 36s 25.6%");
    check("{{ humanizeTimestamp $value }}", "1970-01-01 00:25:36.5 +0000 UTC");
    check(r#"{{ parseDuration "1h2m" }} {{ printf "%.1f" $value }}"#, "3720 1536.5");
}

#[test]
fn texts() {
    check(r#"{{ title "ab c" }} {{ toUpper "ab" }} {{ toLower "AB" }}"#, "Ab C AB ab");
    check(r#"{{ match "^a" $labels.job }} {{ reReplaceAll "(a).b" "$1" $labels.job }}"#, "true a");
    check(r#"{{ stripPort "h:9090" }}"#, "h");
    check(r#"{{ with args 1 "b" }}{{ .arg0 }}{{ .arg1 }}{{ end }}"#, "1b");
}

/// Not all of these are of use to a rule, but none may keep a rule from being loaded.
#[test]
fn what_may_be_left_out_is_accepted() {
    check(r#"{{ graphLink "up" }}"#, "/graph?g0.expr=up&g0.tab=0");
    check(r#"{{ tableLink "up" }}"#, "/graph?g0.expr=up&g0.tab=1");
    check(r#"{{ define "x" }}<{{ . }}>{{ end }}{{ tmpl "x" 5 }}"#, "<5>");
    check(r#"{{ safeHtml "a" }}"#, "a");
    check(r#"{{ query "up == 1" | first | strvalue }}"#, "");
    check("{{ pathPrefix }}{{ externalURL }}", "");
    check("{{ $externalLabels }}{{ .ExternalLabels.none }}", "map[]");
    check("{{ $externalURL }}{{ .ExternalURL }}", "");
}
