//! The engine: scrapes, evaluates, notifies.

mod alert_engine;
mod alertmanager_status;
mod alertmanagers;
mod apis;
mod asking;
mod builder;
mod dispatch;
mod group;
mod groups;
mod job;
mod jobs;
mod keeper;
mod keeping;
mod post;
mod probe;
mod reload;
mod remote;
mod remotes;
mod run;
mod snapshot_file;
mod snapshot_status;
mod snapshots;
mod snapshotting;
mod source_status;
mod state_status;
mod status;

pub use alert_engine::AlertEngine;
pub use alertmanager_status::AlertmanagerStatus;
pub use builder::AlertEngineBuilder;
pub use reload::Reload;
pub use snapshot_status::SnapshotStatus;
pub use source_status::SourceStatus;
pub use state_status::StateStatus;
pub use status::{EngineStatus, SinkStatus};

#[cfg(test)]
mod alertmanager_tests;
#[cfg(test)]
mod change_tests;
#[cfg(test)]
mod reload_tests;
#[cfg(test)]
mod remote_tests;
#[cfg(test)]
mod snapshot_tests;
#[cfg(test)]
mod state_tests;
#[cfg(test)]
mod tests;
