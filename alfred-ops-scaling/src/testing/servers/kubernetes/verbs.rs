//! What requests do to objects.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::controller::reconcile;
use super::deployment;
use super::path::Place;
use super::refusal::Refusal;
use super::state::{Key, State};
use super::{patch, scale, selector};

/// A request as it came over HTTP.
#[derive(Debug)]
pub(super) struct Asked<'a> {
    pub(super) verb: &'static str,
    pub(super) place: &'a Place,
    pub(super) query: &'a HashMap<String, String>,
    pub(super) media_type: &'a str,
    pub(super) body: &'a Value,
}

impl Asked<'_> {
    pub(super) fn text(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    /// Whether a list or watch includes an object.
    pub(super) fn selects(&self, object: &Value) -> bool {
        selector::meets_labels(object, self.text("labelSelector"))
            && selector::meets_fields(object, self.text("fieldSelector"))
    }

    fn key(&self) -> Result<Key, Refusal> {
        let Place { kind, namespace, name, .. } = self.place;
        let named = self.body["metadata"]["name"].as_str().filter(|_| self.verb == "create");
        let name =
            name.as_deref().or(named).ok_or_else(|| Refusal::bad_request("metadata.name: Required value"))?;
        let namespace = namespace.clone().unwrap_or_default();
        Ok(Key { kind, namespace, name: name.to_owned() })
    }
}

/// Does what is asked for.
pub(super) fn serve(state: &mut State, asked: &Asked<'_>) -> Result<Value, Refusal> {
    match asked.verb {
        "list" => Ok(list(state, asked)),
        "get" => {
            let object = found(state, &asked.key()?)?;
            Ok(if asked.place.scale { scale::of(object) } else { object.clone() })
        }
        "create" if !asked.place.scale => create(state, asked),
        "update" | "patch" => change(state, asked),
        "delete" if !asked.place.scale => delete(state, asked),
        _ => Err(Refusal::no_such_verb()),
    }
}

fn found<'s>(state: &'s State, key: &Key) -> Result<&'s Value, Refusal> {
    state.get(key).ok_or_else(|| Refusal::not_found(key.kind, &key.name))
}

/// One page of a list. The token is the place where it goes on.
fn list(state: &State, asked: &Asked<'_>) -> Value {
    let Place { kind, namespace, .. } = asked.place;
    let all: Vec<&Value> =
        state.list(kind, namespace.as_deref()).filter(|object| asked.selects(object)).collect();
    let start = asked.text("continue").parse().unwrap_or(0_usize).min(all.len());
    let limit = asked.text("limit").parse().ok().filter(|limit| *limit > 0).unwrap_or(usize::MAX);
    let end = start.saturating_add(limit).min(all.len());
    let mut metadata = json!({ "resourceVersion": state.revision.to_string() });
    if end < all.len() {
        metadata["continue"] = json!(end.to_string());
        metadata["remainingItemCount"] = json!(all.len() - end);
    }
    json!({
        "kind": format!("{}List", kind.name), "apiVersion": kind.api_version(), "metadata": metadata,
        "items": all.get(start..end).unwrap_or_default(),
    })
}

fn create(state: &mut State, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let key = asked.key()?;
    if state.get(&key).is_some() {
        return Err(Refusal::exists(key.kind, &key.name));
    }
    let mut object = asked.body.clone();
    if object["metadata"]["resourceVersion"].as_str().is_some_and(|version| !version.is_empty()) {
        return Err(Refusal::internal("resourceVersion should not be set on objects to be created"));
    }
    deployment::check(&key, &object, None)?;
    // Only controllers write the status.
    object.as_object_mut().map(|fields| fields.remove("status"));
    if key.kind.scales {
        let count = scale::check(key.kind, &key.name, &object["spec"]["replicas"])?;
        object["spec"]["replicas"] = json!(count.unwrap_or(1));
    }
    Ok(store(state, asked, &key, object))
}

fn delete(state: &mut State, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let key = asked.key()?;
    let object = found(state, &key)?.clone();
    let wanted = |field: &str| asked.body["preconditions"][field].as_str();
    if wanted("uid").is_some_and(|uid| object["metadata"]["uid"] != uid) {
        return Err(Refusal::other_uid(key.kind, &key.name));
    }
    if wanted("resourceVersion").is_some_and(|version| object["metadata"]["resourceVersion"] != version) {
        return Err(Refusal::modified(key.kind, &key.name));
    }
    if !is_dry(asked) {
        state.writes += 1;
        state.remove_pod(&key);
        control(state);
    }
    if key.kind.name == "Pod" {
        return Ok(object);
    }
    let details = json!({
        "name": key.name, "group": key.kind.group, "kind": key.kind.plural, "uid": object["metadata"]["uid"],
    });
    Ok(
        json!({ "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details }),
    )
}

fn change(state: &mut State, asked: &Asked<'_>) -> Result<Value, Refusal> {
    let key = asked.key()?;
    let stored = found(state, &key)?.clone();
    let before = if asked.place.scale { scale::of(&stored) } else { stored.clone() };
    let written = if asked.verb == "patch" {
        // Custom kinds know no strategic merges, nor do their scales.
        patch::apply(&before, asked.body, asked.media_type, key.kind.built_in)?
    } else {
        asked.body.clone()
    };
    let given = |field: &str| written["metadata"][field].as_str().filter(|text| !text.is_empty());
    if given("uid").is_some_and(|uid| stored["metadata"]["uid"] != uid) {
        return Err(Refusal::other_uid(key.kind, &key.name));
    }
    if given("resourceVersion").is_some_and(|version| stored["metadata"]["resourceVersion"] != version) {
        return Err(Refusal::modified(key.kind, &key.name));
    }
    if given("name").is_some_and(|name| name != key.name) {
        return Err(Refusal::bad_request("the name of the object does not match the name on the URL"));
    }
    let object = if asked.place.scale {
        let mut object = stored;
        object["spec"]["replicas"] = json!(scale::asked(key.kind, &key.name, &written)?);
        object
    } else {
        let mut object = written;
        deployment::check(&key, &object, Some(&stored))?;
        // Only controllers write the status.
        object["status"] = stored["status"].clone();
        if key.kind.scales {
            let count = scale::check(key.kind, &key.name, &object["spec"]["replicas"])?;
            object["spec"]["replicas"] = json!(count.unwrap_or(1));
        }
        object
    };
    let stored = store(state, asked, &key, object);
    Ok(if asked.place.scale { scale::of(&stored) } else { stored })
}

/// Has admission change an object and stores it, unless it is a dry run, and lets controllers act once the answer is known.
fn store(state: &mut State, asked: &Asked<'_>, key: &Key, mut object: Value) -> Value {
    if let Some(max) = state.replicas_max.filter(|max| key.kind.scales && scale::replicas(&object) > *max) {
        object["spec"]["replicas"] = json!(max);
    }
    if is_dry(asked) {
        return object;
    }
    let stored = state.put_asked(key, object);
    control(state);
    stored
}

fn control(state: &mut State) {
    if state.controlled {
        reconcile(state);
    }
}

fn is_dry(asked: &Asked<'_>) -> bool {
    asked.text("dryRun") == "All"
}
