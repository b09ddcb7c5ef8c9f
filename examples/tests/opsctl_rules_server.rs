//! `opsctl rules` as a person asks a server with it.
//!
//! `scripts/test` unpacks Prometheus 3 and names its folder in `ALFRED_OPS_PROMETHEUS_BIN`.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use alfred_ops_alerts::{PrometheusApi, PrometheusApiOptions, QuerySource as _};
use alfred_ops_core::{SystemClock, blocking};
use serde_json::Value;
use tempfile::TempDir;

/// Longer than a server takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// Ten minutes of samples, each minute, end here: 2023-11-14T22:20:00Z.
const LAST: i64 = 1_700_000_400;
const TIME: &str = "1700000400";
const RULES: &str = "\
groups:
- name: agents
  interval: 1m
  rules:
  - record: job:errors:rate5m
    expr: sum by (job) (rate(errors_total[5m]))
  - alert: AgentDown
    expr: up == 0
    for: 3m
    labels: {severity: critical}
    annotations: {summary: '{{ $labels.instance }} is down'}
  - alert: LongDown
    expr: up == 0
    for: 30m
  - alert: ShortDown
    expr: up == 0
    for: 5m
  - alert: Errors
    expr: sum by (job) (rate(errors_total[5m])) > 1
  - alert: NoQueue
    expr: queue > 5
  - alert: Mixed
    expr: job:errors:rate5m / on () group_left () count(up) > 0.5
";

fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("ALFRED_OPS_PROMETHEUS_BIN").unwrap_or_else(|| {
        panic!("run the tests by scripts/test, which unpacks Prometheus, or set ALFRED_OPS_PROMETHEUS_BIN")
    });
    Path::new(&folder).join(name)
}

/// An agent that is down for the last four minutes and a good one, and errors at a tenth a second.
fn dump() -> String {
    let mut text = String::new();
    for minute in 0..=10 {
        let at = LAST - 600 + minute * 60;
        let down = i64::from(minute < 6);
        text.push_str(&format!("up{{job=\"agents\",instance=\"bot:8011\"}} {down} {at}\n"));
        text.push_str(&format!("up{{job=\"agents\",instance=\"tax:9003\"}} 1 {at}\n"));
        text.push_str(&format!("errors_total{{job=\"agents\"}} {} {at}\n", minute * 6));
    }
    text + "# EOF\n"
}

/// A Prometheus of our own on a free port, killed when dropped.
struct Prometheus {
    child: Child,
    base: String,
    _folder: TempDir,
}

impl Prometheus {
    /// Starts one whose only samples are those of the dump, below the path `/prometheus`.
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("prometheus.yml"), "global: {scrape_interval: 1m}\n").unwrap();
        std::fs::write(path("dump.txt"), dump()).unwrap();
        let mut promtool = Command::new(program("promtool"));
        promtool.args(["tsdb", "create-blocks-from", "openmetrics"]).arg(path("dump.txt")).arg(path("data"));
        let made = promtool.output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let child = Command::new(program("prometheus"))
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args(["--web.external-url=http://localhost/prometheus", "--storage.tsdb.retention.time=50y"])
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, base: format!("http://{address}/prometheus"), _folder: folder };
        let clock = SystemClock::shared();
        let api = PrometheusApi::new(&server.base, PrometheusApiOptions::default(), SystemClock::shared());
        let api = api.unwrap();
        while api.instant("vector(1)", clock.now()).await.is_err() {
            assert!(clock.monotonic() < PATIENCE, "Prometheus was not ready within {PATIENCE:?}");
            clock.sleep(Duration::from_millis(50)).await;
        }
        server
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A folder with the rules, from which the program is run.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        std::fs::write(desk.0.path().join("rules.yml"), RULES).unwrap();
        std::fs::write(desk.0.path().join("token"), "hunter2-token\n").unwrap();
        desk
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opsctl"));
        command.current_dir(self.0.path()).arg("rules").args(arguments).output().unwrap()
    }

    /// The command ends with this status, says all of these, and no secret.
    #[track_caller]
    fn check(&self, arguments: &[&str], status: i32, told: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(status), "{text}");
        for words in told {
            assert!(text.contains(words), "{words:?} is missing in:\n{text}");
        }
        assert!(!text.contains("hunter2"), "{text}");
        text
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

#[tokio::test]
async fn a_prometheus_is_asked_what_queries_and_rules_come_to() {
    let server = Prometheus::start().await;
    let desk = Desk::new();
    queries(&desk, &server.base);
    rules(&desk, &server.base);
    // Nobody asks with a password: the server takes it and it does not show.
    let known = server.base.replace("://", "://user:hunter2@");
    desk.check(&["query", "up", "--url", &known, "--time", TIME], 0, &["up{instance=\"bot:8011\""]);
}

