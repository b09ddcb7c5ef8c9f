//! Signals out of Prometheus: what servers may do wrong, and a real one.
//!
//! `scripts/test` unpacks Prometheus 3 and names its folder in `ALFRED_OPS_PROMETHEUS_BIN`.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::http::Credential;
use alfred_ops_core::{
    Clock as _, ErrorKind, MetricSource as _, Result, Retry, Sample, Secret, SystemClock, TaskSet,
};
use alfred_ops_scaling::{
    MetricSignals, Pick, PrometheusOptions, PrometheusQuery, PrometheusSource, Signal, SignalSource as _,
};
use axum::http::{HeaderMap, StatusCode};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// A server that answers everything alike and notes what it was asked.
struct Server {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    tasks: TaskSet,
}

impl Server {
    async fn start(answer: impl Fn(&str) -> (u16, String) + Clone + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let noted = Arc::clone(&asked);
        let handler = move |headers: HeaderMap, body: String| {
            let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
            noted.lock().unwrap().push(format!("{} {body}", authorization.unwrap_or("nobody")));
            let (status, text) = answer(&body);
            async move {
                if status == 0 {
                    std::future::pending::<()>().await;
                }
                let retry = [("retry-after", "9")];
                (StatusCode::from_u16(status).unwrap(), retry, text)
            }
        };
        let tasks = TaskSet::new(&CancellationToken::new());
        let stop = tasks.cancel_token().clone();
        let service = axum::Router::new().route("/api/v1/query", axum::routing::post(handler));
        tasks.spawn(async move {
            let serving = axum::serve(listener, service);
            stop.run_until_cancelled(std::future::IntoFuture::into_future(serving)).await;
        });
        Self { url, asked, tasks }
    }
}

async fn ask(status: u16, answer: &str, options: PrometheusOptions) -> Result<Vec<Sample>> {
    let answer = answer.to_owned();
    let server = Server::start(move |_| (status, answer.clone())).await;
    let query = [PrometheusQuery::new("backlog", "sum(queue)")];
    let source = PrometheusSource::new(&server.url, query, options, SystemClock::shared()).unwrap();
    let samples = source.collect().await;
    server.tasks.shutdown().await;
    samples
}

fn vector(elements: &str) -> String {
    format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{elements}}}}}"#)
}

