use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::{
    EntropyExt as _, Error, ErrorKind, MemoryStateStore, Result, SeededEntropy, SimulatedClock,
};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::book::{Book, Closing, ordinal};
use super::plan::{Reach, plan};
use super::*;
use crate::scaler::{Current, Limits, MemoryScaler, Observed, Outcome, Precondition, Scaler};

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

fn book(leases: &[(&str, i64)]) -> Book {
    let mut book = Book::default();
    for (worker, until) in leases {
        book.begin(worker, at(0), at(*until)).unwrap();
    }
    book
}

#[test]
fn how_far_a_number_falls_depends_on_who_is_stopped() {
    let names: Vec<_> = (0..5).map(|number| RankedInstance::new(format!("a-{number}"), 4)).collect();
    let allowed = |leases: &[(&str, i64)], reach| plan(&book(leases), 5, 2, reach).allowed;
    let anybody = Reach::Anybody { pausing: false };
    assert_eq!(allowed(&[], anybody), 2);
    assert_eq!(allowed(&[("a-0", 9)], anybody), 5, "it may be anybody");
    assert_eq!(allowed(&[("a-0", 9)], Reach::HighestOrdinals), 2);
    assert_eq!(allowed(&[("a-3", 9)], Reach::HighestOrdinals), 4);
    assert_eq!(allowed(&[("nobody", 9)], Reach::HighestOrdinals), 5);
    assert_eq!(allowed(&[("a-4", 9), ("a-0", 9)], Reach::Chosen(&names)), 2);
    // One of the five is on its way out already.
    let late = plan(&book(&[("a-0", 9), ("a-1", 9), ("a-2", 9)]), 4, 2, Reach::Chosen(&names));
    assert_eq!((late.allowed, late.victims.len()), (3, 2));
    let busy = [("a-0", 5), ("a-1", 9), ("a-2", 7), ("a-4", 8)];
    let planned = plan(&book(&busy), 5, 2, Reach::Chosen(&names));
    assert_eq!((planned.allowed, planned.victims), (4, vec!["a-3".to_owned()]));
    assert_eq!((planned.held_by, planned.held_until), (4, Some(at(9))));
    let closing = BTreeSet::from(["a-0", "a-2", "a-3"].map(str::to_owned));
    assert_eq!(
        planned.closing,
        Some(Closing::Named(closing)),
        "those that are free soonest begin nothing more"
    );
}

#[test]
fn who_is_not_ready_goes_first_whoever_is_chosen() {
    let check = |unready: &[&str], leases: &[(&str, i64)], allowed: u32, victims: &[&str]| {
        let rank = |name: &str| if unready.contains(&name) { 3 } else { 4 };
        let pods = ["a", "b", "c", "d"].map(|name| RankedInstance::new(name, rank(name)));
        let planned = plan(&book(leases), 4, 2, Reach::Chosen(&pods));
        assert_eq!(
            (planned.allowed, planned.victims),
            (allowed, victims.iter().map(|name| (*name).to_owned()).collect())
        );
    };
    check(&[], &[("a", 9)], 2, &["b", "c"]);
    check(&["d"], &[("a", 9)], 2, &["d", "b"]);
    check(&["a"], &[("a", 9)], 4, &[]);
    check(&["a", "b"], &[("a", 9)], 3, &["b"]);
    check(&["a", "b", "c"], &[("a", 9)], 2, &["b", "c"]);
    check(&["c", "d"], &[("a", 9), ("b", 9)], 2, &["c", "d"]);
    // More than one step tells.
    let many: Vec<_> = (0..3_000).map(|number| RankedInstance::new(format!("a-{number}"), 4)).collect();
    assert_eq!(plan(&Book::default(), 3_000, 0, Reach::Chosen(&many)).allowed, 2_000);
}

