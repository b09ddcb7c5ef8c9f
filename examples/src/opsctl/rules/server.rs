//! A server that is asked.

use std::sync::Arc;
use std::time::Duration;

use alfred_ops_alerts::{
    AlertEngine, Authentication, Credential, PrometheusApi, PrometheusApiOptions, QuerySource, RuleGroup,
};
use alfred_ops_core::{Error, ErrorKind, JobContext, Result, Secret, SharedClock};
use chrono::{DateTime, Utc};

use super::past_source::PastSource;
use super::series_file::{YEAR_MILLIS, show_time};
use super::source_arguments::ServerArguments;

const OPERATION: &str = "ask query source";
const TIMEOUT: Duration = Duration::from_secs(30);
/// How many questions that take their whole time a rule may ask one after the other.
const TIMEOUTS_PER_RULE: u32 = 4;

/// A server that is asked, and as of when.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) api: Arc<PrometheusApi>,
    /// As of when, in milliseconds since 1970.
    pub(super) at: i64,
    timeout: Duration,
    clock: SharedClock,
}

impl Server {
    /// The server at `url`, as of `time` or now. Nothing is asked yet.
    ///
    /// # Errors
    /// `InvalidInput` if the URL, a header or the time cannot be used, or if there are two ways to say who we are. No text
    /// of an error holds what may be secret.
    pub(super) fn new(
        url: &Secret,
        arguments: &ServerArguments,
        time: Option<DateTime<Utc>>,
        context: &JobContext,
    ) -> Result<Self> {
        let at = time.unwrap_or_else(|| context.now()).timestamp_millis();
        if (0..YEAR_MILLIS).contains(&at) {
            return Err(refused(format!("--time is {} after the beginning of 1970", show_time(at)))
                .with_remedy("give a time such as 2026-11-24T02:00:00Z"));
        }
        let timeout = arguments.timeout.unwrap_or(TIMEOUT);
        let mut options = PrometheusApiOptions::default().with_timeout(timeout);
        let mut ways = Vec::new();
        ways.extend(has_credentials(url).then_some("the URL"));
        if let Some(path) = &arguments.bearer_file {
            ways.push("--bearer-file");
            options = options.with_authentication(Authentication::Header {
                kind: "Bearer".to_owned(),
                credentials: Some(Credential::File(path.clone())),
            });
        }
        for (index, given) in arguments.header.iter().enumerate() {
            let (name, value) = header(given).ok_or_else(|| {
                refused(format!("header {} is not NAME: VALUE", index + 1))
                    .with_remedy("write --header 'X-Scope-OrgID: team-a'")
            })?;
            ways.extend(name.eq_ignore_ascii_case("authorization").then_some("--header"));
            options = options.with_header(name, value);
        }
        if ways.len() > 1 {
            return Err(refused(format!("several say who we are: {}", ways.join(", ")))
                .with_remedy("leave all but one out"));
        }
        let api = PrometheusApi::new(url.expose(), options, Arc::clone(&context.clock))?;
        Ok(Self { api: Arc::new(api), at, timeout, clock: Arc::clone(&context.clock) })
    }

    /// An engine whose only rules are those of `group`, which are asked of `source`.
    ///
    /// # Errors
    /// Those of [`AlertEngineBuilder::build`](alfred_ops_alerts::AlertEngineBuilder::build).
    pub(super) fn engine(&self, source: &Arc<PastSource>, group: RuleGroup) -> Result<AlertEngine> {
        // Each question has its own time: the interval only ends those that are asked one after the other.
        let group = group.with_interval(self.timeout.saturating_mul(TIMEOUTS_PER_RULE));
        let source: Arc<dyn QuerySource> = Arc::<PastSource>::clone(source);
        AlertEngine::builder().remote_rule_groups(source, [group]).clock(Arc::clone(&self.clock)).build()
    }

    /// Fails if nobody answers there, so that this is said once and not of every rule.
    ///
    /// # Errors
    /// Those of [`QuerySource`].
    pub(super) async fn check(&self) -> Result<()> {
        self.api.instant("vector(1)", time(self.at)).await.map(drop)
    }
}

/// A time for questions.
pub(super) fn time(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn refused(message: String) -> Error {
    Error::new(ErrorKind::InvalidInput, OPERATION, message)
}

fn has_credentials(url: &Secret) -> bool {
    let host = url.expose().split_once("://").map_or("", |(_, behind)| behind);
    host.split(['/', '?', '#']).next().is_some_and(|host| host.contains('@'))
}

fn header(given: &Secret) -> Option<(String, Secret)> {
    let (name, value) = given.expose().split_once(':')?;
    let (name, value) = (name.trim(), value.trim());
    let may_be = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let good =
        !name.is_empty() && name.bytes().all(may_be) && !value.bytes().any(|byte| byte.is_ascii_control());
    good.then(|| (name.to_owned(), Secret::new(value)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_have_names_and_values() {
        let check = |given: &str, read: Option<(&str, &str)>| {
            let found = header(&Secret::new(given));
            assert_eq!(found.as_ref().map(|(name, value)| (name.as_str(), value.expose())), read, "{given}");
        };
        check("X-Scope-OrgID: team-a", Some(("X-Scope-OrgID", "team-a")));
        check("a:b:c", Some(("a", "b:c")));
        for wrong in ["", "hunter2", ": x", "a b: c", "a: b\nc: d"] {
            check(wrong, None);
        }
    }

    #[test]
    fn credentials_are_found_before_the_host_only() {
        for (url, found) in [
            ("http://u:p@a:9090/x", true),
            ("https://u@a", true),
            ("http://a:9090/x@y", false),
            ("http://a?b=c@d", false),
            ("a:9090", false),
        ] {
            assert_eq!(has_credentials(&Secret::new(url)), found, "{url}");
        }
    }
}
