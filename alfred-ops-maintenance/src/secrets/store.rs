//! The contract of a store.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use async_trait::async_trait;

use super::{SecretView, VersionState};

/// Google's limit on names; others could take longer ones.
const NAME_BYTES_MAX: usize = 255;
/// Google's limit on values.
pub(super) const VALUE_BYTES_MAX: usize = 64 * 1024;

/// Where secrets are kept: each has versions, of which one is the active one, that its users read.
///
/// All methods may be called from several tasks and processes at once. A name is of letters, digits, `-` and `_`, at
/// most 255 bytes. No error, log or `Debug` of an implementation shows a value.
#[async_trait]
pub trait SecretStore: fmt::Debug + Send + Sync + 'static {
    /// A short stable name for errors and logs.
    fn name(&self) -> &str;

    /// What is known of a secret, without its values. Dropping the future has no effect.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a bad name, else the store's.
    async fn look(&self, secret: &str) -> Result<SecretView>;

    /// The value of a version. Dropping the future has no effect.
    ///
    /// # Errors
    /// [`NotFound`](ErrorKind::NotFound) if there is no such version, [`Unsupported`](ErrorKind::Unsupported) if it is
    /// disabled or destroyed, [`InvalidInput`](ErrorKind::InvalidInput) for a bad name, else the store's.
    async fn read(&self, secret: &str, version: u64) -> Result<Secret>;

    /// Adds a version, enabled and not active, and returns its number; makes the secret if there is none.
    ///
    /// After an error of [`Retry::Unknown`](alfred_ops_core::Retry::Unknown) or a dropped future it may have been added;
    /// a repetition then adds another.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) for a bad name, or a value that is empty or over 64 KiB;
    /// [`Unsupported`](ErrorKind::Unsupported) if the store is read-only, else the store's.
    async fn add(&self, secret: &str, value: &Secret) -> Result<u64>;

    /// Gives a version this state, or leaves it so. May be repeated, also after an unknown outcome.
    ///
    /// # Errors
    /// [`Unsupported`](ErrorKind::Unsupported) to disable the active version, to destroy an enabled one, or to bring back
    /// a destroyed one, and if the store is read-only; [`NotFound`](ErrorKind::NotFound) if there is no such version,
    /// [`Conflict`](ErrorKind::Conflict) if somebody changed it meanwhile.
    async fn set_state(&self, secret: &str, version: u64, state: VersionState) -> Result<()>;

    /// Makes an enabled version the active one if the secret is still as it was seen at `revision`. After an unknown
    /// outcome, look.
    ///
    /// # Errors
    /// [`Conflict`](ErrorKind::Conflict) if it is not; [`Unsupported`](ErrorKind::Unsupported) if the version is not
    /// enabled or the store is read-only; [`NotFound`](ErrorKind::NotFound) if there is no such version.
    async fn point(&self, secret: &str, version: u64, revision: &str) -> Result<()>;
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl<S: SecretStore + ?Sized> SecretStore for Arc<S> {
    fn name(&self) -> &str {
        (**self).name()
    }

    async fn look(&self, secret: &str) -> Result<SecretView> {
        (**self).look(secret).await
    }

    async fn read(&self, secret: &str, version: u64) -> Result<Secret> {
        (**self).read(secret, version).await
    }

    async fn add(&self, secret: &str, value: &Secret) -> Result<u64> {
        (**self).add(secret, value).await
    }

    async fn set_state(&self, secret: &str, version: u64, state: VersionState) -> Result<()> {
        (**self).set_state(secret, version, state).await
    }

    async fn point(&self, secret: &str, version: u64, revision: &str) -> Result<()> {
        (**self).point(secret, version, revision).await
    }
}

/// Refuses names that some store would not take.
pub(super) fn check_name(operation: &'static str, secret: &str) -> Result<()> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if secret.is_empty() || secret.len() > NAME_BYTES_MAX || !secret.bytes().all(fine) {
        return Err(Error::new(ErrorKind::InvalidInput, operation, format!("secret: {secret:?} is no name"))
            .with_remedy("use 1 to 255 letters, digits, - and _"));
    }
    Ok(())
}

/// Refuses values that some store would not take. Says how long the value is and nothing else of it.
pub(super) fn check_value(secret: &str, value: &Secret) -> Result<()> {
    let bytes = value.expose().len();
    if bytes == 0 || bytes > VALUE_BYTES_MAX {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "add secret version",
            format!("value: it has {bytes} bytes"),
        )
        .with_target(secret)
        .with_remedy("use 1 to 65536 bytes"));
    }
    Ok(())
}

pub(super) fn missing(operation: &'static str, store: &str, secret: &str, version: u64) -> Error {
    Error::new(ErrorKind::NotFound, operation, "there is no such version")
        .with_target(format!("{store}/{secret}/{version}"))
}

pub(super) fn refused(
    operation: &'static str,
    store: &str,
    secret: &str,
    version: u64,
    fault: &'static str,
    remedy: &'static str,
) -> Error {
    Error::new(ErrorKind::Unsupported, operation, fault)
        .with_target(format!("{store}/{secret}/{version}"))
        .with_remedy(remedy)
}

/// The refusal to read a version in this state, if it must be refused.
pub(super) fn check_readable(
    store: &str,
    secret: &str,
    version: u64,
    state: Option<VersionState>,
) -> Result<()> {
    const OPERATION: &str = "read secret";
    match state {
        Some(VersionState::Enabled) => Ok(()),
        Some(VersionState::Disabled) => Err(refused(
            OPERATION,
            store,
            secret,
            version,
            "it is disabled",
            "read the active version, or enable it",
        )),
        Some(VersionState::Destroyed) => {
            Err(refused(OPERATION, store, secret, version, "it is destroyed", "read the active version"))
        }
        None => Err(missing(OPERATION, store, secret, version)),
    }
}

/// The refusal to make a version the active one, if it must be refused.
pub(super) fn check_pointable(
    store: &str,
    secret: &str,
    version: u64,
    view: &SecretView,
    revision: &str,
) -> Result<()> {
    const OPERATION: &str = "make secret version active";
    match view.state_of(version) {
        None => Err(missing(OPERATION, store, secret, version)),
        Some(VersionState::Enabled) if view.revision == revision => Ok(()),
        Some(VersionState::Enabled) => Err(Error::new(
            ErrorKind::Conflict,
            OPERATION,
            "another version was made the active one meanwhile",
        )
        .with_target(format!("{store}/{secret}/{version}"))
        .with_remedy("look again and decide again")),
        Some(_) => Err(refused(OPERATION, store, secret, version, "it is not enabled", "enable it first")),
    }
}
