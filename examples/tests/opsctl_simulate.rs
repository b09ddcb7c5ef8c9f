//! `opsctl simulate` as a person runs it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// Ten minutes of little, ten of much, ten of little.
fn desk() -> TempDir {
    let desk = TempDir::new().unwrap();
    let load: String = (0..1800).map(|second| if second / 600 == 1 { "60\n" } else { "4\n" }).collect();
    std::fs::write(desk.path().join("load.txt"), load).unwrap();
    desk
}

fn simulate(desk: &TempDir, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_opsctl"));
    command.current_dir(desk.path()).args(["simulate", "--trace", "load.txt"]);
    command.args(arguments).output().unwrap()
}

#[test]
fn all_policies_are_scored_and_drawn() {
    let desk = desk();
    let output = simulate(&desk, &["--service-rate", "5", "--plot", "load.svg", "--json"]);
    assert!(output.status.success(), "{output:?}");
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    let policies = json["policies"].as_array().unwrap();
    let names: Vec<&str> = policies.iter().map(|policy| policy["policy"].as_str().unwrap()).collect();
    assert_eq!(names, ["rules", "hpa", "keda", "kpa", "cloud-run", "slo"]);
    let late = |name: &str| {
        let place = names.iter().position(|known| *known == name).unwrap();
        policies[place]["violations_percent"].as_f64().unwrap()
    };
    assert!(late("slo") < late("hpa") && late("hpa") <= late("rules"), "{json}");
    let chart = std::fs::read_to_string(desk.path().join("load.svg")).unwrap();
    assert!(chart.starts_with("<svg") && chart.ends_with("</svg>\n"));
    // One for the load, two for each policy.
    assert_eq!(chart.matches("<path").count(), 13);
    assert!(chart.contains("slo: "));
}

#[test]
fn one_policy_is_scored_as_a_table_and_mistakes_are_told() {
    let desk = desk();
    let output = simulate(&desk, &["--service-rate", "5", "--policy", "slo", "--start-up", "20"]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.starts_with("1800 s of load, 5 requests a second for each instance, 20 s to start"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 3);

    for (arguments, part) in [
        (["--service-rate", "0", "--policy", "slo"], "rate: 0 is not above 0"),
        (["--service-rate", "5", "--policy", "fast"], "there is no policy \"fast\""),
        (["--service-rate", "5", "--start-up", "soon"], "give seconds as a number from 0 on"),
    ] {
        let output = simulate(&desk, &arguments);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && error.contains(part), "{error}");
    }
}