fn queries(desk: &Desk, base: &str) {
    let query = |expr| ["query", expr, "--url", base, "--time", TIME];
    let told = ["up{instance=\"bot:8011\",job=\"agents\"} 0\n", "up{instance=\"tax:9003\",job=\"agents\"} 1"];
    desk.check(&query("up"), 0, &told);
    desk.check(
        &query("queue{job=\"x\"} > 5"),
        0,
        &["nothing at 2023-11-14T22:20:00Z", "  queue{job=\"x\"}: there is no such series"],
    );
    desk.check(
        &query("up{job=\"x\"}"),
        0,
        &["up{job=\"x\"}: there are series of this name, but none with job=\"x\""],
    );
    desk.check(
        &query("rate(errors_total[5m]) > 1"),
        0,
        &["rate(errors_total[5m]) > 1: 0 of 1 pass; nearest miss {job=\"agents\"}: 0.1 > 1"],
    );
    desk.check(&query("up +"), 1, &["opsctl: ", "unexpected end of input"]);
    let json = desk.json(&query("errors_total[2m]"));
    assert_eq!((&json["type"], &json["source"]), (&"range vector".into(), &base.into()), "{json}");
    assert_eq!(json["result"][0]["points"].as_array().unwrap().len(), 2, "{json}");
    assert_eq!(json["at"], "2023-11-14T22:20:00Z", "{json}");
}

fn rules(desk: &Desk, base: &str) {
    let eval = ["eval", "rules.yml", "--url", base, "--time", TIME];
    let headline = format!("as of 2023-11-14T22:20:00Z, by {base}");
    desk.check(
        &eval,
        0,
        &[
            &headline,
            "group agents, every 1m",
            "record job:errors:rate5m: 1 sample",
            "    {job=\"agents\"} 0.1\n",
            "alert AgentDown (for 3m): 1 firing",
            "note: asked every 1m from 2023-11-14T22:16:00Z on; what held then may have held longer",
            "summary: bot:8011 is down",
            "alert LongDown (for 30m): 1 pending",
            "note: asked every 1m from 2023-11-14T21:49:00Z on\n",
            "the condition has held since 2023-11-14T22:16:00Z; it fires at 2023-11-14T22:46:00Z",
            "alert ShortDown (for 5m): 1 pending",
            "it fires at 2023-11-14T22:21:00Z",
            "alert Errors: no alert",
            "nothing: sum by (job) (rate(errors_total[5m])) > 1: 0 of 1 pass",
            "nothing: queue: there is no such series",
            "nothing: job:errors:rate5m: there is no such series",
            "what changed on the way:",
            "from pending to firing",
        ],
    );
    let json = desk.json(&eval);
    let rules = &json["groups"][0]["rules"];
    assert_eq!(json["source"], base, "{json}");
    assert_eq!(rules[1]["alerts"][0]["state"], "firing", "{json}");
    assert_eq!(rules[1]["samples"][0]["value"], "0", "{json}");
    assert_eq!(rules[2]["alerts"][0]["active_at"], "2023-11-14T22:16:00Z", "{json}");
    assert_eq!(rules[4]["why_empty"].as_array().unwrap().len(), 1, "{json}");
}

/// Answers so many requests alike, and returns what it was asked.
fn answer(listener: &TcpListener, requests: usize, reply: impl Fn(&str) -> String) -> Vec<String> {
    let mut asked = Vec::new();
    for _ in 0..requests {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut request = Vec::new();
        let mut buffer = [0; 4096];
        // Up to the end of the form, whose length a header tells.
        loop {
            let text = String::from_utf8_lossy(&request).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let length = head.lines().find_map(|line| {
                    let (name, value) = line.split_once(": ")?;
                    name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().unwrap())
                });
                if body.len() >= length.unwrap_or(0) {
                    stream.write_all(reply(body).as_bytes()).unwrap();
                    asked.push(text);
                    break;
                }
            }
            let read = stream.read(&mut buffer).unwrap();
            assert!(read > 0, "the request ends too soon: {text}");
            request.extend_from_slice(&buffer[..read]);
        }
    }
    asked
}

