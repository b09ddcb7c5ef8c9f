//! Full disks, made by mounting small ones in a name space of their own (`unshare`), where no account needs to be
//! root.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::Command;

use alfred_ops_core::testing::servers::PostgresServer;
use serde_json::Value;

/// The first argument is the program, the second the server, the third a folder, then follow Postgres' own check.
/// Each command prints one line.
const SCRIPT: &str = r#"
opsctl() { "$program" --repository "file://$home/store" --json "$@"; }
program=$1 server=$2 home=$3 check=$4
mkdir "$home/store" "$home/into"
mount -t tmpfs -o size=6m none "$home/store"
opsctl backup run --server "$server" || true
find "$home/store" -type f -path '*unfinished*' | wc -l
opsctl backup list
mount -o remount,size=200m none "$home/store"
opsctl backup run --server "$server"
opsctl backup verify | tr -d '\n'; echo
mount -t tmpfs -o size=12m none "$home/into"
opsctl restore --into "$home/into" || true
mount -o remount,size=200m none "$home/into"
opsctl restore --into "$home/into"
"$check" --no-parse-wal --quiet "$home/into" && echo verified
"#;

#[tokio::test(flavor = "multi_thread")]
async fn full_disks_are_told_and_nothing_is_lost_or_begun_again() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    server
        .psql(
            "CREATE TABLE t AS SELECT id, string_agg(md5(random()::text), '') AS c \
             FROM generate_series(1, 4000) id, generate_series(1, 60) GROUP BY id",
        )
        .unwrap();
    let home = tempfile::Builder::new().prefix("alfred-ops-full-").tempdir().unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{}", server.options().port);
    let mut run = Command::new("unshare");
    run.args(["--map-root-user", "--mount", "sh", "-euc", SCRIPT, "sh", env!("CARGO_BIN_EXE_opsctl"), &url]);
    run.arg(home.path()).arg(server.binaries().program("pg_verifybackup"));
    let output = run.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}\n{errors}");
    let lines: Vec<&str> = text.lines().collect();
    let [no_backup, drafts, none, backup, verified, no_restore, restored, checked] = lines[..] else {
        panic!("{text}\n{errors}")
    };
    let json = |line: &str| -> Value { serde_json::from_str(line).unwrap() };
    assert_eq!(json(no_backup)["kind"], "resource_exhausted", "{no_backup}");
    assert_eq!((drafts, none), ("0", "[]"), "nothing is left half-written, and there is no backup");
    assert_eq!(json(verified)["whole"], true, "{verified}");
    assert_eq!(json(no_restore)["kind"], "resource_exhausted", "{no_restore}");
    assert_eq!(json(restored)["backup"], json(backup)["id"]);
    let present = json(restored)["present_bytes"].as_u64().unwrap();
    assert!(present > 5_000_000, "what was restored before is not read again: {restored}");
    assert_eq!(checked, "verified");
}
