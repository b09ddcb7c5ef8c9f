//! Servers that queries are asked of: what they may do wrong, and a real Prometheus.

mod dataset;
#[path = "../loopback/mod.rs"]
mod loopback;
mod prometheus;
#[path = "../differential/remote_write.rs"]
mod remote_write;
mod server;
mod wire;
