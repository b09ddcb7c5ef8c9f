//! Care of closed files, away from where lines are written.

use std::fs;
use std::io;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::closed_file::{self, ClosedFile};
use super::compression::{Compressed, compress};
use super::options::Compression;
use super::pruning::{Kept, plan_pruning};
use super::regular_file::remove;
use super::shared::Shared;

/// How often ages are looked at while no file is closed.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// Wakes the keeper.
#[derive(Debug, Default)]
pub(super) struct Bell {
    state: Mutex<Rung>,
    rung: Condvar,
}

#[derive(Debug, Default)]
struct Rung {
    is_work: bool,
    is_end: bool,
}

impl Bell {
    /// Says that a file was closed.
    pub(super) fn ring(&self) {
        self.lock().is_work = true;
        self.rung.notify_one();
    }

    /// Says that the keeper ends.
    pub(super) fn end(&self) {
        self.lock().is_end = true;
        self.rung.notify_one();
    }

    fn is_end(&self) -> bool {
        self.lock().is_end
    }

    /// Waits until there is something to do; `false` at the end.
    fn wait(&self) -> bool {
        let waited =
            self.rung.wait_timeout_while(self.lock(), LOOK_EVERY, |rung| !rung.is_work && !rung.is_end);
        let mut rung = waited.unwrap_or_else(PoisonError::into_inner).0;
        rung.is_work = false;
        !rung.is_end
    }

    fn lock(&self) -> MutexGuard<'_, Rung> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the keeper's thread does until the log is closed.
pub(super) fn run(shared: &Shared) {
    loop {
        let cared = care(shared);
        if cared.is_err() {
            shared.counts.care_failed.fetch_add(1, Relaxed);
        }
        if !shared.bell.wait() {
            return;
        }
    }
}

/// Removes what is too much and compresses the rest. Killed anywhere, it loses nothing and the next run ends it.
fn care(shared: &Shared) -> io::Result<()> {
    remove_unfinished(shared)?;
    prune(shared)?;
    if let Compression::Zstd { level } = shared.options.compression {
        let files = ClosedFile::list(&shared.path)?;
        let mut failed = Ok(());
        for file in files.iter().filter(|file| !file.is_compressed) {
            match compress(file, level, &|| shared.bell.is_end()) {
                Ok(Compressed::Stopped) => return Ok(()),
                Ok(_) => {}
                // One bad file must not keep the others large.
                Err(error) => failed = failed.and(Err(error)),
            }
        }
        prune(shared)?;
        return failed;
    }
    Ok(())
}

fn prune(shared: &Shared) -> io::Result<()> {
    let files = ClosedFile::list(&shared.path)?;
    let kept = Kept { bytes_max: shared.options.kept_bytes_max, age_max: shared.options.kept_age_max };
    for (file, _reason) in plan_pruning(&files, kept, shared.clock.now()) {
        remove(&file.path)?;
    }
    Ok(())
}

/// Removes what an interrupted compression left.
fn remove_unfinished(shared: &Shared) -> io::Result<()> {
    let name = shared.path.file_name().unwrap_or_default();
    for entry in fs::read_dir(closed_file::folder(&shared.path))? {
        let entry = entry?;
        if ClosedFile::is_unfinished(name, &entry.file_name()) && !entry.file_type()?.is_dir() {
            remove(&entry.path())?;
        }
    }
    Ok(())
}
