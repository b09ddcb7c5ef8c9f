//! `opsctl maint` as a person runs it.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::process::{Command, Output};

use alfred_ops_core::TaskSet;
use alfred_ops_core::testing::servers::PostgresServer;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

fn maint(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_opsctl"))
        .arg("maint")
        .args(arguments)
        .env_remove("ALFRED_OPS_STATE")
        .output()
        .unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test]
async fn a_sick_database_is_diagnosed_and_a_chore_mends_what_it_can() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let url = server.options().to_string();
    server.psql("CREATE TABLE t (a int PRIMARY KEY, b int); INSERT INTO t SELECT g, 1 FROM generate_series(1, 100) g").unwrap();
    server.psql("CREATE UNIQUE INDEX CONCURRENTLY b_unique ON t (b)").unwrap_err();
    let doctor = maint(&["doctor", "--server", &url]);
    assert_eq!(doctor.status.code(), Some(1), "{doctor:?}");
    assert!(text(&doctor).contains("b_unique"), "{}", text(&doctor));

    let about = ["indexes", "--server", &url, "--state", &url];
    let say = |what: &str, more: &[&str]| maint(&[&[what], &about[..], more].concat());
    let plan = say("plan", &[]);
    assert!(text(&plan).contains("REINDEX INDEX CONCURRENTLY \"public\".\"b_unique\""), "{plan:?}");
    assert_eq!(text(&say("history", &[])), "it never ran\n");
    server.psql("UPDATE t SET b = a").unwrap();

    assert!(say("pause", &["--reason", "an incident"]).status.success());
    let refused = say("run", &[]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("an incident"), "{refused:?}");
    assert!(say("resume", &[]).status.success());
    let ran = say("run", &[]);
    assert!(ran.status.success() && text(&ran).contains("finished"), "{ran:?}");
    assert_eq!(
        server.psql("SELECT indisvalid FROM pg_index WHERE indexrelid = 'b_unique'::regclass").unwrap(),
        "t"
    );

    let history = say("history", &["--json"]);
    let history: Value = serde_json::from_slice(&history.stdout).unwrap();
    assert_eq!(history.as_array().unwrap().len(), 1, "{history}");
    assert!(text(&say("status", &[])).contains(": well"));
    assert!(text(&say("abort", &[])).contains("does not run"));

    let unknown = maint(&["status", "indexes", "--server", &url]);
    assert!(String::from_utf8(unknown.stderr).unwrap().contains("--state"));
}

#[tokio::test]
async fn what_was_not_seen_is_not_called_well() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let url = server.options().to_string();
    server.psql("CREATE TABLE t (id int PRIMARY KEY)").unwrap();
    let calm = maint(&["doctor", "--server", &url]);
    assert_eq!(calm.status.code(), Some(0), "{calm:?}");
    let mut held = Command::new(server.binaries().program("psql"));
    held.args([
        "-X",
        "-h",
        "127.0.0.1",
        "-U",
        "postgres",
        "-d",
        "postgres",
        "-p",
        &server.options().port.to_string(),
    ]);
    let mut held = held.args(["-c", "BEGIN; LOCK TABLE t; SELECT pg_sleep(3600)"]).spawn().unwrap();
    while server.psql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock'").unwrap() != "1" {}
    let blind = maint(&["doctor", "--server", &url]);
    assert_eq!(blind.status.code(), Some(1), "{blind:?}");
    let said = text(&blind);
    assert!(
        said.contains("nothing is wrong in what was seen") && said.contains("look again later"),
        "{said}"
    );
    held.kill().unwrap();
    held.wait().unwrap();
}

