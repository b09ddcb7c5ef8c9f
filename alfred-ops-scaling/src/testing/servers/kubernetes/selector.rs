//! Label and field selectors.

use serde_json::Value;

/// Whether an object meets a label selector: requirements divided by commas, by equality or presence.
pub(super) fn meets_labels(object: &Value, selector: &str) -> bool {
    meets(selector, |name| object["metadata"]["labels"][name].as_str())
}

/// Whether an object meets a field selector over its name and namespace.
pub(super) fn meets_fields(object: &Value, selector: &str) -> bool {
    meets(selector, |name| match name {
        "metadata.name" => object["metadata"]["name"].as_str(),
        "metadata.namespace" => object["metadata"]["namespace"].as_str(),
        _ => None,
    })
}

fn meets<'a>(selector: &str, value: impl Fn(&str) -> Option<&'a str>) -> bool {
    selector.split(',').map(str::trim).filter(|one| !one.is_empty()).all(|one| {
        if let Some((name, wanted)) = one.split_once("!=") {
            return value(name.trim()) != Some(wanted.trim());
        }
        if let Some((name, wanted)) = one.split_once('=') {
            return value(name.trim()) == Some(wanted.trim_start_matches('=').trim());
        }
        match one.strip_prefix('!') {
            Some(name) => value(name.trim()).is_none(),
            None => value(one).is_some(),
        }
    })
}
