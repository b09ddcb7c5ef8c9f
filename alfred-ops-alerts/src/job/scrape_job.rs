//! A scrape job.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{DiscoveryConfig, HttpOptions, JobLimits, Scheme, ScrapeProtocol, TargetGroup};
use crate::relabel::{NameScheme, RelabelRule};

/// A scrape job as Prometheus has them: where its targets are found, and how they are scraped.
///
/// ```
/// use alfred_ops_alerts::{ScrapeJob, resolve};
///
/// let job = ScrapeJob::new("agents").with_targets(["alfred-bot:8011", "social-intel:9000"]);
/// let resolved = resolve(&job, &job.static_groups());
/// assert_eq!(resolved.active[0].url(), "http://alfred-bot:8011/metrics");
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct ScrapeJob {
    /// The job's name, which becomes the label `job` where a target brings none.
    pub name: String,
    /// How often targets are scraped.
    pub interval: Duration,
    /// How long one scrape may take in all.
    pub timeout: Duration,
    /// The path of the page.
    pub metrics_path: String,
    /// How targets are spoken to.
    pub scheme: Scheme,
    /// What is asked for in the URL's query.
    pub params: BTreeMap<String, Vec<String>>,
    /// Whether a page's label wins over the target's of the same name.
    pub honor_labels: bool,
    /// Whether a page's own timestamps count.
    pub honor_timestamps: bool,
    /// Whether series with timestamps of their own end when the page has them no more.
    pub track_timestamps_staleness: bool,
    /// Whether pages may come compressed.
    pub enable_compression: bool,
    /// Whether the scrape's limits and sizes become series too.
    pub extra_scrape_metrics: bool,
    /// The formats that are asked for, the most wanted first.
    pub protocols: Vec<ScrapeProtocol>,
    /// The format of pages whose content type says none.
    pub fallback_protocol: Option<ScrapeProtocol>,
    /// Which names metrics and labels may have.
    pub name_scheme: NameScheme,
    /// How requests are made.
    pub http: HttpOptions,
    /// What targets may say.
    pub limits: JobLimits,
    /// Where targets are found.
    pub discoveries: Vec<DiscoveryConfig>,
    /// What becomes of targets before they are scraped.
    pub relabel_rules: Vec<RelabelRule>,
    /// What becomes of samples before they are stored.
    pub metric_relabel_rules: Vec<RelabelRule>,
}

impl ScrapeJob {
    /// A job without targets, all else as Prometheus has it by default: every minute, at most 10 s.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            interval: Duration::from_secs(60),
            timeout: Duration::from_secs(10),
            metrics_path: "/metrics".to_owned(),
            scheme: Scheme::Http,
            params: BTreeMap::new(),
            honor_labels: false,
            honor_timestamps: true,
            track_timestamps_staleness: false,
            enable_compression: true,
            extra_scrape_metrics: false,
            protocols: ScrapeProtocol::DEFAULT.to_vec(),
            fallback_protocol: None,
            name_scheme: NameScheme::Utf8,
            http: HttpOptions::default(),
            limits: JobLimits::default(),
            discoveries: Vec::new(),
            relabel_rules: Vec::new(),
            metric_relabel_rules: Vec::new(),
        }
    }

    /// Adds targets, each given by host and port.
    #[must_use]
    pub fn with_targets<A: Into<String>>(self, addresses: impl IntoIterator<Item = A>) -> Self {
        self.with_discovery(DiscoveryConfig::Static(vec![TargetGroup::of_addresses("0", addresses)]))
    }

    /// Adds a place where targets are found. Places of one kind stand together, and groups that are written
    /// down here in one list, numbered in order, as a configuration file has them.
    #[must_use]
    pub fn with_discovery(mut self, discovery: DiscoveryConfig) -> Self {
        let known = self.discoveries.iter_mut().find_map(|known| match known {
            DiscoveryConfig::Static(groups) => Some(groups),
            _ => None,
        });
        match (discovery, known) {
            (DiscoveryConfig::Static(more), Some(groups)) => groups.extend(more),
            (discovery, _) => self.discoveries.push(discovery),
        }
        self.discoveries.sort_by_key(DiscoveryConfig::rank);
        for discovery in &mut self.discoveries {
            if let DiscoveryConfig::Static(groups) = discovery {
                for (index, group) in groups.iter_mut().enumerate() {
                    group.source = index.to_string();
                }
            }
        }
        self
    }

    /// Sets how often targets are scraped and how long one scrape may take.
    #[must_use]
    pub const fn with_rhythm(mut self, interval: Duration, timeout: Duration) -> Self {
        self.interval = interval;
        self.timeout = timeout;
        self
    }

    /// Adds a rule for targets.
    #[must_use]
    pub fn with_relabel_rule(mut self, rule: RelabelRule) -> Self {
        self.relabel_rules.push(rule);
        self
    }

    /// Adds a rule for samples.
    #[must_use]
    pub fn with_metric_relabel_rule(mut self, rule: RelabelRule) -> Self {
        self.metric_relabel_rules.push(rule);
        self
    }

    /// The groups that are written down in the job itself.
    #[must_use]
    pub fn static_groups(&self) -> Vec<TargetGroup> {
        let groups = self.discoveries.iter().filter_map(|discovery| match discovery {
            DiscoveryConfig::Static(groups) => Some(groups),
            _ => None,
        });
        groups.flatten().cloned().collect()
    }
}
