//! What a server may do wrong, on a loopback server.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_alerts::promql::Value;
use alfred_ops_alerts::{
    Authentication, Credential, HttpOptions, PrometheusApi, PrometheusApiOptions, QuerySource,
};
use alfred_ops_core::{Error, ErrorKind, Retry, Secret, SimulatedClock, SystemClock};
use axum::body::{Body, Bytes};
use axum::http::Response;
use chrono::{DateTime, Utc};

use crate::loopback::{Asked, Loopback, answer};

const JSON: &[(&str, &str)] = &[("content-type", "application/json")];
const ONE: &str = r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#;

fn at() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_700_000_000_250).unwrap()
}

fn api(base: &str, options: PrometheusApiOptions) -> PrometheusApi {
    PrometheusApi::new(base, options, SystemClock::shared()).unwrap()
}

/// Why a server that answers so is no help.
async fn failure(reply: impl Fn(&Asked) -> Response<Body> + Clone + Send + Sync + 'static) -> Error {
    let server = Loopback::start(reply).await;
    let base = format!("http://user:hunter2@{}/base", server.address);
    let options = PrometheusApiOptions::default()
        .with_header("X-Scope-OrgID", "hunter2-tenant")
        .with_answer_bytes_max(10_000)
        .with_series_max(3);
    let error = api(&base, options).instant("up", at()).await.unwrap_err();
    let shown = format!("{} {error:?}", error.full());
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_eq!(error.target(), Some(&*format!("http://{}/base/api/v1/query", server.address)), "{shown}");
    error
}

#[tokio::test]
async fn questions_carry_what_the_options_say() {
    let server = Loopback::start(|_| answer(200, JSON, ONE)).await;
    let folder = tempfile::tempdir().unwrap();
    let token = folder.path().join("token");
    std::fs::write(&token, "hunter2\n").unwrap();
    let options = PrometheusApiOptions::default()
        .with_name("fleet")
        .with_authentication(Authentication::Header {
            kind: "Bearer".to_owned(),
            credentials: Some(Credential::File(token.clone())),
        })
        .with_header("X-Scope-OrgID", "team-a")
        .with_parameter("partial_response", "false")
        .with_timeout(Duration::from_secs(7));
    let api = api(&format!("http://{}/select/0/prometheus?key=hunter2", server.address), options);
    assert_eq!(api.name(), "fleet");
    assert!(!format!("{api:?}").contains("hunter2") && !format!("{api:?}").contains("team-a"));
    let answered = api.instant("a > \"ü\"", at()).await.unwrap();
    assert_eq!(answered.value, Value::Scalar(1.0));
    // A token may be replaced while the host runs.
    std::fs::write(&token, "hunter3").unwrap();
    api.range("up", at(), at() + Duration::from_secs(60), Duration::from_millis(1500)).await.unwrap();

    let asked = server.asked();
    assert_eq!(asked[0].uri, "/select/0/prometheus/api/v1/query?key=hunter2");
    assert_eq!(
        asked[0].body,
        "query=a%20%3E%20%22%C3%BC%22&time=1700000000.250&timeout=7&partial_response=false"
    );
    for (name, value) in [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", "Bearer hunter2"),
        ("x-scope-orgid", "team-a"),
        ("accept-encoding", "gzip"),
    ] {
        assert_eq!(asked[0].header(name), value, "{name}");
    }
    assert_eq!(asked[1].uri, "/select/0/prometheus/api/v1/query_range?key=hunter2");
    assert_eq!(
        asked[1].body,
        "query=up&start=1700000000.250&end=1700000060.250&step=1.500&timeout=7&partial_response=false"
    );
    assert_eq!(asked[1].header("authorization"), "Bearer hunter3");
}

#[tokio::test]
async fn an_error_of_the_server_is_told_in_its_own_words() {
    let text = r#"{"status":"error","errorType":"execution","error":"found duplicate series"}"#;
    let error = failure(move |_| answer(422, JSON, text)).await;
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(
        error.to_string().contains("422 Unprocessable Entity: execution: found duplicate series"),
        "{error}"
    );
    // A load balancer repeats what it was sent; its page is not passed on.
    let echo = |asked: &Asked| {
        let page = format!("<html>{} {:?}", asked.uri, asked.headers);
        answer(502, &[("content-type", "text/html")], page)
    };
    let error = failure(echo).await;
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::After(None)));
}

#[tokio::test]
async fn a_busy_server_says_when_to_come_back() {
    for status in [429, 503] {
        let error = failure(move |_| answer(status, &[("retry-after", "17")], "")).await;
        let wait = Retry::After(Some(Duration::from_secs(17)));
        assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, wait), "{error}");
    }
}

#[tokio::test]
async fn a_page_for_people_is_no_answer() {
    let error = failure(|_| answer(200, &[("content-type", "text/html")], "<html>sign in</html>")).await;
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let said = "the answer (text/html) is none of Prometheus' HTTP API; check the base URL";
    assert!(error.to_string().contains(said), "{error}");
}