fn page(status: &str, media: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: {media}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn headers_and_tokens_are_sent_and_shown_nowhere() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/base?key=hunter2-key", listener.local_addr().unwrap());
    let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"7"]}}"#;
    let server = blocking(move || answer(&listener, 1, |_| page("200 OK", "application/json", scalar)));
    let client = blocking(move || {
        let arguments = ["query", "scalar(up)", "--url", &url, "--bearer-file", "token", "--timeout", "7s"];
        Desk::new().check(
            &[&arguments[..], &["--header", "X-Scope-OrgID: hunter2-team"]].concat(),
            0,
            &["7\n"],
        )
    });
    let (asked, _) = tokio::join!(server, client);
    let asked = asked.unwrap().concat();
    for part in [
        "POST /base/api/v1/query?key=hunter2-key ",
        "authorization: Bearer hunter2-token\r\n",
        "x-scope-orgid: hunter2-team\r\n",
        "query=scalar%28up%29&time=",
        "&timeout=7",
    ] {
        assert!(asked.contains(part), "{part} is missing in {asked}");
    }
}

#[tokio::test]
async fn a_server_that_does_not_tell_the_past_is_asked_for_the_present() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let rules = "groups:\n- name: g\n  rules:\n  - {alert: Down, expr: up == 0, for: 2m}\n";
    let down = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"job":"a"},"value":[1,"0"]}]}}"#;
    let refusal = r#"{"status":"error","errorType":"execution","error":"too many samples"}"#;
    // The check, the past, the present.
    let server = blocking(move || {
        answer(&listener, 3, |form| match form.contains("&start=") {
            true => page("422 Unprocessable Entity", "application/json", refusal),
            false => page("200 OK", "application/json", down),
        })
    });
    let client = blocking(move || {
        let desk = Desk::new();
        std::fs::write(desk.0.path().join("down.yml"), rules).unwrap();
        let told = [
            "alert Down (for 2m): 1 pending",
            "note: it is not known what held before: ",
            "too many samples",
        ];
        desk.check(&["eval", "down.yml", "--url", &url], 0, &told)
    });
    let (asked, told) = tokio::join!(server, client);
    assert!(told.is_ok() && asked.unwrap()[1].contains("POST /api/v1/query_range "));
}

#[tokio::test]
async fn what_is_no_prometheus_is_said_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:hunter2@{}", listener.local_addr().unwrap());
    let html = page("200 OK", "text/html", "<html>hunter2</html>");
    let server = blocking(move || answer(&listener, 1, |_| html.clone()));
    let client = blocking(move || {
        let told =
            ["opsctl: ", "the answer (text/html) is none of Prometheus' HTTP API", "check the base URL"];
        Desk::new().check(&["eval", "rules.yml", "--url", &url], 1, &told)
    });
    let (asked, told) = tokio::join!(server, client);
    assert_eq!(asked.unwrap().len(), 1);
    assert_eq!(told.unwrap().matches("text/html").count(), 1);
}

#[test]
fn arguments_that_cannot_be_used_name_the_remedy() {
    let desk = Desk::new();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://user:hunter2@{}/", free.local_addr().unwrap());
    drop(free);
    let query = ["query", "up"];
    let with = |more: &[&'static str]| [&query[..], &["--url", &url], more].concat();
    desk.check(&query, 2, &["--series <FILE>", "--url <URL>"]);
    desk.check(
        &with(&["--series", "page.txt"]),
        2,
        &["--series <FILE>", "--url <URL>", "cannot be used with"],
    );
    desk.check(&with(&["--label", "a=b"]), 2, &["--label", "cannot be used with"]);
    desk.check(
        &["query", "up", "--series", "x", "--bearer-file", "token"],
        2,
        &["--bearer-file", "cannot be used with"],
    );
    desk.check(&with(&["--header", "hunter2"]), 1, &["header 1 is not NAME: VALUE", "X-Scope-OrgID: team-a"]);
    desk.check(
        &with(&["--bearer-file", "token"]),
        1,
        &["several say who we are: the URL, --bearer-file; leave all but one out"],
    );
    desk.check(&with(&["--time", "10m"]), 1, &["--time is 10m after the beginning of 1970", "such as 2026"]);
    desk.check(&with(&[]), 1, &["opsctl: ask query source (http://127.0.0.1:"]);
    desk.check(&["eval", "rules.yml", "--url", &url], 1, &["opsctl: ask query source (http://127.0.0.1:"]);
    desk.check(&["query", "up", "--url", "prometheus:9090"], 1, &["not http or https"]);
    let text = desk.check(&["query", "--help"], 0, &["--url <URL>", "X-Scope-OrgID", "--bearer-file"]);
    assert!(text.starts_with("Answer a query"), "{text}");
}
