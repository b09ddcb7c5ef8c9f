//! A Cloud Run Admin API v2 server.

use std::collections::{BTreeMap, HashMap};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{Error, ErrorKind, Result, TaskSet};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::api_error::ApiError;
use super::cloud_run_kind::CloudRunKind;
use super::cloud_run_listing::page_size;
use super::cloud_run_service::CloudRunService;
use super::cloud_run_state::{Change, CloudRunState};
use super::enums::to_numbers;
use super::fault::Fault;

/// A Cloud Run Admin API v2 server in this process: services and worker pools with scaling, templates, revisions, splits of
/// the traffic, etags, generations and long-running operations, and lists of jobs and executions, as far as documented and
/// needed here. It ends with its owner.
///
/// Google's own Python client is held against it in the tests of this crate.
#[derive(Debug)]
pub struct CloudRunServer {
    endpoint: String,
    state: Shared,
    tasks: TaskSet,
}

type Shared = Arc<Mutex<CloudRunState>>;

#[derive(Debug, Clone)]
struct Site {
    state: Shared,
    stop: CancellationToken,
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
        let tasks = TaskSet::new(&CancellationToken::new());
        let stop = tasks.cancel_token().clone();
        let site = Site { state: Arc::clone(&state), stop: stop.clone() };
        let service = Router::new()
            .route("/v2/{*path}", get(read).patch(update).post(create).delete(remove))
            .with_state(site);
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

    /// Adds a service (its full name) with no instances, in automatic or manual scaling mode.
    pub fn add_service(&self, name: &str, manual: bool) {
        let mode = if manual { "MANUAL" } else { "AUTOMATIC" };
        let body = json!({
            "template": { "containers": [{ "image": "gcr.io/cloudrun/hello" }] },
            "scaling": { "scalingMode": mode },
        });
        self.add(name, &body);
    }

    /// Adds a worker pool (its full name) with no instances.
    pub fn add_worker_pool(&self, name: &str) {
        self.add(name, &json!({ "template": { "containers": [{ "image": "gcr.io/cloudrun/worker" }] } }));
    }

    /// Adds what a client would create with this body (its full name), as far as the API takes it.
    pub fn add(&self, name: &str, body: &Value) {
        let id = name.rsplit('/').next().unwrap_or_default();
        let mut state = lock(&self.state);
        if let Ok(service) = CloudRunService::create(CloudRunKind::of(name), id, body, &state.startup) {
            state.insert(name, service);
        }
    }

    /// Adds a job or an execution (its full name), which is listed as it is.
    pub fn add_job(&self, name: &str, document: Value) {
        lock(&self.state).jobs.add(name, document);
    }

    /// Has no page of a list have more items than this, whatever is asked for.
    pub fn page_by(&self, items: usize) {
        lock(&self.state).page_max = Some(items.max(1));
    }

    /// Has lists of services and worker pools say that this region cannot be reached.
    pub fn lose_region(&self, region: &str) {
        lock(&self.state).unreachable = Some(region.to_owned());
    }

    /// Has somebody else change the masked fields of a service or worker pool, as far as the API takes it.
    pub fn change(&self, name: &str, body: &Value, mask: &str) {
        let change = Change { body, mask, validate_only: false, allow_missing: false };
        let _ = lock(&self.state).update(name, &change);
    }

    /// Has a service or worker pool go on giving its revisions what they have now, whatever split is asked for, until that is over.
    pub fn hold_split(&self, name: &str, is_held: bool) {
        if let Some(service) = lock(&self.state).service_mut(name) {
            service.is_held = is_held;
        }
    }

    /// Has revisions that are made from now on become ready after so many looks at the revisions.
    pub fn start_after(&self, looks: u32) {
        lock(&self.state).startup.looks = looks;
    }

    /// Has revisions of this image that are made from now on fail, for this reason.
    pub fn break_image(&self, image: &str, reason: &str) {
        lock(&self.state).startup.broken.push((image.to_owned(), reason.to_owned()));
    }

    /// A service or worker pool as the API shows it.
    #[must_use]
    pub fn document(&self, name: &str) -> Option<Value> {
        lock(&self.state).get(name).ok()
    }

    /// A revision (its short name) as the API shows it.
    #[must_use]
    pub fn revision(&self, name: &str, revision: &str) -> Option<Value> {
        lock(&self.state).revision(name, revision).ok()
    }

    /// The short names of the revisions that exist, the newest first.
    #[must_use]
    pub fn revision_names(&self, name: &str) -> Vec<String> {
        let state = lock(&self.state);
        let revisions = state.service(name).map(CloudRunService::revisions).unwrap_or_default();
        revisions.into_iter().map(|(id, _)| id.to_owned()).collect()
    }

    /// Who really gets which percent of the requests, or of a worker pool's instances.
    #[must_use]
    pub fn shares(&self, name: &str) -> BTreeMap<String, i64> {
        lock(&self.state).service(name).map(CloudRunService::shares).unwrap_or_default()
    }

    /// How many of a worker pool's instances each revision has. Google does not say what becomes of fractions; here the largest
    /// ones get what is left.
    #[must_use]
    pub fn instances_of(&self, name: &str) -> BTreeMap<String, u32> {
        lock(&self.state).service(name).map(CloudRunService::instances_of).unwrap_or_default()
    }

    /// Has somebody else set the instances of a service or worker pool, as far as there is one.
    pub fn set_instances(&self, name: &str, instances: u32) {
        if let Some(service) = lock(&self.state).service_mut(name) {
            service.set_instances(instances);
        }
    }

