//! Scrapes the targets of a job.

use std::borrow::Cow;
use std::time::Duration;

use alfred_ops_core::exposition::{Format, Limits, Page, accept, page_text};
use alfred_ops_core::http::{Endpoint, Question, Requester};
use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, Sample, SharedClock};
use chrono::{DateTime, Utc};
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use super::TIMEOUT_HEADER;
use crate::job::ScrapeJob;
use crate::scraped::{ScrapeFigures, process_samples};
use crate::targets::ResolvedTarget;

const OPERATION: &str = "scrape";

/// Scrapes the targets of one job, as Prometheus 3 does.
///
/// Its scrapes may run side by side; they share one client and its connections.
#[derive(Debug)]
pub struct HttpScraper {
    job: ScrapeJob,
    requester: Requester,
    limits: Limits,
    clock: SharedClock,
}

/// What came of one scrape.
#[derive(Debug)]
#[non_exhaustive]
pub struct HttpScrape {
    /// What is stored, or why the scrape failed.
    pub outcome: Result<Vec<Sample>>,
    /// What the scrape says about itself. [`ScrapeFigures::series_added`] is left for the store to fill in.
    pub figures: ScrapeFigures,
    /// When it began: the time of samples that bring none.
    pub started_at: DateTime<Utc>,
}

/// The page of a target as it came.
#[derive(Debug)]
pub(crate) struct FetchedPage {
    body: Vec<u8>,
    pub(crate) format: Format,
}

/// What came of asking for a page.
#[derive(Debug)]
pub(crate) struct Fetched {
    pub(crate) page: Result<FetchedPage>,
    /// Where it was asked for, without credentials.
    pub(crate) address: String,
    /// How many bytes it has, uncompressed; nothing if it is longer than allowed.
    pub(crate) body_bytes: Option<usize>,
    pub(crate) duration: Duration,
}

impl FetchedPage {
    pub(crate) fn text(&self, limits: &Limits) -> Result<Cow<'_, str>> {
        page_text(&self.body, self.format, limits)
    }
}

impl HttpScraper {
    /// A scraper for the targets of `job`.
    ///
    /// Files with certificates are read here and never again; make a new one when they change. Files with
    /// passwords and tokens are read for each scrape. Blocks while it reads.
    ///
    /// # Errors
    /// `InvalidInput` if a certificate, key or proxy cannot be used.
    pub fn new(job: &ScrapeJob, clock: SharedClock) -> Result<Self> {
        let requester = Requester::new(&job.http).map_err(|error| {
            if error.target().is_some() { error } else { error.with_target(job.name.clone()) }
        })?;
        let limits = Limits::default();
        let bytes_max = job.limits.body_bytes_max.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX));
        let bytes_max = bytes_max.unwrap_or(limits.bytes_max);
        Ok(Self { job: job.clone(), requester, limits: limits.with_bytes_max(bytes_max), clock })
    }

    /// Scrapes one target within its timeout: connecting, waiting, reading and redirects all count.
    ///
    /// A page that is too long, packed or not, is cut off where the limit is reached. Dropping the future ends
    /// the scrape and has no other effect.
    pub async fn scrape(&self, target: &ResolvedTarget) -> HttpScrape {
        let (started_at, begun) = (self.clock.now(), self.clock.monotonic());
        let mut figures = ScrapeFigures { body_bytes: Some(0), ..ScrapeFigures::default() };
        let outcome = self.read(target, &mut figures).await;
        figures.up = outcome.is_ok();
        figures.duration = self.clock.monotonic().saturating_sub(begun);
        HttpScrape { outcome, figures, started_at }
    }

    /// The job.
    pub(crate) const fn job(&self) -> &ScrapeJob {
        &self.job
    }

    /// What a page may be.
    pub(crate) const fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Reads the page of one target, and leaves it to the caller to take it in.
    pub(crate) async fn fetch(&self, target: &ResolvedTarget) -> Fetched {
        let begun = self.clock.monotonic();
        let url = target.url();
        let (mut address, mut body_bytes) = (url.clone(), Some(0));
        let page = match Endpoint::public(&url, OPERATION) {
            Err(error) => Err(error),
            Ok(endpoint) => {
                endpoint.shown().clone_into(&mut address);
                self.page(target, &endpoint).await
            }
        };
        match &page {
            Ok(page) => body_bytes = Some(page.body.len()),
            Err(error) if error.kind() == ErrorKind::ResourceExhausted => body_bytes = None,
            Err(_) => {}
        }
        Fetched { page, address, body_bytes, duration: self.clock.monotonic().saturating_sub(begun) }
    }

    async fn read(&self, target: &ResolvedTarget, figures: &mut ScrapeFigures) -> Result<Vec<Sample>> {
        let endpoint = Endpoint::public(&target.url(), OPERATION)?;
        let page = self.page(target, &endpoint).await.inspect_err(|error| {
            if error.kind() == ErrorKind::ResourceExhausted {
                figures.body_bytes = None;
            }
        })?;
        figures.body_bytes = Some(page.body.len());
        self.samples(target, endpoint.shown(), &page, figures)
    }

    async fn page(&self, target: &ResolvedTarget, endpoint: &Endpoint) -> Result<FetchedPage> {
        let headers = [
            (ACCEPT, accept(&[Format::OpenMetrics, Format::Text])),
            (TIMEOUT_HEADER, target.timeout.as_secs_f64().to_string()),
        ];
        let question = Question {
            operation: OPERATION,
            endpoint,
            headers: &headers,
            bytes_max: self.limits.bytes_max,
            limit_name: Some("body_size_limit (Limits::bytes_max)"),
            compressed: self.job.enable_compression,
        };
        let asked = self.clock.timeout(target.timeout, OPERATION, self.requester.get(&question));
        let answer = asked.await.map_err(|error| error.with_target(endpoint.shown()))??;
        let header = answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let format = Format::from_content_type(header, Some(Format::Text))
            .map_err(|error| error.with_target(endpoint.shown()))?;
        Ok(FetchedPage { body: answer.body, format })
    }

    fn samples(
        &self,
        target: &ResolvedTarget,
        shown: &str,
        page: &FetchedPage,
        figures: &mut ScrapeFigures,
    ) -> Result<Vec<Sample>> {
        let named = |error: Error| error.with_target(shown);
        let page = Page::read_bytes(&page.body, page.format, &self.limits).map_err(named)?;
        let processed = process_samples(&self.job, target, page.samples);
        figures.scraped = processed.scraped;
        figures.kept = processed.kept;
        processed.outcome.map_err(named)
    }
}
