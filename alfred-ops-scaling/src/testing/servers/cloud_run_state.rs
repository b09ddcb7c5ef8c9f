//! What the Admin API remembers.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::api_error::ApiError;
use super::cloud_run_kind::CloudRunKind;
use super::cloud_run_listing::{CloudRunJobs, is_in, page, page_size};
use super::cloud_run_revision::Startup;
use super::cloud_run_service::CloudRunService;
use super::fault::Fault;

/// Looks that an operation takes until it is done, unless a test says otherwise.
const POLLS: u32 = 1;
const NAME_LENGTH_MAX: usize = 49;
const REVISION_URL: &str = "type.googleapis.com/google.cloud.run.v2.Revision";

#[derive(Debug)]
pub(super) struct CloudRunState {
    services: BTreeMap<String, CloudRunService>,
    operations: BTreeMap<String, Operation>,
    pub(super) faults: VecDeque<Fault>,
    pub(super) polls: u32,
    pub(super) startup: Startup,
    pub(super) jobs: CloudRunJobs,
    pub(super) page_max: Option<usize>,
    /// A region that does not answer.
    pub(super) unreachable: Option<String>,
}

/// A change that is carried out while it is looked at.
#[derive(Debug)]
struct Operation {
    service: String,
    polls_left: u32,
    /// What was removed.
    revision: Option<Value>,
}

/// A change as it came over HTTP.
#[derive(Debug)]
pub(super) struct Change<'a> {
    pub(super) body: &'a Value,
    pub(super) mask: &'a str,
    pub(super) validate_only: bool,
    pub(super) allow_missing: bool,
}

impl Default for CloudRunState {
    fn default() -> Self {
        Self {
            services: BTreeMap::new(),
            operations: BTreeMap::new(),
            faults: VecDeque::new(),
            polls: POLLS,
            startup: Startup::default(),
            jobs: CloudRunJobs::default(),
            page_max: None,
            unreachable: None,
        }
    }
}

impl CloudRunState {
    pub(super) fn insert(&mut self, name: &str, service: CloudRunService) {
        self.services.insert(name.to_owned(), service);
    }

    pub(super) fn service(&self, name: &str) -> Option<&CloudRunService> {
        self.services.get(name)
    }

    pub(super) fn service_mut(&mut self, name: &str) -> Option<&mut CloudRunService> {
        self.services.get_mut(name)
    }

    pub(super) fn get(&self, name: &str) -> Result<Value, ApiError> {
        let service = self.services.get(name).ok_or_else(|| ApiError::not_found(name))?;
        Ok(service.json(name, self.is_reconciling(name)))
    }

    /// One page of what a location has of a kind.
    pub(super) fn list(&self, location: &str, kind: CloudRunKind, size: Option<usize>, token: &str) -> Value {
        let prefix = format!("{location}/{}/", kind.collection());
        let size = page_size(size);
        let mut found =
            self.services.iter().filter(|(name, _)| name.starts_with(&prefix) && name.as_str() > token);
        let page: Vec<_> = found.by_ref().take(size).collect();
        let services: Vec<Value> =
            page.iter().map(|(name, service)| service.json(name, self.is_reconciling(name))).collect();
        let next = if found.next().is_some() { page.last().map(|(name, _)| name.as_str()) } else { None };
        let mut page = json!({ kind.collection(): services, "nextPageToken": next.unwrap_or_default() });
        if let Some(region) = &self.unreachable {
            page["unreachable"] = json!([region]);
        }
        page
    }

    /// Creates a service; the answer is the operation that carries it out.
    pub(super) fn create(
        &mut self,
        location: &str,
        kind: CloudRunKind,
        id: &str,
        change: &Change<'_>,
    ) -> Result<Value, ApiError> {
        let letters = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
        let shaped = id.starts_with(|first: char| first.is_ascii_lowercase())
            && id.ends_with(letters)
            && id.chars().all(|character| letters(character) || character == '-');
        if !shaped || id.len() > NAME_LENGTH_MAX {
            return Err(ApiError::invalid(format!("{}_id: '{id}' is no name", kind.field())));
        }
        let name = format!("{location}/{}/{id}", kind.collection());
        if self.services.contains_key(&name) {
            return Err(ApiError::exists(&name));
        }
        let service = CloudRunService::create(kind, id, change.body, &self.startup)?;
        self.carry_out(&name, service, change.validate_only)
    }

    /// Checks a change and makes it; the answer is the operation that carries it out.
    pub(super) fn update(&mut self, name: &str, change: &Change<'_>) -> Result<Value, ApiError> {
        let Some(service) = self.services.get(name) else {
            let kind = CloudRunKind::of(name);
            return match name.rsplit_once(&format!("/{}/", kind.collection())) {
                Some((location, id)) if change.allow_missing => self.create(location, kind, id, change),
                _ => Err(ApiError::not_found(name)),
            };
        };
        let etag = change.body["etag"].as_str().unwrap_or_default();
        if !etag.is_empty() && etag != service.etag() {
            return Err(ApiError::aborted());
        }
        let mut changed = service.clone();
        changed.update(change.body, change.mask, &self.startup)?;
        self.carry_out(name, changed, change.validate_only)
    }

