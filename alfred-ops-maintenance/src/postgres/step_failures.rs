//! Steps that failed while others were done.

use alfred_ops_core::{Error, ErrorKind, Result};

use crate::{TableName, Turn};

/// So many are named; the notes have more of them.
const NAMED_MAX: usize = 10;

/// The steps of a run that failed. One that always does keeps no other from being done.
#[derive(Debug, Default)]
pub(crate) struct StepFailures {
    named: Vec<String>,
    count: usize,
}

impl StepFailures {
    /// Notes that the server refused a step, so that the run goes on with the next one.
    ///
    /// # Errors
    /// What concerns the whole run: the connection or the server is gone, or the server's disk is full. The latter pauses the
    /// chore until a person resumes it: each attempt would fill the disk again.
    pub(crate) async fn note(
        &mut self,
        step: &TableName,
        code: Option<String>,
        error: Error,
        turn: &mut Turn<'_>,
    ) -> Result<()> {
        match code.as_deref() {
            Some("53100") => {
                turn.pause(&format!("the server's disk was full at {step}; make room, then resume")).await;
                Err(Error::new(
                    ErrorKind::ResourceExhausted,
                    error.operation().to_owned(),
                    "the server's disk is full",
                )
                .with_target(step.to_string())
                .with_remedy("make room, then resume the chore: it was paused")
                .with_source(error))
            }
            // A lost or overloaded server, one that shuts down, and one that became a standby.
            Some(code)
                if code != "25006" && !["08", "53", "57"].iter().any(|class| code.starts_with(class)) =>
            {
                let told = format!("{step}: {}", error.full());
                turn.note(format!("failed: {told}"));
                self.count += 1;
                if self.named.len() < NAMED_MAX {
                    self.named.push(told);
                }
                Ok(())
            }
            _ => Err(error),
        }
    }

    /// How the run ends.
    ///
    /// # Errors
    /// Steps failed. All others were done, as far as the run came.
    pub(crate) fn into_result(self, operation: &'static str) -> Result<()> {
        if self.count == 0 {
            return Ok(());
        }
        let what = format!("{} steps failed: {}", self.count, self.named.join("; "));
        Err(Error::new(ErrorKind::Internal, operation, what)
            .with_remedy("mend what they name, or leave it out of the policy; all other steps were done"))
    }
}
