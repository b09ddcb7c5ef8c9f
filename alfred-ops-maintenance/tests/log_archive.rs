//! Old log files in an archive: there and back.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use alfred_ops_backup::{BlobInfo, BlobStore, LocalBlobStore, MemoryBlobStore};
use alfred_ops_core::{Error, ErrorKind, JobContext, MemoryStateStore, Result, SimulatedClock};
use alfred_ops_maintenance::{
    ArchivedLogs, Caretaker, ChoreOutcome, LogArchiving, LogArchivingPolicy, LogPattern, LogRange,
};
use async_trait::async_trait;
use bytes::Bytes;
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

fn day(number: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000 + number)
}

fn context(now: DateTime<Utc>) -> JobContext {
    let mut context = JobContext::system();
    context.clock = Arc::new(SimulatedClock::starting_at(now));
    context
}

/// The closed file of one day: a line a minute, with tasks that repeat.
fn write_day(folder: &Path, log: &str, number: i64, compressed: bool) {
    let mut text = String::new();
    for minute in 0..1_440 {
        let time = (day(number) + TimeDelta::minutes(minute)).to_rfc3339();
        let task = minute % 7;
        writeln!(
            text,
            r#"{{"timestamp":"{time}","fields":{{"message":"did {minute} of {number}","task":{task}}}}}"#
        )
        .unwrap();
    }
    let closed = day(number + 1).format("%Y%m%dT%H%M%SZ");
    let name = format!("{log}.{closed}.{number:09}");
    if compressed {
        let packed = zstd::encode_all(text.as_bytes(), 3).unwrap();
        fs::write(folder.join(name + ".zst"), packed).unwrap();
    } else {
        write_closed(folder, &name, &text, day(number + 1));
    }
}

/// A file that was written to until then.
fn write_closed(folder: &Path, name: &str, text: &str, modified: DateTime<Utc>) {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    fs::File::options().write(true).open(path).unwrap().set_modified(modified.into()).unwrap();
}

/// The file that was closed at the beginning of a day.
fn write_text(folder: &Path, number: i64, text: &str) {
    let closed = day(number).format("%Y%m%dT%H%M%SZ");
    write_closed(folder, &format!("a.log.{closed}.{number:09}"), text, day(number));
}

fn caretaker(folder: &Path, archive: ArchivedLogs) -> Caretaker<LogArchiving> {
    let archiving = LogArchiving::new("host-1", folder, archive, LogArchivingPolicy::default()).unwrap();
    archiving.caretaker(Arc::new(MemoryStateStore::default())).build().unwrap()
}

#[test]
fn a_host_that_cannot_be_called_so_is_refused() {
    for host in ["", "a/b", "host 1"] {
        let archive = ArchivedLogs::new(Arc::new(MemoryBlobStore::default()));
        let error = LogArchiving::new(host, "/var/log", archive, LogArchivingPolicy::default()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(&format!("host is {host:?}")), "{error}");
    }
}

