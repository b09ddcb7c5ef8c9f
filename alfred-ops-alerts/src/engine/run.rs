//! The engine's tasks.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Changes, ClockExt as _, Result, SharedClock, TaskHandle, TaskSet};
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::AlertEngine;
use super::group::Group;
use super::jobs::Jobs;
use super::keeper::SAVE_INTERVAL;
use crate::scrape::next_run;

/// How long the last attempts may take once the engine is told to stop; orchestrators kill after 10 s.
const DRAIN_MAX: Duration = Duration::from_secs(8);
/// How often a source that tells of changes is looked at between two scrapes at most: what changes all the time must not
/// be read all the time, and each reading has a millisecond of its own.
const LOOK_INTERVAL_MIN: Duration = Duration::from_millis(20);

/// Runs the engine's tasks until `cancel` is cancelled or one of them panics.
pub(super) async fn run(engine: &AlertEngine, cancel: &CancellationToken) -> Result<()> {
    let clock = &engine.parts().clock;
    // Alerting goes on without its store; the state's task tries again.
    drop(engine.restore(clock.now()).await);
    let readers = TaskSet::new(cancel);
    // Deliverers outlive the readers, so that the last evaluation's notifications are still delivered.
    let deliverers = TaskSet::new(&CancellationToken::new());
    let mut tasks: FuturesUnordered<_> = start(engine, &readers, &deliverers).collect();
    let mut evaluated = Vec::new();
    tasks.extend(start_groups(engine, &readers, &mut evaluated));
    let ended = loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => break Ok(()),
            // Before the cancellation tasks end only by a panic, or with the group that they evaluate.
            Some(outcome) = tasks.next() => {
                if outcome.is_err() {
                    break outcome;
                }
            }
            () = engine.parts().groups.exchanged.notified() => {
                tasks.extend(start_groups(engine, &readers, &mut evaluated));
            }
        }
    };
    readers.shutdown().await;
    // Nothing comes in any more, and the two share what an orchestrator waits.
    let (_, _) = futures::future::join(engine.save_samples(clock.now(), true), deliverers.shutdown()).await;
    drop(engine.save_alerts(clock.now()).await);
    ended
}

fn start(
    engine: &AlertEngine,
    readers: &TaskSet,
    deliverers: &TaskSet,
) -> impl Iterator<Item = TaskHandle<()>> {
    let mut handles = Vec::new();
    for index in 0..engine.parts().probes.len() {
        handles.push(readers.spawn(scrape_loop(engine.clone(), index, readers.cancel_token().clone())));
    }
    handles.extend(Jobs::start(engine, readers));
    if engine.parts().keeper.is_some() {
        handles.push(readers.spawn(state_loop(engine.clone(), readers.cancel_token().clone())));
    }
    if engine.parts().snapshots.is_some() {
        handles.push(readers.spawn(snapshot_loop(engine.clone(), readers.cancel_token().clone())));
    }
    for index in 0..engine.parts().dispatches.len() {
        handles.push(deliverers.spawn(deliver_loop(
            engine.clone(),
            index,
            deliverers.cancel_token().clone(),
        )));
    }
    for index in 0..engine.parts().alertmanagers.posts().len() {
        handles.push(deliverers.spawn(post_loop(engine.clone(), index, deliverers.cancel_token().clone())));
    }
    handles.into_iter()
}

/// Starts the evaluation of all groups that are not among the `evaluated`.
fn start_groups(
    engine: &AlertEngine,
    readers: &TaskSet,
    evaluated: &mut Vec<Arc<Group>>,
) -> Vec<TaskHandle<()>> {
    let groups = engine.parts().groups.list();
    let known = std::mem::replace(evaluated, groups);
    let new = evaluated.iter().filter(|group| !known.iter().any(|known| Arc::ptr_eq(known, group)));
    new.map(|group| {
        let cancel = readers.cancel_token().clone();
        readers.spawn(evaluate_loop(engine.clone(), Arc::clone(group), cancel))
    })
    .collect()
}

