//! Asks a server.

use std::time::Duration;

use alfred_ops_core::http::{Endpoint, Question, Requester};
use alfred_ops_core::{ClockExt as _, Error, ErrorKind, Result, Retry, SharedClock};
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, HeaderName};

use super::failure::{not_the_api, refused};
use super::reply::{Reply, ReplyFault, SeriesLimit};
use super::{PrometheusApiOptions, reply};
use crate::promql::Answer;
use crate::query_source::QuerySource;
use crate::query_source::memory::check_range;

pub(super) const OPERATION: &str = "ask query source";
/// The option that bounds an answer.
const BYTES_LIMIT: &str = "PrometheusApiOptions::answer_bytes_max";

/// A server with Prometheus' HTTP API: Prometheus, Thanos, Mimir, Cortex, VictoriaMetrics.
///
/// Every question is a form that is posted to `<base>/api/v1/query` or `query_range`. The base's path is kept, so that
/// `http://mimir:9009/prometheus` and `http://vmselect:8481/select/0/prometheus` are bases.
///
/// # Native histograms
/// The API shows a histogram as count, sum and buckets between bounds, without its schema. Where all bounds are those of
/// one exponential schema, it becomes that histogram again. Otherwise it becomes one whose bounds are listed: count,
/// sum, buckets and their bounds are as the server says, and empty buckets between them are gone. So presence, count, sum
/// and printed form are always exact; a quantile is to be asked of the server, not of what is recorded here. Which bound
/// belongs to a bucket is not kept for listed bounds: they count what is at their upper one.
#[derive(Debug)]
pub struct PrometheusApi {
    name: String,
    instant: Endpoint,
    range: Endpoint,
    requester: Requester,
    options: PrometheusApiOptions,
    clock: SharedClock,
}

impl PrometheusApi {
    /// The server at `base`, such as `http://prometheus:9090`; what comes before `/api/v1`. Nothing is asked yet. Reads
    /// the files that the options name for TLS, once.
    ///
    /// The URL may hold a name and a password, and parameters behind `?`: neither shows.
    ///
    /// # Errors
    /// [`InvalidInput`](ErrorKind::InvalidInput) if the URL, a certificate or the proxy cannot be used, or the timeout is
    /// zero.
    pub fn new(base: &str, options: PrometheusApiOptions, clock: SharedClock) -> Result<Self> {
        let base = Endpoint::public(base, OPERATION)?;
        if options.timeout.is_zero() {
            return Err(Error::new(ErrorKind::InvalidInput, OPERATION, "the timeout is zero")
                .with_target(base.shown())
                .with_remedy("leave it out for 30 s"));
        }
        Ok(Self {
            name: options.name.clone().unwrap_or_else(|| base.shown().trim_end_matches('/').to_owned()),
            instant: base.below(&["api", "v1", "query"]),
            range: base.below(&["api", "v1", "query_range"]),
            requester: Requester::new(&options.http)?,
            options,
            clock,
        })
    }

    async fn ask(&self, endpoint: &Endpoint, parameters: &[(&str, String)]) -> Result<Answer> {
        let timeout = self.options.timeout;
        let asked = self.clock.timeout(timeout, OPERATION, self.exchange(endpoint, parameters)).await;
        let asked = asked.map_err(|error| error.with_target(endpoint.shown())).flatten();
        asked.map_err(|error| match error.retry() {
            // A question changes nothing, whether or not it has arrived.
            Retry::Unknown => error.with_retry(Retry::After(None)),
            _ => error,
        })
    }

    async fn exchange(&self, endpoint: &Endpoint, parameters: &[(&str, String)]) -> Result<Answer> {
        const JSON: (HeaderName, &str) = (ACCEPT, "application/json");
        let headers = [(JSON.0, JSON.1.to_owned())];
        let question = Question {
            operation: OPERATION,
            endpoint,
            headers: &headers,
            bytes_max: self.options.answer_bytes_max,
            limit_name: Some(BYTES_LIMIT),
            compressed: true,
        };
        let answer = self.requester.post(&question, &self.form(parameters)).await?;
        let shown = endpoint.shown();
        if answer.status != StatusCode::OK {
            return Err(refused(shown, answer.status, &answer.headers, &answer.body));
        }
        let limit = SeriesLimit::new(self.options.series_max);
        match reply::read(&answer.body, &limit) {
            Ok(Reply::Answer(read)) => Ok(read),
            Ok(Reply::Refusal(_)) => Err(refused(shown, answer.status, &answer.headers, &answer.body)),
            Err(ReplyFault::TooManySeries) => {
                let message = format!("the answer has more than {} series", self.options.series_max);
                Err(Error::new(ErrorKind::ResourceExhausted, OPERATION, message)
                    .with_target(shown)
                    .with_remedy("aggregate to fewer series or raise PrometheusApiOptions::series_max"))
            }
            Err(ReplyFault::EndsTooSoon(source)) => {
                Err(Error::new(ErrorKind::Unavailable, OPERATION, "the answer ends too soon")
                    .with_target(shown)
                    .with_source(source))
            }
            Err(ReplyFault::Malformed(source)) => Err(not_the_api(shown, &answer.headers, source)),
        }
    }

