//! Scraping against real servers on loopback: what is asked, what is believed, what is cut off.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod loopback;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::sync::Arc;

use alfred_ops_alerts::{Authentication, Credential, HttpScrape, HttpScraper, Scheme, ScrapeJob, resolve};
use alfred_ops_core::exposition::{Format, accept};
use alfred_ops_core::{ErrorKind, Sample, Secret, SimulatedClock, SystemClock, TaskSet};
use axum::body::{Body, Bytes};
use chrono::DateTime;
use flate2::Compression;
use flate2::write::GzEncoder;
use loopback::{Loopback, answer};
use rcgen::{CertificateParams, CertifiedIssuer, KeyPair};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::rustls;
use tokio_util::sync::CancellationToken;

const PAGE: &str = "tasks_total{route=\"/x\"} 7\n";

fn inline(text: &str) -> Credential {
    Credential::Inline(Secret::new(text))
}

async fn scrape(job: &ScrapeJob) -> HttpScrape {
    let target = resolve(job, &job.static_groups()).active.remove(0);
    HttpScraper::new(job, SystemClock::shared()).unwrap().scrape(&target).await
}

fn shown(samples: &[Sample]) -> Vec<String> {
    samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect()
}

#[track_caller]
fn check_failed(scrape: HttpScrape, kind: ErrorKind, message: &str) {
    assert!(!scrape.figures.up);
    let error = scrape.outcome.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.full().contains(message), "{}", error.full());
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn a_target_is_asked_as_its_job_says() {
    let server = Loopback::start(|_| answer(200, &[], PAGE)).await;
    let mut job = ScrapeJob::new("j").with_targets([&server.address]);
    job.metrics_path = "/probe".to_owned();
    job.params = BTreeMap::from([("module".to_owned(), vec!["a b".to_owned()])]);
    job.http.authentication =
        Authentication::Basic { username: inline("alfred"), password: Some(inline("hunter2")) };
    job.http.headers = BTreeMap::from([("X-Tenant".to_owned(), vec![inline("t1"), inline("t2")])]);
    let scraped = scrape(&job).await;
    let labels = format!("{{instance=\"{}\",job=\"j\",route=\"/x\"}}", server.address);
    assert_eq!(shown(&scraped.outcome.unwrap()), [format!("tasks_total{labels} 7")]);
    let figures = scraped.figures;
    assert!(figures.up);
    assert_eq!((figures.scraped, figures.kept, figures.body_bytes), (1, 1, Some(PAGE.len())));
    let asked = &server.asked()[0];
    assert_eq!(asked.uri, "/probe?module=a+b");
    assert_eq!(asked.header("authorization"), "Basic YWxmcmVkOmh1bnRlcjI=");
    assert_eq!(asked.header("x-prometheus-scrape-timeout-seconds"), "10");
    assert_eq!(asked.header("accept"), accept(&[Format::OpenMetrics, Format::Text]));
    assert!(asked.header("user-agent").starts_with("alfred-ops/"));
    assert_eq!(asked.header("accept-encoding"), "gzip");
    let tenants: Vec<_> = asked.headers.get_all("x-tenant").iter().collect();
    assert_eq!(tenants, ["t1", "t2"]);
}

#[tokio::test]
async fn a_token_in_a_file_is_read_for_each_scrape() {
    let server = Loopback::start(|_| answer(200, &[], PAGE)).await;
    let file = tempfile::NamedTempFile::new().unwrap();
    let mut job = ScrapeJob::new("j").with_targets([&server.address]);
    let credentials = Some(Credential::File(file.path().to_owned()));
    job.http.authentication = Authentication::Header { kind: "Bearer".to_owned(), credentials };
    let scraper = HttpScraper::new(&job, SystemClock::shared()).unwrap();
    let target = resolve(&job, &job.static_groups()).active.remove(0);
    for token in ["first", "second"] {
        std::fs::write(file.path(), format!("{token}\n")).unwrap();
        assert!(scraper.scrape(&target).await.figures.up);
    }
    let sent: Vec<String> =
        server.asked().iter().map(|asked| asked.header("authorization").to_owned()).collect();
    assert_eq!(sent, ["Bearer first", "Bearer second"]);
    drop(file);
    let failed = scraper.scrape(&target).await;
    check_failed(failed, ErrorKind::PermissionDenied, "the file cannot be read");
}

