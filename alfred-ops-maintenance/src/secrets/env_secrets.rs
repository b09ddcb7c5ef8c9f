//! Secrets in environment variables.

use std::collections::BTreeMap;
use std::fmt;

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use async_trait::async_trait;
use chrono::DateTime;

use super::store::{check_name, check_readable};
use super::{SecretStore, SecretVersion, SecretView, VersionState};

/// Secrets in environment variables: each has one version, the active one. Read-only: a process cannot change what it
/// was started with, so nothing here is ever rotated.
#[derive(Clone)]
pub struct EnvSecrets {
    prefix: String,
    variables: BTreeMap<String, Secret>,
}

impl EnvSecrets {
    /// The secrets among these variables. `prefix` `"ALFRED_"` finds the secret `jwt-key` in `ALFRED_JWT_KEY`. Empty
    /// variables count as absent.
    #[must_use]
    pub fn new(prefix: &str, variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let variables = variables
            .into_iter()
            .filter(|(name, value)| name.starts_with(prefix) && !value.is_empty())
            .map(|(name, value)| (name, Secret::new(value)))
            .collect();
        Self { prefix: prefix.to_owned(), variables }
    }

    /// The secrets among the variables of this process, as they are now.
    #[must_use]
    pub fn of_process(prefix: &str) -> Self {
        let text = |text: std::ffi::OsString| text.into_string().ok();
        Self::new(prefix, std::env::vars_os().filter_map(|(name, value)| Some((text(name)?, text(value)?))))
    }

    fn variable(&self, secret: &str) -> String {
        format!("{}{}", self.prefix, secret.to_ascii_uppercase().replace('-', "_"))
    }

    fn read_only(&self, operation: &'static str, secret: &str) -> Error {
        Error::new(ErrorKind::Unsupported, operation, "environment variables are read-only")
            .with_target(self.variable(secret))
            .with_remedy("keep the secret in files or in a secret manager")
    }
}

impl fmt::Debug for EnvSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&String> = self.variables.keys().collect();
        f.debug_struct("EnvSecrets").field("variables", &names).finish_non_exhaustive()
    }
}

#[async_trait]
impl SecretStore for EnvSecrets {
    fn name(&self) -> &str {
        "environment"
    }

    async fn look(&self, secret: &str) -> Result<SecretView> {
        check_name("look at secret", secret)?;
        if !self.variables.contains_key(&self.variable(secret)) {
            return Ok(SecretView::default());
        }
        let version = SecretVersion::new(1, VersionState::Enabled, DateTime::UNIX_EPOCH);
        Ok(SecretView::new(vec![version], Some(1), ""))
    }

    async fn read(&self, secret: &str, version: u64) -> Result<Secret> {
        check_readable(self.name(), secret, version, self.look(secret).await?.state_of(version))?;
        let value = self.variables.get(&self.variable(secret)).cloned();
        value.ok_or_else(|| super::store::missing("read secret", self.name(), secret, version))
    }

    async fn add(&self, secret: &str, _: &Secret) -> Result<u64> {
        Err(self.read_only("add secret version", secret))
    }

    async fn set_state(&self, secret: &str, _: u64, _: VersionState) -> Result<()> {
        Err(self.read_only("change secret version", secret))
    }

    async fn point(&self, secret: &str, _: u64, _: &str) -> Result<()> {
        Err(self.read_only("make secret version active", secret))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_environment_is_read_and_never_written() {
        let pairs = [("ALFRED_JWT_KEY", "hunter2"), ("ALFRED_EMPTY", ""), ("OTHER_KEY", "hunter3")];
        let pairs = pairs.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let secrets = EnvSecrets::new("ALFRED_", pairs);
        let view = secrets.look("jwt-key").await.unwrap();
        assert_eq!((view.active, view.versions.len()), (Some(1), 1));
        assert_eq!(secrets.read("jwt-key", 1).await.unwrap().expose(), "hunter2");
        for absent in ["empty", "other-key"] {
            assert_eq!(secrets.look(absent).await.unwrap(), SecretView::default(), "{absent}");
            assert_eq!(secrets.read(absent, 1).await.unwrap_err().kind(), ErrorKind::NotFound, "{absent}");
        }
        let error = secrets.add("jwt-key", &Secret::new("hunter4")).await.unwrap_err();
        let text = format!("{error} {secrets:?}");
        assert!(text.contains("read-only") && !text.contains("hunter"), "{text}");
        assert!(secrets.set_state("jwt-key", 1, VersionState::Disabled).await.is_err());
        assert!(secrets.point("jwt-key", 1, "").await.is_err());
    }
}
