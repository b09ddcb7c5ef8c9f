//! `opsctl rollout run`.

use std::time::Duration;

use alfred_ops_core::{Error, ErrorKind, JobContext, Result, Retry};
use alfred_ops_maintenance::{Release, Rollout, RolloutEnd, RolloutState, RolloutStep, RolloutTarget};
use serde_json::json;

use super::desk::Desk;
use super::ended;
use crate::console::Console;
use crate::opsctl::report::Report;

/// Between two looks while nothing is known of the next moment: another host works, or the platform does not answer.
const PAUSE: Duration = Duration::from_secs(5);
/// Failures in a row that are taken for a passing trouble of the platform.
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

async fn to_the_end<T: RolloutTarget>(
    rollout: &Rollout<T>,
    context: &JobContext,
    console: &Console,
) -> Result<RolloutState> {
    let book = rollout.book(context);
    let (mut told, mut failures) = (String::new(), 0);
    loop {
        context.check("roll out").map_err(|error| {
            error.with_remedy("run it again to go on where it stands, or abort it to go back")
        })?;
        let (text, pause) = match rollout.run(context).await {
            Ok(Some(waits)) => {
                failures = 0;
                let pause = match &waits.step {
                    RolloutStep::Wait { until } => (*until - context.now()).to_std().unwrap_or_default(),
                    _ => PAUSE,
                };
                (waits.reason, pause)
            }
            Ok(None) => {
                if let Some(state) = book.state().await?.filter(RolloutState::is_over) {
                    return Ok(state);
                }
                ("another host works on it".to_owned(), PAUSE)
            }
            // What became of the change is seen by the next look.
            Err(error) if failures < FAILURES_MAX && is_passing(&error) => {
                failures += 1;
                (format!("failed, and is tried again: {}", error.full()), PAUSE)
            }
            Err(error) => return Err(error),
        };
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

fn is_passing(error: &Error) -> bool {
    error.kind() != ErrorKind::Cancelled && error.retry() != Retry::Never
}

fn over(name: &str, state: &RolloutState) -> Report {
    let end = state.end().map_or_else(String::new, ended);
    let is_good = matches!(state.end(), Some(RolloutEnd::Promoted { left }) if left.is_empty());
    let json = json!({ "rollout": name, "state": state, "end": state.end().map(RolloutEnd::name) });
    Report::new(format!("{name}: {} is {end}", state.release.revision), json).failed_if(!is_good)
}
