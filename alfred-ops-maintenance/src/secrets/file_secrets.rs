//! Secrets in files.

use std::path::PathBuf;

use alfred_ops_core::{Error, Result, Secret, SharedClock, blocking};
use async_trait::async_trait;

use super::secret_drawer::{SecretDrawer, check_private, make_folder};
use super::store::{check_name, check_pointable, check_readable, check_value, missing};
use super::{SecretStore, SecretVersion, SecretView, VersionState};

const STORE: &str = "files";

/// Secrets in files: `FOLDER/NAME/active` is the value to be used now, for programs in any language.
///
/// Folders have mode 0700, files 0600; what group or others may read or write is refused. A change becomes true by one
/// rename, so that a crash leaves the old or the new, and processes on one machine take turns by a lock on the
/// secret's folder. Network file systems whose locks do not hold between machines are not fit for it.
#[derive(Debug, Clone)]
pub struct FileSecrets {
    folder: PathBuf,
    clock: SharedClock,
}

impl FileSecrets {
    /// The secrets in `folder`, which is made if it is not there.
    ///
    /// # Errors
    /// [`PermissionDenied`](alfred_ops_core::ErrorKind::PermissionDenied) if group or others may enter it;
    /// [`Unavailable`](alfred_ops_core::ErrorKind::Unavailable) with the system's words.
    pub fn open(folder: impl Into<PathBuf>, clock: SharedClock) -> Result<Self> {
        let folder = folder.into();
        make_folder(&folder)?;
        check_private(&folder)?;
        Ok(Self { folder, clock })
    }

    async fn with<T: Send + 'static>(
        &self,
        operation: &'static str,
        secret: &str,
        work: impl FnOnce(&SecretDrawer) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        check_name(operation, secret)?;
        let drawer = SecretDrawer { secret: secret.to_owned(), home: self.folder.join(secret) };
        blocking(move || work(&drawer)).await?
    }
}

fn absent(drawer: &SecretDrawer, operation: &'static str, version: u64) -> Error {
    missing(operation, STORE, &drawer.secret, version)
}

#[async_trait]
impl SecretStore for FileSecrets {
    fn name(&self) -> &str {
        STORE
    }

    async fn look(&self, secret: &str) -> Result<SecretView> {
        self.with("look at secret", secret, |drawer| match drawer.lock()? {
            Some(_lock) => drawer.look(),
            None => Ok(SecretView::default()),
        })
        .await
    }

    async fn read(&self, secret: &str, version: u64) -> Result<Secret> {
        self.with("read secret", secret, move |drawer| {
            let Some(_lock) = drawer.lock()? else { return Err(absent(drawer, "read secret", version)) };
            check_readable(STORE, &drawer.secret, version, drawer.look()?.state_of(version))?;
            drawer.read(version)
        })
        .await
    }

    async fn add(&self, secret: &str, value: &Secret) -> Result<u64> {
        check_value(secret, value)?;
        let (value, now) = (value.clone(), self.clock.now());
        self.with("add secret version", secret, move |drawer| {
            make_folder(&drawer.home)?;
            let Some(_lock) = drawer.lock()? else { return Err(absent(drawer, "add secret version", 0)) };
            let mut index = drawer.index()?;
            let number = index.versions.iter().map(|version| version.number).max().unwrap_or(0) + 1;
            // A file without an entry is what a crash left here; it is replaced.
            drawer.replace(&format!("v{number}"), value.expose().as_bytes())?;
            index.versions.push(SecretVersion::new(number, VersionState::Enabled, now));
            drawer.write_index(&index)?;
            Ok(number)
        })
        .await
    }

    async fn set_state(&self, secret: &str, version: u64, state: VersionState) -> Result<()> {
        self.with("change secret version", secret, move |drawer| {
            let Some(_lock) = drawer.lock()? else {
                return Err(absent(drawer, "change secret version", version));
            };
            if drawer.look()?.judge(STORE, &drawer.secret, version, state)? {
                let mut index = drawer.index()?;
                for known in index.versions.iter_mut().filter(|known| known.number == version) {
                    known.state = state;
                }
                drawer.write_index(&index)?;
                if state == VersionState::Destroyed {
                    drawer.forget(version)?;
                }
            }
            Ok(())
        })
        .await
    }

    async fn point(&self, secret: &str, version: u64, revision: &str) -> Result<()> {
        let revision = revision.to_owned();
        self.with("make secret version active", secret, move |drawer| {
            let Some(_lock) = drawer.lock()? else {
                return Err(absent(drawer, "make secret version active", version));
            };
            check_pointable(STORE, &drawer.secret, version, &drawer.look()?, &revision)?;
            drawer.point(version)
        })
        .await
    }
}
