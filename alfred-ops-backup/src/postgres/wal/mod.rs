//! The write-ahead log on its way into the repository.

mod archiver;
mod options;
mod positions;
mod record;
mod scan;
mod stream;

pub use archiver::WalArchiver;
pub use options::WalArchiveOptions;
pub use scan::WalSummary;

pub(super) use positions::Positions;
pub(super) use scan::{WalTarget, scan};
pub(super) use stream::{Slot, WalRequest, WalStream};
