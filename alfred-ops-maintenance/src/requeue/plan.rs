//! What becomes of tasks that run for too long. Pure.

use std::collections::BTreeMap;
use std::fmt;

use chrono::{DateTime, Utc};

use super::obstacle::overstayed;
use super::{RequeueFacts, RequeuePolicy, StuckTask};
use crate::ChorePlan;

/// What becomes of tasks that run for longer than their timeout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RequeuePlan {
    /// The type of the tasks' id.
    pub id_type: String,
    /// Their worker is dead: they wait again.
    pub again: Vec<StuckTask>,
    /// Their worker is dead, and they were tried as often as they may be: they fail.
    pub fail: Vec<StuckTask>,
    /// Their worker lives: they stay with it.
    pub leave: Vec<StuckTask>,
    /// Whether there may be more than one plan holds.
    pub is_full: bool,
    /// What is in the way.
    pub obstacles: Vec<String>,
}

/// Decides what becomes of each, as it was at `now`: what was not due then is another run's, though it was seen later.
/// Pure.
#[must_use]
pub fn plan_requeue(facts: &RequeueFacts, policy: &RequeuePolicy, now: DateTime<Utc>) -> RequeuePlan {
    let since = (facts.looked_at - now).to_std().unwrap_or_default();
    let mut plan = RequeuePlan {
        id_type: facts.id_type.clone(),
        is_full: facts.is_full,
        obstacles: facts.obstacles.clone(),
        ..RequeuePlan::default()
    };
    for mut task in facts.tasks.iter().cloned() {
        task.runs_for = task.runs_for.saturating_sub(since);
        task.silent_for = task.silent_for.saturating_sub(since);
        if task.runs_for < task.timeout {
            continue;
        }
        if task.silent_for < policy.silence {
            plan.leave.push(task);
        } else if task.retries < task.retries_max {
            plan.again.push(task);
        } else {
            plan.fail.push(task);
        }
    }
    plan.obstacles.extend(overstayed(&plan.leave, policy));
    plan
}

impl ChorePlan for RequeuePlan {
    fn is_empty(&self) -> bool {
        self.again.is_empty() && self.fail.is_empty()
    }

    fn obstacles(&self) -> Vec<String> {
        self.obstacles.clone()
    }
}

