//! What Cloud Run uses, as its Admin API lists it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

mod image_uses;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use alfred_ops_core::{Error, ErrorKind, TaskSet};
use alfred_ops_maintenance::{CloudRunUse, ImageUse as _};
use alfred_ops_scaling::{CloudRunInventory, CloudRunOptions};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use axum::{Json, Router};
use image_uses::{Shelf, care_of, told};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

const REGION: &str = "projects/social-intel/locations/europe-west1";
/// Smaller than any list here, so that all take several pages.
const PAGE: usize = 2;

/// The lists of an Admin API, by their paths.
#[derive(Default)]
struct Lists {
    items: BTreeMap<String, Vec<Value>>,
    denied: Option<String>,
    unreachable: bool,
}

struct Server {
    endpoint: String,
    lists: Arc<Mutex<Lists>>,
    tasks: TaskSet,
}

async fn answer(
    State(lists): State<Arc<Mutex<Lists>>>,
    Path(path): Path<String>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let lists = lists.lock().unwrap();
    if lists.denied.as_ref() == Some(&path) {
        let error =
            json!({ "code": 403, "message": "Permission 'run.list' denied", "status": "PERMISSION_DENIED" });
        return (StatusCode::FORBIDDEN, Json(json!({ "error": error }))).into_response();
    }
    let collection = path.rsplit('/').next().unwrap();
    let items = lists.items.get(&path).cloned().unwrap_or_default();
    let start = query.get("pageToken").and_then(|token| token.parse().ok()).unwrap_or(0).min(items.len());
    let end = (start + PAGE).min(items.len());
    let next = if end < items.len() { end.to_string() } else { String::new() };
    let mut page = json!({ collection: items[start..end], "nextPageToken": next });
    if lists.unreachable && collection == "services" {
        page["unreachable"] = json!(["europe-west1"]);
    }
    Json(page).into_response()
}

impl Server {
    async fn start() -> Self {
        let lists = Arc::<Mutex<Lists>>::default();
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let tasks = TaskSet::new(&CancellationToken::new());
        let service = Router::new().route("/v2/{*path}", get(answer)).with_state(Arc::clone(&lists));
        let stop = tasks.cancel_token().clone();
        tasks.spawn(async move {
            axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await.unwrap();
        });
        Self { endpoint, lists, tasks }
    }

    /// Adds an item to the list at a path below the region.
    fn add(&self, path: &str, item: Value) {
        self.lists.lock().unwrap().items.entry(format!("{REGION}/{path}")).or_default().push(item);
    }

    async fn uses(&self) -> CloudRunUse {
        let options = CloudRunOptions::region("social-intel", "europe-west1").unwrap();
        let region = CloudRunInventory::connect(options.with_endpoint(&self.endpoint)).await.unwrap();
        CloudRunUse::new("cloud-run", [region]).unwrap()
    }
}

fn made_of(images: &[&str]) -> Value {
    json!({ "containers": images.iter().map(|image| json!({ "image": image })).collect::<Vec<_>>() })
}

fn named(name: &str, mut item: Value) -> Value {
    item["name"] = json!(format!("{REGION}/{name}"));
    item
}

