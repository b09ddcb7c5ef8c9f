//! Steps that failed while the others went on.

use std::fmt;

use alfred_ops_core::{Error, Result};

/// So many are told of in full.
const TOLD_MAX: usize = 10;

/// Steps that failed while the others went on: one bad file must not keep a run from the rest.
#[derive(Debug, Default)]
pub(super) struct FailedSteps {
    first: Option<Error>,
    told: Vec<String>,
    count: usize,
}

impl FailedSteps {
    pub(super) fn note(&mut self, step: impl fmt::Display, error: Error) {
        self.count += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(format!("{step}: {}", error.full()));
        }
        self.first.get_or_insert(error);
    }

    /// The end of the run.
    ///
    /// # Errors
    /// Names what failed, each with its remedy; the kind is that of the first failure.
    pub(super) fn end(self, operation: &'static str, target: impl Into<String>) -> Result<()> {
        let Some(first) = self.first else { return Ok(()) };
        let steps = if self.count == 1 { "step" } else { "steps" };
        let message = format!("{} {steps} failed: {}", self.count, self.told.join("; "));
        Err(Error::new(first.kind(), operation, message).with_target(target).with_retry(first.retry()))
    }
}
