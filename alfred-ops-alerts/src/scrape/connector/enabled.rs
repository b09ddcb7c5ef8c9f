//! Reads pages over HTTP.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_core::exposition::{Format, Limits, Page, accept};
use alfred_ops_core::{Error, ErrorKind, MetricSource, Result, Sample};
use async_trait::async_trait;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, CONTENT_TYPE};

use crate::http::{Endpoint, client, failed_request, failed_status};
use crate::scrape::{Origin, Target};
use crate::scraper::TIMEOUT_HEADER;

const OPERATION: &str = "scrape";

/// Connects targets that are read over HTTP; all share one client and its connections.
#[derive(Debug)]
pub(crate) struct Connector {
    client: reqwest::Client,
}

impl Connector {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { client: client()? })
    }

    pub(crate) fn source(&self, target: &Target) -> Result<Arc<dyn MetricSource>> {
        let url = match &target.origin {
            Origin::Url(url) => url.expose().to_owned(),
            _ => format!("http://{}{}", target.instance, target.config.metrics_path),
        };
        let endpoint = Endpoint::public(&url, "add target")
            .map_err(|error| error.with_target(format!("{}/{}", target.job, target.instance)))?;
        Ok(Arc::new(HttpSource {
            client: self.client.clone(),
            endpoint,
            timeout: target.config.timeout,
            limits: target.config.limits.clone(),
        }))
    }
}

/// A page read over HTTP. Its timeout runs on the machine's clock, in simulated time too.
#[derive(Debug)]
struct HttpSource {
    client: reqwest::Client,
    endpoint: Endpoint,
    timeout: Duration,
    limits: Limits,
}

impl HttpSource {
    async fn page(&self) -> Result<(Vec<u8>, Format)> {
        let shown = self.endpoint.shown();
        let failed = |error| failed_request(OPERATION, shown, error);
        let request = self
            .client
            .get(self.endpoint.url())
            .timeout(self.timeout)
            .header(ACCEPT, accept(&[Format::OpenMetrics, Format::Text]))
            .header(TIMEOUT_HEADER, self.timeout.as_secs_f64().to_string());
        let mut answer = request.send().await.map_err(failed)?;
        if answer.status() != StatusCode::OK {
            return Err(failed_status(OPERATION, shown, answer.status(), answer.headers()));
        }
        let header = answer.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let format = Format::from_content_type(header, Some(Format::Text))
            .map_err(|error| error.with_target(shown))?;
        let bytes_max = self.limits.bytes_max;
        let mut page = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            // A page without end must not fill the memory before it is refused.
            if page.len() + chunk.len() > bytes_max {
                let message = format!("the page is longer than {bytes_max} bytes");
                return Err(Error::new(ErrorKind::ResourceExhausted, OPERATION, message)
                    .with_target(shown)
                    .with_remedy("make the page smaller or raise Limits::bytes_max"));
            }
            page.extend_from_slice(&chunk);
        }
        Ok((page, format))
    }
}

#[async_trait]
impl MetricSource for HttpSource {
    fn name(&self) -> &str {
        self.endpoint.shown()
    }

    async fn collect(&self) -> Result<Vec<Sample>> {
        let (page, format) = self.page().await?;
        let page = Page::read_bytes(&page, format, &self.limits)
            .map_err(|error| error.with_target(self.endpoint.shown()))?;
        Ok(page.samples)
    }
}