async fn search(archive: &ArchivedLogs, range: &LogRange, pattern: &LogPattern) -> Vec<String> {
    let mut found = Vec::new();
    let report = archive.search(range, pattern, |line| {
        found.push(line.line);
        ControlFlow::Continue(())
    });
    let report = report.await.unwrap();
    assert!(report.unread.is_empty(), "{report:?}");
    found
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

async fn there_and_back(store: Arc<dyn BlobStore>) {
    let folder = TempDir::new().unwrap();
    for number in 0..10 {
        write_day(folder.path(), "a.log", number, number % 2 == 0);
        write_day(folder.path(), "b.log", number, false);
    }
    fs::write(folder.path().join("a.log"), "live\n").unwrap();
    let archive = ArchivedLogs::new(store);
    let care = caretaker(folder.path(), archive.clone());
    // Files 0 to 4 were closed 30 days ago, or more.
    let run = care.run(&context(day(35))).await.unwrap();
    assert_eq!(run.record().unwrap().outcome, ChoreOutcome::Finished, "{run:?}");
    assert_eq!(names(folder.path()).len(), 11);

    let all = LogRange::new(day(0), day(100));
    assert_eq!(archive.list(&all).await.unwrap().len(), 10);
    let hour = LogRange::new(day(2), day(2) + TimeDelta::hours(1)).of_log("host-1/a.log");
    assert_eq!(archive.list(&hour).await.unwrap().len(), 1);
    assert_eq!(search(&archive, &hour, &LogPattern::default()).await.len(), 60);
    assert!(search(&archive, &hour.clone().of_log("host-1/a"), &LogPattern::default()).await.is_empty());
    let task = LogPattern::default().with_field("fields.task", "3").containing(" of 2\"");
    let found = search(&archive, &hour, &task).await;
    let expected: Vec<i64> = (0..60).filter(|minute| minute % 7 == 3).collect();
    assert_eq!(found.len(), expected.len());
    assert!(found[0].contains(&format!("did {} of 2", expected[0])), "{}", found[0]);

    let target = TempDir::new().unwrap();
    let first = LogRange::new(day(1) + TimeDelta::hours(1), day(2)).of_log("host-1");
    let report = archive.restore(&first, target.path()).await.unwrap();
    assert_eq!((report.files, report.present), (2, 0), "{report:?}");
    let report = archive.restore(&first, target.path()).await.unwrap();
    assert_eq!((report.files, report.present), (0, 2), "{report:?}");
    let restored = target.path().join("host-1/a.log");
    let text = fs::read_to_string(restored.join(&names(&restored)[0])).unwrap();
    assert_eq!(text.lines().count(), 1_440);
    assert!(text.lines().last().unwrap().contains("did 1439 of 1"));

    // A year later what is older is gone, and the rest went there.
    care.run(&context(day(367))).await.unwrap();
    let left = archive.list(&LogRange::new(day(-1), day(500))).await.unwrap();
    assert!(left.iter().all(|piece| piece.last > day(2)), "{left:?}");
    assert_eq!(left.len(), 16, "{left:?}");
}

#[tokio::test]
async fn old_files_are_found_by_time_in_a_store_in_memory() {
    there_and_back(Arc::new(MemoryBlobStore::default())).await;
}

#[tokio::test]
async fn old_files_are_found_by_time_in_a_folder() {
    let folder = TempDir::new().unwrap();
    there_and_back(Arc::new(LocalBlobStore::open(folder.path()).await.unwrap())).await;
}

/// A store that fails after so many calls, and one that gives back other bytes.
#[derive(Debug)]
struct BadStore {
    inner: MemoryBlobStore,
    calls_left: AtomicI64,
    is_lying: bool,
}

impl BadStore {
    fn call(&self) -> Result<()> {
        if self.calls_left.fetch_sub(1, SeqCst) > 0 {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Unavailable, "call", "the store is away"))
    }
}

#[async_trait]
impl BlobStore for BadStore {
    fn location(&self) -> &str {
        self.inner.location()
    }

    async fn put(&self, key: &str, data: Bytes) -> Result<()> {
        self.call()?;
        self.inner.put(key, data).await
    }

    async fn create(&self, key: &str, data: Bytes) -> Result<()> {
        self.call()?;
        self.inner.create(key, data).await
    }

    async fn get(&self, key: &str) -> Result<Bytes> {
        self.call()?;
        let data = self.inner.get(key).await?;
        if !self.is_lying {
            return Ok(data);
        }
        let mut data = data.to_vec();
        let middle = data.len() / 2;
        data[middle] ^= 1;
        Ok(Bytes::from(data))
    }

    async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        self.inner.get_range(key, range).await
    }

    async fn list(&self, prefix: &str, after: &str, limit: usize) -> Result<Vec<BlobInfo>> {
        self.call()?;
        self.inner.list(prefix, after, limit).await
    }

    async fn delete(&self, key: &str) -> Result<()> {
        self.call()?;
        self.inner.delete(key).await
    }
}

fn bad_store(calls: i64, is_lying: bool) -> Arc<BadStore> {
    Arc::new(BadStore { inner: MemoryBlobStore::default(), calls_left: AtomicI64::new(calls), is_lying })
}

