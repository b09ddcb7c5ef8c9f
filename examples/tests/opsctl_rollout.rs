//! `opsctl rollout` as a person runs it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use alfred_ops_core::SystemClock;
use alfred_ops_scaling::testing::servers::{CloudRunServer, KubernetesServer};
use axum::Router;
use serde_json::Value;
use tempfile::TempDir;

/// A service whose revisions are files. Every change names the version that it is decided on.
const TARGET: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
[ -e away ] && exit 7
version=$(cat version)
change() { [ "$1" = "$version" ] || exit 4; echo $((version + 1)) > version; }
case $1 in
observe)
    list=""
    for file in revisions/*; do
        list="$list${list:+,}\"$(basename "$file")\":{\"image\":\"$(cat "$file")\",\"state\":\"ready\"}"
    done
    echo "{\"version\":\"$version\",\"revisions\":{$list},\"traffic\":$(cat traffic)}" ;;
create) change "$2"; echo "$5" > "revisions/$4" ;;
traffic) change "$2"; echo "$3" > traffic ;;
retire) change "$2"; rm -f "revisions/$3" ;;
*) exit 9 ;;
esac
"#;

/// An analysis takes part of the interval, so on a busy machine there must be time for it.
const POLICY: &str =
    "policy: {steps: [50, 100], interval: 2s, passes: 1, failures: 1, failures_in_a_row: 1}\n";
const HEALTH: &str = "analyses: [{name: health, command: [HOME/health]}]\n";
const RELEASE: [&str; 4] = ["--revision", "api-2", "--image", "registry/api:2"];

struct World {
    home: TempDir,
    target: String,
}

impl World {
    /// A service that is files.
    fn new(config: &str) -> Self {
        Self::on("command: [HOME/target]", config)
    }

    fn on(target: &str, config: &str) -> Self {
        let world = Self { home: TempDir::new().unwrap(), target: target.to_owned() };
        world.script("target", TARGET);
        world.script("health", "#!/bin/sh\nexit 0\n");
        world.write("version", "1");
        world.write("traffic", "{\"api-1\":100}");
        world.write("revisions/api-1", "registry/api:1");
        world.configure(config);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), text).unwrap();
    }

    fn script(&self, name: &str, text: &str) {
        self.write(name, text);
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn configure(&self, config: &str) {
        let config = format!("name: api\ntarget: {{{}}}\n{config}", self.target);
        self.write("rollout.yaml", &config.replace("HOME", &self.home.path().display().to_string()));
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_opsctl"));
        command
            .arg("rollout")
            .args(arguments)
            .env("ALFRED_OPS_ROLLOUT", self.path("rollout.yaml"))
            .env("ALFRED_OPS_STATE", format!("sqlite://{}", self.path("state.db").display()));
        command
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What it says, all of it, if it ends with this status.
    fn says(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.call(arguments);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
        String::from_utf8([output.stdout, output.stderr].concat()).unwrap()
    }

    fn json(&self, status: i32, arguments: &[&str]) -> Value {
        let output = self.call(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(status), "{arguments:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn traffic(&self) -> Value {
        serde_json::from_str(&fs::read_to_string(self.path("traffic")).unwrap()).unwrap()
    }

    fn revisions(&self) -> Vec<String> {
        let files = fs::read_dir(self.path("revisions")).unwrap();
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn release(command: &str) -> Vec<&str> {
    [&[command][..], &RELEASE[..]].concat()
}

#[test]
fn a_plan_is_printed_and_a_good_release_is_promoted() {
    let world = World::new(&format!("{POLICY}{HEALTH}"));
    let plan = world.says(0, &release("plan"));
    for words in [
        "api: api-2 (registry/api:2) takes the place of api-1 (registry/api:1)",
        "  in staging asks  nothing\n",
        "  each step asks   health, 1 times with 2 s between",
        "  make the candidate: the release may go out\n",
        "  give 50 % to api-1, 50 % to api-2: api-2 is ready\n",
        "in 4 s: promoted\n",
    ] {
        assert!(plan.contains(words), "{words}: {plan}");
    }
    assert!(!world.path("state.db").exists());
    assert_eq!(
        (world.traffic(), world.revisions()),
        (serde_json::json!({ "api-1": 100 }), vec!["api-1".to_owned()])
    );

    let run = world.says(0, &release("run"));
    assert!(run.contains("api: api-2 is promoted\n") && run.contains("step 2 of 2, 100 % to api-2"), "{run}");
    assert_eq!(
        (world.traffic(), world.revisions()),
        (serde_json::json!({ "api-2": 100 }), vec!["api-2".to_owned()])
    );
    let status = world.says(0, &["status"]);
    assert!(status.starts_with("api: api-2 (registry/api:2) over api-1: promoted, since 2"), "{status}");
    assert!(world.says(0, &["history"]).ends_with("  api-2 (registry/api:2)  promoted\n"));
    // The same name again would be another image under an old name.
    assert!(world.says(1, &release("plan")).contains("obstacle: there is a revision api-2 already"));
    assert!(world.says(1, &release("run")).contains("there is a revision api-2 already"));
}

#[test]
fn a_bad_release_goes_back_by_itself() {
    let world = World::new(&format!("{POLICY}{HEALTH}"));
    world.script(
        "health",
        "#!/bin/sh\necho \"$ALFRED_OPS_REVISION at $ALFRED_OPS_PERCENT % is ill\"\nexit 1\n",
    );
    let run = world.says(1, &release("run"));
    assert!(
        run.contains("rolled back: 1 failures, 1 in a row; last: fail: health: api-2 at 50 % is ill"),
        "{run}"
    );
    assert_eq!(
        (world.traffic(), world.revisions()),
        (serde_json::json!({ "api-1": 100 }), vec!["api-1".to_owned()])
    );
    assert!(world.says(1, &["status"]).contains("rolled back: "));
    let history = world.json(0, &["history"]);
    assert!(history[0]["end"]["RolledBack"]["reason"].as_str().unwrap().contains("is ill"), "{history}");
}

#[test]
fn gates_are_waited_for_and_people_have_their_way() {
    let gates =
        "staging: [{name: smoke, command: [HOME/health]}]\ngates: [{name: backup, command: [HOME/gate]}]\n";
    let world = World::new(&format!("policy: {{steps: [50, 100]}}\n{gates}{HEALTH}"));
    world.script("gate", "#!/bin/sh\necho 'the last backup is 3 days old'\nexit 1\n");
    let plan = world.says(0, &release("plan"));
    assert!(plan.contains("in staging asks  smoke\n  gates            backup\n"), "{plan}");
    let once = world.says(0, &[&release("run")[..], &["--once"]].concat());
    assert!(once.contains("backup: the last backup is 3 days old"), "{once}");
    assert!(world.says(0, &["status"]).contains("waiting for gates, since"));
    assert!(
        world
            .says(1, &["run", "--once", "--revision", "api-3", "--image", "i"])
            .contains("api-2 is being rolled out")
    );

    world.script("gate", "#!/bin/sh\nexit 0\n");
    world.says(0, &["pause", "--reason", "an incident"]);
    assert!(world.says(0, &["run", "--once"]).contains(": an incident"));
    assert!(world.says(0, &["plan"]).contains("rests from"));
    world.says(0, &["resume"]);
    // Gates are asked again at the next look but one, at the latest.
    let mut once = String::new();
    while !once.contains("step 1 of 2") {
        once = world.says(0, &["run", "--once"]);
    }
    assert_eq!(world.traffic(), serde_json::json!({ "api-1": 50, "api-2": 50 }));
    let status = world.says(0, &["status"]);
    assert!(status.contains("canary step 1") && status.contains("0 of 5 passes, 0 failures"), "{status}");
    let explained = world.says(0, &["explain"]);
    for words in [
        "  passes    0; 5 lead to the next step",
        "  last      nothing was said yet",
        "  target    api-2 runs registry/api:2, ready",
        "  target    gives 50 % to api-1, 50 % to api-2",
        "  health    says now: pass",
        "give 100 % to api-2: 5 passes at 50 % to api-1, 50 % to api-2",
        "ends at the earliest at 2",
    ] {
        assert!(explained.contains(words), "{words}: {explained}");
    }

    world.write("away", "");
    assert!(world.says(1, &["status"]).contains("nobody can tell: ask target"));
    fs::remove_file(world.path("away")).unwrap();
    world.says(0, &["abort", "--reason", "a bug"]);
    assert!(world.says(1, &["status"]).contains("  aborted   a bug"));
    assert!(world.says(1, &["run"]).contains("rolled back: aborted: a bug"));
    assert_eq!(world.traffic(), serde_json::json!({ "api-1": 100 }));
    for wish in [&["pause", "--reason", "x"][..], &["resume"], &["abort", "--reason", "x"]] {
        assert!(world.says(1, wish).contains("no rollout under way"));
    }
}

#[test]
fn a_run_that_is_stopped_goes_on_with_the_next() {
    let world = World::new(&format!("{POLICY}{HEALTH}"));
    let mut run =
        world.command(&release("run")).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    lines.find(|line| line.as_ref().unwrap().contains("step 1 of 2")).unwrap().unwrap();
    let stopped = Command::new("kill").args(["-INT", &run.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert_eq!(run.wait().unwrap().code(), Some(1));
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert!(rest.iter().any(|line| line.contains("run it again to go on")), "{rest:?}");
    assert!(world.says(0, &["status"]).contains("canary step"));
    // The one under way needs no name.
    assert!(world.says(0, &["run"]).contains("api: api-2 is promoted"));
}

#[test]
fn a_run_that_has_begun_does_not_leave_its_candidate_because_of_an_error() {
    let world = World::new(&format!("{POLICY}{HEALTH}"));
    let mut run =
        world.command(&release("run")).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(run.stderr.take().unwrap()).lines();
    let mut until = |words: &str| lines.find(|line| line.as_ref().unwrap().contains(words)).unwrap().unwrap();
    until("step 1 of 2");
    // Nobody would try that again who had not begun.
    world.script("target", "#!/bin/sh\necho '{}'\n");
    let told = until("failed, and is tried again");
    assert!(told.contains("version is no text"), "{told}");
    world.script("target", TARGET);
    lines.for_each(drop);
    assert_eq!(run.wait().unwrap().code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_is_asked_for_each_revision() {
    let answer = |body: String| async move {
        // The candidate errs fifty times as often.
        let value = if body.contains("api-2") { "0.5" } else { "0.01" };
        let now = SystemClock::shared().now().timestamp();
        format!(
            r#"{{"status":"success","data":{{"resultType":"vector","result":[{{"metric":{{}},"value":[{now},"{value}"]}}]}}}}"#
        )
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = axum::serve(listener, Router::new().fallback(answer));
    let query = "query: 'rate(errors{revision=\"$revision\"}[1m])', at_most_times: 2, or: 0.001";
    let analyses = format!("analyses: [{{name: errors, prometheus: 'http://{address}', {query}}}]\n");
    let world = World::new(&format!("{POLICY}{analyses}"));
    let run = tokio::select! {
        _ = server => String::new(),
        run = alfred_ops_core::blocking(move || world.says(1, &release("run"))) => run.unwrap(),
    };
    assert!(run.contains("fail: errors: 0.5, and at most 0.02 is healthy"), "{run}");
}

#[test]
fn mistakes_are_told() {
    let world = World::new(&format!("{POLICY}{HEALTH}"));
    for (arguments, status, words) in [
        (&["status"][..], 1, "there is no such file"),
        (&["pause"], 2, "--reason"),
        (&["run", "--revision", "api-2"], 2, "--image"),
        (&["run", "--revision", "API", "--image", "i"], 1, "\"API\" is no name"),
        (&["plan"], 1, "give --revision and --image"),
        (&["run"], 1, "give --revision and --image"),
    ] {
        let said = world.says(status, arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    assert!(world.says(0, &["status"]).contains("there was no rollout yet"));
    world.configure(POLICY);
    assert!(world.says(1, &release("run")).contains("nothing is promoted without data"));
    world.configure(&format!("policy: {{steps: [50]}}\n{HEALTH}"));
    assert!(world.says(1, &release("plan")).contains("do not grow from at least 1 to 100"));
    world.script("target", "#!/bin/sh\necho '{}'\n");
    world.configure(&format!("{POLICY}{HEALTH}"));
    assert!(world.says(1, &release("plan")).contains("version is no text"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_in_kubernetes_is_followed_by_another() {
    let server = KubernetesServer::start().await.unwrap();
    server.run_controller();
    server.add("Deployment", "agents", "api-1", 4);
    server.add_service("agents", "api", ("app", "api-1"));
    let target = format!("kubernetes: {{namespace: agents, service: api, api_server: '{}'}}", server.url());
    let world = World::on(&target, &format!("{POLICY}{HEALTH}"));
    let run = alfred_ops_core::blocking(move || {
        let plan = world.says(0, &release("plan"));
        assert!(plan.contains("give 50 % to api-1, 50 % to api-2: api-2 is ready"), "{plan}");
        let run = world.says(0, &release("run"));
        assert!(world.says(0, &["history"]).contains("promoted"));
        run
    });
    assert!(run.await.unwrap().contains("api: api-2 is promoted"));
    assert_eq!(server.names("Deployment", "agents"), ["api-2"]);
    assert_eq!(server.replicas("Deployment", "agents", "api-2"), Some(4));
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_on_cloud_run_gets_a_revision_that_takes_its_traffic() {
    const SERVICE: &str = "projects/alfred/locations/europe-west1/services/api";
    let image = |version: u32| format!("gcr.io/alfred/api@sha256:{version:064}");
    let server = CloudRunServer::start().await.unwrap();
    server.add(SERVICE, &serde_json::json!({ "template": { "containers": [{ "image": image(1) }] } }));
    let target = format!(
        "cloud_run: {{project: alfred, location: europe-west1, service: api, endpoint: '{}'}}",
        server.endpoint()
    );
    let world = World::on(&target, &format!("{POLICY}{HEALTH}"));
    let run = alfred_ops_core::blocking(move || {
        let other = world.says(1, &["plan", "--revision", "web-2", "--image", &image(2)]);
        assert!(other.contains("api-"), "{other}");
        let release = ["--revision", "api-2", "--image", &image(2)];
        let plan = world.says(0, &[&["plan"], &release[..]].concat());
        assert!(plan.contains("(gcr.io/alfred/api@sha256:") && plan.contains("in 4 s: promoted"), "{plan}");
        world.says(0, &[&["run"], &release[..]].concat())
    });
    let run = run.await.unwrap();
    assert!(run.contains("api: api-2 is promoted"), "{run}");
    assert_eq!(server.shares(SERVICE), [("api-2".to_owned(), 100)].into());
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_pool_on_cloud_run_gets_a_revision_that_takes_its_instances() {
    const POOL: &str = "projects/alfred/locations/europe-west1/workerPools/bots";
    let image = |version: u32| format!("gcr.io/alfred/bots@sha256:{version:064}");
    let server = CloudRunServer::start().await.unwrap();
    let scaling = serde_json::json!({ "manualInstanceCount": 4 });
    let template = serde_json::json!({ "containers": [{ "image": image(1) }] });
    server.add(POOL, &serde_json::json!({ "template": template, "scaling": scaling }));
    let target = format!(
        "cloud_run: {{project: alfred, location: europe-west1, worker_pool: bots, endpoint: '{}'}}",
        server.endpoint()
    );
    let world = World::on(&target, &format!("{POLICY}{HEALTH}"));
    let run = alfred_ops_core::blocking(move || {
        world.says(0, &["run", "--revision", "bots-2", "--image", &image(2)])
    });
    let run = run.await.unwrap();
    assert!(run.contains("bots-2 is promoted"), "{run}");
    assert_eq!(server.instances_of(POOL), [("bots-2".to_owned(), 4)].into());
    server.stop().await;
}
