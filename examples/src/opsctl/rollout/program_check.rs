//! Gates and analyses that are programs.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result};
use alfred_ops_maintenance::{Analysis, CanaryView, Gate, Release, Verdict};
use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat, Utc};

use super::config::CheckConfig;
use crate::opsctl::program::{Answer, Program};

/// What is kept of what a program says.
const REASON_BYTES_MAX: usize = 300;

/// A gate: open if its program ends with status 0, else closed for what it prints. An analysis: 0 is a pass, 1 a failure, 2
/// inconclusive, and anything else no data, again for what it prints.
///
/// Programs find in their environment the release, as ALFRED_OPS_REVISION and ALFRED_OPS_IMAGE; and those of an analysis
/// ALFRED_OPS_STABLE, ALFRED_OPS_PERCENT and ALFRED_OPS_SINCE too.
#[derive(Debug)]
pub(super) struct ProgramCheck {
    name: String,
    program: Program,
    release: Option<Release>,
}

impl ProgramCheck {
    pub(super) fn new(config: &CheckConfig, release: Option<&Release>, context: &JobContext) -> Result<Self> {
        if config.time_limit.is_zero() {
            return Err(Error::new(ErrorKind::InvalidInput, "read check", "time_limit: it is zero")
                .with_target(&config.name)
                .with_remedy("give a duration such as 60s"));
        }
        let program = Program::new(config.command.clone(), Arc::clone(&context.clock))?;
        let program = program.with_time_limit(config.time_limit);
        Ok(Self { name: config.name.clone(), program, release: release.cloned() })
    }

    fn variables(&self) -> Vec<(&'static str, String)> {
        let of = |release: &Release| {
            [("ALFRED_OPS_REVISION", release.revision.clone()), ("ALFRED_OPS_IMAGE", release.image.clone())]
        };
        self.release.iter().flat_map(of).collect()
    }
}

/// What a program printed, as a reason; how it ended if it printed nothing.
fn reason(Answer { status, text }: &Answer) -> String {
    let text = text.expose();
    if text.is_empty() {
        return status.map_or_else(|| "ended by a signal".to_owned(), |status| format!("status {status}"));
    }
    let line = text.lines().next().unwrap_or_default();
    line[..line.floor_char_boundary(REASON_BYTES_MAX)].to_owned()
}

#[async_trait]
impl Gate for ProgramCheck {
    fn name(&self) -> &str {
        &self.name
    }

    async fn closed(&self, _: DateTime<Utc>) -> Result<Option<String>> {
        let answer = self.program.ask(&[], &self.variables(), None).await?;
        Ok((answer.status != Some(0)).then(|| reason(&answer)))
    }
}

#[async_trait]
impl Analysis for ProgramCheck {
    fn name(&self) -> &str {
        &self.name
    }

    async fn judge(&self, canary: &CanaryView) -> Result<Verdict> {
        let mut variables = self.variables();
        variables.extend([
            ("ALFRED_OPS_STABLE", canary.stable.clone()),
            ("ALFRED_OPS_PERCENT", canary.percent.to_string()),
            ("ALFRED_OPS_SINCE", canary.since.to_rfc3339_opts(SecondsFormat::Secs, true)),
        ]);
        let answer = self.program.ask(&[], &variables, None).await?;
        Ok(match answer.status {
            Some(0) => Verdict::Pass,
            Some(1) => Verdict::Fail(reason(&answer)),
            Some(2) => Verdict::Inconclusive(reason(&answer)),
            _ => Verdict::NoData(reason(&answer)),
        })
    }
}
