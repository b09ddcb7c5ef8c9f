//! Images of a real registry, and of one that lies.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

mod images;

use std::time::Duration;

use alfred_ops_core::http::{Authentication, Credential, HttpOptions};
use alfred_ops_core::{ErrorKind, Secret, SharedClock, SimulatedClock, SystemClock};
use alfred_ops_maintenance::{ChoreOutcome, ImageRemoval, ImageStore as _, ImageView, Registry};
use chrono::DateTime;
use images::{
    FakeRegistry, Pusher, RegistryServer, Response, Scene, digest_of, image_manifest, index_manifest,
};
use serde_json::json;

fn login(password: &str) -> HttpOptions {
    let mut options = HttpOptions::default();
    options.authentication = Authentication::Basic {
        username: Credential::Inline("ops".into()),
        password: Some(Credential::Inline(Secret::new(password))),
    };
    options
}

fn open(url: &str) -> Registry {
    Registry::new("team", url, &HttpOptions::default(), SystemClock::shared()).unwrap()
}

fn of(manifest: &str) -> String {
    digest_of(manifest.as_bytes())
}

#[tokio::test]
async fn what_nobody_needs_goes_and_what_stays_is_whole() {
    let server = RegistryServer::start(true, false).await;
    let push = Pusher::new(server.url(), None);
    let mut images = std::collections::BTreeMap::new();
    for tag in ["v1.0.0", "v1.2.0", "v1.10.0", "runs", "config", "idle", "latest"] {
        images.insert(tag, push.image("team/app", tag, tag).await);
    }
    // Two indexes that share a platform, and one of an image that runs.
    let (amd, arm, riscv) = (
        push.image("team/app", "", "amd").await,
        push.image("team/app", "", "arm").await,
        push.image("team/app", "", "riscv").await,
    );
    let stable = push.index("team/app", "stable", &[&amd, &arm]).await;
    let old = push.index("team/app", "old", &[&arm, &riscv]).await;
    let deployed = push.image("team/app", "", "deployed").await;
    let release = push.index("team/app", "release", &[&deployed]).await;
    // A signature of what stays, and one of what goes.
    let signature = push.image("team/app", &of(&stable).replace(':', "-"), "signature").await;
    let stale = push.image("team/app", &of(&images["idle"]).replace(':', "-"), "stale").await;
    let moved = push.image("team/app", "edge", "moved").await;
    let other = push.image("other", "idle", "other").await;
    let used = [
        format!("mirror:5000/team/app@{}", of(&images["runs"])),
        // As an engine calls it.
        serde_json::from_str::<serde_json::Value>(&images["config"]).unwrap()["config"]["digest"]
            .as_str()
            .unwrap()
            .to_owned(),
        of(&deployed),
    ];
    let scene = Scene::new();
    let record = scene.run_used(open(&server.url()), &used).await.unwrap();
    assert_eq!((record.figures.steps, &record.outcome), (0, &ChoreOutcome::Finished), "{record:?}");
    scene.age();
    let edge = push.image("team/app", "edge", "edge").await;
    let before = server.blob_bytes();
    let record = scene.run_used(open(&server.url()), &used).await.unwrap();
    assert_eq!(record.outcome, ChoreOutcome::Finished, "{record:?}");
    server.collect_garbage();
    let kept = [&images["v1.2.0"], &images["v1.10.0"], &images["runs"], &images["config"], &images["latest"]];
    for image in kept.into_iter().chain([&amd, &arm, &deployed, &signature, &edge]) {
        assert!(
            push.has("team/app", image).await && push.is_whole("team/app", image).await,
            "{image}\n{}",
            record.plan
        );
    }
    assert!(push.has("team/app", &stable).await && push.has("team/app", &release).await, "{}", record.plan);
    for image in [&images["v1.0.0"], &images["idle"], &old, &riscv, &stale, &moved] {
        assert!(!push.has("team/app", image).await, "{image}\n{}", record.plan);
    }
    assert!(!push.has("other", &other).await);
    assert_eq!(record.figures.steps, 7, "{}", record.plan);
    assert_eq!(record.figures.work, before - server.blob_bytes(), "as many bytes as the plan says are freed");
    let again = scene.run_used(open(&server.url()), &used).await.unwrap();
    assert_eq!((again.figures.steps, again.outcome), (0, ChoreOutcome::Finished));
}

