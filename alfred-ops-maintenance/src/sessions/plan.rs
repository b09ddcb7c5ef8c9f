//! Which sessions are ended. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{SessionFacts, SessionPolicy, SessionState, SessionView};
use crate::ChorePlan;

/// Which sessions are ended, and which are not although others suffer from them.
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct SessionPlan {
    /// What is done.
    pub steps: Vec<SessionStep>,
    /// What is not done.
    pub skipped: Vec<(i32, SessionSkip)>,
    /// What the role lacks, and what no session can mend.
    pub obstacles: Vec<String>,
}

/// One session that is ended.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct SessionStep {
    /// The session as it was seen. Another of the same process is left alone, and so is this one in another transaction, when
    /// it blocks nobody any longer, or when it was ended for doing nothing and has done something since.
    pub session: SessionView,
    /// Why.
    pub reason: SessionReason,
    /// Whether its statement is cancelled first, and the session only if that does not help. A session that runs no
    /// statement has none that could be cancelled.
    pub cancel_first: bool,
}

/// Why a session is ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionReason {
    /// It stands at the head of a queue.
    Blocks {
        /// So many wait for it, directly or behind others,
        waiters: usize,
        /// one of them for so long.
        longest: Duration,
    },
    /// It does nothing within a transaction.
    IdleInTransaction {
        /// For so long.
        since: Duration,
    },
    /// The connections run out, and it is idle.
    TooMany {
        /// For so long.
        idle: Duration,
        /// There are so many sessions.
        sessions: u64,
        /// Of so many that the server allows.
        allowed: u64,
    },
}

/// Why a session is not ended although others wait for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionSkip {
    /// It is the server's own, or replication's.
    NotAClient,
    /// It vacuums, analyzes, copies, builds an index or takes a backup.
    Maintenance,
    /// The policy protects it.
    Protected,
    /// It is a superuser's.
    Superuser,
}

/// Decides which sessions are ended, as it was at `now`: what was not long enough then is another run's, though it was seen
/// later. Pure.
///
/// Of those that block, only heads of queues are: who waits himself is a victim, whoever waits behind him. Who waits in a
/// circle is the deadlock detector's. When connections run out, no session goes that listens or holds an advisory lock.
#[must_use]
pub fn plan_sessions(facts: &SessionFacts, policy: &SessionPolicy, now: DateTime<Utc>) -> SessionPlan {
    let facts = &as_of(facts, now);
    let mut plan =
        SessionPlan { obstacles: facts.missing.iter().cloned().collect(), ..SessionPlan::default() };
    let mut waiters = heads(facts);
    if let Some((count, longest)) = waiters.remove(&0)
        && longest >= policy.blocks_max
    {
        plan.obstacles.push(format!(
            "a prepared transaction keeps {count} sessions waiting, one of them for {} s; commit it or roll it back",
            longest.as_secs()
        ));
    }
    for session in &facts.sessions {
        let blocks = waiters.get(&session.pid).filter(|(_, longest)| *longest >= policy.blocks_max);
        let idles = session.state == SessionState::IdleInTransaction
            && session.state_for >= policy.idle_in_transaction_max;
        let reason = match blocks {
            Some((waiters, longest)) => SessionReason::Blocks { waiters: *waiters, longest: *longest },
            None if idles => SessionReason::IdleInTransaction { since: session.state_for },
            None => continue,
        };
        match protection(session, policy) {
            Some(skip) => plan.skipped.push((session.pid, skip)),
            None => plan.end(session, reason),
        }
    }
    plan.make_room(facts, policy);
    plan
}

/// The facts with the ages that they had at `now`.
fn as_of(facts: &SessionFacts, now: DateTime<Utc>) -> SessionFacts {
    let since = (facts.looked_at - now).to_std().unwrap_or_default();
    let mut facts = facts.clone();
    for session in &mut facts.sessions {
        session.state_for = session.state_for.saturating_sub(since);
        session.waits_for = session.waits_for.map(|waited| waited.saturating_sub(since));
    }
    facts
}

/// Who stands at the head of a queue: how many wait for it, and the longest of them.
fn heads(facts: &SessionFacts) -> BTreeMap<i32, (usize, Duration)> {
    let by_pid: BTreeMap<i32, &SessionView> =
        facts.sessions.iter().map(|session| (session.pid, session)).collect();
    let mut heads: BTreeMap<i32, (usize, Duration)> = BTreeMap::new();
    for session in &facts.sessions {
        let Some(waits_for) = session.waits_for else { continue };
        let (mut seen, mut open) = (BTreeSet::from([session.pid]), session.blocked_by.clone());
        while let Some(pid) = open.pop() {
            if !seen.insert(pid) {
                continue;
            }
            match by_pid.get(&pid) {
                Some(blocker) if !blocker.blocked_by.is_empty() => open.extend(&blocker.blocked_by),
                // Gone meanwhile.
                None if pid != 0 => {}
                _ => {
                    let head = heads.entry(pid).or_default();
                    *head = (head.0 + 1, head.1.max(waits_for));
                }
            }
        }
    }
    heads
}

