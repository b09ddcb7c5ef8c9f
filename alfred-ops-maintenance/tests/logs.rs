//! The host's own log: rotation, crashes, other processes, and what becomes of closed files.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use alfred_ops_core::{Clock, ErrorKind, Secret, SharedClock, SimulatedClock, SystemClock};
use alfred_ops_maintenance::{Compression, Handover, LogGuard, LogOptions, RotatingLog, WhenFull};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;
use tracing_subscriber::layer::SubscriberExt;

/// Where a child process that is to be killed writes.
const CHILD_PATH: &str = "ALFRED_OPS_LOG_CHILD";

/// A clock whose wall jumps while its monotonic time goes on.
#[derive(Debug, Clone)]
struct JumpingClock {
    steady: SimulatedClock,
    jumped: Arc<Mutex<TimeDelta>>,
}

impl JumpingClock {
    fn advance(&self, by: Duration) {
        self.steady.advance(by);
    }

    fn jump_wall(&self, by: TimeDelta) {
        *self.jumped.lock().unwrap() += by;
    }

    fn shared(&self) -> SharedClock {
        Arc::new(self.clone())
    }
}

#[async_trait]
impl Clock for JumpingClock {
    fn now(&self) -> DateTime<Utc> {
        self.steady.now() + *self.jumped.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.steady.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.steady.sleep(duration).await;
    }
}

struct Place {
    folder: TempDir,
    clock: JumpingClock,
}

impl Place {
    fn new() -> Self {
        let steady = SimulatedClock::starting_at(DateTime::UNIX_EPOCH + TimeDelta::days(20_000));
        let clock = JumpingClock { steady, jumped: Arc::default() };
        Self { folder: TempDir::new().unwrap(), clock }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app.log")
    }

    fn open(&self, options: LogOptions) -> (RotatingLog, LogGuard) {
        RotatingLog::open(&self.path(), options, self.clock.shared()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        names(self.folder.path())
    }

    fn text(&self) -> String {
        text(&self.path())
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.starts_with('.')).collect();
    names.sort_by_key(|name| name.split('.').nth(3).map_or(u64::MAX, |sequence| sequence.parse().unwrap()));
    names
}

/// All files of the log at `path`, oldest first.
fn text(path: &Path) -> String {
    let mut text = String::new();
    let folder = path.parent().unwrap();
    for name in names(folder) {
        let file = fs::File::open(folder.join(&name)).unwrap();
        if name.ends_with(".zst") {
            zstd::Decoder::new(file).unwrap().read_to_string(&mut text).unwrap();
        } else {
            BufReader::new(file).read_to_string(&mut text).unwrap();
        }
    }
    text
}

/// Every line `WRITER NUMBER xxx` is whole, and each writer's numbers are `0..lines` in their order.
fn assert_whole(text: &str, writers: usize, lines: usize) {
    let mut next: BTreeMap<usize, usize> = BTreeMap::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let [writer, number, filling] = parts[..] else { panic!("torn: {line:?}") };
        let number: usize = number.parse().unwrap();
        assert_eq!(filling, "x".repeat(number % 40 + 1), "torn: {line:?}");
        let next = next.entry(writer.parse().unwrap()).or_default();
        assert_eq!(number, *next, "lost or out of order: {line:?}");
        *next += 1;
    }
    assert_eq!(next, (0..writers).map(|writer| (writer, lines)).collect());
}

fn write_lines(log: &mut RotatingLog, writer: usize, lines: usize) {
    for number in 0..lines {
        log.write_all(format!("{writer} {number} {}\n", "x".repeat(number % 40 + 1)).as_bytes()).unwrap();
    }
}

fn check_rotations(options: LogOptions) {
    const WRITERS: usize = 4;
    const LINES: usize = 2_000;
    let place = Place::new();
    let (log, guard) = place.open(options.with_file_bytes_max(200));
    thread::scope(|scope| {
        for writer in 0..WRITERS {
            let mut log = log.clone();
            scope.spawn(move || write_lines(&mut log, writer, LINES));
        }
    });
    drop(guard);
    let stats = log.stats();
    assert!(stats.rotations >= 1_000, "{stats:?}");
    assert_eq!(stats.lines_written, (WRITERS * LINES) as u64);
    assert_whole(&place.text(), WRITERS, LINES);
    for name in place.names() {
        let size = fs::metadata(place.folder.path().join(&name)).unwrap().len();
        assert!(size <= 200 || name.ends_with(".zst"), "{name} has {size} bytes");
    }
}

