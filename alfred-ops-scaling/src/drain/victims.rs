//! Whom a platform stops when it is told a smaller number.

use std::fmt;
use std::sync::Arc;

use alfred_ops_core::Result;
use async_trait::async_trait;

use super::RankedInstance;

/// Whom a platform stops when it is told a smaller number.
#[derive(Debug, Clone)]
pub enum Victims {
    /// Anybody, as Cloud Run does. The number then falls only while nobody has a lease: a fleet that is never idle all at
    /// once stays as large as it is.
    Anybody,
    /// The same, and to get there nobody begins anything more until all who work are done: work waits for as long as the
    /// longest lease, and the number falls for certain.
    AnybodyAfterPause,
    /// The highest ordinals, as of a StatefulSet's pods: workers go by names that end with `-0`, `-1` and so on.
    HighestOrdinals,
    /// Those that are chosen, as pods with a deletion cost.
    Chosen(Arc<dyn VictimChoice>),
}

/// Tells a platform whom to stop first.
#[cfg_attr(any(test, feature = "testing"), mockall::automock)]
#[async_trait]
pub trait VictimChoice: fmt::Debug + Send + Sync + 'static {
    /// All instances that run, and in which order the platform stops them whoever is chosen. One whose rank falls later, as a
    /// pod's that is not ready any more, may be stopped in place of a chosen one: work is best of a kind that survives that.
    ///
    /// # Errors
    /// The platform's. The number does not fall then.
    async fn instances(&self) -> Result<Vec<RankedInstance>>;

    /// Has these stopped before all others. After `Ok` the platform knows; after an error it may know in part, and the number
    /// does not fall.
    ///
    /// # Errors
    /// The platform's.
    async fn choose(&self, victims: &[String]) -> Result<()>;
}
