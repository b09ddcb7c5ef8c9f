//! Metrics of Google Cloud Monitoring, as samples.
//!
//! [`CloudMonitoringSource`] asks `projects.timeSeries.list` for the latest point of each series of some
//! [queries](MetricQuery).
//!
//! ```no_run
//! use alfred_ops_core::MetricSource;
//! use alfred_ops_core::cloud_monitoring::{CloudMonitoringSource, MetricQuery};
//!
//! # async fn sample() -> alfred_ops_core::Result<()> {
//! let backlog = MetricQuery::new("pubsub.googleapis.com/subscription/num_undelivered_messages")
//!     .with_filter(r#"resource.labels.subscription_id = starts_with("tasks-")"#);
//! let source = CloudMonitoringSource::builder("alfred-prod").query(backlog).connect().await?;
//! for sample in source.collect().await? {
//!     // pubsub_subscription_num_undelivered_messages{project_id="alfred-prod",subscription_id="tasks-eu"} 17
//!     println!("{} {}", sample.labels, sample.value);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Names and labels
//!
//! A metric is named as its type, without `.googleapis.com` and with `_` for whatever no name may hold:
//! `run.googleapis.com/request_count` is `run_request_count`, `custom.googleapis.com/agents/load` is `custom_agents_load`,
//! `kubernetes.io/container/uptime` is `kubernetes_io_container_uptime`. [`MetricQuery::with_name`] gives another name.
//!
//! Labels are those of the monitored resource and of the metric; where both have one of a name, the metric's is called
//! `metric_…`, as in Google's own `PromQL`. `project_id` is always there.
//!
//! # Values
//!
//! | kind | value | becomes |
//! |---|---|---|
//! | gauge | number, boolean | the number; 1 or 0 |
//! | cumulative | number | the number, a counter for `rate` |
//! | gauge, cumulative | distribution | `…_bucket` with `le`, `…_sum` and `…_count` of a classic histogram |
//! | delta | any | an error, unless the query says by an [alignment](MetricQuery::with_alignment) over which time it is meant |
//!
//! A delta counts what came since the point before, so that a reader who misses a point, or sees one twice, counts wrong.
//! [`Aligner::Rate`] lets Cloud Monitoring do the counting. An upper bound belongs to its bucket here and to the next one
//! there, which nobody will notice.
//!
//! # Time
//!
//! Points become visible two to four minutes after they were true. Each sample carries the end of its point, so that its age
//! shows: a scaler can tell that it looks at the past, and `timestamp(…)` tells it in `PromQL`. Such samples are not ended by
//! their absence: they are present until lookback passes, 5 minutes after the point. Where points are often older,
//! [`CloudMonitoringBuilder::without_times`] passes them on as of their collection.
//!
//! A series without a point in the [window](MetricQuery::with_window) gives no sample: absence is not zero.

mod aligner;
mod bounds;
mod builder;
mod failure;
mod metric_query;
mod naming;
mod readout;
mod reducer;
mod source;
mod value;

pub use aligner::Aligner;
pub use builder::CloudMonitoringBuilder;
pub use metric_query::MetricQuery;
pub use reducer::Reducer;
pub use source::CloudMonitoringSource;
