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

/// By another process: a file that this one writes may be open in the child that another test is starting, and what is
/// open for writing cannot be run.
fn copy_opsctl(home: &Path) {
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_opsctl")).arg(home.join("opsctl")).status();
    assert!(copied.unwrap().success());
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
    copy_opsctl(home.path());
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

/// The files of a folder's tree, with the folder's name before.
fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect()
}

fn flip(file: &Path) {
    let mut bytes = std::fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_finds_damage_and_mends_it_from_a_copy() {
    let mut server = PostgresServer::builder().unwrap().start().await.unwrap();
    let home = server.account().private_folder("alfred-ops-opsctl-").unwrap();
    let port = server.options().port;
    let desk = Desk { home: home.path(), server: format!("postgres://postgres@127.0.0.1:{port}") };
    copy_opsctl(home.path());
    let key = desk.json(&["key", "new"])["key"].as_str().unwrap().to_owned();
    std::fs::write(home.path().join("key"), &key).unwrap();
    server.psql("CREATE TABLE t AS SELECT g AS x FROM generate_series(1, 1000) g").unwrap();
    let first = desk.json(&["backup", "run", "--full"]);
    server.psql("INSERT INTO t VALUES (8)").unwrap();
    let second = desk.json(&["backup", "run", "--full"]);

    let all = desk.json(&["backup", "verify", "--all"]);
    assert!(all[0]["backup"] == first["id"] && all[1]["backup"] == second["id"], "{all}");
    assert!(all[1]["whole"] == true && all[1]["pages"]["pages"].as_u64().unwrap() > 500, "{all}");
    let quick = desk.opsctl(&["backup", "verify", "--structure"]);
    let text = String::from_utf8_lossy(&quick.stdout).into_owned();
    assert!(quick.status.success() && text.contains("was not read"), "{text}");

    // A copy by any tool; then damage of several kinds.
    let (repository, copy) = (home.path().join("repository"), home.path().join("copy"));
    let copied = Command::new("cp").arg("-r").args([&repository, &copy]).status().unwrap();
    assert!(copied.success());
    let id = second["id"].as_str().unwrap();
    let mut damaged: Vec<PathBuf> = files_below(&repository.join("packs"));
    damaged.push(repository.join("indexes").join(id));
    damaged.iter().for_each(|file| flip(file));
    let log = files_below(&repository.join("logs")).pop().unwrap();
    std::fs::remove_file(log).unwrap();
    let verify = desk.opsctl(&["backup", "verify"]);
    assert!(!verify.status.success(), "bad news is a bad status");
    let found = desk.json(&["backup", "verify"]);
    let text = String::from_utf8_lossy(&verify.stdout).into_owned();
    assert!(text.contains(&format!("! indexes/{id}: ")) && text.contains("opsctl backup repair"), "{text}");
    assert!(found["whole"] == false && found["damages"][0]["kind"] == "changed", "{found}");
    assert!(!desk.opsctl(&["backup", "verify", "--structure", id]).status.success(), "the index is read");

    std::fs::remove_file(repository.join("repository.json")).unwrap();
    flip(&repository.join("commits").join(id));
    let from = format!("file://{}", copy.display());
    let mended = desk.json(&["backup", "repair", "--all", "--from", &from]);
    assert_eq!(mended["whole"], true, "{mended}");
    assert_eq!(mended["entrance"][0]["key"], "repository.json", "{mended}");
    let all = desk.json(&["backup", "verify", "--all"]);
    assert!(all[0]["whole"] == true && all[1]["whole"] == true, "{all}");
    let data = home.path().join("restored");
    assert!(desk.opsctl(&["restore", "--into", data.to_str().unwrap()]).status.success());
    assert_eq!(sum_in(&server, data).await, "500508");

    // A copy that has not got it either changes nothing, and says so.
    let pack = files_below(&repository.join("packs")).pop().unwrap();
    flip(&pack);
    flip(&copy.join("packs").join(pack.file_name().unwrap()));
    let left = desk.opsctl(&["backup", "repair", "--all", "--from", &from]);
    let text = String::from_utf8_lossy(&left.stdout).into_owned();
    assert!(!left.status.success() && text.contains("damaged too"), "{text}");
    flip(&pack);

    // The server's own disk.
    let path = server.psql("SELECT pg_relation_filepath('t')").unwrap();
    server.stop();
    flip(&server.data_dir().join(&path));
    server.restart().await.unwrap();
    let refused = desk.json(&["backup", "run", "--full"]);
    assert_eq!(refused["kind"], "corrupt", "{refused}");
    assert!(refused["error"].as_str().unwrap().contains(&path), "{refused}");
    assert!(refused["remedy"].as_str().unwrap().contains("--accept-damaged-pages"), "{refused}");
    let accepted = desk.json(&["backup", "run", "--full", "--accept-damaged-pages"]);
    assert!(accepted["note"].as_str().unwrap().contains("damaged pages were accepted"), "{accepted}");
    let verify = desk.opsctl(&["backup", "verify"]);
    let text = String::from_utf8_lossy(&verify.stdout).into_owned();
    assert!(!verify.status.success() && text.contains(&format!("! {path}: block 2 is damaged")), "{text}");
}
