//! Services.

use alfred_ops_core::Result;
use alfred_ops_scaling::CloudRunApi;
use google_cloud_run_v2::client::Services;
use google_cloud_run_v2::model::{
    Condition, Container, Revision, RevisionTemplate, Service, TrafficTarget, TrafficTargetAllocationType,
    TrafficTargetStatus,
};
use google_cloud_wkt::FieldMask;

use super::resource::{Answer, Entry, Resource, Template, To};
use super::revision::writable;
use super::split::short;

impl Resource for Service {
    type Client = Services;
    type Template = RevisionTemplate;
    type Entry = TrafficTarget;
    const NOUN: &'static str = "service";
    const GOODS: &'static str = "traffic";
    const SPLIT: &'static str = "traffic";

    async fn connect(api: &CloudRunApi) -> Result<Services> {
        api.services().await
    }

    async fn get(client: &Services, name: &str) -> Answer<Self> {
        client.get_service().set_name(name).send().await
    }

    async fn update(client: &Services, change: Self, mask: FieldMask) -> Answer<Option<String>> {
        let accepted = client.update_service().set_service(change).set_update_mask(mask).send().await?;
        Ok(accepted.error().map(|status| status.message.clone()))
    }

    fn change(name: &str, etag: &str) -> Self {
        Self::new().set_name(name).set_etag(etag)
    }

    fn with_template(self, template: RevisionTemplate) -> Self {
        self.set_template(template)
    }

    fn with_entries(self, entries: Vec<TrafficTarget>) -> Self {
        self.set_traffic(entries)
    }

    fn etag(&self) -> &str {
        &self.etag
    }

    fn latest_ready(&self) -> &str {
        &self.latest_ready_revision
    }

    fn latest_created(&self) -> &str {
        &self.latest_created_revision
    }

    fn reconciling(&self) -> bool {
        self.reconciling
    }

    fn template(&self) -> Option<&RevisionTemplate> {
        self.template.as_ref()
    }

    fn entries(&self) -> &[TrafficTarget] {
        &self.traffic
    }

    fn served(&self) -> Vec<TrafficTarget> {
        let statuses = self.traffic_statuses.iter();
        let entry = |status: &TrafficTargetStatus| match short(&status.revision) {
            "" => TrafficTarget::new().set_type(status.r#type.clone()).set_percent(status.percent),
            revision => TrafficTarget::of(revision, status.percent),
        };
        statuses.map(entry).collect()
    }

    fn terminal(&self) -> Option<&Condition> {
        self.terminal_condition.as_ref()
    }
}

impl Template for RevisionTemplate {
    fn revision(&self) -> &str {
        &self.revision
    }

    fn containers(&self) -> &[Container] {
        &self.containers
    }

    fn containers_mut(&mut self) -> &mut [Container] {
        &mut self.containers
    }

    fn with_revision(self, name: &str) -> Self {
        self.set_revision(name)
    }

    fn take_over(&mut self, revision: &Revision) {
        let from = revision.clone();
        self.labels = writable(from.labels);
        self.annotations = writable(from.annotations);
        self.scaling = from.scaling;
        self.vpc_access = from.vpc_access;
        self.timeout = from.timeout;
        self.service_account = from.service_account;
        self.containers = from.containers;
        self.volumes = from.volumes;
        self.execution_environment = from.execution_environment;
        self.encryption_key = from.encryption_key;
        self.max_instance_request_concurrency = from.max_instance_request_concurrency;
        self.service_mesh = from.service_mesh;
        self.encryption_key_revocation_action = from.encryption_key_revocation_action;
        self.encryption_key_shutdown_duration = from.encryption_key_shutdown_duration;
        self.session_affinity = from.session_affinity;
        self.node_selector = from.node_selector;
        self.gpu_zonal_redundancy_disabled = from.gpu_zonal_redundancy_disabled;
    }
}

impl Entry for TrafficTarget {
    fn to(&self) -> To<'_> {
        match self.r#type {
            TrafficTargetAllocationType::Latest => To::Latest,
            TrafficTargetAllocationType::Revision => To::Revision(&self.revision),
            _ => To::Unknown,
        }
    }

    fn percent(&self) -> i32 {
        self.percent
    }

    fn tag(&self) -> &str {
        &self.tag
    }

    fn with_percent(self, percent: i32) -> Self {
        self.set_percent(percent)
    }

    fn of(revision: &str, percent: i32) -> Self {
        let entry = Self::new().set_type(TrafficTargetAllocationType::Revision);
        entry.set_revision(revision).set_percent(percent)
    }
}
