//! A cluster of Qdrant, over HTTP.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{Error, ErrorKind, Result, TaskSet};
use axum::body::{Body, Bytes};
use axum::extract::{Path, State as Site};
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{delete, get};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::chaos::{Mishap, QdrantChaos};
use super::page;
use super::refusal::Refusal;
use super::state::State;
use crate::qdrant::{ClusterView, Limits, PeerId, Route};

/// A cluster of Qdrant in this process, as far as its peers and replicas go: no points. It has the rules of server
/// 1.19, its dangerous ones too: it starts any number of transfers, and one to a replica that serves puts that out
/// of service. It ends with its owner.
///
/// Every answer to `GET /cluster` is a simulated step, in which transfers get on. All changes that requests bring
/// about are watched: see [`violations`](Self::violations).
#[derive(Debug)]
pub struct QdrantServer {
    origin: String,
    state: Shared,
    tasks: TaskSet,
}

type Shared = Arc<Mutex<State>>;

impl QdrantServer {
    /// Starts a cluster that is as `view` says, on a free port. Peers that are not reachable are dead.
    ///
    /// # Errors
    /// If no port is free.
    pub async fn start(view: ClusterView) -> Result<Self> {
        let failed = |source| {
            Error::new(ErrorKind::Unavailable, "start Qdrant server", "no port is free").with_source(source)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let origin = format!("http://{}", listener.local_addr().map_err(failed)?);
        let state = Arc::new(Mutex::new(State::new(view)));
        let tasks = TaskSet::new(&CancellationToken::new());
        let stop = tasks.cancel_token().clone();
        let service = Router::new()
            .route("/peer/{asked}/", get(greeting))
            .route("/peer/{asked}/cluster", get(cluster))
            .route("/peer/{asked}/cluster/peer/{peer}", delete(remove_peer))
            .route("/peer/{asked}/collections", get(collections))
            .route("/peer/{asked}/collections/{name}", get(collection))
            .route("/peer/{asked}/collections/{name}/cluster", get(collection_cluster).post(update))
            .with_state(Arc::clone(&state));
        tasks.spawn(async move {
            let _ = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await;
        });
        Ok(Self { origin, state, tasks })
    }

    /// The REST URL of a peer.
    #[must_use]
    pub fn endpoint(&self, peer: PeerId) -> String {
        format!("{}/peer/{peer}", self.origin)
    }

    /// The REST URLs of all peers that are in the cluster now.
    #[must_use]
    pub fn endpoints(&self) -> Vec<String> {
        self.lock().view.peers.keys().map(|peer| self.endpoint(*peer)).collect()
    }

    /// The cluster as it is.
    #[must_use]
    pub fn view(&self) -> ClusterView {
        self.lock().view.clone()
    }

    /// Has transfers take so many steps.
    pub fn finish_after(&self, steps: u32) {
        self.lock().steps = steps;
    }

    /// Answers only requests with this API key.
    pub fn require_key(&self, key: &str) {
        self.lock().api_key = Some(key.to_owned());
    }

    /// Has things go wrong from now on, or no longer.
    pub fn set_chaos(&self, chaos: Option<QdrantChaos>) {
        self.lock().chaos = chaos;
    }

    /// Has a peer die; `noticed` if its replicas have failed writes since and are marked dead.
    pub fn kill(&self, peer: PeerId, noticed: bool) {
        self.lock().kill(peer, noticed);
    }

    /// Has a peer come back. Its dead replicas stay dead.
    pub fn revive(&self, peer: PeerId) {
        self.lock().revive(peer);
    }

    /// Notes it as a violation when a transfer is started beyond these limits.
    pub fn watch_limits(&self, limits: Limits) {
        self.lock().invariants.limits = Some(limits);
    }

    /// What must not have happened and did: a shard that was made to serve from fewer replicas than its floor, a
    /// transfer beyond the limits or to a replica that is there already, a shard that is lost.
    #[must_use]
    pub fn violations(&self) -> Vec<String> {
        self.lock().invariants.violations.clone()
    }

    /// The most transfers that have run at once.
    #[must_use]
    pub fn transfers_peak(&self) -> usize {
        self.lock().invariants.transfers_peak
    }

    /// Stops the server and waits for its end.
    pub async fn stop(self) {
        self.tasks.shutdown().await;
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

fn lock(state: &Shared) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn greeting(Site(state): Site<Shared>, Path(asked): Path<PeerId>, headers: HeaderMap) -> Response {
    let title = json!({ "title": "qdrant - vector search engine", "version": "1.19.0" });
    answer(&state, asked, &headers, |_| Ok(title))
}

async fn cluster(Site(state): Site<Shared>, Path(asked): Path<PeerId>, headers: HeaderMap) -> Response {
    answer(&state, asked, &headers, |state| {
        state.step();
        Ok(page::cluster(state, asked))
    })
}

async fn collections(Site(state): Site<Shared>, Path(asked): Path<PeerId>, headers: HeaderMap) -> Response {
    answer(&state, asked, &headers, |state| Ok(page::collections(state)))
}

type OfCollection = Path<(PeerId, String)>;

async fn collection(
    Site(state): Site<Shared>,
    Path((asked, name)): OfCollection,
    headers: HeaderMap,
) -> Response {
    answer(&state, asked, &headers, |state| page::collection(state, &name))
}

async fn collection_cluster(
    Site(state): Site<Shared>,
    Path((asked, name)): OfCollection,
    headers: HeaderMap,
) -> Response {
    answer(&state, asked, &headers, |state| page::collection_cluster(state, asked, &name))
}

async fn update(
    Site(state): Site<Shared>,
    Path((asked, name)): OfCollection,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    answer(&state, asked, &headers, |state| {
        if state.leader().is_none() {
            return Err(Refusal::no_consensus());
        }
        state.collection(&name)?;
        operate(state, name, &body)
    })
}

async fn remove_peer(
    Site(state): Site<Shared>,
    Path((asked, peer)): Path<(PeerId, PeerId)>,
    headers: HeaderMap,
) -> Response {
    answer(&state, asked, &headers, |state| {
        if state.leader().is_none() {
            return Err(Refusal::no_consensus());
        }
        state.remove_peer(peer).map(|()| json!(true))
    })
}

/// One operation: an object with one field that says which, in it an object of numbers.
fn operate(state: &mut State, name: String, body: &[u8]) -> Result<Value, Refusal> {
    let body: Value = serde_json::from_slice(body).map_err(|error| Refusal::malformed(error.to_string()))?;
    let fields = body.as_object().filter(|fields| fields.len() == 1);
    let Some((operation, details)) = fields.and_then(|fields| fields.iter().next()) else {
        return Err(Refusal::malformed("no variant of ClusterOperations matches"));
    };
    let number = |field: &str| {
        details[field]
            .as_u64()
            .ok_or_else(|| Refusal::malformed(format!("{operation}: {field} is no number")))
    };
    let shard =
        u32::try_from(number("shard_id")?).map_err(|_| Refusal::malformed("shard_id is too large"))?;
    if operation == "drop_replica" {
        return state.drop_replica(&name, shard, number("peer_id")?).map(|()| json!(true));
    }
    let (from, to) = (number("from_peer_id")?, number("to_peer_id")?);
    let route = Route { collection: name, shard, from, to };
    let done = match operation.as_str() {
        "move_shard" => state.start(&route, false),
        "replicate_shard" => state.start(&route, true),
        "abort_transfer" => state.abort(&route),
        _ => Err(Refusal::malformed("no variant of ClusterOperations matches")),
    };
    done.map(|()| json!(true))
}

/// Serves one request, unless the peer that is asked is dead or a mishap befalls it.
fn answer(
    state: &Shared,
    asked: PeerId,
    headers: &HeaderMap,
    serve: impl FnOnce(&mut State) -> Result<Value, Refusal>,
) -> Response {
    let mut state = lock(state);
    let mishap = state.chaos.as_ref().and_then(QdrantChaos::mishap);
    if mishap == Some(Mishap::RequestLost) || !state.lives(asked) {
        return broken();
    }
    if mishap == Some(Mishap::Refused) {
        return Refusal::unavailable().into_response();
    }
    let given = headers.get("api-key").and_then(|key| key.to_str().ok());
    if state.api_key.is_some() && given != state.api_key.as_deref() {
        return Refusal::unauthorized().into_response();
    }
    let served = serve(&mut state);
    if mishap == Some(Mishap::AnswerLost) {
        return broken();
    }
    match served {
        Ok(title) if title.get("title").is_some() => Json(title).into_response(),
        Ok(result) => Json(json!({ "result": result, "status": "ok", "time": 0.001 })).into_response(),
        Err(refusal) => refusal.into_response(),
    }
}

/// A body that breaks off is as near to a lost connection as a handler comes.
fn broken() -> Response {
    let lost = futures::stream::iter([Err::<String, _>(std::io::Error::other("connection lost"))]);
    Body::from_stream(lost).into_response()
}