/// Scrapes a target at its times, and looks at it in between when its source tells of changes.
async fn scrape_loop(engine: AlertEngine, index: usize, cancel: CancellationToken) {
    let Some(probe) = engine.parts().probes.get(index) else { return };
    let clock = &engine.parts().clock;
    let mut changes = probe.changes();
    let mut next = next_run(clock.now(), probe.interval, probe.seed);
    let mut last_asked = None;
    loop {
        let changed = tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = changed(&mut changes) => true,
            () = clock.sleep(until(clock, next)) => false,
        };
        let pause =
            last_asked.map_or(Duration::ZERO, |at| LOOK_INTERVAL_MIN.saturating_sub(clock.monotonic() - at));
        let asked = async {
            if changed {
                clock.sleep(pause).await;
            }
            // A scrape sees what has changed as well, and must not be put off by changes that never end.
            if clock.now() >= next {
                engine.scrape_and_react(probe, clock.now()).await;
                next = next_run(clock.now(), probe.interval, probe.seed);
            } else {
                engine.look_and_react(probe, clock.now()).await;
            }
        };
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = asked => {}
        }
        last_asked = Some(clock.monotonic());
    }
}

/// Returns when the source tells of a change; never if it cannot.
async fn changed(changes: &mut Option<Changes>) {
    match changes {
        Some(changes) => changes.next().await,
        None => std::future::pending().await,
    }
}

/// Evaluates a group at its times, until another takes its place. Groups of the same interval have their own places within
/// it, as in Prometheus: evaluated all at once they would hold up everything else. Times that pass while a group is being
/// evaluated are left out: its rules look at the present.
async fn evaluate_loop(engine: AlertEngine, group: Arc<Group>, cancel: CancellationToken) {
    let clock = &engine.parts().clock;
    loop {
        let next = next_run(clock.now(), group.interval, group.seed);
        tokio::select! {
            biased;
            () = group.retired.cancelled() => return,
            slept = sleep_until(clock, next, &cancel) => {
                if !slept {
                    return;
                }
            }
        }
        // Sources may take long to answer.
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = group.retired.cancelled() => return,
            () = engine.evaluate_group(&group, clock.now()) => {}
        }
    }
}

/// Restores the state if the start could not, and saves it when something changes and now and then.
async fn state_loop(engine: AlertEngine, cancel: CancellationToken) {
    let Some(keeper) = &engine.parts().keeper else { return };
    let clock = &engine.parts().clock;
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = keeper.changed.notified() => {}
            () = clock.sleep(SAVE_INTERVAL) => {}
        }
        // Both note in the status how they fare, and the next round makes up for what failed.
        if engine.restore_alerts(clock.now()).await.is_ok() {
            drop(engine.save_alerts(clock.now()).await);
        }
    }
}

/// Writes the samples down at their interval, and reads those of the last run if the start could not.
async fn snapshot_loop(engine: AlertEngine, cancel: CancellationToken) {
    let Some(snapshots) = &engine.parts().snapshots else { return };
    let clock = &engine.parts().clock;
    loop {
        tokio::select! {
            biased;
            () = cancel.cancelled() => return,
            () = clock.sleep(snapshots.interval) => {}
        }
        // Both note in the status how they fare.
        drop(engine.restore_samples(clock.now()).await);
        drop(engine.save_samples(clock.now(), false).await);
    }
}

async fn deliver_loop(engine: AlertEngine, index: usize, cancel: CancellationToken) {
    let Some(dispatch) = engine.parts().dispatches.get(index) else { return };
    let clock = &engine.parts().clock;
    while !cancel.is_cancelled() {
        dispatch.deliver_due(clock.now(), clock).await;
        // What has arrived need not be told after a restart.
        engine.note_change(true);
        let next = dispatch.next_due();
        tokio::select! {
            biased;
            () = cancel.cancelled() => {}
            () = dispatch.put.notified() => {}
            _ = sleep_until(clock, next.unwrap_or_default(), &cancel), if next.is_some() => {}
        }
    }
    dispatch.hurry(clock.now());
    let last_attempts = dispatch.deliver_due(clock.now(), clock);
    if clock.timeout(DRAIN_MAX, "drain", last_attempts).await.is_err() {
        tracing::error!(waiting = dispatch.status().waiting, "notifications are left undelivered");
    }
}

/// Tells an Alertmanager what waits for it.
async fn post_loop(engine: AlertEngine, index: usize, cancel: CancellationToken) {
    if let Some(post) = engine.parts().alertmanagers.posts().get(index) {
        post.run(&engine.parts().clock, &cancel, DRAIN_MAX).await;
    }
}

/// Returns true at `time`, false if cancelled before.
async fn sleep_until(clock: &SharedClock, time: DateTime<Utc>, cancel: &CancellationToken) -> bool {
    tokio::select! {
        biased;
        () = cancel.cancelled() => false,
        () = clock.sleep(until(clock, time)) => true,
    }
}

fn until(clock: &SharedClock, time: DateTime<Utc>) -> Duration {
    (time - clock.now()).to_std().unwrap_or_default()
}
