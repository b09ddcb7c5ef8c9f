//! `opsctl secrets` as a person runs it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::Mutex;

use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_maintenance::testing::SecretManagerServer;
use serde_json::Value;
use tempfile::TempDir;

/// Nothing is waited for, so that each run does all.
const AT_ONCE: &str = "cache_ttl: 0s, token_ttl: 0s, skew: 0s, disabled_for: 0s";

/// An issuer of keys that are valid while they stand in a file. It says them where it must not.
const ISSUER: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
[ -e broken ] && { echo "sk-very-secret-7" >&2; exit 1; }
case $1 in
issue)
    n=$(($(cat count) + 1)); echo $n > count; echo "sk-very-secret-$n" >> valid
    echo "{\"id\": \"key-$n\", \"key\": \"sk-very-secret-$n\"}" ;;
verify) grep -qx "$(cat)" valid ;;
revoke) grep -vx "sk-very-secret-${2#key-}" valid > left; mv left valid ;;
identify) exit 3 ;;
withdraw) ;;
*) exit 9 ;;
esac
"#;

/// A folder with all that a call names, and all that was ever said.
struct World {
    home: TempDir,
    state: String,
    said: Mutex<String>,
    values: Mutex<BTreeSet<String>>,
}

impl World {
    fn new(config: &str) -> Self {
        let home = TempDir::new().unwrap();
        let path = home.path().display().to_string();
        fs::write(home.path().join("issuer"), ISSUER).unwrap();
        fs::set_permissions(home.path().join("issuer"), fs::Permissions::from_mode(0o755)).unwrap();
        fs::write(home.path().join("count"), "0").unwrap();
        fs::write(home.path().join("valid"), "").unwrap();
        let state = format!("sqlite://{path}/state.db");
        let world = Self { home, state, said: Mutex::default(), values: Mutex::default() };
        world.configure(config);
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn configure(&self, config: &str) {
        let config = config.replace("HOME", &self.home.path().display().to_string());
        fs::write(self.path("secrets.yaml"), config).unwrap();
    }

    fn call(&self, arguments: &[&str]) -> Output {
        let output = Command::new(env!("CARGO_BIN_EXE_opsctl"))
            .arg("secrets")
            .args(arguments)
            .env("ALFRED_OPS_SECRETS", self.path("secrets.yaml"))
            .env("ALFRED_OPS_STATE", &self.state)
            .env_remove("PGPASSWORD")
            .output()
            .unwrap();
        let text = [output.stdout.clone(), output.stderr.clone()].concat();
        self.said.lock().unwrap().push_str(&String::from_utf8(text).unwrap());
        self.remember();
        output
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

    /// Notes every value that the file store has now: the next run may destroy it.
    fn remember(&self) {
        let Ok(secrets) = fs::read_dir(self.path("store")) else { return };
        for secret in secrets {
            for file in fs::read_dir(secret.unwrap().path()).unwrap() {
                let path = file.unwrap().path();
                if path.file_name().unwrap().to_str().unwrap().starts_with('v') && path.extension().is_none()
                {
                    self.values.lock().unwrap().insert(fs::read_to_string(path).unwrap());
                }
            }
        }
    }

    /// No value of the store stands in anything that was said, nor in the state.
    fn nothing_is_shown(&self, values_min: usize) {
        let values = self.values.lock().unwrap();
        assert!(values.len() >= values_min, "{} values", values.len());
        let mut said = self.said.lock().unwrap().clone();
        for file in ["state.db", "state.db-wal"] {
            said.push_str(&String::from_utf8_lossy(&fs::read(self.path(file)).unwrap_or_default()));
        }
        for value in values.iter() {
            // A value of several parts is as secret in each of them.
            let login: Option<Value> = serde_json::from_str(value).ok();
            let password = login.as_ref().and_then(|login| login["password"].as_str());
            for part in [Some(value.as_str()), password].into_iter().flatten() {
                assert!(!said.contains(part), "{part} was said: {said}");
            }
        }
        assert!(!said.contains("sk-very-secret"), "{said}");
    }

    fn active(&self, secret: &str) -> String {
        fs::read_to_string(self.path("store").join(secret).join("active")).unwrap()
    }
}

fn two_kinds(times: &str) -> String {
    format!(
        "store: {{files: HOME/store}}\nsecrets:\n  - {{name: models, kind: api-key, command: [HOME/issuer], {times}}}\n  \
         - {{name: tokens, kind: jwt, {times}}}\n"
    )
}

#[test]
fn keys_are_made_renewed_and_revoked_and_never_shown() {
    let world = World::new(&two_kinds(AT_ONCE));
    let plan = world.says(0, &["plan"]);
    assert!(plan.starts_with("models\n  make generation 1: there is none yet\n  publish"), "{plan}");
    assert!(!world.path("store").exists() && !world.path("state.db").exists());
    assert!(world.says(1, &["status"]).contains("there is no such folder"));

    let run = world.says(0, &["run"]);
    assert_eq!(run.matches("finished; 3 in 3 steps").count(), 2, "{run}");
    assert_eq!(world.active("models"), "sk-very-secret-1");
    let status = world.says(0, &["status"]);
    assert!(status.starts_with("secret  kind     gen  phase   "), "{status}");
    let models = status.lines().find(|line| line.starts_with("models")).unwrap();
    assert!(
        models.contains("api-key    1  active") && models.contains("after the next rotation"),
        "{status}"
    );
    let first: Value = serde_json::from_str(&world.says(0, &["jwks"])).unwrap();

    world.says(0, &["renew", "models", "--reason", "it leaked"]);
    world.says(0, &["renew", "tokens", "--reason", "for a drill"]);
    let explained = world.says(0, &["explain", "models"]);
    assert!(explained.contains("a new one is wanted: it leaked"), "{explained}");
    let planned = world.says(0, &["plan", "models"]);
    let steps = world.json(0, &["plan", "models"])[0]["steps"].as_array().unwrap().clone();
    assert_eq!(steps.len(), 5, "{planned}");
    assert_eq!(steps[0]["reason"], "wanted: it leaked");
    let run = world.json(0, &["run"]);
    // A run does what the plan said.
    assert_eq!(format!("models\n{}\n", indented(run[0]["run"]["plan"].as_str().unwrap())), planned);
    assert_eq!(world.active("models"), "sk-very-secret-2");
    assert_eq!(fs::read_to_string(world.path("valid")).unwrap(), "sk-very-secret-2\n");
    let second: Value = serde_json::from_str(&world.says(0, &["jwks", "tokens"])).unwrap();
    assert_eq!(second["keys"].as_array().unwrap().len(), 1);
    assert_ne!(first["keys"][0]["kid"], second["keys"][0]["kid"]);

    let history = world.says(0, &["history", "models"]);
    assert!(history.starts_with("generation 1 (key-1) used from 2"), "{history}");
    assert!(history.contains("\ngeneration 2 (key-2) used from 2"), "{history}");
    assert!(history.contains("planned  destroy generation 1: nobody missed it"), "{history}");
    assert_eq!(world.json(0, &["history", "tokens"])["runs"].as_array().unwrap().len(), 2);
    world.nothing_is_shown(4);
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

#[test]
fn what_is_waited_for_is_told_and_a_failure_keeps_no_other_from_its_turn() {
    let world = World::new(&two_kinds("cache_ttl: 1h, token_ttl: 2h, skew: 0s, disabled_for: 1d"));
    world.says(0, &["run"]);
    world.says(0, &["renew", "tokens", "--reason", "a drill"]);
    world.says(0, &["run", "tokens"]);
    let status = world.says(0, &["status"]);
    let tokens = status.lines().find(|line| line.starts_with("tokens")).unwrap();
    assert!(tokens.contains("active, 2 published") && tokens.contains("after caches to read it"), "{status}");
    let again = world.says(0, &["run", "tokens"]);
    assert!(again.contains("finished; 0 in 0 steps"), "{again}");
    // Both are published while caches read the new one.
    assert_eq!(world.json(0, &["jwks"])["keys"].as_array().unwrap().len(), 2);
    let explained = world.says(0, &["explain", "tokens"]);
    for words in [
        "a new one comes every 365 d; caches keep it for 1 h",
        "is published since",
        "caches have until",
        "verify and activate generation 2: all caches have had time to read it",
        "lock and disable generation 1: caches and tokens have expired, and nobody uses it",
        "destroy generation 1: nobody missed it",
        "make generation 3: the active one is 365 days old",
    ] {
        assert!(explained.contains(words), "{words}: {explained}");
    }
    let ahead = world.json(0, &["explain", "tokens"])["ahead"].as_array().unwrap().clone();
    let hour =
        |index: usize| ahead[index]["at"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert_eq!((hour(1) - hour(0)).num_hours(), 3);
    assert_eq!((hour(2) - hour(1)).num_hours(), 24);

    world.says(0, &["renew", "models", "--reason", "a drill"]);
    world.says(0, &["renew", "tokens", "--reason", "another"]);
    fs::write(world.path("broken"), "").unwrap();
    let run = world.says(1, &["run"]);
    assert!(run.contains("models\n  failed: ") && run.contains("issue "), "{run}");
    assert!(run.contains("tokens\n  ") && run.contains("finished"), "{run}");
    let status = world.says(1, &["status"]);
    assert!(status.contains("\nmodels: failed: "), "{status}");
    // It is as good as before, and goes on where it stopped.
    assert_eq!(world.active("models"), "sk-very-secret-1");
    fs::remove_file(world.path("broken")).unwrap();
    let plan = world.says(0, &["plan", "models"]);
    assert!(plan.contains("withdraw what is left of generation 2 and make it anew"), "{plan}");
    world.says(0, &["run", "models"]);
    assert!(world.says(0, &["status", "models"]).contains("active, 2 published"));
    world.nothing_is_shown(4);
}

#[tokio::test]
async fn logins_of_a_database_take_turns() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    server.psql("CREATE ROLE app NOLOGIN").unwrap();
    let config = format!(
        "store: {{files: HOME/store}}\nsecrets:\n  - {{name: app-db, kind: database-login, server: '{}', role: app, \
         users: [app_a, app_b], {AT_ONCE}}}\n",
        server.options()
    );
    let mut world = World::new(&config);
    world.state = server.options().to_string();
    world.says(0, &["run"]);
    let login = |world: &World| -> Value { serde_json::from_str(&world.active("app-db")).unwrap() };
    assert_eq!(login(&world)["user"], "app_a");
    world.says(0, &["renew", "app-db", "--reason", "a drill"]);
    world.says(0, &["run"]);
    assert_eq!(login(&world)["user"], "app_b");
    let can = "SELECT string_agg(rolname || rolcanlogin::text, ' ' ORDER BY rolname) FROM pg_roles WHERE rolname ~ '^app_'";
    assert_eq!(server.psql(can).unwrap(), "app_afalse app_btrue");
    let history = world.says(0, &["history", "app-db"]);
    assert!(
        history.contains("generation 1 (app_a)") && history.contains("generation 2 (app_b)"),
        "{history}"
    );
    assert!(world.says(0, &["status"]).contains("database-login    2  active"));
    assert!(world.says(1, &["jwks", "app-db"]).contains("nothing public"));
    world.nothing_is_shown(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_can_be_in_secret_manager() {
    let server = SecretManagerServer::start().await.unwrap();
    let world = World::new(&format!(
        "store: {{google: alfred, endpoint: '{}'}}\nsecrets:\n  - {{name: models, kind: api-key, command: [HOME/issuer], \
         {AT_ONCE}}}\n",
        server.endpoint()
    ));
    assert!(world.says(0, &["plan"]).contains("make generation 1"));
    world.says(0, &["run"]);
    world.says(0, &["renew", "models", "--reason", "a drill"]);
    world.says(0, &["run"]);
    let explained = world.says(0, &["explain", "models"]);
    assert!(
        explained.contains("in the store google") && explained.contains("version 2, (key-2) is active"),
        "{explained}"
    );
    world.nothing_is_shown(0);
    server.stop().await;
}

#[test]
fn mistakes_are_told() {
    let world = World::new(&two_kinds(AT_ONCE));
    world.says(0, &["run"]);
    for (arguments, status, words) in [
        (&["plan", "modles"][..], 1, "use one of models, tokens"),
        (&["history", "modles"], 1, "use one of models, tokens"),
        (&["jwks", "models"], 1, "name a secret of the kind jwt"),
        (&["renew", "models"], 2, "--reason"),
        (&["status", "--state", "mysql://a:hunter2@h/d"], 2, "the scheme is"),
        (&["status", "--state", "sqlite:///none/state.db"], 1, "there is no such file"),
        (&["status", "--config", "/none.yaml"], 1, "check the path"),
    ] {
        let said = world.says(status, arguments);
        assert!(said.contains(words), "{arguments:?}: {said}");
    }
    world.configure(&two_kinds("every: 1m, cache_ttl: 1h"));
    let said = world.says(1, &["run"]);
    assert_eq!(said.matches("shorter than one rotation").count(), 2, "{said}");
    world.configure("secrets: []");
    assert!(world.says(1, &["plan"]).contains("2 problems"));
}
