//! Real servers for tests and examples: private, on free loopback ports, in temporary folders, stopped by
//! process id with their owner.

mod account;
mod cloud_monitoring;
mod port;
mod postgres_binaries;
mod postgres_server;
mod tcp_proxy;

pub use account::Account;
pub use cloud_monitoring::{CloudMonitoringServer, MonitoredSeries, MonitoringFault};
pub use port::free_port;
pub use postgres_binaries::PostgresBinaries;
pub use postgres_server::{PostgresServer, PostgresServerBuilder};
pub use tcp_proxy::TcpProxy;
