//! The answers of `GET /api/v1/rules` and `GET /api/v1/alerts`.

use alfred_ops_alerts::AlertmanagerPolicy;
use serde_json::{Value, json};

use crate::sending::World;

const RULES: &str = "  - alert: A\n    expr: x  > 5\n    for: 1m\n    keep_firing_for: 90s\n    \
                     labels: {severity: 'p{{ $value }}'}\n    annotations: {s: 'x is {{ $value }}'}\n  \
                     - {record: r, expr: sum(x), labels: {k: v}}\n  \
                     - {alert: Same, expr: x > 0, labels: {i: same}}\n";

fn rule(answer: &Value, place: usize) -> &Value {
    &answer["data"]["groups"][0]["rules"][place]
}

#[tokio::test]
async fn rules() {
    let world = World::new(60, RULES, AlertmanagerPolicy::default());
    let answer = world.engine.rules_api();
    assert_eq!(answer["status"], "success");
    for place in 0..3 {
        assert_eq!(rule(&answer, place)["health"], "unknown");
        assert!(
            !rule(&answer, place)["lastError"].as_str().unwrap().is_empty(),
            "any health but ok has an error"
        );
    }
    assert_eq!(rule(&answer, 0)["lastEvaluation"], "0001-01-01T00:00:00Z");
    assert_eq!(rule(&answer, 0)["state"], "inactive");

    world.step(0, &[("a", 6.5), ("b", 6.0)]).await;
    let answer = world.engine.rules_api();
    let group = &answer["data"]["groups"][0];
    assert_eq!((&group["name"], &group["file"]), (&json!("g"), &json!("rules.yml")));
    assert_eq!((&group["interval"], &group["limit"]), (&json!(60.0), &json!(0)));
    assert_eq!(group["lastEvaluation"], "2024-10-04T00:00:00.000Z");
    assert!(group["evaluationTime"].is_f64());
    assert_eq!(rule(&answer, 0)["state"], "pending");
    assert_eq!(rule(&answer, 2)["health"], "err");
    assert!(rule(&answer, 2)["lastError"].as_str().unwrap().contains("labelset"), "{}", rule(&answer, 2));

    world.step(60, &[("a", 6.5), ("b", 6.0)]).await;
    world.step(120, &[("a", 6.5), ("b", 1.0)]).await;
    let answer = world.engine.rules_api();
    let alert = |i: &str, severity: &str, value: &str, text: &str| {
        json!({
            "labels": {"alertname": "A", "severity": severity, "i": i, "instance": "a:1", "job": "j"},
            "annotations": {"s": text}, "state": "firing", "activeAt": "2024-10-04T00:00:00.000Z", "value": value,
        })
    };
    let mut kept = alert("b", "p6", "6e+00", "x is 6");
    kept["keepFiringSince"] = json!("2024-10-04T00:02:00.000Z");
    let expected = json!({
        "type": "alerting", "name": "A", "query": "x  > 5", "duration": 60.0, "keepFiringFor": 90.0,
        "labels": {"severity": "p{{ $value }}"}, "annotations": {"s": "x is {{ $value }}"},
        "lastEvaluation": "2024-10-04T00:02:00.000Z", "evaluationTime": 0.0, "health": "ok", "state": "firing",
        "alerts": [alert("a", "p6.5", "6.5e+00", "x is 6.5"), kept],
    });
    assert_eq!(rule(&answer, 0), &expected, "what was written stands as it was written");
    let expected = json!({
        "type": "recording", "name": "r", "query": "sum(x)", "labels": {"k": "v"}, "health": "ok",
        "lastEvaluation": "2024-10-04T00:02:00.000Z", "evaluationTime": 0.0,
    });
    assert_eq!(rule(&answer, 1), &expected);

    world.step(300, &[("a", 1.0)]).await;
    let answer = world.engine.rules_api();
    assert_eq!(rule(&answer, 0)["state"], "firing", "kept firing");
    world.step(400, &[("a", 1.0)]).await;
    let answer = world.engine.rules_api();
    assert_eq!((&rule(&answer, 0)["state"], &rule(&answer, 0)["alerts"]), (&json!("inactive"), &json!([])));
    assert_eq!(rule(&answer, 2)["health"], "ok");
    assert!(rule(&answer, 2).get("lastError").is_none(), "health ok has no error");
}

#[tokio::test]
async fn alerts() {
    let rules = "  - {alert: A, expr: sum by (i) (x) > 5, for: 1m}\n  - {alert: B, expr: sum(x) > 0}\n";
    let world = World::new(60, rules, AlertmanagerPolicy::default());
    world.step(0, &[("a", 6.0)]).await;
    world.step(60, &[("b", 7.0)]).await;
    let answer = world.engine.alerts_api();
    let expected = json!({"status": "success", "data": {"alerts": [
        {"labels": {"alertname": "A", "i": "b"}, "annotations": {}, "state": "pending",
         "activeAt": "2024-10-04T00:01:00.000Z", "value": "7e+00"},
        {"labels": {"alertname": "B"}, "annotations": {}, "state": "firing",
         "activeAt": "2024-10-04T00:00:00.000Z", "value": "7e+00"},
    ]}});
    assert_eq!(answer, expected, "all that are pending or firing");
    let of_rules = world.engine.rules_api();
    let union: Vec<Value> = [0, 1]
        .iter()
        .flat_map(|place| rule(&of_rules, *place)["alerts"].as_array().unwrap().clone())
        .collect();
    assert_eq!(answer["data"]["alerts"], json!(union), "the union of what the rules have");
    world.step(120, &[("b", -1.0)]).await;
    assert_eq!(world.engine.alerts_api()["data"]["alerts"], json!([]), "a resolved alert is not shown");
}
