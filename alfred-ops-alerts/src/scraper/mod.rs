//! Scraping a job's targets over HTTP.

mod http_scraper;
mod request_headers;

pub use http_scraper::{HttpScrape, HttpScraper};

pub(crate) use request_headers::TIMEOUT_HEADER;
