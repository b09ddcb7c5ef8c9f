//! Care of the log files of real processes.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, MemoryStateStore, SimulatedClock, SystemClock};
use alfred_ops_maintenance::{Caretaker, ChoreRecord, LogCare, LogCarePolicy, ReopenHook};
use tempfile::TempDir;

/// Writes numbered lines, and opens its log anew when it is told by SIGUSR1.
const SERVICE: &str = r#"
exec 3>>a.log
trap 'exec 3>>a.log' USR1
i=0
while [ ! -e stop ]; do
    i=$((i + 1))
    echo "line $i" >&3
done
echo $i > count
"#;

/// A folder, a service that writes into it, and the time.
struct Place {
    folder: TempDir,
    clock: SimulatedClock,
    context: JobContext,
}

impl Place {
    fn new() -> Self {
        let clock = SimulatedClock::starting_at(SystemClock::shared().now());
        let mut context = JobContext::system();
        context.clock = Arc::new(clock.clone());
        Self { folder: TempDir::new().unwrap(), clock, context }
    }

    fn service(&self, script: &str) -> Child {
        let service = Command::new("bash")
            .args(["-c", script])
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .spawn()
            .unwrap();
        self.until(|| fs::metadata(self.folder.path().join("a.log")).is_ok_and(|file| file.len() > 1_000));
        service
    }

    fn until(&self, holds: impl Fn() -> bool) {
        while !holds() {
            std::thread::yield_now();
        }
    }

    fn bytes(&self) -> u64 {
        fs::metadata(self.folder.path().join("a.log")).map_or(0, |file| file.len())
    }

    /// Lets the service end, and gives how many lines it wrote.
    fn end(&self, mut service: Child) -> usize {
        fs::write(self.folder.path().join("stop"), "").unwrap();
        assert!(service.wait().unwrap().success());
        fs::read_to_string(self.folder.path().join("count")).unwrap().trim().parse().unwrap()
    }

    /// All lines of the log, in the order of its files.
    fn lines(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.starts_with("a.log"))
            .collect();
        // The log itself is the newest.
        names.sort_by_key(|name| (name == "a.log", name.clone()));
        names.iter().flat_map(|name| lines_of(&self.folder.path().join(name))).collect()
    }

    async fn run(&self, care: &Caretaker<LogCare>) -> ChoreRecord {
        self.clock.advance(Duration::from_mins(1));
        let run = care.run(&self.context).await.unwrap();
        run.record().unwrap_or_else(|| panic!("{run}")).clone()
    }
}

fn lines_of(path: &Path) -> Vec<String> {
    let mut text = String::new();
    if path.extension().is_some_and(|extension| extension == "zst") {
        zstd::Decoder::new(fs::File::open(path).unwrap()).unwrap().read_to_string(&mut text).unwrap();
    } else {
        text = fs::read_to_string(path).unwrap();
    }
    text.lines().map(str::to_owned).collect()
}

fn caretaker(care: LogCare) -> Caretaker<LogCare> {
    care.caretaker(Arc::new(MemoryStateStore::default())).build().unwrap()
}

fn policy() -> LogCarePolicy {
    LogCarePolicy::default().with_file_bytes_max(10_000).with_settle(Duration::ZERO)
}

fn signal(service: &Child) -> ReopenHook {
    ReopenHook::command("kill", &["-USR1", &service.id().to_string()])
}

