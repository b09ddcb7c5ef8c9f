//! Prometheus on the same pages.

use std::fmt::Write as _;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alfred_ops_alerts::{RuleFile, RuleGroup};
use alfred_ops_core::{Clock as _, Error, ErrorKind, Result, SystemClock, TaskSet};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;

use super::{Ours, RULES, TARGETS, binary, failed, pages};

/// Series become known and windows fill up meanwhile.
const WARM_UP: Duration = Duration::from_secs(30);
const TICKS_PER_SECOND: f64 = 100.0;

/// A process that is killed when dropped.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs Prometheus without rules and with them; the difference is what the rules take.
pub(super) async fn measure(groups: &[RuleGroup], length: Duration) -> Result<Ours> {
    let idle = run(&[], length).await?;
    let busy = run(groups, length).await?;
    let seconds = length.as_secs_f64();
    let evaluations = RULES as f64 * seconds / 5.0;
    Ok(Ours {
        evaluations_per_cpu_second: evaluations / (busy.cpu_seconds - idle.cpu_seconds).max(0.001),
        ingest_micros: idle.cpu_seconds * 1e6 / idle.samples,
        resident_mib: busy.resident_mib,
    })
}

struct Run {
    cpu_seconds: f64,
    samples: f64,
    resident_mib: f64,
}

async fn run(groups: &[RuleGroup], length: Duration) -> Result<Run> {
    let tasks = TaskSet::new(&CancellationToken::new());
    let served = Arc::new(AtomicUsize::new(0));
    let folder = tempfile::tempdir().map_err(io("make a folder"))?;
    let mut config = "global: {scrape_interval: 5s, scrape_timeout: 5s, evaluation_interval: 5s}\nrule_files: [rules.yml]\nscrape_configs:\n".to_owned();
    for target in 0..TARGETS {
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(io("listen"))?;
        let address = listener.local_addr().map_err(io("listen"))?;
        let _ = writeln!(config, "- job_name: job{target}\n  static_configs: [{{targets: ['{address}']}}]");
        tasks.spawn(serve(listener, target, Arc::clone(&served)));
    }
    let write =
        |name: &str, text: String| std::fs::write(folder.path().join(name), text).map_err(io("write"));
    write("prometheus.yml", config)?;
    write("rules.yml", RuleFile::of_groups(groups.iter().cloned()).to_yaml())?;
    let free = std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|listener| listener.local_addr());
    let port = free.map_err(io("find a port"))?.port();
    let child = Command::new(binary("prometheus"))
        .arg(format!("--config.file={}", folder.path().join("prometheus.yml").display()))
        .arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .arg("--log.level=error")
        .stdout(Stdio::null())
        .spawn()
        .map_err(io("start Prometheus"))?;
    let process = Process(child);
    let clock = SystemClock::new();
    clock.sleep(WARM_UP).await;
    let (cpu, pages) = (cpu_seconds(process.0.id())?, served.load(Ordering::Relaxed));
    clock.sleep(length).await;
    let cpu_seconds = cpu_seconds(process.0.id())? - cpu;
    let pages = served.load(Ordering::Relaxed) - pages;
    let series = pages::page(0, 0).lines().filter(|line| !line.starts_with('#')).count();
    if pages == 0 {
        return Err(failed("Prometheus did not scrape"));
    }
    Ok(Run { cpu_seconds, samples: (pages * series) as f64, resident_mib: resident_mib(process.0.id())? })
}

/// Answers every request with the page of the next step.
pub(super) async fn serve(listener: TcpListener, target: usize, served: Arc<AtomicUsize>) {
    let mut step = 0;
    let mut connection: Option<TcpStream> = None;
    loop {
        let mut stream = match connection.take() {
            Some(stream) => stream,
            None => match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(_) => return,
            },
        };
        let mut buffer = [0; 4096];
        let mut read = 0;
        loop {
            match stream.read(&mut buffer[read..]).await {
                Ok(0) | Err(_) => break,
                Ok(count) => read += count,
            }
            if buffer[..read].windows(4).any(|window| window == b"\r\n\r\n") {
                let page = pages::page(target, step);
                step += 1;
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\r\n",
                    page.len()
                );
                if stream.write_all(head.as_bytes()).await.is_ok()
                    && stream.write_all(page.as_bytes()).await.is_ok()
                {
                    served.fetch_add(1, Ordering::Relaxed);
                    connection = Some(stream);
                }
                break;
            }
        }
    }
}

/// The processor time of a process, its threads included.
fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).map_err(io("read /proc"))?;
    let after_name = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().filter_map(|place| fields.get(*place)?.parse::<f64>().ok()).sum();
    Ok(ticks / TICKS_PER_SECOND)
}

/// The most memory that a process had resident.
pub(super) fn resident_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).map_err(io("read /proc"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib =
        line.and_then(|line| line.split_whitespace().next()).and_then(|number| number.parse::<f64>().ok());
    kib.map(|kib| kib / 1024.0).ok_or_else(|| failed("the process tells no memory"))
}

pub(super) fn io(what: &'static str) -> impl Fn(std::io::Error) -> Error {
    move |error| Error::new(ErrorKind::Unavailable, "measure rules", what).with_source(error)
}
