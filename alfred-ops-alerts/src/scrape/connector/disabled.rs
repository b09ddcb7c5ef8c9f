//! Without the feature `http`, only sources in this process can be read.

use std::sync::Arc;

use alfred_ops_core::{Error, ErrorKind, MetricSource, Result};

use crate::scrape::Target;

/// Connects targets that are read over HTTP.
#[derive(Debug)]
pub(crate) struct Connector;

impl Connector {
    #[expect(clippy::unnecessary_wraps, reason = "its sibling with HTTP can fail")]
    pub(crate) const fn new() -> Result<Self> {
        Ok(Self)
    }

    pub(crate) fn source(&self, target: &Target) -> Result<Arc<dyn MetricSource>> {
        Err(Error::new(ErrorKind::Unsupported, "add target", "this build cannot scrape over HTTP")
            .with_target(format!("{}/{}", target.job, target.instance))
            .with_remedy("enable the feature `http` of alfred-ops-alerts"))
    }
}

#[cfg(test)]
mod tests {
    use crate::{AlertEngine, Target};

    #[test]
    fn a_target_over_http_is_refused_with_the_remedy() {
        let error = AlertEngine::builder().target(Target::new("agents", "a:1")).build().unwrap_err();
        assert_eq!(
            error.to_string(),
            "add target (agents/a:1): this build cannot scrape over HTTP; \
             enable the feature `http` of alfred-ops-alerts"
        );
    }
}
