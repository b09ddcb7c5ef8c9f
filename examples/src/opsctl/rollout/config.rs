//! A service and how its releases go out, as a file says.

use std::time::Duration;

use alfred_ops_core::{FromConfig, Secret, Section};
use alfred_ops_maintenance::{MetricCondition, RolloutPolicy, WhenSilent};

use super::target::TargetConfig;
use crate::opsctl::program::TIME_LIMIT;

/// A service and how its releases go out.
///
#[doc = concat!("```yaml\n", include_str!("../../../opsctl/rollout.yml"), "```")]
#[derive(Debug)]
pub(super) struct RolloutConfig {
    pub(super) name: String,
    pub(super) target: TargetConfig,
    pub(super) policy: RolloutPolicy,
    pub(super) staging: Vec<CheckConfig>,
    pub(super) gates: Vec<CheckConfig>,
    pub(super) analyses: Vec<AnalysisConfig>,
}

/// A program that says whether something is so.
#[derive(Debug)]
pub(super) struct CheckConfig {
    pub(super) name: String,
    pub(super) command: Vec<String>,
    pub(super) time_limit: Duration,
}

#[derive(Debug)]
pub(super) enum AnalysisConfig {
    Program(CheckConfig),
    Query(QueryConfig),
}

impl AnalysisConfig {
    pub(super) fn name(&self) -> &str {
        match self {
            Self::Program(check) => &check.name,
            Self::Query(query) => &query.name,
        }
    }
}

#[derive(Debug, Clone)]
pub(super) struct QueryConfig {
    pub(super) name: String,
    /// The server, up to `/api/v1`. It may hold a password.
    pub(super) server: Secret,
    /// With `$revision` in place of a revision's name.
    pub(super) query: String,
    pub(super) condition: MetricCondition,
}

/// What every query names in place of a revision.
pub(super) const PLACE: &str = "$revision";

impl FromConfig for RolloutConfig {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let name = section.required("name");
        let target = section.section("target");
        let policy: Option<Option<Policy>> = section.optional_section("policy");
        let staging = section.sections("staging");
        let gates = section.sections("gates");
        let analyses = section.sections("analyses");
        let policy = policy?.map_or_else(RolloutPolicy::default, |Policy(policy)| policy);
        Some(Self {
            name: name?,
            target: target?,
            policy,
            staging: staging?,
            gates: gates?,
            analyses: analyses?,
        })
    }
}

impl FromConfig for CheckConfig {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let (name, command) = (section.required("name"), section.required("command"));
        let time_limit = section.or("time_limit", TIME_LIMIT);
        Some(Self { name: name?, command: command?, time_limit: time_limit? })
    }
}

impl FromConfig for AnalysisConfig {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let Some(server) = section.optional::<Secret>("prometheus")? else {
            return CheckConfig::from_config(section).map(Self::Program);
        };
        let name = section.required("name");
        let query = section.required::<String>("query").and_then(|query| {
            if query.contains(PLACE) {
                return Some(query);
            }
            section.refuse(
                "query",
                "it names no revision",
                format!("write {PLACE} where the revision's name belongs"),
            )
        });
        let condition = condition(section);
        Some(Self::Query(QueryConfig { name: name?, server, query: query?, condition: condition? }))
    }
}

fn condition(section: &mut Section<'_>) -> Option<MetricCondition> {
    let most: Option<f64> = section.optional("at_most")?;
    let least: Option<f64> = section.optional("at_least")?;
    let times: Option<f64> = section.optional("at_most_times")?;
    let or: Option<f64> = section.optional("or")?;
    match (most, least, times, or) {
        (Some(limit), None, None, None) => Some(MetricCondition::AtMost(limit)),
        (None, Some(limit), None, None) => Some(MetricCondition::AtLeast(limit)),
        (None, None, Some(times), Some(or)) => Some(MetricCondition::AtMostTimes { times, or }),
        _ => section.refuse(
            "at_most",
            "it is not said what is healthy",
            "give at_most, or at_least, or at_most_times with or",
        ),
    }
}

struct Policy(RolloutPolicy);

