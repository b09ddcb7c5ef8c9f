//! What a run does not see, and what it sees wrongly.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::{Clock, ErrorKind, JobContext, MemoryStateStore, SharedClock, SystemClock};
use alfred_ops_maintenance::{ChoreOutcome, ChorePlan as _, Retention};
use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};

use super::postgres::{VERSIONS, server};
use super::{EXPIRED, INDEX, caretaker, count, fill, policy, run};

#[tokio::test]
async fn rows_that_row_level_security_hides_are_in_the_way_and_not_nothing() {
    for version in VERSIONS {
        let server = server(version).await;
        fill(&server, "random()");
        server
            .psql(&format!(
                "{INDEX}; ANALYZE processed_msgs; CREATE ROLE guest LOGIN; \
                 GRANT SELECT, UPDATE, DELETE ON processed_msgs TO guest; \
                 ALTER TABLE processed_msgs ENABLE ROW LEVEL SECURITY"
            ))
            .unwrap();
        let guest = Retention::new(server.options().with_user("guest", None), policy())
            .caretaker(Arc::new(MemoryStateStore::default()))
            .build()
            .unwrap();
        let record = run(&guest).await;
        let ChoreOutcome::Ineffective { reason } = &record.outcome else { panic!("{version}: {record:?}") };
        assert!(reason.contains("run ALTER ROLE \"guest\" BYPASSRLS"), "{version}: {reason}");
        server.psql("ALTER ROLE guest BYPASSRLS").unwrap();
        assert_eq!(run(&guest).await.figures.work, EXPIRED, "{version}");
    }
}

#[tokio::test]
async fn a_policy_that_comes_in_the_middle_of_a_run_fails_it() {
    let server = server(17).await;
    fill(&server, "random()");
    server
        .psql(&format!(
            "{INDEX}; ANALYZE processed_msgs; CREATE ROLE guest LOGIN; \
             GRANT SELECT, UPDATE, DELETE ON processed_msgs TO guest"
        ))
        .unwrap();
    let options = server.options().with_user("guest", None);
    let enabled = std::sync::atomic::AtomicBool::new(false);
    // The canary is asked before the first batch.
    let retention = Retention::new(options, policy()).with_canary(move || {
        if !enabled.swap(true, std::sync::atomic::Ordering::SeqCst) {
            server.psql("ALTER TABLE processed_msgs ENABLE ROW LEVEL SECURITY").unwrap();
        }
        Some(Duration::from_millis(1))
    });
    let caretaker = retention.caretaker(Arc::new(MemoryStateStore::default())).build().unwrap();
    let error = caretaker.run(&JobContext::system()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{}", error.full());
}

/// A clock that somebody set by hand.
#[derive(Debug)]
struct Misset(SharedClock, TimeDelta);

#[async_trait]
impl Clock for Misset {
    fn now(&self) -> DateTime<Utc> {
        self.0.now() + self.1
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }
}

#[tokio::test]
async fn nothing_goes_by_a_clock_that_is_not_the_servers() {
    let server = server(17).await;
    fill(&server, "random()");
    server.psql(&format!("{INDEX}; ANALYZE processed_msgs")).unwrap();
    let caretaker = caretaker(&server);
    for (minutes, told) in [(24 * 60, Some("86")), (-10, Some("-")), (4, None)] {
        let mut context = JobContext::system();
        context.clock = Arc::new(Misset(SystemClock::shared(), TimeDelta::minutes(minutes)));
        let plan = caretaker.plan(&context).await.unwrap();
        let in_the_way = plan.obstacles().join("");
        match told {
            Some(told) => {
                assert!(in_the_way.contains(&format!("the clock of this host is {told}")), "{plan}");
                assert!(plan.is_empty(), "{plan}");
                assert!(caretaker.run(&context).await.unwrap().record().unwrap().figures.work == 0);
            }
            None => assert!(in_the_way.is_empty() && !plan.is_empty(), "{plan}"),
        }
    }
    assert_eq!(count(&server), format!("6000 {EXPIRED}"));
}
