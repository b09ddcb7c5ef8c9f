//! Who is ended, and who never is.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::DateTime;
use proptest::prelude::*;

use super::*;
use crate::ChorePlan as _;

const SECOND: Duration = Duration::from_secs(1);

fn session(pid: i32, state: SessionState, seconds: u32) -> SessionView {
    SessionView {
        pid,
        role: "app".to_owned(),
        application: "agent".to_owned(),
        is_client: true,
        state,
        state_for: SECOND * seconds,
        ..SessionView::default()
    }
}

fn waiting(pid: i32, seconds: u32, blocked_by: &[i32]) -> SessionView {
    let waits_for = Some(SECOND * seconds);
    SessionView { waits_for, blocked_by: blocked_by.to_vec(), ..session(pid, SessionState::Active, seconds) }
}

fn plan(facts: &SessionFacts) -> SessionPlan {
    plan_sessions(facts, &SessionPolicy::default(), DateTime::UNIX_EPOCH)
}

fn check(sessions: Vec<SessionView>, text: &str) {
    let facts = SessionFacts { sessions, connections_max: 100, ..SessionFacts::default() };
    assert_eq!(plan(&facts).to_string(), text);
}

#[test]
fn heads_of_queues_are_ended_and_victims_are_not() {
    use SessionState::{Active, IdleInTransaction};
    let queue = || vec![waiting(2, 90, &[1]), waiting(3, 80, &[2, 1]), waiting(4, 5, &[3])];
    let with = |head: SessionView| [vec![head], queue()].concat();
    check(
        with(session(1, Active, 100)),
        "cancel, then terminate session 1 of app (agent): 3 wait for it, one of them for 90 s",
    );
    check(
        with(session(1, IdleInTransaction, 100)),
        "terminate session 1 of app (agent): 3 wait for it, one of them for 90 s",
    );
    let leave =
        |why: &str| format!("no session to end\nleave session 1, though others wait for it or could: {why}");
    for (edit, why) in [
        ((|head| head.is_client = false) as fn(&mut SessionView), "it is no client's"),
        (|head| head.is_maintenance = true, "it does maintenance"),
        (|head| head.application = "alfred-ops vacuum".to_owned(), "the policy protects it"),
        (|head| head.is_superuser = true, "it is a superuser's"),
    ] {
        let mut head = session(1, Active, 100);
        edit(&mut head);
        check(with(head), &leave(why));
    }
    check(
        vec![waiting(2, 70, &[0])],
        "no session to end\nobstacle: a prepared transaction keeps 1 sessions waiting, one of them for 70 s; commit it or \
         roll it back",
    );
    check(vec![session(1, Active, 999), waiting(2, 59, &[1])], "no session to end");
    check(vec![waiting(1, 70, &[2]), waiting(2, 70, &[1])], "no session to end");
    check(
        vec![session(9, IdleInTransaction, 301), session(8, IdleInTransaction, 299)],
        "terminate session 9 of app (agent): it has done nothing within a transaction for 301 s",
    );
}

#[test]
fn idle_sessions_make_room_longest_first_and_only_as_many_as_needed() {
    let mut sessions: Vec<_> = (1..=82).map(|pid| session(pid, SessionState::Active, 1)).collect();
    for (pid, seconds) in [(83, 700), (84, 900), (85, 800), (86, 599)] {
        sessions.push(session(pid, SessionState::Idle, seconds));
    }
    let mut facts = SessionFacts { sessions, connections_max: 105, ..SessionFacts::default() };
    let ended = |facts: &SessionFacts| {
        let plan = plan(facts);
        (plan.steps.iter().map(|step| step.session.pid).collect::<Vec<_>>(), plan.obstacles())
    };
    assert_eq!(ended(&facts), (vec![84, 85], Vec::new()), "84 of 105 are few enough");
    facts.connections_max = 100;
    let (pids, obstacles) = ended(&facts);
    assert_eq!(pids, [84, 85, 83]);
    assert!(obstacles[0].starts_with("86 of 100 connections are in use, and none more"), "{obstacles:?}");
    // Others rely on the one that was idle for longest.
    facts.sessions[83].is_relied_on = true;
    let (pids, obstacles) = ended(&facts);
    assert_eq!(pids, [85, 83]);
    assert!(
        obstacles[0].contains("to be ended but 1 that listen or hold advisory locks; lower"),
        "{obstacles:?}"
    );
    // What goes for another reason makes room as well.
    facts.connections_max = 104;
    facts.sessions[0] = session(1, SessionState::IdleInTransaction, 999);
    assert_eq!(ended(&facts).0, [1, 85, 83]);
}

