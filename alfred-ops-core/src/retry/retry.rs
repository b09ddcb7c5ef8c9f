//! The loop.

use std::time::Duration;

use super::{RetryBudget, RetryPolicy};
use crate::{EntropyExt as _, Error, ErrorKind, JobContext, Result, Retry};

/// Runs `attempt` until it succeeds, fails for good, or policy and budget are used up.
///
/// Whether to repeat is a property of the error: [`Retry::After`] is repeated (no sooner than the far side
/// asks), [`Retry::Unknown`] only under an idempotent policy, [`Retry::Never`] not. Pauses are drawn between
/// half of the policy's and the whole, so that callers do not return all at once. Only one layer retries:
/// do not wrap what retries by itself.
///
/// # Errors
/// The last attempt's; [`ErrorKind::Cancelled`] if the context is cancelled during a pause.
pub async fn retry<T, F, A>(
    policy: &RetryPolicy,
    budget: &RetryBudget,
    context: &JobContext,
    mut attempt: F,
) -> Result<T>
where
    F: FnMut() -> A + Send,
    A: Future<Output = Result<T>> + Send,
    T: Send,
{
    let mut pauses = policy.pauses();
    loop {
        let error = match attempt().await {
            Ok(output) => {
                budget.earn();
                return Ok(output);
            }
            Err(error) => error,
        };
        let asked = match error.retry() {
            Retry::After(asked) => asked.unwrap_or_default(),
            Retry::Unknown if policy.idempotent => Duration::ZERO,
            _ => return Err(error),
        };
        let Some(pause) = pauses.next().filter(|_| budget.spend()) else { return Err(error) };
        let pause = spread(pause, context).max(asked.min(policy.pause_max));
        tracing::debug!(error = error.full(), ?pause, "trying again");
        tokio::select! {
            () = context.cancel.cancelled() => {
                return Err(Error::new(ErrorKind::Cancelled, "try again", "the caller asked to stop").with_source(error));
            }
            () = context.clock.sleep(pause) => {}
        }
    }
}

fn spread(pause: Duration, context: &JobContext) -> Duration {
    let half = pause / 2;
    half + Duration::from_micros(context.entropy.below(u64::try_from(half.as_micros()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;
    use crate::{SimulatedClock, TaskSet};

    /// Runs attempts that fail as told, then succeed; returns the outcome, the attempts and the time taken.
    async fn run(
        policy: RetryPolicy,
        budget: &RetryBudget,
        failures: Vec<Error>,
    ) -> (Result<()>, usize, Duration) {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        let context = JobContext::system().with_clock(clock.shared());
        let tasks = TaskSet::new(&context.cancel);
        let ticking = clock.clone();
        let stop = tasks.cancel_token().clone();
        let driver = tasks.spawn(async move {
            while !stop.is_cancelled() {
                if ticking.sleepers() > 0 {
                    ticking.advance(Duration::from_millis(1));
                }
                tokio::task::yield_now().await;
            }
        });
        let (mut attempts, mut failures) = (0, failures.into_iter());
        let outcome = retry(&policy, budget, &context, || {
            attempts += 1;
            std::future::ready(failures.next().map_or(Ok(()), Err))
        })
        .await;
        tasks.shutdown().await;
        driver.await.unwrap();
        (outcome, attempts, crate::Clock::monotonic(&clock))
    }

    fn failure(kind: ErrorKind) -> Error {
        Error::new(kind, "call", "no")
    }

    #[tokio::test]
    async fn the_class_of_the_error_decides() {
        let budget = RetryBudget::default();
        let policy = RetryPolicy::default();
        let (outcome, attempts, _) = run(policy, &budget, vec![failure(ErrorKind::Unavailable)]).await;
        assert!(outcome.is_ok() && attempts == 2);
        let (outcome, attempts, _) = run(policy, &budget, vec![failure(ErrorKind::PermissionDenied)]).await;
        assert!(outcome.is_err() && attempts == 1);
        let (outcome, attempts, _) = run(policy, &budget, vec![failure(ErrorKind::Timeout)]).await;
        assert!(outcome.is_err() && attempts == 1, "it may have happened: look first");
        let (outcome, attempts, _) =
            run(policy.idempotent(), &budget, vec![failure(ErrorKind::Timeout)]).await;
        assert!(outcome.is_ok() && attempts == 2);
    }

    #[tokio::test]
    async fn attempts_pauses_and_budget_are_bounds() {
        let policy =
            RetryPolicy::default().with_pauses(Duration::from_millis(100), Duration::from_millis(300));
        let down = || (0..20).map(|_| failure(ErrorKind::Unavailable)).collect();
        let (outcome, attempts, time) = run(policy, &RetryBudget::default(), down()).await;
        assert_eq!((outcome.unwrap_err().kind(), attempts), (ErrorKind::Unavailable, 5));
        // 100 + 200 + 300 + 300 ms, each drawn from its upper half.
        assert!((450..=910).contains(&time.as_millis()), "{time:?}");
        let (_, attempts, _) = run(policy, &RetryBudget::new(2), down()).await;
        assert_eq!(attempts, 3, "the first and two retries");
        let asked =
            failure(ErrorKind::Unavailable).with_retry(Retry::After(Some(Duration::from_millis(250))));
        let (outcome, _, time) = run(policy, &RetryBudget::default(), vec![asked]).await;
        assert!(outcome.is_ok() && time >= Duration::from_millis(250), "{time:?}");
    }
}
