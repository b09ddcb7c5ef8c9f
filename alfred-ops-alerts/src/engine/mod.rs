//! The engine: scrapes, evaluates, notifies.

mod alert_engine;
mod builder;
mod dispatch;
mod job;
mod jobs;
mod probe;
mod run;
mod status;

pub use alert_engine::AlertEngine;
pub use builder::AlertEngineBuilder;
pub use status::{EngineStatus, SinkStatus};

#[cfg(test)]
mod tests;
