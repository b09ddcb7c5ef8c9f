//! The folder of one secret in files.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind as IoKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use alfred_ops_core::{Error, ErrorKind, Result, Secret};
use serde::{Deserialize, Serialize};

use super::store::VALUE_BYTES_MAX;
use super::{SecretVersion, SecretView, VersionState};

const INDEX: &str = "versions.json";
const ACTIVE: &str = "active";
const LOCK: &str = "lock";
/// Enough for tens of thousands of versions.
const INDEX_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The folder of one secret.
pub(super) struct SecretDrawer {
    pub(super) secret: String,
    pub(super) home: PathBuf,
}

impl SecretDrawer {
    /// Keeps other processes out until the file is dropped. None if there is no such secret.
    pub(super) fn lock(&self) -> Result<Option<File>> {
        let path = self.home.join(LOCK);
        match OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path) {
            Ok(file) => {
                check_private(&self.home)?;
                file.lock().map_err(|source| system("lock secret", &path, source))?;
                Ok(Some(file))
            }
            Err(error) if error.kind() == IoKind::NotFound => Ok(None),
            Err(error) => Err(system("lock secret", &path, error)),
        }
    }

    pub(super) fn index(&self) -> Result<Index> {
        let path = self.home.join(INDEX);
        let Some(bytes) = read_private(&path, INDEX_BYTES_MAX)? else { return Ok(Index::default()) };
        serde_json::from_slice(&bytes).map_err(|source| {
            Error::new(ErrorKind::Corrupt, "read versions", "the file is not of the expected form")
                .with_target(path.display().to_string())
                .with_source(source)
        })
    }

    pub(super) fn write_index(&self, index: &Index) -> Result<()> {
        let bytes = serde_json::to_vec(index).map_err(|source| {
            Error::new(ErrorKind::Internal, "write versions", "they are not JSON").with_source(source)
        })?;
        self.replace(INDEX, &bytes)
    }

    fn view(&self, index: Index) -> Result<SecretView> {
        let path = self.home.join(ACTIVE);
        let link = match std::fs::read_link(&path) {
            Ok(link) => link.to_string_lossy().into_owned(),
            Err(error) if error.kind() == IoKind::NotFound => String::new(),
            Err(error) => return Err(system("read link", &path, error)),
        };
        let active = link.strip_prefix('v').and_then(|number| number.parse().ok());
        Ok(SecretView::new(index.versions, active, link))
    }

    /// Also removes what a crash left of destroyed versions.
    pub(super) fn look(&self) -> Result<SecretView> {
        let view = self.view(self.index()?)?;
        for version in view.versions.iter().filter(|version| version.state == VersionState::Destroyed) {
            self.forget(version.number)?;
        }
        Ok(view)
    }

    pub(super) fn forget(&self, number: u64) -> Result<()> {
        let path = self.value_path(number);
        match std::fs::remove_file(&path) {
            Ok(()) => self.settle(),
            Err(error) if error.kind() == IoKind::NotFound => Ok(()),
            Err(error) => Err(system("remove value", &path, error)),
        }
    }

    fn value_path(&self, number: u64) -> PathBuf {
        self.home.join(format!("v{number}"))
    }

    pub(super) fn read(&self, number: u64) -> Result<Secret> {
        let path = self.value_path(number);
        let bytes = read_private(&path, VALUE_BYTES_MAX)?
            .ok_or_else(|| corrupt(&path, "the file of an enabled version is missing"))?;
        String::from_utf8(bytes).map(Secret::new).map_err(|_| corrupt(&path, "the value is not UTF-8"))
    }

    /// Puts a file in the place of another, whole or not at all.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let draft = self.home.join(format!("{name}.draft"));
        let write = || -> std::io::Result<()> {
            discard(&draft)?;
            let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
            // The mask of the process may have taken bits away, never added any; be exact all the same.
            file.set_permissions(Permissions::from_mode(0o600))?;
            file.write_all(bytes)?;
            file.sync_all()?;
            std::fs::rename(&draft, self.home.join(name))
        };
        write().map_err(|source| system("write file", &self.home.join(name), source))?;
        self.settle()
    }

    pub(super) fn point(&self, number: u64) -> Result<()> {
        let draft = self.home.join("active.draft");
        let link = || -> std::io::Result<()> {
            discard(&draft)?;
            std::os::unix::fs::symlink(format!("v{number}"), &draft)?;
            std::fs::rename(&draft, self.home.join(ACTIVE))
        };
        link().map_err(|source| system("make version active", &self.home.join(ACTIVE), source))?;
        self.settle()
    }

    /// Makes renames and removals durable.
    fn settle(&self) -> Result<()> {
        let sync = || File::open(&self.home)?.sync_all();
        sync().map_err(|source| system("write folder", &self.home, source))
    }
}

/// What is written of the versions. Which one is active is said by the link that readers follow, and by nothing else.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Index {
    pub(super) versions: Vec<SecretVersion>,
}

pub(super) fn make_folder(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == IoKind::AlreadyExists => Ok(()),
        Err(error) => Err(system("make folder", path, error)),
    }
}

/// Refuses what others than the owner may read or write, and what is a link to elsewhere.
pub(super) fn check_private(path: &Path) -> Result<()> {
    let meta = std::fs::symlink_metadata(path).map_err(|source| system("look at file", path, source))?;
    let mode = meta.permissions().mode() & 0o7777;
    let (fault, remedy) = if meta.is_symlink() {
        ("it is a link".to_owned(), "put the file itself there".to_owned())
    } else if mode & 0o077 != 0 {
        let good = if meta.is_dir() { "700" } else { "600" };
        (
            format!("mode: group or others have rights in {mode:o}"),
            format!("run chmod {good} {}", path.display()),
        )
    } else {
        return Ok(());
    };
    Err(Error::new(ErrorKind::PermissionDenied, "open secrets", fault)
        .with_target(path.display().to_string())
        .with_remedy(remedy))
}

fn read_private(path: &Path, bytes_max: usize) -> Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == IoKind::NotFound => return Ok(None),
        Err(error) => return Err(system("read file", path, error)),
    };
    check_private(path)?;
    let mut bytes = Vec::new();
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|source| system("read file", path, source))?;
    if bytes.len() > bytes_max {
        return Err(corrupt(path, "the file is larger than it may be"));
    }
    Ok(Some(bytes))
}

fn discard(path: &Path) -> std::io::Result<()> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != IoKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn corrupt(path: &Path, fault: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, "read secret", fault).with_target(path.display().to_string())
}

fn system(operation: &'static str, path: &Path, source: std::io::Error) -> Error {
    let kind = match source.kind() {
        IoKind::PermissionDenied => ErrorKind::PermissionDenied,
        IoKind::StorageFull | IoKind::QuotaExceeded => ErrorKind::ResourceExhausted,
        _ => ErrorKind::Unavailable,
    };
    Error::new(kind, operation, "the system refused")
        .with_target(path.display().to_string())
        .with_source(source)
}