#[tokio::test]
async fn a_chore_that_cannot_help_is_bad_news_and_says_why_in_words() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let url = server.options().to_string();
    let say = |what: &str| maint(&[what, "retention", "--server", &url, "--state", &url]);
    for what in ["plan", "run", "status"] {
        let said = say(what);
        assert_eq!(said.status.code(), Some(1), "{what}: {said:?}");
        assert!(text(&said).contains("processed_msgs") && !text(&said).contains("Degraded"), "{said:?}");
    }
    let refused = maint(&["plan", "retention", "--server", "postgres://nobody@127.0.0.1:1/x", "--json"]);
    let error: Value = serde_json::from_slice(&refused.stdout).unwrap();
    assert!(error["error"].as_str().unwrap().contains("refused"), "with what the system says: {error}");
    let neither = maint(&["history", "retention", "--state", "/var/lib/state.db"]);
    assert!(String::from_utf8_lossy(&neither.stderr).contains("sqlite:///FOLDER/FILE"), "{neither:?}");
}

#[tokio::test]
async fn state_that_is_not_there_is_not_made_by_a_question() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let url = server.options().to_string();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mistyped.db");
    let state = format!("sqlite://{}", file.display());
    let say = |what: &[&str]| maint(&[what, &["indexes", "--server", &url, "--state", &state]].concat());
    for question in
        [&["status"][..], &["history"], &["pause", "--reason", "an incident"], &["resume"], &["abort"]]
    {
        let refused = say(question);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && error.contains("there is no such file"),
            "{question:?}: {error}"
        );
    }
    assert!(say(&["plan"]).status.success() && !file.exists());
    assert!(say(&["run"]).status.success() && file.exists());
    assert!(say(&["pause", "--reason", "an incident"]).status.success());
}

#[tokio::test]
async fn care_of_indexes_does_more_if_it_is_told_to() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let url = server.options().to_string();
    for statement in [
        "CREATE TABLE t (a int PRIMARY KEY, b text)",
        "CREATE INDEX a_again ON t (a)",
        "CREATE TABLE refers (id int PRIMARY KEY, t_id int REFERENCES t, pad text DEFAULT repeat('x', 500))",
        "INSERT INTO t SELECT g, g FROM generate_series(1, 20000) g",
        "INSERT INTO refers (id, t_id) SELECT g, g FROM generate_series(1, 20000) g",
        "ANALYZE",
    ] {
        server.psql(statement).unwrap();
    }
    let say = |what: &str, chore: &str, more: &[&str]| {
        maint(&[&[what, chore, "--server", url.as_str()], more].concat())
    };
    let habits = text(&say("plan", "indexes", &[]));
    assert!(habits.starts_with("nothing to do to indexes"), "{habits}");
    let all = ["--drop", "--create-for-keys", "--create-for-scans", "10", "--rebuild", "estimated"];
    let plan = text(&say("plan", "indexes", &all));
    assert!(plan.contains("DROP INDEX CONCURRENTLY \"public\".\"a_again\""), "{plan}");
    assert!(plan.contains("CREATE INDEX CONCURRENTLY \"refers_t_id_fk_idx\""), "{plan}");
    let bounded = text(&say("plan", "indexes", &["--create-for-keys", "--build-bytes-max", "1"]));
    assert!(bounded.contains("at most 1 bytes may be built"), "{bounded}");
    let ran = say("run", "indexes", &all);
    assert!(ran.status.success(), "{ran:?}");
    let left = "SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_index JOIN pg_class c ON c.oid = indexrelid \
        WHERE indrelid IN ('t'::regclass, 'refers'::regclass)";
    assert_eq!(server.psql(left).unwrap(), "refers_pkey refers_t_id_fk_idx t_pkey");

    for (chore, wrong, told) in [
        ("vacuum", &["--drop"][..], "--drop: only the chore indexes has it"),
        ("indexes", &["--create-for-scans", "1"][..], "write a number above 1, such as 10"),
        ("indexes", &["--create-for-scans", "NaN"][..], "write a number above 1, such as 10"),
    ] {
        let refused = say("plan", chore, wrong);
        let error = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && error.contains(told), "{error}");
    }
    let help = text(&maint(&["plan", "--help"]));
    for option in ["--drop", "--rebuild", "--create-for-keys", "--create-for-scans", "--build-bytes-max"] {
        assert!(help.contains(option), "{help}");
    }
}

