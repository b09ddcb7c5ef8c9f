//! A fleet's connections on a real Postgres.

#![allow(clippy::unwrap_used, reason = "a test reports by panicking")]

use std::time::Duration;

use alfred_ops_core::SystemClock;
use alfred_ops_core::testing::servers::PostgresServer;
use alfred_ops_scaling::testing::conformance;
use alfred_ops_scaling::{ConnectionBudget, ElasticPool, FleetStep, PoolLoad, Scaler};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};

fn pool(server: &PostgresServer, max: u32) -> sqlx::PgPool {
    let options: PgConnectOptions = server.options().to_url().expose().parse().unwrap();
    PgPoolOptions::new()
        .max_connections(max)
        .idle_timeout(Duration::from_millis(1))
        .connect_lazy_with(options)
}

fn used(server: &PostgresServer) -> u32 {
    let counted = "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
    server.psql(counted).unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_pool_is_a_scaler_and_lets_as_many_through_as_it_is_set_to() {
    let server = PostgresServer::builder().unwrap().start().await.unwrap();
    let elastic = ElasticPool::new("tasks", pool(&server, 8), 4, SystemClock::shared()).unwrap();
    conformance::scaler(&elastic).await;
    assert!(ElasticPool::new("tasks", pool(&server, 8), 9, SystemClock::shared()).is_err());

    // The conformance suite leaves it at two.
    let (mut first, second) = (elastic.acquire().await.unwrap(), elastic.acquire().await.unwrap());
    let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&mut **first).await.unwrap();
    assert_eq!((one, used(&server)), (1, 2));
    let mut third = Box::pin(elastic.acquire());
    assert!(futures::poll!(&mut third).is_pending());
    let current = elastic.current().await.unwrap();
    elastic.scale(3, &current.precondition).await.unwrap();
    let third = third.await.unwrap();
    assert_eq!((used(&server), elastic.load().within), (3, 3));
    drop((first, second, third));
}

#[tokio::test]
async fn a_fleet_that_grows_and_shrinks_never_exceeds_its_budget() {
    let server = PostgresServer::builder().unwrap().setting("max_connections", "40").start().await.unwrap();
    let budget = ConnectionBudget::new(40, 16).with_pool(1, 8);
    budget.check().unwrap();
    let load = PoolLoad { acquisitions_per_second: 100.0, hold_seconds: 0.1, utilisation: 0.7 };
    let mut fleet: Vec<ElasticPool> = Vec::new();
    let mut size = budget.share(1);
    for target in [1, 5, 20, 12, 3, 0] {
        let plan = budget.plan(u32::try_from(fleet.len()).unwrap(), size, target, &load);
        assert_eq!(plan.instances, target);
        for step in plan.steps {
            match step {
                FleetStep::SetPools(to) => {
                    size = to;
                    for instance in &fleet {
                        let current = instance.current().await.unwrap();
                        instance.scale(to, &current.precondition).await.unwrap();
                    }
                }
                FleetStep::SetInstances(to) => {
                    let to = usize::try_from(to).unwrap();
                    fleet.truncate(to);
                    while fleet.len() < to {
                        let name = format!("instance {}", fleet.len());
                        fleet.push(
                            ElasticPool::new(name, pool(&server, 8), size, SystemClock::shared()).unwrap(),
                        );
                    }
                }
            }
            // Every instance uses all that it may at once; beyond its own limit the server refuses.
            let wanted = fleet.iter().flat_map(|instance| (0..size).map(|_| instance.acquire()));
            let held: Vec<_> = futures::future::try_join_all(wanted).await.unwrap();
            assert!(u32::try_from(held.len()).unwrap() <= budget.available());
        }
    }
}