    /// The body of a question. Parameters of the options come last, and replace no others.
    fn form(&self, parameters: &[(&str, String)]) -> String {
        let own = &self.options.parameters;
        let given = |name: &str| own.iter().any(|(own, _)| own == name);
        let timeout = self.options.timeout.as_secs_f64().to_string();
        let timeout = (!given("timeout")).then_some(("timeout", timeout.as_str()));
        let asked = parameters.iter().map(|(name, value)| (*name, value.as_str()));
        let own = own.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut form = String::new();
        for (name, value) in asked.chain(timeout).chain(own) {
            if !form.is_empty() {
                form.push('&');
            }
            escape(name, &mut form);
            form.push('=');
            escape(value, &mut form);
        }
        form
    }
}

#[async_trait]
impl QuerySource for PrometheusApi {
    fn name(&self) -> &str {
        &self.name
    }

    async fn instant(&self, query: &str, at: DateTime<Utc>) -> Result<Answer> {
        let time = seconds(at.timestamp_millis());
        self.ask(&self.instant, &[("query", query.to_owned()), ("time", time)]).await
    }

    async fn range(
        &self,
        query: &str,
        start: DateTime<Utc>,
        end: DateTime<Utc>,
        step: Duration,
    ) -> Result<Answer> {
        check_range(start, end, step)?;
        let step = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
        let parameters = [
            ("query", query.to_owned()),
            ("start", seconds(start.timestamp_millis())),
            ("end", seconds(end.timestamp_millis())),
            ("step", seconds(step)),
        ];
        self.ask(&self.range, &parameters).await
    }
}

/// Milliseconds as seconds with three decimals.
fn seconds(millis: i64) -> String {
    let sign = if millis < 0 { "-" } else { "" };
    let millis = millis.unsigned_abs();
    format!("{sign}{}.{:03}", millis / 1000, millis % 1000)
}

/// As forms are encoded.
fn escape(text: &str, form: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_') {
            form.push(char::from(byte));
        } else {
            form.push('%');
            form.push(char::from(HEX[usize::from(byte >> 4)]));
            form.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_and_times_are_written_as_servers_read_them() {
        assert_eq!(seconds(1_700_000_000_250), "1700000000.250");
        assert_eq!(seconds(-1_500), "-1.500");
        assert_eq!(seconds(7), "0.007");
        let options = PrometheusApiOptions::default()
            .with_timeout(Duration::from_millis(1500))
            .with_parameter("extra_label", "a=b c")
            .with_parameter("extra_label", "é");
        let clock = alfred_ops_core::SystemClock::shared();
        let api = PrometheusApi::new("http://a/select/0/prometheus/", options, clock).unwrap();
        assert_eq!(api.name(), "http://a/select/0/prometheus");
        assert_eq!(api.instant.shown(), "http://a/select/0/prometheus/api/v1/query");
        let form = api.form(&[("query", "up{a=\"b\"} > 1".to_owned())]);
        assert_eq!(
            form,
            "query=up%7Ba%3D%22b%22%7D%20%3E%201&timeout=1.5&extra_label=a%3Db%20c&extra_label=%C3%A9"
        );
    }

    #[test]
    fn what_cannot_be_asked_is_refused_before() {
        let clock = alfred_ops_core::SystemClock::shared;
        let zero = PrometheusApiOptions::default().with_timeout(Duration::ZERO);
        let error = PrometheusApi::new("http://u:p@a", zero, clock()).unwrap_err().to_string();
        assert_eq!(error, "ask query source (http://a/): the timeout is zero; leave it out for 30 s");
        let error = PrometheusApi::new("a:9090", PrometheusApiOptions::default(), clock()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
