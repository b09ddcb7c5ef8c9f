//! Servers.

use alfred_ops_core::{PostgresOptions, Secret};

/// The server with the password of the environment, unless its URL has one.
pub(super) fn with_password(server: &PostgresOptions) -> PostgresOptions {
    let mut server = server.clone();
    if let (None, Ok(password)) = (&server.password, std::env::var("PGPASSWORD")) {
        server.password = Some(Secret::new(password));
    }
    server
}
