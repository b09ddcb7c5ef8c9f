//! Revisions and the templates that they are made of.

use std::collections::HashMap;

use google_cloud_run_v2::model::condition::State;
use google_cloud_run_v2::model::{Condition, Container, Revision};

use super::resource::Template;
use crate::rollout::{Readiness, RevisionView};

/// Where the platform keeps words of its own, which nobody may send.
const RESERVED: [&str; 4] =
    ["run.googleapis.com", "cloud.googleapis.com", "serving.knative.dev", "autoscaling.knative.dev"];

/// A revision as a rollout sees it.
pub(super) fn view_of(revision: &Revision) -> RevisionView {
    let ready = revision.conditions.iter().find(|condition| condition.r#type == "Ready");
    let readiness = match ready.map(|condition| (&condition.state, condition)) {
        Some((State::ConditionSucceeded, _)) => Readiness::Ready,
        Some((State::ConditionFailed, condition)) => Readiness::Failed { reason: reason_of(condition) },
        _ => Readiness::Starting,
    };
    RevisionView { image: image_of(&revision.containers), readiness }
}

/// A revision that the platform has accepted and not made yet.
pub(super) fn view_of_template(template: &impl Template) -> RevisionView {
    RevisionView { image: image_of(template.containers()), readiness: Readiness::Starting }
}

/// What the platform says, after its short word for it.
pub(super) fn reason_of(condition: &Condition) -> String {
    let word = condition
        .revision_reason()
        .and_then(|reason| reason.name().map(str::to_owned))
        .or_else(|| condition.reason().and_then(|reason| reason.name().map(str::to_owned)));
    match (word, condition.message.as_str()) {
        (Some(word), "") => word,
        (Some(word), message) => format!("{word}: {message}"),
        (None, "") => "it is not ready".to_owned(),
        (None, message) => message.to_owned(),
    }
}

/// The container that gets the requests: the one with a port, else the first. Those of a worker pool have no ports.
fn ingress(containers: &[Container]) -> usize {
    containers.iter().position(|container| !container.ports.is_empty()).unwrap_or(0)
}

fn image_of(containers: &[Container]) -> String {
    containers.get(ingress(containers)).map(|container| container.image.clone()).unwrap_or_default()
}

/// The template without a name that makes another revision like this one. What a revision does not show, and what is newer than
/// this software, stays as in `template`.
pub(super) fn template_of<T: Template>(revision: &Revision, template: Option<&T>) -> T {
    let mut template = template.cloned().unwrap_or_default().with_revision("");
    template.take_over(revision);
    template
}

/// The same with another image for the container that gets the requests.
pub(super) fn with_image<T: Template>(mut template: T, image: &str) -> T {
    let ingress = ingress(template.containers());
    if let Some(container) = template.containers_mut().get_mut(ingress) {
        image.clone_into(&mut container.image);
    }
    template
}

/// Labels or annotations without the platform's own.
pub(super) fn writable(mut words: HashMap<String, String>) -> HashMap<String, String> {
    words.retain(|word, _| {
        let owner = word.split('/').next().unwrap_or_default();
        !RESERVED.iter().any(|reserved| {
            owner.strip_suffix(reserved).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        })
    });
    words
}

#[cfg(test)]
mod tests {
    use google_cloud_run_v2::model::condition::{CommonReason, RevisionReason};
    use google_cloud_run_v2::model::{
        ContainerPort, RevisionScaling, RevisionTemplate, WorkerPoolRevisionTemplate,
    };

    use super::*;

    fn check(condition: Condition, readiness: Readiness) {
        let other = Condition::new().set_type("ResourcesAvailable").set_state(State::ConditionSucceeded);
        let revision = Revision::new().set_conditions([other, condition]);
        assert_eq!(view_of(&revision).readiness, readiness);
    }

    #[test]
    fn the_platform_says_who_is_ready() {
        let ready = || Condition::new().set_type("Ready");
        let failed = |reason: &str| Readiness::Failed { reason: reason.to_owned() };
        check(ready().set_state(State::ConditionSucceeded), Readiness::Ready);
        check(ready().set_state(State::ConditionPending), Readiness::Starting);
        check(ready().set_state(State::ConditionReconciling), Readiness::Starting);
        check(Condition::new().set_type("Active").set_state(State::ConditionFailed), Readiness::Starting);
        let bad = || ready().set_state(State::ConditionFailed);
        check(bad(), failed("it is not ready"));
        check(bad().set_message("no port"), failed("no port"));
        check(bad().set_reason(CommonReason::ContainerMissing), failed("CONTAINER_MISSING"));
        let crashed =
            bad().set_revision_reason(RevisionReason::HealthCheckContainerError).set_message("exit(1)");
        check(crashed, failed("HEALTH_CHECK_CONTAINER_ERROR: exit(1)"));
    }

    #[test]
    fn a_template_is_the_revision_with_another_image_where_requests_go() {
        let front = Container::new()
            .set_image("app@sha256:1")
            .set_ports([ContainerPort::new().set_container_port(8080)]);
        let side = Container::new().set_image("proxy@sha256:9");
        let revision = Revision::new()
            .set_containers([side.clone(), front.clone()])
            .set_scaling(RevisionScaling::new().set_min_instance_count(2))
            .set_labels([
                ("team", "agents"),
                ("run.googleapis.com/x", "y"),
                ("my.run.googleapis.com", "z"),
                ("notrun.googleapis.com", "mine"),
            ])
            .set_service_account("bot@alfred");
        let latest = RevisionTemplate::new()
            .set_revision("api-9")
            .set_service_account("other@alfred")
            .set_containers([Container::new().set_image("other")])
            .set_health_check_disabled(true);
        let template = with_image(template_of(&revision, Some(&latest)), "app@sha256:2");
        assert_eq!(template.containers, [side, front.set_image("app@sha256:2")]);
        assert_eq!(template.scaling.as_ref().map(|scaling| scaling.min_instance_count), Some(2));
        let labels = [("team", "agents"), ("notrun.googleapis.com", "mine")];
        assert_eq!(
            template.labels,
            HashMap::from(labels.map(|(key, value)| (key.to_owned(), value.to_owned())))
        );
        assert_eq!((template.revision.as_str(), template.service_account.as_str()), ("", "bot@alfred"));
        assert!(template.health_check_disabled, "a revision does not show it");
        assert_eq!(view_of(&revision).image, "app@sha256:1");
    }
    #[test]
    fn a_worker_pools_template_is_the_revision_with_another_image_in_the_first_container() {
        let revision = Revision::new()
            .set_containers([Container::new().set_image("app@sha256:1"), Container::new().set_image("side")])
            .set_labels([("team", "agents"), ("run.googleapis.com/x", "y")])
            .set_service_account("bot@alfred");
        let latest = WorkerPoolRevisionTemplate::new().set_revision("bots-9").set_service_account("other");
        let template = with_image(template_of(&revision, Some(&latest)), "app@sha256:2");
        let images: Vec<&str> = template.containers.iter().map(|one| one.image.as_str()).collect();
        assert_eq!(images, ["app@sha256:2", "side"]);
        assert_eq!((template.revision.as_str(), template.service_account.as_str()), ("", "bot@alfred"));
        assert_eq!(template.labels.len(), 1, "the platform's own stay out");
    }
}
