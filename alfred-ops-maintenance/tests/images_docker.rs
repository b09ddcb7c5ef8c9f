//! Images of a real Docker engine.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod images;

use alfred_ops_core::http::HttpOptions;
use alfred_ops_core::{ErrorKind, SystemClock};
use alfred_ops_maintenance::{
    ChoreOutcome, DockerEngine, ImageRemoval, ImageStore as _, ImageUse as _, ImageView, Registry,
};
use images::{DockerServer, FakeRegistry, RegistryServer, Response, Scene};

fn engine(server: &DockerServer) -> DockerEngine {
    DockerEngine::new("host-1", &server.address())
}

async fn view(engine: &DockerEngine, id: &str) -> ImageView {
    let listing = engine.list(&[]).await.unwrap();
    listing.images.into_iter().find(|image| image.id == id).unwrap()
}

#[tokio::test]
async fn what_nobody_needs_goes_and_the_engine_never_loses_more() {
    let Some(server) = DockerServer::start("what_nobody_needs_goes_and_the_engine_never_loses_more").await
    else {
        return;
    };
    for version in ["v1.0.0", "v1.1.0", "v1.9.0", "v1.10.0"] {
        server.image(version, &format!("app:{version}"));
    }
    let running = server.image("running", "app:v0.1.0");
    server.sleeper("web", "app:v0.1.0");
    server.image("made", "app:made");
    server.docker(&["create", "--name", "job", "app:made", "/bin/busybox", "true"]).unwrap();
    // Its container ended, and its tag went to another image: it hangs and is in use.
    let hanging = server.image("exited", "app:exited");
    server
        .docker(&["run", "--network", "none", "--name", "done", "app:exited", "/bin/busybox", "true"])
        .unwrap();
    server.image("stable", "app:exited");
    server.docker(&["tag", "app:exited", "app:stable"]).unwrap();
    let dangling = server.image("dangling", "app:moving");
    server.image("moved", "app:moving");
    let many = server.image("many", "app:one");
    for tag in ["app:two", "other/app:one", "localhost:5000/app:x"] {
        server.docker(&["tag", &many, tag]).unwrap();
    }
    let before = server.images();
    let scene = Scene::new();
    let record = scene.run(engine(&server)).await.unwrap();
    assert_eq!((record.figures.work, server.images()), (0, before), "all are young: {}", record.plan);
    scene.age();
    let record = scene.run(engine(&server)).await.unwrap();
    assert_eq!(record.outcome, ChoreOutcome::Finished, "{record:?}");
    let mut kept = vec![
        "app:v1.9.0",
        "app:v1.10.0",
        "app:v0.1.0",
        "app:made",
        "app:exited",
        "app:stable",
        hanging.as_str(),
    ];
    kept.sort_unstable();
    assert_eq!(server.images(), kept, "{}\nwithout {dangling}", record.plan);
    assert_eq!(record.figures.steps, 5);
    assert!(record.figures.work > 5_000_000, "{record:?}");
    assert!(record.plan.contains("2 higher versions stay"), "{}", record.plan);
    assert!(record.plan.contains("no tag, unused, first seen 169 h ago"), "{}", record.plan);
    assert_eq!(
        server.docker(&["inspect", "-f", "{{.Image}} {{.State.Running}}", "web"]).unwrap(),
        format!("{running} true")
    );
    let again = scene.run(engine(&server)).await.unwrap();
    assert_eq!((again.figures.steps, again.outcome), (0, ChoreOutcome::Finished));
}

#[tokio::test]
async fn what_changes_between_plan_and_removal_is_seen() {
    let Some(server) = DockerServer::start("what_changes_between_plan_and_removal_is_seen").await else {
        return;
    };
    let engine = engine(&server);
    let stays = |removal: ImageRemoval, why: &str| match removal {
        ImageRemoval::Stays(said) => assert!(said.contains(why), "{said}"),
        other => panic!("{other:?} instead of: {why}"),
    };
    let used = server.image("used", "app:used");
    let planned = view(&engine, &used).await;
    server.sleeper("late", "app:used");
    stays(engine.remove(&planned).await.unwrap(), "in use by container late");

    let tagged = server.image("tagged", "app:tagged");
    let planned = view(&engine, &tagged).await;
    server.docker(&["tag", &tagged, "app:stable"]).unwrap();
    stays(engine.remove(&planned).await.unwrap(), "it was given the tag app:stable");

    let moved = server.image("moved", "app:moved");
    let planned = view(&engine, &moved).await;
    let heir = server.image("heir", "app:moved");
    assert_eq!(engine.remove(&planned).await.unwrap(), ImageRemoval::Removed);
    assert_eq!(view(&engine, &heir).await.tags.len(), 1, "the other image keeps the tag");

    assert_eq!(engine.remove(&planned).await.unwrap(), ImageRemoval::Vanished);

    // An image that others were made from: the engine refuses, and is not forced.
    let parent = server.image("parent", "app:parent");
    server.docker(&["create", "--name", "child", "app:parent", "/bin/busybox", "true"]).unwrap();
    let child = server.docker(&["commit", "child", "app:child"]).unwrap();
    server.docker(&["rm", "child"]).unwrap();
    assert_eq!(view(&engine, &child).await.needs, std::slice::from_ref(&parent));
    let planned = view(&engine, &parent).await;
    stays(engine.remove(&planned).await.unwrap(), "dependent child");
}