#[tokio::test]
async fn a_run_that_breaks_anywhere_is_ended_by_the_next_and_each_line_is_there_once() {
    for calls in 0..20 {
        let folder = TempDir::new().unwrap();
        for number in 0..4 {
            write_day(folder.path(), "a.log", number, false);
        }
        let store = bad_store(calls, false);
        let archive = ArchivedLogs::new(Arc::clone(&store) as Arc<dyn BlobStore>);
        let care = caretaker(folder.path(), archive.clone());
        let broken = care.run(&context(day(50))).await;
        store.calls_left.store(i64::MAX, SeqCst);
        let all = LogRange::new(day(0), day(10));
        let mut lines: BTreeMap<String, u32> = BTreeMap::new();
        for line in search(&archive, &all, &LogPattern::default()).await {
            *lines.entry(line).or_default() += 1;
        }
        // Between the runs every line is in one place at least.
        for name in names(folder.path()) {
            for line in fs::read_to_string(folder.path().join(name)).unwrap().lines() {
                lines.entry(line.to_owned()).or_default();
            }
        }
        assert_eq!(lines.len(), 4 * 1_440, "{calls}: {broken:?}");
        caretaker(folder.path(), archive.clone()).run(&context(day(51))).await.unwrap();
        let mut found = search(&archive, &all, &LogPattern::default()).await;
        found.sort();
        assert_eq!(found, lines.into_keys().collect::<Vec<_>>(), "{calls}");
        assert!(names(folder.path()).is_empty());
    }
}

#[tokio::test]
async fn a_store_that_lies_costs_no_line() {
    let folder = TempDir::new().unwrap();
    write_day(folder.path(), "a.log", 0, false);
    let archive = ArchivedLogs::new(bad_store(i64::MAX, true));
    let run = caretaker(folder.path(), archive.clone()).run(&context(day(50))).await;
    let text = format!("{run:?}");
    assert!(text.contains("other bytes than it was given"), "{text}");
    assert_eq!(names(folder.path()).len(), 1);
    let (range, pattern) = (LogRange::new(day(0), day(9)), LogPattern::default());
    let report = archive.search(&range, &pattern, |_| ControlFlow::Continue(())).await.unwrap();
    assert_eq!((report.pieces, report.unread.len()), (0, 1), "{report:?}");
    assert!(report.unread[0].contains("host-1/a.log"), "{report:?}");
}

#[tokio::test]
async fn a_search_ends_when_it_is_told() {
    let folder = TempDir::new().unwrap();
    write_day(folder.path(), "a.log", 0, false);
    let archive = ArchivedLogs::new(Arc::new(MemoryBlobStore::default()));
    caretaker(folder.path(), archive.clone()).run(&context(day(50))).await.unwrap();
    let mut left = 3;
    let (range, pattern) = (LogRange::new(day(0), day(9)), LogPattern::default());
    let report = archive.search(&range, &pattern, |_| {
        left -= 1;
        if left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!(report.await.unwrap().found, 3);
}

#[tokio::test]
async fn lines_that_tell_a_wrong_time_stay_as_long_as_others() {
    let folder = TempDir::new().unwrap();
    write_text(folder.path(), 1, "{\"time\":0.35}\n{\"ts\":3e14}\n");
    write_text(folder.path(), 2, "9999-12-31 23:59:59.9999999 far\n2001-01-01 00:00:00 early\n");
    let archive = ArchivedLogs::new(Arc::new(MemoryBlobStore::default()));
    let care = caretaker(folder.path(), archive.clone());
    for (now, left) in [(day(50), 2), (day(51), 2), (day(365), 2), (day(366), 1), (day(367), 0)] {
        let run = care.run(&context(now)).await.unwrap();
        assert!(run.record().unwrap().outcome.is_complete(), "{run:?}");
        let all = LogRange::new(DateTime::UNIX_EPOCH, day(500));
        assert_eq!(archive.list(&all).await.unwrap().len(), left, "{now}");
        assert!(names(folder.path()).is_empty());
    }
}

#[tokio::test]
async fn what_is_named_before_closings_were_told_is_kept_if_its_time_cannot_be() {
    let store = Arc::new(MemoryBlobStore::default());
    let packed = zstd::encode_all(&b"line\n"[..], 3).unwrap();
    let digest = "0".repeat(32);
    for times in ["19700101T000000Z_19700101T000000Z", "20240101T000000Z_20240101T000000Z"] {
        let key = format!("{times}/host-1/a.log/{digest}.zst");
        store.put(&key, Bytes::from(packed.clone())).await.unwrap();
    }
    let folder = TempDir::new().unwrap();
    let archive = ArchivedLogs::new(store);
    caretaker(folder.path(), archive.clone()).run(&context(day(900))).await.unwrap();
    let left = archive.list(&LogRange::new(DateTime::UNIX_EPOCH, day(900))).await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].last, DateTime::UNIX_EPOCH);
}

