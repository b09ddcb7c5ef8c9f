//! Alerts for the agent platform: scrapes metrics of targets, evaluates rules over them, and notifies sinks of
//! what changes. A host embeds it in a few lines; no Prometheus and no Alertmanager need to run beside it.
//!
//! ```
//! use std::sync::Arc;
//!
//! use alfred_ops_alerts::{AlertEngine, MemorySink, Target, brief_rules};
//! use alfred_ops_core::{Clock, ClosureSource, Labels, Sample, SystemClock};
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let database = ClosureSource::new("database", || {
//!     Ok(vec![
//!         Sample::new(Labels::metric("pg_stat_database_numbackends").with("datname", "alfred"), 95.0),
//!         Sample::new(Labels::metric("pg_settings_max_connections"), 100.0),
//!     ])
//! });
//! let sink = Arc::new(MemorySink::new("screen"));
//! let clock = SystemClock::shared();
//! let engine = AlertEngine::builder()
//!     // With the feature `http`: .target(Target::new("agents", "alfred-bot:8011"))
//!     .target(Target::in_process("postgres", "db:5432", Arc::new(database)))
//!     .rules(brief_rules())
//!     // With the feature `http`: .sink(Arc::new(WebhookSink::new("https://…")?))
//!     .sink(sink.clone())
//!     .clock(clock.clone())
//!     .build()?;
//!
//! // `engine.run(cancel).await` goes on until cancelled; a host with its own loop takes single steps.
//! let transitions = engine.step(clock.now()).await;
//! assert_eq!(transitions[0].labels.get("alertname"), Some("DatabaseConnectionsHigh"));
//! # Ok::<(), alfred_ops_core::Error>(())
//! # }).unwrap();
//! ```
//!
//! # Map
//!
//! | from | to | by |
//! |---|---|---|
//! | a configuration file | jobs | `PrometheusConfig`; [`ScrapeJob`] by hand |
//! | jobs | targets | [`Discovery`], [`JobTargets`]; [`resolve`] and [`relabel`](relabel()) are pure |
//! | targets | samples | `HttpScraper`; [`process_samples`] is pure; [`ScrapeFigures`] |
//! | typed targets | samples | [`Target`], [`ScrapeConfig`], core's `MetricSource`; [`TargetStatus`] |
//! | samples | series | [`SampleStore`], [`Interest`], [`StoreLimits`] |
//! | series | answers | [`promql`]; [`Expr`] puts queries together in Rust |
//! | answers | alerts | [`Rule`], [`RuleGroup`], [`RuleSet`], [`brief_rules`]; [`RuleEvaluator`] |
//! | a server's series | answers | [`QuerySource`]: [`MemoryQuerySource`], `PrometheusApi` |
//! | the past | what a rule would have said | [`backtest`](backtest()) is pure |
//! | an expression | why it comes to that | [`explain`](explain()) is pure; [`AlertEngine::explain`] |
//! | alerts | notifications | [`plan_notifications`] and [`Outbox`] are pure |
//! | notifications | people | [`AlertSink`]: [`MemorySink`], `WebhookSink` |
//! | alerts | Alertmanagers | [`Alertmanager`]: [`MemoryAlertmanager`], `HttpAlertmanager`; [`AlertmanagerPolicy`] is pure |
//! | all of it | | [`AlertEngine`] |
//!
//! Queries of PromQL are in [`promql`], texts for people in [`template`].
//!
//! # Features
//!
//! - `config`: reads and writes Prometheus' configuration files, and files that list targets.
//! - `dns`, `kubernetes`: find targets by the domain name system and among a cluster's pods.
//! - `http`: scrapes over HTTP, asks services for targets, asks Prometheus and its like, delivers to webhooks and Alertmanagers.
//! - `testing`: the mocks of [`AlertSink`], [`Discovery`] and [`QuerySource`], and the suites that all of them pass.

mod alert;
mod alertmanager;
mod api;
mod backtest;
mod discovery;
pub mod doctor;
mod engine;
mod evaluation;
mod explain;
mod expr;
mod job;
mod notify;
mod page;
#[cfg(feature = "config")]
mod prometheus_config;
pub mod promql;
mod query_source;
mod relabel;
mod rule;
#[cfg(feature = "config")]
mod rule_file;
mod saved;
mod scrape;
mod scraped;
#[cfg(feature = "http")]
mod scraper;
mod sink;
mod store;
mod targets;
pub mod template;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(feature = "config")]
mod yaml;

pub use alert::{
    Alert, AlertBook, AlertState, RESOLVED_RETENTION, Reason, RuleHealth, RuleReport, Transition,
};
#[cfg(any(test, feature = "testing"))]
pub use alertmanager::MockAlertmanager;
pub use alertmanager::{Alertmanager, AlertmanagerPolicy, MemoryAlertmanager, PostReason, PostedAlert};
#[cfg(feature = "http")]
pub use alertmanager::{HttpAlertmanager, HttpAlertmanagerOptions};
pub use backtest::{AlertHistory, Backtest, Episode, backtest};
#[cfg(feature = "dns")]
pub use discovery::DnsDiscovery;
#[cfg(feature = "config")]
pub use discovery::FileDiscovery;
#[cfg(feature = "http")]
pub use discovery::HttpDiscovery;
#[cfg(feature = "kubernetes")]
pub use discovery::KubernetesDiscovery;
#[cfg(any(test, feature = "testing"))]
pub use discovery::MockDiscovery;
pub use discovery::{Discovery, Found, JobTargets, StaticDiscovery, open as open_discoveries};
pub use engine::{
    AlertEngine, AlertEngineBuilder, AlertmanagerStatus, EngineStatus, Reload, SinkStatus, SnapshotStatus,
    SourceStatus, StateStatus,
};
pub use evaluation::{Evaluation, GroupEvaluator, RuleEvaluator};
pub use explain::{Compared, Explanation, Insight, JoinSide, Joined, NearestMiss, explain};
pub use expr::{Aggregation, Arithmetic, Comparison, Expr, Selector};
pub use job::{
    Authentication, Credential, DiscoveryConfig, DnsDiscoveryConfig, DnsRecord, FileDiscoveryConfig,
    HttpDiscoveryConfig, HttpOptions, JobLimits, KubernetesDiscoveryConfig, Scheme, ScrapeJob,
    ScrapeProtocol, TargetGroup, TlsOptions,
};
pub use notify::{
    Delivery, Due, Ledger, Notification, NotificationStatus, NotifiedAlert, NotifyPolicy, Outbox,
    OutboxCounters, Planned, Verdict, plan_notifications,
};
pub use page::{PageIntake, TakenPage};
#[cfg(feature = "config")]
pub use prometheus_config::{FileProblem, FileProblems, GlobalConfig, PrometheusConfig, ReadOptions};
#[cfg(any(test, feature = "testing"))]
pub use query_source::MockQuerySource;
pub use query_source::{MemoryQuerySource, QuerySource};
#[cfg(feature = "http")]
pub use query_source::{PrometheusApi, PrometheusApiOptions};
pub use relabel::{NameScheme, RelabelAction, RelabelMistake, RelabelRule, RelabelSpec, apply as relabel};
pub use rule::{
    BriefThresholds, GroupRule, RecordingRule, Rule, RuleGroup, RuleSet, brief_rules, brief_rules_with,
};
#[cfg(feature = "config")]
pub use rule_file::{RuleFile, RuleTests, TestOutcome};
pub use saved::{GRACE, OUTAGE_TOLERANCE};
#[cfg(feature = "http")]
pub use scrape::scrape_jobs;
pub use scrape::{ScrapeConfig, Target, TargetHealth, TargetStatus};
pub use scraped::{ScrapeFigures, ScrapedSamples, process_samples};
#[cfg(feature = "http")]
pub use scraper::{HttpScrape, HttpScraper};
#[cfg(feature = "http")]
pub use sink::WebhookSink;
pub use sink::{AlertSink, MemorySink, Receipt};
pub use store::{Appended, Interest, RestoredSamples, SampleStore, StoreCounters, StoreLimits};
pub use targets::{DropReason, DroppedTarget, Resolution, ResolvedTarget, resolve};
