//! One service or worker pool as the Admin API keeps it.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::api_error::ApiError;
use super::cloud_run_kind::CloudRunKind;
use super::cloud_run_revision::{CloudRunRevision, Startup, check_name, made_up_name};
use super::cloud_run_split::{check_split, percent, resolved, unready};
use super::enums::to_names;

/// The most instances that the API accepts.
const INSTANCES_MAX: i64 = 1000;
#[derive(Debug, Clone)]
pub(super) struct CloudRunService {
    kind: CloudRunKind,
    /// What the client wrote: mutable fields only, enums by name.
    spec: Map<String, Value>,
    id: String,
    generation: u64,
    /// The revisions that exist.
    revisions: BTreeMap<String, CloudRunRevision>,
    /// How many there have been.
    revisions_made: u64,
    latest_created: String,
    /// Who gets requests or instances: what was asked for last and could be done.
    serving: Vec<Value>,
    /// Whether that stays as it is, whatever is asked for.
    pub(super) is_held: bool,
    history: Vec<u32>,
}

impl CloudRunService {
    /// A service with a template, as a client would create it.
    pub(super) fn create(
        kind: CloudRunKind,
        id: &str,
        body: &Value,
        startup: &Startup,
    ) -> Result<Self, ApiError> {
        if body["template"]["containers"].as_array().is_none_or(Vec::is_empty) {
            let field = kind.field();
            return Err(ApiError::invalid(format!("{field}.template.containers: must have a container")));
        }
        let mut service = Self {
            kind,
            spec: Map::new(),
            id: id.to_owned(),
            generation: 0,
            revisions: BTreeMap::new(),
            revisions_made: 0,
            latest_created: String::new(),
            serving: Vec::new(),
            is_held: false,
            history: Vec::new(),
        };
        service.update(body, "", startup)?;
        service.history.clear();
        Ok(service)
    }

    pub(super) fn etag(&self) -> String {
        format!("\"etag-{}\"", self.generation)
    }

    /// How many revisions there have been.
    pub(super) fn revisions_made(&self) -> u64 {
        self.revisions_made
    }

    /// The revisions that exist, the newest first.
    pub(super) fn revisions(&self) -> Vec<(&str, &CloudRunRevision)> {
        let mut revisions: Vec<_> =
            self.revisions.iter().map(|(id, revision)| (id.as_str(), revision)).collect();
        revisions.sort_by_key(|(_, revision)| std::cmp::Reverse(revision.number));
        revisions
    }

    pub(super) fn revision(&self, id: &str) -> Option<&CloudRunRevision> {
        self.revisions.get(id)
    }

    /// What starts comes a little closer to its start.
    pub(super) fn look(&mut self) {
        self.revisions.values_mut().for_each(CloudRunRevision::look);
        self.serve();
    }

    /// Removes a revision, as far as it can be spared.
    pub(super) fn delete_revision(&mut self, id: &str) -> Result<(), ApiError> {
        let wanted = resolved(self.kind, &self.spec_split(), self.latest_ready());
        if wanted.iter().chain(&self.serving).any(|entry| entry["revision"] == id) {
            return Err(ApiError::precondition(format!("Revision '{id}' is able to receive traffic.")));
        }
        if id == self.latest_created {
            return Err(ApiError::precondition(format!(
                "Revision '{id}' is the latest revision of '{}'.",
                self.id
            )));
        }
        self.revisions.remove(id);
        Ok(())
    }

    /// Who really gets requests or instances, and how much.
    pub(super) fn shares(&self) -> BTreeMap<String, i64> {
        let mut shares = BTreeMap::new();
        for entry in self.serving.iter().filter(|entry| percent(entry) > 0) {
            let revision = entry["revision"].as_str().unwrap_or_default();
            *shares.entry(revision.to_owned()).or_default() += percent(entry);
        }
        shares
    }

    /// How many instances each revision has by its share: the whole part, and one more for the largest fractions.
    pub(super) fn instances_of(&self) -> BTreeMap<String, u32> {
        let instances = u64::from(self.instances());
        let exact = |percent: i64| instances * u64::try_from(percent).unwrap_or(0);
        let mut parts: Vec<(String, u64, u64)> = self
            .shares()
            .into_iter()
            .map(|(revision, percent)| (revision, exact(percent) / 100, exact(percent) % 100))
            .collect();
        let left = instances.saturating_sub(parts.iter().map(|(_, count, _)| *count).sum());
        parts.sort_by_key(|(.., rest)| std::cmp::Reverse(*rest));
        for (_, count, _) in parts.iter_mut().take(usize::try_from(left).unwrap_or(usize::MAX)) {
            *count += 1;
        }
        let whole = |(revision, count, _)| (revision, u32::try_from(count).unwrap_or(u32::MAX));
        parts.into_iter().map(whole).filter(|(_, count)| *count > 0).collect()
    }

