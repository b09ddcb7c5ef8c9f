//! A primary and its synchronous archiver destroyed at any moment lose nothing that was acknowledged: 6 of the
//! 200 moments of `scripts/soak sync-kills`.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::Command;

#[test]
fn nothing_acknowledged_is_lost_with_a_synchronous_archive() {
    let arguments = ["--runs", "6", "--seed", "7"];
    let output = Command::new(env!("CARGO_BIN_EXE_sync-kills")).args(arguments).output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{report}");
    assert!(report.contains("6 passed, 0 failed"), "{report}");
    assert!(report.contains(" rows were acknowledged, 0 lost"), "{report}");
}