    /// Has the operations of later changes be done after so many looks at them; after none they are done at
    /// once.
    pub fn finish_after(&self, polls: u32) {
        lock(&self.state).polls = polls;
    }

    /// Has these befall the next requests, one each, whatever they ask for.
    pub fn fail_next(&self, faults: impl IntoIterator<Item = Fault>) {
        lock(&self.state).faults.extend(faults);
    }

    /// Forgets what was to befall later requests.
    pub fn heal(&self) {
        lock(&self.state).faults.clear();
    }

    /// The configured instances of a service or worker pool.
    #[must_use]
    pub fn instances(&self, name: &str) -> Option<u32> {
        lock(&self.state).service(name).map(CloudRunService::instances)
    }

    /// Every number that a service was set to, oldest first.
    #[must_use]
    pub fn history(&self, name: &str) -> Vec<u32> {
        lock(&self.state).service(name).map(|service| service.history().to_vec()).unwrap_or_default()
    }

    /// How many revisions a service has had.
    #[must_use]
    pub fn revisions(&self, name: &str) -> Option<u64> {
        lock(&self.state).service(name).map(CloudRunService::revisions_made)
    }

    /// Stops the server and waits for its end. Requests that hang are given up.
    pub async fn stop(self) {
        self.tasks.shutdown().await;
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, CloudRunState> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

type Parameters = Query<HashMap<String, String>>;

async fn read(State(site): State<Site>, Path(path): Path<String>, Query(query): Parameters) -> Response {
    answer(&site, &query, |state| {
        if path.contains("/operations/") {
            return state.poll(&path);
        }
        let size = query.get("pageSize").and_then(|size| size.parse().ok());
        let size = state.page_max.map_or(size, |most| Some(page_size(size).min(most)));
        if let Some(parent) = path.strip_suffix("/revisions") {
            return state.list_revisions(parent, size, text(&query, "pageToken"));
        }
        if let Some((parent, id)) = path.split_once("/revisions/") {
            return state.get_revision(parent, id);
        }
        if let Some((parent, last @ ("jobs" | "executions"))) = path.rsplit_once('/') {
            return Ok(state.jobs.list(parent, last, size, text(&query, "pageToken")));
        }
        let Some((location, kind)) = collection(&path) else { return state.get(&path) };
        Ok(state.list(location, kind, size, text(&query, "pageToken")))
    })
    .await
}

async fn update(
    State(site): State<Site>,
    Path(path): Path<String>,
    Query(query): Parameters,
    Json(body): Json<Value>,
) -> Response {
    answer(&site, &query, |state| state.update(&path, &change(&query, &body))).await
}

async fn remove(State(site): State<Site>, Path(path): Path<String>, Query(query): Parameters) -> Response {
    answer(&site, &query, |state| {
        let (parent, id) = path.split_once("/revisions/").ok_or_else(|| ApiError::not_found(&path))?;
        state.delete_revision(parent, id, text(&query, "etag"), text(&query, "validateOnly") == "true")
    })
    .await
}

async fn create(
    State(site): State<Site>,
    Path(path): Path<String>,
    Query(query): Parameters,
    Json(body): Json<Value>,
) -> Response {
    answer(&site, &query, |state| {
        let (location, kind) = collection(&path).ok_or_else(|| ApiError::not_found(&path))?;
        state.create(location, kind, text(&query, kind.id_parameter()), &change(&query, &body))
    })
    .await
}

/// The location and the kind of a collection; `None` for the path of anything else.
fn collection(path: &str) -> Option<(&str, CloudRunKind)> {
    let (location, last) = path.rsplit_once('/')?;
    let kind = CloudRunKind::of(path);
    (last == kind.collection()).then_some((location, kind))
}

fn text<'a>(query: &'a HashMap<String, String>, field: &str) -> &'a str {
    query.get(field).map(String::as_str).unwrap_or_default()
}

fn change<'a>(query: &'a HashMap<String, String>, body: &'a Value) -> Change<'a> {
    Change {
        body,
        mask: text(query, "updateMask"),
        validate_only: text(query, "validateOnly") == "true",
        allow_missing: text(query, "allowMissing") == "true",
    }
}

/// Serves one request, unless a fault befalls it.
async fn answer(
    site: &Site,
    query: &HashMap<String, String>,
    serve: impl FnOnce(&mut CloudRunState) -> Result<Value, ApiError>,
) -> Response {
    let fault = lock(&site.state).faults.pop_front().unwrap_or(Fault::Pass);
    if fault == Fault::Hang {
        let hang = site.stop.run_until_cancelled(pending::<()>());
        hang.await;
        return ApiError::unavailable().into_response();
    }
    if let Some(refusal) = fault.refusal() {
        return refusal.into_response();
    }
    let served = serve(&mut lock(&site.state)).and_then(|mut value| {
        if text(query, "$alt").contains("enum-encoding=int") {
            to_numbers(&mut value)?;
        }
        Ok(value)
    });
    if fault == Fault::LoseAnswer {
        // A body that breaks off is as near to a lost connection as a handler comes.
        let broken = futures::stream::iter([Err::<String, _>(std::io::Error::other("connection lost"))]);
        return axum::body::Body::from_stream(broken).into_response();
    }
    match served {
        Ok(value) => Json(value).into_response(),
        Err(error) => error.into_response(),
    }
}
