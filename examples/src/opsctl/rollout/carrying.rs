//! `opsctl rollout run`.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, Retry};
use alfred_ops_maintenance::{
    Release, Rollout, RolloutBook, RolloutEnd, RolloutPhase, RolloutState, RolloutStep, RolloutTarget,
};
use serde_json::json;

use super::desk::Desk;
use super::ended;
use crate::console::Console;
use crate::opsctl::report::Report;

/// Between two looks while nothing is known of the next moment: another host works, or the platform does not answer.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest of them: what is told in between stays readable.
const PAUSE_MAX: Duration = Duration::from_secs(60);
/// Failures in a row that, before anything was touched, are taken for a passing trouble of the platform.
const FAILURES_MAX: u32 = 60;

/// Begins a release, or goes on with the one under way, until it has ended; with `once`, as far as it goes without a wait.
pub(super) async fn carry(
    desk: &Desk<'_>,
    release: Option<Release>,
    once: bool,
    console: &Console,
) -> Result<Report> {
    let (name, context) = (&desk.config.name, desk.context);
    let running = desk.book().state().await?.filter(|state| !state.is_over()).map(|state| state.release);
    let Some(asked) = release.clone().or(running) else {
        return Err(Error::new(ErrorKind::InvalidInput, "roll out", "no rollout is under way")
            .with_target(name)
            .with_remedy("give --revision and --image of a release"));
    };
    let rollout = desk.rollout(Some(&asked)).await?;
    if let Some(release) = release {
        rollout.begin(context, release).await?;
    }
    if once {
        let waits = rollout.run(context).await?;
        let state = desk.book().state().await?;
        if let Some(report) = state.as_ref().filter(|state| state.is_over()).map(|state| over(name, state)) {
            return Ok(report);
        }
        let text = waits.map_or_else(|| "another host works on it".to_owned(), |waits| waits.to_string());
        return Ok(Report::new(
            format!("{name}: {text}"),
            json!({ "rollout": name, "state": state, "waits": text }),
        ));
    }
    let state = to_the_end(&rollout, context, console).await?;
    Ok(over(name, &state))
}

/// What one look comes to.
enum Look {
    Over(Box<RolloutState>),
    Waits { text: String, pause: Duration },
}

/// Goes on until the rollout is over. Once its target may have been touched, nothing but the person who stops this ends it: a
/// candidate that has a share is judged for as long as it has it.
async fn to_the_end<T: RolloutTarget>(
    rollout: &Rollout<T>,
    context: &JobContext,
    console: &Console,
) -> Result<RolloutState> {
    let book = rollout.book(context);
    let mut stands = book.state().await?;
    let (mut told, mut failures) = (String::new(), 0_u32);
    loop {
        context.check("roll out").map_err(|error| left(error, stands.as_ref()))?;
        let (text, pause) = match look(rollout, &book, context).await {
            Ok(Look::Over(state)) => return Ok(*state),
            Ok(Look::Waits { text, pause }) => {
                failures = 0;
                (text, pause)
            }
            Err(error) if !is_tried_again(&error, failures, stands.as_ref()) => {
                return Err(left(error, stands.as_ref()));
            }
            // What became of the change is seen by the next look.
            Err(error) => {
                failures = failures.saturating_add(1);
                let pause = PAUSE.saturating_mul(failures).min(PAUSE_MAX);
                (format!("failed, and is tried again: {}", error.full()), pause)
            }
        };
        // One that the store does not show now stands as it last did.
        if let Ok(Some(state)) = book.state().await {
            stands = Some(state);
        }
        if text != told {
            console.step(&text);
            told = text;
        }
        tokio::select! {
            () = context.clock.sleep(pause) => {}
            () = context.cancel.cancelled() => {}
        }
    }
}

async fn look<T: RolloutTarget>(
    rollout: &Rollout<T>,
    book: &RolloutBook,
    context: &JobContext,
) -> Result<Look> {
    if let Some(waits) = rollout.run(context).await? {
        let pause = match &waits.step {
            RolloutStep::Wait { until } => (*until - context.now()).to_std().unwrap_or_default(),
            _ => PAUSE,
        };
        return Ok(Look::Waits { text: waits.reason, pause });
    }
    Ok(match book.state().await?.filter(RolloutState::is_over) {
        Some(state) => Look::Over(Box::new(state)),
        None => Look::Waits { text: "another host works on it".to_owned(), pause: PAUSE },
    })
}

fn is_tried_again(error: &Error, failures: u32, stands: Option<&RolloutState>) -> bool {
    let is_touched =
        stands.is_some_and(|state| !matches!(state.phase, RolloutPhase::Checking | RolloutPhase::Gated));
    let is_passing = failures < FAILURES_MAX && error.retry() != Retry::Never;
    error.kind() != ErrorKind::Cancelled && (is_touched || is_passing)
}

/// An error that leaves the rollout as it stands, and what to do about that.
fn left(error: Error, stands: Option<&RolloutState>) -> Error {
    let remedy = "run it again to go on where it stands, or abort it to go back";
    let Some(state) = stands.filter(|state| !state.is_over()) else { return error.with_remedy(remedy) };
    let message = format!("{} is left {}, with {}", state.release.revision, state.phase, state.split);
    Error::new(error.kind(), "roll out", message).with_source(error).with_remedy(remedy)
}

fn over(name: &str, state: &RolloutState) -> Report {
    let end = state.end().map_or_else(String::new, ended);
    let is_good = matches!(state.end(), Some(RolloutEnd::Promoted { left }) if left.is_empty());
    let json = json!({ "rollout": name, "state": state, "end": state.end().map(RolloutEnd::name) });
    Report::new(format!("{name}: {} is {end}", state.release.revision), json).failed_if(!is_good)
}
