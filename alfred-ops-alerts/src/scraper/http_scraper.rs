//! Scrapes the targets of a job.

use alfred_ops_core::exposition::{Limits, parse_bytes};
use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, Sample, SharedClock};
use chrono::{DateTime, Utc};
use reqwest::header::ACCEPT;

use super::{ACCEPTED_FORMATS, TIMEOUT_HEADER};
use crate::http::{Endpoint, Question, Requester};
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

    async fn read(&self, target: &ResolvedTarget, figures: &mut ScrapeFigures) -> Result<Vec<Sample>> {
        let endpoint = Endpoint::public(&target.url(), OPERATION)?;
        let page = self.page(target, &endpoint).await.inspect_err(|error| {
            if error.kind() == ErrorKind::ResourceExhausted {
                figures.body_bytes = None;
            }
        })?;
        figures.body_bytes = Some(page.len());
        self.samples(target, endpoint.shown(), &page, figures)
    }

    async fn page(&self, target: &ResolvedTarget, endpoint: &Endpoint) -> Result<Vec<u8>> {
        let headers = [
            (ACCEPT, ACCEPTED_FORMATS.to_owned()),
            (TIMEOUT_HEADER, target.timeout.as_secs_f64().to_string()),
        ];
        let question = Question {
            operation: OPERATION,
            endpoint,
            headers: &headers,
            bytes_max: self.limits.bytes_max,
            limit_name: Some("body_size_limit"),
            compressed: self.job.enable_compression,
        };
        let asked = self.clock.timeout(target.timeout, OPERATION, self.requester.get(&question));
        let answer = asked.await.map_err(|error| error.with_target(endpoint.shown()))??;
        Ok(answer.body)
    }

    fn samples(
        &self,
        target: &ResolvedTarget,
        shown: &str,
        page: &[u8],
        figures: &mut ScrapeFigures,
    ) -> Result<Vec<Sample>> {
        let named = |error: Error| error.with_target(shown);
        let page = parse_bytes(page, &self.limits).map_err(named)?;
        let processed = process_samples(&self.job, target, page.samples);
        figures.scraped = processed.scraped;
        figures.kept = processed.kept;
        processed.outcome.map_err(named)
    }
}
