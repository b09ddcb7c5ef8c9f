//! A share of each trial of `chaos`; `scripts/soak` runs the full counts.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::Command;

/// Runs a trial and returns its report.
fn passes(arguments: &[&str], runs: u32) -> String {
    let mut chaos = Command::new(env!("CARGO_BIN_EXE_chaos"));
    let output = chaos.args(arguments).args(["--seed", "7", "--runs", &runs.to_string()]).output().unwrap();
    let report = String::from_utf8(output.stdout).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{report}\n{errors}");
    assert!(report.ends_with(&format!("{runs} passed, 0 failed\n")), "{report}");
    report
}

/// 40 of 200 moments.
#[test]
fn killed_hosts_leave_a_repository_that_works() {
    assert!(passes(&["kills"], 40).contains("no slot left behind"));
}

/// 6 of 200 moments.
#[test]
fn nothing_acknowledged_is_lost_with_a_synchronous_archive() {
    assert!(passes(&["sync-kills"], 6).contains(" rows were acknowledged, 0 lost"));
}

/// 15 of 150 blows.
#[test]
fn killed_and_stopped_leaders_lose_and_repeat_nothing() {
    assert!(passes(&["leases"], 15).contains("nothing was missed, settled twice or written late"));
}

/// 5 of 60 days.
#[test]
fn everything_heals_after_failures_of_the_store_and_the_network() {
    assert!(!passes(&["faults"], 5).contains("\n0 requests hit in all"));
}

/// 8 of 100 moments of each version.
#[test]
fn histories_of_postgres_15_restore_to_any_moment() {
    passes(&["histories", "--postgres=15"], 8);
}

/// 8 of 100 moments of each version.
#[test]
fn histories_of_postgres_17_restore_to_any_moment() {
    passes(&["histories", "--postgres=17"], 8);
}

/// 8 of 100 moments of each version.
#[test]
fn histories_of_postgres_18_restore_to_any_moment() {
    passes(&["histories", "--postgres=18"], 8);
}