#[tokio::test]
async fn an_engine_tells_a_registry_what_it_runs() {
    let Some(server) = DockerServer::start("an_engine_tells_a_registry_what_it_runs").await else { return };
    let registry = RegistryServer::start(true, false).await;
    for tag in ["runs", "idles", "pulled"] {
        let name = format!("{}/team/app:{tag}", registry.host());
        server.image(tag, &name);
        server.docker(&["push", &name]).unwrap();
    }
    // Here the image has another name than there; its digests are the same.
    let name = |tag: &str| format!("{}/team/app:{tag}", registry.host());
    server.docker(&["tag", &name("runs"), "local:x"]).unwrap();
    server.sleeper("web", "local:x");
    // By its digest alone.
    let digest = server.docker(&["inspect", "-f", "{{index .RepoDigests 0}}", &name("pulled")]).unwrap();
    for tag in ["runs", "idles", "pulled"] {
        server.docker(&["rmi", &name(tag)]).unwrap();
    }
    server.docker(&["pull", &digest]).unwrap();
    let engine = engine(&server);
    let used = engine.in_use().await.unwrap();
    assert!(used.iter().any(|image| image.tag() == Some("x")), "{used:?}");
    let open =
        || Registry::new("team", &registry.url(), &HttpOptions::default(), SystemClock::shared()).unwrap();
    let scene = Scene::new();
    scene.run_with(open(), |care| care.with_use(engine.clone())).await.unwrap();
    scene.age();
    let record = scene.run_with(open(), |care| care.with_use(engine.clone())).await.unwrap();
    assert_eq!(record.outcome, ChoreOutcome::Finished, "{record:?}");
    let pulls = |tag: &str| server.docker(&["pull", &name(tag)]);
    pulls("runs").unwrap();
    pulls("idles").unwrap_err();
    pulls("pulled").unwrap_err();
    assert_eq!(record.figures.steps, 2, "{}", record.plan);
    // What was pulled by its digest alone has no tag, and goes by its digest.
    let scene = Scene::new();
    scene.run(engine.clone()).await.unwrap();
    scene.age();
    let record = scene.run(engine.clone()).await.unwrap();
    assert_eq!(record.outcome, ChoreOutcome::Finished, "{record:?}");
    let left = server.images();
    assert_eq!(left.len(), 2, "of the running image both names stay: {left:?}");
}

async fn refused(answer: Option<&str>, kind: ErrorKind, said: &str) {
    let fake = FakeRegistry::start().await;
    let answer = answer.map(str::to_owned);
    fake.lie(move |request, _| {
        let body = match request.path.rsplit('/').next() {
            Some("version") => r#"{"ApiVersion":"1.41"}"#,
            Some("json") if request.path.ends_with("/images/json") => answer.as_deref().unwrap_or("null"),
            _ => "[]",
        };
        Some(Response::of(200, body).with_header("content-type", "application/json"))
    });
    let error = DockerEngine::new("host-1", &fake.url()).list(&[]).await.unwrap_err();
    assert_eq!(error.kind(), kind, "{}", error.full());
    assert!(error.to_string().contains(said), "{error}");
    assert_eq!(fake.asked("DELETE"), 0);
}

#[tokio::test]
async fn an_engine_that_lies_or_is_away_is_told() {
    let image = |id: &str, tag: &str| {
        format!(
            r#"[{{"Id":"{id}","ParentId":"","RepoTags":["{tag}"],"RepoDigests":null,"Created":0,"Size":1,"SharedSize":-1,"Labels":null,"Containers":-1}}]"#
        )
    };
    let digest = format!("sha256:{}", "0".repeat(64));
    refused(Some("<html>"), ErrorKind::Corrupt, "not one of Docker's API").await;
    refused(Some(&image("../containers/x", "a:b")), ErrorKind::Corrupt, "no name of an image").await;
    refused(
        Some(&image(&digest, "a/../../containers/x?force=1:b")),
        ErrorKind::Corrupt,
        "no name of an image",
    )
    .await;
    let away = DockerEngine::new("host-1", "unix:///nowhere/docker.sock").list(&[]).await.unwrap_err();
    assert_eq!(away.kind(), ErrorKind::Unavailable);
    assert!(away.to_string().contains("start the engine, or name its socket"), "{away}");
    let odd = DockerEngine::new("host-1", "ssh://host").list(&[]).await.unwrap_err();
    assert_eq!(odd.kind(), ErrorKind::InvalidInput);
}