#[test]
fn a_thousand_rotations_lose_and_tear_nothing() {
    let plain = LogOptions::default().with_compression(Compression::None);
    check_rotations(plain.clone());
    check_rotations(plain.clone().with_handover(Handover::Kernel));
    check_rotations(plain.clone().with_handover(Handover::Journal));
    // Hardly any queue, so that writers wait for room.
    let small = plain.with_line_bytes_max(64).with_queue_bytes_max(128);
    check_rotations(small.clone());
    check_rotations(small.with_handover(Handover::Journal));
}

#[test]
fn compression_beside_writing_loses_nothing_and_goes_on_at_the_next_opening() {
    check_rotations(LogOptions::default().with_compression(Compression::Zstd { level: 1 }));

    let place = Place::new();
    let plain = LogOptions::default().with_compression(Compression::None).with_file_bytes_max(100);
    let (mut log, guard) = place.open(plain.clone());
    write_lines(&mut log, 0, 50);
    drop((log, guard));
    // Killed within a compression, after it, and with its source gone.
    let closed = place.names();
    let inside = |name: String| place.folder.path().join(name);
    fs::write(inside(format!("{}.zst.tmp", closed[0])), "half").unwrap();
    let whole = zstd::encode_all(&fs::read(inside(closed[1].clone())).unwrap()[..], 1).unwrap();
    fs::write(inside(format!("{}.zst", closed[1])), whole).unwrap();
    fs::write(inside("app.log.20200101T000000Z.000009999.zst.tmp".to_owned()), "half").unwrap();

    let (log, guard) = place.open(plain.with_compression(Compression::Zstd { level: 3 }));
    wait_until(|| place.names().iter().all(|name| name == "app.log" || name.ends_with(".zst")));
    drop((log, guard));
    assert_whole(&place.text(), 1, 50);
}

/// Waits for another thread's work; the test's own time limit is the bound.
fn wait_until(holds: impl Fn() -> bool) {
    while !holds() {
        thread::yield_now();
    }
}

#[test]
fn age_closes_a_file_and_a_clock_that_jumps_does_not() {
    let place = Place::new();
    let options = LogOptions::default().with_compression(Compression::None);
    let (mut log, guard) = place.open(options.clone());
    let write = |log: &mut RotatingLog, after: Duration, expected: usize| {
        place.clock.advance(after);
        writeln!(log, "line").unwrap();
        log.flush().unwrap();
        assert_eq!(place.names().len(), expected, "after {after:?}: {:?}", place.names());
    };
    write(&mut log, Duration::from_hours(23), 1);
    write(&mut log, Duration::from_hours(1), 2);
    place.clock.jump_wall(TimeDelta::days(-10));
    write(&mut log, Duration::from_hours(23), 2);
    write(&mut log, Duration::from_hours(1), 3);
    // The numbers grow although the times do not.
    let closed = place.names();
    assert!(closed[0].ends_with(".000000001") && closed[1].ends_with(".000000002"), "{closed:?}");
    assert!(closed[1] < closed[0], "the second has an earlier time: {closed:?}");
    drop((log, guard));

    // Another run goes on with the numbers.
    let (mut log, guard) = place.open(options);
    place.clock.advance(Duration::from_hours(25));
    writeln!(log, "line").unwrap();
    drop(guard);
    assert!(place.names()[2].ends_with(".000000003"), "{:?}", place.names());
    assert_eq!(place.text().lines().count(), 5);
}

#[test]
fn closed_files_are_bounded_by_bytes_and_age() {
    let place = Place::new();
    let options = LogOptions::default().with_compression(Compression::None).with_file_bytes_max(100);
    let (mut log, guard) = place.open(options.clone());
    write_lines(&mut log, 0, 200);
    drop((log, guard));
    let before = place.names().len();
    let (log, guard) = place.open(options.clone().with_kept_bytes_max(450));
    wait_until(|| place.names().len() <= 6);
    drop((log, guard));
    assert!(before > 6, "{before}");
    place.clock.advance(Duration::from_hours(48));
    let (log, guard) = place.open(options.with_kept_age_max(Duration::from_hours(47)));
    wait_until(|| place.names() == ["app.log"]);
    drop((log, guard));
}

