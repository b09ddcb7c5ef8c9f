//! Other autoscalers of the same object.

use alfred_ops_core::{Error, ErrorKind, Result};
use serde::Deserialize;

use super::ScaleTarget;
use crate::kubernetes::{KubernetesCluster, Request, Resource};

#[derive(Debug, Deserialize)]
struct Autoscaler {
    metadata: Metadata,
    spec: Spec,
}

#[derive(Debug, Deserialize)]
struct Metadata {
    name: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    scale_target_ref: Reference,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    #[serde(default)]
    api_version: String,
    kind: String,
    name: String,
}

impl Reference {
    /// Versions of one group name the same object.
    fn means(&self, target: &ScaleTarget) -> bool {
        let group = self.api_version.split_once('/').map_or("", |(group, _)| group);
        group == target.resource.group && self.kind == target.kind && self.name == target.name
    }
}

/// Refuses to go on where a HorizontalPodAutoscaler scales the same object. With `unseen_accepted` one that may not be looked
/// for counts as none.
pub(super) async fn check(
    cluster: &KubernetesCluster,
    target: &ScaleTarget,
    unseen_accepted: bool,
) -> Result<()> {
    let resource = Resource::new("autoscaling", "v2", "horizontalpodautoscalers");
    let list = Request {
        operation: "look for autoscalers",
        verb: "list",
        resource: &resource,
        namespace: &target.namespace,
        name: None,
        subresource: None,
    };
    let found: Vec<Autoscaler> = match cluster.list(&list, &[]).await {
        Ok(found) => found,
        Err(error) if is_unseen(&error) && unseen_accepted => {
            tracing::debug!(
                error = error.full(),
                target = target.shown(),
                "autoscalers cannot be looked for"
            );
            return Ok(());
        }
        Err(error) if is_unseen(&error) => {
            let remedy = format!(
                "{}, or accept by KubernetesScaler::accepting_unseen_autoscalers that one may be there",
                error.remedy().unwrap_or_default()
            );
            return Err(error.with_remedy(remedy));
        }
        Err(error) => return Err(error),
    };
    match found.iter().find(|autoscaler| autoscaler.spec.scale_target_ref.means(target)) {
        None => Ok(()),
        Some(autoscaler) => {
            let name = &autoscaler.metadata.name;
            let message = format!("the HorizontalPodAutoscaler {name:?} scales the same object");
            Err(Error::new(ErrorKind::Unsupported, "scale", message).with_target(target.shown()).with_remedy(
                "delete it (and the ScaledObject behind it, if KEDA made it): one autoscaler for one object",
            ))
        }
    }
}

/// Whether it is not known if there are any.
fn is_unseen(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::NotFound)
}
