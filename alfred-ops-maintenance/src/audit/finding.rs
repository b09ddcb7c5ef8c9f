//! One fault of one dependency.

use std::fmt;

/// How bad a vulnerability is, by the scale of CVSS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdvisorySeverity {
    /// Below 4.0, and also what scores nothing.
    Low,
    /// From 4.0.
    Medium,
    /// From 7.0.
    High,
    /// From 9.0.
    Critical,
}

impl fmt::Display for AdvisorySeverity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        })
    }
}

/// What is wrong with a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum DependencyFlaw {
    /// It can be attacked; without a severity nobody has scored it.
    Vulnerable(Option<AdvisorySeverity>),
    /// Safe code can bring it to undefined behaviour.
    Unsound,
    /// Nobody cares for it any more.
    Unmaintained,
    /// Its makers have withdrawn this version.
    Yanked,
    /// Something else that its users should know.
    Notice,
}

impl fmt::Display for DependencyFlaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vulnerable(Some(severity)) => write!(f, "vulnerable, {severity}"),
            Self::Vulnerable(None) => f.write_str("vulnerable, of unknown severity"),
            Self::Unsound => f.write_str("unsound"),
            Self::Unmaintained => f.write_str("unmaintained"),
            Self::Yanked => f.write_str("yanked"),
            Self::Notice => f.write_str("notice"),
        }
    }
}

/// One fault of one dependency. `Display` is one line with what to do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub struct DependencyFinding {
    /// Of what.
    pub package: String,
    /// In which version it is used.
    pub version: String,
    /// What is wrong.
    pub flaw: DependencyFlaw,
    /// The id of the advisory; empty for what no advisory is about, such as a yanked version.
    pub advisory: String,
    /// Its ids elsewhere.
    pub aliases: Vec<String>,
    /// Its title.
    pub title: String,
    /// Which versions are free of it, in the words of the scanner; empty if none is.
    pub patched: Vec<String>,
    /// Where the dependency is used: a file, an image.
    pub place: String,
    /// What a person does, as an imperative sentence without a full stop.
    pub remedy: String,
}

impl DependencyFinding {
    /// A finding, as implementations of a scanner make them; the other fields are empty.
    #[must_use]
    pub fn new(package: impl Into<String>, version: impl Into<String>, flaw: DependencyFlaw) -> Self {
        Self {
            package: package.into(),
            version: version.into(),
            flaw,
            advisory: String::new(),
            aliases: Vec::new(),
            title: String::new(),
            patched: Vec::new(),
            place: String::new(),
            remedy: String::new(),
        }
    }

    /// Whether the advisory has this id, here or elsewhere.
    #[must_use]
    pub fn is_known_as(&self, id: &str) -> bool {
        !id.is_empty() && (self.advisory == id || self.aliases.iter().any(|alias| alias == id))
    }
}

impl fmt::Display for DependencyFinding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} in {}: {}", self.package, self.version, self.place, self.flaw)?;
        if !self.advisory.is_empty() {
            write!(f, ", {}", self.advisory)?;
        }
        if !self.title.is_empty() {
            write!(f, " ({})", self.title)?;
        }
        match (&self.flaw, self.patched.is_empty()) {
            (_, false) => write!(f, ", patched in {}", self.patched.join(" or "))?,
            (DependencyFlaw::Vulnerable(_) | DependencyFlaw::Unsound, true) => {
                f.write_str(", patched in no version")?;
            }
            _ => {}
        }
        if self.remedy.is_empty() { Ok(()) } else { write!(f, "; {}", self.remedy) }
    }
}
