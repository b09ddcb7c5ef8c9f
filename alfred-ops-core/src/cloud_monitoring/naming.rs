//! What metrics and labels are called.

use crate::Labels;

/// Google's own services; the part before it names the service.
const DOMAIN: &str = ".googleapis.com";
/// What stands before a label of the metric where the resource has one of the same name.
const OF_METRIC: &str = "metric_";
const PROJECT: &str = "project_id";

/// The name of a metric of this type.
pub(super) fn metric_name(metric_type: &str) -> String {
    let (domain, path) = metric_type.split_once('/').unwrap_or((metric_type, ""));
    let service = domain.strip_suffix(DOMAIN).unwrap_or(domain);
    word(&format!("{service}/{path}"))
}

/// The same with `_` for whatever a name may not hold.
fn word(text: &str) -> String {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    let word: String = text.chars().map(|letter| if allowed(letter) { letter } else { '_' }).collect();
    if word.starts_with(|first: char| first.is_ascii_digit()) { format!("_{word}") } else { word }
}

/// Whether Prometheus takes this for the name of a metric.
pub(super) fn is_metric_name(name: &str) -> bool {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || letter == '_' || letter == ':';
    name.chars().all(allowed) && !name.is_empty() && !name.starts_with(|first: char| first.is_ascii_digit())
}

/// The labels of a series, without the metric's name.
pub(super) fn labels<'l>(
    project: &str,
    resource: impl Iterator<Item = (&'l str, &'l str)>,
    metric: impl Iterator<Item = (&'l str, &'l str)>,
) -> Labels {
    let resource: Vec<(String, &str)> = resource.map(|(name, value)| (word(name), value)).collect();
    let metric = metric.map(|(name, value)| {
        let name = word(name);
        let taken = name == PROJECT || resource.iter().any(|(of_resource, _)| *of_resource == name);
        (if taken { format!("{OF_METRIC}{name}") } else { name }, value)
    });
    let metric: Vec<(String, &str)> = metric.collect();
    // Of equal names the last counts: the resource's own project is the better answer.
    Labels::from_pairs([(PROJECT.to_owned(), project)].into_iter().chain(metric).chain(resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metrics_are_named_after_their_types() {
        for (metric_type, name) in [
            (
                "pubsub.googleapis.com/subscription/num_undelivered_messages",
                "pubsub_subscription_num_undelivered_messages",
            ),
            ("run.googleapis.com/request_count", "run_request_count"),
            ("custom.googleapis.com/agents/queue-depth", "custom_agents_queue_depth"),
            ("kubernetes.io/container/uptime", "kubernetes_io_container_uptime"),
            ("2fa.googleapis.com/x", "_2fa_x"),
        ] {
            assert_eq!(metric_name(metric_type), name);
            assert!(is_metric_name(name));
        }
        assert!(!is_metric_name("") && !is_metric_name("1a") && !is_metric_name("a b"));
    }

    #[test]
    fn of_two_labels_of_one_name_the_metrics_is_renamed() {
        let resource = [("subscription_id", "tasks"), ("location", "eu")];
        let metric = [("location", "us"), ("delivery-type", "pull"), ("project_id", "mine")];
        assert_eq!(
            labels("alfred", resource.into_iter(), metric.into_iter()).to_string(),
            "{delivery_type=\"pull\",location=\"eu\",metric_location=\"us\",metric_project_id=\"mine\",\
             project_id=\"alfred\",subscription_id=\"tasks\"}"
        );
        let other = [("project_id", "scoped")];
        assert_eq!(labels("alfred", other.into_iter(), [].into_iter()).get("project_id"), Some("scoped"));
    }
}
