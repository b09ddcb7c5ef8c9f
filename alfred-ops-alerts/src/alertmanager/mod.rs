//! Alertmanagers: what they are told of alerts, and when. The decisions are pure.

#[expect(clippy::module_inception, reason = "one main type per file, named after it")]
mod alertmanager;
#[cfg(feature = "http")]
mod http;
mod memory;
mod policy;
mod posted_alert;
mod queue;

pub use alertmanager::Alertmanager;
#[cfg(any(test, feature = "testing"))]
pub use alertmanager::MockAlertmanager;
#[cfg(feature = "http")]
pub use http::{HttpAlertmanager, HttpAlertmanagerOptions};
pub use memory::MemoryAlertmanager;
pub use policy::{AlertmanagerPolicy, PostReason};
pub use posted_alert::PostedAlert;

pub(crate) use queue::PostQueue;

#[cfg(test)]
mod tests;