impl FromConfig for Policy {
    fn from_config(section: &mut Section<'_>) -> Option<Self> {
        let mut policy = RolloutPolicy::default();
        let steps = section.optional::<Vec<u16>>("steps");
        let steps = steps.and_then(|steps| {
            let Some(steps) = steps else { return Some(policy.steps.clone()) };
            let percents: Option<Vec<u8>> = steps.iter().map(|step| u8::try_from(*step).ok()).collect();
            percents.or_else(|| section.refuse("steps", format!("{steps:?} are no percents"), "end with 100"))
        });
        let mut is_good = true;
        for (name, time) in [
            ("interval", &mut policy.interval),
            ("gates_within", &mut policy.gates_within),
            ("start_within", &mut policy.start_within),
            ("rests_within", &mut policy.rests_within),
            ("silence", &mut policy.silence),
        ] {
            match section.or(name, *time) {
                Some(given) => *time = given,
                None => is_good = false,
            }
        }
        for (name, count) in [
            ("passes", &mut policy.passes),
            ("failures", &mut policy.failures),
            ("failures_in_a_row", &mut policy.failures_in_a_row),
        ] {
            match section.or(name, *count) {
                Some(given) => *count = given,
                None => is_good = false,
            }
        }
        let silent = match section.or("when_silent", "roll-back".to_owned()).as_deref() {
            Some("roll-back") => Some(WhenSilent::RollBack),
            Some("pause") => Some(WhenSilent::Pause),
            Some(other) => section.refuse(
                "when_silent",
                format!("{other:?} is nothing to do"),
                "give roll-back or pause",
            ),
            None => None,
        };
        let keeps_old = section.or("keeps_old", policy.keeps_old);
        (policy.steps, policy.when_silent, policy.keeps_old) = (steps?, silent?, keeps_old?);
        is_good.then_some(Self(policy))
    }
}

#[cfg(test)]
mod tests {
    use alfred_ops_core::ConfigTree;

    use super::*;

    fn read(text: &str) -> Result<RolloutConfig, String> {
        ConfigTree::from_yaml(text).unwrap().read().map_err(|error| error.full())
    }

    #[test]
    fn a_service_is_read_with_all_that_judges_it() {
        let config = read(
            "name: api\ntarget: {command: [/bin/target]}\npolicy: {steps: [10, 100], interval: 2m, when_silent: pause}\n\
             gates: [{name: backup, command: [/bin/true], time_limit: 10m}]\nanalyses:\n  - {name: health, command: \
             [/bin/true]}\n  - name: errors\n    prometheus: http://u:hunter2@prometheus:9090\n    query: \
             rate(errors{revision=\"$revision\"}[1m])\n    at_most_times: 1.5\n    or: 0.01\n",
        )
        .unwrap();
        assert_eq!((config.policy.steps.as_slice(), config.policy.passes), (&[10, 100][..], 5));
        assert_eq!(config.policy.when_silent, WhenSilent::Pause);
        assert_eq!(config.gates[0].time_limit, Duration::from_secs(600));
        assert_eq!(
            config.analyses.iter().map(AnalysisConfig::name).collect::<Vec<_>>(),
            ["health", "errors"]
        );
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn the_file_that_the_help_shows_has_the_defaults() {
        let config = read(include_str!("../../../opsctl/rollout.yml")).unwrap();
        assert_eq!(config.policy, RolloutPolicy::default());
        assert_eq!((config.staging.len(), config.gates.len(), config.analyses.len()), (1, 1, 2));
    }

    #[test]
    fn mistakes_are_named_with_their_remedies() {
        let with = |more: &str| format!("name: api\ntarget: {{command: [/bin/target]}}\n{more}");
        let query =
            |more: &str| with(&format!("analyses: [{{name: errors, prometheus: 'http://p', {more}}}]"));
        for (text, words) in [
            ("name: api".to_owned(), "target: the section is missing"),
            (with("policy: {steps: [300]}"), "[300] are no percents"),
            (with("policy: {when_silent: shout}"), "give roll-back or pause"),
            (with("policy: {interval: 60}"), "policy.interval: 60 is not a duration"),
            (with("gates: [{name: backup}]"), "gates[0].command: it is missing"),
            (query("query: up, at_most: 1"), "write $revision"),
            (query("query: 'up{r=\"$revision\"}'"), "give at_most, or at_least, or at_most_times with or"),
            (
                query("query: 'up{r=\"$revision\"}', at_most: 1, at_least: 1"),
                "it is not said what is healthy",
            ),
        ] {
            let error = read(&text).unwrap_err();
            assert!(error.contains(words), "{words}: {error}");
        }
    }
}