#[tokio::test]
async fn scalers_that_share_leases_take_back_their_own_notices() {
    let clock = SimulatedClock::starting_at(at(0));
    let leases = leases_at(&clock);
    let fleet = |name: &str| {
        let number = Arc::new(MemoryScaler::new(name, 3));
        DrainingScaler::new(number, leases.clone(), Victims::HighestOrdinals)
    };
    let (old, new) = (fleet("old"), fleet("new"));
    let scale = async |scaler: &DrainingScaler, target| {
        let current = scaler.current().await.unwrap();
        scaler.scale(target, &current.precondition).await.unwrap();
    };
    let may = async |name: &str| match leases.worker(name).begin(Duration::from_secs(1)).await {
        Ok(work) => work.end().await.map(|()| true).unwrap(),
        Err(_) => false,
    };
    scale(&old, 2).await;
    scale(&new, 5).await;
    assert!(!may("a-2").await && may("a-1").await, "another's growth takes nothing back");
    clock.advance(Duration::from_secs(50));
    assert!(old.renew_notice().await.unwrap() && !new.renew_notice().await.unwrap());
    clock.advance(Duration::from_secs(50));
    assert!(!may("a-2").await, "it was renewed");
    scale(&old, 3).await;
    assert!(may("a-2").await);
    assert!(!old.renew_notice().await.unwrap());
}

#[test]
fn those_who_know_one_notice_obey_all() {
    let mut book = Book::default();
    let named = |name: &str| Closing::Named(BTreeSet::from([name.to_owned()]));
    for (scope, closing, until) in [("x", named("a"), 60), ("y", named("b"), 50)] {
        assert!(book.give_notice(scope, super::book::Notice { closing, until: at(until) }));
    }
    let mut stored = serde_json::to_value(&book).unwrap();
    assert_eq!(stored["notice"]["closing"]["Named"], serde_json::json!(["a", "b"]));
    assert_eq!(serde_json::from_value::<Book>(stored.clone()).unwrap(), book);
    // One of them writes.
    stored.as_object_mut().unwrap().remove("notices");
    let mut read: Book = serde_json::from_value(stored).unwrap();
    for name in ["a", "b"] {
        read.begin(name, at(0), at(1)).unwrap_err();
    }
    assert_eq!(read.closing_until(), Some(at(60)));
    read.sweep(at(61));
    read.begin("a", at(61), at(62)).unwrap();
}

