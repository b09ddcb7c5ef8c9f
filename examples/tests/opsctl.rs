//! The program as a person runs it, on a real server.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use alfred_ops_core::SystemClock;
use alfred_ops_core::testing::servers::PostgresServer;

struct Desk<'a> {
    /// A folder that the server's account may read, with a copy of the program: Postgres calls it too.
    home: &'a Path,
    server: String,
}

impl Desk<'_> {
    fn opsctl(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.home.join("opsctl"));
        command.env("ALFRED_OPS_REPOSITORY", format!("file://{}/repository", self.home.display()));
        command.env("ALFRED_OPS_KEY_FILE", self.home.join("key")).env("ALFRED_OPS_SERVER", &self.server);
        command.args(arguments).output().unwrap()
    }

    fn json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.opsctl(&[arguments, &["--json"]].concat());
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// What a server on restored data holds.
async fn sum_in(server: &PostgresServer, data: PathBuf) -> String {
    let copy = PostgresServer::start_in(data, server.binaries().clone(), Vec::new()).await.unwrap();
    let clock = SystemClock::shared();
    while copy.psql("SELECT pg_is_in_recovery()").unwrap() == "t" {
        clock.sleep(Duration::from_millis(20)).await;
    }
    copy.psql("SELECT sum(x) FROM t").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_backs_up_and_restores_by_hand() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let home = server.account().private_folder("alfred-ops-opsctl-").unwrap();
    let port = server.options().port;
    let desk = Desk { home: home.path(), server: format!("postgres://postgres@127.0.0.1:{port}") };
    std::fs::copy(env!("CARGO_BIN_EXE_opsctl"), home.path().join("opsctl")).unwrap();
    let key = desk.json(&["key", "new"])["key"].as_str().unwrap().to_owned();
    std::fs::write(home.path().join("key"), &key).unwrap();

    let missing = desk.opsctl(&["backup", "list"]);
    assert!(!missing.status.success());
    assert!(String::from_utf8_lossy(&missing.stderr).contains("take a first backup"), "{missing:?}");

    server.psql("CREATE TABLE t AS SELECT 7 AS x").unwrap();
    let first = desk.json(&["backup", "run"]);
    assert!(first["note"].as_str().unwrap().contains("no earlier backup"), "{first}");
    server.psql("INSERT INTO t VALUES (8)").unwrap();
    let second = desk.opsctl(&["backup", "run"]);
    assert!(second.status.success(), "{second:?}");
    let list = desk.json(&["backup", "list"]);
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!(list[1]["base"], first["id"]);
    let shown = String::from_utf8(desk.opsctl(&["backup", "show"]).stdout).unwrap();
    assert!(shown.contains(&format!("builds on {}", first["id"].as_str().unwrap())), "{shown}");
    let verified = desk.json(&["backup", "verify"]);
    assert!(verified["whole"] == true && verified["log"]["records"].as_u64().unwrap() > 0, "{verified}");
    let unknown = desk.json(&["backup", "show", "ffff"]);
    assert!(unknown["remedy"].as_str().unwrap().contains("opsctl backup list"), "{unknown}");

    let plan = desk.opsctl(&["backup", "prune", "--dry-run"]);
    assert!(String::from_utf8_lossy(&plan.stdout).contains("newest"), "{plan:?}");
    let forget =
        ["backup", "prune", "--copies=1", "--daily=0", "--weekly=0", "--monthly=0", "--window-days=0"];
    assert_eq!(desk.json(&forget)["forgotten"][0], first["id"]);
    assert_eq!(desk.json(&["backup", "list"]).as_array().unwrap().len(), 1);

    let data = home.path().join("restored");
    let restored = desk.opsctl(&["restore", "--into", data.to_str().unwrap()]);
    assert!(String::from_utf8_lossy(&restored.stdout).contains("chown -R postgres"), "{restored:?}");
    assert_eq!(sum_in(&server, data).await, "15");

    let status = desk.json(&["wal", "status"]);
    assert!(status["findings"][0].as_str().unwrap().contains("no such slot"), "{status}");
    assert_eq!(status["newest_backup"], list[1]["id"]);
    let data = home.path().join("served");
    let served = desk.json(&["restore", "--into", data.to_str().unwrap(), "--serve-log"]);
    assert_eq!(served["log_bytes"], 0, "{served}");
    assert_eq!(sum_in(&server, data).await, "15");
    let got = home.path().join("got");
    let get = |file: &str| desk.opsctl(&["wal", "get", file, got.to_str().unwrap()]).status.code();
    assert_eq!(get("0000000100000FFF000000FF"), Some(1), "no such file");
    assert_eq!(get("nonsense"), Some(200), "Postgres must not take this for the end of the log");
    assert!(!got.exists());
}
