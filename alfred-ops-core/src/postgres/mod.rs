//! How to reach a Postgres server.

mod options;
mod tls_mode;

pub use options::PostgresOptions;
pub use tls_mode::TlsMode;
