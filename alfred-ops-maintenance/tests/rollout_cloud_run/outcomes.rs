//! How rollouts end, of services and of worker pools.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use alfred_ops_core::{ErrorKind, Retry};
use alfred_ops_maintenance::{Release, RolloutEnd, RolloutPhase, RolloutTarget as _, TrafficSplit, Verdict};
use alfred_ops_scaling::testing::servers::{CloudRunServer, Fault};
use serde_json::json;

use super::house::{CANDIDATE, House, KINDS, STABLE, image, release, shares};

#[tokio::test]
async fn a_good_release_goes_out_and_takes_all_but_the_image_along() {
    for kind in KINDS {
        let name = kind.name();
        let explicit = || kind.to(&[(STABLE, 100)]);
        // Most services are on LATEST, in words or without any.
        for traffic in [json!([]), kind.latest(), explicit()] {
            let server = kind.server(traffic.clone()).await;
            if traffic == json!([]) || traffic == kind.latest() {
                assert_eq!(
                    kind.target(&server).await.observe().await.unwrap().split,
                    Some(TrafficSplit::all(STABLE))
                );
            }
            server.start_after(3);
            server.finish_after(2);
            let before = server.document(name).unwrap();
            let mut house = House::begun(kind, &server, |_| Verdict::Pass).await;
            assert_eq!(house.run().await, RolloutEnd::Promoted { left: String::new() }, "{traffic}");
            let steps = [
                &[(STABLE, 100)][..],
                &[(STABLE, 90), (CANDIDATE, 10)],
                &[(STABLE, 50), (CANDIDATE, 50)],
                &[(CANDIDATE, 100)],
            ];
            assert_eq!(house.served, steps.map(shares), "{traffic}");
            assert_eq!(server.revision_names(name), [CANDIDATE]);

            let after = server.document(name).unwrap();
            let mut wanted = kind.template();
            wanted["containers"][0]["image"] = json!(image(2));
            wanted["revision"] = json!(CANDIDATE);
            assert_eq!(after["template"], wanted);
            assert_eq!(after[kind.split()], kind.to(&[(CANDIDATE, 100)]));
            for field in ["scaling", "labels", "annotations", "client", "clientVersion"] {
                assert_eq!(after[field], before[field], "{field}");
            }
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn the_next_release_starts_from_where_the_last_one_ended() {
    for kind in KINDS {
        let name = kind.name();
        let server = kind.server(kind.latest()).await;
        let mut house = House::begun(kind, &server, |_| Verdict::Pass).await;
        house.run().await;
        house.rollout.begin(&house.context, Release::new("api-3", image(3)).unwrap()).await.unwrap();
        assert_eq!(house.run().await, RolloutEnd::Promoted { left: String::new() });
        assert_eq!((server.shares(name), server.revision_names(name).len()), (shares(&[("api-3", 100)]), 1));
        server.stop().await;
    }
}

#[tokio::test]
async fn a_bad_release_goes_back_at_most_two_intervals_after_the_first_bad_sample() {
    for kind in KINDS {
        let name = kind.name();
        for bad_from in [0, 50, 90] {
            let server = kind.server(kind.latest()).await;
            let first_bad = Arc::new(Mutex::new(None));
            let seen = Arc::clone(&first_bad);
            let mut house = House::begun(kind, &server, move |now| {
                if now.timestamp() < bad_from {
                    return Verdict::Pass;
                }
                seen.lock().unwrap().get_or_insert(now);
                Verdict::Fail("errors".to_owned())
            })
            .await;
            let seen = Arc::clone(&first_bad);
            let all = shares(&[(STABLE, 100)]);
            // The traffic was split, and is whole again.
            house.run_until(|server| seen.lock().unwrap().is_some() && server.shares(name) == all).await;
            let first_bad = first_bad.lock().unwrap().unwrap();
            assert!(house.context.now() - first_bad <= chrono::TimeDelta::seconds(40), "bad from {bad_from}");
            let end = house.run().await;
            assert!(
                matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains("errors")),
                "{end:?}"
            );
            assert_eq!(server.shares(name), shares(&[(STABLE, 100)]));
            // The next deployment by anybody starts from what is good.
            let after = server.document(name).unwrap();
            assert_eq!(after["template"], kind.template(), "bad from {bad_from}");
            let names = server.revision_names(name);
            assert!(names.len() == 2 && !names.contains(&CANDIDATE.to_owned()), "{names:?}");
            assert_eq!(server.revision(name, &names[0]).unwrap()["containers"][0]["image"], image(1));
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn nothing_is_promoted_without_data() {
    for kind in KINDS {
        let server = kind.server(kind.latest()).await;
        let mut house = House::begun(kind, &server, |_| Verdict::NoData("no series".to_owned())).await;
        let end = house.run().await;
        assert!(matches!(&end, RolloutEnd::RolledBack { reason } if reason.contains("no series")), "{end:?}");
        let served = [&[(STABLE, 90), (CANDIDATE, 10)][..], &[(STABLE, 100)]];
        assert_eq!(house.served, served.map(shares));
        server.stop().await;
    }
}

#[tokio::test]
async fn what_does_not_start_gets_no_traffic() {
    for kind in KINDS {
        let name = kind.name();
        let server = kind.server(kind.latest()).await;
        server.start_after(2);
        server.break_image(&image(2), "The container failed to listen on port 8080.");
        let mut house = House::begun(kind, &server, |_| Verdict::Pass).await;
        let end = house.run().await;
        let said = "api-2 failed: HEALTH_CHECK_CONTAINER_ERROR: The container failed to listen on port 8080.";
        assert!(matches!(&end, RolloutEnd::RolledBack { reason } if reason.starts_with(said)), "{end:?}");
        assert_eq!(house.served, [shares(&[(STABLE, 100)])]);
        let condition = &server.document(name).unwrap()["terminalCondition"]["state"];
        assert_ne!(condition, "CONDITION_FAILED", "what it leaves behind is whole");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_change_by_hand_ends_the_rollout_and_stays() {
    for kind in KINDS {
        let name = kind.name();
        let hands = [
            (
                "the traffic is 30 % to api-00001-aab, 70 % to api-2",
                kind.to(&[(STABLE, 30), (CANDIDATE, 70)]),
            ),
            ("the traffic is 100 % to api-2", kind.latest()),
            ("the traffic is 100 % to api-00001-aab", kind.to(&[(STABLE, 100)])),
        ];
        for (said, split) in hands {
            let server = kind.server(kind.latest()).await;
            let mut house = House::begun(kind, &server, |_| Verdict::Pass).await;
            let half = shares(&[(STABLE, 50), (CANDIDATE, 50)]);
            assert_eq!(house.run_until(|server| server.shares(name) == half).await, None);
            kind.change_split(&server, &split);
            // The etag changes with every change.
            let etag = |server: &CloudRunServer| server.document(name).unwrap()["etag"].clone();
            let left = etag(&server);
            let end = house.run().await;
            assert!(matches!(&end, RolloutEnd::HandedBack { reason } if reason.contains(said)), "{end:?}");
            assert_eq!(etag(&server), left, "it was touched again");
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn a_deployment_by_hand_gets_no_traffic_and_stays() {
    for kind in KINDS {
        let name = kind.name();
        for verdict in [Verdict::Pass, Verdict::Fail("errors".to_owned())] {
            let server = kind.server(kind.latest()).await;
            let good = verdict == Verdict::Pass;
            let mut house = House::begun(kind, &server, move |_| verdict.clone()).await;
            let canary = shares(&[(STABLE, 90), (CANDIDATE, 10)]);
            house.run_until(|server| server.shares(name) == canary).await;
            let mut other = kind.template();
            other["containers"][0]["image"] = json!(image(9));
            server.change(name, &json!({ "template": other }), "template");
            house.run().await;
            let winner = if good { CANDIDATE } else { STABLE };
            assert_eq!(server.shares(name), shares(&[(winner, 100)]));
            assert_eq!(server.document(name).unwrap()["template"], other);
            assert_eq!(server.revision_names(name).len(), 2, "the winner and the other's");
            server.stop().await;
        }
    }
}

#[tokio::test]
async fn nobodys_change_is_overwritten_and_no_outcome_is_guessed() {
    for kind in KINDS {
        let name = kind.name();
        let server = kind.server(kind.latest()).await;
        let target = kind.target(&server).await;
        let old = target.observe().await.unwrap().version;
        server.change(name, &json!({ "labels": { "cost": "others" } }), "labels");
        let left = server.document(name);
        let split = TrafficSplit::all(STABLE);
        for done in [
            target.create_candidate(&old, STABLE, &release()).await,
            target.set_traffic(&old, &split).await,
            target.retire(&old, STABLE).await,
        ] {
            assert_eq!(done.unwrap_err().kind(), ErrorKind::Conflict);
            assert_eq!(server.document(name), left);
        }
        // Somebody comes between the look and the change.
        let version = target.observe().await.unwrap().version;
        let (service, shown) = (server.document(name).unwrap(), version.clone());
        assert_eq!(service["etag"], json!(shown));
        for (fault, kind, retry) in [
            (Fault::Conflict, ErrorKind::Unavailable, Retry::After(None)),
            (Fault::Denied, ErrorKind::PermissionDenied, Retry::Never),
            (Fault::QuotaExceeded, ErrorKind::Unavailable, Retry::After(None)),
        ] {
            server.fail_next([Fault::Pass, fault]);
            let error = target.set_traffic(&version, &split).await.unwrap_err();
            assert_eq!((error.kind(), error.retry()), (kind, retry), "{}", error.full());
            assert_eq!(server.document(name).unwrap(), service);
        }
        server.fail_next([Fault::Pass, Fault::LoseAnswer]);
        let error = target.set_traffic(&version, &split).await.unwrap_err();
        assert_eq!(error.retry(), Retry::Unknown, "{}", error.full());
        assert_eq!(server.document(name).unwrap()[kind.split()], kind.to(&[(STABLE, 100)]));
        server.stop().await;
    }
}

#[tokio::test]
async fn what_cannot_be_rolled_out_is_refused_before_anything_is_touched() {
    for kind in KINDS {
        let name = kind.name();
        let server = kind.server(kind.latest()).await;
        let house = House::new(kind, &server, |_| Verdict::Pass).await;
        let left = server.document(name);
        for (revision, image, said) in [
            ("web-2", image(2), "revision: \"web-2\" does not begin with api-"),
            ("api", image(2), "does not begin with api-"),
            (
                CANDIDATE,
                "gcr.io/alfred/api:v2".to_owned(),
                "image: \"gcr.io/alfred/api:v2\" is not named by digest",
            ),
            (STABLE, image(2), "there is a revision api-00001-aab already"),
        ] {
            let release = Release::new(revision, image).unwrap();
            let error = house.rollout.begin(&house.context, release).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(error.to_string().contains(said) && error.remedy().is_some(), "{error}");
        }
        assert_eq!(server.document(name), left);
        // LATEST stands still while the newest revision does not start, and nobody knows for how long.
        server.break_image(&image(7), "no");
        let mut other = kind.template();
        other["containers"][0]["image"] = json!(image(7));
        server.change(name, &json!({ "template": other }), "template");
        let error = house.rollout.begin(&house.context, release()).await.unwrap_err();
        assert!(error.to_string().contains("does not go to named revisions"), "{error}");
        kind.change_split(&server, &kind.to(&[(STABLE, 100)]));
        house.rollout.begin(&house.context, release()).await.unwrap();
        server.stop().await;
    }
}

#[tokio::test]
async fn nothing_is_promoted_on_a_split_that_is_not_there() {
    for kind in KINDS {
        for is_short in [true, false] {
            let server = kind.server(json!([])).await;
            let mut house = House::begun(kind, &server, |_| Verdict::Pass).await;
            server.hold_split(kind.name(), true);
            for _ in 0..30 {
                house.clock.advance(Duration::from_secs(10));
                assert_eq!(house.run_once().await, None);
            }
            let explained = house.rollout.explain(&house.context).await.unwrap().unwrap();
            let wanted = format!("Cloud Run still gives 100 % to {STABLE}");
            assert!(explained.reason.contains(&wanted), "{explained}");
            let state = house.rollout.book(&house.context).state().await.unwrap().unwrap();
            assert_eq!(state.phase, RolloutPhase::Starting, "{kind:?}");
            server.hold_split(kind.name(), !is_short);
            match house.run().await {
                RolloutEnd::Promoted { .. } if is_short => {}
                RolloutEnd::RolledBack { reason } if !is_short && reason.contains(&wanted) => {}
                other => panic!("{kind:?} {is_short}: {other:?}"),
            }
            server.stop().await;
        }
    }
}
