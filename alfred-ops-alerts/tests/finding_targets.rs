//! Finding targets: a service, a name server and a Kubernetes API server on loopback.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

mod loopback;

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use alfred_ops_alerts::testing::conformance;
use alfred_ops_alerts::{
    Authentication, Credential, Discovery, DiscoveryConfig, DnsDiscovery, DnsDiscoveryConfig, DnsRecord,
    FileDiscovery, FileDiscoveryConfig, HttpDiscovery, HttpDiscoveryConfig, JobTargets, KubernetesDiscovery,
    KubernetesDiscoveryConfig, ScrapeJob, StaticDiscovery, TargetGroup,
};
use alfred_ops_core::{ErrorKind, Secret, SystemClock, TaskSet};
use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, AAAA, MX, SRV};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use loopback::{Loopback, answer};
use serde_json::json;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

const JSON: &[(&str, &str)] = &[("content-type", "application/json; charset=utf-8")];

#[tokio::test]
async fn a_service_names_targets() {
    let server = Loopback::start(|asked| match &*asked.uri {
        "/targets?token=hunter2" => answer(200, JSON, r#"[{"targets": ["a:1"], "labels": {"x": "y"}}]"#),
        "/text" => answer(200, &[("content-type", "text/plain")], "[]"),
        "/slip" => answer(200, JSON, r#"[{"target": []}]"#),
        _ => answer(500, &[], ""),
    })
    .await;
    let find = |path: &str| {
        let url = format!("http://{}{path}", server.address);
        let discovery = HttpDiscovery::new(HttpDiscoveryConfig::new(url), SystemClock::shared()).unwrap();
        async move { discovery.find().await }
    };
    let url = format!("http://{}/targets?token=hunter2", server.address);
    conformance::discovery(
        &HttpDiscovery::new(HttpDiscoveryConfig::new(url), SystemClock::shared()).unwrap(),
    )
    .await;
    let groups = find("/targets?token=hunter2").await.unwrap().groups;
    assert_eq!(groups[0].labels["x"], "y");
    assert_eq!(groups[0].labels["__meta_url"], format!("http://{}/targets?token=hunter2", server.address));
    assert_eq!(groups[0].targets[0]["__address__"], "a:1");
    assert_eq!(server.asked()[0].header("x-prometheus-refresh-interval-seconds"), "60");
    assert_eq!(server.asked()[0].header("accept"), "application/json");
    let failed = async |path: &str, kind, message: &str| {
        let error = find(path).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(message), "{error}");
    };
    failed("/text", ErrorKind::Unsupported, "unsupported content type \"text/plain\"").await;
    failed("/slip", ErrorKind::InvalidInput, "unknown field `target`").await;
    failed("/down", ErrorKind::Unavailable, "answered 500").await;
}

#[tokio::test]
async fn a_service_that_is_away_keeps_its_targets() {
    let away = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&away);
    let server = Loopback::start(move |_| {
        if gone.load(Ordering::Relaxed) {
            answer(503, &[], "")
        } else {
            answer(200, JSON, r#"[{"targets": ["a:1", "b:1"]}]"#)
        }
    })
    .await;
    let clock = alfred_ops_core::SimulatedClock::starting_at(chrono::DateTime::UNIX_EPOCH);
    let config = HttpDiscoveryConfig::new(format!("http://{}/", server.address));
    let interval = config.refresh_interval;
    let job = ScrapeJob::new("j").with_discovery(DiscoveryConfig::Http(config));
    let mut targets = JobTargets::new(job, clock.shared()).unwrap();
    assert!(targets.refresh().await);
    away.store(true, Ordering::Relaxed);
    clock.advance(interval);
    assert!(!targets.refresh().await);
    assert_eq!((targets.resolution().active.len(), targets.problems().count()), (2, 1));
}

/// A name server over UDP with a handful of records, which can be told to fail.
struct NameServer {
    address: SocketAddr,
    failing: Arc<AtomicBool>,
    _tasks: TaskSet,
}

impl NameServer {
    async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let failing = Arc::new(AtomicBool::new(false));
        let fails = Arc::clone(&failing);
        let tasks = TaskSet::new(&CancellationToken::new());
        let stop = tasks.cancel_token().clone();
        tasks.spawn(async move {
            let mut packet = [0; 1500];
            loop {
                let (length, from) =
                    tokio::select! { () = stop.cancelled() => return, got = socket.recv_from(&mut packet) => got.unwrap() };
                let question = Message::from_vec(&packet[..length]).unwrap();
                let answer = Self::answer(&question, fails.load(Ordering::Relaxed));
                socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        });
        Self { address, failing, _tasks: tasks }
    }

    fn answer(question: &Message, failing: bool) -> Message {
        let mut answer = Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
        answer.add_queries(question.queries.iter().cloned());
        let query = &question.queries[0];
        let host = |text: &str| Name::from_ascii(text).unwrap();
        let data = match (&*query.name().to_utf8(), query.query_type()) {
            ("db.internal.", RecordType::A) => {
                vec![RData::A(A(Ipv4Addr::new(10, 0, 0, 1))), RData::A(A(Ipv4Addr::new(10, 0, 0, 2)))]
            }
            ("db.internal.", RecordType::AAAA) => vec![RData::AAAA(AAAA(Ipv6Addr::LOCALHOST))],
            ("_m._tcp.internal.", RecordType::SRV) => {
                vec![
                    RData::SRV(SRV::new(0, 0, 9000, host("a.internal."))),
                    RData::SRV(SRV::new(0, 0, 9001, host("b.internal."))),
                ]
            }
            ("internal.", RecordType::MX) => vec![RData::MX(MX::new(10, host("mail.internal.")))],
            _ => Vec::new(),
        };
        if failing {
            answer.metadata.response_code = ResponseCode::ServFail;
        } else if data.is_empty() {
            answer.metadata.response_code = ResponseCode::NXDomain;
        } else {
            answer
                .add_answers(data.into_iter().map(|data| Record::from_rdata(query.name().clone(), 60, data)));
        }
        answer
    }

    fn discovery(&self, names: &[&str], record: DnsRecord) -> DnsDiscovery {
        let config = DnsDiscoveryConfig::new(names.iter().copied(), record, 9187);
        DnsDiscovery::with_name_server(config, self.address).unwrap()
    }
}

/// What is found, a target a line, and how many problems there are.
async fn found(discovery: &dyn Discovery) -> (Vec<String>, usize) {
    let found = discovery.find().await.unwrap();
    let targets = found.groups.iter().flat_map(|group| &group.targets);
    let lines = targets.map(|target| {
        target.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    });
    (lines.collect(), found.problems.len())
}

#[tokio::test]
async fn a_name_server_names_targets() {
    let server = NameServer::start().await;
    let check = async |name: &str, record, expected: &[&str]| {
        let (lines, problems) = found(&server.discovery(&[name], record)).await;
        assert_eq!((lines.iter().map(|line| &**line).collect::<Vec<_>>(), problems), (expected.to_vec(), 0));
    };
    check(
        "db.internal.",
        DnsRecord::A,
        &[
            "__address__=10.0.0.1:9187 __meta_dns_name=db.internal.",
            "__address__=10.0.0.2:9187 __meta_dns_name=db.internal.",
        ],
    )
    .await;
    check("db.internal.", DnsRecord::Aaaa, &["__address__=[::1]:9187 __meta_dns_name=db.internal."]).await;
    check(
        "_m._tcp.internal.",
        DnsRecord::Srv,
        &[
            "__address__=a.internal:9000 __meta_dns_name=_m._tcp.internal. __meta_dns_srv_record_port=9000 \
             __meta_dns_srv_record_target=a.internal.",
            "__address__=b.internal:9001 __meta_dns_name=_m._tcp.internal. __meta_dns_srv_record_port=9001 \
             __meta_dns_srv_record_target=b.internal.",
        ],
    )
    .await;
    check(
        "internal.",
        DnsRecord::Mx,
        &["__address__=mail.internal:9187 __meta_dns_mx_record_target=mail.internal. __meta_dns_name=internal."],
    )
    .await;
    check("nobody.internal.", DnsRecord::A, &[]).await;
    conformance::discovery(&server.discovery(&["db.internal.", "nobody.internal."], DnsRecord::A)).await;
}

#[tokio::test]
async fn a_name_that_cannot_be_looked_up_keeps_its_targets() {
    let server = NameServer::start().await;
    let discovery = server.discovery(&["db.internal.", "nobody.internal."], DnsRecord::A);
    assert_eq!(found(&discovery).await.0.len(), 2);
    server.failing.store(true, Ordering::Relaxed);
    let (lines, problems) = found(&discovery).await;
    assert_eq!((lines.len(), problems), (2, 2));
}

fn pod(namespace: &str, name: &str, port: u16) -> serde_json::Value {
    json!({
        "metadata": {"name": name, "namespace": namespace, "uid": name, "labels": {"app": "bot"}},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i", "ports": [{"containerPort": port, "protocol": "TCP"}]}]},
        "status": {"phase": "Running", "podIP": "10.0.0.1", "hostIP": "10.1.0.1"},
    })
}

#[tokio::test]
async fn an_api_server_names_pods_page_by_page() {
    let queries: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&queries);
    let server = Loopback::start(move |asked| {
        if asked.header("authorization") != "Bearer hunter2" {
            return answer(401, JSON, r#"{"kind": "Status", "status": "Failure", "code": 401}"#);
        }
        seen.lock().unwrap().push(asked.uri.clone());
        let (path, query) = asked.uri.split_once('?').unwrap();
        let (items, next) = match (path, query.contains("continue=page%2F2")) {
            ("/api/v1/namespaces/agents/pods", false) => (json!([pod("agents", "a", 1)]), "page/2"),
            ("/api/v1/namespaces/agents/pods", true) => (json!([pod("agents", "b", 2)]), ""),
            ("/api/v1/namespaces/tools/pods", _) => (json!([pod("tools", "c", 3)]), ""),
            _ => return answer(404, JSON, "{}"),
        };
        let metadata = json!({"resourceVersion": "7", "continue": next});
        answer(
            200,
            JSON,
            json!({"kind": "PodList", "apiVersion": "v1", "metadata": metadata, "items": items}).to_string(),
        )
    })
    .await;
    let mut config = KubernetesDiscoveryConfig::default();
    config.api_server = Some(format!("http://{}/", server.address));
    config.namespaces = vec!["tools".to_owned(), "agents".to_owned()];
    config.label_selector = Some("app in (bot,x)".to_owned());
    config.field_selector = Some("spec.nodeName=n1".to_owned());
    let refused = KubernetesDiscovery::new(&config, SystemClock::shared()).unwrap().find().await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{refused}");
    let credentials = Some(Credential::Inline(Secret::new("hunter2")));
    config.http.authentication = Authentication::Header { kind: "Bearer".to_owned(), credentials };
    let discovery = KubernetesDiscovery::new(&config, SystemClock::shared()).unwrap();
    conformance::discovery(&discovery).await;
    queries.lock().unwrap().clear();
    let groups = discovery.find().await.unwrap().groups;
    let sources: Vec<&str> = groups.iter().map(|group| &*group.source).collect();
    assert_eq!(sources, ["pod/agents/a", "pod/agents/b", "pod/tools/c"]);
    assert_eq!(
        queries.lock().unwrap()[1],
        "/api/v1/namespaces/agents/pods?limit=500&labelSelector=app+in+%28bot%2Cx%29\
         &fieldSelector=spec.nodeName%3Dn1&continue=page%2F2"
    );
    config.namespaces = vec!["nowhere".to_owned()];
    let error = KubernetesDiscovery::new(&config, SystemClock::shared()).unwrap().find().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

#[tokio::test]
async fn written_targets_keep_the_contract_too() {
    let groups = ["a:1", "b:1"].map(|address| TargetGroup::of_addresses(address, [address]));
    conformance::discovery(&StaticDiscovery::new(groups.to_vec())).await;
    let file = tempfile::Builder::new().suffix(".yml").tempfile().unwrap();
    std::fs::write(file.path(), "- targets: ['a:1']\n- targets: ['b:1']\n").unwrap();
    let config = FileDiscoveryConfig::new([file.path()]);
    conformance::discovery(&FileDiscovery::new(config, SystemClock::shared())).await;
}

#[test]
fn outside_of_a_cluster_the_api_server_must_be_named() {
    let error =
        KubernetesDiscovery::new(&KubernetesDiscoveryConfig::default(), SystemClock::shared()).unwrap_err();
    assert!(error.to_string().contains("set api_server"), "{error}");
}
