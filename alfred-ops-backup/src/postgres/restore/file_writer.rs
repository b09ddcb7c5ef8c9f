//! Writing files off the runtime's threads.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{self, IoSlice};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, TaskHandle, TaskSet, blocking};
use bytes::Bytes;
use tokio::sync::mpsc;

/// Runs of pieces that may wait for the disk.
const WAITING: usize = 8;
/// Bytes and pieces of a run, at most: pages of many backups come one by one, and each call has its price.
const RUN_BYTES: usize = 1 << 20;
const RUN_PIECES: usize = 256;

/// After so many bytes the disk is told to take them.
const FLUSH_BYTES: usize = 32 << 20;
/// Files that may wait for the disk.
const FLUSHES: usize = 1;

enum Step {
    Open(PathBuf, u32, u64),
    Write(Run),
}

/// Pieces that lie side by side in a file.
#[derive(Debug, Default)]
struct Run {
    offset: u64,
    bytes: usize,
    pieces: Vec<Bytes>,
}

impl Run {
    fn takes(&self, offset: u64, data: &Bytes) -> bool {
        self.offset + self.bytes as u64 == offset
            && self.bytes + data.len() <= RUN_BYTES
            && self.pieces.len() < RUN_PIECES
    }

    fn write(mut self, file: &File) -> io::Result<()> {
        while !self.pieces.is_empty() {
            let slices: Vec<IoSlice<'_>> = self.pieces.iter().map(|piece| IoSlice::new(piece)).collect();
            let mut written = rustix::io::pwritev(file, &slices, self.offset)?;
            if written == 0 {
                return Err(io::ErrorKind::WriteZero.into());
            }
            self.offset += written as u64;
            // What a call leaves, the next one writes.
            let whole = self.pieces.iter().take_while(|piece| {
                let fits = piece.len() <= written;
                written -= if fits { piece.len() } else { 0 };
                fits
            });
            let whole = whole.count();
            self.pieces.drain(..whole);
            if let Some(first) = self.pieces.first_mut() {
                *first = first.slice(written..);
            }
        }
        Ok(())
    }
}

/// Writes one file after another on the blocking pool while the next pieces arrive, and has the disk take
/// what was written while more is.
pub(super) struct FileWriter {
    steps: mpsc::Sender<Step>,
    run: Run,
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
        Self { steps, run: Run::default(), done, flushed, _tasks: tasks }
    }

    /// Begins a file of the given mode and length; the one before is complete. What it holds already stays
    /// where nothing is written over it.
    pub(super) async fn open(&mut self, path: PathBuf, mode: u32, bytes: u64) -> Result<()> {
        self.end_run().await?;
        self.step(Step::Open(path, mode, bytes)).await
    }

    pub(super) async fn write_at(&mut self, offset: u64, data: Bytes) -> Result<()> {
        if !self.run.takes(offset, &data) {
            self.end_run().await?;
            self.run.offset = offset;
        }
        self.run.bytes += data.len();
        self.run.pieces.push(data);
        Ok(())
    }

    async fn end_run(&mut self) -> Result<()> {
        let run = std::mem::take(&mut self.run);
        if run.pieces.is_empty() { Ok(()) } else { self.step(Step::Write(run)).await }
    }

    async fn step(&mut self, step: Step) -> Result<()> {
        if self.steps.send(step).await.is_ok() {
            return Ok(());
        }
        // The worker stops early only to report an error.
        (&mut self.done).await??
    }

    pub(super) async fn finish(mut self) -> Result<()> {
        self.end_run().await?;
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
            (Step::Write(run), Some((path, file))) => {
                unflushed += run.bytes;
                run.write(file).map_err(failed("write file", path))?;
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
/// [`flush_trees`](super::durable::flush_trees).
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn pieces_of_any_length_end_up_in_their_places() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("file");
        let bytes: Vec<u8> = (0..3_000_000u32).map(|at| (at * 31 % 251) as u8).collect();
        std::fs::write(&path, vec![7; bytes.len()]).unwrap();
        let mut writer = FileWriter::start(&JobContext::system());
        writer.open(path.clone(), 0o600, bytes.len() as u64).await.unwrap();
        let (mut at, mut length) = (0, 1);
        while at < bytes.len() {
            let end = (at + length).min(bytes.len());
            // One page is left as it was.
            if !(1_000_000..1_008_192).contains(&at) {
                writer.write_at(at as u64, Bytes::copy_from_slice(&bytes[at..end])).await.unwrap();
            }
            (at, length) = (if end == 1_000_000 { 1_008_192 } else { end }, length * 5 % 40_009);
            length = if at < 1_000_000 { length.min(1_000_000 - at) } else { length };
        }
        writer.finish().await.unwrap();
        let found = std::fs::read(&path).unwrap();
        assert_eq!(found[..1_000_000], bytes[..1_000_000]);
        assert_eq!(found[1_000_000..1_008_192], [7; 8192]);
        assert_eq!(found[1_008_192..], bytes[1_008_192..]);
    }
}
