//! Servers of the versions that chores support.

use alfred_ops_core::testing::servers::{PostgresBinaries, PostgresServer};

pub(crate) const VERSIONS: [u32; 3] = [15, 17, 18];

/// A server of one version. Prepared transactions hold locks without a session.
pub(crate) async fn server(version: u32) -> PostgresServer {
    PostgresServer::builder_of(PostgresBinaries::of_version(version).unwrap())
        .setting("max_prepared_transactions", "4")
        .setting("autovacuum", "off")
        .start()
        .await
        .unwrap()
}
