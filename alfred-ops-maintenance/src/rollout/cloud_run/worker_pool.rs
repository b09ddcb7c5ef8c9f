//! Worker pools.

use alfred_ops_core::Result;
use alfred_ops_scaling::CloudRunApi;
use google_cloud_run_v2::client::WorkerPools;
use google_cloud_run_v2::model::{
    Condition, Container, InstanceSplit, InstanceSplitAllocationType, InstanceSplitStatus, Revision,
    WorkerPool, WorkerPoolRevisionTemplate,
};
use google_cloud_wkt::FieldMask;

use super::resource::{Answer, Entry, Resource, Template, To};
use super::revision::writable;
use super::split::short;

impl Resource for WorkerPool {
    type Client = WorkerPools;
    type Template = WorkerPoolRevisionTemplate;
    type Entry = InstanceSplit;
    const NOUN: &'static str = "worker pool";
    const GOODS: &'static str = "instances";
    const SPLIT: &'static str = "instanceSplits";

    async fn connect(api: &CloudRunApi) -> Result<WorkerPools> {
        api.worker_pools().await
    }

    async fn get(client: &WorkerPools, name: &str) -> Answer<Self> {
        client.get_worker_pool().set_name(name).send().await
    }

    async fn update(client: &WorkerPools, change: Self, mask: FieldMask) -> Answer<Option<String>> {
        let request = client.update_worker_pool().set_worker_pool(change).set_update_mask(mask);
        let accepted = request.send().await?;
        Ok(accepted.error().map(|status| status.message.clone()))
    }

    fn change(name: &str, etag: &str) -> Self {
        Self::new().set_name(name).set_etag(etag)
    }

    fn with_template(self, template: WorkerPoolRevisionTemplate) -> Self {
        self.set_template(template)
    }

    fn with_entries(self, entries: Vec<InstanceSplit>) -> Self {
        self.set_instance_splits(entries)
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

    fn template(&self) -> Option<&WorkerPoolRevisionTemplate> {
        self.template.as_ref()
    }

    fn entries(&self) -> &[InstanceSplit] {
        &self.instance_splits
    }

    fn served(&self) -> Vec<InstanceSplit> {
        let statuses = self.instance_split_statuses.iter();
        let entry = |status: &InstanceSplitStatus| match short(&status.revision) {
            "" => InstanceSplit::new().set_type(status.r#type.clone()).set_percent(status.percent),
            revision => InstanceSplit::of(revision, status.percent),
        };
        statuses.map(entry).collect()
    }

    fn terminal(&self) -> Option<&Condition> {
        self.terminal_condition.as_ref()
    }
}

impl Template for WorkerPoolRevisionTemplate {
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
        self.vpc_access = from.vpc_access;
        self.service_account = from.service_account;
        self.containers = from.containers;
        self.volumes = from.volumes;
        self.encryption_key = from.encryption_key;
        self.service_mesh = from.service_mesh;
        self.encryption_key_revocation_action = from.encryption_key_revocation_action;
        self.encryption_key_shutdown_duration = from.encryption_key_shutdown_duration;
        self.node_selector = from.node_selector;
        self.gpu_zonal_redundancy_disabled = from.gpu_zonal_redundancy_disabled;
    }
}

impl Entry for InstanceSplit {
    fn to(&self) -> To<'_> {
        match self.r#type {
            InstanceSplitAllocationType::Latest => To::Latest,
            InstanceSplitAllocationType::Revision => To::Revision(&self.revision),
            _ => To::Unknown,
        }
    }

    fn percent(&self) -> i32 {
        self.percent
    }

    fn tag(&self) -> &str {
        ""
    }

    fn with_percent(self, percent: i32) -> Self {
        self.set_percent(percent)
    }

    fn of(revision: &str, percent: i32) -> Self {
        let entry = Self::new().set_type(InstanceSplitAllocationType::Revision);
        entry.set_revision(revision).set_percent(percent)
    }
}