#[tokio::test]
async fn a_packed_page_is_unpacked_and_one_without_end_is_cut_off() {
    let server = Loopback::start(|asked| {
        let packed = [("content-encoding", "gzip")];
        match &*asked.uri {
            "/packed" => answer(200, &packed, gzip(PAGE.as_bytes())),
            // Some 100 MB in 100 kB.
            "/bomb" => answer(200, &packed, gzip(&vec![b'#'; 100 << 20])),
            "/broken" => answer(200, &packed, gzip(PAGE.as_bytes())[..20].to_vec()),
            "/garbage" => answer(200, &packed, PAGE),
            "/brotli" => answer(200, &[("content-encoding", "br")], PAGE),
            _ => {
                let chunk = Bytes::from(vec![b'#'; 1 << 16]);
                let chunks = std::iter::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
                answer(200, &[], Body::from_stream(futures::stream::iter(chunks)))
            }
        }
    })
    .await;
    let ask = |path: &'static str| {
        let mut job = ScrapeJob::new("j").with_targets([&server.address]);
        job.metrics_path = path.to_owned();
        job.limits.body_bytes_max = Some(1 << 20);
        async move { scrape(&job).await }
    };
    let packed = ask("/packed").await;
    assert_eq!((packed.figures.up, packed.figures.body_bytes), (true, Some(PAGE.len())));
    for endless in ["/bomb", "/endless"] {
        let scraped = ask(endless).await;
        assert_eq!(scraped.figures.body_bytes, None);
        check_failed(
            scraped,
            ErrorKind::ResourceExhausted,
            "longer than 1048576 bytes; make it smaller or raise body_size_limit",
        );
    }
    check_failed(ask("/broken").await, ErrorKind::InvalidInput, "cannot be unpacked");
    check_failed(ask("/garbage").await, ErrorKind::InvalidInput, "cannot be unpacked");
    check_failed(ask("/brotli").await, ErrorKind::Unsupported, "encoded as \"br\"");
    let mut plain = ScrapeJob::new("j").with_targets([&server.address]);
    plain.enable_compression = false;
    plain.metrics_path = "/packed".to_owned();
    scrape(&plain).await;
    assert_eq!(server.asked().last().unwrap().header("accept-encoding"), "identity");
}

#[tokio::test]
async fn redirects_are_followed_and_credentials_stay_at_home() {
    let foreign = Loopback::start(|_| answer(200, &[], PAGE)).await;
    let away = format!("http://{}/page", foreign.address);
    let home = Loopback::start(move |asked| match &*asked.uri {
        "/metrics" => answer(302, &[("location", "/there")], ""),
        "/there" => answer(307, &[("location", &away)], ""),
        "/near" => answer(301, &[("location", "/page")], ""),
        "/loop" => answer(302, &[("location", "/loop")], ""),
        "/file" => answer(302, &[("location", "file:///etc/passwd")], ""),
        "/nowhere" => answer(302, &[], ""),
        _ => answer(200, &[], PAGE),
    })
    .await;
    let job = |path: &str| {
        let mut job = ScrapeJob::new("j").with_targets([&home.address]);
        job.metrics_path = path.to_owned();
        job.http.authentication =
            Authentication::Header { kind: "Bearer".to_owned(), credentials: Some(inline("hunter2")) };
        job.http.headers = BTreeMap::from([("X-Key".to_owned(), vec![inline("hunter3")])]);
        job
    };
    assert!(scrape(&job("/metrics")).await.figures.up);
    let (at_home, away) = (home.asked(), foreign.asked());
    assert_eq!((at_home.len(), away.len()), (2, 1));
    assert!(at_home.iter().all(|asked| asked.header("authorization") == "Bearer hunter2"));
    assert_eq!((away[0].header("authorization"), away[0].header("x-key")), ("", ""));
    assert_eq!(away[0].header("accept"), accept(&[Format::OpenMetrics, Format::Text]));
    assert!(scrape(&job("/near")).await.figures.up);
    assert_eq!(home.asked().last().unwrap().header("x-key"), "hunter3");
    check_failed(scrape(&job("/loop")).await, ErrorKind::Unsupported, "redirects more than 10 times");
    check_failed(scrape(&job("/file")).await, ErrorKind::Unsupported, "redirects to no HTTP URL");
    check_failed(scrape(&job("/nowhere")).await, ErrorKind::Unsupported, "redirects to no HTTP URL");
    let mut stays = job("/near");
    stays.http.follow_redirects = false;
    check_failed(scrape(&stays).await, ErrorKind::Unsupported, "answered 301");
}

#[tokio::test]
async fn a_bad_answer_fails_the_scrape_and_shows_no_secret() {
    let server = Loopback::start(|asked| match &*asked.uri {
        "/denied?token=hunter2" => answer(403, &[], ""),
        _ => answer(200, &[], "m{ 1\n"),
    })
    .await;
    let mut job = ScrapeJob::new("j").with_targets([&server.address]);
    check_failed(scrape(&job).await, ErrorKind::InvalidInput, "line 1");
    job.metrics_path = "/denied".to_owned();
    job.params = BTreeMap::from([("token".to_owned(), vec!["hunter2".to_owned()])]);
    let error = scrape(&job).await.outcome.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(!error.full().contains("hunter"), "{}", error.full());
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().to_string();
    let nobody = scrape(&ScrapeJob::new("j").with_targets([closed])).await;
    check_failed(nobody, ErrorKind::Unavailable, "no connection");
}

/// Serves each connection with these bytes, then keeps it open and silent.
async fn silent_after(bytes: &'static str) -> (String, TaskSet) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let tasks = TaskSet::new(&CancellationToken::new());
    let stop = tasks.cancel_token().clone();
    tasks.spawn(async move {
        let mut open = Vec::new();
        loop {
            let accepted =
                tokio::select! { () = stop.cancelled() => return, accepted = listener.accept() => accepted };
            let (mut stream, _) = accepted.unwrap();
            stream.write_all(bytes.as_bytes()).await.unwrap();
            open.push(stream);
        }
    });
    (address, tasks)
}

