use std::sync::RwLock;

use alfred_ops_core::Labels;
use alfred_ops_core::exposition::{Format, Limits};
use proptest::prelude::*;

use super::*;
use crate::job::ScrapeJob;
use crate::promql::{Query, QueryOptions, Value};
use crate::{Interest, SampleStore, StoreLimits};

fn intake() -> (PageIntake, RwLock<SampleStore>) {
    let target = Labels::from_pairs([("job", "agents"), ("instance", "a:1")]);
    let intake = PageIntake::new(&ScrapeJob::new("agents"), target, Limits::default(), 7);
    (intake, RwLock::new(SampleStore::default()))
}

fn present(store: &RwLock<SampleStore>, query: &str, seconds: i64) -> Vec<String> {
    let query: Query = query.parse().unwrap();
    let store = store.read().unwrap();
    match query.instant(&*store, seconds * 1000, &QueryOptions::default()).unwrap().value {
        Value::Vector(samples) => {
            let mut all: Vec<String> =
                samples.iter().map(|sample| format!("{} {}", sample.labels, sample.value)).collect();
            all.sort();
            all
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_page_is_written_with_its_targets_labels_and_ends_what_it_has_no_more() {
    let (mut intake, store) = intake();
    let mut take =
        |page: &str, seconds: i64| intake.take(page, Format::Text, seconds * 1000, &store).unwrap();
    assert_eq!(
        take("m{job=\"mine\",x=\"1\"} 7\nn 1\n", 0),
        TakenPage { scraped: 2, kept: 2, added: 2, refused: 0 }
    );
    assert_eq!(
        present(&store, "m", 0),
        ["m{exported_job=\"mine\",instance=\"a:1\",job=\"agents\",x=\"1\"} 7"]
    );
    // Another order, a series gone, one new, one twice.
    assert_eq!(take("n 2\nm{x=\"2\"} 3\nn 5\n", 15), TakenPage { scraped: 3, kept: 2, added: 1, refused: 1 });
    assert_eq!(present(&store, "m", 15), ["m{instance=\"a:1\",job=\"agents\",x=\"2\"} 3"]);
    assert_eq!(present(&store, "n", 15), ["n{instance=\"a:1\",job=\"agents\"} 2"]);
    take("m{job=\"mine\",x=\"1\"} 8\n", 30);
    assert_eq!(
        present(&store, "m", 30),
        ["m{exported_job=\"mine\",instance=\"a:1\",job=\"agents\",x=\"1\"} 8"]
    );
    assert_eq!(present(&store, "n", 30), [""; 0]);
}

#[test]
fn numbers_in_bounds_are_written_as_floats_and_once() {
    let (mut intake, store) = intake();
    let page = "# TYPE m histogram\nm{le=\"1\"} 1\nm{le=\"1.0\"} 2\n# TYPE n gauge\nn{le=\"1\"} 3\n";
    for seconds in [0, 15] {
        // The second text of a series is refused, as in Prometheus.
        let taken = intake.take(page, Format::Text, seconds * 1000, &store).unwrap();
        assert_eq!((taken.kept, taken.refused), (3, 1), "{seconds}");
    }
    assert_eq!(present(&store, "m", 15), ["m{instance=\"a:1\",job=\"agents\",le=\"1.0\"} 1"]);
    assert_eq!(present(&store, "n", 15), ["n{instance=\"a:1\",job=\"agents\",le=\"1\"} 3"]);
}

#[test]
fn of_a_wrong_page_nothing_is_written_and_a_silent_target_ends_its_series() {
    let (mut intake, store) = intake();
    intake.take("m 1\nn 1\n", Format::Text, 0, &store).unwrap();
    let error = intake.take("m 2\nn {\n", Format::Text, 15_000, &store).unwrap_err();
    assert!(error.to_string().contains("line 2"), "{error}");
    assert_eq!(present(&store, "m", 15), ["m{instance=\"a:1\",job=\"agents\"} 1"]);
    intake.fail(15_000, &store);
    assert_eq!(present(&store, "{job=\"agents\"}", 15), [""; 0]);
    intake.take("m 3\n", Format::Text, 30_000, &store).unwrap();
    assert_eq!(present(&store, "m", 30), ["m{instance=\"a:1\",job=\"agents\"} 3"]);
}

#[test]
fn a_pages_own_times_are_kept_unless_far_ahead() {
    let (mut intake, store) = intake();
    let taken = intake.take("m 1 1000\nahead 1 9999999999\n", Format::Text, 60_000, &store).unwrap();
    assert_eq!((present(&store, "m", 1).len(), present(&store, "m", 0).len(), taken.refused), (1, 0, 1));
    // Its end is not for us to see.
    intake.take("n 1\n", Format::Text, 75_000, &store).unwrap();
    assert_eq!(present(&store, "m", 76).len(), 1);
}

#[test]
fn what_becomes_of_interest_is_kept_from_then_on() {
    let (mut intake, _) = intake();
    let only = |name: &str| {
        let query: Query = name.parse().unwrap();
        Interest::of([&query], &QueryOptions::default())
    };
    let store = RwLock::new(SampleStore::new(StoreLimits::default(), only("m")));
    intake.take("m 1\nn 1\n", Format::Text, 0, &store).unwrap();
    assert_eq!((present(&store, "m", 0).len(), present(&store, "n", 0).len()), (1, 0));
    store.write().unwrap().set_interest(only("n"));
    intake.take("m 1\nn 1\n", Format::Text, 15_000, &store).unwrap();
    assert_eq!((present(&store, "m", 15).len(), present(&store, "n", 15).len()), (0, 1));
}

#[test]
fn a_series_that_the_store_gave_up_comes_back() {
    let (mut intake, store) = intake();
    intake.take("m 1\n", Format::Text, 0, &store).unwrap();
    let day = 86_400;
    store.write().unwrap().expire(chrono::DateTime::from_timestamp(day, 0).unwrap());
    assert_eq!(store.read().unwrap().counters().series, 0);
    intake.take("m 2\n", Format::Text, day * 1000, &store).unwrap();
    assert_eq!(present(&store, "m", day), ["m{instance=\"a:1\",job=\"agents\"} 2"]);
}

proptest! {
    /// Whatever comes and goes, in whatever order: what is present is what the last page says.
    #[test]
    fn what_is_present_is_what_the_last_page_says(
        pages in prop::collection::vec(prop::collection::vec((0_u8..12, 0_u8..5), 0..12), 1..20)
    ) {
        let (mut intake, store) = intake();
        for (step, page) in (0_i64..).zip(&pages) {
            let text: String = page.iter().map(|(series, value)| format!("m{{i=\"{series}\"}} {value}\n")).collect();
            intake.take(&text, Format::Text, step * 15_000, &store).unwrap();
            let mut expected = std::collections::BTreeMap::new();
            for (series, value) in page {
                expected.entry(*series).or_insert(*value);
            }
            let mut expected: Vec<String> = expected
                .iter()
                .map(|(series, value)| format!("m{{i=\"{series}\",instance=\"a:1\",job=\"agents\"}} {value}"))
                .collect();
            expected.sort();
            prop_assert_eq!(present(&store, "m", step * 15), expected);
        }
    }
}
