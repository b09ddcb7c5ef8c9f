//! The file that holds a snapshot.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use alfred_ops_core::{Error, ErrorKind, Result};

/// The file that holds a snapshot. Each method blocks for as long as the disk takes.
#[derive(Debug)]
pub(super) struct SnapshotFile {
    path: PathBuf,
    /// Where a snapshot is written before it takes the place of the last one.
    draft: PathBuf,
    /// Held while a snapshot is written.
    writing: Mutex<()>,
}

impl SnapshotFile {
    /// The file at `path`; `None` if that names no file.
    pub(super) fn at(path: PathBuf) -> Option<Self> {
        let mut name = path.file_name()?.to_owned();
        name.push(".new");
        Some(Self { draft: path.with_file_name(name), path, writing: Mutex::new(()) })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// All of the file; `None` if there is none.
    pub(super) fn read(&self, bytes_max: usize) -> Result<Option<Vec<u8>>> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(self.failed("read snapshot", error)),
        };
        let mut bytes = Vec::new();
        let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX).saturating_add(1);
        file.take(limit).read_to_end(&mut bytes).map_err(|error| self.failed("read snapshot", error))?;
        if bytes.len() > bytes_max {
            let message = format!("the file has more than {bytes_max} bytes");
            return Err(Error::new(ErrorKind::Corrupt, "read snapshot", message)
                .with_target(self.path.display().to_string())
                .with_remedy("remove it, or let the store hold more"));
        }
        Ok(Some(bytes))
    }

    /// Puts `bytes` in place of the file at once: whoever reads it sees all of these or all of what was there before, even
    /// if the machine stops in between.
    pub(super) fn write(&self, bytes: &[u8]) -> Result<()> {
        let Ok(_writing) = self.writing.try_lock() else {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "write snapshot",
                "the last one is still being written",
            )
            .with_target(self.path.display().to_string()));
        };
        self.replace(bytes).map_err(|error| self.failed("write snapshot", error))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // Labels may tell more than everybody on the machine should know.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut draft = options.open(&self.draft)?;
        draft.write_all(bytes)?;
        draft.sync_all()?;
        fs::rename(&self.draft, &self.path)?;
        // Without this the name may still point to the old file after a power cut, which is whole as well.
        #[cfg(unix)]
        if let Some(folder) = self.path.parent() {
            let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    }

    fn failed(&self, operation: &'static str, error: io::Error) -> Error {
        let kind = match error.kind() {
            io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            io::ErrorKind::NotFound => ErrorKind::NotFound,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::ResourceExhausted,
            _ => ErrorKind::Unavailable,
        };
        Error::new(kind, operation, error.to_string()).with_target(self.path.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_read_within_its_limit() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::at(folder.path().join("samples")).unwrap();
        assert_eq!(file.read(10).unwrap(), None);
        // What a killed host left behind is in nobody's way.
        fs::write(folder.path().join("samples.new"), "half of a longer").unwrap();
        file.write(b"first").unwrap();
        file.write(b"second").unwrap();
        assert_eq!(file.read(6).unwrap().unwrap(), b"second");
        assert_eq!(file.read(5).unwrap_err().kind(), ErrorKind::Corrupt);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_the_disk_refuses_is_told_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = SnapshotFile::at(folder.path().join("missing/samples")).unwrap();
        let error = file.write(b"first").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("missing/samples"), "{error}");
        assert!(SnapshotFile::at(PathBuf::from("/")).is_none());
        let held = file.writing.lock().unwrap();
        assert!(file.write(b"first").unwrap_err().to_string().contains("still being written"));
        drop(held);
    }
}
