//! Three replicas under one lease lose and repeat nothing: 10 of the 100 kills and 5 of the 50 stops of
//! `scripts/soak leases`.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::Command;

#[test]
fn killed_and_stopped_leaders_lose_and_repeat_nothing() {
    let arguments = ["--kills", "10", "--stops", "5", "--seed", "7"];
    let output = Command::new(env!("CARGO_BIN_EXE_leases")).args(arguments).output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}\n{errors}");
    assert!(report.contains("nothing was missed, settled twice or written late"), "{report}");
}
