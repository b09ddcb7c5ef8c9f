//! Side by side with a real Alertmanager, and a Prometheus that sends to the same one.
//!
//! `scripts/test` unpacks both and names their folders in `ALFRED_OPS_ALERTMANAGER_BIN` and `ALFRED_OPS_PROMETHEUS_BIN`.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod loopback;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use alfred_ops_alerts::testing::conformance::alertmanager as alertmanager_contract;
use alfred_ops_alerts::{
    AlertEngine, AlertEngineBuilder, AlertmanagerPolicy, Authentication, Credential, HttpAlertmanager,
    HttpAlertmanagerOptions, MemoryAlertmanager, ReadOptions, Rule, RuleFile, Target,
};
use alfred_ops_core::{Clock as _, ClosureSource, Labels, Sample, Secret, SystemClock};
use chrono::{DateTime, Utc};
use loopback::{Loopback, answer};
use serde_json::{Value, json};

/// Longer than the servers take to start, and Prometheus to find its Alertmanager, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(120);
const EXTERNAL_URL: &str = "http://prom.example/sub";
/// What both evaluate. Expressions are written as Prometheus prints them, which is what its links hold.
const RULES: &str = r#"
groups:
- name: first
  interval: 1s
  limit: 5
  rules:
  - alert: Always
    expr: vector(11.5) > 10
    labels: {severity: page, odd: 'a "b" \ ü'}
    annotations: {summary: 'It is {{ $value }} & more', empty: ''}
  - record: recorded
    expr: vector(2)
  - record: labelled
    expr: vector(2)
    labels: {k: v}
  - alert: Quiet
    expr: recorded > 9
    for: 1h
    keep_firing_for: 5m
- name: second
  interval: 1s
  rules:
  - alert: Bare
    expr: label_replace(vector(1), "zone", "a b", "", "") + 0
  - alert: Waits
    expr: vector(1)
    for: 1h
"#;

/// The program `name` of a folder that the environment names.
fn binary(variable: &str, name: &str) -> PathBuf {
    let folder = std::env::var_os(variable)
        .unwrap_or_else(|| panic!("run the tests by scripts/test, which unpacks {name}, or set {variable}"));
    Path::new(&folder).join(name)
}

/// A server of our own on a free port, killed when dropped.
struct Server {
    child: Child,
    base: String,
    folder: tempfile::TempDir,
}

impl Server {
    fn start(program: &Path, config: &str, path: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.yml");
        std::fs::write(&file, config).unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let child = Command::new(program)
            .arg(format!("--config.file={}", file.display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .args(arguments)
            .current_dir(&folder)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, base: format!("http://{address}{path}"), folder }
    }

    /// Asks until the answer satisfies `done`; the last answer fails the test otherwise.
    async fn ask(&self, path: &str, done: impl Fn(&Value) -> bool) -> Value {
        let clock = SystemClock::new();
        let mut last = Value::Null;
        while clock.monotonic() < PATIENCE {
            if let Ok(answer) = reqwest::get(format!("{}{path}", self.base)).await
                && let Ok(text) = answer.text().await
                && let Ok(answer) = serde_json::from_str(&text)
            {
                if done(&answer) {
                    return answer;
                }
                last = answer;
            }
            clock.sleep(Duration::from_millis(100)).await;
        }
        panic!("{} did not come to it within {PATIENCE:?}: {last:#}", self.base);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An Alertmanager below `/base` that tells nobody.
async fn alertmanager(arguments: &[&str]) -> Server {
    let program = binary("ALFRED_OPS_ALERTMANAGER_BIN", "prometheus-alertmanager");
    let config = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n";
    let own = ["--storage.path=data", "--cluster.listen-address=", "--web.route-prefix=/base"];
    let server = Server::start(&program, config, "/base", &[&own[..], arguments].concat());
    server.ask("/api/v2/alerts", Value::is_array).await;
    server
}

fn told(server: &Server) -> Arc<HttpAlertmanager> {
    let options = HttpAlertmanagerOptions::default();
    Arc::new(HttpAlertmanager::new(&server.base, options, SystemClock::shared()).unwrap())
}

fn engine_of_file(server: &Server, file: &str) -> AlertEngine {
    let groups = RuleFile::parse(RULES, &ReadOptions::new(file)).unwrap().groups;
    let policy = AlertmanagerPolicy::default().with_external_label("from", "ours");
    AlertEngine::builder()
        .rule_groups(groups)
        .alertmanager(told(server))
        .alertmanager_policy(policy.with_external_url(EXTERNAL_URL))
        .build()
        .unwrap()
}

/// A gauge `queue` and an engine that watches it.
fn watched_queue() -> (Arc<AtomicU32>, AlertEngineBuilder) {
    let value = Arc::new(AtomicU32::new(11));
    let shared = Arc::clone(&value);
    let source = ClosureSource::new("queue", move || {
        Ok(vec![Sample::new(Labels::metric("queue"), f64::from(shared.load(Ordering::SeqCst)))])
    });
    (value, AlertEngine::builder().target(Target::in_process("agents", "a:1", Arc::new(source))))
}

fn time(value: &Value) -> DateTime<Utc> {
    value.as_str().unwrap().parse().unwrap()
}

/// What an Alertmanager shows of the alerts from `from`, but for what differs between two who send the same.
fn shown(alerts: &Value, from: &str) -> BTreeSet<String> {
    let of = |alert: &&Value| alert["labels"]["from"] == from;
    let line = |alert: &Value| {
        let mut labels = alert["labels"].clone();
        labels.as_object_mut().unwrap().remove("from");
        json!([labels, alert["annotations"], alert["generatorURL"]]).to_string()
    };
    alerts.as_array().unwrap().iter().filter(of).map(line).collect()
}

/// All keys at every level, each with the kind of what it holds; of lists, of all their elements together.
fn shape(path: &str, value: &Value, keys: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, value)| shape(&format!("{path}.{name}"), value, keys));
        }
        Value::Array(elements) => {
            elements
                .iter()
                .enumerate()
                .for_each(|(place, value)| shape(&format!("{path}[{place}]"), value, keys));
            keys.insert(format!("{path}: list of {}", elements.len()));
        }
        Value::String(_) => drop(keys.insert(format!("{path}: text"))),
        Value::Number(_) => drop(keys.insert(format!("{path}: number"))),
        other => drop(keys.insert(format!("{path}: {other}"))),
    }
}

