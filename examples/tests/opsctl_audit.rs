//! `opsctl audit` as a person runs it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

const LOCK: &str = "version = 4\n\n[[package]]\nname = \"leaky\"\nversion = \"1.2.0\"\n\
                    source = \"registry+https://github.com/rust-lang/crates.io-index\"\n\n[[package]]\nname = \"stale\"\n\
                    version = \"0.3.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n";

/// A lock file with two packages of which something is known, and the advisories, of which none is old.
fn world() -> TempDir {
    let home = TempDir::new().unwrap();
    fs::write(home.path().join("Cargo.lock"), LOCK).unwrap();
    advise(home.path(), "RUSTSEC-2024-0001", "leaky", "aliases = [\"CVE-2024-1\"]", "[\">= 1.3.0\"]");
    advise(home.path(), "RUSTSEC-2024-0002", "stale", "informational = \"unmaintained\"", "[]");
    fs::create_dir(home.path().join("db/.git")).unwrap();
    fs::write(home.path().join("db/.git/FETCH_HEAD"), "0123\t\tbranch 'main' of advisories\n").unwrap();
    home
}

fn advise(home: &Path, id: &str, package: &str, fields: &str, patched: &str) {
    let folder = home.join("db/crates").join(package);
    fs::create_dir_all(&folder).unwrap();
    let text = format!(
        "```toml\n[advisory]\nid = \"{id}\"\npackage = \"{package}\"\ndate = \"2024-03-01\"\n{fields}\n\n\
         [versions]\npatched = {patched}\n```\n\n# What is wrong with {package}\n\nAll of it.\n"
    );
    fs::write(folder.join(format!("{id}.md")), text).unwrap();
}

fn audit(home: &TempDir, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_opsctl"))
        .current_dir(home.path())
        .env_remove("ALFRED_OPS_ADVISORIES")
        .arg("audit")
        .args(arguments)
        .output()
        .unwrap()
}

const CARGO: [&str; 4] = ["--lockfile", "Cargo.lock", "--advisories", "db"];

fn check(home: &TempDir, arguments: &[&str], status: i32, words: &[&str]) {
    let output = audit(home, arguments);
    assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8(text).unwrap();
    for word in words {
        assert!(text.contains(word), "{arguments:?}: {word}: {text}");
    }
}

#[test]
fn findings_are_told_and_excused_by_the_policy() {
    let home = world();
    check(
        &home,
        &CARGO,
        1,
        &["2 findings", "RUSTSEC-2024-0001", "patched in >=1.3.0", "cargo update -p leaky"],
    );
    let policy = |text: &str| fs::write(home.path().join("policy.yaml"), text).unwrap();
    let with_policy = [&CARGO[..], &["--policy", "policy.yaml"]].concat();
    policy(
        "unmaintained: false\nignored:\n  - {id: CVE-2024-1, reason: we do not call it, until: 2999-01-01}\n",
    );
    check(&home, &with_policy, 0, &["0 findings", "we do not call it", "the policy does not ask for it"]);
    // An excuse ends.
    policy("ignored: [{id: CVE-2024-1, reason: we do not call it, until: 2025-01-01}]");
    check(&home, &with_policy, 1, &["2 findings", "was ignored until 2025-01-01"]);
    policy("severity_min: awful");
    check(&home, &with_policy, 1, &["policy.yaml", "give low, medium, high or critical"]);

    let output = audit(&home, &[&CARGO[..], &["--json"]].concat());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["packages"], 2);
    assert_eq!(json["findings"][0]["advisory"], "RUSTSEC-2024-0001");
    assert_eq!(json["findings"][0]["aliases"][0], "CVE-2024-1");
    assert_eq!(json["obstacles"], Value::Array(Vec::new()));
}

#[test]
fn other_scanners_are_asked_and_their_failures_are_told() {
    let home = world();
    let program = home.path().join("scan");
    let script = |text: &str| {
        fs::write(&program, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    };
    fs::write(home.path().join("requirements.txt"), "flask==0.5\n").unwrap();
    script(
        r#"echo '{"dependencies":[{"name":"flask","version":"0.5","vulns":[{"id":"PYSEC-2019-179","fix_versions":["1.0"],"aliases":[],"description":""}]}]}'; exit 1"#,
    );
    let python = ["--requirements", "requirements.txt", "--pip-audit", "./scan"];
    check(&home, &python, 1, &["1 findings", "flask 0.5", "PYSEC-2019-179"]);
    script(r#"echo '{"SchemaVersion":2,"Results":[]}'"#);
    check(&home, &["--image", "registry/agents:v1", "--trivy", "./scan"], 0, &["0 findings"]);
    // One scanner that cannot look hides no other's findings.
    script("exit 7");
    let both = [&CARGO[..], &["--image", "registry/agents:v1", "--trivy", "./scan"]].concat();
    check(&home, &both, 1, &["2 findings", "obstacle: ", "exit status: 7"]);
    check(&home, &["--image", "registry/agents:v1", "--trivy", "./none"], 1, &["there is no ./none"]);
}

#[test]
fn what_cannot_be_an_audit_is_refused() {
    let home = world();
    check(&home, &[], 2, &["--lockfile"]);
    check(&home, &["--lockfile", "Cargo.lock"], 2, &["--advisories"]);
    check(&home, &["--lockfile", "none", "--advisories", "db"], 1, &["check the path"]);
    check(&home, &["--lockfile", "Cargo.lock", "--advisories", "."], 1, &["there is no folder"]);
}
