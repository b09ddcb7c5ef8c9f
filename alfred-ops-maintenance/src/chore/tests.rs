//! Chores under a clock that the test drives.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::{
    Error, ErrorKind, Health, Job as _, JobContext, MemoryStateStore, Metrics, Result, SimulatedClock,
    StateStore, Status,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

type Hook = Box<dyn FnMut(u64) + Send>;

/// Takes one away per step, each of two seconds.
struct Sweep {
    left: Arc<AtomicU64>,
    clock: SimulatedClock,
    /// Called with what is left before each step.
    hook: Arc<Mutex<Hook>>,
    helps: bool,
}

impl fmt::Debug for Sweep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sweep")
    }
}

#[derive(Debug)]
struct Take(u64);

impl fmt::Display for Take {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "take {} away", self.0)
    }
}

impl ChorePlan for Take {
    fn is_empty(&self) -> bool {
        self.0 == 0 || self.0 == 13
    }

    fn obstacles(&self) -> Vec<String> {
        if self.0 == 13 { vec!["thirteen cannot be swept".to_owned()] } else { Vec::new() }
    }
}

#[async_trait]
impl Chore for Sweep {
    type Facts = u64;
    type Plan = Take;

    fn name(&self) -> &str {
        "sweep"
    }

    fn target(&self) -> &str {
        "floor"
    }

    async fn inspect(&self, _: &JobContext) -> Result<u64> {
        Ok(self.left.load(Ordering::SeqCst))
    }

    fn plan(&self, facts: &u64, _: DateTime<Utc>) -> Take {
        Take(*facts)
    }

    async fn apply(&self, plan: &Take, turn: &mut Turn<'_>) -> Result<()> {
        for left in (0..plan.0).rev() {
            if !turn.may_go_on().await {
                break;
            }
            (self.hook.lock().unwrap())(left);
            if left == 99 {
                return Err(Error::new(ErrorKind::Unavailable, "sweep", "the broom broke"));
            }
            self.clock.advance(Duration::from_secs(2));
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            self.left.store(if self.helps { left } else { 7 }, Ordering::SeqCst);
            turn.did(1, Duration::from_millis(left));
        }
        Ok(())
    }
}

struct House {
    clock: SimulatedClock,
    store: MemoryStateStore,
    left: Arc<AtomicU64>,
    hook: Arc<Mutex<Hook>>,
    context: JobContext,
    metrics: Metrics,
    health: Health,
}

impl House {
    fn new(left: u64) -> Self {
        let clock = SimulatedClock::starting_at(DateTime::UNIX_EPOCH);
        Self {
            store: MemoryStateStore::new(clock.shared()),
            left: Arc::new(AtomicU64::new(left)),
            hook: Arc::new(Mutex::new(Box::new(|_| {}))),
            context: JobContext::system().with_clock(clock.shared()),
            metrics: Metrics::new(),
            health: Health::new(clock.shared()),
            clock,
        }
    }

    fn builder(&self, helps: bool) -> CaretakerBuilder<Sweep> {
        let sweep = Sweep {
            left: Arc::clone(&self.left),
            clock: self.clock.clone(),
            hook: Arc::clone(&self.hook),
            helps,
        };
        let store: Arc<dyn StateStore> = Arc::new(self.store.clone());
        Caretaker::builder(sweep, store)
            .cadence(Cadence::every(HOUR))
            .metrics(&self.metrics)
            .health(&self.health)
    }

    fn before_step(&self, hook: impl FnMut(u64) + Send + 'static) {
        *self.hook.lock().unwrap() = Box::new(hook);
    }

    async fn run(&self, caretaker: &Caretaker<Sweep>) -> ChoreRecord {
        caretaker.run(&self.context).await.unwrap().record().unwrap().clone()
    }

    async fn look(&self, caretaker: &Caretaker<Sweep>) -> String {
        caretaker.run_as_job(&self.context).await.unwrap()
    }
}

impl Caretaker<Sweep> {
    async fn run_as_job(&self, context: &JobContext) -> Result<String> {
        Ok(alfred_ops_core::Job::run(self, context).await?.summary)
    }
}

#[tokio::test]
async fn a_run_does_what_the_dry_run_says_and_the_next_is_due_a_period_later() {
    let house = House::new(3);
    let caretaker = house.builder(true).build().unwrap();
    assert_eq!(caretaker.plan(&house.context).await.unwrap().to_string(), "take 3 away");
    assert_eq!(house.look(&caretaker).await, "finished; 3 in 3 steps, longest lock 2 ms");
    let history = caretaker.book(&house.context).history().await.unwrap();
    assert_eq!((history.len(), history[0].plan.as_str()), (1, "take 3 away"));
    assert_eq!(house.look(&caretaker).await, "not now: it is due at 1970-01-01 01:00:06 UTC");
    house.clock.advance(HOUR);
    assert_eq!(house.look(&caretaker).await, "finished; 0 in 0 steps, longest lock 0 ms");
    assert!(
        matches!(caretaker.activation(), alfred_ops_core::Activation::Every(every) if every.as_secs() == 180)
    );
}