/// Without what differs between two evaluations.
fn timeless(mut answer: Value) -> Value {
    fn strip(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                for (name, value) in fields.iter_mut() {
                    match name.as_str() {
                        "evaluationTime" | "lastEvaluation" | "activeAt" | "file" => *value = Value::Null,
                        // 1 and 1.0 are one number.
                        "interval" | "limit" | "duration" | "keepFiringFor" => *value = json!(value.as_f64()),
                        _ => strip(value),
                    }
                }
            }
            Value::Array(elements) => elements.iter_mut().for_each(strip),
            _ => {}
        }
    }
    strip(&mut answer);
    answer
}

#[tokio::test(flavor = "multi_thread")]
async fn it_takes_what_a_prometheus_sends() {
    let server = alertmanager(&[]).await;
    let rules = server.folder.path().join("rules.yml");
    std::fs::write(&rules, RULES).unwrap();
    let config = format!(
        "global: {{external_labels: {{from: theirs}}}}\nrule_files: [{}]\nalerting:\n  alertmanagers:\n  \
         - {{path_prefix: /base, static_configs: [{{targets: ['{}']}}]}}\n",
        rules.display(),
        server.base.strip_prefix("http://").unwrap().strip_suffix("/base").unwrap(),
    );
    let program = binary("ALFRED_OPS_PROMETHEUS_BIN", "prometheus");
    let external = format!("--web.external-url={EXTERNAL_URL}");
    // Sends again soon: the first time it may not have found the Alertmanager.
    let arguments =
        ["--storage.tsdb.path=data", &external, "--web.route-prefix=/", "--rules.alert.resend-delay=1s"];
    let prometheus = Server::start(&program, &config, "", &arguments);
    let engine = engine_of_file(&server, rules.to_str().unwrap());
    let clock = SystemClock::new();
    engine.step(clock.now()).await;
    let status = &engine.status().alertmanagers[0];
    assert_eq!((status.sent, status.failed, status.waiting), (2, 0, 0), "{status:?}");
    assert_eq!(status.name, server.base);

    let done = |alerts: &Value| shown(alerts, "theirs").len() == 2;
    let alerts = server.ask("/api/v2/alerts", done).await;
    assert_eq!(shown(&alerts, "ours"), shown(&alerts, "theirs"));

    let evaluated = |answer: &Value| {
        let rules = answer["data"]["groups"].as_array().into_iter().flatten();
        let mut rules = rules.flat_map(|group| group["rules"].as_array().unwrap()).peekable();
        rules.peek().is_some() && rules.all(|rule| rule["health"] == "ok")
    };
    for (path, ours) in [("/api/v1/rules", engine.rules_api()), ("/api/v1/alerts", engine.alerts_api())] {
        let mut theirs = prometheus.ask(path, |answer| path.ends_with("alerts") || evaluated(answer)).await;
        let mut ours = ours;
        if let (Some(theirs), Some(ours)) =
            (theirs["data"]["alerts"].as_array_mut(), ours["data"]["alerts"].as_array_mut())
        {
            // Groups are in no order there.
            let name = |alert: &Value| alert["labels"]["alertname"].to_string();
            theirs.sort_by_key(name);
            ours.sort_by_key(name);
        }
        let [mut their_keys, mut our_keys] = [BTreeSet::new(), BTreeSet::new()];
        shape("", &theirs, &mut their_keys);
        shape("", &ours, &mut our_keys);
        assert_eq!(our_keys, their_keys, "{path}");
        println!("{path}: {} keys compared", our_keys.len());
        assert_eq!(timeless(ours), timeless(theirs), "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_keep_the_contract() {
    let server = alertmanager(&[]).await;
    alertmanager_contract(&*told(&server)).await;
    alertmanager_contract(&MemoryAlertmanager::new("memory")).await;
    alertmanager_contract(&told(&server)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_fires_and_resolves_there() {
    let server = alertmanager(&[]).await;
    let (queue, builder) = watched_queue();
    let rule = Rule::new("Long", "queue > 10").with_label("severity", "page");
    let engine = builder
        .rules([rule.with_annotation("summary", "{{ $value }} wait")])
        .alertmanager(told(&server))
        .build()
        .unwrap();
    let clock = SystemClock::new();
    let fired = clock.now();
    engine.step(fired).await;
    let alerts = server.ask("/api/v2/alerts", |alerts| alerts != &json!([])).await;
    let alert = &alerts[0];
    let labels = json!({"alertname": "Long", "severity": "page", "job": "agents", "instance": "a:1"});
    assert_eq!((&alert["labels"], &alert["annotations"]), (&labels, &json!({"summary": "11 wait"})));
    assert_eq!(time(&alert["startsAt"]).timestamp_millis(), fired.timestamp_millis());
    assert_eq!(time(&alert["endsAt"]).timestamp_millis(), fired.timestamp_millis() + 240_000);
    assert_eq!(alert["fingerprint"], format!("{:016x}", engine.alerts()[0].fingerprint()));
    queue.store(0, Ordering::SeqCst);
    engine.step(clock.now()).await;
    assert_eq!(engine.status().alertmanagers[0].sent, 2);
    server.ask("/api/v2/alerts", |alerts| alerts == &json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_refuses_shows_with_its_reason() {
    let server = alertmanager(&["--enable-feature=classic-mode"]).await;
    let (_, builder) = watched_queue();
    let odd = Rule::new("Odd", "queue > 10").with_label("odd.name", "x");
    let engine =
        builder.rules([odd, Rule::new("Good", "queue > 10")]).alertmanager(told(&server)).build().unwrap();
    engine.step(SystemClock::new().now()).await;
    let status = &engine.status().alertmanagers[0];
    assert_eq!((status.sent, status.failed, status.last_success), (0, 2, None));
    let error = status.last_error.as_deref().unwrap();
    assert!(error.contains("400") && error.contains("odd.name"), "{error}");
    // The rest of the batch is taken.
    let alerts = server.ask("/api/v2/alerts", |alerts| alerts != &json!([])).await;
    assert_eq!((alerts.as_array().unwrap().len(), &alerts[0]["labels"]["alertname"]), (1, &json!("Good")));
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_as_the_options_ask() {
    let server = Loopback::start(|asked| {
        let status = if asked.uri.starts_with("/down") { 503 } else { 200 };
        answer(status, &[], "overloaded\n")
    })
    .await;
    let password = Credential::Inline(Secret::new("hidden"));
    let login =
        Authentication::Basic { username: Credential::Inline(Secret::new("me")), password: Some(password) };
    let options = || {
        HttpAlertmanagerOptions::default()
            .with_authentication(login.clone())
            .with_header("X-Scope-OrgID", "tenant")
            .with_timeout(PATIENCE)
    };
    let one = |path: &str| {
        let url = format!("http://{}{path}", server.address);
        Arc::new(HttpAlertmanager::new(&url, options(), SystemClock::shared()).unwrap())
    };
    let (_, builder) = watched_queue();
    let engine = builder
        .rules([Rule::new("Long", "queue > 10")])
        .alertmanager(one("/up/"))
        .alertmanager(one("/down"))
        .build()
        .unwrap();
    engine.step(SystemClock::new().now()).await;
    let mut asked = server.asked();
    asked.sort_by(|left, right| left.uri.cmp(&right.uri));
    let uris: Vec<&str> = asked.iter().map(|asked| &*asked.uri).collect();
    assert_eq!(uris, ["/down/api/v2/alerts", "/up/api/v2/alerts"]);
    assert_eq!(asked[1].header("content-type"), "application/json");
    assert_eq!(asked[1].header("authorization"), "Basic bWU6aGlkZGVu");
    assert_eq!(asked[1].header("x-scope-orgid"), "tenant");
    let body: Value = serde_json::from_str(&asked[1].body).unwrap();
    assert_eq!(body[0]["labels"]["alertname"], "Long");
    assert_eq!(body.as_array().unwrap().len(), 1);
    let status = engine.status().alertmanagers;
    assert_eq!((status[0].sent, status[1].failed), (1, 1));
    let error = status[1].last_error.as_deref().unwrap();
    assert!(error.contains("503") && error.contains("overloaded") && !error.contains("hidden"), "{error}");
}
