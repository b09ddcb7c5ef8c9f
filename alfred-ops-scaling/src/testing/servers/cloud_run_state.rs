//! What the Admin API remembers.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Map, Value, json};

use super::api_error::ApiError;
use super::cloud_run_server::Fault;

/// The most instances that the API accepts.
const INSTANCES_MAX: i64 = 1000;
/// What this server can change: nothing else is in its mask.
const FIELDS: [&str; 4] = [
    "scaling.minInstanceCount",
    "scaling.maxInstanceCount",
    "scaling.manualInstanceCount",
    "scaling.scalingMode",
];
/// Enum numbers of `ServiceScaling.ScalingMode`.
const MODES: [(&str, i64); 2] = [("AUTOMATIC", 1), ("MANUAL", 2)];

#[derive(Debug, Default)]
pub(super) struct CloudRunState {
    services: BTreeMap<String, Service>,
    operations: BTreeMap<String, Operation>,
    pub(super) faults: VecDeque<Fault>,
}

#[derive(Debug, Clone)]
struct Service {
    scaling: Map<String, Value>,
    generation: u64,
    revisions: u64,
    history: Vec<u32>,
}

#[derive(Debug)]
struct Operation {
    service: String,
    polls_left: u32,
}

/// A change as it came over HTTP.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) name: &'a str,
    pub(super) body: &'a Value,
    pub(super) mask: &'a str,
    pub(super) validate_only: bool,
}

impl CloudRunState {
    pub(super) fn add(&mut self, name: &str, manual: bool) {
        let mode = if manual { "MANUAL" } else { "AUTOMATIC" };
        let scaling = json!({ "scalingMode": mode }).as_object().cloned().unwrap_or_default();
        let service = Service { scaling, generation: 1, revisions: 1, history: Vec::new() };
        self.services.insert(name.to_owned(), service);
    }

    pub(super) fn get(&self, name: &str, enums_as_numbers: bool) -> Result<Value, ApiError> {
        let service = self.services.get(name).ok_or_else(|| ApiError::not_found(name))?;
        Ok(service.json(name, enums_as_numbers))
    }

    pub(super) fn instances(&self, name: &str) -> Option<u32> {
        self.services.get(name).map(Service::instances)
    }

    pub(super) fn history(&self, name: &str) -> Vec<u32> {
        self.services.get(name).map(|service| service.history.clone()).unwrap_or_default()
    }

    pub(super) fn revisions(&self, name: &str) -> Option<u64> {
        self.services.get(name).map(|service| service.revisions)
    }

    /// Checks a change and makes it; the answer is the operation that carries it out.
    pub(super) fn update(&mut self, change: &Change<'_>, polls: u32) -> Result<Value, ApiError> {
        let Change { name, body, mask, validate_only } = *change;
        let service = self.services.get_mut(name).ok_or_else(|| ApiError::not_found(name))?;
        let etag = body["etag"].as_str().unwrap_or_default();
        if !etag.is_empty() && etag != service.etag() {
            return Err(ApiError::aborted());
        }
        let mut changed = service.clone();
        let paths: Vec<&str> = mask.split(',').filter(|path| !path.is_empty()).collect();
        if paths.is_empty() {
            return Err(ApiError::invalid("this server needs an updateMask"));
        }
        for path in paths {
            changed.set(path, body)?;
        }
        if validate_only {
            return Ok(done_operation("validated", name, &changed));
        }
        changed.generation += 1;
        changed.history.push(changed.instances());
        *service = changed;
        let id = format!("operation-{}", self.operations.len() + 1);
        let operation = Operation { service: name.to_owned(), polls_left: polls };
        self.operations.insert(id.clone(), operation);
        self.poll(&id, name)
    }

    /// Looks at an operation, which comes a little closer to its end.
    pub(super) fn poll(&mut self, id: &str, asked: &str) -> Result<Value, ApiError> {
        let operation = self.operations.get_mut(id).ok_or_else(|| ApiError::not_found(asked))?;
        let name = operation.service.clone();
        if operation.polls_left > 0 {
            operation.polls_left -= 1;
            return Ok(json!({ "name": operation_name(&name, id), "done": false }));
        }
        let service = self.services.get(&name).ok_or_else(|| ApiError::not_found(&name))?;
        Ok(done_operation(id, &name, service))
    }
}

impl Service {
    fn etag(&self) -> String {
        format!("\"etag-{}\"", self.generation)
    }

    fn instances(&self) -> u32 {
        let manual = self.scaling.get("scalingMode").and_then(Value::as_str) == Some("MANUAL");
        let field = if manual { "manualInstanceCount" } else { "minInstanceCount" };
        let count = self.scaling.get(field).and_then(Value::as_u64).unwrap_or(0);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    /// Sets one field of the mask to its value in the body; a field that is not there is cleared.
    fn set(&mut self, path: &str, body: &Value) -> Result<(), ApiError> {
        if !FIELDS.contains(&path) {
            return Err(ApiError::invalid(format!("updateMask: {path:?} cannot be changed here")));
        }
        let field = path.trim_start_matches("scaling.");
        let Some(value) = body["scaling"].get(field).filter(|value| !value.is_null()) else {
            self.scaling.remove(field);
            return Ok(());
        };
        if field == "scalingMode" {
            let known = MODES.iter().find(|(name, number)| value == name || value == number);
            let (mode, _) = known.ok_or_else(|| ApiError::invalid(format!("scaling_mode: {value}")))?;
            self.scaling.insert(field.to_owned(), json!(mode));
            return Ok(());
        }
        let count = value.as_i64().filter(|count| (0..=INSTANCES_MAX).contains(count));
        let count = count.ok_or_else(|| ApiError::invalid(format!("{path}: {value} is out of range")))?;
        self.scaling.insert(field.to_owned(), json!(count));
        Ok(())
    }

    fn json(&self, name: &str, enums_as_numbers: bool) -> Value {
        let mut scaling = self.scaling.clone();
        if enums_as_numbers
            && let Some(mode) = scaling.get_mut("scalingMode")
            && let Some((_, number)) = MODES.iter().find(|(name, _)| mode == name)
        {
            *mode = json!(number);
        }
        // As proto3 JSON has it: 64-bit numbers are text.
        json!({
            "name": name,
            "uid": "00000000-0000-4000-8000-000000000001",
            "etag": self.etag(),
            "generation": self.generation.to_string(),
            "observedGeneration": self.generation.to_string(),
            "latestReadyRevision": format!("{name}/revisions/revision-{}", self.revisions),
            "scaling": scaling,
            "template": {},
        })
    }
}

fn operation_name(service: &str, id: &str) -> String {
    let place = service.split("/services/").next().unwrap_or_default();
    format!("{place}/operations/{id}")
}

fn done_operation(id: &str, name: &str, service: &Service) -> Value {
    let mut response = service.json(name, true);
    response["@type"] = json!("type.googleapis.com/google.cloud.run.v2.Service");
    json!({ "name": operation_name(name, id), "done": true, "response": response })
}