#[test]
fn a_file_renamed_or_removed_under_it_is_made_anew() {
    let place = Place::new();
    let aside = place.folder.path().join("aside");
    let (mut log, guard) = place.open(LogOptions::default().with_handover(Handover::Kernel));
    let mut write = |line: &str| {
        place.clock.advance(Duration::from_millis(250));
        writeln!(log, "{line}").unwrap();
    };
    write("one");
    fs::rename(place.path(), &aside).unwrap();
    write("two");
    assert_eq!(fs::read_to_string(&aside).unwrap(), "one\n");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "two\n");
    fs::remove_file(place.path()).unwrap();
    write("three");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "three\n");
    // Emptied, as by a copy and truncate.
    fs::write(place.path(), "").unwrap();
    write("four");
    assert_eq!(fs::read_to_string(place.path()).unwrap(), "four\n");
    assert_eq!(log.stats().reopened, 2);
    drop(guard);
}

#[test]
fn a_second_writer_is_refused() {
    let place = Place::new();
    let (log, guard) = place.open(LogOptions::default());
    let second = RotatingLog::open(&place.path(), LogOptions::default(), place.clock.shared());
    let error = second.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().ends_with("give each process a log of its own"), "{error}");
    drop((log, guard));
    drop(place.open(LogOptions::default()));
}

#[test]
fn bad_options_are_named_with_their_remedy() {
    let place = Place::new();
    let check = |options: LogOptions, expected: &str| {
        let error = RotatingLog::open(&place.path(), options, place.clock.shared()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(expected), "{error}");
    };
    let good = LogOptions::default;
    check(good().with_file_bytes_max(0), "file_bytes_max is 0: give at least 1");
    check(good().with_file_age_max(Duration::from_millis(1500)), "file_age_max is 1.5s: give whole seconds");
    check(good().with_queue_bytes_max(10), "queue_bytes_max is 10: give at least line_bytes_max, 1048576");
    check(good().with_compression(Compression::Zstd { level: 40 }), "level is 40: give 1 to 19");
}

#[test]
fn lines_arrive_whole_however_they_are_written() {
    let place = Place::new();
    let (mut log, guard) = place.open(LogOptions::default().with_line_bytes_max(16));
    let mut other = log.clone();
    log.write_all(b"be").unwrap();
    other.write_all(b"other\n").unwrap();
    log.write_all(b"gun\nand e").unwrap();
    drop(log);
    assert!(other.write_all(b"much longer than allowed\n").is_err());
    other.write_all(b"1\n2\n3\n4\n5\n6\n7\n8\n9\n").unwrap();
    assert_eq!(other.stats().lines_refused, 1);
    drop(guard);
    // After the guard, lines go directly.
    other.write_all(b"late\n").unwrap();
    let text = place.text();
    assert_eq!(text, "other\nbegun\nand e\n1\n2\n3\n4\n5\n6\n7\n8\n9\nlate\n");
}

#[test]
fn a_queue_that_drops_counts_and_says_so() {
    let place = Place::new();
    let options = LogOptions::default()
        .with_when_full(WhenFull::Drop)
        .with_line_bytes_max(64)
        .with_queue_bytes_max(64)
        .with_flush_interval(Duration::from_secs(3_600));
    let (mut log, guard) = place.open(options);
    // 31 bytes stay below what is worth writing, so the thread waits for the interval.
    writeln!(log, "{}", "a".repeat(30)).unwrap();
    assert!(writeln!(log, "{}", "b".repeat(50)).is_err());
    assert_eq!(log.stats().lines_dropped_full, 1);
    drop(guard);
    let text = place.text();
    let lines: Vec<&str> = text.lines().collect();
    let notice: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
    assert_eq!(notice["fields"]["queue_full"], 1);
    assert_eq!(lines[1..], ["a".repeat(30)]);
}

