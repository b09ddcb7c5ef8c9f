//! What counts, as a file says.

use alfred_ops_core::{FromConfig, Section};
use alfred_ops_maintenance::{AdvisorySeverity, AuditPolicy};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};

/// What counts, as a file says; the library's defaults where it says nothing.
///
/// ```yaml
/// severity_min: medium
/// unmaintained: false
/// database_age_max: 30d
/// ignored:
///   - {id: RUSTSEC-2024-0001, reason: we do not parse untrusted input, until: 2027-01-31}
/// ```
#[derive(Debug)]
pub(super) struct PolicyFile(pub(super) AuditPolicy);

/// An advisory that is not reported for a while.
struct Excuse {
    id: String,
    reason: String,
    until: DateTime<Utc>,
}

impl FromConfig for PolicyFile {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let mut policy = AuditPolicy::default();
        let severity = match section.optional::<String>("severity_min") {
            Some(None) => Some(policy.severity_min),
            Some(Some(name)) => severity(section, &name),
            None => None,
        };
        let switches = [
            ("unsound", &mut policy.unsound),
            ("unmaintained", &mut policy.unmaintained),
            ("yanked", &mut policy.yanked),
            ("notices", &mut policy.notices),
        ];
        let mut is_good = true;
        for (name, switch) in switches {
            match section.or(name, *switch) {
                Some(given) => *switch = given,
                None => is_good = false,
            }
        }
        let age = section.or("database_age_max", policy.database_age_max);
        let excuses: Vec<Excuse> = section.sections("ignored")?;
        policy = policy.with_severity_min(severity?).with_database_age_max(age?);
        for Excuse { id, reason, until } in excuses {
            policy = match policy.ignoring(id, reason, until) {
                Ok(policy) => policy,
                Err(error) => return section.refuse("ignored", error.to_string(), ""),
            };
        }
        is_good.then_some(Self(policy))
    }
}

fn severity(section: &mut Section<'_>, name: &str) -> Option<AdvisorySeverity> {
    use AdvisorySeverity::{Critical, High, Low, Medium};
    [Low, Medium, High, Critical].into_iter().find(|severity| severity.to_string() == name).or_else(|| {
        let what = format!("{name:?} is no severity");
        section.refuse("severity_min", what, "give low, medium, high or critical")
    })
}

impl FromConfig for Excuse {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let (id, reason) = (section.required("id"), section.required("reason"));
        let until = section.required::<String>("until").and_then(|text| {
            let day = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN).and_utc());
            text.parse().ok().or_else(day).or_else(|| {
                let what = format!("{text:?} is no day");
                section.refuse("until", what, "give a day such as 2027-01-31")
            })
        });
        Some(Self { id: id?, reason: reason?, until: until? })
    }
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::ConfigTree;

    use super::*;

    #[test]
    fn what_counts_is_read_and_mistakes_are_named() {
        let text = "severity_min: high\nyanked: false\ndatabase_age_max: 7d\nignored: [{id: A-1, reason: none, \
                    until: 2027-01-31}, {id: A-2, reason: none, until: '2027-01-31T12:00:00Z'}]";
        let PolicyFile(policy) = ConfigTree::from_yaml(text).unwrap().read().unwrap();
        assert_eq!(
            (policy.severity_min, policy.yanked, policy.unsound),
            (AdvisorySeverity::High, false, true)
        );
        let until: Vec<String> = policy.ignored.iter().map(|ignored| ignored.until.to_rfc3339()).collect();
        assert_eq!(until, ["2027-01-31T00:00:00+00:00", "2027-01-31T12:00:00+00:00"]);
        for (text, words) in [
            ("severity_min: worst", "give low, medium, high or critical"),
            ("ignored: [{id: A-1, reason: none, until: soon}]", "\"soon\" is no day"),
            ("ignored: [{id: A-1, until: 2027-01-31}]", "ignored[0].reason: it is missing"),
            ("ignored: [{id: A-1, reason: ' ', until: 2027-01-31}]", "say why"),
            ("ignore: []", "did you mean \"ignored\"?"),
        ] {
            let error = ConfigTree::from_yaml(text).unwrap().read::<PolicyFile>().unwrap_err().full();
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}