#[tokio::test]
async fn budgets_stop_between_steps_and_the_next_look_goes_on() {
    for (budget, stop, done) in [
        (Budget::default().with_work(2), Stop::WorkDone, 2),
        (Budget::default().with_time(Duration::from_secs(5)), Stop::TimeSpent, 3),
    ] {
        let house = House::new(4);
        let caretaker = house.builder(true).budget(budget).build().unwrap();
        let record = house.run(&caretaker).await;
        assert_eq!((record.outcome, record.figures.work), (ChoreOutcome::Stopped(stop), done));
        let standing = caretaker.standing(&house.context).await.unwrap();
        assert!(standing.due_at <= house.context.now() && standing.completed_at.is_none());
    }
}

#[tokio::test]
async fn gates_are_asked_before_and_within_a_run_and_who_cannot_tell_is_closed() {
    let house = House::new(4);
    let closed = Arc::new(AtomicBool::new(false));
    let ask = Arc::clone(&closed);
    let gate = ClosureGate::new("pages", move || {
        let closed = ask.load(Ordering::SeqCst);
        async move { Ok(closed.then(|| "a page is firing".to_owned())) }
    });
    let caretaker = house.builder(true).gate(gate).build().unwrap();
    let shut = Arc::clone(&closed);
    house.before_step(move |left| shut.store(left == 2, Ordering::SeqCst));
    let record = house.run(&caretaker).await;
    assert_eq!(record.outcome.to_string(), "stopped: gate pages closed: a page is firing");
    assert_eq!(house.left.load(Ordering::SeqCst), 2, "the step was ended");
    assert_eq!(house.look(&caretaker).await, "not now: gate pages is closed: a page is firing");
    closed.store(false, Ordering::SeqCst);
    house.before_step(|_| {});
    assert_eq!(house.look(&caretaker).await, "finished; 2 in 2 steps, longest lock 1 ms");

    let broken =
        ClosureGate::new("backup", || async { Err(Error::new(ErrorKind::Unavailable, "ask", "no answer")) });
    let caretaker = house.builder(true).gate(broken).build().unwrap();
    let answer = caretaker.run(&house.context).await.unwrap().to_string();
    assert_eq!(answer, "not now: gate backup is closed: nobody can tell: ask: no answer");
}

#[tokio::test]
async fn a_run_is_paused_resumed_and_aborted_from_anywhere() {
    let house = House::new(9);
    let caretaker = house.builder(true).build().unwrap();
    let book = ChoreBook::new(Arc::new(house.store.clone()), "sweep", house.clock.shared());
    let wish = |pause: bool| {
        let book = book.clone();
        move |left| {
            if left == 6 || left == 2 {
                // The store in memory answers at once.
                let done =
                    async { if pause { book.pause("visitors").await } else { book.abort().await.map(drop) } };
                futures_now(done);
            }
        }
    };
    house.before_step(wish(true));
    assert_eq!(house.run(&caretaker).await.outcome, ChoreOutcome::Stopped(Stop::Paused));
    assert!(house.look(&caretaker).await.contains("paused since 1970-01-01 00:00:04 UTC: visitors"));
    assert!(!book.abort().await.unwrap(), "nothing runs");
    book.resume().await.unwrap();
    house.before_step(wish(false));
    assert_eq!(house.run(&caretaker).await.outcome, ChoreOutcome::Stopped(Stop::Aborted));
    let due = caretaker.standing(&house.context).await.unwrap().due_at;
    assert_eq!((due - house.context.now()).to_std().unwrap(), HOUR, "an aborted chore rests for a period");
}