    fn spec_split(&self) -> Value {
        self.spec.get(self.kind.split()).cloned().unwrap_or_default()
    }

    fn latest_ready(&self) -> Option<&str> {
        self.revisions().into_iter().find(|(_, revision)| revision.is_ready()).map(|(id, _)| id)
    }

    /// Does what was asked for, if it can be done.
    fn serve(&mut self) {
        let wanted = resolved(self.kind, &self.spec_split(), self.latest_ready());
        if !self.is_held && unready(&wanted, &self.revisions).is_none() {
            self.serving = wanted;
        }
    }

    /// Makes the template's revision, unless it is there.
    fn make_revision(&mut self, startup: &Startup) -> Result<(), ApiError> {
        let mut template = self.spec.get("template").cloned().unwrap_or_default();
        let named = template.as_object_mut().and_then(|template| template.remove("revision"));
        let number = self.revisions_made + 1;
        let name = match named.as_ref().and_then(Value::as_str) {
            Some(name) => {
                check_name(&self.id, name)?;
                name.to_owned()
            }
            None => made_up_name(&self.id, number),
        };
        match self.revisions.get(&name) {
            Some(found) if found.is_made_of(&template) => return Ok(()),
            Some(_) => return Err(ApiError::taken(&name)),
            None => {}
        }
        self.revisions.insert(name.clone(), CloudRunRevision::new(number, template, startup));
        (self.revisions_made, self.latest_created) = (number, name);
        Ok(())
    }

    pub(super) fn history(&self) -> &[u32] {
        &self.history
    }

