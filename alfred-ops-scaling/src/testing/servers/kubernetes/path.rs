//! What a path names.

use super::kind::Kind;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) kind: &'static Kind,
    /// None for all namespaces.
    pub(super) namespace: Option<String>,
    pub(super) name: Option<String>,
    pub(super) scale: bool,
}

impl Place {
    /// What these segments name, if anything.
    pub(super) fn of(path: &[&str]) -> Option<Self> {
        let (group, version, rest) = match path {
            ["api", version, rest @ ..] => ("", version, rest),
            ["apis", group, version, rest @ ..] => (*group, version, rest),
            _ => return None,
        };
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..] if !rest.is_empty() => (Some((*namespace).to_owned()), rest),
            rest => (None, rest),
        };
        let (plural, name, scale) = match rest {
            [plural] => (plural, None, false),
            [plural, name] => (plural, Some((*name).to_owned()), false),
            [plural, name, "scale"] => (plural, Some((*name).to_owned()), true),
            _ => return None,
        };
        let kind = Kind::of(group, version, plural)?;
        let known = (!scale || kind.scales) && (name.is_none() || namespace.is_some());
        known.then_some(Self { kind, namespace, name, scale })
    }

    /// As RBAC calls it.
    pub(super) fn resource(&self) -> String {
        if self.scale { format!("{}/scale", self.kind.plural) } else { self.kind.plural.to_owned() }
    }
}
