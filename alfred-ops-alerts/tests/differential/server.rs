//! A Prometheus of our own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alfred_ops_core::{Clock as _, SystemClock};
use serde_json::Value;

use crate::dataset::{Dataset, INTERVAL, START};
use crate::era::Era;
use crate::remote_write;

/// Longer than a server takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// So much is sent in one request: of each series one sample, for a server takes a request's floats first and its
/// histograms then, and refuses what is older.
const SLICE: i64 = INTERVAL;

/// A program of a version.
pub(crate) fn program(era: Era, name: &str) -> PathBuf {
    let folder = std::env::var_os(era.variable()).unwrap_or_else(|| {
        panic!("run the tests by scripts/test, which unpacks Prometheus, or set {}", era.variable())
    });
    Path::new(&folder).join(name)
}

/// A Prometheus of our own on a free port, killed when dropped.
#[derive(Debug)]
pub(crate) struct Prometheus {
    child: Child,
    base: String,
    client: reqwest::Client,
    _folder: tempfile::TempDir,
}

/// When a query is evaluated, in milliseconds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Moment {
    At(i64),
    Range { start: i64, end: i64, step: i64 },
}

impl Prometheus {
    pub(crate) async fn start(era: Era) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prometheus.yml");
        std::fs::write(&path, "global: {scrape_interval: 1m}\n").unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let child = Command::new(program(era, "prometheus"))
            .arg(format!("--config.file={}", path.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
            .arg(format!("--web.listen-address={address}"))
            .args([
                "--storage.tsdb.retention.time=50y",
                "--web.enable-remote-write-receiver",
                "--log.level=error",
            ])
            .args(era.flags())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let client = reqwest::Client::new();
        let server = Self { child, base: format!("http://{address}"), client, _folder: folder };
        server.ready().await;
        server
    }

    async fn ready(&self) {
        let clock = SystemClock::new();
        while clock.monotonic() < PATIENCE {
            let answer = self.client.get(format!("{}/-/ready", self.base)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            clock.sleep(Duration::from_millis(50)).await;
        }
        panic!("Prometheus was not ready within {PATIENCE:?}");
    }

    /// Writes all samples, in the order of time.
    pub(crate) async fn load(&self, dataset: &Dataset) {
        let end =
            dataset.series.iter().filter_map(|(_, samples)| samples.last()).map(|(at, _)| *at).max().unwrap();
        let mut from = START;
        while from <= end {
            let body = remote_write::body(&dataset.series, from, from + SLICE);
            from += SLICE;
            if body.is_empty() {
                continue;
            }
            let request = self.client.post(format!("{}/api/v1/write", self.base)).body(body);
            let answer = request
                .header("content-encoding", "snappy")
                .header("content-type", "application/x-protobuf")
                .header("x-prometheus-remote-write-version", "0.1.0")
                .send()
                .await
                .unwrap();
            let status = answer.status();
            assert!(status.is_success(), "{status}: {}", answer.text().await.unwrap());
        }
    }

    pub(crate) async fn ask(&self, query: &str, moment: Moment) -> Value {
        let parameters = match moment {
            Moment::At(at) => format!("&time={}", seconds(at)),
            Moment::Range { start, end, step } => {
                format!("&start={}&end={}&step={}", seconds(start), seconds(end), seconds(step))
            }
        };
        let path = if matches!(moment, Moment::At(_)) { "query" } else { "query_range" };
        let request = self.client.post(format!("{}/api/v1/{path}", self.base));
        let answer = request
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("query={}{parameters}", escaped(query)))
            .send()
            .await
            .unwrap();
        serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Milliseconds as seconds with three decimals.
fn seconds(millis: i64) -> String {
    format!("{}.{:03}", millis / 1000, millis % 1000)
}

/// As forms are encoded.
fn escaped(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len() * 2);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").unwrap();
        }
    }
    out
}
