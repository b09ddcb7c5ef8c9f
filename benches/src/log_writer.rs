//! How fast log lines are written, beside tracing-appender on the same lines.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use alfred_ops_core::{Clock as _, Error, ErrorKind, Result, SystemClock};
use alfred_ops_maintenance::{Compression, Handover, LogOptions, RotatingLog};
use rustix::thread::{CpuSet, sched_getcpu, sched_setaffinity};
use tracing_appender::non_blocking::NonBlockingBuilder;
use tracing_appender::rolling;

use crate::cluster::Figures;

/// As an event in JSON has it.
const LINE: &[u8] =
    b"{\"timestamp\":\"2026-01-01T00:00:00.000000Z\",\"level\":\"INFO\",\"fields\":{\"message\":\"stored\",\
\"bytes\":4096},\"target\":\"alfred\"}\n";
/// Each writer has so many turns; its best counts.
const TURNS: usize = 5;

/// Writes the same lines with both, on one core, until the kernel has them all.
///
/// Each way of ours has a peer that promises the same: a queue and its thread, or a line that outlives the process, by a system
/// call for each or a journal.
/// Ours closes files at 16 MiB meanwhile; theirs writes one file, as it knows no size.
pub(crate) fn measure(quick: bool) -> Result<Figures> {
    let lines = if quick { 200_000 } else { 2_000_000 };
    let mut core = CpuSet::new();
    core.set(sched_getcpu());
    sched_setaffinity(None, &core).map_err(|error| failed(error.into()))?;
    let mut best = [Duration::MAX; 5];
    let mut lost = 0;
    for _ in 0..TURNS {
        for (writer, best) in best.iter_mut().enumerate() {
            let folder = tempfile::tempdir().map_err(failed)?;
            let took = match writer {
                0 => ours(folder.path(), Handover::Queue, lines)?,
                1 => their_queue(folder.path(), lines).map_err(failed)?,
                2 => ours(folder.path(), Handover::Kernel, lines)?,
                3 => ours(folder.path(), Handover::Journal, lines)?,
                _ => their_file(folder.path(), lines).map_err(failed)?,
            };
            *best = took.min(*best);
            let written = count(folder.path()).map_err(failed)?;
            if [0, 2, 3].contains(&writer) {
                lost += lines.saturating_sub(written);
            } else if written != lines {
                return Err(Error::new(ErrorKind::Internal, "measure log writers", "the peer lost lines"));
            }
        }
    }
    let [queue, their_queue, kernel, journal, their_file] =
        best.map(|took| lines as f64 / took.as_secs_f64());
    Ok(vec![
        ("log_writer.lines_per_s", queue),
        ("log_writer.vs_tracing_appender", queue / their_queue),
        ("log_writer.kernel_lines_per_s", kernel),
        ("log_writer.kernel_vs_tracing_appender", kernel / their_file),
        ("log_writer.journal_lines_per_s", journal),
        ("log_writer.journal_vs_tracing_appender", journal / their_file),
        ("log_writer.tracing_appender_lines_per_s", their_queue),
        ("log_writer.lost_lines", lost as f64),
    ])
}

fn ours(folder: &Path, handover: Handover, lines: usize) -> Result<Duration> {
    let options = LogOptions::default()
        .with_compression(Compression::None)
        .with_file_bytes_max(16 << 20)
        .with_handover(handover);
    let (mut log, guard) = RotatingLog::open(&folder.join("app.log"), options, SystemClock::shared())?;
    let clock = SystemClock::new();
    write(&mut log, lines).and_then(|()| log.flush()).map_err(failed)?;
    let took = clock.monotonic();
    drop(guard);
    Ok(took)
}

fn their_queue(folder: &Path, lines: usize) -> io::Result<Duration> {
    let file = rolling::daily(folder, "app.log");
    let (mut log, guard) = NonBlockingBuilder::default().lossy(false).finish(file);
    let clock = SystemClock::new();
    write(&mut log, lines)?;
    // It waits for the queue to be written.
    drop(guard);
    Ok(clock.monotonic())
}

fn their_file(folder: &Path, lines: usize) -> io::Result<Duration> {
    let mut log = rolling::daily(folder, "app.log");
    let clock = SystemClock::new();
    write(&mut log, lines)?;
    Ok(clock.monotonic())
}

fn write(log: &mut impl Write, lines: usize) -> io::Result<()> {
    (0..lines).try_for_each(|_| log.write_all(LINE))
}

/// Lines in all files of `folder`.
fn count(folder: &Path) -> io::Result<usize> {
    let mut lines = 0;
    for entry in fs::read_dir(folder)? {
        lines += fs::read(entry?.path())?.split_inclusive(|&byte| byte == b'\n').count();
    }
    Ok(lines)
}

fn failed(error: io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "measure log writers", "a file cannot be used").with_source(error)
}
