//! Mocks and conformance suites, for those who implement or use this crate's traits.

pub mod conformance;

pub use crate::alertmanager::MockAlertmanager;
pub use crate::query_source::MockQuerySource;
pub use crate::sink::MockAlertSink;
