//! The server itself.

use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::extract::{Path, Query};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::question::Question;
use super::state::State;
use super::{MonitoredSeries, MonitoringFault};
use crate::{Error, ErrorKind, Result, TaskSet};

/// A Cloud Monitoring API v3 server in this process that lists time series, as far as documented and needed here: filters,
/// windows, alignment and reduction of numbers, pages. It ends with its owner.
///
/// Google's own Python libraries are held against it in the tests of this crate.
#[derive(Debug)]
pub struct CloudMonitoringServer {
    endpoint: String,
    state: Shared,
    tasks: TaskSet,
}

type Shared = Arc<Mutex<State>>;

impl CloudMonitoringServer {
    /// Starts a server without series on a free port.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> Result<Self> {
        let failed = |source| {
            Error::new(ErrorKind::Unavailable, "start Cloud Monitoring server", "no port is free")
                .with_source(source)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let endpoint = format!("http://{}", listener.local_addr().map_err(failed)?);
        let state = Shared::default();
        let tasks = TaskSet::new(&CancellationToken::new());
        let stop = tasks.cancel_token().clone();
        let (of_requests, until) = (Arc::clone(&state), stop.clone());
        let list = move |Path(project): Path<String>, Query(query): Query<Vec<(String, String)>>| {
            let (state, until) = (Arc::clone(&of_requests), until.clone());
            async move { answer(&state, &until, &project, &query).await }
        };
        let service = Router::new().route("/v3/projects/{project}/timeSeries", get(list));
        tasks.spawn(async move {
            let _ = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await;
        });
        Ok(Self { endpoint, state, tasks })
    }

    /// The server's URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Adds a series to a project. Without one of its own it gets the resource's label `project_id`.
    pub fn add(&self, project: &str, mut series: MonitoredSeries) {
        series.resource_labels.entry("project_id".to_owned()).or_insert_with(|| project.to_owned());
        lock(&self.state).series.entry(project.to_owned()).or_default().push(series);
    }

    /// Has a metric exist although it has no series.
    pub fn know(&self, metric_type: &str) {
        lock(&self.state).known.insert(metric_type.to_owned());
    }

    /// Has these befall the next requests, one each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = MonitoringFault>) {
        lock(&self.state).faults.extend(faults);
    }

    /// How many requests there were.
    #[must_use]
    pub fn requests(&self) -> usize {
        lock(&self.state).requests
    }

    /// Stops the server and waits for its end. Requests that hang are given up.
    pub async fn stop(self) {
        self.tasks.shutdown().await;
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Serves one request, unless a fault befalls it.
async fn answer(
    state: &Shared,
    stop: &CancellationToken,
    project: &str,
    query: &[(String, String)],
) -> Response {
    let fault = {
        let mut state = lock(state);
        state.requests += 1;
        state.faults.pop_front().unwrap_or(MonitoringFault::Pass)
    };
    if fault == MonitoringFault::Hang {
        stop.run_until_cancelled(pending::<()>()).await;
    }
    if let Some(refusal) = fault.refusal() {
        return refusal.into_response();
    }
    if fault == MonitoringFault::Garbled {
        return "<html>".into_response();
    }
    let found = Question::read(query).and_then(|question| lock(state).list(project, &question));
    match found {
        Ok(mut found) => {
            if fault == MonitoringFault::Incomplete {
                let error = json!({ "code": 14, "message": "Some shards did not answer." });
                found["executionErrors"] = json!([error]);
            }
            Json(found).into_response()
        }
        Err(error) => error.into_response(),
    }
}
