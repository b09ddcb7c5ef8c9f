//! What is done to log files, from facts.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::closed_file::ClosedFile;
use super::*;
use crate::ChorePlan as _;

/// Noon of a day.
fn now() -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::hours(12)
}

fn log(bytes: Option<u64>, hours_ago: i64) -> ServiceLog {
    let path = PathBuf::from("/l/a.log");
    let began_at = bytes.map(|_| now() - TimeDelta::hours(hours_ago));
    ServiceLog { path, bytes, began_at, closed: Vec::new(), unfinished: Vec::new(), is_cared_for: false }
}

fn closed(minutes_ago: i64, bytes: u64, is_compressed: bool, is_open: Option<bool>) -> ClosedLog {
    let closed_at = now() - TimeDelta::minutes(minutes_ago);
    let path = PathBuf::from(format!("/l/{minutes_ago}"));
    let file = ClosedFile { path, sequence: 4, closed_at, bytes, is_compressed };
    ClosedLog { file, modified_at: closed_at, is_open }
}

fn plan(log: ServiceLog) -> LogCarePlan {
    let policy = LogCarePolicy::default()
        .with_file_bytes_max(100)
        .with_kept_bytes_max(1_000)
        .with_kept_age_max(Duration::from_hours(48));
    plan_log_care(&LogFacts { logs: vec![log] }, &policy, now())
}

fn check(log: ServiceLog, expected: &str) {
    assert_eq!(plan(log).to_string(), expected);
}

#[test]
fn a_file_is_closed_when_it_is_large_or_of_another_day() {
    check(log(None, 0), "nothing to do");
    check(log(Some(100), 11), "nothing to do");
    check(log(Some(0), 90), "nothing to do");
    check(log(Some(101), 0), "close /l/a.log as a.log.20241004T120000Z.000000000: it has 101 bytes");
    check(log(Some(1), 13), "close /l/a.log as a.log.20241004T120000Z.000000000: a new period has begun");
    let mut second = log(Some(1), 13);
    second.closed.push(closed(1, 5, true, Some(false)));
    check(second, "close /l/a.log as a.log.20241004T120000Z.000000005: a new period has begun");
}

#[test]
fn a_closed_file_is_compressed_once_nobody_writes_to_it() {
    let with = |file| ServiceLog { closed: vec![file], ..log(Some(1), 0) };
    check(with(closed(6, 50, false, Some(false))), "compress /l/6: 50 bytes");
    check(with(closed(6, 50, false, None)), "compress /l/6: 50 bytes");
    check(with(closed(4, 50, false, Some(false))), "nothing to do");
    check(with(closed(6, 50, true, Some(false))), "nothing to do");
    let mut written = closed(6, 50, false, None);
    written.modified_at = now() - TimeDelta::seconds(301);
    check(with(written.clone()), "compress /l/6: 50 bytes");
    written.modified_at = now() - TimeDelta::seconds(299);
    assert!(!plan(with(written)).to_string().contains("compress"));
    check(
        with(closed(6, 50, false, Some(true))),
        "tell the service again to open /l/a.log: it seems to write to a closed file",
    );
    check(with(closed(0, 50, false, Some(true))), "nothing to do");
}

#[test]
fn a_service_that_does_not_hear_is_reported_and_its_file_stays() {
    let mut deaf = log(None, 0);
    deaf.closed.push(closed(100 * 60, 5_000, false, Some(true)));
    let plan = plan(deaf);
    assert_eq!(plan.steps.len(), 1, "{plan}");
    assert!(plan.obstacles()[0].contains("is written to still"), "{plan}");
}

#[test]
fn a_log_that_nobody_began_anew_is_told_of_again() {
    let mut unbegun = log(None, 0);
    unbegun.closed.push(closed(2, 50, false, None));
    check(unbegun, "tell the service again to open /l/a.log: it seems to write to a closed file");
}

#[test]
fn the_old_the_too_many_and_the_unfinished_go() {
    let mut full = log(Some(1), 0);
    full.unfinished.push(PathBuf::from("/l/x.tmp"));
    full.closed = vec![
        closed(49 * 60, 1, true, Some(false)),
        closed(600, 600, true, Some(false)),
        closed(500, 600, true, Some(false)),
    ];
    check(
        full,
        "remove /l/x.tmp: an interrupted run left it\n\
         remove /l/2940, 1 bytes: it is old\n\
         remove /l/600, 600 bytes: newer files need the room",
    );
}

#[test]
fn that_no_writer_is_seen_is_no_proof_that_nobody_writes() {
    for is_open in [Some(false), None] {
        let mut file = closed(60, 50, false, is_open);
        file.modified_at = now() - TimeDelta::minutes(2);
        let told = "tell the service again to open /l/a.log: it seems to write to a closed file";
        let with = |file: &ClosedLog, log| ServiceLog { closed: vec![file.clone()], ..log };
        assert_eq!(plan(with(&file, log(None, 0))).steps[0].to_string(), told);
        let late = plan(with(&file, log(Some(1), 0)));
        assert_eq!(late.steps.len(), 1, "neither compressed nor removed: {late}");
        assert!(late.obstacles()[0].contains("is written to still"), "{late}");
        file.file.closed_at = now() - TimeDelta::hours(72);
        assert_eq!(plan(with(&file, log(Some(1), 0))).steps.len(), 1);
    }
}

#[test]
fn a_log_that_nobody_began_is_told_of_at_every_look() {
    let mut unbegun = log(None, 0);
    unbegun.closed.push(closed(20 * 60, 50, true, Some(false)));
    check(unbegun, "tell the service again to open /l/a.log: it seems to write to a closed file");
}

#[test]
fn what_gives_room_comes_first_for_all_logs() {
    let mut first = log(Some(101), 0);
    first.closed.push(closed(6, 50, false, Some(false)));
    let mut second = log(Some(1), 0);
    second.closed.push(closed(49 * 60, 1, true, Some(false)));
    let plan = plan_log_care(
        &LogFacts { logs: vec![first, second] },
        &LogCarePolicy::default().with_file_bytes_max(100).with_kept_age_max(Duration::from_hours(48)),
        now(),
    );
    let words: Vec<String> =
        plan.steps.iter().map(|step| step.to_string().split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(words, ["remove", "compress", "close"]);
}