    pub(super) fn instances(&self) -> u32 {
        let scaling = self.spec.get("scaling").unwrap_or(&Value::Null);
        scaling[self.counting(scaling)].as_u64().map_or(0, |count| u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// The part of `scaling` that counts.
    fn counting(&self, scaling: &Value) -> &'static str {
        let manual = self.kind == CloudRunKind::WorkerPool || scaling["scalingMode"] == "MANUAL";
        if manual { "manualInstanceCount" } else { "minInstanceCount" }
    }

    /// Sets the number that counts in the service's scaling mode.
    pub(super) fn set_instances(&mut self, instances: u32) {
        let mut scaling = self.spec.remove("scaling").unwrap_or_else(|| json!({}));
        let counting = self.counting(&scaling);
        scaling[counting] = json!(instances);
        self.spec.insert("scaling".to_owned(), scaling);
        self.generation += 1;
        self.history.push(instances);
    }

    /// Takes the masked fields over from the body: one that the body lacks is cleared. An empty mask, or `*`,
    /// is all fields. A change of the template makes a revision, and nothing else does.
    pub(super) fn update(&mut self, body: &Value, mask: &str, startup: &Startup) -> Result<(), ApiError> {
        let body = self.writable(body)?;
        for field in ["scaling", "template"] {
            if !body[field].is_null() && !body[field].is_object() {
                return Err(ApiError::invalid(format!(
                    "Invalid value at '{}.{field}': no object",
                    self.kind.field()
                )));
            }
        }
        let mut spec = Value::Object(self.spec.clone());
        let everything: Vec<&str> = self.kind.mutable().iter().copied().chain(["scaling"]).collect();
        let paths = match mask {
            "" | "*" => everything,
            mask => mask.split(',').collect(),
        };
        for path in &paths {
            check_path(self.kind, path)?;
            copy(&body, &mut spec, path);
        }
        check_scaling("scaling", &mut spec["scaling"])?;
        check_scaling("template.scaling", &mut spec["template"]["scaling"])?;
        prune(&mut spec);
        let Value::Object(spec) = spec else { return Ok(()) };
        let is_new = spec.get("template") != self.spec.get("template");
        self.spec = spec;
        if is_new {
            self.make_revision(startup)?;
        }
        check_split(self.kind, &self.spec_split(), &self.revisions)?;
        self.serve();
        self.generation += 1;
        if paths.iter().any(|path| path.starts_with("scaling")) {
            self.history.push(self.instances());
        }
        Ok(())
    }

    /// What a client may write of what it sent.
    fn writable(&self, body: &Value) -> Result<Value, ApiError> {
        let sent = body.as_object().into_iter().flatten();
        let known =
            sent.filter(|(field, _)| *field == "scaling" || self.kind.mutable().contains(&field.as_str()));
        let mut body = Value::Object(known.map(|(field, value)| (field.clone(), value.clone())).collect());
        to_names(&mut body)?;
        for entry in body[self.kind.split()].as_array_mut().into_iter().flatten() {
            // Numbers do not say which enum they are of.
            if let Some((_, to)) = entry["type"].as_str().and_then(|name| name.rsplit_once('_')) {
                entry["type"] = json!(self.kind.allocation(to));
            }
        }
        Ok(body)
    }

    /// Whether it is as was asked for, or why not.
    fn condition(&self, reconciling: bool) -> Value {
        let wanted = resolved(self.kind, &self.spec_split(), self.latest_ready());
        let fault = self.revisions.get(&self.latest_created).and_then(CloudRunRevision::fault);
        let unready = unready(&wanted, &self.revisions)
            .filter(|revision| !self.revisions.get(*revision).is_some_and(CloudRunRevision::is_starting));
        let unready =
            unready.map(|revision| format!("Revision '{revision}' is not ready and cannot serve traffic."));
        match fault.map(str::to_owned).or(unready) {
            _ if reconciling => json!({ "type": "Ready", "state": "CONDITION_RECONCILING" }),
            Some(fault) => json!({ "type": "Ready", "state": "CONDITION_FAILED", "message": fault }),
            None => json!({ "type": "Ready", "state": "CONDITION_SUCCEEDED" }),
        }
    }

    /// The whole service as proto3 JSON, in which 64-bit numbers are text.
    pub(super) fn json(&self, name: &str, reconciling: bool) -> Value {
        let observed = if reconciling { self.generation - 1 } else { self.generation };
        let full = |revision: &str| format!("{name}/revisions/{revision}");
        let mut document = json!({
            "name": name,
            "uid": "00000000-0000-4000-8000-000000000001",
            "etag": self.etag(),
            "generation": self.generation.to_string(),
            "observedGeneration": observed.to_string(),
            "reconciling": reconciling,
            "terminalCondition": self.condition(reconciling),
            "latestCreatedRevision": full(&self.latest_created),
        });
        if let Some(latest) = self.latest_ready() {
            document["latestReadyRevision"] = json!(full(latest));
        }
        document[self.kind.split_statuses()] = json!(self.serving);
        for (field, value) in &self.spec {
            document[field] = value.clone();
        }
        document
    }
}

fn check_path(kind: CloudRunKind, path: &str) -> Result<(), ApiError> {
    let known = match path.split_once('.') {
        Some(("scaling", part)) => kind.scaling().contains(&part),
        Some((field, _)) => kind.mutable().contains(&field),
        None => path == "scaling" || kind.mutable().contains(&path),
    };
    if known { Ok(()) } else { Err(ApiError::invalid(format!("update_mask: '{path}' cannot be updated"))) }
}

/// Copies what is at a dotted path, or clears it.
fn copy(from: &Value, to: &mut Value, path: &str) {
    match path.split_once('.') {
        Some((field, rest)) => {
            if !to[field].is_object() {
                to[field] = json!({});
            }
            copy(&from[field], &mut to[field], rest);
        }
        None => to[path] = from[path].clone(),
    }
}

/// Checks the counts of a `scaling`, which may come as text.
fn check_scaling(at: &str, scaling: &mut Value) -> Result<(), ApiError> {
    let Value::Object(fields) = scaling else { return Ok(()) };
    for (field, value) in
        fields.iter_mut().filter(|(field, value)| field.ends_with("Count") && !value.is_null())
    {
        let count = value.as_i64().or_else(|| value.as_str()?.parse().ok());
        let count = count.filter(|count| (0..=INSTANCES_MAX).contains(count)).ok_or_else(|| {
            ApiError::invalid(format!("{at}.{field}: {value} is not within 0 and {INSTANCES_MAX}"))
        })?;
        *value = json!(count);
    }
    let (min, max) = (scaling["minInstanceCount"].as_i64(), scaling["maxInstanceCount"].as_i64());
    if let (Some(min), Some(max)) = (min, max.filter(|max| *max > 0))
        && min > max
    {
        return Err(ApiError::invalid(format!("{at}.minInstanceCount: {min} exceeds the maximum of {max}")));
    }
    Ok(())
}

/// Removes what is null: proto3 JSON has no such thing.
fn prune(value: &mut Value) {
    if let Value::Object(fields) = value {
        fields.retain(|_, value| !value.is_null());
        fields.values_mut().for_each(prune);
    }
}
