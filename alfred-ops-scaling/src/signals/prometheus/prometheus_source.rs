//! Asks a server.

use alfred_ops_core::http::{Endpoint, Question, Requester, failed_answer, kind_of};
use alfred_ops_core::{
    ClockExt as _, Error, ErrorKind, Labels, MetricSource, Result, Retry, Sample, SharedClock,
};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use futures::StreamExt as _;
use reqwest::header::{ACCEPT, HeaderName};

use super::reply::{Data, Element, Point, Reply};
use super::{PrometheusOptions, PrometheusQuery};

const OPERATION: &str = "ask Prometheus";
/// One value needs a few hundred bytes; a query that forgot to aggregate is told apart from it.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Of what a server says; it may repeat a long query.
const CHARACTERS_MAX: usize = 300;
/// Of one query that goes by series: all revisions that a platform keeps of a service.
const SERIES_MAX: usize = 1_000;
const CONCURRENCY_MAX: usize = 4;
/// A scaler has a handful of signals.
const QUERIES_MAX: usize = 32;

/// Numbers out of Prometheus, Thanos, Mimir, VictoriaMetrics and whatever else answers `api/v1/query`: a source for
/// [`MetricSignals`](crate::MetricSignals).
///
/// Each query makes one sample of its name, or one by series. No series is no sample, which is not zero. What is no finite number is passed on,
/// and the kernel does not believe it. If one query fails, so does the whole look, and the autoscaler holds.
///
/// ```no_run
/// use std::sync::Arc;
/// use alfred_ops_core::SystemClock;
/// use alfred_ops_scaling::{
///     MetricSignals, Pick, PrometheusOptions, PrometheusQuery, PrometheusSource, Signal,
/// };
///
/// # fn main() -> alfred_ops_core::Result<()> {
/// let queue = "tasks_waiting{job=\"agents\"}";
/// let queries = [PrometheusQuery::new("waiting", format!("sum({queue})")).aged_by(queue)];
/// let options = PrometheusOptions::default();
/// let source = PrometheusSource::new("http://prometheus:9090", queries, options, SystemClock::shared())?;
/// let signals = MetricSignals::new(Arc::new(source)).with(Signal::Queued, Pick::sum("waiting"));
/// # drop(signals);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PrometheusSource {
    endpoint: Endpoint,
    queries: Vec<PrometheusQuery>,
    requester: Requester,
    options: PrometheusOptions,
    clock: SharedClock,
}

impl PrometheusSource {
    /// Queries of the server at `base`: what comes before `/api/v1`. Nothing is asked yet. Reads the files that the options
    /// name for TLS, once. The URL may hold a name and a password, which do not show.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if the URL, a certificate or the proxy cannot be used, the timeout is zero, there is no
    /// query or more than 32, one is empty, or two have one name.
    pub fn new(
        base: &str,
        queries: impl IntoIterator<Item = PrometheusQuery>,
        options: PrometheusOptions,
        clock: SharedClock,
    ) -> Result<Self> {
        let endpoint = Endpoint::public(base, OPERATION)?.below(&["api", "v1", "query"]);
        let queries: Vec<PrometheusQuery> = queries.into_iter().collect();
        let refuse = |what: String| {
            Err(Error::new(ErrorKind::InvalidInput, OPERATION, what).with_target(endpoint.shown()))
        };
        if options.timeout.is_zero() {
            return refuse("timeout: it is zero".to_owned());
        }
        if queries.is_empty() || queries.len() > QUERIES_MAX {
            return refuse(format!("queries: there are {}, not 1 to {QUERIES_MAX}", queries.len()));
        }
        for (index, query) in queries.iter().enumerate() {
            let name = &query.name;
            if name.is_empty() || query.query.trim().is_empty() {
                return refuse(format!("queries: the name or query of {name:?} is empty"));
            }
            if queries.iter().take(index).any(|earlier| earlier.name == *name) {
                return refuse(format!("queries: two have the name {name:?}"));
            }
        }
        Ok(Self { requester: Requester::new(&options.http)?, endpoint, queries, options, clock })
    }

    async fn samples(&self, query: &PrometheusQuery) -> Result<Vec<Sample>> {
        let about =
            |error: Error| error.with_target(format!("{} for {:?}", self.endpoint.shown(), query.name));
        let age = async {
            let Some(selector) = &query.aged_by else { return Ok(None) };
            let read = self.values(&format!("min(timestamp({selector}))"), 1).await?;
            // The number is the time itself, in seconds.
            Ok(Some(read.first().map(|(_, seconds, _)| *seconds)))
        };
        let values_max = if query.several { SERIES_MAX } else { 1 };
        let (read, age) = futures::try_join!(self.values(&query.query, values_max), age).map_err(about)?;
        let age = match age {
            _ if read.is_empty() => return Ok(Vec::new()),
            None => None,
            // What the number is made of is gone: nothing says how old it is.
            Some(None) => return Ok(Vec::new()),
            Some(Some(seconds)) => Some(millis(seconds).map_err(|what| about(self.not_understood(&what)))?),
        };
        let sample = |(at, value, labels): (i64, f64, Labels)| {
            let at = DateTime::<Utc>::from_timestamp_millis(age.unwrap_or(at))
                .ok_or_else(|| about(self.not_understood("a time is out of range")))?;
            Ok(Sample::new(labels.with(Labels::NAME, &query.name), value).at(at))
        };
        read.into_iter().map(sample).collect()
    }

