//! The headers of a scrape.

use reqwest::header::HeaderName;

/// The one format that we read; an exporter that knows several must not choose another. What a job says in
/// `ScrapeJob::protocols` is kept for Prometheus until the reader of pages knows more formats.
pub(crate) const ACCEPTED_FORMATS: &str = "text/plain;version=0.0.4;q=1,*/*;q=0.1";
/// Tells exporters that gather on demand how long they have, as Prometheus does.
pub(crate) const TIMEOUT_HEADER: HeaderName = HeaderName::from_static("x-prometheus-scrape-timeout-seconds");