    /// Looks at an operation, which comes a little closer to its end.
    pub(super) fn poll(&mut self, name: &str) -> Result<Value, ApiError> {
        let operation = self.operations.get_mut(name).ok_or_else(|| ApiError::not_found(name))?;
        operation.polls_left = operation.polls_left.saturating_sub(1);
        let (done, service) = (operation.polls_left == 0, operation.service.clone());
        if let Some(revision) = operation.revision.clone() {
            return Ok(operation_json(REVISION_URL, name, done, revision));
        }
        Ok(operation_json(CloudRunKind::of(&service).type_url(), name, done, self.get(&service)?))
    }

    /// One page of a service's revisions. Whoever looks at them finds what was under way a little further.
    pub(super) fn list_revisions(
        &mut self,
        parent: &str,
        size: Option<usize>,
        token: &str,
    ) -> Result<Value, ApiError> {
        if let Some(above) = parent.strip_suffix("/-") {
            return Ok(page("revisions", self.all_revisions(above), size, token));
        }
        self.look(parent)?;
        let service = self.services.get(parent).ok_or_else(|| ApiError::not_found(parent))?;
        let size = page_size(size);
        let from = token.parse().unwrap_or(u64::MAX);
        let mut found = service.revisions().into_iter().filter(|(_, revision)| revision.number < from);
        let page: Vec<_> = found.by_ref().take(size).collect();
        let next =
            if found.next().is_some() { page.last().map(|(_, revision)| revision.number) } else { None };
        let kind = CloudRunKind::of(parent);
        let revisions: Vec<Value> =
            page.into_iter().map(|(id, revision)| revision.json(kind, parent, id)).collect();
        let next = next.map(|number| number.to_string()).unwrap_or_default();
        Ok(json!({ "revisions": revisions, "nextPageToken": next }))
    }

    /// The revisions of all that lies in a collection, by somebody who moves nothing.
    fn all_revisions(&self, collection: &str) -> Vec<Value> {
        let kind = CloudRunKind::of(collection);
        let location = collection.rsplit_once('/').map_or("", |(location, _)| location);
        let parents = self.services.iter().filter(|(name, _)| is_in(name, location, kind.collection()));
        let revisions = parents.flat_map(|(parent, service)| {
            service.revisions().into_iter().map(move |(id, revision)| revision.json(kind, parent, id))
        });
        revisions.collect()
    }

    pub(super) fn get_revision(&mut self, parent: &str, id: &str) -> Result<Value, ApiError> {
        self.look(parent)?;
        self.revision(parent, id)
    }

    /// One revision, by somebody who moves nothing.
    pub(super) fn revision(&self, parent: &str, id: &str) -> Result<Value, ApiError> {
        let found = self.services.get(parent).and_then(|service| service.revision(id));
        let found = found.ok_or_else(|| ApiError::not_found(&format!("{parent}/revisions/{id}")))?;
        Ok(found.json(CloudRunKind::of(parent), parent, id))
    }

    /// Removes a revision; the answer is the operation that carries it out.
    pub(super) fn delete_revision(
        &mut self,
        parent: &str,
        id: &str,
        etag: &str,
        validate_only: bool,
    ) -> Result<Value, ApiError> {
        let json = self.revision(parent, id)?;
        if !etag.is_empty() && json["etag"] != etag {
            return Err(ApiError::aborted());
        }
        let mut service = self.services.get(parent).cloned().ok_or_else(|| ApiError::not_found(parent))?;
        service.delete_revision(id)?;
        if validate_only {
            return Ok(operation_json(
                REVISION_URL,
                &format!("{}/operations/validated", place(parent)),
                true,
                json,
            ));
        }
        self.services.insert(parent.to_owned(), service);
        Ok(self.start(parent, Some(json.clone()), REVISION_URL, json))
    }

    fn look(&mut self, parent: &str) -> Result<(), ApiError> {
        self.services.get_mut(parent).ok_or_else(|| ApiError::not_found(parent))?.look();
        for operation in self.operations.values_mut().filter(|operation| operation.service == parent) {
            operation.polls_left = operation.polls_left.saturating_sub(1);
        }
        Ok(())
    }

    /// Starts an operation of which `metadata` is known now.
    fn start(&mut self, service: &str, revision: Option<Value>, type_url: &str, metadata: Value) -> Value {
        let name = format!("{}/operations/operation-{}", place(service), self.operations.len() + 1);
        let started = Operation { service: service.to_owned(), polls_left: self.polls, revision };
        self.operations.insert(name.clone(), started);
        operation_json(type_url, &name, self.polls == 0, metadata)
    }

    fn carry_out(
        &mut self,
        name: &str,
        service: CloudRunService,
        validate_only: bool,
    ) -> Result<Value, ApiError> {
        let type_url = CloudRunKind::of(name).type_url();
        if validate_only {
            let operation = format!("{}/operations/validated", place(name));
            return Ok(operation_json(type_url, &operation, true, service.json(name, false)));
        }
        let shown = service.json(name, self.polls > 0 || self.is_reconciling(name));
        self.services.insert(name.to_owned(), service);
        Ok(self.start(name, None, type_url, shown))
    }

    fn is_reconciling(&self, name: &str) -> bool {
        self.operations.values().any(|operation| operation.service == name && operation.polls_left > 0)
    }
}

/// The location of a service.
fn place(name: &str) -> &str {
    name.split(&format!("/{}/", CloudRunKind::of(name).collection())).next().unwrap_or_default()
}

fn operation_json(type_url: &str, name: &str, done: bool, mut subject: Value) -> Value {
    subject["@type"] = json!(type_url);
    let mut operation = json!({ "name": name, "done": done, "metadata": subject });
    if done {
        operation["response"] = operation["metadata"].clone();
    }
    operation
}
