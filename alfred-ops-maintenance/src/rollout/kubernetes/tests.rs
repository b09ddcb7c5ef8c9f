use std::collections::BTreeMap;

use alfred_ops_core::ErrorKind;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::{Release, TrafficSplit, UnderWay};
use super::anchor::AnchorView;
use super::candidate::candidate;
use super::deployment::{Deployment, is_chosen};
use super::moves::{is_done, next_moves};
use super::replicas::{replicas_of, shown};
use super::shares::{Begun, Shares};
use super::standing::Standing;

fn plain() -> Value {
    json!({
        "metadata": { "name": "api", "resourceVersion": "7", "uid": "u", "generation": 2, "labels": { "helm.sh/chart": "x" } },
        "spec": {
            "replicas": 4, "selector": { "matchLabels": { "app": "api" } },
            "template": {
                "metadata": { "labels": { "app": "api", "tier": "web" }, "annotations": { "kubectl.kubernetes.io/default-container": "main" } },
                "spec": { "containers": [{ "name": "proxy", "image": "envoy:1" }, { "name": "main", "image": "app:1" }] },
            },
        },
        "status": { "observedGeneration": 2, "availableReplicas": 4 },
    })
}

#[test]
fn a_share_is_at_least_one_replica() {
    let check = |percent: u8, total: u32, expected: (u32, u32), said: &str| {
        let replicas = replicas_of(&TrafficSplit::canary("a", "b", percent), total);
        let of = |name: &str| replicas.get(name).copied().unwrap_or(0);
        assert_eq!((of("a"), of("b")), expected, "{percent} % of {total}");
        assert_eq!(shown(&replicas), said);
    };
    check(5, 20, (19, 1), "19 of a (95.0 %), 1 of b (5.0 %)");
    check(5, 4, (3, 1), "3 of a (75.0 %), 1 of b (25.0 %)");
    check(95, 4, (1, 3), "1 of a (25.0 %), 3 of b (75.0 %)");
    check(5, 1, (1, 1), "1 of a (50.0 %), 1 of b (50.0 %)");
    check(25, 10, (8, 2), "8 of a (80.0 %), 2 of b (20.0 %)");
    check(50, 3, (2, 1), "2 of a (66.7 %), 1 of b (33.3 %)");
    check(100, 3, (0, 3), "3 of b (100.0 %)");
}

