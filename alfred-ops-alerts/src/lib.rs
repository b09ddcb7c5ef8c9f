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
//! | targets | samples | [`Target`], [`ScrapeConfig`], core's `MetricSource`; [`TargetStatus`] |
//! | samples | series | [`SampleStore`], [`Selector`], [`StoreLimits`] |
//! | series | readings | [`Expr`], evaluated at a [`Moment`] |
//! | readings | alerts | [`Rule`], [`RuleSet`], [`brief_rules`]; [`evaluate`] is pure |
//! | alerts | notifications | [`plan_notifications`] and [`Outbox`] are pure |
//! | notifications | people | [`AlertSink`]: [`MemorySink`], `WebhookSink` |
//! | all of it | | [`AlertEngine`] |
//!
//! Queries of PromQL are in [`promql`], texts for people in [`template`].
//!
//! # Features
//!
//! - `http`: scrapes over HTTP and delivers to webhooks.
//! - `testing`: the mock of [`AlertSink`] and the suite that every sink passes.

mod alert;
mod engine;
mod expr;
#[cfg(feature = "http")]
mod http;
mod notify;
pub mod promql;
mod rule;
mod scrape;
mod sink;
mod store;
pub mod template;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use alert::{
    Alert, AlertBook, AlertState, Evaluation, RESOLVED_RETENTION, Reason, RuleHealth, RuleReport, Transition,
    evaluate,
};
pub use engine::{AlertEngine, AlertEngineBuilder, EngineStatus, SinkStatus};
pub use expr::{Aggregation, Arithmetic, Comparison, Expr, Moment, Outcome, Reading};
pub use notify::{
    Delivery, Due, Ledger, Notification, NotificationStatus, NotifiedAlert, NotifyPolicy, Outbox,
    OutboxCounters, Planned, Verdict, plan_notifications,
};
pub use rule::{BriefThresholds, Rule, RuleSet, brief_rules, brief_rules_with};
pub use scrape::{ScrapeConfig, Target, TargetHealth, TargetStatus};
#[cfg(feature = "http")]
pub use sink::WebhookSink;
pub use sink::{AlertSink, MemorySink, Receipt};
pub use store::{Appended, Matcher, Point, SampleStore, Selector, Series, StoreCounters, StoreLimits};
