//! A URL whose secrets do not show.

use std::fmt;

use crate::{Error, ErrorKind, Result, Secret};

/// A URL and what of it may be shown.
#[derive(Clone)]
pub struct Endpoint {
    url: reqwest::Url,
    shown: String,
}

impl Endpoint {
    /// A URL of which all but the credentials and the query is shown. `operation` names who needs it, for errors.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] if it is no absolute URL of http or https.
    pub fn public(text: &str, operation: &'static str) -> Result<Self> {
        let url = parse(text, operation)?;
        Ok(Self { shown: shown(&url), url })
    }

    /// A URL whose path and query are credentials too, as those of chat webhooks are: only its origin is shown.
    ///
    /// # Errors
    /// As of [`public`](Self::public).
    pub fn secret(text: &Secret, operation: &'static str) -> Result<Self> {
        let url = parse(text.expose(), operation)?;
        let shown = url.origin().ascii_serialization();
        Ok(Self { url, shown })
    }

    /// The same endpoint, asked for `value` in its query, which does not show.
    #[must_use]
    pub fn with_query(&self, name: &str, value: &str) -> Self {
        let mut endpoint = self.clone();
        endpoint.url.query_pairs_mut().append_pair(name, value);
        endpoint
    }

    /// What lies below a public endpoint, and takes its query along.
    #[must_use]
    pub fn below(&self, segments: &[&str]) -> Self {
        let mut url = self.url.clone();
        // Only URLs without a host have no path, which `parse` refuses.
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        Self { shown: shown(&url), url }
    }

    /// The URL itself, secrets included.
    #[must_use]
    pub fn url(&self) -> reqwest::Url {
        self.url.clone()
    }

    /// What of it may be shown.
    #[must_use]
    pub fn shown(&self) -> &str {
        &self.shown
    }
}

/// A URL without credentials and query.
fn shown(url: &reqwest::Url) -> String {
    let mut bare = url.clone();
    // Both fail only for URLs without a host, which `parse` refuses.
    let _ = bare.set_username("");
    let _ = bare.set_password(None);
    bare.set_query(None);
    bare.into()
}

fn parse(text: &str, operation: &'static str) -> Result<reqwest::Url> {
    // The text itself may hold credentials and is not shown.
    let refuse = |message: String| {
        Error::new(ErrorKind::InvalidInput, operation, message)
            .with_remedy("give an absolute URL such as http://host:9000/metrics")
    };
    let url =
        reqwest::Url::parse(text).map_err(|error| refuse(format!("the URL cannot be read: {error}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(refuse(format!("the URL's scheme is {:?}, not http or https", url.scheme())));
    }
    Ok(url)
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_do_not_show() {
        let target = Endpoint::public("http://user:pass@a:9000/metrics?token=t", "scrape").unwrap();
        assert_eq!(format!("{} {target:?}", target.shown()), "http://a:9000/metrics http://a:9000/metrics");
        let below =
            Endpoint::public("http://user:pass@a:9000/base/?token=t", "ask").unwrap().below(&["api", "v1"]);
        assert_eq!(below.shown(), "http://a:9000/base/api/v1");
        assert_eq!(below.url().as_str(), "http://user:pass@a:9000/base/api/v1?token=t");
        let hook = Secret::new("https://hooks.slack.com/services/T0/B0/secret");
        assert_eq!(Endpoint::secret(&hook, "make sink").unwrap().shown(), "https://hooks.slack.com");
        let error = Endpoint::public("ftp://user:pass@a/x", "add target").unwrap_err();
        assert_eq!(
            error.to_string(),
            "add target: the URL's scheme is \"ftp\", not http or https; \
             give an absolute URL such as http://host:9000/metrics"
        );
        assert!(!Endpoint::public("http://user:pass@", "add target").unwrap_err().full().contains("pass"));
    }
}