#[tokio::test]
async fn the_document_of_leases_is_bounded() {
    let clock = SimulatedClock::starting_at(at(0));
    for name in ["", &*"n".repeat(513)] {
        let error = leases_at(&clock).worker(name).begin(Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
    }
    let mut book = Book::default();
    let name = |number: usize| format!("{number:05}{}", "\"".repeat(300));
    let begun = (0..10_000).take_while(|number| book.begin(&name(*number), at(0), at(60)).is_ok()).count();
    assert!(begun > 500, "{begun}");
    let many = |from: usize| Closing::Named((from..from + 190).map(name).collect());
    let notice = |closing| super::book::Notice { closing, until: at(60) };
    assert!(book.give_notice("x", notice(many(0))));
    assert!(!book.give_notice("y", notice(many(190))), "there is no room for it");
    assert!(book.give_notice("x", notice(many(190))), "the last one makes room");
    assert!(serde_json::to_vec(&book).unwrap().len() < 1 << 20);
}

#[tokio::test]
async fn a_worker_begins_works_and_ends_and_its_lease_with_it() {
    let clock = SimulatedClock::starting_at(at(0));
    let leases = DrainLeases::new(Arc::new(MemoryStateStore::new(clock.shared())), "drain/a", clock.shared());
    let (worker, other) = (leases.worker("a-1"), leases.worker("a-2"));
    let first = worker.begin(Duration::from_secs(60)).await.unwrap();
    let second = worker.begin(Duration::from_secs(90)).await.unwrap();
    let lost = other.begin(Duration::from_secs(30)).await.unwrap();
    let held = async || leases.standing().await.unwrap().leases;
    assert_eq!(held().await, [("a-1".to_owned(), at(90)), ("a-2".to_owned(), at(30))]);
    first.end().await.unwrap();
    assert!(second.extend(Duration::from_secs(120)).await.unwrap());
    drop(lost);
    clock.advance(Duration::from_secs(31));
    assert_eq!(held().await, [("a-1".to_owned(), at(120))], "a deadline ends a lease");
    second.end().await.unwrap();
    assert_eq!(held().await, []);

    let late = worker.begin(Duration::from_secs(1)).await.unwrap();
    clock.advance(Duration::from_secs(2));
    assert!(!late.extend(Duration::from_secs(60)).await.unwrap(), "what is over is not extended");
}

#[tokio::test]
async fn an_instance_that_shuts_down_begins_nothing_more_and_waits() {
    let clock = SimulatedClock::starting_at(at(0));
    let leases = DrainLeases::new(Arc::new(MemoryStateStore::new(clock.shared())), "drain/a", clock.shared());
    let worker = leases.worker("a-1");
    let work = worker.begin(Duration::from_secs(60)).await.unwrap();
    let shared = clock.shared();
    let draining = worker.drain(Duration::from_secs(10), &shared);
    let working = async {
        while clock.sleepers() == 0 {
            tokio::task::yield_now().await;
        }
        let error = worker.begin(Duration::from_secs(1)).await.unwrap_err();
        assert!(error.to_string().contains("shutting down"), "{error}");
        work.end().await.unwrap();
    };
    let (left, ()) = tokio::join!(draining, working);
    assert_eq!(left, 0);
    assert_eq!(worker.drain(Duration::from_secs(10), &shared).await, 0);
}

fn leases_at(clock: &SimulatedClock) -> DrainLeases {
    DrainLeases::new(Arc::new(MemoryStateStore::new(clock.shared())), "drain/a", clock.shared())
}

#[tokio::test]
async fn a_pause_is_for_all_but_the_groups_that_it_spares() {
    let clock = SimulatedClock::starting_at(at(0));
    let leases = leases_at(&clock);
    let spared = BTreeSet::from(["new".to_owned()]);
    let minute = Duration::from_secs(60);
    let before = leases.worker_of("old", "1").begin(Duration::from_secs(90)).await.unwrap();
    let paused = leases.pause("rollout", &spared, minute).await.unwrap();
    assert_eq!((paused.until, paused.is_over, paused.held_until()), (at(60), false, Some(at(90))));
    assert_eq!(paused.working, [("old/1".to_owned(), at(90))]);
    let may = async |name: &str| match leases.worker(name).begin(Duration::from_secs(1)).await {
        Ok(work) => work.end().await.map(|()| true).unwrap(),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
            assert!(error.to_string().contains("work is paused until"), "{error}");
            false
        }
    };
    // A name that says nothing, or something that nobody knows, may be anybody's.
    for (name, expected) in
        [("new/1", true), ("old/2", false), ("new", false), ("newer/1", false), ("a-1", false)]
    {
        assert_eq!(may(name).await, expected, "{name}");
    }
    assert_eq!(leases.standing().await.unwrap().pauses["rollout"], paused);
    assert!(before.extend(Duration::from_secs(120)).await.unwrap(), "who works goes on");
    before.end().await.unwrap();
    assert_eq!(leases.standing().await.unwrap().pauses["rollout"].working, []);

    clock.advance(Duration::from_secs(50));
    assert!(leases.prolong_pause("rollout", minute).await.unwrap());
    clock.advance(Duration::from_secs(50));
    assert!(!may("old/2").await);
    assert!(may("new/1").await, "it spares whom it spared");
    clock.advance(Duration::from_secs(11));
    assert!(may("old/2").await, "a pause that nobody prolongs ends");
    assert!(!leases.prolong_pause("rollout", minute).await.unwrap());
    assert!(leases.standing().await.unwrap().pauses["rollout"].is_over);
    clock.advance(Duration::from_secs(86_400));
    assert_eq!(leases.standing().await.unwrap().pauses.len(), 0);
}