impl fmt::Display for RequeuePlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            f.write_str("no task to requeue")?;
        }
        let mut first = !self.is_empty();
        let mut lines = |f: &mut fmt::Formatter<'_>, tasks: &[StuckTask], what: &str, why: &str| {
            let mut by_worker: BTreeMap<&str, Vec<&StuckTask>> = BTreeMap::new();
            for task in tasks {
                by_worker.entry(task.worker.as_deref().unwrap_or("nobody")).or_default().push(task);
            }
            for (worker, tasks) in by_worker {
                f.write_str(if std::mem::take(&mut first) { "" } else { "\n" })?;
                let silent = tasks.iter().map(|task| task.silent_for.as_secs()).min().unwrap_or(0);
                let ids: Vec<&str> = tasks.iter().map(|task| task.id.as_str()).collect();
                write!(f, "{what} {} of {worker}, silent for {silent} s{why}: {}", ids.len(), ids.join(" "))?;
            }
            Ok(())
        };
        lines(f, &self.again, "requeue", "")?;
        lines(f, &self.fail, "fail", ", tried as often as they may be")?;
        lines(f, &self.leave, "leave", ", which lives, though they run for longer than they may")?;
        self.obstacles.iter().try_for_each(|obstacle| write!(f, "\nobstacle: {obstacle}"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::Heartbeat;

    fn task(id: &str, worker: &str, retries: i64, silent: u64) -> StuckTask {
        StuckTask {
            id: id.to_owned(),
            worker: Some(worker.to_owned()),
            retries,
            retries_max: 3,
            silent_for: Duration::from_secs(silent),
            ..StuckTask::default()
        }
    }

    #[test]
    fn the_living_keep_their_tasks_and_the_dead_s_are_tried_again_or_fail() {
        RequeuePolicy::platform().check().unwrap();
        let tasks = vec![
            task("a", "social", 0, 300),
            task("b", "social", 3, 300),
            task("c", "legal", 0, 119),
            StuckTask { worker: None, ..task("d", "", 2, 120) },
            task("e", "social", 1, 200),
        ];
        let mut facts = RequeueFacts { tasks, ..RequeueFacts::default() };
        let plan = plan_requeue(&facts, &RequeuePolicy::platform(), DateTime::UNIX_EPOCH);
        assert_eq!(
            plan.to_string(),
            "requeue 1 of nobody, silent for 120 s: d\nrequeue 2 of social, silent for 200 s: a e\n\
             fail 1 of social, silent for 300 s, tried as often as they may be: b\n\
             leave 1 of legal, silent for 119 s, which lives, though they run for longer than they may: c"
        );
        facts.tasks.retain(|task| task.id == "c");
        let plan = plan_requeue(&facts, &RequeuePolicy::platform(), DateTime::UNIX_EPOCH);
        assert!(
            plan.is_empty() && plan.to_string().starts_with("no task to requeue\nleave 1 of legal"),
            "{plan}"
        );
        let mut wrong = RequeuePolicy::platform();
        wrong.silence = Duration::ZERO;
        assert!(wrong.check().unwrap_err().to_string().contains("silence: 0 s"));
    }

    #[test]
    fn what_was_not_due_when_the_run_began_is_another_run_s() {
        let due = |runs: u64, silent: u64| StuckTask {
            runs_for: Duration::from_secs(runs),
            timeout: Duration::from_secs(300),
            ..task("a", "w", 0, silent)
        };
        let facts = RequeueFacts {
            looked_at: DateTime::UNIX_EPOCH + Duration::from_secs(30),
            tasks: vec![due(331, 151), due(329, 151), due(331, 149)],
            ..RequeueFacts::default()
        };
        let fates = |now| {
            let plan = plan_requeue(&facts, &RequeuePolicy::platform(), now);
            (plan.again.len(), plan.leave.len())
        };
        assert_eq!(fates(DateTime::UNIX_EPOCH), (1, 1));
        assert_eq!(fates(facts.looked_at), (3, 0));
        assert_eq!(
            fates(facts.looked_at + Duration::from_secs(9)),
            (3, 0),
            "who plans later sees no further"
        );
    }

    #[test]
    fn a_task_that_a_name_keeps_alive_is_told() {
        let left = |id: &str, runs: u64| StuckTask {
            runs_for: Duration::from_secs(runs),
            timeout: Duration::from_secs(100),
            ..task(id, "social", 0, 5)
        };
        let tasks = vec![left("a", 301), left("b", 300), left("c'", 900)];
        let facts = RequeueFacts { tasks, ..RequeueFacts::default() };
        let told = |policy: &RequeuePolicy| {
            plan_requeue(&facts, policy, DateTime::UNIX_EPOCH).obstacles().join("\n")
        };
        let text = told(&RequeuePolicy::platform());
        for part in [
            "2 tasks of social run for more than 3 times their timeout",
            "with_process_start",
            "('a', 'c''')",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let text = told(&RequeuePolicy::platform().with_process_start("began"));
        assert!(text.contains("look at these workers") && !text.contains("with_process_start"), "{text}");
        let own = Heartbeat::Task { column: "alive_at".to_owned() };
        assert_eq!(told(&RequeuePolicy::platform().with_heartbeat(own, Duration::from_secs(90))), "");
    }

    proptest! {
        #[test]
        fn each_task_has_one_fate_and_no_living_worker_loses_any(
            seen in prop::collection::vec((0i64..6, 0u64..300), 0..50),
        ) {
            let tasks: Vec<StuckTask> =
                seen.iter().enumerate().map(|(n, (retries, silent))| task(&n.to_string(), "w", *retries, *silent)).collect();
            let facts = RequeueFacts { tasks: tasks.clone(), ..RequeueFacts::default() };
            let plan = plan_requeue(&facts, &RequeuePolicy::platform(), DateTime::UNIX_EPOCH);
            prop_assert_eq!(plan.again.len() + plan.fail.len() + plan.leave.len(), tasks.len());
            prop_assert!(plan.leave.iter().all(|task| task.silent_for.as_secs() < 120));
            prop_assert!(plan.again.iter().chain(&plan.fail).all(|task| task.silent_for.as_secs() >= 120));
            prop_assert!(plan.again.iter().all(|task| task.retries < 3) && plan.fail.iter().all(|task| task.retries >= 3));
        }
    }
}
