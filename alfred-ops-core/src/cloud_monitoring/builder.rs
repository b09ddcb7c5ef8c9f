//! Puts a source together.

use std::time::Duration;

use google_cloud_auth::credentials::anonymous;
use google_cloud_gax::retry_policy::NeverRetry;
use google_cloud_monitoring_v3::client::MetricService;
use rustls::crypto::CryptoProvider;

use super::source::Limits;
use super::{CloudMonitoringSource, MetricQuery};
use crate::{Error, ErrorKind, Result, SharedClock, SystemClock};

/// The API answers within a second or two, or not at all; scrapes are given 10 s and more.
const DEADLINE: Duration = Duration::from_secs(10);
/// Few connections, and no burst that a quota of requests a minute would notice.
const CONCURRENCY_MAX: usize = 4;
/// Points on a page: of 1,000 series in a window of ten minutes.
const PAGE_SIZE: u32 = 10_000;
/// The most that the API takes.
const PAGE_SIZE_MAX: u32 = 100_000;
/// Beyond it a query is too wide for what a few rules look at.
const PAGES_MAX: usize = 10;
/// Queries of one source; more are asked by several.
const QUERIES_MAX: usize = 200;

/// Puts a [`CloudMonitoringSource`] together.
#[derive(Debug)]
pub struct CloudMonitoringBuilder {
    project: String,
    queries: Vec<MetricQuery>,
    endpoint: Option<String>,
    deadline: Duration,
    concurrency_max: usize,
    page_size: u32,
    pages_max: usize,
    timed: bool,
    clock: Option<SharedClock>,
}

impl CloudMonitoringBuilder {
    pub(super) const fn new(project: String) -> Self {
        Self {
            project,
            queries: Vec::new(),
            endpoint: None,
            deadline: DEADLINE,
            concurrency_max: CONCURRENCY_MAX,
            page_size: PAGE_SIZE,
            pages_max: PAGES_MAX,
            timed: true,
            clock: None,
        }
    }

    /// Adds a query.
    #[must_use]
    pub fn query(mut self, query: MetricQuery) -> Self {
        self.queries.push(query);
        self
    }

    /// Adds queries.
    #[must_use]
    pub fn queries(mut self, queries: impl IntoIterator<Item = MetricQuery>) -> Self {
        self.queries.extend(queries);
        self
    }

    /// Another server, such as `http://127.0.0.1:9000`, asked without credentials.
    #[must_use]
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = Some(endpoint.into());
        self
    }

    /// How long one collection may take; 10 s if not set.
    #[must_use]
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How many queries are asked at once; 4 if not set.
    #[must_use]
    pub const fn concurrency_max(mut self, concurrency_max: usize) -> Self {
        self.concurrency_max = concurrency_max;
        self
    }

    /// How many points a page has; 10,000 if not set, at most 100,000.
    #[must_use]
    pub const fn page_size(mut self, page_size: u32) -> Self {
        self.page_size = page_size;
        self
    }

    /// How many pages a query may have; 10 if not set. One that has more fails.
    #[must_use]
    pub const fn pages_max(mut self, pages_max: usize) -> Self {
        self.pages_max = pages_max;
        self
    }

    /// Gives samples without times, as of their collection: they end as soon as their series has no point in the window,
    /// and are present however late points are. How old the newest point of each query was tells
    /// `cloud_monitoring_newest_point_age_seconds`, with the labels `name`, `filter` and `metric_type`. For rules, not for scalers.
    #[must_use]
    pub const fn without_times(mut self) -> Self {
        self.timed = false;
        self
    }

    /// Sets the clock; the machine's if not given.
    #[must_use]
    pub fn clock(mut self, clock: SharedClock) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Checks everything and makes the source, which asks nothing before it is collected from.
    ///
    /// Google's client takes its TLS provider from the process. Where the host has installed none, this installs aws-lc-rs.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) with all problems at once; [`PermissionDenied`](ErrorKind::PermissionDenied)
    /// if the client cannot be built, which means that there are no credentials.
    pub async fn connect(self) -> Result<CloudMonitoringSource> {
        let limits = self.check()?;
        if CryptoProvider::get_default().is_none() {
            // A host that installs its own at this very moment has won, which is as good.
            let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        }
        let name = format!("cloud-monitoring/{}", self.project);
        let mut builder =
            MetricService::builder().with_retry_policy(NeverRetry).with_attempt_timeout(self.deadline);
        if let Some(endpoint) = self.endpoint {
            builder = builder.with_endpoint(endpoint).with_credentials(anonymous::Builder::new().build());
        }
        let client = builder.build().await.map_err(|source| {
            Error::new(
                ErrorKind::PermissionDenied,
                "connect to Cloud Monitoring",
                "the client cannot be built",
            )
            .with_target(&name)
            .with_remedy("give the host application default credentials")
            .with_source(source)
        })?;
        Ok(CloudMonitoringSource {
            client,
            name,
            project: self.project,
            queries: self.queries,
            limits,
            timed: self.timed,
            clock: self.clock.unwrap_or_else(SystemClock::shared),
        })
    }

    fn check(&self) -> Result<Limits> {
        let mut problems = Vec::new();
        let named = |letter: char| letter.is_ascii_alphanumeric() || "-_.:".contains(letter);
        if self.project.is_empty() || !self.project.chars().all(named) {
            problems.push(format!(
                "project: {:?} is no project; give its id, without \"projects/\"",
                self.project
            ));
        }
        if self.queries.is_empty() || self.queries.len() > QUERIES_MAX {
            let count = self.queries.len();
            problems.push(format!("queries: there are {count}; give 1 to {QUERIES_MAX}"));
        }
        for query in &self.queries {
            query.check(&mut problems);
        }
        for (index, query) in self.queries.iter().enumerate() {
            let name = query.metric_name();
            let earlier = self.queries.iter().take(index).filter(|earlier| earlier.metric_name() == name);
            if earlier.clone().any(|earlier| !earlier.differs_in_filter_only(query)) {
                problems.push(format!("name: two queries that differ in more than their filter are both {name}; name one of them by with_name"));
            }
        }
        if self.deadline.is_zero() || self.concurrency_max == 0 || self.pages_max == 0 {
            problems.push("deadline, concurrency_max or pages_max is zero".to_owned());
        }
        if self.page_size == 0 || self.page_size > PAGE_SIZE_MAX {
            problems.push(format!("page_size: {} is not within 1 and {PAGE_SIZE_MAX}", self.page_size));
        }
        let page_size = i32::try_from(self.page_size).unwrap_or(i32::MAX);
        if problems.is_empty() {
            let Self { deadline, concurrency_max, pages_max, .. } = *self;
            Ok(Limits { deadline, concurrency_max, page_size, pages_max })
        } else {
            let problems = problems.join("; ");
            Err(Error::new(ErrorKind::InvalidInput, "connect to Cloud Monitoring", problems))
        }
    }
}
