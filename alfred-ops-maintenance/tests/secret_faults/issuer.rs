//! Somebody who issues API keys.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use alfred_ops_maintenance::{ApiKeyIssuer, IssuedKey};
use async_trait::async_trait;

/// Keys by their ids: under which label, with which value, and whether they work.
pub(crate) type Issued = BTreeMap<String, (String, String, bool)>;

#[derive(Clone, Default)]
pub(crate) struct Issuer {
    pub(crate) keys: Arc<Mutex<Issued>>,
    /// Makes issuing slow, so that hosts meet.
    pub(crate) slow: bool,
}

impl std::fmt::Debug for Issuer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Issuer hunter2")
    }
}

impl Issuer {
    pub(crate) fn working(&self) -> Vec<String> {
        let keys = self.keys.lock().unwrap();
        keys.values().filter(|(_, _, works)| *works).map(|(_, value, _)| value.clone()).collect()
    }

    fn revoke_where(&self, matches: impl Fn(&str, &str) -> bool) {
        for (id, (label, _, works)) in self.keys.lock().unwrap().iter_mut() {
            if matches(id, label) {
                *works = false;
            }
        }
    }
}

#[async_trait]
impl ApiKeyIssuer for Issuer {
    async fn issue(&self, label: &str) -> Result<IssuedKey> {
        for _ in 0..if self.slow { 200 } else { 0 } {
            tokio::task::yield_now().await;
        }
        let mut keys = self.keys.lock().unwrap();
        let id = format!("key-{}", keys.len() + 1);
        let value = format!("hunter2-{}", keys.len() + 1);
        keys.insert(id.clone(), (label.to_owned(), value.clone(), true));
        Ok(IssuedKey::new(id, Secret::new(value)))
    }

    async fn withdraw(&self, label: &str) -> Result<()> {
        self.revoke_where(|_, known| known == label);
        Ok(())
    }

    async fn identify(&self, value: &Secret) -> Result<String> {
        let keys = self.keys.lock().unwrap();
        let found = keys.iter().find(|(_, (_, known, _))| known == value.expose());
        found
            .map(|(id, _)| id.clone())
            .ok_or_else(|| Error::new(ErrorKind::Unsupported, "identify", "unknown"))
    }

    async fn verify(&self, value: &Secret) -> Result<()> {
        if self.working().contains(&value.expose().to_owned()) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::PermissionDenied, "use key", "it does not work"))
    }

    async fn revoke(&self, id: &str) -> Result<()> {
        self.revoke_where(|known, _| known == id);
        Ok(())
    }
}