fn protection(session: &SessionView, policy: &SessionPolicy) -> Option<SessionSkip> {
    let ours = |start: &String| session.application.starts_with(start.as_str());
    if !session.is_client {
        Some(SessionSkip::NotAClient)
    } else if session.is_maintenance {
        Some(SessionSkip::Maintenance)
    } else if policy.protected_roles.contains(&session.role) || policy.protected_applications.iter().any(ours)
    {
        Some(SessionSkip::Protected)
    } else if session.is_superuser {
        Some(SessionSkip::Superuser)
    } else {
        None
    }
}

impl SessionPlan {
    fn end(&mut self, session: &SessionView, reason: SessionReason) {
        let cancel_first = session.state == SessionState::Active;
        self.steps.push(SessionStep { session: session.clone(), reason, cancel_first });
    }

    /// Ends idle sessions until few enough are left.
    fn make_room(&mut self, facts: &SessionFacts, policy: &SessionPolicy) {
        let clients = facts.sessions.iter().filter(|session| session.is_client).count();
        let sessions = u64::try_from(clients).unwrap_or(u64::MAX);
        let allowed = facts.connections_max;
        let ended: BTreeSet<i32> = self.steps.iter().map(|step| step.session.pid).collect();
        let (relied_on, mut idle): (Vec<&SessionView>, Vec<&SessionView>) = facts
            .sessions
            .iter()
            .filter(|session| session.state == SessionState::Idle && session.state_for >= policy.idle_min)
            .filter(|session| protection(session, policy).is_none() && !ended.contains(&session.pid))
            .partition(|session| session.is_relied_on);
        idle.sort_by_key(|session| (session.state_for, session.pid));
        // A session whose statement is cancelled may well stay.
        let terminated = self.steps.iter().filter(|step| !step.cancel_first).count();
        let mut left = sessions.saturating_sub(u64::try_from(terminated).unwrap_or(u64::MAX));
        #[expect(clippy::cast_precision_loss, reason = "a number of connections")]
        let too_many = |left: u64| allowed > 0 && left as f64 > allowed as f64 * policy.connections_share;
        while too_many(left) {
            let Some(longest) = idle.pop() else { break };
            left -= 1;
            self.end(longest, SessionReason::TooMany { idle: longest.state_for, sessions, allowed });
        }
        if too_many(left) {
            self.obstacles.push(format!(
                "{sessions} of {allowed} connections are in use, and none more is idle for long enough to be ended{}; \
                 lower the pools' sizes, or allow more",
                match relied_on.len() {
                    0 => String::new(),
                    idle => format!(" but {idle} that listen or hold advisory locks"),
                }
            ));
        }
    }
}

impl ChorePlan for SessionPlan {
    fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    fn obstacles(&self) -> Vec<String> {
        self.obstacles.clone()
    }
}

impl fmt::Display for SessionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            f.write_str("no session to end")?;
        }
        for (number, step) in self.steps.iter().enumerate() {
            let SessionView { pid, role, application, .. } = &step.session;
            let how = if step.cancel_first { "cancel, then terminate" } else { "terminate" };
            let line_end = if number > 0 { "\n" } else { "" };
            write!(f, "{line_end}{how} session {pid} of {role} ({application}): {}", step.reason)?;
        }
        for (pid, skip) in &self.skipped {
            let why = match skip {
                SessionSkip::NotAClient => "it is no client's",
                SessionSkip::Maintenance => "it does maintenance",
                SessionSkip::Protected => "the policy protects it",
                SessionSkip::Superuser => "it is a superuser's",
            };
            write!(f, "\nleave session {pid}, though others wait for it or could: {why}")?;
        }
        self.obstacles.iter().try_for_each(|obstacle| write!(f, "\nobstacle: {obstacle}"))
    }
}

impl fmt::Display for SessionReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Blocks { waiters, longest } => {
                write!(f, "{waiters} wait for it, one of them for {} s", longest.as_secs())
            }
            Self::IdleInTransaction { since } => {
                write!(f, "it has done nothing within a transaction for {} s", since.as_secs())
            }
            Self::TooMany { idle, sessions, allowed } => {
                write!(
                    f,
                    "{sessions} of {allowed} connections are in use, and it is idle for {} s",
                    idle.as_secs()
                )
            }
        }
    }
}
