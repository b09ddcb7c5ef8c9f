//! Sessions, transactions and connections. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::size_estimate::share;
use super::{DatabaseFacts, DatabaseFault, DatabaseFinding, DatabaseRemedy, DatabaseSeverity, DoctorPolicy};
use crate::{HorizonHolder, SessionState, SessionView};

/// From this share on the next clients are refused within minutes.
const ALMOST_ALL: f64 = 0.95;

pub(super) fn findings(facts: &DatabaseFacts, policy: &DoctorPolicy, found: &mut Vec<DatabaseFinding>) {
    for limit in &facts.limits {
        let used = share(limit.used, limit.allowed);
        if limit.allowed > 0 && used >= policy.connections_share {
            let severity =
                if used >= ALMOST_ALL { DatabaseSeverity::Critical } else { DatabaseSeverity::Warning };
            let figures = format!("{} of {} connections are in use", limit.used, limit.allowed);
            let advice = "end idle ones, pool connections, or allow more".to_owned();
            let fault = DatabaseFault::NearConnectionLimit;
            found.push(DatabaseFinding::new(
                fault,
                severity,
                &limit.place,
                figures,
                DatabaseRemedy::Do(advice),
            ));
        }
    }
    blockers(facts, policy, found);
    transactions(facts, policy, found);
    for prepared in facts.prepared.iter().filter(|prepared| prepared.age >= policy.transaction_max) {
        let figures = format!("of {}, prepared {} s ago", prepared.owner, prepared.age.as_secs());
        let name = prepared.name.replace('\'', "''");
        let advice = format!("ask its coordinator, then COMMIT PREPARED or ROLLBACK PREPARED '{name}'");
        let place = format!("prepared transaction '{name}'");
        found.push(warning(DatabaseFault::ForgottenPrepared, place, figures, advice));
    }
    for holder in facts.holders.iter().filter(|holder| holder.age() >= policy.horizon_age_max) {
        let place = match holder {
            HorizonHolder::Session { what, .. } => format!("session ({what})"),
            HorizonHolder::Prepared { name, .. } => format!("prepared transaction '{name}'"),
            HorizonHolder::Slot { name, .. } => format!("slot {name}"),
            HorizonHolder::Standby { name, .. } => format!("standby {name}"),
        };
        let advice = "end it, or let it catch up".to_owned();
        found.push(warning(DatabaseFault::HeldHorizon, place, holder.to_string(), advice));
    }
}

/// Those who wait for nobody and for whom somebody waits, directly or behind others.
fn blockers(facts: &DatabaseFacts, policy: &DoctorPolicy, found: &mut Vec<DatabaseFinding>) {
    let sessions: BTreeMap<i32, &SessionView> =
        facts.sessions.sessions.iter().map(|session| (session.pid, session)).collect();
    let mut victims: BTreeMap<i32, (u64, Duration)> = BTreeMap::new();
    for session in &facts.sessions.sessions {
        let Some(waits) = session.waits_for.filter(|waits| *waits >= policy.blocks_max) else { continue };
        for head in heads(session, &sessions) {
            let (count, longest) = victims.entry(head).or_default();
            *count += 1;
            *longest = waits.max(*longest);
        }
    }
    for (pid, (count, longest)) in victims {
        let (place, who) = match sessions.get(&pid) {
            Some(session) => (whose(session), format!("session {pid}")),
            // The server does not say which.
            None => ("prepared transaction".to_owned(), "a prepared transaction".to_owned()),
        };
        let figures = format!("{count} wait behind {who}, one of them for {} s", longest.as_secs());
        let advice = match pid {
            0 => "commit it or roll it back: see pg_prepared_xacts".to_owned(),
            _ => format!(
                "SELECT pg_cancel_backend({pid}), and if it does not obey pg_terminate_backend({pid})"
            ),
        };
        let (fault, severity) = (DatabaseFault::Blocker, DatabaseSeverity::Critical);
        found.push(DatabaseFinding::new(fault, severity, place, figures, DatabaseRemedy::Do(advice)));
    }
}

fn heads(session: &SessionView, sessions: &BTreeMap<i32, &SessionView>) -> BTreeSet<i32> {
    let (mut seen, mut heads) = (BTreeSet::from([session.pid]), BTreeSet::new());
    let mut open = session.blocked_by.clone();
    while let Some(pid) = open.pop() {
        if !seen.insert(pid) {
            continue;
        }
        match sessions.get(&pid) {
            Some(next) if next.blocked_by.is_empty() => drop(heads.insert(pid)),
            Some(next) => open.extend(&next.blocked_by),
            None if pid == 0 => drop(heads.insert(pid)),
            // It ended between two questions.
            None => {}
        }
    }
    heads
}

fn transactions(facts: &DatabaseFacts, policy: &DoctorPolicy, found: &mut Vec<DatabaseFinding>) {
    for session in facts.sessions.sessions.iter().filter(|session| session.is_client) {
        let idles = session.state == SessionState::IdleInTransaction;
        let advice = format!("SELECT pg_terminate_backend({}), if its owner does not end it", session.pid);
        if idles && session.state_for >= policy.idle_in_transaction_max {
            let figures =
                format!("session {} has done nothing for {} s", session.pid, session.state_for.as_secs());
            found.push(warning(DatabaseFault::IdleTransaction, whose(session), figures, advice));
            continue;
        }
        let age =
            session.transaction_at.and_then(|began| facts.at.signed_duration_since(began).to_std().ok());
        let age = age.filter(|age| *age >= policy.transaction_max && session.state != SessionState::Idle);
        // VACUUM and builds of indexes may take long, and who waits for others is not to blame.
        if let Some(age) = age.filter(|_| !session.is_maintenance && session.waits_for.is_none()) {
            let figures = format!("session {} began {} s ago", session.pid, age.as_secs());
            found.push(warning(DatabaseFault::LongTransaction, whose(session), figures, advice));
        }
    }
}

fn whose(session: &SessionView) -> String {
    let SessionView { role, application, .. } = session;
    if application.is_empty() { role.clone() } else { format!("{role} ({application})") }
}

fn warning(fault: DatabaseFault, place: String, figures: String, advice: String) -> DatabaseFinding {
    DatabaseFinding::new(fault, DatabaseSeverity::Warning, place, figures, DatabaseRemedy::Do(advice))
}