fn check_whole(lines: &[String], count: usize) {
    assert_eq!(lines.len(), count);
    for (number, line) in (1..).zip(lines) {
        assert_eq!(line, &format!("line {number}"));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_reopens_its_log_loses_nothing() {
    let place = Place::new();
    let service = place.service(SERVICE);
    let care = caretaker(LogCare::reopening("a", place.folder.path(), signal(&service), policy()).unwrap());
    let mut compressed = 0;
    for _ in 0..20 {
        place.until(|| place.bytes() > 10_000);
        let record = place.run(&care).await;
        assert!(record.plan.contains("close "), "{record:?}");
        compressed += record.plan.matches("compress ").count();
    }
    let count = place.end(service);
    check_whole(&place.lines(), count);
    assert!(compressed > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_that_did_not_hear_is_told_again_and_its_file_stays_whole() {
    let place = Place::new();
    let service = place.service(SERVICE);
    let is_deaf = Arc::new(AtomicBool::new(true));
    let (deaf, id) = (Arc::clone(&is_deaf), service.id().to_string());
    let hook = ReopenHook::new("a signal that fails at first", move |_| {
        let (is_deaf, id) = (deaf.load(Relaxed), id.clone());
        async move {
            if is_deaf {
                return Err(Error::new(ErrorKind::Unavailable, "signal", "nobody is there"));
            }
            let told = Command::new("kill").args(["-USR1", &id]).status();
            told.map(drop).map_err(|error| Error::new(ErrorKind::Internal, "signal", error.to_string()))
        }
    });
    let care = caretaker(LogCare::reopening("a", place.folder.path(), hook, policy()).unwrap());
    place.until(|| place.bytes() > 10_000);
    let record = place.run(&care).await;
    assert!(record.figures.notes[0].contains("nobody is there"), "{record:?}");
    let record = place.run(&care).await;
    assert_eq!(record.plan.lines().count(), 1, "neither compressed nor removed: {record:?}");
    assert!(record.plan.contains("tell the service again"), "{record:?}");
    place.clock.advance(Duration::from_mins(10));
    let record = place.run(&care).await;
    assert!(record.outcome.to_string().contains("is written to still"), "{record:?}");
    is_deaf.store(false, Relaxed);
    place.run(&care).await;
    place.until(|| place.bytes() > 0);
    let record = place.run(&care).await;
    assert!(record.plan.contains("compress "), "{record:?}");
    let count = place.end(service);
    check_whole(&place.lines(), count);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_is_copied_and_cut_where_the_service_cannot_be_told() {
    let place = Place::new();
    // Pauses after each thousand lines until it is told to go on, so that no line falls between copy and cut.
    let service = place.service(
        r#"
exec 3>>a.log
for round in 1 2 3; do
    for i in $(seq 1000); do echo "line $(((round - 1) * 1000 + i))" >&3; done
    touch written$round
    while [ ! -e cut$round ]; do :; done
done
while [ ! -e stop ]; do :; done
echo 3000 > count
"#,
    );
    let care =
        caretaker(LogCare::copying("a", place.folder.path(), policy().with_file_bytes_max(1)).unwrap());
    for round in 1..=3 {
        place.until(|| place.folder.path().join(format!("written{round}")).exists());
        let record = place.run(&care).await;
        assert!(record.plan.contains("close "), "{record:?}");
        assert_eq!(place.bytes(), 0);
        fs::write(place.folder.path().join(format!("cut{round}")), "").unwrap();
    }
    let count = place.end(service);
    check_whole(&place.lines(), count);
}

#[tokio::test]
async fn what_a_killed_run_left_is_ended_and_nothing_is_lost() {
    let place = Place::new();
    let at = |name: &str| place.folder.path().join(name);
    let compressed = |text: &str, whole: bool| {
        let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
        encoder.set_pledged_src_size(whole.then_some(u64::try_from(text.len()).unwrap())).unwrap();
        std::io::Write::write_all(&mut encoder, text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    // Killed while it compressed; after that; after that, with a line that came meanwhile; while it copied.
    fs::write(at("a.log.20260101T000000Z.000000000"), "line 1\n").unwrap();
    fs::write(at("a.log.20260101T000000Z.000000000.zst.tmp"), "half").unwrap();
    fs::write(at("a.log.20260102T000000Z.000000001"), "line 2\n").unwrap();
    fs::write(at("a.log.20260102T000000Z.000000001.zst"), compressed("line 2\n", true)).unwrap();
    fs::write(at("a.log.20260103T000000Z.000000002"), "line 3\nline 4\n").unwrap();
    fs::write(at("a.log.20260103T000000Z.000000002.zst"), compressed("line 3\n", true)).unwrap();
    fs::write(at("a.log.20260104T000000Z.000000003.tmp"), "line 5\n").unwrap();
    fs::write(at("a.log"), "line 5\n").unwrap();
    // Not ours: a log that cares for itself, another suffix, a folder, a link.
    fs::write(at("own.log"), "x".repeat(20_000)).unwrap();
    fs::write(at(".own.log.lock"), "").unwrap();
    fs::write(at("data.db"), "x".repeat(20_000)).unwrap();
    fs::create_dir(at("folder.log")).unwrap();
    std::os::unix::fs::symlink(at("data.db"), at("link.log")).unwrap();
    let policy = policy().with_kept_age_max(Duration::MAX);
    let care = caretaker(LogCare::copying("a", place.folder.path(), policy).unwrap());
    place.run(&care).await;
    check_whole(&place.lines(), 5);
    let mut names: Vec<_> =
        fs::read_dir(place.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(
        names,
        [
            ".own.log.lock",
            "a.log",
            "a.log.20260101T000000Z.000000000.zst",
            "a.log.20260102T000000Z.000000001.zst",
            "a.log.20260103T000000Z.000000002.zst",
            "data.db",
            "folder.log",
            "link.log",
            "own.log",
        ]
    );
    assert_eq!(fs::metadata(at("own.log")).unwrap().len(), 20_000);
}

#[tokio::test]
async fn one_bad_file_keeps_no_other_from_its_turn() {
    let place = Place::new();
    let at = |name: &str| place.folder.path().join(name);
    // The compressed file cannot take its name.
    fs::write(at("a.log.20260101T000000Z.000000000"), "line 1\n").unwrap();
    fs::create_dir_all(at("a.log.20260101T000000Z.000000000.zst/x")).unwrap();
    fs::write(at("b.log.20260101T000000Z.000000000"), "line 1\n").unwrap();
    fs::write(at("b.log"), "line 2\n".repeat(2_000)).unwrap();
    let policy = policy().with_kept_age_max(Duration::MAX);
    let care = caretaker(LogCare::copying("a", place.folder.path(), policy).unwrap());
    let text = care.run(&place.context).await.unwrap_err().full();
    assert!(text.contains("1 step failed: compress ") && text.contains("a.log.20260101T"), "{text}");
    assert_eq!(lines_of(&at("b.log.20260101T000000Z.000000000.zst")), ["line 1"]);
    assert_eq!(fs::metadata(at("b.log")).unwrap().len(), 0, "closed all the same");
    assert_eq!(lines_of(&at("a.log.20260101T000000Z.000000000")), ["line 1"]);
}

#[tokio::test]
async fn links_are_not_followed() {
    let place = Place::new();
    let elsewhere = TempDir::new().unwrap();
    let at = |name: &str| place.folder.path().join(name);
    let secret = elsewhere.path().join("secret");
    fs::write(&secret, "secret\n").unwrap();
    let link = |name: &str| std::os::unix::fs::symlink(&secret, at(name)).unwrap();
    link("a.log.20260101T000000Z.000000000");
    link("a.log.20260102T000000Z.000000001.zst.tmp");
    link("a.log.20260102T000000Z.000000001.zst");
    link("b.log");
    fs::write(at("a.log.20260102T000000Z.000000001"), "line 1\n").unwrap();
    let policy = policy().with_file_bytes_max(1).with_kept_age_max(Duration::MAX);
    let care = caretaker(LogCare::copying("a", place.folder.path(), policy).unwrap());
    let record = place.run(&care).await;
    assert!(record.outcome.is_complete(), "{record:?}");
    assert_eq!(fs::read_to_string(&secret).unwrap(), "secret\n");
    assert_eq!(lines_of(&at("a.log.20260102T000000Z.000000001.zst")), ["line 1"]);
    assert!(!at("a.log.20260101T000000Z.000000000.zst").exists());
}

#[tokio::test]
async fn one_run_works_in_a_folder_at_a_time_whatever_their_state_stores() {
    let place = Place::new();
    fs::write(place.folder.path().join("a.log"), "line 1\n".repeat(2_000)).unwrap();
    let care = caretaker(LogCare::copying("a", place.folder.path(), policy()).unwrap());
    let other = fs::File::open(place.folder.path()).unwrap();
    other.try_lock().unwrap();
    let outcome = place.run(&care).await.outcome;
    assert!(!outcome.is_complete() && outcome.to_string().contains("another run works in "), "{outcome}");
    assert_eq!(place.bytes(), 14_000);
    other.unlock().unwrap();
    assert!(place.run(&care).await.outcome.is_complete());
    assert_eq!(place.bytes(), 0);
}

#[tokio::test]
async fn what_cannot_be_used_or_reached_is_named() {
    let refused = |host, policy| LogCare::copying(host, "/x", policy).unwrap_err().full();
    assert!(refused("a/b", LogCarePolicy::default()).contains("host is \"a/b\""));
    let policy = LogCarePolicy::default().with_file_bytes_max(0).with_compression(Some(20));
    let text = refused("a", policy);
    assert!(text.contains("file_bytes_max is 0") && text.contains("level is 20"), "{text}");
    let place = Place::new();
    let care =
        caretaker(LogCare::copying("a", place.folder.path().join("none"), LogCarePolicy::default()).unwrap());
    let error = care.run(&place.context).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{}", error.full());
}
