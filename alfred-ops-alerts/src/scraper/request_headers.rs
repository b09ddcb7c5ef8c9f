//! The headers of a scrape.

use reqwest::header::HeaderName;

/// Tells exporters that gather on demand how long they have, as Prometheus does.
pub(crate) const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");
