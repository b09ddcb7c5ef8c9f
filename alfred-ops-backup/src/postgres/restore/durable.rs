//! Making a restored cluster durable.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use alfred_ops_core::Result;

use super::file_writer::failed;

/// Makes the folders and all that is in them durable. Links are not followed.
///
/// One call for each file system that they lie on, where the system tells of failed writes by it; a call for each
/// of some ten thousand files takes longer than writing them did.
pub(super) fn flush_trees<'a>(folders: impl Iterator<Item = &'a Path>) -> Result<()> {
    let mut found = Found::default();
    for folder in folders {
        found.walk(folder)?;
    }
    if by_file_system::tells_of_failures() {
        return found.devices.values().try_for_each(|folder| {
            File::open(folder)
                .and_then(|folder| by_file_system::flush(&folder))
                .map_err(failed("flush to disk", folder))
        });
    }
    found.paths.iter().try_for_each(|path| {
        File::open(path).and_then(|file| file.sync_all()).map_err(failed("flush to disk", path))
    })
}

/// Files and folders, each after what is in it, and a folder of each file system.
#[derive(Debug, Default)]
struct Found {
    paths: Vec<PathBuf>,
    devices: BTreeMap<u64, PathBuf>,
}

impl Found {
    fn walk(&mut self, folder: &Path) -> Result<()> {
        let fail = failed("flush to disk", folder);
        let device = std::fs::metadata(folder).map_err(&fail)?.dev();
        self.devices.entry(device).or_insert_with(|| folder.to_owned());
        for entry in std::fs::read_dir(folder).map_err(&fail)? {
            let entry = entry.map_err(&fail)?;
            let kind = entry.file_type().map_err(&fail)?;
            if kind.is_dir() {
                self.walk(&entry.path())?;
            } else if kind.is_file() {
                self.paths.push(entry.path());
            }
        }
        self.paths.push(folder.to_owned());
        Ok(())
    }
}

#[cfg(target_os = "linux")]
mod by_file_system {
    use std::fs::File;
    use std::io;

    /// Linux tells of failed writes from 5.8 on (`syncfs(2)`).
    pub(super) fn tells_of_failures() -> bool {
        let release = rustix::system::uname();
        let mut numbers = release.release().to_str().unwrap_or_default().split(['.', '-']);
        let mut next = || numbers.next().and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
        (next(), next()) >= (5, 8)
    }

    pub(super) fn flush(folder: &File) -> io::Result<()> {
        Ok(rustix::fs::syncfs(folder)?)
    }
}

#[cfg(not(target_os = "linux"))]
mod by_file_system {
    use std::fs::File;
    use std::io;

    pub(super) const fn tells_of_failures() -> bool {
        false
    }

    pub(super) fn flush(folder: &File) -> io::Result<()> {
        folder.sync_all()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_below_is_found_and_links_are_not_followed() {
        let home = tempfile::tempdir().unwrap();
        let (tree, other) = (home.path().join("tree"), home.path().join("other"));
        for folder in [&tree, &tree.join("a"), &other] {
            std::fs::create_dir(folder).unwrap();
        }
        for file in [tree.join("a/b"), other.join("c")] {
            std::fs::write(file, "x").unwrap();
        }
        std::os::unix::fs::symlink(&other, tree.join("link")).unwrap();
        let mut found = Found::default();
        found.walk(&tree).unwrap();
        assert_eq!(found.paths, [tree.join("a/b"), tree.join("a"), tree.clone()]);
        assert_eq!(found.devices.len(), 1);
        flush_trees([tree.as_path(), &other].into_iter()).unwrap();
        flush_trees([home.path().join("none").as_path()].into_iter()).unwrap_err();
    }
}
