//! A blob store in a folder.

use std::fs::{self, File};
use std::io::{self, ErrorKind as Io, Read as _, Seek as _, SeekFrom, Write as _};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use alfred_ops_core::{Error, ErrorKind, Result, blocking};
use async_trait::async_trait;
use bytes::Bytes;

use super::store::{bad_range, not_found, taken};
use super::{BlobInfo, BlobStore, check_key};
use crate::Buffer;

/// Unfinished writes. The name is no valid key, so that they never show up in a listing.
const UNFINISHED: &str = "~unfinished";

/// A blob store in a folder of a local or mounted file system.
///
/// Each blob is written beside the others, flushed to disk, and then linked to its key, so that a crash
/// never leaves half a blob under a key. `create` relies on hard links being refused when the name exists,
/// as POSIX file systems do.
#[derive(Debug, Clone)]
pub struct LocalBlobStore(Arc<Folder>);

#[derive(Debug)]
struct Folder {
    root: PathBuf,
    location: String,
    serial: AtomicU64,
}

impl LocalBlobStore {
    /// The store in `root`, which is made if it does not exist.
    ///
    /// # Errors
    /// If the folder cannot be made.
    pub async fn open(root: impl Into<PathBuf>) -> Result<Self> {
        let root: PathBuf = root.into();
        let location = format!("file://{}", root.display());
        let folder = Folder { root, location, serial: AtomicU64::new(0) };
        blocking(move || {
            fs::create_dir_all(folder.root.join(UNFINISHED))
                .map_err(|error| folder.error("open blob folder", UNFINISHED, error))?;
            Ok(Self(Arc::new(folder)))
        })
        .await?
    }

    async fn run<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Folder, &str) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        check_key(key)?;
        let (folder, key) = (Arc::clone(&self.0), key.to_owned());
        blocking(move || work(&folder, &key)).await?
    }
}

impl Folder {
    fn error(&self, operation: &'static str, key: &str, error: io::Error) -> Error {
        let (kind, message) = match error.kind() {
            Io::NotFound => return not_found(&self.location, key).with_source(error),
            Io::AlreadyExists => return taken(&self.location, key),
            Io::PermissionDenied | Io::ReadOnlyFilesystem => {
                (ErrorKind::PermissionDenied, "the file system forbids it")
            }
            Io::StorageFull | Io::QuotaExceeded => (ErrorKind::ResourceExhausted, "the disk is full"),
            _ => (ErrorKind::Unavailable, "the file system failed"),
        };
        Error::new(kind, operation, message)
            .with_target(format!("{}/{key}", self.location))
            .with_source(error)
    }

    /// Writes `data` under a name of its own and hands the path to `publish`.
    fn write(
        &self,
        key: &str,
        data: &[u8],
        publish: impl FnOnce(&Path, &Path) -> io::Result<()>,
    ) -> Result<()> {
        let serial = self.serial.fetch_add(1, Ordering::Relaxed);
        let draft = self.root.join(UNFINISHED).join(format!("{}-{serial}", std::process::id()));
        let goal = self.root.join(key);
        let outcome = (|| {
            let mut file = File::create(&draft)?;
            file.write_all(data)?;
            file.sync_data()?;
            let parent = goal.parent().unwrap_or(&self.root);
            make_folders(&self.root, parent)?;
            publish(&draft, &goal)?;
            File::open(parent)?.sync_all()
        })();
        // After a successful rename there is nothing left to remove.
        let _ = fs::remove_file(&draft);
        outcome.map_err(|error| self.error("write blob", key, error))
    }

    fn list(&self, prefix: &str, after: &str, limit: usize) -> io::Result<Vec<BlobInfo>> {
        let mut found = Vec::new();
        // Only the folder that the prefix names can hold keys that begin with it.
        let folder = prefix.rsplit_once('/').map_or("", |(folder, _)| folder);
        self.collect(folder, prefix, after, &mut found)?;
        found.sort_by(|a, b| a.key.cmp(&b.key));
        found.truncate(limit);
        Ok(found)
    }

    fn collect(&self, folder: &str, prefix: &str, after: &str, found: &mut Vec<BlobInfo>) -> io::Result<()> {
        let entries = match fs::read_dir(self.root.join(folder)) {
            Err(error) if error.kind() == Io::NotFound => return Ok(()),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else { continue };
            let key = if folder.is_empty() { name } else { format!("{folder}/{name}") };
            if check_key(&key).is_err() {
                continue;
            }
            let metadata = match entry.metadata() {
                Err(error) if error.kind() == Io::NotFound => continue,
                metadata => metadata?,
            };
            if metadata.is_dir() {
                // A subtree is of interest if its keys can begin with the prefix and sort after `after`.
                let below = format!("{key}/");
                let within = below.starts_with(prefix) || prefix.starts_with(&below);
                if within && (after < below.as_str() || after.starts_with(&below)) {
                    self.collect(&key, prefix, after, found)?;
                }
            } else if key.starts_with(prefix) && key.as_str() > after {
                found.push(BlobInfo { key, bytes: metadata.len() });
            }
        }
        Ok(())
    }
}

/// Makes `folder` below `root`, each level made durable in its parent.
fn make_folders(root: &Path, folder: &Path) -> io::Result<()> {
    if folder == root || folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(root);
    make_folders(root, parent)?;
    match fs::create_dir(folder) {
        Err(error) if error.kind() != Io::AlreadyExists => return Err(error),
        _ => {}
    }
    File::open(parent)?.sync_all()
}

#[async_trait]
impl BlobStore for LocalBlobStore {
    fn location(&self) -> &str {
        &self.0.location
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        self.run(key, move |folder, key| folder.write(key, &data, |draft, goal| fs::rename(draft, goal)))
            .await
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        self.run(key, move |folder, key| folder.write(key, &data, |draft, goal| fs::hard_link(draft, goal)))
            .await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        self.run(key, |folder, key| {
            fs::read(folder.root.join(key))
                .map(Bytes::from)
                .map_err(|error| folder.error("read blob", key, error))
        })
        .await
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.run(key, move |folder, key| {
            let fail = |error| folder.error("read blob", key, error);
            let mut file = File::open(folder.root.join(key)).map_err(fail)?;
            let bytes = file.metadata().map_err(fail)?.len();
            if range.start > range.end || range.end > bytes {
                return Err(bad_range(&folder.location, key, &range, bytes));
            }
            let wanted = usize::try_from(range.end - range.start)
                .map_err(|_| bad_range(&folder.location, key, &range, bytes))?;
            let mut data = Buffer::with_capacity(wanted);
            data.resize(wanted, 0);
            file.seek(SeekFrom::Start(range.start)).map_err(fail)?;
            file.read_exact(&mut data).map_err(fail)?;
            Ok(data.freeze())
        })
        .await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        let (folder, prefix, after) = (Arc::clone(&self.0), prefix.to_owned(), after.to_owned());
        blocking(move || {
            folder.list(&prefix, &after, limit).map_err(|error| folder.error("list blobs", &prefix, error))
        })
        .await?
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.run(key, |folder, key| match fs::remove_file(folder.root.join(key)) {
            Err(error) if error.kind() != Io::NotFound => Err(folder.error("delete blob", key, error)),
            _ => Ok(()),
        })
        .await
    }
}
