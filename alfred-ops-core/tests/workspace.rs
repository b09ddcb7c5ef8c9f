//! The shape of the workspace, as `cargo metadata` sees it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::process::Command;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

const CORE: &str = "alfred-ops-core";
const SIBLINGS: [&str; 3] = ["alfred-ops-alerts", "alfred-ops-backup", "alfred-ops-scaling"];
const LEAF: &str = "alfred-ops-maintenance";

/// Crates that a host gets only by naming a feature: TLS, HTTP, databases, clouds.
const HEAVY: [&str; 15] = [
    "aws-lc-rs",
    "aws-lc-sys",
    "aws-sdk-s3",
    "axum",
    "google-cloud-monitoring-v3",
    "google-cloud-run-v2",
    "hyper",
    "native-tls",
    "openssl",
    "postgres-protocol",
    "reqwest",
    "ring",
    "rustls",
    "sqlx",
    "tokio-rustls",
];

fn metadata() -> Metadata {
    MetadataCommand::new().no_deps().other_options(["--offline".to_owned()]).exec().unwrap()
}

/// The workspace's own crates that `name` depends on, development aside.
fn own_dependencies(metadata: &Metadata, name: &str) -> BTreeSet<String> {
    let package = metadata.packages.iter().find(|package| package.name.as_str() == name).unwrap();
    let normal = package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal);
    normal.map(|dependency| dependency.name.clone()).filter(|name| name.starts_with("alfred-ops-")).collect()
}

#[test]
fn dependencies_go_one_way() {
    let metadata = metadata();
    assert!(own_dependencies(&metadata, CORE).is_empty(), "core stands alone");
    for sibling in SIBLINGS {
        let dependencies = own_dependencies(&metadata, sibling);
        assert_eq!(dependencies, BTreeSet::from([CORE.to_owned()]), "{sibling} sees core and no sibling");
    }
    let above: BTreeSet<String> = SIBLINGS.into_iter().chain([CORE]).map(str::to_owned).collect();
    assert!(own_dependencies(&metadata, LEAF).is_subset(&above));
    for package in &metadata.packages {
        let is_host = ["alfred-ops-examples", "alfred-ops-benches"].contains(&package.name.as_str());
        assert!(
            is_host || !own_dependencies(&metadata, &package.name).contains(LEAF),
            "nothing stands on {LEAF}"
        );
    }
}

#[test]
fn default_features_are_empty_and_pull_in_nothing_heavy() {
    for name in SIBLINGS.into_iter().chain([CORE, LEAF]) {
        let package = metadata().packages.into_iter().find(|package| package.name.as_str() == name).unwrap();
        assert_eq!(package.features["default"], Vec::<String>::new(), "{name} has empty default features");
        for heavy in HEAVY {
            assert!(
                !tree(&["-p", name, "-e", "normal"]).contains(heavy),
                "{name} pulls in {heavy} by default"
            );
        }
    }
}

#[test]
fn one_tls_provider_under_all_features() {
    let crates = tree(&["--workspace", "--all-features", "-e", "normal"]);
    assert!(crates.contains("aws-lc-rs"));
    for other in ["ring", "native-tls", "openssl"] {
        assert!(!crates.contains(other), "{other} is in the tree: two providers make rustls panic");
    }
}

/// The names of the crates that `cargo tree` lists.
fn tree(arguments: &[&str]) -> BTreeSet<String> {
    let output = Command::new(env!("CARGO"))
        .args(["tree", "--offline", "--locked", "--prefix", "none", "--format", "{p}"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}
