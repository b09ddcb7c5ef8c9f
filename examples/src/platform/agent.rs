//! An agent service with real metrics.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use alfred_ops_core::{Error, ErrorKind, Result, TaskSet};
use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::routing::get;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;

/// How an agent fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Behaviour {
    /// Its tasks succeed.
    Healthy,
    /// Half of its tasks fail after their retries.
    Failing,
}

/// An agent service that answers `GET /metrics` on a free loopback port.
#[derive(Debug)]
pub struct Agent {
    name: &'static str,
    address: String,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct Metrics {
    registry: Registry,
    processed: Counter,
    failed: Counter,
    active: Gauge<f64, AtomicU64>,
    seconds: Histogram,
}

impl Agent {
    /// Starts an agent, which lives as long as `tasks`.
    ///
    /// # Errors
    /// If there is no free port.
    pub async fn start(name: &'static str, tasks: &TaskSet) -> Result<Self> {
        let metrics = Arc::new(Metrics::new());
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(no_port)?;
        let address = listener.local_addr().map_err(no_port)?.to_string();
        let shown = Arc::clone(&metrics);
        let page = get(move || async move { ([(CONTENT_TYPE, "text/plain; version=0.0.4")], shown.page()) });
        let stop = tasks.cancel_token().clone().cancelled_owned();
        tasks.spawn(async move {
            let server = axum::serve(listener, Router::new().route("/metrics", page));
            let _ = server.with_graceful_shutdown(stop).await;
        });
        Ok(Self { name, address, metrics })
    }

    /// The agent's name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its `host:port`.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Works on so many tasks.
    pub fn work(&self, tasks: u64, behaviour: Behaviour) {
        self.metrics.active.set(1.0);
        for number in 0..tasks {
            self.metrics.processed.inc();
            self.metrics.seconds.observe(0.2);
            if behaviour == Behaviour::Failing && number % 2 == 0 {
                self.metrics.failed.inc();
            }
        }
    }
}

impl Metrics {
    fn new() -> Self {
        let (processed, failed) = (Counter::default(), Counter::default());
        let active = Gauge::default();
        let seconds = Histogram::new([0.1, 0.5, 1.0, 5.0, 30.0, 120.0]);
        let mut registry = Registry::default();
        registry.register("tasks_processed", "Tasks that were worked on", processed.clone());
        registry.register("tasks_errors", "Tasks that failed after their retries", failed.clone());
        registry.register("tasks_active", "Tasks in work", active.clone());
        registry.register("task_processing_duration_seconds", "Time that tasks took", seconds.clone());
        Self { registry, processed, failed, active, seconds }
    }

    fn page(&self) -> String {
        let mut page = String::new();
        // Writing to a string does not fail.
        let _ = encode(&mut page, &self.registry);
        page
    }
}

fn no_port(source: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "start agent", "no port is free").with_source(source)
}
