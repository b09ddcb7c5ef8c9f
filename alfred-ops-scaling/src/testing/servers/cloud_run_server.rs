//! A Cloud Run Admin API v2 server.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{Error, ErrorKind, Result, TaskSet};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::api_error::ApiError;
use super::cloud_run_state::{Change, CloudRunState};

/// Looks that an operation takes until it is done.
const POLLS: u32 = 1;

/// A Cloud Run Admin API v2 server in this process: services with scaling, etags, generations and
/// long-running operations, as far as documented and needed here. It ends with its owner.
#[derive(Debug)]
pub struct CloudRunServer {
    endpoint: String,
    state: Shared,
    tasks: TaskSet,
}

type Shared = Arc<Mutex<CloudRunState>>;

/// What befalls the next request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It is answered with 503 and has no effect.
    Unavailable,
    /// It is answered with 403 and has no effect.
    Denied,
    /// It takes effect, and the answer is lost.
    LoseAnswer,
}

impl CloudRunServer {
    /// Starts a server without services on a free port.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start() -> Result<Self> {
        let failed = |source| {
            Error::new(ErrorKind::Unavailable, "start Cloud Run server", "no port is free")
                .with_source(source)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let endpoint = format!("http://{}", listener.local_addr().map_err(failed)?);
        let state = Shared::default();
        let service =
            Router::new().route("/v2/{*name}", get(read).patch(update)).with_state(Arc::clone(&state));
        let tasks = TaskSet::new(&CancellationToken::new());
        let stop = tasks.cancel_token().clone().cancelled_owned();
        tasks.spawn(async move {
            let _ = axum::serve(listener, service).with_graceful_shutdown(stop).await;
        });
        Ok(Self { endpoint, state, tasks })
    }

    /// The server's URL.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Adds a service (its full name) with no instances, in automatic or manual scaling mode.
    pub fn add_service(&self, name: &str, manual: bool) {
        lock(&self.state).add(name, manual);
    }

    /// Has the next requests fail, one fault each.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state).faults.extend(faults);
    }

    /// The configured instances of a service.
    #[must_use]
    pub fn instances(&self, name: &str) -> Option<u32> {
        lock(&self.state).instances(name)
    }

    /// Every number that a service was set to, oldest first.
    #[must_use]
    pub fn history(&self, name: &str) -> Vec<u32> {
        lock(&self.state).history(name)
    }

    /// How many revisions a service has had.
    #[must_use]
    pub fn revisions(&self, name: &str) -> Option<u64> {
        lock(&self.state).revisions(name)
    }

    /// Stops the server and waits for its end. Clients should have closed their connections.
    pub async fn stop(self) {
        self.tasks.shutdown().await;
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, CloudRunState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

type Parameters = Query<HashMap<String, String>>;

async fn read(State(state): State<Shared>, Path(name): Path<String>, Query(query): Parameters) -> Response {
    let mut state = lock(&state);
    let fault = state.faults.pop_front();
    if let Some(refusal) = fault.and_then(refusal) {
        return refusal.into_response();
    }
    let answer = match name.split_once("/operations/") {
        Some((_, id)) => state.poll(id, &name),
        None => state.get(&name, enums_as_numbers(&query)),
    };
    reply(answer, fault)
}

async fn update(
    State(state): State<Shared>,
    Path(name): Path<String>,
    Query(query): Parameters,
    Json(body): Json<Value>,
) -> Response {
    let mut state = lock(&state);
    let fault = state.faults.pop_front();
    if let Some(refusal) = fault.and_then(refusal) {
        return refusal.into_response();
    }
    let mask = query.get("updateMask").map(String::as_str).unwrap_or_default();
    let validate_only = query.get("validateOnly").is_some_and(|flag| flag == "true");
    let answer = state.update(&Change { name: &name, body: &body, mask, validate_only }, POLLS);
    reply(answer, fault)
}

fn enums_as_numbers(query: &HashMap<String, String>) -> bool {
    query.get("$alt").is_some_and(|alt| alt.contains("enum-encoding=int"))
}

fn refusal(fault: Fault) -> Option<ApiError> {
    match fault {
        Fault::Unavailable => Some(ApiError::unavailable()),
        Fault::Denied => Some(ApiError::denied()),
        Fault::LoseAnswer => None,
    }
}

fn reply(answer: Result<Value, ApiError>, fault: Option<Fault>) -> Response {
    if fault == Some(Fault::LoseAnswer) {
        // A body that breaks off is as near to a lost connection as a handler comes.
        let broken = futures::stream::iter([Err::<String, _>(std::io::Error::other("connection lost"))]);
        return axum::body::Body::from_stream(broken).into_response();
    }
    match answer {
        Ok(value) => Json(value).into_response(),
        Err(error) => error.into_response(),
    }
}