#[tokio::test]
async fn an_answer_without_end_is_cut_off() {
    let error = failure(|_| {
        let chunk = Bytes::from(vec![b' '; 1 << 12]);
        let chunks = std::iter::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
        answer(200, JSON, Body::from_stream(futures::stream::iter(chunks)))
    })
    .await;
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert!(error.to_string().contains("longer than 10000 bytes"), "{error}");
    assert!(error.to_string().contains("raise PrometheusApiOptions::answer_bytes_max"), "{error}");
}

#[tokio::test]
async fn too_many_series_are_refused_and_not_a_part_taken() {
    let series = [r#"{"metric":{},"value":[1,"1"]}"#; 4].join(",");
    let text = format!(r#"{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}"#);
    let error = failure(move |_| answer(200, JSON, text.clone())).await;
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted);
    assert!(error.to_string().contains("more than 3 series; aggregate"), "{error}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_may_be_asked_for_again() {
    let error = failure(|_| answer(200, JSON, &ONE[..40])).await;
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::After(None)));
    assert!(error.to_string().contains("the answer ends too soon"), "{error}");
    // The connection breaks within the answer.
    let error = failure(|_| {
        let pieces = [Ok(Bytes::from_static(b"{\"status\"")), Err(std::io::Error::other("broken"))];
        answer(200, JSON, Body::from_stream(futures::stream::iter(pieces)))
    })
    .await;
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Unavailable, Retry::After(None)));
}

#[tokio::test]
async fn a_silent_server_is_given_up_after_the_timeout() {
    let server = Loopback::start(|_| {
        let never = futures::stream::pending::<Result<Bytes, std::io::Error>>();
        answer(200, JSON, Body::from_stream(never))
    })
    .await;
    let clock = SimulatedClock::starting_at(at());
    let base = format!("http://{}", server.address);
    let api = PrometheusApi::new(&base, PrometheusApiOptions::default(), clock.shared()).unwrap();
    let asked = api.instant("up", at());
    tokio::pin!(asked);
    loop {
        tokio::select! {
            biased;
            outcome = &mut asked => panic!("it was answered: {outcome:?}"),
            () = tokio::task::yield_now() => {}
        }
        if !server.asked().is_empty() {
            break;
        }
    }
    clock.advance(Duration::from_secs(30));
    let error = asked.await.unwrap_err();
    // A question changes nothing, so that it may be asked again whether or not it arrived.
    assert_eq!((error.kind(), error.retry()), (ErrorKind::Timeout, Retry::After(None)), "{error}");
}

#[tokio::test]
async fn a_redirect_keeps_the_question_and_takes_no_credentials_elsewhere() {
    let elsewhere = Loopback::start(|_| answer(200, JSON, ONE)).await;
    let there = format!("http://{}/api/v1/query", elsewhere.address);
    let first = Loopback::start(move |asked: &Asked| {
        let (status, to) = match &*asked.uri {
            "/a/api/v1/query" => (307, "/b".to_owned()),
            "/b" => (308, there.clone()),
            _ => (302, there.clone()),
        };
        answer(status, &[("location", &to)], "")
    })
    .await;
    let options = PrometheusApiOptions::default().with_header("X-Scope-OrgID", "hunter2");
    let base = format!("http://user:hunter2@{}", first.address);
    let answered = api(&format!("{base}/a"), options.clone()).instant("up", at()).await.unwrap();
    assert_eq!(answered.value, Value::Scalar(1.0));
    assert_eq!(first.asked()[1].header("x-scope-orgid"), "hunter2");
    let asked = elsewhere.asked();
    assert!(asked[0].body.starts_with("query=up&time="), "{}", asked[0].body);
    assert!(
        asked[0].headers.get("authorization").is_none() && asked[0].headers.get("x-scope-orgid").is_none()
    );

    // Behind a 302 a form would be lost.
    let error = api(&format!("{base}/c"), options.clone()).instant("up", at()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let mut http = HttpOptions::default();
    http.follow_redirects = false;
    let error = api(&format!("{base}/a"), options.with_http(http)).instant("up", at()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    assert!(error.to_string().contains("give the URL it redirects to"), "{error}");
}

#[tokio::test]
async fn an_unreadable_token_is_named_and_nobody_is_asked() {
    let server = Loopback::start(|_| answer(200, JSON, ONE)).await;
    let token = Credential::File("/nowhere/token".into());
    let options = PrometheusApiOptions::default().with_authentication(Authentication::Basic {
        username: Credential::Inline(Secret::new("user")),
        password: Some(token),
    });
    let source: Arc<dyn QuerySource> = Arc::new(api(&format!("http://{}", server.address), options));
    let error = source.instant("up", at()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(error.to_string().contains("/nowhere/token"), "{error}");
    assert!(server.asked().is_empty());
}
