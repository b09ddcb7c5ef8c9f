//! One service or worker pool as the Admin API keeps it.

use serde_json::{Map, Value, json};

use super::api_error::ApiError;
use super::cloud_run_kind::CloudRunKind;
use super::enums::to_names;

/// The most instances that the API accepts.
const INSTANCES_MAX: i64 = 1000;
#[derive(Debug, Clone)]
pub(super) struct CloudRunService {
    kind: CloudRunKind,
    /// What the client wrote: mutable fields only, enums by name.
    spec: Map<String, Value>,
    generation: u64,
    revisions: u64,
    history: Vec<u32>,
}

impl CloudRunService {
    /// A service with a template, as a client would create it.
    pub(super) fn create(kind: CloudRunKind, body: &Value) -> Result<Self, ApiError> {
        if body["template"]["containers"].as_array().is_none_or(Vec::is_empty) {
            let field = kind.field();
            return Err(ApiError::invalid(format!("{field}.template.containers: must have a container")));
        }
        let mut service = Self { kind, spec: Map::new(), generation: 0, revisions: 0, history: Vec::new() };
        service.update(body, "")?;
        service.history.clear();
        Ok(service)
    }

    pub(super) fn etag(&self) -> String {
        format!("\"etag-{}\"", self.generation)
    }

    pub(super) fn revisions(&self) -> u64 {
        self.revisions
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
    pub(super) fn update(&mut self, body: &Value, mask: &str) -> Result<(), ApiError> {
        let mut body = body.clone();
        to_names(&mut body)?;
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
        self.revisions += u64::from(spec.get("template") != self.spec.get("template"));
        self.spec = spec;
        self.generation += 1;
        if paths.iter().any(|path| path.starts_with("scaling")) {
            self.history.push(self.instances());
        }
        Ok(())
    }

    /// The whole service as proto3 JSON, in which 64-bit numbers are text.
    pub(super) fn json(&self, name: &str, reconciling: bool) -> Value {
        let observed = if reconciling { self.generation - 1 } else { self.generation };
        let state = if reconciling { "CONDITION_RECONCILING" } else { "CONDITION_SUCCEEDED" };
        let revision = format!("{name}/revisions/revision-{}", self.revisions);
        let mut document = json!({
            "name": name,
            "uid": "00000000-0000-4000-8000-000000000001",
            "etag": self.etag(),
            "generation": self.generation.to_string(),
            "observedGeneration": observed.to_string(),
            "reconciling": reconciling,
            "terminalCondition": { "type": "Ready", "state": state },
            "latestCreatedRevision": revision,
            "latestReadyRevision": revision,
        });
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