#[tokio::test]
async fn missing_rights_and_settings_are_named() {
    let server = RegistryServer::start(false, true).await;
    let push = Pusher::new(server.url(), Some("geheim"));
    push.image("app", "idle", "idle").await;
    let registry = |password: &str| {
        Registry::new("team", &server.url(), &login(password), SystemClock::shared()).unwrap()
    };
    let scene = Scene::new();
    scene.run_used(registry("geheim"), &[]).await.unwrap();
    scene.age();
    let error = scene.run_used(registry("geheim"), &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert!(error.to_string().contains("set storage.delete.enabled to true"), "{error}");
    assert!(push.tag("app", "idle").await.is_some());
    let error = scene.run_used(registry("falsch"), &[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("give credentials that have the right registry:catalog:*"), "{error}");
    assert!(!format!("{error:?} {:?}", registry("falsch")).contains("falsch"));
    // Of a repository that is named, the rest is told as an obstacle.
    let named = registry("falsch").with_repository("app").unwrap();
    let record = scene.run_used(named, &[]).await.unwrap();
    assert!(record.outcome.to_string().contains("the right repository:app:pull"), "{record}");
}

#[tokio::test]
async fn tags_are_set_by_digest_and_versions_never_move() {
    let server = RegistryServer::start(true, false).await;
    let push = Pusher::new(server.url(), None);
    let (one, two) = (push.image("app", "v1.0.0", "one").await, push.image("app", "", "two").await);
    let both = push.index("app", "", &[&one, &two]).await;
    push.index("app", "stable", &[&one]).await;
    let was = push.tag("app", "stable").await;
    let registry = open(&server.url());
    let report = registry.tag("app", &of(&both), &["v1.1.0", "stable", "latest", "stable"]).await.unwrap();
    for tag in ["v1.1.0", "stable", "latest"] {
        assert_eq!(push.tag("app", tag).await.as_deref(), Some(&*of(&both)), "{tag}");
    }
    let set = [("stable", was), ("v1.1.0", None), ("latest", None)];
    assert_eq!(report.set, set.map(|(tag, was)| (tag.to_owned(), was)));
    let again = registry.tag("app", &of(&both), &["v1.1.0", "stable"]).await.unwrap();
    assert_eq!((again.set.len(), again.unchanged), (0, vec!["v1.1.0".to_owned(), "stable".to_owned()]));
    let error = registry.tag("app", &of(&two), &["latest", "v1.0.0"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("versions do not move"), "{error}");
    assert_eq!(push.tag("app", "latest").await.as_deref(), Some(&*of(&both)), "nothing was changed");
    let error = registry.tag("app", &of("nothing"), &["latest"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    for (repository, digest, tag) in
        [("App", &*of(&two), "x"), ("app", "latest", "x"), ("app", &*of(&two), "a/b")]
    {
        let error = registry.tag(repository, digest, &[tag]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
}

/// A registry with the tags `one` and `two` of an image each, and what it lists.
async fn fake() -> (FakeRegistry, Registry, Vec<ImageView>) {
    let fake = FakeRegistry::start().await;
    fake.put("one", &image_manifest(&["1"]));
    fake.put("two", &image_manifest(&["2"]));
    let registry = open(&fake.url());
    let images = registry.list(&[]).await.unwrap().images;
    (fake, registry, images)
}

fn with_tag<'a>(images: &'a [ImageView], tag: &str) -> &'a ImageView {
    images.iter().find(|image| image.tags.iter().any(|own| own.tag == tag)).unwrap()
}

#[tokio::test]
async fn what_changes_between_plan_and_removal_is_seen() {
    let one = of(&image_manifest(&["1"]));
    let check = |change: fn(&FakeRegistry), expected: Option<ImageRemoval>, said: &'static str| async move {
        let (fake, registry, images) = fake().await;
        change(&fake);
        let removal = registry.remove(with_tag(&images, "one")).await.unwrap();
        match (&removal, &expected) {
            (ImageRemoval::Stays(why), None) => assert!(why.contains(said), "{why}"),
            (removal, Some(expected)) => assert_eq!(*removal, *expected, "{said}"),
            (removal, None) => panic!("{removal:?} instead of: {said}"),
        }
        fake.asked("DELETE")
    };
    let removed = Some(ImageRemoval::Removed);
    assert_eq!(check(|_| {}, removed.clone(), "nothing changed").await, 1);
    let moved = |fake: &FakeRegistry| {
        fake.put("one", &image_manifest(&["3"]));
    };
    assert_eq!(check(moved, None, "the tag one was moved to").await, 0);
    let rolled_back = |fake: &FakeRegistry| {
        fake.put("stable", &image_manifest(&["1"]));
    };
    assert_eq!(check(rolled_back, None, "the tag stable means it now").await, 0);
    let indexed = |fake: &FakeRegistry| {
        let inner = index_manifest(&[&image_manifest(&["1"])]);
        fake.put("", &inner);
        fake.put("v9.0.0", &index_manifest(&[&inner]));
    };
    assert_eq!(check(indexed, None, "the tag v9.0.0 means it now").await, 0);
    let vanished = |fake: &FakeRegistry| {
        fake.content.lock().unwrap().tags.remove("one");
    };
    assert_eq!(check(vanished, removed, "its tag vanished").await, 1);
    let gone = |fake: &FakeRegistry| {
        let mut content = fake.content.lock().unwrap();
        content.tags.remove("one");
        content.manifests.remove(&of(&image_manifest(&["1"])));
    };
    assert_eq!(check(gone, Some(ImageRemoval::Vanished), "it vanished").await, 1);
    // A tag that vanishes while all are listed is none.
    let (fake, registry, _) = fake().await;
    fake.lie(|request, content| {
        if request.path.ends_with("/tags/list") {
            content.tags.remove("two");
            return Some(Response::of(200, r#"{"tags":["one","two"]}"#));
        }
        None
    });
    let images = registry.list(&[]).await.unwrap().images;
    assert_eq!(images.iter().map(|image| image.digests[0].clone()).collect::<Vec<_>>(), [one]);
}

#[tokio::test]
async fn a_registry_that_lies_loses_nothing() {
    let (fake, registry, images) = fake().await;
    let missing = async |said: &str| {
        let listing = registry.list(&[]).await.unwrap();
        assert!(listing.images.is_empty(), "{said}: {listing:?}");
        assert!(
            listing.missing[0].contains("app is not looked after") && listing.missing[0].contains(said),
            "{listing:?}"
        );
        // Nor is anything removed by what was known before.
        registry.remove(with_tag(&images, "one")).await.unwrap_err();
    };
    let other = image_manifest(&["other"]);
    fake.lie(move |request, _| {
        (request.path.ends_with("/two"))
            .then(|| Response::of(200, &other).with_header("docker-content-digest", &of("x")))
    });
    missing("what was sent has the digest").await;
    fake.lie(|request, _| {
        request.path.ends_with("/two").then(|| Response::of(200, r#"{"schemaVersion":1}"#))
    });
    missing("of a form that is older than OCI's").await;
    fake.lie(|request, _| {
        request.path.ends_with("/list").then(|| Response::of(200, r#"{"tags":["../../x"]}"#))
    });
    missing("is no name of a tag").await;
    fake.lie(|request, _| request.path.ends_with("/list").then(|| Response::of(200, "<html>")));
    missing("the answer is not of the expected form").await;
    // By its digest comes something else.
    let part = index_manifest(&[&image_manifest(&["part"])]);
    fake.put("whole", &part);
    let wrong = image_manifest(&["wrong"]);
    fake.lie(move |request, _| {
        request.path.ends_with(&of(&image_manifest(&["part"]))).then(|| Response::of(200, &wrong))
    });
    missing("what was sent has the digest").await;
    assert_eq!(fake.asked("DELETE"), 0);
}

#[tokio::test]
async fn a_tag_that_the_list_leaves_out_is_asked_for_before_its_image_goes() {
    // The list is gone, or cut short.
    for (status, tags) in [(404, "{}"), (200, r#"{"tags":["two"]}"#)] {
        let (fake, registry, images) = fake().await;
        fake.lie(move |request, _| request.path.ends_with("/list").then(|| Response::of(status, tags)));
        let mut one = with_tag(&images, "one").clone();
        let known = [one.id.clone()];
        let listing = registry.list(&known).await.unwrap();
        let listed = listing.images.iter().find(|image| image.id == one.id).unwrap();
        assert!(listed.tags.is_empty(), "{listed:?}");
        one.former_tags = std::mem::take(&mut one.tags);
        let error = registry.remove(&one).await.unwrap_err();
        assert!(error.to_string().contains("leaves out one, which still means this image"), "{error}");
        assert_eq!(fake.asked("DELETE"), 0);
        // A tag that means something else by now holds nothing.
        one.former_tags = with_tag(&images, "two").tags.clone();
        assert_eq!(registry.remove(&one).await.unwrap(), ImageRemoval::Removed);
    }
}

#[tokio::test]
async fn listings_end_and_stay_at_home() {
    let (fake, registry, _) = fake().await;
    let elsewhere = FakeRegistry::start().await;
    let failing = async |link: String, said: &str| {
        fake.lie(move |request, _| {
            request.path.ends_with("/_catalog").then(|| {
                Response::of(200, r#"{"repositories":["app"]}"#)
                    .with_header("link", &format!("<{link}>; rel=\"next\""))
            })
        });
        let error = registry.list(&[]).await.unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    };
    failing(format!("{}/v2/_catalog?last=a", elsewhere.url()), "the next page lies elsewhere").await;
    assert_eq!(elsewhere.asked(""), 0);
    failing("/v2/_catalog?n=500".to_owned(), "the next page is the same again").await;
    fake.lie(|request, _| {
        if !request.path.ends_with("/list") {
            return None;
        }
        let page = match request.query.as_str() {
            "n=500" => Response::of(200, r#"{"tags":["one"]}"#)
                .with_header("link", "</v2/app/tags/list?last=one&n=500>; rel=\"next\""),
            _ => Response::of(200, r#"{"tags":["two"]}"#),
        };
        Some(page)
    });
    assert_eq!(registry.list(&[]).await.unwrap().images.len(), 2);
    fake.lie(|request, _| request.path.ends_with("/_catalog").then(|| Response::of(404, "")));
    let error = registry.list(&[]).await.unwrap_err();
    assert!(error.to_string().contains("name the repositories by with_repository"), "{error}");
    fake.lie(|request, _| {
        request.path.ends_with("/_catalog").then(|| Response::of(200, r#"{"repositories":["a/../b"]}"#))
    });
    assert_eq!(registry.list(&[]).await.unwrap_err().kind(), ErrorKind::InvalidInput);
    fake.lie(|_, _| Some(Response::of(503, "")));
    assert_eq!(registry.list(&[]).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_registry_that_does_not_answer_is_left_in_time() {
    let fake = FakeRegistry::start().await;
    let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
    let shared: SharedClock = clock.shared();
    let registry = Registry::new("team", &fake.url(), &HttpOptions::default(), shared).unwrap();
    let at = clock.clone();
    fake.lie(move |_, _| {
        // The wait began before the question arrived.
        at.advance(Duration::from_secs(61));
        Some(Response::of(999, ""))
    });
    let error = registry.list(&[]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
}

#[tokio::test]
async fn tokens_are_fetched_with_credentials_and_used_without() {
    let fake = FakeRegistry::start().await;
    fake.put("one", &image_manifest(&["1"]));
    let url = fake.url();
    let lie = move |request: &images::Request, forbidden: bool| {
        let sent = request.headers.get("authorization").map(|sent| sent.to_str().unwrap().to_owned());
        if request.path == "/token" {
            assert_eq!(sent.as_deref(), Some("Basic b3BzOmdlaGVpbQ=="));
            let scope = request.query.replace("%3A", ":").replace("%2C", ",");
            let scope = scope.split("scope=").nth(1).unwrap().to_owned();
            assert!(request.query.starts_with("service=team&"), "{}", request.query);
            return Some(Response::of(
                200,
                &json!({"token": format!("for-{scope}"), "expires_in": 300}).to_string(),
            ));
        }
        let right = match (request.method.as_str(), request.path.as_str()) {
            (_, "/v2/_catalog") => "registry:catalog:*",
            ("DELETE", _) => "repository:app:pull,delete",
            _ => "repository:app:pull",
        };
        if sent.is_some_and(|sent| sent.replace("%2A", "*") == format!("Bearer for-{right}")) {
            return forbidden.then(|| Response::of(403, ""));
        }
        let challenge = format!("Bearer realm=\"{url}/token\",service=\"team\"");
        Some(Response::of(401, "").with_header("www-authenticate", &challenge))
    };
    let forbidding = lie.clone();
    fake.lie(move |request, _| lie(request, false));
    let registry = Registry::new("team", &fake.url(), &login("geheim"), SystemClock::shared()).unwrap();
    let images = registry.list(&[]).await.unwrap().images;
    assert_eq!(fake.asked("GET /token"), 2, "one for each right");
    assert_eq!(registry.remove(&images[0]).await.unwrap(), ImageRemoval::Removed);
    assert_eq!(fake.asked("GET /token"), 3);
    assert!(!format!("{registry:?}").contains("for-repository"));
    fake.lie(move |request, _| forbidding(request, true));
    let error = registry.list(&[]).await.unwrap_err();
    assert!(error.to_string().contains("give credentials that have the right registry:catalog:*"), "{error}");
    // A realm that knows us not, and one that sends nonsense.
    for (status, body) in [(401, ""), (200, "{\"token\":17}"), (200, "{}")] {
        let url = fake.url();
        fake.lie(move |request, _| {
            let challenge = format!("Bearer realm=\"{url}/token\"");
            let refused = Response::of(401, "").with_header("www-authenticate", &challenge);
            Some(if request.path == "/token" { Response::of(status, body) } else { refused })
        });
        let registry = Registry::new("team", &fake.url(), &login("geheim"), SystemClock::shared()).unwrap();
        let error = registry.list(&[]).await.unwrap_err();
        assert_eq!(error.operation(), "log in to registry", "{error}");
        assert!(!error.full().contains("geheim"), "{}", error.full());
    }
}

#[tokio::test]
async fn tags_that_cannot_all_be_set_are_given_back() {
    let before = of(&image_manifest(&["1"]));
    let after = of(&image_manifest(&["2"]));
    let check = |status: u16, said: &'static str| {
        let (before, after) = (before.clone(), after.clone());
        async move {
            let (fake, registry, _) = fake().await;
            for tag in ["stable", "latest"] {
                fake.put(tag, &image_manifest(&["1"]));
            }
            // 201 is a lie: it stays where it is.
            fake.lie(move |request, _| {
                (request.method == "PUT" && request.path.ends_with("/latest"))
                    .then(|| Response::of(status, ""))
            });
            let error = registry.tag("app", &after, &["v2.0.0", "stable", "latest"]).await.unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
            assert_eq!(fake.tag("stable"), Some(before.clone()), "{error}");
            assert_eq!(fake.tag("latest"), Some(before), "{error}");
            fake.lie(|_, _| None);
            registry.tag("app", &after, &["v2.0.0", "stable", "latest"]).await.unwrap();
            assert_eq!(fake.tag("stable").as_ref(), Some(&after), "it may be repeated");
        }
    };
    check(500, "stable was given back").await;
    check(403, "stable was given back").await;
    check(201, "stable was given back, v2.0.0 is new and stays").await;
    // Somebody else is quicker: his tag is not touched.
    let (fake, registry, _) = fake().await;
    fake.put("stable", &image_manifest(&["1"]));
    let theirs = image_manifest(&["3"]);
    let put = theirs.clone();
    fake.lie(move |request, content| {
        if request.method != "PUT" {
            return None;
        }
        content.put("stable", &put);
        Some(Response::of(201, ""))
    });
    let error = registry.tag("app", &after, &["stable"]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert_eq!(fake.tag("stable"), Some(of(&theirs)), "{error}");
}