#[track_caller]
fn check(samples: Result<Vec<Sample>>, expected: &[&str]) {
    let shown = |sample: &Sample| {
        let millis = sample.timestamp.map(|at| at.timestamp_millis());
        format!("{} {} {}", sample.labels, sample.value, millis.unwrap_or(0))
    };
    assert_eq!(samples.unwrap().iter().map(shown).collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn one_value_is_one_sample_and_none_is_none() {
    let plain = PrometheusOptions::default;
    let one = vector(r#"[{"metric":{"queue":"a","__name__":"depth"},"value":[1700000000.5,"12"]}]"#);
    check(ask(200, &one, plain()).await, &["backlog{queue=\"a\"} 12 1700000000500"]);
    let scalar =
        r#"{"status":"success","data":{"resultType":"scalar","result":[1700000000,"1e3"]},"infos":["i"]}"#;
    check(ask(200, scalar, plain()).await, &["backlog 1000 1700000000000"]);
    for none in ["[]", "null"] {
        check(ask(200, &vector(none), plain()).await, &[]);
    }
    for (text, shown) in [("NaN", "NaN"), ("+Inf", "inf"), ("-Inf", "-inf")] {
        let answer = vector(&format!(r#"[{{"metric":{{}},"value":[1700000000,"{text}"]}}]"#));
        check(ask(200, &answer, plain()).await, &[&format!("backlog {shown} 1700000000000")]);
    }
    let warned = vector("[]").replace("\"status\"", "\"warnings\":[\"a store is away\"],\"status\"");
    check(ask(200, &warned, plain().accepting_warnings()).await, &[]);
}

#[tokio::test]
async fn what_is_no_number_is_an_error_that_says_why() {
    let check = async |status: u16, answer: &str, kind: ErrorKind, said: &str| {
        let error = ask(status, answer, PrometheusOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{answer}: {}", error.full());
        assert!(error.to_string().contains(said), "{error}");
        assert!(error.to_string().len() < 600, "{error}");
        error
    };
    use ErrorKind::{InvalidInput, PermissionDenied, ResourceExhausted, Unavailable, Unsupported};
    let two = vector(r#"[{"metric":{},"value":[1,"1"]},{"metric":{"a":"b"},"value":[1,"2"]}]"#);
    check(200, &two, InvalidInput, "the answer has 2 values, not one; aggregate").await;
    check(
        200,
        &vector(r#"[{"metric":{},"histogram":[1,{"count":"1","sum":"2"}]}]"#),
        InvalidInput,
        "histogram",
    )
    .await;
    check(200, &vector(r#"[{"metric":{},"value":[1,"many"]}]"#), Unsupported, "\"many\" is no number").await;
    check(200, &vector(r#"[{"metric":{},"value":[1e300,"1"]}]"#), Unsupported, "is no time").await;
    let text = r#"{"status":"success","data":{"resultType":"string","result":[1,"a"]}}"#;
    check(200, text, InvalidInput, "is no number; ask for an instant vector").await;
    check(200, r#"{"status":"success"}"#, Unsupported, "no data").await;
    check(200, "<html>", Unsupported, "check the base URL").await;
    check(200, &" ".repeat(2 << 20), ResourceExhausted, "longer than 1048576 bytes").await;
    let warned = vector("[]").replace("\"status\"", "\"warnings\":[\"a store is away\"],\"status\"");
    let error = check(200, &warned, Unavailable, "1 warnings: a store is away").await;
    assert!(error.remedy().unwrap().contains("accepting_warnings"));
    let long = "x".repeat(10_000);
    let bad = format!(r#"{{"status":"error","errorType":"bad_data","error":"parse\nerror {long}"}}"#);
    check(400, &bad, InvalidInput, "bad_data: parse error x").await;
    let error = check(429, "too many", Unavailable, "too many").await;
    assert_eq!(error.retry(), Retry::After(Some(Duration::from_secs(9))));
    check(
        503,
        r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
        ErrorKind::Timeout,
        "timed out",
    )
    .await;
    check(401, "who?", PermissionDenied, "check the credentials").await;
    check(302, "", Unsupported, "302").await;
}

#[tokio::test]
async fn a_server_is_told_who_asks_and_is_not_waited_for() {
    let server = Server::start(|body| {
        let age = body.contains("timestamp");
        (
            200,
            vector(&format!(
                r#"[{{"metric":{{}},"value":[1700000000,"{}"]}}]"#,
                if age { "1699999940.25" } else { "5" }
            )),
        )
    })
    .await;
    let file = std::env::temp_dir().join(format!("alfred-ops-prometheus-token-{}", std::process::id()));
    let options = PrometheusOptions::default().with_bearer(Credential::File(file.clone()));
    let query = PrometheusQuery::new("backlog", "sum(queue{a=\"b c\"})").aged_by("queue");
    let source = PrometheusSource::new(&server.url, [query], options, SystemClock::shared()).unwrap();
    assert_eq!(
        source.collect().await.unwrap_err().kind(),
        ErrorKind::PermissionDenied,
        "there is no token yet"
    );
    for token in ["first", "second"] {
        std::fs::write(&file, token).unwrap();
        check(source.collect().await, &["backlog 5 1699999940250"]);
    }
    std::fs::remove_file(file).unwrap();
    let basic = PrometheusOptions::default().with_basic("u", Credential::Inline(Secret::new("hunter2")));
    let query = [PrometheusQuery::new("backlog", "queue")];
    let source = PrometheusSource::new(&server.url, query, basic, SystemClock::shared()).unwrap();
    source.collect().await.unwrap();
    assert!(!format!("{source:?}").contains("hunter2"));
    let mut asked = server.asked.lock().unwrap().clone();
    asked.sort();
    assert_eq!(
        asked,
        [
            "Basic dTpodW50ZXIy query=queue&timeout=10",
            "Bearer first query=min%28timestamp%28queue%29%29&timeout=10",
            "Bearer first query=sum%28queue%7Ba%3D%22b%20c%22%7D%29&timeout=10",
            "Bearer second query=min%28timestamp%28queue%29%29&timeout=10",
            "Bearer second query=sum%28queue%7Ba%3D%22b%20c%22%7D%29&timeout=10",
        ]
    );
    server.tasks.shutdown().await;

    let hasty = PrometheusOptions::default().with_timeout(Duration::from_millis(100));
    let silent = Server::start(|_| (0, String::new())).await;
    let query = [PrometheusQuery::new("backlog", "queue")];
    let source = PrometheusSource::new(&silent.url, query, hasty, SystemClock::shared()).unwrap();
    let error = source.collect().await.unwrap_err();
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::After(None)), "{}", error.full());
}

#[test]
fn what_cannot_be_asked_is_refused_at_once() {
    let check = |base: &str, queries: Vec<PrometheusQuery>, options: PrometheusOptions, said: &str| {
        let error = PrometheusSource::new(base, queries, options, SystemClock::shared()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(said), "{error}");
    };
    let one = || vec![PrometheusQuery::new("a", "b")];
    let plain = PrometheusOptions::default;
    check("prometheus:9090", one(), plain(), "http or https");
    check("http://a", Vec::new(), plain(), "there are 0, not 1 to 32");
    check("http://a", vec![PrometheusQuery::new("a", " ")], plain(), "\"a\" is empty");
    check("http://a", [one(), one()].concat(), plain(), "two have the name \"a\"");
    check("http://a", one(), plain().with_timeout(Duration::ZERO), "timeout: it is zero");
}

/// A Prometheus of our own that scrapes itself each second, killed when dropped.
struct Prometheus {
    child: Child,
    url: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    fn start() -> Self {
        let bin = std::env::var_os("ALFRED_OPS_PROMETHEUS_BIN").unwrap_or_else(|| {
            panic!(
                "run the tests by scripts/test, which unpacks Prometheus, or set ALFRED_OPS_PROMETHEUS_BIN"
            )
        });
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let config = format!(
            "global: {{scrape_interval: 1s}}\nscrape_configs: [{{job_name: self, static_configs: [{{targets: ['{address}']}}]}}]\n"
        );
        std::fs::write(path("prometheus.yml"), config).unwrap();
        let child = Command::new(Path::new(&bin).join("prometheus"))
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .arg("--log.level=error")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        Self { child, url: format!("http://{address}"), _folder: folder }
    }

    fn source(&self, queries: impl IntoIterator<Item = PrometheusQuery>) -> PrometheusSource {
        PrometheusSource::new(&self.url, queries, PrometheusOptions::default(), SystemClock::shared())
            .unwrap()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn a_real_prometheus_answers() {
    let server = Prometheus::start();
    let clock = SystemClock::new();
    let up = server.source([PrometheusQuery::new("up", "up")]);
    // It has to start and to scrape itself once.
    loop {
        assert!(clock.monotonic() < Duration::from_secs(60), "Prometheus has not scraped itself");
        if up.collect().await.is_ok_and(|samples| !samples.is_empty()) {
            break;
        }
        clock.sleep(Duration::from_millis(50)).await;
    }
    let ask = async |query: &str| server.source([PrometheusQuery::new("value", query)]).collect().await;
    let value =
        |samples: Vec<Sample>| samples.first().map(|sample| (samples.len(), sample.value.to_string()));
    let ok = async |query: &str| value(ask(query).await.unwrap());
    assert_eq!(ok("sum(up)").await, Some((1, "1".to_owned())));
    assert_eq!(ok("vector(3) * 2").await, Some((1, "6".to_owned())));
    assert_eq!(ok("1 / 0").await, Some((1, "inf".to_owned())));
    assert_eq!(ok("vector(0) / 0").await, Some((1, "NaN".to_owned())));
    assert_eq!(ok("sum(no_such_series)").await, None, "no series is no sample");
    let error = ask("vector(1) or label_replace(vector(2), \"a\", \"b\", \"\", \"\")").await.unwrap_err();
    assert!(error.to_string().contains("the answer has 2 values"), "{error}");
    let error = ask("sum(").await.unwrap_err();
    assert!(error.to_string().contains("bad_data: invalid parameter \"query\""), "{error}");
    assert_eq!(ask("up[5m]").await.unwrap_err().kind(), ErrorKind::InvalidInput);
    assert_eq!(ask("\"text\"").await.unwrap_err().kind(), ErrorKind::InvalidInput);

    let two = "vector(1) or label_replace(vector(2), \"a\", \"b\", \"\", \"\")";
    let several = server.source([PrometheusQuery::new("value", two).by_series()]).collect().await.unwrap();
    let mut shown: Vec<String> =
        several.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect();
    shown.sort();
    assert_eq!(shown, ["value 1", "value{a=\"b\"} 2"]);

    // What is evaluated now may be made of what is older.
    let now = clock.now();
    let aged = [
        PrometheusQuery::new("worked_out", "sum(up offset 1m) or vector(7)"),
        PrometheusQuery::new("aged", "sum(up) * 7").aged_by("up"),
        PrometheusQuery::new("orphan", "vector(7)").aged_by("no_such_series"),
    ];
    let samples = server.source(aged).collect().await.unwrap();
    let [worked_out, aged] = samples.as_slice() else { panic!("an orphan's age is not known: {samples:?}") };
    assert!(worked_out.timestamp.unwrap() >= aged.timestamp.unwrap(), "{samples:?}");

    let queries = [PrometheusQuery::new("waiting", "sum(up) * 40"), PrometheusQuery::new("busy", "1 / 0")];
    let signals = MetricSignals::new(Arc::new(server.source(queries)))
        .with(Signal::Queued, Pick::sum("waiting"))
        .with(Signal::Cpu, Pick::max("busy"))
        .with(Signal::Memory, Pick::max("nothing"));
    let read = signals.read(now).await.unwrap();
    assert_eq!(read.queued.map(|reading| reading.value), Some(40.0));
    assert_eq!(read.cpu.map(|reading| reading.value), Some(f64::INFINITY), "the kernel judges");
    assert_eq!(read.memory, None);
}