#[tokio::test]
async fn idle_runs_push_nothing_out_of_the_history() {
    let house = House::new(3);
    let caretaker = house.builder(true).build().unwrap();
    let outcomes = async || {
        let history = caretaker.book(&house.context).history().await.unwrap();
        let text = |record: &ChoreRecord| format!("{}{}", record.outcome.name(), record.figures.work);
        history.iter().map(text).collect::<Vec<_>>().join(" ")
    };
    house.run(&caretaker).await;
    for _ in 0..100 {
        house.run(&caretaker).await;
    }
    assert_eq!(outcomes().await, "finished3 finished0");
    house.left.store(2, Ordering::SeqCst);
    house.run(&caretaker).await;
    house.clock.advance(HOUR);
    let last = house.run(&caretaker).await;
    assert_eq!(outcomes().await, "finished3 finished2 finished0");
    assert_eq!(caretaker.standing(&house.context).await.unwrap().last, Some(last));
    // What was in the way is not forgotten when it has gone, and a row of such runs is one.
    for left in [13, 0, 13, 0] {
        house.left.store(left, Ordering::SeqCst);
        for _ in 0..40 {
            house.run(&caretaker).await;
        }
    }
    assert_eq!(outcomes().await, "finished3 finished2 ineffective0 ineffective0 finished0");
    house.left.store(100, Ordering::SeqCst);
    for _ in 0..2 {
        caretaker.run(&house.context).await.unwrap_err();
    }
    assert_eq!(outcomes().await, "finished3 finished2 ineffective0 ineffective0 finished0 failed0 failed0");
}

/// The value of a future that does not wait.
fn futures_now<T>(future: impl Future<Output = T>) {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_ready(), "the store in memory does not wait");
}

#[tokio::test]
async fn one_at_a_time_on_a_target_and_a_run_that_died_is_told() {
    let house = House::new(5);
    let [first, second] = [house.builder(true).build().unwrap(), house.builder(true).build().unwrap()];
    let stuck = house.context.clone().with_clock(house.clock.shared());
    {
        let mut run = std::pin::pin!(first.run(&stuck));
        let mut polls = 0;
        std::future::poll_fn(|context| {
            polls += 1;
            let _ = run.as_mut().poll(context);
            if polls < 30 { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
        })
        .await;
        assert_eq!(second.run(&house.context).await.unwrap(), ChoreRun::NotNow(Refusal::Busy));
    }
    // The first was dropped in the middle of a step. Its lease runs out.
    house.clock.advance(Duration::from_secs(60));
    let record = house.run(&second).await;
    assert_eq!(record.outcome, ChoreOutcome::Finished);
    let history = second.book(&house.context).history().await.unwrap();
    let outcomes: Vec<_> = history.iter().map(|record| record.outcome.name()).collect();
    assert_eq!(outcomes, ["abandoned", "finished"]);
    assert!(history[1].epoch > history[0].epoch);
}

#[tokio::test]
async fn what_does_not_help_fails_or_does_not_come_is_told_to_rules_and_people() {
    let house = House::new(3);
    let caretaker = house.builder(false).build().unwrap();
    assert_eq!(
        house.look(&caretaker).await,
        "done without the wanted effect: take 7 away; 3 in 3 steps, longest lock 2 ms"
    );
    let check = |status: &str, lines: &[&str]| {
        let component = house.health.view().components.remove(0);
        assert_eq!(component.name, "chore sweep");
        assert_eq!(
            component.status,
            if status.is_empty() { Status::Healthy } else { Status::degraded(status) }
        );
        let text = house.metrics.render();
        for line in lines {
            assert!(text.contains(line), "{line} in\n{text}");
        }
    };
    check(
        "ineffective: take 7 away",
        &[
            "alfred_ops_chore_ineffective{chore=\"sweep\"} 1.0",
            "alfred_ops_chore_overdue{chore=\"sweep\"} 0.0",
            "alfred_ops_chore_runs_total{chore=\"sweep\",outcome=\"ineffective\"} 1",
            "alfred_ops_chore_work_total{chore=\"sweep\"} 3",
            "alfred_ops_chore_completed_timestamp_seconds{chore=\"sweep\"} 6.0",
        ],
    );
    let helpful = house.builder(true).build().unwrap();
    house.clock.advance(HOUR);
    house.left.store(1, Ordering::SeqCst);
    house.look(&helpful).await;
    check("", &["alfred_ops_chore_ineffective{chore=\"sweep\"} 0.0"]);

    house.left.store(100, Ordering::SeqCst);
    house.clock.advance(HOUR);
    assert!(helpful.run_as_job(&house.context).await.unwrap_err().to_string().contains("the broom broke"));
    check("failed: sweep: the broom broke", &["outcome=\"failed\"} 1"]);
    assert!(house.look(&helpful).await.starts_with("not now"), "it rests after a failure");
    house.left.store(13, Ordering::SeqCst);
    helpful.book(&house.context).pause("visitors").await.unwrap();
    house.clock.advance(2 * HOUR);
    house.look(&helpful).await;
    check(
        "overdue: last completed 1970-01-01 01:00:08 UTC; paused: visitors",
        &["alfred_ops_chore_overdue{chore=\"sweep\"} 1.0", "alfred_ops_chore_paused{chore=\"sweep\"} 1.0"],
    );
}
