//! What notifications write.

use alfred_ops_core::Labels;
use chrono::{DateTime, Utc};

use super::now;
use crate::template::{Dialect, Environment, KeyValues, Structure, TemplateSet, Value};

fn data() -> Value {
    let labels = Labels::from_pairs([("job", "agents"), ("alertname", "Slow"), ("zone", "a")]);
    let starts: DateTime<Utc> = "2024-03-07T04:06:09Z".parse().unwrap();
    let alert = |status: &str| {
        Structure::new("template.Alert")
            .with("Status", status)
            .with("Labels", KeyValues::from(&labels))
            .with("StartsAt", starts)
            .into()
    };
    Structure::new("template.Data")
        .with("Status", "firing")
        .with("Alerts", vec![alert("firing"), alert("resolved")])
        .with("CommonLabels", KeyValues::from(&labels))
        .into()
}

fn check(text: &str, expected: &str) {
    let mut set = TemplateSet::new(Dialect::Notification);
    set.add(r#"{{ define "title" }}[{{ .Status | toUpper }}]{{ end }} left out"#).unwrap();
    let text_or_error =
        set.parse(text).and_then(|template| template.render(&data(), &Environment::new(now())));
    assert_eq!(text_or_error.as_deref().map_err(ToString::to_string), Ok(expected), "{text}");
}

#[test]
fn labels_have_the_methods_of_alertmanager() {
    check("{{ .CommonLabels }}", "alertname=Slow, job=agents, zone=a");
    check("{{ .CommonLabels.job }}{{ .CommonLabels.nope }}", "agents");
    check(
        "{{ .CommonLabels.SortedPairs.Names }} {{ .CommonLabels.Values }}",
        "[alertname job zone] [Slow agents a]",
    );
    check(
        "{{ range .CommonLabels.SortedPairs }}{{ .Name }}={{ .Value }};{{ end }}",
        "alertname=Slow;job=agents;zone=a;",
    );
    check("{{ (.CommonLabels.Remove (stringSlice `job` `zone`)).Names | join `,` }}", "alertname");
    check(
        "{{ range $k, $v := .CommonLabels }}{{ $k }}:{{ $v }} {{ end }}",
        "alertname:Slow job:agents zone:a ",
    );
    check("{{ index .CommonLabels `job` }} {{ len .CommonLabels }}", "agents 3");
    check(
        "{{ if .CommonLabels.Remove (stringSlice `job` `zone` `alertname`) }}some{{ else }}none{{ end }}",
        "none",
    );
}

#[test]
fn alerts_are_ranged_over() {
    check(
        r#"{{ template "title" . }} {{ range .Alerts }}{{ .Labels.alertname }} is {{ .Status | title }}. {{ end }}"#,
        "[FIRING] Slow is Firing. Slow is Resolved. ",
    );
    check("{{ len .Alerts }} {{ (index .Alerts 1).Status }}", "2 resolved");
}

#[test]
fn times_are_shown_in_zones() {
    check("{{ with index .Alerts 0 }}{{ .StartsAt }}{{ end }}", "2024-03-07 04:06:09 +0000 UTC");
    check(
        "{{ range slice .Alerts 0 1 }}{{ .StartsAt | tz `Europe/Vienna` | date `15:04 MST` }}{{ end }}",
        "05:06 CET",
    );
    check(
        "{{ range slice .Alerts 0 1 }}{{ .StartsAt.Format `Jan 2` }} {{ .StartsAt | since }}{{ end }}",
        "Mar 7 1h0m0.12s",
    );
    check("{{ range slice .Alerts 0 1 }}{{ .StartsAt | since | humanizeDuration }}{{ end }}", "1h 0m 0s");
    check("{{ now | date `2006` }}", "2024");
}

#[test]
fn texts_are_changed() {
    check("{{ title `hELLO wORLD o'neil 1ST` }}", "Hello World O'neil 1St");
    check("{{ trimSpace ` x\n` }}|{{ safeUrl `a?b` }}{{ safeHtml `<b>` }}", "x|a?b<b>");
    check("{{ stringSlice `a` `b` | join `, ` }}", "a, b");
    check("{{ append (list 1 `a`) 2.5 }} {{ (dict `a` 1).a }}", "[1 a 2.5] 1");
}

#[test]
fn json_is_that_of_go() {
    check("{{ toJson .CommonLabels }}", r#"{"alertname":"Slow","job":"agents","zone":"a"}"#);
    check("{{ list 1 2.5 true `a\"<b>` | toJson }}", r#"[1,2.5,true,"a\"\u003cb\u003e"]"#);
    check("{{ list 1e21 1e-7 1e-6 100000000.0 0.0 | toJson }}", "[1e+21,1e-7,0.000001,100000000,0]");
    check("{{ (index .Alerts 0).StartsAt | toJson }}", "\"2024-03-07T04:06:09Z\"");
}

#[test]
fn what_cannot_be_done_fails() {
    let set = TemplateSet::new(Dialect::Notification);
    for text in [
        "{{ tz `Mars/Olympus` (index .Alerts 0).StartsAt }}",
        "{{ toJson (index .Alerts 0) }}",
        "{{ join `,` .Status }}",
        "{{ .Alerts.Firing }}",
        "{{ .CommonLabels.Remove `job` }}",
        "{{ .CommonLabels.Names 1 }}",
        "{{ dict `a` }}",
        "{{ date .Status `x` }}",
        "{{ .Status 1 }}",
    ] {
        assert!(set.parse(text).unwrap().render(&data(), &Environment::new(now())).is_err(), "{text}");
    }
}

#[test]
fn a_text_keeps_the_templates_it_was_parsed_with() {
    let mut set = TemplateSet::new(Dialect::Notification);
    set.add("{{ define `t` }}old{{ end }}").unwrap();
    let text = set.parse("{{ template `t` }}").unwrap();
    set.add("{{ define `t` }}new{{ end }}").unwrap();
    let newer = set.parse("{{ template `t` }}").unwrap();
    let environment = Environment::new(now());
    assert_eq!(text.render(&Value::Nil, &environment).unwrap(), "old");
    assert_eq!(newer.render(&Value::Nil, &environment).unwrap(), "new");
    assert_eq!(set.names().collect::<Vec<_>>(), ["t"]);
    // A file of definitions that is broken leaves the set as it was.
    assert!(set.add("{{ define `u` }}x{{ end }}{{ if }}").is_err());
    assert_eq!(set.names().count(), 1);
}
