//! Writing files off the runtime's threads.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, TaskHandle, TaskSet, blocking};
use bytes::Bytes;
use tokio::sync::mpsc;

/// Pieces (of at most 1 MiB) that may wait for the disk.
const WAITING: usize = 16;

/// After so many bytes the disk is told to take them.
const FLUSH_BYTES: usize = 32 << 20;
/// Files that may wait for the disk.
const FLUSHES: usize = 1;

enum Step {
    Open(PathBuf, u32, u64),
    Write(u64, Bytes),
}

/// Writes one file after another on the blocking pool while the next pieces arrive, and has the disk take
/// what was written while more is.
pub(super) struct FileWriter {
    steps: mpsc::Sender<Step>,
    done: TaskHandle<Result<Result<()>>>,
    flushed: TaskHandle<Result<()>>,
    _tasks: TaskSet,
}

impl FileWriter {
    pub(super) fn start(context: &JobContext) -> Self {
        let (steps, queue) = mpsc::channel(WAITING);
        let (flushes, written) = mpsc::channel(FLUSHES);
        let tasks = TaskSet::new(&context.cancel);
        let done = tasks.spawn(blocking(move || work(queue, &flushes)));
        let flushed = tasks.spawn(blocking(move || flush(written)));
        Self { steps, done, flushed, _tasks: tasks }
    }

    /// Begins a file of the given mode and length; the one before is complete. What it holds already stays
    /// where nothing is written over it.
    pub(super) async fn open(&mut self, path: PathBuf, mode: u32, bytes: u64) -> Result<()> {
        self.step(Step::Open(path, mode, bytes)).await
    }

    pub(super) async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()> {
        self.step(Step::Write(offset, data)).await
    }

    async fn step(&mut self, step: Step) -> Result<()> {
        if self.steps.send(step).await.is_ok() {
            return Ok(());
        }
        // The worker stops early only to report an error.
        (&mut self.done).await??
    }

    pub(super) async fn finish(self) -> Result<()> {
        drop(self.steps);
        self.done.await???;
        self.flushed.await?
    }
}

fn work(mut queue: mpsc::Receiver<Step>, flushes: &mpsc::Sender<Arc<File>>) -> Result<()> {
    let mut present: Option<(PathBuf, Arc<File>)> = None;
    let mut unflushed = 0;
    while let Some(step) = queue.blocking_recv() {
        match (step, &mut present) {
            (Step::Open(path, mode, bytes), _) => {
                let opened =
                    OpenOptions::new().write(true).create(true).truncate(false).mode(mode).open(&path);
                let file = opened.map_err(failed("create file", &path))?;
                file.set_permissions(Permissions::from_mode(mode)).map_err(failed("create file", &path))?;
                file.set_len(bytes).map_err(failed("create file", &path))?;
                present = Some((path, Arc::new(file)));
            }
            (Step::Write(offset, data), Some((path, file))) => {
                file.write_all_at(&data, offset).map_err(failed("write file", path))?;
                unflushed += data.len();
                // While the disk is busy with an earlier part, this one waits for the next occasion.
                if unflushed >= FLUSH_BYTES && flushes.try_send(Arc::clone(file)).is_ok() {
                    unflushed = 0;
                }
            }
            (_, None) => return Err(Error::new(ErrorKind::Internal, "write file", "no file was begun")),
        }
    }
    Ok(())
}

/// Starts the disk early. That everything is durable, and errors, are seen to in the end, by
/// [`sync_tree`].
fn flush(mut written: mpsc::Receiver<Arc<File>>) {
    while let Some(file) = written.blocking_recv() {
        let _ = file.sync_data();
    }
}

/// Makes a folder that only its owner may enter. An existing one is left as it is.
pub(super) fn make_private_folder(path: &Path) -> Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        made => made.map_err(failed("make folder", path)),
    }
}

/// Makes a folder and all that is in it durable. Links are not followed.
pub(super) fn sync_tree(folder: &Path) -> Result<()> {
    let fail = failed("flush to disk", folder);
    for entry in std::fs::read_dir(folder).map_err(&fail)? {
        let entry = entry.map_err(&fail)?;
        let kind = entry.file_type().map_err(&fail)?;
        if kind.is_dir() {
            sync_tree(&entry.path())?;
        } else if kind.is_file() {
            let path = entry.path();
            File::open(&path).and_then(|file| file.sync_all()).map_err(failed("flush to disk", &path))?;
        }
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

/// The error for a refusal of the file system.
pub(super) fn failed(operation: &'static str, path: &Path) -> impl Fn(io::Error) -> Error + use<> {
    let target = path.display().to_string();
    move |source| {
        let (kind, message) = match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                (ErrorKind::ResourceExhausted, "the disk is full")
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                (ErrorKind::PermissionDenied, "the file system forbids it")
            }
            io::ErrorKind::NotFound => (ErrorKind::NotFound, "a folder on the way does not exist"),
            _ => (ErrorKind::Unavailable, "the file system failed"),
        };
        Error::new(kind, operation, message).with_target(target.clone()).with_source(source)
    }
}
