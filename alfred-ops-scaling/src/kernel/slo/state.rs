//! What is remembered.

use serde::{Deserialize, Serialize};

use super::dips::Dips;
use super::rates::Rates;
use crate::kernel::moment::Moment;
use crate::kernel::peaks::Peaks;

/// What is remembered, in about 150 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::kernel) struct SloState {
    /// The last look.
    pub(super) last: Option<Moment>,
    /// The last count of arrivals, and when it was true.
    pub(super) arrivals: Option<(f64, Moment)>,
    /// When a message came last.
    pub(super) last_arrival: Moment,
    /// Seconds of arrivals that have been seen.
    pub(super) seen: f32,
    /// Messages that waited at the last look.
    pub(super) queued: f32,
    /// What one instance was seen to finish in a second.
    pub(super) service_rate: f32,
    pub(super) rates: Rates,
    pub(super) dips: Dips,
    /// What arrivals have taken.
    pub(super) for_arrivals: Peaks,
    /// What it all has taken.
    pub(super) for_all: Peaks,
}