#[test]
fn events_become_lines_of_json_without_secrets() {
    let place = Place::new();
    let (log, guard) = place.open(LogOptions::default());
    let subscriber = tracing_subscriber::registry().with(log.layer());
    tracing::subscriber::with_default(subscriber, || {
        let _span = tracing::info_span!("backup", id = 7).entered();
        let secret = Secret::new("hunter2");
        tracing::warn!(?secret, shown = %secret, "two\nlines");
    });
    drop(guard);
    let text = place.text();
    assert!(!text.contains("hunter2"), "{text}");
    let line: serde_json::Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
    assert_eq!(line["timestamp"], "2024-10-04T00:00:00.000000Z");
    assert_eq!(line["level"], "WARN");
    assert_eq!(line["fields"]["message"], "two\nlines");
    assert_eq!(line["fields"]["secret"], "[redacted]");
    assert_eq!(line["span"]["id"], 7);
}

/// Not a test of its own: the process that `kill_nine_…` starts and kills.
#[test]
fn child() {
    let Ok(path) = std::env::var(CHILD_PATH) else { return };
    let handover = if path.contains("journal") { Handover::Journal } else { Handover::Kernel };
    let options = LogOptions::default().with_handover(handover).with_file_bytes_max(5_000);
    let (log, _guard) = RotatingLog::open(Path::new(&path), options, SystemClock::shared()).unwrap();
    thread::scope(|scope| {
        for writer in 0..2 {
            let mut log = log.clone();
            scope.spawn(move || {
                for number in 0_u64.. {
                    writeln!(log, "{writer} {number} {}", "x".repeat(100)).unwrap();
                    // To the process itself: the harness may keep what is printed.
                    let acknowledged = format!("ack {writer} {number}\n");
                    std::io::stderr().write_all(acknowledged.as_bytes()).unwrap();
                }
            });
        }
    });
}

/// Kills a process while it writes, opens its log with `options`, and finds each line that it acknowledged, once.
fn check_kill(name: &str, options: &LogOptions) {
    for acknowledgements in [10, 100, 1_000, 3_000] {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(name);
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child", "--nocapture"])
            .env(CHILD_PATH, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut acknowledged: BTreeMap<usize, usize> = BTreeMap::new();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut note = |line: String| {
            // The kill may cut the last one short.
            let parts: Vec<&str> = line.split(' ').collect();
            if let ["ack", writer, number] = parts[..] {
                acknowledged.insert(writer.parse().unwrap(), number.parse().unwrap());
            }
        };
        lines.by_ref().take(acknowledgements).for_each(|line| note(line.unwrap()));
        child.kill().unwrap();
        child.wait().unwrap();
        lines.for_each(|line| note(line.unwrap()));

        let (log, guard) = RotatingLog::open(&path, options.clone(), SystemClock::shared()).unwrap();
        drop((log, guard));
        let mut seen: BTreeMap<usize, usize> = BTreeMap::new();
        for line in text(&path).lines() {
            let parts: Vec<&str> = line.split(' ').collect();
            assert!(parts.len() == 3 && parts[2].len() == 100, "torn: {line:?}");
            let next = seen.entry(parts[0].parse().unwrap()).or_default();
            assert_eq!(parts[1].parse::<usize>().unwrap(), *next, "lost: {line:?}");
            *next += 1;
        }
        for (writer, last) in acknowledged {
            assert!(
                seen[&writer] > last,
                "writer {writer}: {last} was acknowledged, {} are there",
                seen[&writer]
            );
        }
    }
}

#[test]
fn kill_nine_loses_no_line_that_the_kernel_had() {
    let options = LogOptions::default();
    check_kill("app.log", &options);
    check_kill("journal.log", &options);
    check_kill("journal.log", &options.clone().with_handover(Handover::Journal));
    check_kill("journal.log", &options.with_handover(Handover::Journal).with_queue_bytes_max(2 << 20));
}

#[test]
fn half_a_line_is_cut_off_at_the_next_opening() {
    let check = |before: &str, after: &str| {
        let place = Place::new();
        fs::write(place.path(), before).unwrap();
        let (mut log, guard) = place.open(LogOptions::default().with_line_bytes_max(8));
        writeln!(log, "new").unwrap();
        drop(guard);
        assert_eq!(place.text(), after);
    };
    check("", "new\n");
    check("one\n", "one\nnew\n");
    check("one\nha", "one\nnew\n");
    check("ha", "new\n");
    // No line of ours is that long.
    check("somebody else's", "somebody else's\nnew\n");
}
