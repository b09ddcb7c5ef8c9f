//! Writing files off the runtime's threads.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, TaskHandle, TaskSet, blocking};
use bytes::Bytes;
use tokio::sync::mpsc;

/// Pieces (of at most 1 MiB) that may wait for the disk.
const WAITING: usize = 16;

enum Step {
    Create(PathBuf, u32),
    Write(Bytes),
    ExtendTo(u64),
}

/// Writes one file after another on the blocking pool while the next pieces arrive.
pub(super) struct FileWriter {
    steps: mpsc::Sender<Step>,
    done: TaskHandle<Result<Result<()>>>,
    _tasks: TaskSet,
}

impl FileWriter {
    pub(super) fn start(context: &JobContext) -> Self {
        let (steps, queue) = mpsc::channel(WAITING);
        let tasks = TaskSet::new(&context.cancel);
        let done = tasks.spawn(blocking(move || work(queue)));
        Self { steps, done, _tasks: tasks }
    }

    /// Begins a file; the one before is complete.
    pub(super) async fn create(&mut self, path: PathBuf, mode: u32) -> Result<()> {
        self.step(Step::Create(path, mode)).await
    }

    pub(super) async fn write(&mut self, data: Bytes) -> Result<()> {
        self.step(Step::Write(data)).await
    }

    /// Fills the present file with zeros up to a length.
    pub(super) async fn extend_to(&mut self, bytes: u64) -> Result<()> {
        self.step(Step::ExtendTo(bytes)).await
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
        self.done.await??
    }
}

fn work(mut queue: mpsc::Receiver<Step>) -> Result<()> {
    let mut present: Option<(PathBuf, File)> = None;
    while let Some(step) = queue.blocking_recv() {
        match (step, &mut present) {
            (Step::Create(path, mode), _) => {
                let file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&path);
                let file = file.map_err(failed("create file", &path))?;
                present = Some((path, file));
            }
            (Step::Write(data), Some((path, file))) => {
                file.write_all(&data).map_err(failed("write file", path))?;
            }
            (Step::ExtendTo(bytes), Some((path, file))) => {
                file.set_len(bytes).map_err(failed("extend file", path))?;
            }
            (_, None) => return Err(Error::new(ErrorKind::Internal, "write file", "no file was begun")),
        }
    }
    Ok(())
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