#[test]
fn pods_are_told_apart_although_selectors_overlap() {
    let first = Deployment::read(plain(), None).unwrap();
    assert_eq!(
        (first.own_pods().unwrap().as_str(), first.image.as_str()),
        ("app=api,!alfred-ops/revision", "app:1")
    );
    let release = Release::new("api-2", "app:2").unwrap();
    let second = candidate(&first.object, &release, None).unwrap();
    let read = Deployment::read(second.clone(), None).unwrap();
    assert_eq!(
        (read.own_pods().unwrap().as_str(), read.image.as_str()),
        ("app=api,alfred-ops/revision=api-2", "app:2")
    );
    let third = candidate(&second, &Release::new("api-3", "app:3").unwrap(), None).unwrap();
    let read = Deployment::read(third, None).unwrap();
    assert_eq!(read.own_pods().unwrap(), "app=api,alfred-ops/revision=api-3");

    let proxy = candidate(&plain(), &release, Some("proxy")).unwrap();
    let containers = &proxy["spec"]["template"]["spec"]["containers"];
    assert_eq!((&containers[0]["image"], &containers[1]["image"]), (&json!("app:2"), &json!("app:1")));
    let error = candidate(&plain(), &release, Some("none")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    let mut leaving = plain();
    let app = BTreeMap::from([("app".to_owned(), "api".to_owned())]);
    assert!(is_chosen(&leaving, &app));
    leaving["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    assert!(!is_chosen(&leaving, &app));
}

#[test]
fn what_is_no_deployment_is_an_error_and_no_panic() {
    let release = Release::new("api-2", "app:2").unwrap();
    for path in [
        "/spec",
        "/spec/template",
        "/spec/selector",
        "/spec/selector/matchLabels",
        "/spec/template/spec/containers",
    ] {
        for bad in [json!("x"), json!(7), json!(null), json!([]), json!(["x"])] {
            let mut object = plain();
            *object.pointer_mut(path).unwrap() = bad.clone();
            let _ = Deployment::read(object.clone(), None);
            let error = candidate(&object, &release, None).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{path} {bad}");
        }
    }
}

/// A fleet as the cluster would have it: pods start or do not, and moves are made.
fn fleet(counts: [(u32, u32); 2], shares: &Shares) -> Standing {
    let one = |name: &str, (replicas, available): (u32, u32)| {
        let mut object = plain();
        object["metadata"]["name"] = json!(name);
        object["spec"]["replicas"] = json!(replicas);
        object["status"]["availableReplicas"] = json!(available);
        object["metadata"]["annotations"] = json!({ "alfred-ops/change": "c" });
        (name.to_owned(), Deployment::read(object, None).unwrap())
    };
    let selector = BTreeMap::from([("app".to_owned(), "api".to_owned())]);
    Standing {
        anchor: AnchorView { version: "1".to_owned(), shares: Ok(Some(shares.clone())), selector },
        revisions: BTreeMap::from([one("a", counts[0]), one("b", counts[1])]),
    }
}

#[test]
fn what_work_holds_up_does_not_count_as_a_start() {
    // From 8 of `a` to 8 of `b`, replicas and how many of them serve.
    let check = |a: (u32, u32), b: (u32, u32), expected: UnderWay| {
        let split = TrafficSplit::all("a");
        let begun = Begun { change: "c".to_owned(), replicas: BTreeMap::from([("a".to_owned(), 8)]), split };
        let replicas = BTreeMap::from([("b".to_owned(), 8)]);
        let shares = Shares { split: TrafficSplit::all("b"), total: 8, replicas, begun: Some(begun) };
        assert_eq!(fleet([a, b], &shares).view().under_way, Some(expected), "{a:?} {b:?}");
    };
    let starts = |text: &str| UnderWay::Starts(text.to_owned());
    let ends = |text: &str| UnderWay::Ends(text.to_owned());
    check((8, 8), (2, 1), starts("1 of 8 replicas of b serve"));
    check((8, 8), (2, 2), ends("a has 8 replicas, of which 0 stay"));
    check((4, 4), (6, 6), ends("a has 4 replicas, of which 0 stay"));
    check((0, 0), (6, 6), starts("6 of 8 replicas of b serve"));
    check((0, 0), (8, 8), starts("all is there but the record of it"));
}

proptest! {
    #[test]
    fn the_sum_of_the_replicas_is_the_total_or_one_each(percent in 1_u8..=100, total in 1_u32..300) {
        let split = TrafficSplit::canary("a", "b", percent);
        let replicas = replicas_of(&split, total);
        prop_assert!(replicas.values().all(|count| *count > 0));
        let parts = u32::try_from(split.shares().count()).unwrap();
        prop_assert_eq!(replicas.values().sum::<u32>(), total.max(parts));
    }

    #[test]
    fn never_do_fewer_serve_nor_too_many_exist_and_it_ends(
        total in 1_u32..40,
        (from, to) in (0_u8..=100, 0_u8..=100),
        starts in proptest::collection::vec((0_u32..8, 0_u32..8), 400),
    ) {
        let (before, after) = (TrafficSplit::canary("a", "b", from), TrafficSplit::canary("a", "b", to));
        let begun = Begun { change: "c".to_owned(), split: before.clone(), replicas: replicas_of(&before, total) };
        let shares = Shares { split: after.clone(), total, replicas: replicas_of(&after, total), begun: Some(begun.clone()) };
        let least = begun.sum().min(shares.sum());
        let most = begun.sum().max(shares.sum()) + total.div_ceil(4).max(1);
        let mut counts = ["a", "b"].map(|name| (begun.from(name), begun.from(name)));
        let mut ended = false;
        for (a, b) in starts {
            let standing = fleet(counts, &shares);
            prop_assert!(standing.ground().is_some(), "it is taken for somebody else's: {:?}", counts);
            if is_done(&standing) {
                ended = true;
                break;
            }
            for next in next_moves(&standing) {
                let place = usize::from(next.revision == "b");
                // Those that do not serve go first.
                counts[place] = (next.replicas, counts[place].1.min(next.replicas));
            }
            prop_assert!(counts[0].1 + counts[1].1 >= least, "{:?} of {}", counts, least);
            prop_assert!(counts[0].0 + counts[1].0 <= most, "{:?} of {}", counts, most);
            for (count, more) in counts.iter_mut().zip([a, b]) {
                count.1 = count.0.min(count.1 + more);
            }
        }
        prop_assert!(ended, "it does not end: {:?} to {:?}", counts, shares.replicas);
    }
}
