//! What of an API server is asked.

use alfred_ops_core::{Error, ErrorKind, Result};

/// As long as any name may be.
const NAME_BYTES_MAX: usize = 253;

/// A kind of objects, as paths name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resource {
    /// Empty for the oldest group.
    pub(crate) group: String,
    pub(crate) version: String,
    pub(crate) plural: String,
}

impl Resource {
    pub(crate) fn new(group: &str, version: &str, plural: &str) -> Self {
        Self { group: group.to_owned(), version: version.to_owned(), plural: plural.to_owned() }
    }

    pub(crate) fn pods() -> Self {
        Self::new("", "v1", "pods")
    }
}

/// What is done to what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) operation: &'static str,
    /// As RBAC calls it.
    pub(crate) verb: &'static str,
    pub(crate) resource: &'a Resource,
    /// Empty for the list of all namespaces.
    pub(crate) namespace: &'a str,
    /// None for the list of all.
    pub(crate) name: Option<&'a str>,
    pub(crate) subresource: Option<&'static str>,
}

impl Request<'_> {
    /// The path below the server's URL.
    pub(crate) fn path(&self) -> Vec<&str> {
        let Resource { group, version, plural } = self.resource;
        let mut path =
            if group.is_empty() { vec!["api", version.as_str()] } else { vec!["apis", group, version] };
        if !self.namespace.is_empty() {
            path.extend(["namespaces", self.namespace]);
        }
        path.push(plural);
        path.extend(self.name);
        path.extend(self.subresource);
        path
    }

    /// The rule that a role needs for it.
    pub(crate) fn rule(&self) -> String {
        let Resource { group, plural, .. } = self.resource;
        let slash = self.subresource.map(|name| format!("/{name}")).unwrap_or_default();
        format!("{{apiGroups: [\"{group}\"], resources: [\"{plural}{slash}\"], verbs: [\"{}\"]}}", self.verb)
    }

    /// What holds such a rule. A role speaks for its own namespace alone.
    pub(crate) const fn role(&self) -> &'static str {
        if self.namespace.is_empty() { "cluster role" } else { "role" }
    }
}

/// Refuses what is no name of an object.
pub(crate) fn check_name(field: &str, name: &str) -> Result<()> {
    let allowed =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "-.".contains(letter);
    let good = !name.is_empty()
        && name.len() <= NAME_BYTES_MAX
        && name.chars().all(allowed)
        && name.starts_with(|first: char| first.is_ascii_alphanumeric());
    if good {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        "name Kubernetes object",
        format!("{field}: {name:?} is no name"),
    )
    .with_remedy("use lower-case letters, digits, - and ."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_rules_are_those_of_kubernetes() {
        let check = |resource: &Resource, name, subresource, verb, path: &str, rule: &str| {
            let request =
                Request { operation: "test", verb, resource, namespace: "agents", name, subresource };
            assert_eq!(request.path().join("/"), path);
            assert_eq!(request.rule(), rule);
        };
        check(
            &Resource::new("apps", "v1", "deployments"),
            Some("bot"),
            Some("scale"),
            "patch",
            "apis/apps/v1/namespaces/agents/deployments/bot/scale",
            r#"{apiGroups: ["apps"], resources: ["deployments/scale"], verbs: ["patch"]}"#,
        );
        check(
            &Resource::pods(),
            None,
            None,
            "list",
            "api/v1/namespaces/agents/pods",
            r#"{apiGroups: [""], resources: ["pods"], verbs: ["list"]}"#,
        );
        let resource = &Resource::pods();
        let everywhere = Request {
            operation: "test",
            verb: "list",
            resource,
            namespace: "",
            name: None,
            subresource: None,
        };
        assert_eq!(
            (everywhere.path().join("/").as_str(), everywhere.role()),
            ("api/v1/pods", "cluster role")
        );
    }

    #[test]
    fn names_that_would_leave_their_place_are_refused() {
        for good in ["bot", "bot-7.x", "0"] {
            check_name("name", good).unwrap();
        }
        for bad in ["", "..", "-a", "a/b", "Bot", "a?b", &"a".repeat(254)] {
            let error = check_name("name", bad).unwrap_err();
            assert!(error.to_string().contains("name: "), "{error}");
        }
    }
}
