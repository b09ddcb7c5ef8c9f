//! Stores and kinds of secrets whose hosts die.

use alfred_ops_core::testing::Mortal;
use alfred_ops_core::{Result, Secret};
use async_trait::async_trait;

use crate::{MadeSecret, SecretKind, SecretStore, SecretView, VersionState};

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: SecretStore> SecretStore for Mortal<S> {
    fn name(&self) -> &str {
        self.inner().name()
    }

    async fn look(&self, secret: &str) -> Result<SecretView> {
        self.fuse().call(self.inner().look(secret)).await
    }

    async fn read(&self, secret: &str, version: u64) -> Result<Secret> {
        self.fuse().call(self.inner().read(secret, version)).await
    }

    async fn add(&self, secret: &str, value: &Secret) -> Result<u64> {
        self.fuse().call(self.inner().add(secret, value)).await
    }

    async fn set_state(&self, secret: &str, version: u64, state: VersionState) -> Result<()> {
        self.fuse().call(self.inner().set_state(secret, version, state)).await
    }

    async fn point(&self, secret: &str, version: u64, revision: &str) -> Result<()> {
        self.fuse().call(self.inner().point(secret, version, revision)).await
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<K: SecretKind> SecretKind for Mortal<K> {
    async fn make(&self, id: &str, in_use: Option<&str>) -> Result<MadeSecret> {
        self.fuse().call(self.inner().make(id, in_use)).await
    }

    async fn abandon(&self, id: &str) -> Result<()> {
        self.fuse().call(self.inner().abandon(id)).await
    }

    async fn identify(&self, value: &Secret) -> Result<String> {
        self.fuse().call(self.inner().identify(value)).await
    }

    async fn publish(&self, handle: &str, value: &Secret) -> Result<()> {
        self.fuse().call(self.inner().publish(handle, value)).await
    }

    async fn verify(&self, handle: &str, value: &Secret) -> Result<()> {
        self.fuse().call(self.inner().verify(handle, value)).await
    }

    async fn users(&self, handle: &str) -> Result<u64> {
        self.fuse().call(self.inner().users(handle)).await
    }

    async fn lock(&self, handle: &str) -> Result<()> {
        self.fuse().call(self.inner().lock(handle)).await
    }

    async fn revoke(&self, handle: &str) -> Result<()> {
        self.fuse().call(self.inner().revoke(handle)).await
    }
}
