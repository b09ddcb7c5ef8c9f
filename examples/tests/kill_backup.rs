//! A host killed at any moment of a backup leaves a repository that works: 10 of the 50 moments of
//! `scripts/soak backup-kills`.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::Command;

#[test]
fn a_killed_backup_leaves_a_repository_that_works() {
    let arguments = ["--runs", "10", "--seed", "7", "--megabytes", "16"];
    let output = Command::new(env!("CARGO_BIN_EXE_kill-backup")).args(arguments).output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    assert!(report.contains("10 passed, 0 failed"), "{report}");
    assert!(report.contains("no slot left behind"), "{report}");
}
