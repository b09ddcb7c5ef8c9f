//! Alertmanager's API.

mod http_alertmanager;
mod options;

pub use http_alertmanager::HttpAlertmanager;
pub use options::HttpAlertmanagerOptions;
