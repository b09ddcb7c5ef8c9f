//! The moment to which a service is brought back.

use alfred_ops_core::Lsn;
use chrono::{DateTime, Utc};

/// The moment to which a service is brought back. A backend that keeps no log knows only
/// [`Immediate`](Self::Immediate) and [`Latest`](Self::Latest), which are then the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum RecoveryTarget {
    /// The end of the stored log.
    #[default]
    Latest,
    /// The end of the backup: as early as possible.
    Immediate,
    /// The last commit before this time.
    Time(DateTime<Utc>),
    /// A restore point made with `pg_create_restore_point`.
    Name(String),
    /// The end of a transaction, itself included: what was committed before it is there, and what had begun
    /// before and ended later is not. As `pg_current_xact_id()::xid` prints it.
    Xid(u32),
    /// A position of the log, itself included.
    Lsn(Lsn),
}
