//! Who has files open for writing.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

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
        let seen = self.0.get_or_insert_with(Seen::look);
        let is_seen = seen.files.contains(&(metadata.dev(), metadata.ino()));
        (is_seen || seen.is_all).then_some(is_seen)
    }
}

impl Seen {
    /// Reads Linux' `/proc/PID/fd` and `fdinfo`. A process in another container is not among them.
    fn look() -> Self {
        let mut seen = Self { files: BTreeSet::new(), is_all: false };
        let Ok(processes) = fs::read_dir("/proc") else { return seen };
        seen.is_all = true;
        for process in processes.flatten() {
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

/// Whether the `flags`, in octal, ask for more than reading: proc(5).
fn is_for_writing(info: &Path) -> bool {
    let Ok(info) = fs::read_to_string(info) else { return true };
    let flags = info.lines().find_map(|line| line.strip_prefix("flags:"));
    flags.and_then(|flags| u64::from_str_radix(flags.trim(), 8).ok()).is_none_or(|flags| flags & 0o3 != 0)
}