#[tokio::test]
async fn a_pause_is_not_put_off_for_ever() {
    let clock = SimulatedClock::starting_at(at(0));
    let leases = leases_at(&clock);
    let minute = Duration::from_secs(60);
    leases.pause("rollout", &BTreeSet::new(), minute).await.unwrap();
    let mut put_off = 0;
    while leases.prolong_pause("rollout", minute).await.unwrap() {
        put_off += 1;
        clock.advance(Duration::from_secs(50));
    }
    assert_eq!(put_off, 19, "every 50 seconds for a quarter of an hour");
    leases.pause("rollout", &BTreeSet::new(), minute).await.unwrap();
    assert!(leases.prolong_pause("rollout", minute).await.unwrap(), "another one");
}

#[tokio::test]
async fn pauses_stand_beside_one_another_and_beside_a_step_down() {
    let clock = SimulatedClock::starting_at(at(0));
    let leases = leases_at(&clock);
    let nobody = BTreeSet::new();
    let minute = Duration::from_secs(60);
    leases.pause("one", &BTreeSet::from(["new".to_owned()]), minute).await.unwrap();
    leases.pause("two", &nobody, minute).await.unwrap();
    let worker = leases.worker_of("new", "1");
    assert_eq!(worker.begin(minute).await.unwrap_err().kind(), ErrorKind::Conflict);
    leases.resume("two").await.unwrap();
    worker.begin(minute).await.unwrap().end().await.unwrap();
    // Scaling gives and takes its own notice.
    let scaler = DrainingScaler::new(
        Arc::new(MemoryScaler::new("fleet", 3)),
        leases.clone(),
        Victims::AnybodyAfterPause,
    );
    for target in [2, 4] {
        let current = scaler.current().await.unwrap();
        scaler.scale(target, &current.precondition).await.unwrap();
    }
    assert_eq!(leases.worker("a-1").begin(minute).await.unwrap_err().kind(), ErrorKind::Conflict);
    leases.resume("one").await.unwrap();
    leases.worker("a-1").begin(minute).await.unwrap().end().await.unwrap();
}

#[tokio::test]
async fn a_pause_without_bounds_is_refused() {
    let clock = SimulatedClock::starting_at(at(0));
    let leases = leases_at(&clock);
    let few = BTreeSet::new();
    let many: BTreeSet<String> = (0..65).map(|number| format!("r-{number}")).collect();
    let minute = Duration::from_secs(60);
    for (name, spared, term, field) in [
        ("", &few, minute, "name"),
        (&*"n".repeat(513), &few, minute, "name"),
        ("a", &many, minute, "spared"),
        ("a", &few, Duration::ZERO, "term"),
        ("a", &few, Duration::from_secs(601), "term"),
    ] {
        let error = leases.pause(name, spared, term).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.to_string().contains(field) && error.remedy().is_some(), "{error}");
    }
    for number in 0..16 {
        leases.pause(&format!("p-{number}"), &few, minute).await.unwrap();
    }
    leases.pause("p-3", &few, minute).await.unwrap();
    let error = leases.pause("p-16", &few, minute).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ResourceExhausted, "{error}");
    clock.advance(Duration::from_secs(61));
    leases.pause("p-16", &few, minute).await.unwrap();
}

#[test]
fn a_book_that_knows_no_pauses_is_read() {
    let old = serde_json::json!({ "works": {}, "notice": null });
    assert_eq!(serde_json::from_value::<Book>(old).unwrap(), Book::default());
    assert_eq!(
        serde_json::to_value(Book::default()).unwrap(),
        serde_json::json!({ "works": {}, "notice": null })
    );
}

