//! Servers that queries are asked of: what they may do wrong, and a real Prometheus.
//!
//! `scripts/test` unpacks Prometheus 3 and names its folder in `ALFRED_OPS_PROMETHEUS_BIN`.

#![expect(clippy::unwrap_used, reason = "a test that cannot set itself up must fail")]

#[expect(dead_code, reason = "the differential test uses more of it")]
#[path = "../differential/chance.rs"]
mod chance;
mod dataset;
#[path = "../loopback/mod.rs"]
mod loopback;
mod prometheus;
#[path = "../differential/remote_write.rs"]
mod remote_write;
mod server;
#[expect(dead_code, reason = "the differential test uses more of it")]
#[path = "../differential/timeline.rs"]
mod timeline;
mod timelines;
mod wire;
