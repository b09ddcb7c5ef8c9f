//! Lists of targets in JSON.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::job::TargetGroup;

/// How many targets one list may name. Larger ones are slips of whoever writes them.
pub(super) const TARGETS_MAX: usize = 100_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Group {
    #[serde(default)]
    targets: Vec<String>,
    #[serde(default)]
    labels: Option<BTreeMap<String, String>>,
}

/// Reads `[{"targets": ["host:port"], "labels": {}}]`; the error says what is wrong and where.
pub(super) fn read(text: &[u8], source: &str) -> Result<Vec<TargetGroup>, String> {
    let groups: Vec<Group> = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    if groups.iter().map(|group| group.targets.len()).sum::<usize>() > TARGETS_MAX {
        return Err(format!("it names more than {TARGETS_MAX} targets"));
    }
    let groups = groups.into_iter().enumerate().map(|(index, group)| {
        let labels = group.labels.unwrap_or_default();
        if labels.contains_key("") {
            return Err(format!("item {index} has a label without a name"));
        }
        let mut read = TargetGroup::of_addresses(format!("{source}:{index}"), group.targets);
        read.labels = labels;
        Ok(read)
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_or_refused_with_the_place() {
        let text =
            br#"[{"targets":["a:1"],"labels":{"x":"y"}},{"targets":[]},{"targets":["b"],"labels":null}]"#;
        let groups = read(text, "f").unwrap();
        let expected = [
            TargetGroup::of_addresses("f:0", ["a:1"]).with_label("x", "y"),
            TargetGroup::of_addresses("f:1", [""; 0]),
            TargetGroup::of_addresses("f:2", ["b"]),
        ];
        assert_eq!(groups, expected);
        for (bad, message) in [
            ("{}", "invalid type: map, expected a sequence at line 1 column 0"),
            ("[null]", "expected struct Group at line 1 column 5"),
            (r#"[{"target":[]}]"#, "unknown field `target`"),
            (r#"[{"targets":[1]}]"#, "expected a string"),
            (r#"[{"targets":[],"labels":{"":"x"}}]"#, "item 0 has a label without a name"),
        ] {
            let error = read(bad.as_bytes(), "f").unwrap_err();
            assert!(error.contains(message), "{error}");
        }
    }
}
