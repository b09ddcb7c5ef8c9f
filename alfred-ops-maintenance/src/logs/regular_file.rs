//! Files that are no links.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;

/// Opens the file at `path` for reading. `InvalidInput` says that it is a link, which is never followed, or no regular file.
pub(super) fn open_regular(path: &Path) -> io::Result<File> {
    opened(path, OFlags::RDONLY)
}

/// The same, for writing as well.
pub(super) fn open_regular_to_change(path: &Path) -> io::Result<File> {
    opened(path, OFlags::RDWR)
}

fn opened(path: &Path, access: OFlags) -> io::Result<File> {
    // Without waiting: a pipe of that name must not hold a run up.
    let flags = access | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let refused = |message| io::Error::new(io::ErrorKind::InvalidInput, message);
    let file = match open(path, flags, Mode::empty()) {
        Ok(file) => File::from(file),
        Err(Errno::LOOP) => return Err(refused("it is a link, and links are not followed")),
        Err(error) => return Err(error.into()),
    };
    if !file.metadata()?.is_file() {
        return Err(refused("it is no regular file"));
    }
    Ok(file)
}

/// Makes the file at `path` anew, readable for this user alone. What had the name, a link for instance, goes before.
pub(super) fn create_anew(path: &Path) -> io::Result<File> {
    remove(path)?;
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Removes a file that somebody may have removed already.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    #[test]
    fn links_and_folders_are_no_files() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "x").unwrap();
        fs::create_dir(at("folder")).unwrap();
        symlink(at("file"), at("link")).unwrap();
        for open in [open_regular, open_regular_to_change] {
            open(&at("file")).unwrap();
            assert_eq!(open(&at("link")).unwrap_err().kind(), io::ErrorKind::InvalidInput);
            assert!(open(&at("folder")).is_err());
            assert_eq!(open(&at("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
        }
    }

    #[test]
    fn what_a_link_points_to_is_not_written() {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "x").unwrap();
        symlink(at("file"), at("link")).unwrap();
        create_anew(&at("link")).unwrap().write_all(b"new").unwrap();
        assert_eq!(fs::read(at("file")).unwrap(), b"x");
        assert_eq!(fs::read(at("link")).unwrap(), b"new");
    }
}