/// A platform whose choice of victims is as bad as it may be.
#[derive(Debug)]
struct Platform {
    fleet: Arc<Mutex<Fleet>>,
    victims: Victims,
    number: MemoryScaler,
    /// What workers do while the number is on its way.
    leases: DrainLeases,
    random: SeededEntropy,
}

#[derive(Debug, Default)]
struct Fleet {
    instances: BTreeSet<String>,
    /// What is worked on: a number, by whom, and until when they must not be stopped.
    works: Vec<(u32, String, DateTime<Utc>)>,
    chosen: Vec<String>,
    /// They go before all others, whoever is chosen.
    unready: BTreeSet<String>,
    now: DateTime<Utc>,
    born: u32,
    murdered: Vec<String>,
}

impl Fleet {
    fn protected(&self, name: &str) -> bool {
        self.works.iter().any(|(_, worker, until)| worker == name && *until > self.now)
    }

    /// Some become ready, and some are not any more.
    fn flicker(&mut self, random: &SeededEntropy) {
        self.unready = self.instances.iter().filter(|_| random.below(4) == 0).cloned().collect();
    }

    fn rank(&self, name: &str) -> u8 {
        if self.unready.contains(name) { 3 } else { 4 }
    }

    fn set(&mut self, target: usize, victims: &Victims) {
        while self.instances.len() > target {
            let by_ordinal = self.instances.iter().max_by_key(|name| ordinal(name)).cloned();
            let first = self.instances.iter().map(|name| self.rank(name)).min();
            let goes =
                |name: &&String| !matches!(victims, Victims::Chosen(_)) || Some(self.rank(name)) == first;
            let going: Vec<&String> = self.instances.iter().filter(goes).collect();
            let chosen = going.iter().find(|name| self.chosen.contains(**name)).map(|name| (**name).clone());
            let worst = going.iter().find(|name| self.protected(name)).map(|name| (**name).clone());
            let victim = match victims {
                Victims::HighestOrdinals => by_ordinal,
                Victims::Chosen(_) => chosen.or(worst),
                _ => worst,
            };
            let victim = victim.or_else(|| self.instances.first().cloned()).unwrap();
            if self.protected(&victim) {
                self.murdered.push(victim.clone());
            }
            self.instances.remove(&victim);
            self.works.retain(|(_, worker, _)| *worker != victim);
        }
        while self.instances.len() < target {
            let next = match victims {
                Victims::HighestOrdinals => u32::try_from(self.instances.len()).unwrap(),
                _ => {
                    self.born += 1;
                    self.born
                }
            };
            self.instances.insert(format!("a-{next}"));
        }
    }
}

#[derive(Debug)]
struct Choice(Arc<Mutex<Fleet>>);

#[async_trait]
impl VictimChoice for Choice {
    async fn instances(&self) -> Result<Vec<RankedInstance>> {
        let fleet = self.0.lock().unwrap();
        Ok(fleet.instances.iter().map(|name| RankedInstance::new(name, fleet.rank(name))).collect())
    }

    async fn choose(&self, victims: &[String]) -> Result<()> {
        self.0.lock().unwrap().chosen = victims.to_vec();
        Ok(())
    }
}

#[async_trait]
impl Scaler for Platform {
    fn name(&self) -> &str {
        "fleet"
    }

    fn limits(&self) -> Limits {
        self.number.limits()
    }

    async fn current(&self) -> Result<Current> {
        self.number.current().await
    }

    async fn observe(&self) -> Result<Observed> {
        self.number.observe().await
    }

    async fn plan(&self, target: u32) -> Result<String> {
        self.number.plan(target).await
    }

