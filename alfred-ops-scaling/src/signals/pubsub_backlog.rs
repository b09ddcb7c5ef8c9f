//! The backlog of a Pub/Sub subscription.

use std::sync::Arc;

use alfred_ops_core::cloud_monitoring::MetricQuery;
use alfred_ops_core::{Error, ErrorKind, MetricSource, Result, Sample};
use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Pick, SignalSource, Signals};
use crate::Reading;

/// Longer ones no subscription has.
const NAME_BYTES_MAX: usize = 255;
const SUBSCRIPTION: &str = "pubsub.googleapis.com/subscription";

/// The backlog of a Pub/Sub subscription, out of Cloud Monitoring: messages that are not acknowledged yet as
/// [`Signal::Queued`](crate::Signal::Queued), and how old the oldest of them is.
///
/// Messages in work count: Pub/Sub tells waiting ones apart from them only on the side of the client. No point is not known,
/// which is not zero: Cloud Monitoring has none for a subscription without traffic or one that is not there.
///
/// # The age of the backlog's number
/// Points are sampled every minute and visible some two minutes later, so that a reading is two to three minutes old, and it
/// keeps that age. The kernel believes no reading that is older than [`Policy::stale_after`](crate::Policy::stale_after), a
/// minute by default, and holds instead: by default this signal moves nothing, neither up nor down. Whoever raises that to four
/// minutes should leave as long between two steps, because an autoscaler that decides again before its last step shows takes
/// that step over and over. Better put what counts in the process before it ([`FirstKnown`](crate::FirstKnown)), and leave to
/// this one what nobody has taken yet.
///
/// ```no_run
/// use std::sync::Arc;
/// use alfred_ops_core::cloud_monitoring::CloudMonitoringSource;
/// use alfred_ops_scaling::PubSubBacklog;
///
/// # async fn sample() -> alfred_ops_core::Result<()> {
/// let source = CloudMonitoringSource::builder("alfred-prod").queries(PubSubBacklog::queries("tasks")?).connect().await?;
/// let backlog = PubSubBacklog::new(Arc::new(source), "tasks")?;
/// # drop(backlog);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct PubSubBacklog {
    source: Arc<dyn MetricSource>,
    messages: Pick,
    oldest: Pick,
}

/// What is known of a backlog.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
#[non_exhaustive]
pub struct Backlog {
    /// Messages that are not acknowledged.
    pub messages: Option<Reading>,
    /// Seconds since the oldest of them was published.
    pub oldest_seconds: Option<Reading>,
}

impl PubSubBacklog {
    /// The subscription of this name, out of a source that is asked [`queries`](Self::queries).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name of a subscription.
    pub fn new(source: Arc<dyn MetricSource>, subscription: &str) -> Result<Self> {
        let [messages, oldest] = Self::queries(subscription)?;
        let of = |pick: Pick| pick.where_label("subscription_id", subscription);
        Ok(Self {
            source,
            messages: of(Pick::sum(messages.metric_name())),
            oldest: of(Pick::max(oldest.metric_name())),
        })
    }

    /// The same by regions: messages are summed over all of them, and of the ages the greatest counts. The source is asked
    /// [`queries_by_region`](Self::queries_by_region).
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name of a subscription.
    pub fn by_region(source: Arc<dyn MetricSource>, subscription: &str) -> Result<Self> {
        let [messages, oldest] = Self::queries_by_region(subscription)?;
        let of = |pick: Pick| pick.where_label("subscription_id", subscription);
        Ok(Self {
            source,
            messages: of(Pick::sum(messages.metric_name())),
            oldest: of(Pick::max(oldest.metric_name())),
        })
    }

    /// Only the messages of one region. Of use after [`by_region`](Self::by_region) alone, for a service that runs in one.
    #[must_use]
    pub fn in_region(mut self, region: &str) -> Self {
        self.messages = self.messages.where_label("region", region);
        self.oldest = self.oldest.where_label("region", region);
        self
    }

    /// What Cloud Monitoring is asked for: messages of the whole subscription and the age of the oldest.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name of a subscription.
    pub fn queries(subscription: &str) -> Result<[MetricQuery; 2]> {
        queries(subscription, ["num_undelivered_messages", "oldest_unacked_message_age"])
    }

    /// The same for each region.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no name of a subscription.
    pub fn queries_by_region(subscription: &str) -> Result<[MetricQuery; 2]> {
        queries(subscription, ["num_unacked_messages_by_region", "oldest_unacked_message_age_by_region"])
    }

    /// What is known of the backlog at `now`. Readings carry the times of their points.
    ///
    /// # Errors
    /// The source's.
    pub async fn backlog(&self, now: DateTime<Utc>) -> Result<Backlog> {
        let samples = self.source.collect().await?;
        let read = |pick: &Pick, samples: &[Sample]| {
            pick.of(samples).map(|(value, at)| Reading { value, at: at.unwrap_or(now) })
        };
        Ok(Backlog { messages: read(&self.messages, &samples), oldest_seconds: read(&self.oldest, &samples) })
    }
}

fn queries(subscription: &str, metrics: [&str; 2]) -> Result<[MetricQuery; 2]> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "-_.~+%".contains(letter);
    let named = subscription.starts_with(|first: char| first.is_ascii_alphabetic());
    if !named || subscription.len() > NAME_BYTES_MAX || !subscription.chars().all(allowed) {
        let what = format!("subscription: {subscription:?} is no name");
        return Err(Error::new(ErrorKind::InvalidInput, "name subscription", what)
            .with_remedy("give the bare name, without projects/…/subscriptions/"));
    }
    let filter = format!("resource.labels.subscription_id = \"{subscription}\"");
    Ok(metrics.map(|metric| MetricQuery::new(format!("{SUBSCRIPTION}/{metric}")).with_filter(&filter)))
}

#[async_trait]
impl SignalSource for PubSubBacklog {
    async fn read(&self, now: DateTime<Utc>) -> Result<Signals> {
        let queued = self.backlog(now).await?.messages;
        Ok(Signals { queued, ..Signals::default() })
    }
}