#[tokio::test]
async fn the_timeout_holds_for_the_whole_scrape() {
    for bytes in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nm 1\n"] {
        let (address, _tasks) = silent_after(bytes).await;
        let job = ScrapeJob::new("j").with_targets([address]);
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let target = resolve(&job, &job.static_groups()).active.remove(0);
        let scraper = HttpScraper::new(&job, clock.shared()).unwrap();
        let drive = async {
            while clock.sleepers() == 0 {
                tokio::task::yield_now().await;
            }
            clock.advance(target.timeout);
        };
        let (scraped, ()) = tokio::join!(scraper.scrape(&target), drive);
        assert_eq!(scraped.figures.duration, target.timeout);
        check_failed(scraped, ErrorKind::Timeout, "no answer within 10s");
    }
}

/// A certificate authority, and a server that it vouches for under one name.
struct Tls {
    authority: CertifiedIssuer<'static, KeyPair>,
    address: String,
    _tasks: TaskSet,
}

impl Tls {
    async fn start(name: &str, asks_for_certificate: bool) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate =
            CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = rustls::ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = if asks_for_certificate {
            let mut roots = rustls::RootCertStore::empty();
            roots.add(authority.der().clone()).unwrap();
            let verifier =
                rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let key = rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = builder.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let (address, tasks) = Self::serve(config).await;
        Self { authority, address, _tasks: tasks }
    }

    async fn serve(config: rustls::ServerConfig) -> (String, TaskSet) {
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let tasks = TaskSet::new(&CancellationToken::new());
        let stop = tasks.cancel_token().clone();
        tasks.spawn(async move {
            loop {
                let accepted = tokio::select! { () = stop.cancelled() => return, accepted = listener.accept() => accepted };
                // A client that believes us not breaks off, which is its right.
                let Ok(mut stream) = acceptor.accept(accepted.unwrap().0).await else { continue };
                let mut head = [0; 4096];
                let Ok(1..) = stream.read(&mut head).await else { continue };
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", PAGE.len());
                let _ = stream.write_all(format!("{head}{PAGE}").as_bytes()).await;
                let _ = stream.shutdown().await;
            }
        });
        (address, tasks)
    }

    fn job(&self) -> ScrapeJob {
        let mut job = ScrapeJob::new("j").with_targets([&self.address]);
        job.scheme = Scheme::Https;
        job
    }

    /// A client's certificate and key that the authority vouches for.
    fn client(&self) -> (Credential, Credential) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["client".to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        (inline(&certificate.pem()), inline(&key.serialize_pem()))
    }
}

#[tokio::test]
async fn certificates_are_checked_as_the_options_say() {
    let server = Tls::start("metrics.internal", false).await;
    let authority = inline(&server.authority.pem());
    // Nobody vouches for it; the authority does, but for another name; under that name it is believed.
    check_failed(scrape(&server.job()).await, ErrorKind::Unavailable, "no connection");
    let mut job = server.job();
    job.http.tls.authorities = Some(authority.clone());
    check_failed(scrape(&job).await, ErrorKind::Unavailable, "not valid for name");
    job.http.tls.server_name = Some("metrics.internal".to_owned());
    assert!(scrape(&job).await.figures.up);
    job.http.tls.authorities = Some(inline(&Tls::start("x", false).await.authority.pem()));
    check_failed(scrape(&job).await, ErrorKind::Unavailable, "no connection");
    let mut careless = server.job();
    careless.http.tls.insecure_skip_verify = true;
    assert!(scrape(&careless).await.figures.up);
}

#[tokio::test]
async fn a_certificate_of_ours_is_shown_where_it_is_asked_for() {
    let server = Tls::start("127.0.0.1", true).await;
    let mut job = server.job();
    job.http.tls.authorities = Some(inline(&server.authority.pem()));
    assert!(!scrape(&job).await.figures.up);
    let (certificate, key) = server.client();
    job.http.tls.certificate = Some(certificate);
    job.http.tls.key = Some(key);
    assert!(scrape(&job).await.figures.up);
}

#[test]
fn what_cannot_be_used_for_tls_is_told_by_field() {
    let refused = |set: fn(&mut ScrapeJob), message: &str| {
        let mut job = ScrapeJob::new("j");
        set(&mut job);
        let error = HttpScraper::new(&job, SystemClock::shared()).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    };
    refused(
        |job| job.http.tls.authorities = Some(inline("x")),
        "tls_config.ca): there is no certificate in it",
    );
    refused(
        |job| job.http.tls.authorities = Some(Credential::File("/nowhere".into())),
        "tls_config.ca): the file /nowhere cannot be read",
    );
    refused(
        |job| job.http.tls.server_name = Some("a b".to_owned()),
        "tls_config.server_name): \"a b\" is no host",
    );
    refused(|job| job.http.proxy_url = Some(inline("::")), "proxy_url is no URL");
}