#[tokio::test]
async fn one_bad_file_keeps_no_other_from_the_archive_and_nothing_from_expiry() {
    let folder = TempDir::new().unwrap();
    write_day(folder.path(), "b.log", 0, false);
    let archive = ArchivedLogs::new(Arc::new(MemoryBlobStore::default()));
    let care = caretaker(folder.path(), archive.clone());
    care.run(&context(day(50))).await.unwrap();
    let bad = format!("a.log.{}.000000000.zst", day(300).format("%Y%m%dT%H%M%SZ"));
    fs::write(folder.path().join(&bad), "no zstd").unwrap();
    write_day(folder.path(), "b.log", 300, false);
    let text = care.run(&context(day(400))).await.unwrap_err().full();
    assert!(text.contains("1 step failed: archive ") && text.contains(&bad), "{text}");
    assert_eq!(names(folder.path()), [bad]);
    let left = archive.list(&LogRange::new(day(0), day(500))).await.unwrap();
    assert_eq!(left.len(), 1, "{left:?}");
    assert_eq!(left[0].first, day(300));
}

#[tokio::test]
async fn lines_without_times_are_found_between_two_closings() {
    let folder = TempDir::new().unwrap();
    let archive = ArchivedLogs::new(Arc::new(MemoryBlobStore::default()));
    let care = caretaker(folder.path(), archive.clone());
    let run = async |now| {
        care.run(&context(now)).await.unwrap();
        assert!(names(folder.path()).is_empty());
    };
    write_text(folder.path(), 10, "one\n");
    write_text(folder.path(), 12, "two\n");
    run(day(50)).await;
    // The one before is in the archive alone.
    write_text(folder.path(), 14, "three\n");
    run(day(51)).await;
    let found = async |hour: i64| {
        let from = day(0) + TimeDelta::hours(hour);
        let mut found = Vec::new();
        let (range, pattern) = (LogRange::new(from, from + TimeDelta::hours(1)), LogPattern::default());
        let report = archive.search(&range, &pattern, |line| {
            assert!(!line.is_dated);
            found.push(line.line);
            ControlFlow::Continue(())
        });
        report.await.unwrap();
        found
    };
    assert_eq!(found(5 * 24).await, ["one"]);
    assert_eq!(found(11 * 24).await, ["two"]);
    assert_eq!(found(13 * 24).await, ["three"]);
    assert!(found(15 * 24).await.is_empty());
    assert!(found(-22 * 24).await.is_empty(), "31 days before its closing at most");
}

#[tokio::test]
async fn links_and_files_that_are_written_still_are_not_archived() {
    let (folder, elsewhere) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    let secret = elsewhere.path().join("secret");
    fs::write(&secret, "secret\n").unwrap();
    let name = format!("a.log.{}.000000000", day(1).format("%Y%m%dT%H%M%SZ"));
    std::os::unix::fs::symlink(&secret, folder.path().join(&name)).unwrap();
    let written = format!("b.log.{}.000000000", day(1).format("%Y%m%dT%H%M%SZ"));
    write_closed(folder.path(), &written, "line\n", day(50) - TimeDelta::seconds(1));
    let archive = ArchivedLogs::new(Arc::new(MemoryBlobStore::default()));
    let care = caretaker(folder.path(), archive.clone());
    care.run(&context(day(50))).await.unwrap();
    assert!(archive.list(&LogRange::new(day(0), day(100))).await.unwrap().is_empty());
    assert_eq!(names(folder.path()), [name.clone(), written]);
    care.run(&context(day(51))).await.unwrap();
    assert_eq!(names(folder.path()), [name]);
}