/// A registry that has one image, and counts what is removed.
async fn registry() -> (String, std::sync::Arc<std::sync::atomic::AtomicUsize>, TaskSet) {
    use axum::http::{Method, StatusCode, header};
    use axum::response::IntoResponse as _;

    let removed = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = std::sync::Arc::clone(&removed);
    let manifest = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"text/plain","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":0},"layers":[]}"#;
    let app = axum::Router::new().fallback(move |method: Method, uri: axum::http::Uri| {
        let counter = std::sync::Arc::clone(&counter);
        async move {
            let json = [(header::CONTENT_TYPE, "application/vnd.oci.image.manifest.v1+json")];
            match (method, uri.path()) {
                (Method::GET, "/v2/_catalog") => r#"{"repositories":["app"]}"#.into_response(),
                (Method::GET, "/v2/app/tags/list") => r#"{"tags":["old"]}"#.into_response(),
                (Method::GET, path) if path.starts_with("/v2/app/manifests/") => {
                    (json, manifest).into_response()
                }
                (Method::DELETE, _) => {
                    counter.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                    StatusCode::ACCEPTED.into_response()
                }
                _ => StatusCode::NOT_FOUND.into_response(),
            }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let tasks = TaskSet::new(&CancellationToken::new());
    let stopped = tasks.cancel_token().clone().cancelled_owned();
    tasks.spawn(async move { axum::serve(listener, app).with_graceful_shutdown(stopped).await.unwrap() });
    (url, removed, tasks)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn images_of_a_registry_are_looked_after() {
    let (url, removed, _tasks) = registry().await;
    let folder = tempfile::tempdir().unwrap();
    let state = format!("sqlite://{}", folder.path().join("state.db").display());
    let about = ["images", "--name", "team", "--registry", &url, "--state", &state];
    let say = |what: &str, more: &[&str]| maint(&[&[what], &about[..], more].concat());

    let ran = say("run", &[]);
    assert!(
        text(&ran).contains("team does not know who uses its images; add a use for each host"),
        "{ran:?}"
    );
    let plan = say("plan", &["--unused-after", "1h"]);
    assert!(text(&plan).contains("no image to remove"), "{plan:?}");
    let silent = say("run", &["--used-by", "docker=unix:///does/not/exist.sock", "--unused-after", "1ms"]);
    assert!(text(&silent).contains("does not tell what is in use there"), "{silent:?}");
    assert_eq!(removed.load(std::sync::atomic::Ordering::SeqCst), 0);
    assert_eq!(say("history", &["--json"]).status.code(), Some(0));

    for (arguments, said) in [
        (&["plan", "images", "--registry", &url, "--state", &state][..], "--server"),
        (&["plan", "images", "--name", "team", "--state", &state], "--engine: it is missing"),
        (&["plan", "images", "--name", "team", "--registry", &url], "--state"),
        (&["run", "images", "--name", "team", "--registry", &url], "--state"),
        (
            &["plan", "images", "--name", "team", "--registry", &url, "--state", "sqlite:///not/there.db"],
            "there is no such file",
        ),
        (
            &["plan", "vacuum", "--server", "postgres://a@127.0.0.1:1/a", "--name", "x"],
            "only the chore images has it",
        ),
        (
            &["plan", "vacuum", "--server", "postgres://a@127.0.0.1:1/a", "--repository", "x"],
            "--registry <URL>",
        ),
        (
            &["plan", "vacuum", "--server", "postgres://a@127.0.0.1:1/a", "--password-file", "/x"],
            "--user <USER>",
        ),
        (
            &["plan", "images", "--name", "team", "--registry", &url, "--used-by", "me"],
            "cloud-run=PROJECT/REGION",
        ),
    ] {
        let refused = maint(arguments);
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && error.contains(said), "{said}: {error}");
    }
    // An engine would heed none of these, and all of its images would be looked after.
    let of_registry =
        [&["--repository", "app"][..], &["--user", "a", "--password-file", "/x"], &["--password-file", "/x"]];
    for options in of_registry {
        let engine = ["plan", "images", "--name", "team", "--engine", "unix:///none.sock", "--state", &state];
        let refused = maint(&[&engine[..], options].concat());
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && error.contains("cannot be used with"), "{options:?}: {error}");
    }
}
