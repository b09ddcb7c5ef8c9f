//! Streams of what becomes of objects.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::response::Response;
use serde_json::{Value, json};

use super::kind::Kind;
use super::kubernetes_server::{Site, lock};
use super::refusal::Refusal;
use super::state::Event;
use super::verbs::Asked;

/// Watches end by themselves, as there.
const SECONDS_MAX: u64 = 600;

/// What a watch shows, wherever it stands.
struct Watch {
    site: Site,
    place: super::path::Place,
    query: std::collections::HashMap<String, String>,
    /// Up to here all is told.
    revision: u64,
    lines: VecDeque<String>,
    news: tokio::sync::watch::Receiver<u64>,
    ended: bool,
}

/// Tells all later than the revision that the request names, as it happens; without one all that is there first.
pub(super) fn watch(site: &Site, asked: &Asked<'_>) -> Response {
    let state = lock(&site.state);
    let from = asked.text("resourceVersion");
    let mut lines = VecDeque::new();
    let listed = asked.text("sendInitialEvents") == "true";
    let revision = match from.parse::<u64>() {
        Ok(revision) if revision > 0 && !listed => revision,
        _ => {
            let place = asked.place;
            let present = state.list(place.kind, place.namespace.as_deref());
            lines.extend(present.filter(|object| asked.selects(object)).map(|object| line("ADDED", object)));
            if listed {
                lines.push_back(bookmark(place.kind, state.revision));
            }
            state.revision
        }
    };
    let oldest = state.events.front().map_or(0, |event| event.revision);
    let mut ended = false;
    if revision.saturating_add(1) < oldest {
        lines
            .push_back(line("ERROR", &Refusal::gone(format!("too old resource version: {revision}")).json()));
        ended = true;
    }
    let seconds = asked.text("timeoutSeconds").parse().unwrap_or(SECONDS_MAX).min(SECONDS_MAX);
    let clock = Arc::clone(&state.clock);
    let watch = Watch {
        site: site.clone(),
        place: asked.place.clone(),
        query: asked.query.clone(),
        revision,
        lines,
        news: state.news.subscribe(),
        ended,
    };
    drop(state);
    let lines = futures::stream::unfold(watch, |mut watch| async move {
        let line = watch.next().await?;
        Some((Ok::<_, std::convert::Infallible>(line), watch))
    });
    let over = async move { clock.sleep(Duration::from_secs(seconds)).await };
    let body = Body::from_stream(futures::StreamExt::take_until(lines, Box::pin(over)));
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static("application/json"));
    response
}

impl Watch {
    async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(line) = self.lines.pop_front() {
                return Some(line);
            }
            if self.ended {
                return None;
            }
            self.news.borrow_and_update();
            self.look();
            if self.lines.is_empty() {
                self.site.stop.run_until_cancelled(self.news.changed()).await?.ok()?;
            }
        }
    }

    fn look(&mut self) {
        let state = lock(&self.site.state);
        let body = Value::Null;
        let asked =
            Asked { verb: "watch", place: &self.place, query: &self.query, media_type: "", body: &body };
        let here = |event: &&Event| {
            event.key.kind == self.place.kind
                && self.place.namespace.as_deref().is_none_or(|namespace| namespace == event.key.namespace)
        };
        let later = state.events.iter().filter(|event| event.revision > self.revision).filter(here);
        let lines: Vec<String> = later
            .filter(|event| asked.selects(&event.object))
            .map(|event| line(event.what, &event.object))
            .collect();
        self.revision = self.revision.max(state.revision);
        self.lines.extend(lines);
    }
}

fn line(what: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": what, "object": object }))
}

/// Says that all that was there is told.
fn bookmark(kind: &Kind, revision: u64) -> String {
    let metadata = json!({ "resourceVersion": revision.to_string(), "annotations": { "k8s.io/initial-events-end": "true" } });
    line("BOOKMARK", &json!({ "kind": kind.name, "apiVersion": kind.api_version(), "metadata": metadata }))
}
