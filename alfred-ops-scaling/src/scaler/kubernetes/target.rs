//! What is scaled.

use std::fmt;

use alfred_ops_core::{Error, ErrorKind, Result};

use crate::kubernetes::{Resource, check_name};

/// An object that has a scale subresource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScaleTarget {
    pub(super) resource: Resource,
    pub(super) kind: String,
    pub(super) namespace: String,
    pub(super) name: String,
    shown: String,
}

impl ScaleTarget {
    /// A Deployment.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name.
    pub fn deployment(namespace: &str, name: &str) -> Result<Self> {
        Self::custom("apps/v1", "deployments", "Deployment", (namespace, name))
    }

    /// A StatefulSet. It takes pods away from its end, whatever their [costs](crate::PodCosts).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name.
    pub fn stateful_set(namespace: &str, name: &str) -> Result<Self> {
        Self::custom("apps/v1", "statefulsets", "StatefulSet", (namespace, name))
    }

    /// A ReplicaSet that no Deployment owns.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name.
    pub fn replica_set(namespace: &str, name: &str) -> Result<Self> {
        Self::custom("apps/v1", "replicasets", "ReplicaSet", (namespace, name))
    }

    /// An object of any kind that has the scale subresource: its API version (`argoproj.io/v1alpha1`), the plural that paths
    /// use (`rollouts`), its kind as manifests have it (`Rollout`), and its namespace and name.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name.
    pub fn custom(
        api_version: &str,
        plural: &str,
        kind: &str,
        (namespace, name): (&str, &str),
    ) -> Result<Self> {
        let (group, version) = api_version.split_once('/').unwrap_or_default();
        if kind.is_empty() || !kind.chars().all(|letter| letter.is_ascii_alphanumeric()) {
            let what = format!("kind: {kind:?} is no kind");
            return Err(Error::new(ErrorKind::InvalidInput, "name Kubernetes object", what)
                .with_remedy("give it as in manifests, such as Rollout"));
        }
        let parts = [
            ("group of api_version", group),
            ("version of api_version", version),
            ("plural", plural),
            ("namespace", namespace),
            ("name", name),
        ];
        for (field, value) in parts {
            check_name(field, value)?;
        }
        Ok(Self {
            resource: Resource::new(group, version, plural),
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            shown: format!("{namespace}/{plural}/{name}"),
        })
    }

    /// As in logs: `namespace/plural/name`.
    pub(super) fn shown(&self) -> &str {
        &self.shown
    }
}

impl fmt::Display for ScaleTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_that_are_no_names_are_named() {
        let check = |target: Result<ScaleTarget>, expected: &str| {
            let error = target.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(expected), "{error}");
        };
        check(ScaleTarget::deployment("a", "b/scale"), "name: \"b/scale\"");
        check(ScaleTarget::deployment("", "b"), "namespace: \"\"");
        check(ScaleTarget::custom("v1", "pods", "Pod", ("a", "b")), "group of api_version");
        check(ScaleTarget::custom("x.io/v1", "Rollouts", "Rollout", ("a", "b")), "plural: \"Rollouts\"");
        check(ScaleTarget::custom("x.io/v1", "rollouts", "", ("a", "b")), "kind: \"\"");
        let target = ScaleTarget::custom("argoproj.io/v1alpha1", "rollouts", "Rollout", ("a", "b")).unwrap();
        assert_eq!(target.to_string(), "a/rollouts/b");
    }
}