#[test]
fn what_was_not_long_enough_when_the_run_began_is_another_run_s() {
    let sessions = vec![
        session(1, SessionState::IdleInTransaction, 320),
        session(2, SessionState::Active, 100),
        waiting(3, 80, &[2]),
    ];
    let looked_at = DateTime::UNIX_EPOCH + 30 * SECOND;
    let facts = SessionFacts { looked_at, sessions, connections_max: 100, ..SessionFacts::default() };
    let ended = |now| {
        let plan = plan_sessions(&facts, &SessionPolicy::default(), now);
        plan.steps.iter().map(|step| step.session.pid).collect::<Vec<_>>()
    };
    assert!(ended(DateTime::UNIX_EPOCH).is_empty());
    assert_eq!(ended(DateTime::UNIX_EPOCH + 10 * SECOND), [1, 2]);
    assert_eq!(ended(looked_at), [1, 2]);
}

fn anyone() -> impl Strategy<Value = Vec<SessionView>> {
    let one = (
        (0u8..3, 0u32..900, prop::option::weighted(0.5, 0u32..120)),
        (prop::collection::vec(0i32..14, 1..3), prop::bool::weighted(0.85), prop::bool::weighted(0.1)),
        (prop::bool::weighted(0.1), prop::bool::weighted(0.1), prop::bool::weighted(0.2)),
    );
    prop::collection::vec(one, 1..13).prop_map(|seen| {
        let views = seen.into_iter().zip(1..).map(
            |(((state, age, waits), (by, client, superuser), (care, safe, relied_on)), pid)| {
                let state = [SessionState::Active, SessionState::Idle, SessionState::IdleInTransaction]
                    [usize::from(state)];
                let mut view = session(pid, state, age);
                if let Some(seconds) = waits {
                    view = waiting(pid, seconds, &by);
                }
                (view.is_client, view.is_superuser, view.is_maintenance) = (client, superuser, care);
                view.is_relied_on = relied_on;
                if safe {
                    view.role = "billing".to_owned();
                }
                view
            },
        );
        views.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    /// Guilt, worked out in another way: by growing the set of those who wait for a session.
    #[test]
    fn in_a_thousand_lock_graphs_no_innocent_session_is_ended_and_every_guilty_one_is(
        sessions in anyone(), connections_max in 0u32..20,
    ) {
        let policy = SessionPolicy::default().with_protected_role("billing");
        let facts = SessionFacts { sessions: sessions.clone(), connections_max: connections_max.into(), ..SessionFacts::default() };
        let plan = plan_sessions(&facts, &policy, DateTime::UNIX_EPOCH);
        let all: BTreeSet<i32> = plan.steps.iter().map(|step| step.session.pid).collect();
        prop_assert_eq!(all.len(), plan.steps.len(), "each once");
        let (room, guilty): (Vec<&SessionStep>, Vec<&SessionStep>) =
            plan.steps.iter().partition(|step| matches!(step.reason, SessionReason::TooMany { .. }));
        let ended: BTreeSet<i32> = guilty.iter().map(|step| step.session.pid).collect();
        let is_safe = |session: &SessionView| {
            !session.is_client || session.is_superuser || session.is_maintenance || session.role == "billing"
        };
        // Who goes to make room does nothing, nobody relies on it, nobody idle for longer stays, and none goes too many.
        let may_go = |session: &SessionView| {
            session.state == SessionState::Idle && session.state_for >= 600 * SECOND && !is_safe(session)
                && !session.is_relied_on && !ended.contains(&session.pid)
        };
        prop_assert!(room.iter().all(|step| may_go(&step.session)), "{plan}");
        let stay: Vec<&SessionView> =
            sessions.iter().filter(|session| may_go(session) && !all.contains(&session.pid)).collect();
        prop_assert!(
            stay.iter().all(|one| room.iter().all(|step| step.session.state_for >= one.state_for)), "{plan}"
        );
        let clients = u32::try_from(sessions.iter().filter(|session| session.is_client).count()).unwrap();
        let gone = guilty.iter().filter(|step| !step.cancel_first).count();
        let too_many = |more: usize| {
            let left = clients - u32::try_from(gone + more).unwrap();
            connections_max > 0 && f64::from(left) > f64::from(connections_max) * policy.connections_share
        };
        prop_assert!(room.is_empty() || too_many(room.len() - 1), "{plan}");
        prop_assert!(stay.is_empty() || !too_many(room.len()), "{plan}");
        for session in &sessions {
            let mut behind = BTreeSet::from([session.pid]);
            while let Some(next) = sessions.iter().find(|other| {
                !behind.contains(&other.pid) && other.blocked_by.iter().any(|pid| behind.contains(pid))
            }) {
                behind.insert(next.pid);
            }
            let waited = sessions.iter().any(|other| {
                other.pid != session.pid && behind.contains(&other.pid) && other.waits_for >= Some(60 * SECOND)
            });
            let head = session.blocked_by.is_empty() && waited;
            let idles = session.state == SessionState::IdleInTransaction && session.state_for >= 300 * SECOND;
            let safe = is_safe(session);
            prop_assert_eq!(ended.contains(&session.pid), (head || idles) && !safe, "session {:?}\n{}", session, plan);
        }
    }
}
