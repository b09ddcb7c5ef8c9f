//! What services have and worker pools do not.

use alfred_ops_core::ErrorKind;
use alfred_ops_maintenance::{Readiness, RolloutTarget as _, TrafficSplit};
use serde_json::json;

use super::house::{CANDIDATE, Kind, STABLE, release};

#[tokio::test]
async fn a_tag_keeps_its_revision() {
    let kind = Kind::Service;
    let server = kind.server(json!([])).await;
    let mut tagged = kind.to(&[(STABLE, 100)]);
    tagged[0]["tag"] = json!("blue");
    kind.change_split(&server, &tagged);
    let target = kind.target(&server).await;
    let version = target.observe().await.unwrap().version;
    target.create_candidate(&version, STABLE, &release()).await.unwrap();
    let view = target.observe().await.unwrap();
    assert_eq!(view.revisions[CANDIDATE].readiness, Readiness::Ready);
    target.set_traffic(&view.version, &TrafficSplit::all(CANDIDATE)).await.unwrap();
    tagged[0]["percent"] = json!(0);
    let entries = server.document(kind.name()).unwrap()["traffic"].clone();
    assert_eq!(
        (entries[0]["tag"].as_str(), entries[1]["revision"].as_str()),
        (Some("blue"), Some(CANDIDATE))
    );
    let version = target.observe().await.unwrap().version;
    let error = target.retire(&version, STABLE).await.unwrap_err();
    assert!(error.to_string().contains("0 % of the traffic, tag \"blue\""), "{error}");
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    server.stop().await;
}