    async fn scale(&self, target: u32, precondition: &Precondition) -> Result<Outcome> {
        let outcome = self.number.scale(target, precondition).await?;
        let names: Vec<String> = self.fleet.lock().unwrap().instances.iter().cloned().collect();
        for name in names.into_iter().filter(|_| self.random.below(2) == 0) {
            if let Ok(work) = self.leases.worker(&name).begin(Duration::from_secs(30)).await {
                let mut fleet = self.fleet.lock().unwrap();
                let until = fleet.now + TimeDelta::seconds(30);
                fleet.works.push((u32::MAX, name, until));
                // It is never heard of again.
                drop(work);
            }
        }
        self.fleet.lock().unwrap().set(usize::try_from(target).unwrap(), &self.victims);
        Ok(outcome)
    }
}

/// Plays one history: workers begin, end and die, the number goes up and down, and nobody who works is stopped.
async fn play(seed: u64) {
    let random = SeededEntropy::new(seed);
    let clock = SimulatedClock::starting_at(at(0));
    let fleet = Arc::new(Mutex::new(Fleet { now: at(0), ..Fleet::default() }));
    let victims = match seed % 4 {
        0 => Victims::Anybody,
        1 => Victims::AnybodyAfterPause,
        2 => Victims::HighestOrdinals,
        _ => Victims::Chosen(Arc::new(Choice(Arc::clone(&fleet)))),
    };
    let leases = DrainLeases::new(Arc::new(MemoryStateStore::new(clock.shared())), "drain/a", clock.shared());
    let platform = Platform {
        fleet: Arc::clone(&fleet),
        victims: victims.clone(),
        number: MemoryScaler::new("fleet", 0),
        leases: leases.clone(),
        random: SeededEntropy::new(seed + 1),
    };
    let scaler = DrainingScaler::new(Arc::new(platform), leases.clone(), victims);
    let scale = async |target: u32| -> std::result::Result<u32, Error> {
        let current = scaler.current().await?;
        Ok(scaler.scale(target, &current.precondition).await?.configured)
    };
    scale(4).await.unwrap();
    let mut under_way: Vec<(u32, Work)> = Vec::new();
    for step in 0..30 {
        fleet.lock().unwrap().flicker(&random);
        let names: Vec<String> = fleet.lock().unwrap().instances.iter().cloned().collect();
        match random.below(6) {
            0 | 1 if !names.is_empty() => {
                let name = &names[usize::try_from(random.below(names.len() as u64)).unwrap()];
                let allowed = Duration::from_secs(10 + random.below(60));
                match leases.worker(name).begin(allowed).await {
                    Ok(work) => {
                        let until = clock.shared().now() + TimeDelta::from_std(allowed).unwrap();
                        fleet.lock().unwrap().works.push((step, name.clone(), until));
                        under_way.push((step, work));
                    }
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
                }
            }
            2 if !under_way.is_empty() => {
                let place = usize::try_from(random.below(under_way.len() as u64)).unwrap();
                let (number, work) = under_way.swap_remove(place);
                if random.below(4) > 0 {
                    work.end().await.unwrap();
                }
                fleet.lock().unwrap().works.retain(|(known, ..)| *known != number);
            }
            3 => {
                let target = u32::try_from(random.below(8)).unwrap();
                scale(target).await.unwrap();
            }
            _ => {
                clock.advance(Duration::from_secs(random.below(20)));
                fleet.lock().unwrap().now = clock.shared().now();
            }
        }
        let murdered = fleet.lock().unwrap().murdered.clone();
        assert!(murdered.is_empty(), "seed {seed}: {murdered:?} worked and were stopped");
    }
    // Whatever is left is over after the longest deadline, and the number then falls.
    clock.advance(Duration::from_secs(80));
    fleet.lock().unwrap().now = clock.shared().now();
    assert_eq!(scale(0).await.unwrap(), 0, "seed {seed}");
}

/// CI plays 1,000 histories; `scripts/soak drain` plays 10,000.
#[tokio::test]
async fn nobody_who_works_is_stopped_and_whoever_may_go_goes() {
    let runs: u64 =
        std::env::var("ALFRED_OPS_DRAIN_RUNS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    for seed in 0..runs {
        play(seed).await;
    }
}
