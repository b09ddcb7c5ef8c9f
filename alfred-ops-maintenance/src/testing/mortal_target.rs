//! Targets of rollouts whose hosts die.

use alfred_ops_core::Result;
use alfred_ops_core::testing::Mortal;
use async_trait::async_trait;

use crate::{Release, RolloutTarget, TargetView, TrafficSplit};

/// [`name`](RolloutTarget::name) and [`check`](RolloutTarget::check) ask nobody, so they burn no fuse.
#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<T: RolloutTarget> RolloutTarget for Mortal<T> {
    fn name(&self) -> &str {
        self.inner().name()
    }

    fn check(&self, release: &Release) -> Result<()> {
        self.inner().check(release)
    }

    async fn observe(&self) -> Result<TargetView> {
        self.fuse().call(self.inner().observe()).await
    }

    async fn create_candidate(&self, version: &str, stable: &str, release: &Release) -> Result<()> {
        self.fuse().call(self.inner().create_candidate(version, stable, release)).await
    }

    async fn set_traffic(&self, version: &str, split: &TrafficSplit) -> Result<()> {
        self.fuse().call(self.inner().set_traffic(version, split)).await
    }

    async fn retire(&self, version: &str, revision: &str) -> Result<()> {
        self.fuse().call(self.inner().retire(version, revision)).await
    }
}