#[tokio::test]
async fn each_kind_tells_what_it_runs_or_would_go_back_to() {
    let server = Server::start().await;
    for number in 0..5 {
        let name = format!("services/s{number}");
        server.add(
            "services",
            named(&name, json!({ "template": made_of(&[&format!("s{number}:new"), "proxy:1"]) })),
        );
        for old in 0..3 {
            let revision =
                named(&format!("{name}/revisions/r{old}"), made_of(&[&format!("s{number}:r{old}")]));
            server.add("services/-/revisions", revision);
        }
    }
    for number in 0..3 {
        let name = format!("workerPools/w{number}");
        server.add("workerPools", named(&name, json!({ "template": made_of(&[&format!("w{number}:new")]) })));
        for old in 0..3 {
            let revision =
                named(&format!("{name}/revisions/r{old}"), made_of(&[&format!("w{number}:r{old}")]));
            server.add(&format!("{name}/revisions"), revision);
        }
        let name = format!("jobs/j{number}");
        let task = made_of(&[&format!("j{number}:new")]);
        server.add("jobs", named(&name, json!({ "template": { "template": task } })));
        let past = json!({ "template": made_of(&[&format!("j{number}:past")]) });
        server.add("jobs/-/executions", named(&format!("{name}/executions/e"), past));
    }
    // It is built from source, and has not been built.
    server.add("services", named("services/source", json!({ "template": made_of(&[""]) })));
    server.add("jobs", named("jobs/bare", json!({})));
    let mut expected = vec!["proxy:1".to_owned()];
    for number in 0..5 {
        expected.extend(["new", "r0", "r1", "r2"].map(|tag| format!("s{number}:{tag}")));
    }
    for number in 0..3 {
        expected.extend(["new", "r0", "r1", "r2"].map(|tag| format!("w{number}:{tag}")));
        expected.extend(["new", "past"].map(|tag| format!("j{number}:{tag}")));
    }
    let mut expected: Vec<String> = expected.iter().map(|name| format!("docker.io/library/{name}")).collect();
    expected.sort();
    assert_eq!(told(&server.uses().await).await, expected);
    server.tasks.shutdown().await;
}

fn check(error: &Error, kind: ErrorKind, said: &[&str]) {
    let full = error.full();
    assert_eq!(error.kind(), kind, "{full}");
    for said in said {
        assert!(full.contains(said), "{said} is not in {full}");
    }
}

#[tokio::test]
async fn what_may_not_be_read_is_an_error_that_says_what_is_missing() {
    let server = Server::start().await;
    server.add("workerPools", named("workerPools/w", json!({})));
    for path in [
        "services",
        "services/-/revisions",
        "workerPools",
        "workerPools/w/revisions",
        "jobs",
        "jobs/-/executions",
    ] {
        server.lists.lock().unwrap().denied = Some(format!("{REGION}/{path}"));
        let error = server.uses().await.in_use().await.unwrap_err();
        check(&error, ErrorKind::PermissionDenied, &["roles/run.viewer", REGION]);
    }
    server.lists.lock().unwrap().denied = None;
    server.lists.lock().unwrap().unreachable = true;
    let error = server.uses().await.in_use().await.unwrap_err();
    check(&error, ErrorKind::Unavailable, &["europe-west1 cannot be reached"]);
    server.lists.lock().unwrap().unreachable = false;
    server.add("jobs", named("jobs/typo", json!({ "template": { "template": made_of(&["no image"]) } })));
    let error = server.uses().await.in_use().await.unwrap_err();
    check(&error, ErrorKind::InvalidInput, &["jobs/typo", "\"no image\"", "delete the resource"]);

    check(
        &CloudRunUse::new("cloud-run", []).unwrap_err(),
        ErrorKind::InvalidInput,
        &["regions: there is none"],
    );
    check(&CloudRunOptions::region("a/b", "c").unwrap_err(), ErrorKind::InvalidInput, &["project: \"a/b\""]);
    let service = CloudRunOptions::new("social-intel", "europe-west1", "bot").unwrap();
    let error = CloudRunInventory::connect(service).await.unwrap_err();
    check(&error, ErrorKind::InvalidInput, &["CloudRunOptions::region"]);
    server.tasks.shutdown().await;
}

#[tokio::test]
async fn nothing_that_cloud_run_uses_is_removed_and_nothing_at_all_if_it_does_not_tell() {
    let server = Server::start().await;
    server.add(
        "services/-/revisions",
        named("services/s/revisions/old", made_of(&["registry.example/bot:v1"])),
    );
    let shelf = Shelf::new("bot", &["v1", "unused"]);
    server.lists.lock().unwrap().denied = Some(format!("{REGION}/jobs"));
    let record = care_of(&shelf, server.uses().await).await;
    assert_eq!(shelf.tags().len(), 2, "{}", record.plan);
    assert!(record.plan.contains("nothing is removed, since cloud-run does not tell"), "{}", record.plan);
    server.lists.lock().unwrap().denied = None;
    let record = care_of(&shelf, server.uses().await).await;
    assert_eq!(shelf.tags(), ["v1"], "{}", record.plan);
    server.tasks.shutdown().await;
}
