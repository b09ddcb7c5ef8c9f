//! When a table is worth a VACUUM.

use std::time::Duration;

/// When a table is worth a VACUUM, and how gently it is done.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct VacuumPolicy {
    /// A table that was vacuumed within this time, by anybody, waits until `dead_share` is reached.
    pub period: Duration,
    /// So large a share of dead rows is worth a VACUUM whenever the last was. Below that queries hardly notice.
    pub dead_share: f64,
    /// Fewer dead rows than this never are: reading the table costs more than they do.
    pub dead_rows_min: u64,
    /// So large a share of changed rows is worth an ANALYZE.
    pub changed_share: f64,
    /// From this share of `autovacuum_freeze_max_age` on (and of its counterpart for multixacts) rows are frozen, before
    /// autovacuum does it at a time of its own choosing and without giving way.
    pub freeze_share: f64,
    /// What holds the horizon back by so many transactions is told.
    pub horizon_age_max: u64,
    /// After so much I/O, in the unit of `vacuum_cost_limit`,
    pub cost_limit: u32,
    /// it rests for so long.
    pub cost_delay: Duration,
}

impl Default for VacuumPolicy {
    /// Weekly; at once from a tenth of dead rows on; freezing from three quarters on; five times autovacuum's speed.
    fn default() -> Self {
        Self {
            period: Duration::from_secs(7 * 24 * 3600),
            dead_share: 0.1,
            dead_rows_min: 1_000,
            changed_share: 0.1,
            freeze_share: 0.75,
            horizon_age_max: 1_000_000,
            cost_limit: 1_000,
            cost_delay: Duration::from_millis(2),
        }
    }
}
