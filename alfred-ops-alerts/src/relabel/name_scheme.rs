//! Which names metrics and labels may have.

/// Which names metrics and labels may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum NameScheme {
    /// Any text that is not empty: what Prometheus 3 accepts.
    #[default]
    Utf8,
    /// Letters, digits and `_` of ASCII, no digit first: what Prometheus 2 accepted.
    Legacy,
}

impl NameScheme {
    /// The word of a configuration file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf8",
            Self::Legacy => "legacy",
        }
    }

    /// Whether a label may have this name.
    #[must_use]
    pub fn allows_label(self, name: &str) -> bool {
        !name.is_empty() && (self == Self::Utf8 || is_plain(name, false))
    }

    /// Whether a metric may have this name.
    #[must_use]
    pub fn allows_metric(self, name: &str) -> bool {
        !name.is_empty() && (self == Self::Utf8 || is_plain(name, true))
    }

    /// Whether a template such as `shard_$1` may give a label's name.
    pub(super) fn allows_template(self, template: &str) -> bool {
        match self {
            Self::Utf8 => !template.is_empty(),
            Self::Legacy => is_legacy_template(template),
        }
    }
}

fn is_plain(name: &str, colons: bool) -> bool {
    !name.starts_with(|c: char| c.is_ascii_digit())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || (colons && c == ':'))
}

/// Names and references (`$1`, `${1}`, `$name`), with no digit before the first of either.
fn is_legacy_template(template: &str) -> bool {
    let mut rest = template;
    let mut begun = false;
    while let Some(first) = rest.chars().next() {
        if first == '$' {
            rest = &rest[1..];
            let inner = rest.strip_prefix('{').unwrap_or(rest);
            let braced = inner.len() != rest.len();
            let end = inner.find(|c: char| !is_word(c)).unwrap_or(inner.len());
            if end == 0 {
                return false;
            }
            rest = &inner[end..];
            if braced {
                let Some(after) = rest.strip_prefix('}') else { return false };
                rest = after;
            }
        } else if is_word(first) && (begun || !first.is_ascii_digit()) {
            rest = &rest[1..];
        } else {
            return false;
        }
        begun = true;
    }
    begun
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
