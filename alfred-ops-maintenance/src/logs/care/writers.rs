//! Who has files open for writing.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

const PROCESSES: &str = "/proc";
/// The PID namespace that all others are in: `PROC_PID_INIT_INO` of Linux.
const FIRST_NAMESPACE: &str = "pid:[4026531836]";

/// The files that any process has open for writing, as far as this one may see. Looked up at the first question.
#[derive(Debug, Default)]
pub(super) struct Writers(Option<Seen>);

#[derive(Debug, Default)]
struct Seen {
    /// Device and number of each.
    files: BTreeSet<(u64, u64)>,
    /// Whether every process could be looked at.
    is_all: bool,
}

impl Writers {
    /// Whether a process has the file of `metadata` open for writing; None if nobody can tell.
    pub(super) fn has(&mut self, metadata: &Metadata) -> Option<bool> {
        self.0.get_or_insert_with(|| Seen::look(Path::new(PROCESSES))).has(metadata)
    }
}

impl Seen {
    fn has(&self, metadata: &Metadata) -> Option<bool> {
        let is_seen = self.files.contains(&(metadata.dev(), metadata.ino()));
        (is_seen || self.is_all).then_some(is_seen)
    }

    /// Reads Linux' `/proc/PID/fd` and `fdinfo`.
    fn look(processes: &Path) -> Self {
        let mut seen = Self { files: BTreeSet::new(), is_all: sees_all(processes) };
        let Ok(entries) = fs::read_dir(processes) else { return Self::default() };
        for process in entries.flatten() {
            let is_process = process.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
            if is_process {
                seen.look_at(&process.path());
            }
        }
        seen
    }

    fn look_at(&mut self, process: &Path) {
        let Ok(handles) = fs::read_dir(process.join("fd")) else {
            // It ended, or this process may not look.
            self.is_all &= !process.exists();
            return;
        };
        for handle in handles.flatten() {
            let Ok(metadata) = fs::metadata(handle.path()) else { continue };
            if metadata.is_file() && is_for_writing(&process.join("fdinfo").join(handle.file_name())) {
                self.files.insert((metadata.dev(), metadata.ino()));
            }
        }
    }
}

/// Whether no process is hidden: a namespace of our own (a container), `hidepid` and `ProtectProc` hide others without a
/// trace. The first process is everybody's, so who may look into it may look into all that are listed.
fn sees_all(processes: &Path) -> bool {
    let namespace = fs::read_link(processes.join("self/ns/pid"));
    namespace.is_ok_and(|name| name.as_os_str() == FIRST_NAMESPACE)
        && fs::read_dir(processes.join("1/fd")).is_ok()
}

/// Whether the `flags`, in octal, ask for more than reading: proc(5).
fn is_for_writing(info: &Path) -> bool {
    let Ok(info) = fs::read_to_string(info) else { return true };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| u64::from_str_radix(flags.trim(), 8).ok()).is_none_or(|flags| flags & 0o3 != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// What is seen of a file that nobody has open in these processes, and of one that the second has.
    fn check(namespace: &str, has_first: bool, expected: (Option<bool>, Option<bool>)) {
        let folder = TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("quiet"), "").unwrap();
        fs::write(at("written"), "").unwrap();
        for name in ["self/ns", "7/fd", "7/fdinfo"] {
            fs::create_dir_all(at(name)).unwrap();
        }
        if has_first {
            fs::create_dir_all(at("1/fd")).unwrap();
        }
        symlink(namespace, at("self/ns/pid")).unwrap();
        symlink(at("written"), at("7/fd/3")).unwrap();
        fs::write(at("7/fdinfo/3"), "pos:\t0\nflags:\t0102001\n").unwrap();
        let seen = Seen::look(folder.path());
        let of = |name: &str| seen.has(&fs::metadata(at(name)).unwrap());
        assert_eq!((of("quiet"), of("written")), expected, "{namespace} {has_first}");
    }

    #[test]
    fn nobody_writes_only_where_every_process_is_seen() {
        check(FIRST_NAMESPACE, true, (Some(false), Some(true)));
        check(FIRST_NAMESPACE, false, (None, Some(true)));
        check("pid:[4026532201]", true, (None, Some(true)));
    }
}
