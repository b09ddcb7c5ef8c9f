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

#[cfg(test)]
mod tests {
    use std::fmt;
    use std::sync::Arc;

    use alfred_ops_core::{JobContext, MemoryStateStore};
    use async_trait::async_trait;
    use chrono::{DateTime, Utc};

    use super::*;
    use crate::{Caretaker, Chore, ChorePlan};

    /// Makes steps that the server refuses with these codes.
    #[derive(Debug)]
    struct Refused(Vec<Option<&'static str>>);

    #[derive(Debug)]
    struct Steps;

    impl fmt::Display for Steps {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("steps")
        }
    }

    impl ChorePlan for Steps {
        fn is_empty(&self) -> bool {
            false
        }

        fn obstacles(&self) -> Vec<String> {
            Vec::new()
        }
    }

    #[async_trait]
    impl Chore for Refused {
        type Facts = ();
        type Plan = Steps;

        fn name(&self) -> &str {
            "refused"
        }

        fn target(&self) -> &str {
            "nowhere"
        }

        async fn inspect(&self, _: &JobContext) -> Result<()> {
            Ok(())
        }

        fn plan(&self, (): &(), _: DateTime<Utc>) -> Steps {
            Steps
        }

        async fn apply(&self, _: &Steps, turn: &mut Turn<'_>) -> Result<()> {
            let mut failures = StepFailures::default();
            for (number, code) in self.0.iter().enumerate() {
                let step = format!("step_{number}").parse()?;
                let error = Error::new(ErrorKind::Unavailable, "step", "refused");
                failures.note(&step, code.map(ToOwned::to_owned), error, turn).await?;
            }
            failures.into_result("take steps")
        }
    }

    fn caretaker(codes: &[Option<&'static str>]) -> Caretaker<Refused> {
        let store = Arc::new(MemoryStateStore::default());
        Caretaker::builder(Refused(codes.to_vec()), store).build().unwrap()
    }

    #[tokio::test]
    async fn what_concerns_one_step_leaves_the_others_and_what_concerns_all_ends_the_run() {
        let context = JobContext::system();
        let run = async |codes: &[Option<&'static str>]| caretaker(codes).run(&context).await.unwrap_err();
        let error = run(&[Some("42501"); 12]).await.to_string();
        assert!(error.contains("12 steps failed") && error.contains("step_9"), "{error}");
        assert!(!error.contains("step_10"), "{error}");
        for code in [None, Some("08006"), Some("53300"), Some("57P01"), Some("25006")] {
            let error = run(&[code, Some("42501")]).await.to_string();
            assert!(!error.contains("steps failed"), "{code:?}: {error}");
        }
    }

    #[tokio::test]
    async fn a_full_disk_pauses_the_chore_until_a_person_resumes_it() {
        let context = JobContext::system();
        let caretaker = caretaker(&[Some("53100")]);
        let error = caretaker.run(&context).await.unwrap_err();
        assert!(error.remedy().unwrap().contains("make room, then resume"), "{error}");
        let run = caretaker.run(&context).await.unwrap();
        let told = run.to_string();
        assert!(
            run.record().is_none() && told.contains("the server's disk was full at \"public\".\"step_0\""),
            "{told}"
        );
        caretaker.book(&context).resume().await.unwrap();
        assert!(caretaker.run(&context).await.is_err(), "it is tried again");
    }
}
