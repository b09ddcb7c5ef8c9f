//! Secrets in memory.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use alfred_ops_core::{Result, Secret, SharedClock};
use async_trait::async_trait;

use super::store::{check_name, check_pointable, check_readable, check_value};
use super::{SecretStore, SecretVersion, SecretView, VersionState};

/// Secrets in memory, for tests and for hosts that make theirs anew at every start. Clones share them.
#[derive(Clone)]
pub struct MemorySecrets {
    secrets: Arc<Mutex<BTreeMap<String, Kept>>>,
    clock: SharedClock,
}

#[derive(Default)]
struct Kept {
    view: SecretView,
    values: BTreeMap<u64, Secret>,
    changes: u64,
}

impl MemorySecrets {
    /// No secrets yet.
    #[must_use]
    pub fn new(clock: SharedClock) -> Self {
        Self { secrets: Arc::default(), clock }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Kept>> {
        self.secrets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemorySecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemorySecrets").field("secrets", &self.lock().len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl SecretStore for MemorySecrets {
    fn name(&self) -> &str {
        "memory"
    }

    async fn look(&self, secret: &str) -> Result<SecretView> {
        check_name("look at secret", secret)?;
        Ok(self.lock().get(secret).map(|kept| kept.view.clone()).unwrap_or_default())
    }

    async fn read(&self, secret: &str, version: u64) -> Result<Secret> {
        check_name("read secret", secret)?;
        let secrets = self.lock();
        let kept = secrets.get(secret);
        let state = kept.and_then(|kept| kept.view.state_of(version));
        check_readable(self.name(), secret, version, state)?;
        let value = kept.and_then(|kept| kept.values.get(&version));
        value.cloned().ok_or_else(|| super::store::missing("read secret", self.name(), secret, version))
    }

    async fn add(&self, secret: &str, value: &Secret) -> Result<u64> {
        check_name("add secret version", secret)?;
        check_value(secret, value)?;
        let mut secrets = self.lock();
        let kept = secrets.entry(secret.to_owned()).or_default();
        let number = kept.view.latest() + 1;
        kept.view.versions.push(SecretVersion::new(number, VersionState::Enabled, self.clock.now()));
        kept.values.insert(number, value.clone());
        Ok(number)
    }

    async fn set_state(&self, secret: &str, version: u64, state: VersionState) -> Result<()> {
        check_name("change secret version", secret)?;
        let mut secrets = self.lock();
        let view = secrets.get(secret).map(|kept| kept.view.clone()).unwrap_or_default();
        if view.judge(self.name(), secret, version, state)?
            && let Some(kept) = secrets.get_mut(secret)
        {
            for known in kept.view.versions.iter_mut().filter(|known| known.number == version) {
                known.state = state;
            }
            if state == VersionState::Destroyed {
                kept.values.remove(&version);
            }
        }
        Ok(())
    }

    async fn point(&self, secret: &str, version: u64, revision: &str) -> Result<()> {
        check_name("make secret version active", secret)?;
        let mut secrets = self.lock();
        let view = secrets.get(secret).map(|kept| kept.view.clone()).unwrap_or_default();
        check_pointable(self.name(), secret, version, &view, revision)?;
        if let Some(kept) = secrets.get_mut(secret) {
            kept.changes += 1;
            kept.view.active = Some(version);
            kept.view.revision = kept.changes.to_string();
        }
        Ok(())
    }
}
