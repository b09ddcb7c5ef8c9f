//! A Prometheus of our own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alfred_ops_alerts::{PrometheusApi, PrometheusApiOptions};
use alfred_ops_core::{Clock as _, SystemClock};

use crate::dataset::Dataset;
use crate::remote_write;

/// Longer than a server takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("ALFRED_OPS_PROMETHEUS_BIN").unwrap_or_else(|| {
        panic!("run the tests by scripts/test, which unpacks Prometheus, or set ALFRED_OPS_PROMETHEUS_BIN")
    });
    Path::new(&folder).join(name)
}

/// A Prometheus of our own on a free port, with the samples that it was given, killed when dropped.
#[derive(Debug)]
pub(crate) struct Prometheus {
    child: Child,
    pub(crate) base: String,
    _folder: tempfile::TempDir,
}

impl Prometheus {
    /// Starts one whose only samples are those of `dataset`, below the path `/prometheus`.
    pub(crate) async fn start(dataset: &Dataset) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        std::fs::write(path("prometheus.yml"), "global: {scrape_interval: 1m}\n").unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = free.local_addr().unwrap().to_string();
        drop(free);
        let child = Command::new(program("prometheus"))
            .arg(format!("--config.file={}", path("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", path("data").display()))
            .arg(format!("--web.listen-address={address}"))
            // As behind a proxy, and as Mimir has it.
            .args(["--web.external-url=http://localhost/prometheus", "--storage.tsdb.retention.time=50y"])
            .args(["--web.enable-remote-write-receiver", "--log.level=error"])
            .arg("--enable-feature=native-histograms")
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { child, base: format!("http://{address}/prometheus"), _folder: folder };
        server.ready().await;
        server.load(dataset).await;
        server
    }

    async fn ready(&self) {
        let clock = SystemClock::new();
        let client = reqwest::Client::new();
        while clock.monotonic() < PATIENCE {
            let answer = client.get(format!("{}/-/ready", self.base)).send().await;
            if answer.is_ok_and(|answer| answer.status().is_success()) {
                return;
            }
            clock.sleep(Duration::from_millis(50)).await;
        }
        panic!("Prometheus was not ready within {PATIENCE:?}");
    }

    /// Writes all samples, each time in a request of its own: the order that a server takes them in.
    async fn load(&self, dataset: &Dataset) {
        let times = dataset.iter().flat_map(|(_, samples)| samples.iter().map(|(at, _)| *at));
        let client = reqwest::Client::new();
        for at in times.collect::<BTreeSet<i64>>() {
            let request = client.post(format!("{}/api/v1/write", self.base));
            let answer = request
                .body(remote_write::body(dataset, at, at + 1))
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

    pub(crate) fn api(&self, options: PrometheusApiOptions) -> PrometheusApi {
        PrometheusApi::new(&self.base, options, SystemClock::shared()).unwrap()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
