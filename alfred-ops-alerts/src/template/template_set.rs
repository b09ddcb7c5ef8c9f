//! Templates that use one another.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::parse::{self, Body};
use super::{Dialect, MissingKey, RenderLimits, Template, TemplateError};

/// The variables that stand for parts of the data in rules, with the fields that they stand for.
pub(super) const RULE_VARIABLES: [(&str, &str); 4] = [
    ("labels", "Labels"),
    ("externalLabels", "ExternalLabels"),
    ("externalURL", "ExternalURL"),
    ("value", "Value"),
];

/// Templates defined once and used by many texts, and what holds for all of these.
///
/// ```
/// use alfred_ops_alerts::template::{Dialect, Environment, Structure, TemplateSet};
/// # let now = "2026-01-01T00:00:00Z".parse().unwrap();
///
/// let mut set = TemplateSet::new(Dialect::Notification);
/// set.add(r#"{{ define "title" }}[{{ .Status | toUpper }}]{{ end }}"#)?;
/// let subject = set.parse(r#"{{ template "title" . }} on call"#)?;
/// let notification = Structure::new("Data").with("Status", "firing");
/// assert_eq!(subject.render(&notification.into(), &Environment::new(now))?, "[FIRING] on call");
/// # Ok::<(), alfred_ops_alerts::template::TemplateError>(())
/// ```
#[derive(Debug, Clone)]
pub struct TemplateSet {
    dialect: Dialect,
    missing_key: MissingKey,
    limits: RenderLimits,
    defined: BTreeMap<Arc<str>, Body>,
}

impl TemplateSet {
    /// No templates yet.
    #[must_use]
    pub fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            missing_key: MissingKey::default(),
            limits: RenderLimits::default(),
            defined: BTreeMap::new(),
        }
    }

    /// The same, for texts parsed from here on, with another meaning of missing names.
    #[must_use]
    pub const fn with_missing_key(mut self, missing_key: MissingKey) -> Self {
        self.missing_key = missing_key;
        self
    }

    /// The same, for texts parsed from here on, with other limits.
    #[must_use]
    pub const fn with_limits(mut self, limits: RenderLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds the templates that `text` defines; what stands around them is left out. A later definition replaces
    /// an earlier one. Texts that were parsed before keep what they had.
    ///
    /// # Errors
    ///
    /// If the text is no template; nothing has been added then.
    pub fn add(&mut self, text: &str) -> Result<(), TemplateError> {
        let parsed = parse::parse(text, self.dialect, &[])?;
        for (name, body) in parsed.defined {
            parse::define(&mut self.defined, name, body);
        }
        Ok(())
    }

    /// Reads a text, which may use the templates added so far and define its own.
    ///
    /// # Errors
    ///
    /// If the text is no template. A template that it uses and nobody defined fails the rendering only.
    pub fn parse(&self, text: &str) -> Result<Template, TemplateError> {
        let variables: Vec<&str> = match self.dialect {
            Dialect::Rule => RULE_VARIABLES.iter().map(|(name, _)| *name).collect(),
            Dialect::Notification => Vec::new(),
        };
        let parsed = parse::parse(text, self.dialect, &variables)?;
        let mut defined = self.defined.clone();
        for (name, body) in parsed.defined {
            parse::define(&mut defined, name, body);
        }
        Ok(Template {
            dialect: self.dialect,
            missing_key: self.missing_key,
            limits: self.limits,
            body: parsed.body,
            defined,
        })
    }

    /// The names of the templates added so far.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.defined.keys().map(|name| &**name)
    }
}
