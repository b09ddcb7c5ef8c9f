//! The story holds, also when nobody watches.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::Command;

#[test]
fn every_proof_of_the_story_holds() {
    let output =
        Command::new(env!("CARGO_BIN_EXE_alfred-host")).args(["--megabytes", "40"]).output().unwrap();
    let story = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{story}");
    assert!(!story.contains(" NO  "), "{story}");
    for chapter in ["Backup under load", "Upkeep", "An agent fails", "A queue grows", "Proven"] {
        assert!(story.contains(&format!("== {chapter}")), "{chapter:?} is missing:\n{story}");
    }
}
