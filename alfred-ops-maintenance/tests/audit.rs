//! Audits of dependencies against a small database of advisories, and by scanners that are small scripts.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{ErrorKind, JobContext, MemoryStateStore, SimulatedClock, Status};
use alfred_ops_maintenance::{
    AuditPolicy, CargoScanner, ChoreOutcome, ChorePlan as _, CommandScanner, DependencyAudit,
    DependencyScanner,
};
use chrono::{DateTime, TimeDelta, Utc};
use tempfile::TempDir;

const LOCK: &str = r#"version = 4

[[package]]
name = "app"
version = "0.1.0"

[[package]]
name = "leaky"
version = "1.2.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "0000000000000000000000000000000000000000000000000000000000000000"

[[package]]
name = "safe"
version = "1.0.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "0000000000000000000000000000000000000000000000000000000000000000"

[[package]]
name = "stale"
version = "0.3.0"
source = "registry+https://github.com/rust-lang/crates.io-index"
checksum = "0000000000000000000000000000000000000000000000000000000000000000"
"#;

struct World {
    home: TempDir,
}

impl World {
    fn new() -> Self {
        let world = Self { home: tempfile::tempdir().unwrap() };
        world.write("Cargo.lock", LOCK);
        let cvss = "cvss = \"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H\"\naliases = [\"CVE-2024-1\"]";
        world.advise("RUSTSEC-2024-0001", "leaky", cvss, "patched = [\">= 1.3.0\"]");
        world.advise("RUSTSEC-2024-0002", "stale", "informational = \"unmaintained\"", "patched = []");
        world.advise("RUSTSEC-2024-0003", "safe", "", "patched = [\">= 1.0.0\"]");
        world.advise("RUSTSEC-2024-0004", "leaky", "withdrawn = \"2024-03-01\"", "patched = []");
        // Of the same name as a local package, which is no package of the registry.
        world.advise("RUSTSEC-2024-0005", "app", "", "patched = []");
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn advise(&self, id: &str, package: &str, fields: &str, versions: &str) {
        let text = format!(
            "```toml\n[advisory]\nid = \"{id}\"\npackage = \"{package}\"\ndate = \"2024-03-01\"\n{fields}\n\n\
             [versions]\n{versions}\n```\n\n# What is wrong with {package}\n\nAll of it.\n"
        );
        self.write(&format!("db/crates/{package}/{id}.md"), &text);
    }

    fn scanner(&self) -> CargoScanner {
        CargoScanner::new(self.path("Cargo.lock"), self.path("db"))
    }

    fn audit(&self, policy: AuditPolicy) -> DependencyAudit {
        DependencyAudit::new(policy).with_scanner(self.scanner())
    }

    /// A program that ignores its arguments.
    fn program(&self, name: &str, script: &str) -> PathBuf {
        self.write(name, &format!("#!/bin/sh\n{script}\n"));
        std::fs::set_permissions(self.path(name), PermissionsExt::from_mode(0o755)).unwrap();
        self.path(name)
    }
}

fn march() -> DateTime<Utc> {
    "2024-03-10T00:00:00Z".parse().unwrap()
}

fn context(clock: &SimulatedClock) -> JobContext {
    JobContext::system().with_clock(clock.shared())
}

#[tokio::test]
async fn a_lock_file_is_looked_up_in_a_folder_of_advisories() {
    let world = World::new();
    let clock = SimulatedClock::starting_at(march());
    let report = world.audit(AuditPolicy::default()).report(&context(&clock)).await.unwrap();
    let lock = world.path("Cargo.lock");
    let lock = lock.display();
    assert_eq!(
        report.to_string(),
        format!(
            "3 dependencies looked up, 1 not; 2 findings\n\
             leaky 1.2.0 in {lock}: vulnerable, critical, RUSTSEC-2024-0001 (What is wrong with leaky), \
             patched in >=1.3.0; run cargo update -p leaky@1.2.0, or raise what depends on it\n\
             stale 0.3.0 in {lock}: unmaintained, RUSTSEC-2024-0002 (What is wrong with stale); \
             replace it: run cargo tree -i stale@0.3.0 to see who uses it"
        )
    );
}

#[tokio::test]
async fn yanked_versions_are_found_by_a_copy_of_the_index() {
    let world = World::new();
    world.write("index/sa/fe/safe", "{\"vers\":\"0.9.0\"}\n{\"vers\":\"1.0.0\",\"yanked\":true}\n");
    let scanner = world.scanner().with_registry_index(world.path("index"));
    let error = scanner.scan(&JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "nothing would ever be yanked in a folder that is none");
    assert!(error.full().contains("no config.json"), "{}", error.full());
    world.write("index/config.json", "{}");
    let scan = scanner.scan(&JobContext::system()).await.unwrap();
    let yanked: Vec<String> = scan.findings.iter().map(ToString::to_string).collect();
    assert!(yanked[0].starts_with("safe 1.0.0 in "), "{yanked:?}");
    assert!(yanked[0].ends_with(": yanked; run cargo update -p safe@1.0.0"), "{yanked:?}");
    assert_eq!(yanked.len(), 3);

    world.write("index/sa/fe/safe", "no entry");
    let error = scanner.scan(&JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains("index/sa/fe/safe"), "{error}");
}

#[tokio::test]
async fn a_database_is_as_old_as_its_last_successful_fetch_or_the_index_beside_it() {
    let world = World::new();
    let newest: DateTime<Utc> = "2024-03-01T00:00:00Z".parse().unwrap();
    let fetched = march() + TimeDelta::days(60);
    let at = |name: &str, time: DateTime<Utc>| {
        let file = std::fs::File::options().write(true).open(world.path(name)).unwrap();
        file.set_modified(time.into()).unwrap();
    };
    let age =
        |scanner: CargoScanner| async move { scanner.scan(&JobContext::system()).await.unwrap().database_at };
    // A fetch that fails empties the file, and leaves its time.
    world.write("db/.git/FETCH_HEAD", "");
    at("db/.git/FETCH_HEAD", fetched);
    assert_eq!(age(world.scanner()).await, Some(newest));
    world.write("db/.git/FETCH_HEAD", "0123456789abcdef branch 'main'");
    at("db/.git/FETCH_HEAD", fetched);
    assert_eq!(age(world.scanner()).await, Some(fetched));

    world.write("index/config.json", "{}");
    at("index/config.json", march());
    let both = || world.scanner().with_registry_index(world.path("index"));
    assert_eq!(age(both()).await, Some(march()), "the older of the two");
    world.write("index/.git/FETCH_HEAD", "0123456789abcdef branch 'master'");
    at("index/.git/FETCH_HEAD", fetched + TimeDelta::days(1));
    assert_eq!(age(both()).await, Some(fetched));
}

#[tokio::test]
async fn findings_raise_the_alarm_of_an_ineffective_chore_each_month() {
    let world = World::new();
    let clock = SimulatedClock::starting_at(march());
    let context = context(&clock);
    let store = Arc::new(MemoryStateStore::new(clock.shared()));
    let caretaker = world.audit(AuditPolicy::default()).caretaker(store).build().unwrap();
    let ran = caretaker.run(&context).await.unwrap();
    let Some(ChoreOutcome::Ineffective { reason }) = ran.record().map(|record| &record.outcome) else {
        panic!("{ran}")
    };
    assert!(reason.contains("RUSTSEC-2024-0001") && reason.contains("RUSTSEC-2024-0002"), "{reason}");
    let standing = caretaker.standing(&context).await.unwrap();
    assert_ne!(standing.status(), Status::Healthy);
    assert_eq!(standing.due_at, march() + TimeDelta::days(30));

    world.write("Cargo.lock", &LOCK.replace("1.2.0", "1.3.1").replace("stale", "fresh"));
    world.advise("RUSTSEC-2024-0009", "other", "", "patched = []");
    let ran = caretaker.run(&context).await.unwrap();
    assert_eq!(ran.record().map(|record| &record.outcome), Some(&ChoreOutcome::Finished));
    assert_eq!(caretaker.standing(&context).await.unwrap().status(), Status::Healthy);

    clock.advance(Duration::from_secs(41 * 24 * 3600));
    assert!(caretaker.standing(&context).await.unwrap().overdue);
    let ran = caretaker.run(&context).await.unwrap();
    let Some(ChoreOutcome::Ineffective { reason }) = ran.record().map(|record| &record.outcome) else {
        panic!("{ran}")
    };
    assert!(reason.contains("days old"), "an old database finds nothing and must not look healthy: {reason}");
}

async fn refused(scanner: &dyn DependencyScanner, kind: ErrorKind, words: &[&str]) {
    let error = scanner.scan(&JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{}", error.full());
    for word in words {
        assert!(error.full().contains(word), "{word}: {}", error.full());
    }
}

#[tokio::test]
async fn bad_files_are_named_with_their_remedies() {
    let world = World::new();
    refused(
        &CargoScanner::new(world.path("nothing.lock"), world.path("db")),
        ErrorKind::NotFound,
        &["nothing.lock", "ship Cargo.lock"],
    )
    .await;
    let nowhere = CargoScanner::new(world.path("Cargo.lock"), world.path("nowhere"));
    refused(&nowhere, ErrorKind::NotFound, &["nowhere/crates", "git clone"]).await;
    for text in ["[[package]]\nname = 1", "\u{0}", "[[package]]\nname = \"x\"\nversion = \"one\""] {
        world.write("bad.lock", text);
        let bad = CargoScanner::new(world.path("bad.lock"), world.path("db"));
        refused(&bad, ErrorKind::InvalidInput, &["bad.lock", "generate-lockfile"]).await;
    }
    world.write("db/crates/leaky/RUSTSEC-2024-0001.md", "# no front matter");
    refused(&world.scanner(), ErrorKind::Corrupt, &["RUSTSEC-2024-0001.md", "git checkout"]).await;
}

#[tokio::test]
async fn one_scanner_that_fails_leaves_the_others_findings() {
    let world = World::new();
    let clock = SimulatedClock::starting_at(march());
    let missing = CommandScanner::trivy("app:1").unwrap().with_program(world.path("no-trivy"));
    let audit = world.audit(AuditPolicy::default()).with_scanner(missing.clone());
    let report = audit.report(&context(&clock)).await.unwrap();
    assert_eq!((report.findings.len(), report.faults.len()), (2, 1), "{report}");
    assert!(report.obstacles()[0].contains("no-trivy"), "{report}");
    let alone = DependencyAudit::new(AuditPolicy::default()).with_scanner(missing);
    let error = alone.report(&context(&clock)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "an audit that saw nothing failed");
}

#[tokio::test]
async fn programs_of_the_host_are_run_within_limits() {
    const FOUND: &str = r#"echo '{"dependencies":[{"name":"flask","version":"0.5","vulns":[{"id":"PYSEC-1","fix_versions":["1.0"]}]}]}'; exit 1"#;
    let world = World::new();
    let pip = |script: &str| {
        CommandScanner::pip_audit("requirements.txt").unwrap().with_program(world.program("pip", script))
    };
    let scan = pip(FOUND).scan(&JobContext::system()).await.unwrap();
    assert_eq!((scan.packages, scan.findings.len()), (1, 1), "its status says that it found something");
    let echo =
        r#"[ "$*" = "--format json --progress-spinner off --requirement requirements.txt" ] && echo '[]'"#;
    assert_eq!(pip(echo).scan(&JobContext::system()).await.unwrap().packages, 0);

    refused(&pip("exit 1"), ErrorKind::Unavailable, &["ended with", "by hand"]).await;
    refused(&pip("echo hunter2 >&2; exit 3"), ErrorKind::Unavailable, &["exit status: 3"]).await;
    refused(&pip("echo '{}'"), ErrorKind::Corrupt, &["other JSON"]).await;
    let chatty = pip("yes").with_limits(Duration::from_secs(60), 1000);
    refused(&chatty, ErrorKind::ResourceExhausted, &["more than 1000 bytes", "with_limits"]).await;
    let slow = pip("exec sleep 1000").with_limits(Duration::from_millis(50), 1000);
    refused(&slow, ErrorKind::Timeout, &[]).await;
    let trivy = CommandScanner::trivy("app:1").unwrap();
    let report = r#"echo '{"SchemaVersion":2,"Results":[{"Class":"os-pkgs","Vulnerabilities":[{"VulnerabilityID":"CVE-1","PkgName":"zlib1g","InstalledVersion":"1","Severity":"CRITICAL"}]}]}'"#;
    let scan = trivy.with_program(world.program("trivy", report)).scan(&JobContext::system()).await.unwrap();
    assert_eq!(scan.findings[0].package, "zlib1g");
}

#[test]
fn what_a_program_would_take_for_an_option_is_refused() {
    for image in ["", "-rm", "a b", "a\nb"] {
        assert_eq!(CommandScanner::trivy(image).unwrap_err().kind(), ErrorKind::InvalidInput, "{image:?}");
    }
    for path in ["", "--output=/etc/passwd"] {
        let error = CommandScanner::pip_audit(Path::new(path)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{path:?}");
    }
}