    /// The values of a query with their times, at most so many.
    async fn values(&self, query: &str, values_max: usize) -> Result<Vec<(i64, f64, Labels)>> {
        let point = |point: &Point| point.read().map_err(|what| self.not_understood(&what));
        match self.ask(query).await? {
            Data::Scalar(value) => point(&value).map(|(at, value)| vec![(at, value, Labels::empty())]),
            Data::Vector(elements) => {
                let elements = elements.unwrap_or_default();
                if elements.len() > values_max {
                    let most =
                        if values_max == 1 { "one".to_owned() } else { format!("at most {values_max}") };
                    return Err(self.wrong(
                        &format!("the answer has {} values, not {most}", elements.len()),
                        "aggregate, such as by sum(…) or max(…)",
                    ));
                }
                let read = |element: Element| match &element.value {
                    Some(value) => point(value).map(|(at, value)| (at, value, element.metric)),
                    None => {
                        Err(self.wrong("the answer is a histogram", "ask for a number, such as a quantile"))
                    }
                };
                elements.into_iter().map(read).collect()
            }
            Data::String(_) | Data::Matrix(_) => {
                Err(self.wrong("the answer is no number", "ask for an instant vector or a scalar"))
            }
        }
    }

    async fn ask(&self, query: &str) -> Result<Data> {
        const JSON: (HeaderName, &str) = (ACCEPT, "application/json");
        let headers = [(JSON.0, JSON.1.to_owned())];
        let question = Question {
            operation: OPERATION,
            endpoint: &self.endpoint,
            headers: &headers,
            bytes_max: ANSWER_BYTES_MAX,
            limit_name: None,
            compressed: true,
        };
        let answer = self.requester.post(&question, &self.form(query)).await?;
        let reply: serde_json::Result<Reply> = serde_json::from_slice(&answer.body);
        match reply {
            Ok(reply) if reply.status == "success" => self.data(reply),
            Ok(reply) => {
                let kind = match &*reply.error_type {
                    "bad_data" | "execution" => ErrorKind::InvalidInput,
                    "timeout" => ErrorKind::Timeout,
                    _ if answer.status.is_success() => ErrorKind::Unavailable,
                    _ => kind_of(answer.status),
                };
                let said = clipped(&format!("{}: {}", reply.error_type, reply.error));
                Err(failed_answer(
                    kind,
                    OPERATION,
                    self.endpoint.shown(),
                    (answer.status, &answer.headers),
                    &said,
                ))
            }
            Err(_) if !answer.status.is_success() => {
                let said = clipped(&String::from_utf8_lossy(&answer.body));
                let kind = kind_of(answer.status);
                Err(failed_answer(
                    kind,
                    OPERATION,
                    self.endpoint.shown(),
                    (answer.status, &answer.headers),
                    &said,
                ))
            }
            Err(source) => Err(self.not_understood("it is none of Prometheus' HTTP API").with_source(source)),
        }
    }

    fn data(&self, reply: Reply) -> Result<Data> {
        let warnings = reply.warnings.unwrap_or_default();
        if let Some(first) = warnings.first() {
            let said = clipped(first);
            if !self.options.warnings_accepted {
                let message = format!("answered with {} warnings: {said}", warnings.len());
                return Err(Error::new(ErrorKind::Unavailable, OPERATION, message)
                    .with_target(self.endpoint.shown())
                    .with_remedy(
                        "let the query give none, or accept them by PrometheusOptions::accepting_warnings",
                    ));
            }
            tracing::debug!(warning = said, "Prometheus warns");
        }
        reply.data.ok_or_else(|| self.not_understood("there is no data in it"))
    }

    fn form(&self, query: &str) -> String {
        let timeout = self.options.timeout.as_secs_f64();
        format!("query={}&timeout={timeout}", escaped(query))
    }

    fn wrong(&self, what: &str, remedy: &'static str) -> Error {
        Error::new(ErrorKind::InvalidInput, OPERATION, what)
            .with_target(self.endpoint.shown())
            .with_remedy(remedy)
    }

    fn not_understood(&self, what: &str) -> Error {
        Error::new(ErrorKind::Unsupported, OPERATION, format!("the answer was not understood: {what}"))
            .with_target(self.endpoint.shown())
            .with_remedy("check the base URL: what comes before /api/v1")
    }
}

#[async_trait]
impl MetricSource for PrometheusSource {
    fn name(&self) -> &str {
        self.endpoint.shown()
    }

    async fn collect(&self) -> Result<Vec<Sample>> {
        let mut asked = Vec::with_capacity(self.queries.len());
        for query in &self.queries {
            asked.push(self.samples(query));
        }
        let all = async {
            let answers: Vec<_> = futures::stream::iter(asked).buffered(CONCURRENCY_MAX).collect().await;
            let answers: Result<Vec<Vec<Sample>>> = answers.into_iter().collect();
            answers.map(|samples| samples.into_iter().flatten().collect())
        };
        let collected = self.clock.timeout(self.options.timeout, OPERATION, all).await.flatten();
        // A question changes nothing, whether or not it has arrived.
        collected.map_err(|error| match error.retry() {
            Retry::Unknown => error.with_retry(Retry::After(None)),
            _ => error,
        })
    }
}

/// Seconds as milliseconds.
fn millis(seconds: f64) -> Result<i64, String> {
    Point::of(seconds).read().map(|(at, _)| at)
}

/// On one line and not long.
fn clipped(text: &str) -> String {
    let words = text.split(|letter: char| letter.is_whitespace() || letter.is_control());
    let line = words.filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    let mut short: String = line.chars().take(CHARACTERS_MAX).collect();
    if short.len() < line.len() {
        short.push('…');
    }
    short
}

/// As forms are encoded.
fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut form, byte| {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            form.push(char::from(byte));
        } else {
            form.push_str(&format!("%{byte:02X}"));
        }
        form
    })
}
