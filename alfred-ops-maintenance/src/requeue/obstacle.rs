//! Tasks that a worker's name keeps alive for too long. Pure.

use std::collections::BTreeSet;

use super::{Heartbeat, RequeuePolicy, StuckTask};
use crate::postgres::quoted;

/// So many are named: the plan names them all.
const NAMED_MAX: usize = 20;

/// What is said of tasks that run for several timeouts though their worker beats: either it forgot them, or it is dead and
/// a successor beats under its name.
pub(super) fn overstayed(left: &[StuckTask], policy: &RequeuePolicy) -> Option<String> {
    let Heartbeat::Worker { process_started_at, claimed_by, .. } = &policy.heartbeat else { return None };
    let tasks: Vec<&StuckTask> = left
        .iter()
        .filter(|task| task.runs_for > task.timeout.saturating_mul(policy.timeouts_max).max(policy.silence))
        .collect();
    if tasks.is_empty() {
        return None;
    }
    let workers: BTreeSet<&str> =
        tasks.iter().filter_map(|task| task.worker.as_deref()).take(NAMED_MAX).collect();
    let workers: Vec<&str> = workers.into_iter().collect();
    let remedy = if process_started_at.is_some() || claimed_by.is_some() {
        "look at these workers, which live and do not end them"
    } else {
        "somebody beats under their workers' names, maybe a successor of one that died: have workers write when they \
         began and name the column by with_process_start"
    };
    Some(format!(
        "{} tasks of {} run for more than {} times their timeout and stay with their worker; {remedy}; where nobody works \
         on them any more, run {}",
        tasks.len(),
        workers.join(", "),
        policy.timeouts_max,
        release(&tasks, policy)
    ))
}

/// The statement by which a person gives them back.
fn release(tasks: &[&StuckTask], policy: &RequeuePolicy) -> String {
    let columns = &policy.columns;
    let [id, status, assigned, started, retries, epoch] = [
        &columns.id,
        &columns.status,
        &columns.assigned_to,
        &columns.started_at,
        &columns.retry_count,
        &policy.epoch,
    ]
    .map(|name| quoted(name));
    let grows = |column: &str| format!("{column} = coalesce({column}, 0) + 1");
    let grow =
        if epoch == retries { grows(&retries) } else { format!("{}, {}", grows(&retries), grows(&epoch)) };
    let ids: Vec<String> = tasks.iter().take(NAMED_MAX).map(|task| literal(&task.id)).collect();
    format!(
        "UPDATE {} SET {status} = {}, {grow}, {assigned} = NULL, {started} = NULL WHERE {status} = {} AND {id} IN ({})",
        policy.tasks,
        literal(&policy.pending),
        literal(&policy.processing),
        ids.join(", "),
    )
}

fn literal(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
