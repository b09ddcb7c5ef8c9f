//! The write-ahead log on its way into the repository, and out of it.

mod archiver;
mod confirmations;
mod fetch;
#[cfg(feature = "fuzzing")]
pub(super) mod fuzzing;
mod message;
mod options;
mod positions;
mod record;
mod report;
mod scan;
mod slot;
mod slot_look;
mod status;
mod stored;
mod stream;
mod timeline_history;
mod timelines;

pub use archiver::WalArchiver;
pub use fetch::WalFetch;
pub use options::WalArchiveOptions;
pub use report::WalReport;
pub use scan::WalSummary;
pub use status::WalStatus;

pub(super) use positions::Positions;
pub(super) use record::{Restores, WalReader};
pub(super) use scan::{WalTarget, scan};
pub(super) use slot::{Slot, make_temporary};
pub(super) use slot_look::SlotLook;
pub(super) use stored::StoredWal;
pub(super) use stream::{StreamEnd, WalRequest, stream_wal};
pub(super) use timeline_history::{TimelineHistory, history_file};
pub(super) use timelines::{Timelines, wal_log_name};
