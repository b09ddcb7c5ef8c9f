//! One revision as the Admin API keeps it.

use serde_json::{Value, json};

use super::api_error::ApiError;
use super::cloud_run_kind::CloudRunKind;

/// The longest name of a revision.
const NAME_LENGTH_MAX: usize = 63;
/// How later revisions start.
#[derive(Debug, Clone, Default)]
pub(super) struct Startup {
    /// Looks at the revisions until one has started, or has failed to.
    pub(super) looks: u32,
    /// Images that do not start, and what the platform says of them.
    pub(super) broken: Vec<(String, String)>,
}

/// One revision: a template that nobody can change any more.
#[derive(Debug, Clone)]
pub(super) struct CloudRunRevision {
    /// Its place among all revisions that the service has had.
    pub(super) number: u64,
    /// What it was made of, without a name.
    template: Value,
    looks_left: u32,
    fault: Option<String>,
}

impl CloudRunRevision {
    pub(super) fn new(number: u64, template: Value, startup: &Startup) -> Self {
        let image = &template["containers"][0]["image"];
        let fault = startup.broken.iter().find(|(broken, _)| image == broken);
        let fault = fault.map(|(_, fault)| fault.clone());
        Self { number, template, looks_left: startup.looks, fault }
    }

    /// Whether it was made of this.
    pub(super) fn is_made_of(&self, template: &Value) -> bool {
        self.template == *template
    }

    /// It comes a little closer to its start.
    pub(super) fn look(&mut self) {
        self.looks_left = self.looks_left.saturating_sub(1);
    }

    pub(super) fn is_starting(&self) -> bool {
        self.looks_left > 0
    }

    pub(super) fn is_ready(&self) -> bool {
        !self.is_starting() && self.fault.is_none()
    }

    /// Why it did not start.
    pub(super) fn fault(&self) -> Option<&str> {
        self.fault.as_deref().filter(|_| !self.is_starting())
    }

    pub(super) fn etag(&self) -> String {
        format!("\"revision-{}\"", self.number)
    }

    /// The whole revision as proto3 JSON.
    pub(super) fn json(&self, kind: CloudRunKind, parent: &str, id: &str) -> Value {
        let mut document = self.template.clone();
        document["name"] = json!(format!("{parent}/revisions/{id}"));
        if kind == CloudRunKind::Service {
            // A revision has no word for a worker pool.
            document["service"] = json!(parent.rsplit('/').next());
        }
        document["uid"] = json!(format!("00000000-0000-4000-9000-{:012}", self.number));
        document["generation"] = json!("1");
        document["observedGeneration"] = json!(if self.is_starting() { "0" } else { "1" });
        document["reconciling"] = json!(self.is_starting());
        document["etag"] = json!(self.etag());
        let mut ready = json!({ "type": "Ready", "state": "CONDITION_SUCCEEDED" });
        if self.is_starting() {
            ready["state"] = json!("CONDITION_RECONCILING");
        } else if let Some(fault) = &self.fault {
            ready["state"] = json!("CONDITION_FAILED");
            ready["revisionReason"] = json!("HEALTH_CHECK_CONTAINER_ERROR");
            ready["message"] = json!(fault);
        }
        document["conditions"] =
            json!([ready, { "type": "ResourcesAvailable", "state": "CONDITION_SUCCEEDED" }]);
        document
    }
}

/// The name that a revision gets where the template has none.
pub(super) fn made_up_name(service: &str, number: u64) -> String {
    let letter = |place: u32| char::from(b'a' + u8::try_from(number / 26_u64.pow(place) % 26).unwrap_or(0));
    format!("{service}-{number:05}-{}{}{}", letter(2), letter(1), letter(0))
}

/// Refuses what is no name of a revision of this service.
pub(super) fn check_name(service: &str, name: &str) -> Result<(), ApiError> {
    let letters = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    let shaped = name.strip_prefix(service).and_then(|rest| rest.strip_prefix('-')).is_some_and(|suffix| {
        suffix.ends_with(letters) && suffix.chars().all(|character| letters(character) || character == '-')
    });
    if shaped && name.len() <= NAME_LENGTH_MAX {
        return Ok(());
    }
    Err(ApiError::invalid(format!(
        "template.revision: '{name}' must be the name of the service, '-' and a suffix"
    )))
}
