//! `opsctl logs` as a person runs it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;

fn logs(repository: &Path, arguments: &[&str]) -> Output {
    let repository = format!("file://{}", repository.display());
    Command::new(env!("CARGO_BIN_EXE_opsctl"))
        .args(["--repository", &repository, "logs"])
        .args(arguments)
        .output()
        .unwrap()
}

fn said(output: Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A file that was closed long ago: a line an hour.
fn old_file(folder: &Path) {
    let mut text = String::new();
    for hour in 0..24 {
        writeln!(text, r#"{{"timestamp":"2026-01-02T{hour:02}:00:00Z","fields":{{"task":{}}}}}"#, hour % 3)
            .unwrap();
    }
    let path = folder.join("agent.log.20260103T000000Z.000000000");
    fs::write(&path, text).unwrap();
    let closed_at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_398_400);
    fs::File::options().write(true).open(path).unwrap().set_modified(closed_at).unwrap();
}

#[test]
fn an_archive_that_is_not_there_is_not_taken_for_an_empty_one() {
    let folder = TempDir::new().unwrap();
    let range = ["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-02T12:00:00Z"];
    let missing = folder.path().join("mistyped");
    for (place, told) in [(missing.as_path(), "nor such a folder"), (folder.path(), "no log was archived")] {
        let output = logs(place, &[&["grep"], &range[..]].concat());
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && error.contains(told), "{error}");
    }
    assert!(!missing.exists());
}

#[test]
fn old_lines_go_into_the_archive_and_are_found_there() {
    let (folder, repository, target) =
        (TempDir::new().unwrap(), TempDir::new().unwrap(), TempDir::new().unwrap());
    old_file(folder.path());
    let path = folder.path().to_str().unwrap();
    let archive = ["archive", path, "--host", "one", "--keep-days", "36500"];
    let dry = said(logs(repository.path(), &[&archive[..], &["--dry-run"]].concat()));
    assert!(dry.starts_with("archive ") && dry.contains("agent.log.20260103T000000Z"), "{dry}");
    assert_eq!(fs::read_dir(path).unwrap().count(), 1);
    let done = said(logs(repository.path(), &archive));
    assert!(done.contains("finished"), "{done}");
    assert_eq!(fs::read_dir(path).unwrap().count(), 0);

    let day = ["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-02T12:00:00Z"];
    let list = said(logs(repository.path(), &[&["list"], &day[..]].concat()));
    assert!(
        list.starts_with("one/agent.log from 2026-01-02 00:00:00 UTC to 2026-01-02 23:00:00 UTC"),
        "{list}"
    );
    let found = said(logs(repository.path(), &[&["grep", "--field", "fields.task=2"], &day[..]].concat()));
    assert_eq!(found.lines().count(), 4, "{found}");
    assert!(found.starts_with(r#"one/agent.log: {"timestamp":"2026-01-02T02:00:00Z""#), "{found}");
    let json = said(logs(repository.path(), &[&["grep", "--json", "--limit", "2"], &day[..]].concat()));
    let json: Value = serde_json::from_str(&json).unwrap();
    assert_eq!((json["lines"].as_array().unwrap().len(), &json["is_cut"]), (2, &true.into()));
    let into = target.path().to_str().unwrap();
    let restored = said(logs(repository.path(), &[&["restore", "--into", into], &day[..]].concat()));
    assert!(restored.starts_with("1 files with "), "{restored}");

    // A damaged piece is named.
    let piece =
        fs::read_dir(repository.path().join("archived-logs/20260102T230000Z_20260102T000000Z/one/agent.log"));
    let piece = piece.unwrap().next().unwrap().unwrap().path();
    fs::write(&piece, "x").unwrap();
    let output = logs(repository.path(), &[&["grep"], &day[..]].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("not read: one/agent.log"));
}

#[test]
fn logs_of_other_services_are_closed_and_bad_words_are_told() {
    let (folder, repository) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::write(folder.path().join("agent.log"), vec![b'x'; 65 << 20]).unwrap();
    let path = folder.path().to_str().unwrap();
    let dry = said(logs(repository.path(), &["care", path, "--tell", "true", "--dry-run"]));
    assert!(dry.starts_with("close ") && dry.contains("it has 68157440 bytes"), "{dry}");
    said(logs(repository.path(), &["care", path, "--tell", "true"]));
    let name = fs::read_dir(path).unwrap().next().unwrap().unwrap().file_name().into_string().unwrap();
    assert!(name.starts_with("agent.log.2"), "{name}");
    for (arguments, words) in [
        (&["grep", "--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"][..], "is not before"),
        (
            &["grep", "--field", "x", "--from", "2026-01-01T00:00:00Z", "--to", "2026-01-02T00:00:00Z"],
            "is no NAME=VALUE",
        ),
        (&["care", path, "--tell", " "], "names no program"),
    ] {
        let output = logs(repository.path(), arguments);
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(words), "{words}");
    }
}

#[test]
fn runs_are_known_to_others_if_it_is_said_where_hosts_keep_their_state() {
    let (folder, repository) = (TempDir::new().unwrap(), TempDir::new().unwrap());
    fs::write(folder.path().join("agent.log"), vec![b'x'; 65 << 20]).unwrap();
    let path = folder.path().to_str().unwrap();
    let database = repository.path().join("state.db");
    let state = format!("sqlite://{}", database.display());
    let known = ["--host", "one", "--state", &state];
    let output = logs(repository.path(), &[&["history", "care"], &known[..]].concat());
    assert!(String::from_utf8(output.stderr).unwrap().contains("there is no such file"));
    said(logs(repository.path(), &[&["care", path], &known[..]].concat()));
    let history = said(logs(repository.path(), &[&["history", "care"], &known[..]].concat()));
    assert!(history.contains("planned  close "), "{history}");
    let status = said(logs(repository.path(), &[&["status", "care"], &known[..]].concat()));
    assert!(status.starts_with("logs-one: well"), "{status}");
    let history = said(logs(repository.path(), &[&["history", "archive"], &known[..]].concat()));
    assert_eq!(history.trim(), "it never ran");
    let output = logs(repository.path(), &["status", "care"]);
    assert!(String::from_utf8(output.stderr).unwrap().contains("where hosts keep their state"));

    // A run elsewhere, which knows nothing of that state.
    let other = fs::File::open(folder.path()).unwrap();
    other.lock().unwrap();
    fs::write(folder.path().join("agent.log"), vec![b'x'; 65 << 20]).unwrap();
    let output = logs(repository.path(), &["care", path, "--host", "one"]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(String::from_utf8(output.stdout).unwrap().contains("another run works in "));
}
